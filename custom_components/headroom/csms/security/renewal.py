"""A station's own certificate is renewed before it ends: the station is asked to ask for a new one (2.0.1 Part 2: A02, A03)."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ..errors import StationError, StationOfflineError
from ..station import Station
from .access import Access
from .authority import RENEW_BEFORE_DAYS, WARN_BEFORE_DAYS, Credential
from .events import SecurityEvent, SecurityEventKind
from .upgrade import SIGNING_S


class CertificateRenewal:
    """Asks for what is due; whoever holds it says when to look: when a station is ready, and once a day."""

    def __init__(
        self,
        access: Access,
        *,
        station: Callable[[str], Station | None],
        root: Callable[[], Credential | None],
        now: Callable[[], datetime],
    ) -> None:
        """Take who knows the stations, their open connections, the root (None: there is none) and our time in UTC."""
        self._access = access
        self._station = station
        self._root = root
        self._now = now
        self._asking: set[str] = set()

    def expiring(self, identity: str) -> datetime | None:
        """Return when the newest certificate of a station ends if that is near, or past, and nothing has renewed it; else None."""
        return self._ends_within(identity, WARN_BEFORE_DAYS)

    async def renew(self, identity: str) -> None:
        """Have a connected station ask for a new certificate where its newest ends soon; nothing else, and nothing twice at a time.

        A failure becomes a security event: it is tried again when the station is next ready, or the next day.
        """
        station, ends_at = self._station(identity), self._ends_within(identity, RENEW_BEFORE_DAYS)
        if station is None or ends_at is None or self._root() is None or identity in self._asking:
            return
        self._asking.add(identity)
        try:
            await station.certificates.ask_for_signing(timeout_s=SIGNING_S)
        except StationOfflineError:
            pass  # it is asked when it is back
        except StationError as error:
            detail = f"valid until {ends_at:%Y-%m-%d}, and not renewed: {error}"
            self._access.watch.tell(SecurityEvent(kind=SecurityEventKind.CERTIFICATE_EXPIRING, identity=identity, detail=detail))
        finally:
            self._asking.discard(identity)

    def _ends_within(self, identity: str, days: int) -> datetime | None:
        kept = self._access.security(identity)
        ends_at = None if kept is None else kept.certificate_ends_at
        return ends_at if ends_at is not None and ends_at - self._now() <= timedelta(days=days) else None
