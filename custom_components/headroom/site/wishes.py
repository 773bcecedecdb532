"""What people set: the mode, switches and limits. Nothing of it goes to a station by itself: it is a ceiling for the allocator."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
import logging
import math

from ..csms.errors import CallTimeoutError, StationOfflineError
from ..engine.priority import Priority
from ..engine.share import Policy
from .config import EvseKey, Mode
from .evse import EvseState
from .grounds import Grounds
from .limits import LimitsOverTime
from .outside import order
from .shadow import Shadow
from .standing_limit import StandingLimit, Storing
from .storing import store, take_away
from .wish import Wish

_LOGGER = logging.getLogger(__name__)


class Wishes(Grounds):
    """A site as people set it."""

    def set_mode(self, mode: Mode) -> None:
        """Switch between following the meter (also on paper only), fixed shares and hands off; ValueError where a site without a meter is to follow it."""
        if mode.follows and not self.config.root.metered:
            raise ValueError("a site without a meter can't follow it")
        if mode is Mode.SHADOW and self._chosen_mode is not mode:
            self._shadow = Shadow()
        self._chosen_mode = mode
        self._on_memory()
        self.request_turn("user")

    def forget_worst(self, circuit_id: str) -> None:
        """Reckon with the worst case of a circuit that was said, and no more with what it was seen to draw: it can't come again."""
        if (state := self._circuits.get(circuit_id)) is not None:
            state.forget_worst()
            self._on_memory()
            self.request_turn("user")

    def set_policy(self, policy: Policy) -> None:
        """Share by another policy from the next turn on."""
        self.policy = policy
        self._on_memory()
        self.request_turn("user")

    def set_allowed(self, key: EvseKey, allowed: bool) -> None:
        """Let an EVSE charge or not."""
        evse = self._evses[key]
        if evse.allowed and not allowed:
            evse.paused_at = self._clock.monotonic()
        evse.allowed = allowed
        self._on_memory()
        self.request_turn("user")

    def set_never_pause(self, key: EvseKey, never: bool) -> None:
        """Have no car be paused at an EVSE once it charges, but where a fuse wants it."""
        self._evses[key].never_pause = never
        self._on_memory()
        self.request_turn("user")

    def set_priority(self, key: EvseKey, priority: Priority) -> None:
        """Put cars at an EVSE before the others or after them, but those whose token says otherwise."""
        self._evses[key].priority = priority
        self._on_memory()
        self.request_turn("user")

    def availability_decided(self, identity: str, evse_id: int | None) -> None:
        """Take note that a person put an EVSE, or all of a station's (None), in or out of service: that stays as it is."""
        for key in self._evses:
            if key.station == identity and evse_id in (None, 0, key.evse_id):
                self.last_resort.person_decides(key)
        self.request_turn("user")

    def set_user_max(self, key: EvseKey, limit_a: float) -> None:
        """Cap an EVSE."""
        self._evses[key].user_max_a = limit_a
        self._on_memory()
        self.request_turn("user")

    def set_need(
        self,
        key: EvseKey,
        *,
        energy_wh: float | None = None,
        departs_at: datetime | None = None,
        state_of_charge: float | None = None,
        pausable: bool | None = None,
    ) -> None:
        """Take down what a driver says of the session that runs, or of the next one where none does; what is None stays as it was.

        `energy_wh` is wanted from now on, 0: none is; `departs_at` is aware; `state_of_charge` is a share, 0 to 1.
        """
        evse = self._evses[key]
        wish = evse.wish or Wish()
        if energy_wh is not None:
            wish = replace(wish, energy_wh=energy_wh, from_wh=evse.session_energy_wh or 0.0)
        if departs_at is not None:
            wish = replace(wish, departs_at=departs_at)
        if state_of_charge is not None:
            wish = replace(wish, state_of_charge=state_of_charge)
        if pausable is not None:
            wish = replace(wish, pausable=pausable)
        if evse.session is not None:
            wish = replace(wish, session=evse.session.record_id)
        self._wish(evse, wish)

    def clear_need(self, key: EvseKey, *, energy_only: bool = False) -> None:
        """Forget what a driver said, or how much energy."""
        evse = self._evses[key]
        self._wish(evse, replace(evse.wish, energy_wh=None, from_wh=0.0) if energy_only and evse.wish is not None else None)

    def _wish(self, evse: EvseState, wish: Wish | None) -> None:
        evse.wish = wish
        self._on_memory()
        self.request_turn("user")

    def set_profile(self, key: EvseKey, periods: Sequence[tuple[float, float]], duration_s: float | None) -> None:
        """Cap an EVSE over time: (seconds from now, amps) in order; it goes through the allocator like every other limit."""
        now = self._clock.monotonic()
        ends_at = math.inf if duration_s is None else now + duration_s
        self._evses[key].profile = LimitsOverTime(starts_at=now, periods=tuple(sorted(periods)), ends_at=ends_at)
        self._on_memory()
        self.request_turn("user")

    def clear_profile(self, key: EvseKey) -> None:
        """Take the profile of `set_profile` away."""
        self._evses[key].profile = None
        self._on_memory()
        self.request_turn("user")

    async def store_standing(self, limit: StandingLimit) -> StandingLimit:
        """Have a limit's station hold a copy, then keep the limit; one that can't be told now is told once it can.

        Raises as `storing.store` does; then nothing is kept.
        """
        installer = self._installers[limit.station]
        limit = replace(limit, storing=Storing.WAITING)
        if installer.station is not None and not installer.quiet:
            try:
                limit = await store(installer.station, limit)
            except (StationOfflineError, CallTimeoutError) as error:
                # It may hold it all the same.
                _LOGGER.debug("Station %s is told the limit %d again: %s", limit.station, limit.profile_id, error)
        self.keep_standing(limit)
        return limit

    def keep_standing(self, limit: StandingLimit) -> None:
        """Cap an EVSE, or a station, by a person's limit that stands; it goes through the allocator like every other limit."""
        self.standing.put(limit)
        self._on_memory()
        self.request_turn("user")

    async def clear_standing(self, limit: StandingLimit) -> None:
        """Take a standing limit away. Raises StationError where its copy could not be taken off the station; it goes later then."""
        self.standing.remove(limit)
        self.request_turn("user")
        held = limit.storing is not Storing.NOT_WANTED
        try:
            if held and (station := self._installers[limit.station].station) is not None:
                await take_away(station, limit)
                held = False
        finally:
            if held:
                self.standing.put(replace(limit, storing=Storing.CLEARED))
            self._on_memory()

    def set_external_limit(
        self,
        source: str,
        circuit_id: str,
        *,
        limit_a: float | None,
        limit_w: float | None,
        duration_s: float | None,
        silent_after_s: float | None = None,
        failsafe_a: float | None = None,
        failsafe_w: float | None = None,
        failsafe_s: float | None = None,
    ) -> None:
        """Cap a circuit from outside, in amps per phase or in watts, with what holds once the source falls silent (`outside.order`).

        ValueError for what can't be meant.
        """
        self._external.set(
            order(
                source,
                circuit_id,
                self._clock.monotonic(),
                limit_a=limit_a,
                limit_w=limit_w,
                duration_s=duration_s,
                silent_after_s=silent_after_s,
                failsafe_a=failsafe_a,
                failsafe_w=failsafe_w,
                failsafe_s=failsafe_s,
            )
        )
        self._on_memory()
        self.request_turn("user")

    def clear_external_limit(self, source: str, circuit_id: str) -> bool:
        """Take a source's limit off a circuit; False where there was none."""
        cleared = self._external.clear(source, circuit_id)
        self._on_memory()
        self.request_turn("user")
        return cleared
