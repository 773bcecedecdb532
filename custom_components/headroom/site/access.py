"""Who may charge: tokens, reservations, and starts from afar, each once what guards the transaction is installed."""

import asyncio
from collections.abc import Callable
from datetime import datetime
import logging

from ..csms.authorization import AuthorizationStatus, IdToken, IdTokenInfo, ListSent
from .config import EvseKey
from .evse import EvseState
from .grounds import Grounds
from .judging import Judgement
from .limits import LeaseOrder
from .remote_start import MAKE_WAY_S, first_lease, start, takes_first_lease
from .reservations import Reservation, cancel, reserve

_LOGGER = logging.getLogger(__name__)

FALLBACK_WAIT_S = 10.0
"""How long a token waits for the fallback to be confirmed before it is turned away."""


class Access(Grounds):
    """A site as drivers meet it."""

    _on_judgement: Callable[[Judgement], None]
    """Told who may charge and who may not, each time somebody asks anew."""

    def issue_token(self, at: EvseKey, token: IdToken | None = None) -> IdToken:
        """Return a token that may charge once, at one EVSE, the one given or one of the site's own: a person at the controls has decided so."""
        issued = self.authorization.issue(at, token)
        self._on_memory()
        return issued

    def withdraw_token(self, at: EvseKey, token: IdToken) -> None:
        """Let a token that was issued charge no more than the policy says: nothing came of what it was issued for."""
        self.authorization.book.use(token, at)
        self._on_memory()

    async def start_transaction(self, key: EvseKey, id_token: IdToken, remote_start_id: int, *, group: str | None = None) -> None:
        """Ask for a transaction (F01, F02), with its first lease where the site has one to give (K05). Raises StationError."""
        evse, station = self._evses[key], self._connected(key.station)
        order = await self._way_made(evse)
        await start(station, evse, id_token, remote_start_id, order, self._clock, self._start_changed, group=group)

    def _start_changed(self) -> None:
        self._on_memory()
        self.request_turn("user")

    def _first_lease(self, evse: EvseState) -> LeaseOrder | None:
        sharing = self._planning.sharing(self.policy)
        evses = list(self._evses.values())
        return first_lease(self._circuits, evses, evse, self._external, self.config, self.mode, sharing, self._clock, self.peak.ceiling)

    async def _way_made(self, evse: EvseState) -> LeaseOrder | None:
        """Return the lease that a transaction may begin with, once the others have made way for it; None where they don't soon."""
        if (order := self._first_lease(evse)) is not None or not takes_first_lease(evse, self.mode):
            return order
        evse.coming += 1
        self.request_turn("user")
        try:
            async with asyncio.timeout(MAKE_WAY_S):
                while order is None:
                    await self._confirmation.wait()
                    order = self._first_lease(evse)
        except TimeoutError:
            return None
        finally:
            evse.coming -= 1
        return order

    async def authorize(self, identity: str, evse_id: int | None, token: IdToken) -> IdTokenInfo:
        """Answer a token by the site's policy, once the fallbacks that guard the transaction are confirmed."""
        judgement = self.authorization.judge(identity, evse_id, token)
        # A transaction that runs already is not refused for want of a fallback: that would only end it.
        if judgement.accepted and judgement.transaction_id is None and not judgement.settled:
            if not await self._guarded(identity, evse_id):
                _LOGGER.warning(
                    "Station %s: a token is turned away because the fallback could not be installed, or another's profile leads over it",
                    identity,
                )
                judgement = judgement.refused(AuthorizationStatus.NOT_AT_THIS_TIME)
        if self.authorization.note(judgement):
            self._on_judgement(judgement)
        if not judgement.settled:
            self._on_memory()
        return judgement.info

    async def _guarded(self, identity: str, evse_id: int | None = None) -> bool:
        """Wait until the fallbacks of a station's EVSEs are confirmed and lead; False where that takes too long."""
        if self.mode.silent or identity not in self._installers:
            return True
        evses = [evse for evse in self._installers[identity].evses if evse_id in (None, evse.key.evse_id)]
        try:
            async with asyncio.timeout(FALLBACK_WAIT_S):
                while not all(evse.guarded for evse in evses):
                    if any(evse.keeps_foreign for evse in evses):
                        return False
                    await self._confirmation.wait()
        except TimeoutError:
            return False
        return True

    async def reserve(
        self,
        identity: str,
        token: IdToken,
        expires_at: datetime,
        *,
        evse_id: int | None = None,
        connector_type: str | None = None,
        group: str | None = None,
    ) -> Reservation:
        """Keep an EVSE, or any of a station, free for a token and its group (H01). Raises StationError; nothing is reserved then.

        `connector_type` is OCPP's (csms/inventory.py): of a station, only EVSEs with such a connector count.
        """
        reservation = await reserve(
            self._connected(identity),
            self.authorization.reservations,
            token,
            expires_at,
            evse_id=evse_id,
            connector_type=connector_type,
            group=group,
        )
        self._on_memory()
        self.request_turn("user")
        return reservation

    async def cancel_reservation(self, identity: str, reservation_id: int) -> None:
        """Take a reservation back (H02). Raises StationError where the station could not be told."""
        await cancel(self._connected(identity), self.authorization.reservations, reservation_id)
        self._on_memory()
        self.request_turn("user")

    async def send_local_list(self, identity: str) -> ListSent:
        """Send a station its list of tokens again, whole (D01). Raises StationError."""
        return await self._keeper.send_again(identity)
