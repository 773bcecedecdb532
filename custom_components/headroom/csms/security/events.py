"""What happens to the site's security, as values; and the watch that logs and passes each on without being flooded itself."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
import logging

from .throttle import address_key

_LOGGER = logging.getLogger(__name__)

QUIET_S = 60.0
"""The same thing of the same station and address is passed on once in this time."""
LOG_AGAIN_S = 86_400.0
"""What came again and again is logged once; after so long a pause it is news."""
MOST_REMEMBERED = 512
LONGEST_DETAIL = 300


class SecurityEventKind(StrEnum):
    """What happened."""

    LOGIN_FAILED = "login_failed"
    """A wrong password, no password where one is needed, or a certificate that is not this station's."""
    LOGIN_RECOVERED = "login_recovered"
    """Let in after it was not."""
    UNKNOWN_STATION = "unknown_station"
    """Nobody's identity was turned away."""
    DOWNGRADE_REFUSED = "downgrade_refused"
    """A station came on a lower security profile than it has reached (A05)."""
    PROFILE_RAISED = "profile_raised"
    CONNECTION_REPLACED = "connection_replaced"
    CERTIFICATE_REFUSED = "certificate_refused"
    """A TLS handshake failed over the peer's certificate, or over ours at the peer's."""
    FLOOD = "flood"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_REFUSED = "password_refused"
    PASSWORD_NOT_SHOWN = "password_not_shown"
    """A station that took a password came without it: it is still changing over, or it is somebody who knows its name."""
    CERTIFICATE_SIGNED = "certificate_signed"
    SIGNING_REFUSED = "signing_refused"
    CERTIFICATE_EXPIRING = "certificate_expiring"
    CERTIFICATE_RENEWED = "certificate_renewed"
    STATION_EVENT = "station_event"
    """SecurityEventNotification (A04): `detail` is OCPP's word for it."""


GOOD_NEWS = frozenset(
    {
        SecurityEventKind.LOGIN_RECOVERED,
        SecurityEventKind.PROFILE_RAISED,
        SecurityEventKind.PASSWORD_CHANGED,
        SecurityEventKind.CERTIFICATE_SIGNED,
        SecurityEventKind.CERTIFICATE_RENEWED,
        SecurityEventKind.STATION_EVENT,
    }
)
"""What is logged as information; everything else is a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """One thing that happened. `identity` is what the peer says it is where nobody was let in; nothing secret is in any of it."""

    kind: SecurityEventKind
    identity: str | None = None
    remote: str | None = None
    detail: str | None = None
    info: str | None = None
    """What the station adds to its own event (techInfo); not logged."""

    def __str__(self) -> str:
        """Say it in a line."""
        where = f" from {self.remote}" if self.remote else ""
        detail = f": {self.detail}" if self.detail else ""
        return f"{self.kind.value.replace('_', ' ')}, {self.identity or 'no station'}{where}{detail}"


class SecurityWatch:
    """Logs what happens and passes it on: each kind, station and address once a minute, in the log once until it is over."""

    def __init__(self, monotonic: Callable[[], float], pass_on: Callable[[SecurityEvent], None] = lambda event: None) -> None:
        """Take a clock in seconds, and who is to hear."""
        self._monotonic = monotonic
        self._pass_on = pass_on
        self._told: OrderedDict[tuple[object, ...], float] = OrderedDict()
        self._failing: OrderedDict[str, tuple[int, str | None]] = OrderedDict()
        """How often in a row each identity was told to have failed, and from where last."""

    def tell(self, event: SecurityEvent) -> None:
        """Log and pass on what was not told of late."""
        if event.detail is not None:
            event = replace(event, detail=_in_a_line(event.detail))
        key, now = _key(event), self._monotonic()
        told = self._told.get(key)
        if told is None or now - told > LOG_AGAIN_S:
            level = logging.INFO if event.kind in GOOD_NEWS else logging.WARNING
            _LOGGER.log(level, "Security: %s", event)
        if told is not None and now - told < QUIET_S:
            return
        self._told[key] = now
        self._told.move_to_end(key)
        if len(self._told) > MOST_REMEMBERED:
            self._told.popitem(last=False)
        if event.kind is SecurityEventKind.LOGIN_FAILED and event.identity is not None:
            self._failing[event.identity] = (self.failures(event.identity) + 1, event.remote)
            if len(self._failing) > MOST_REMEMBERED:
                self._failing.popitem(last=False)
        self._pass_on(event)

    def failures(self, identity: str) -> int:
        """Return how often in a row it was told that an identity is refused: at most once a minute; 0 once it was let in."""
        return self._failing.get(identity, (0, None))[0]

    def failing_from(self, identity: str) -> str | None:
        """Return the address from which an identity was refused last."""
        return self._failing.get(identity, (0, None))[1]

    def begin_anew(self, identity: str) -> None:
        """Count an identity's failures anew: what it is recognised by was changed, and the new has not been tried."""
        self._failing.pop(identity, None)

    def let_in(self, identity: str, remote: str) -> None:
        """Take note that a station was let in: what was amiss with it may be told, and logged, anew."""
        if identity not in self._failing:
            return
        del self._failing[identity]
        for key in [key for key in self._told if key[1] == identity]:
            del self._told[key]
        self.tell(SecurityEvent(kind=SecurityEventKind.LOGIN_RECOVERED, identity=identity, remote=remote))


def _in_a_line(detail: str) -> str:
    """Return what a station may have worded so that it makes no line of the log of its own."""
    return "".join(letter if letter.isprintable() else " " for letter in detail[:LONGEST_DETAIL])


def _key(event: SecurityEvent) -> tuple[object, ...]:
    """Return what makes two events the same. Identities that anyone can invent make no difference."""
    address = None if event.remote is None else address_key(event.remote)
    match event.kind:
        case SecurityEventKind.UNKNOWN_STATION:
            return (event.kind, None, address)
        case SecurityEventKind.STATION_EVENT | SecurityEventKind.CERTIFICATE_REFUSED:
            return (event.kind, event.identity, address, event.detail)
    return (event.kind, event.identity, address)
