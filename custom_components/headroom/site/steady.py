"""Which words of a station bring nothing that a turn has to look at now: one more sample of a car that goes on as before.

What it tells is taken in all the same, and the next turn, seconds later at most, goes by it.
"""

from dataclasses import dataclass

from ..csms.values import ChargingState
from .evse import EvseState

STILL_A = 0.3
"""A car whose draw changes by less between two samples draws as before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What is known of a car that charges, or rests, with nothing under way: what would be news if it changed."""

    session: tuple[object, ...]
    charging_state: ChargingState | None
    currents_a: tuple[float | None, ...]
    ceiling_a: float | None
    terminals: frozenset[int] | None

    def goes_on(self, after: Steady | None) -> bool:
        """Tell whether nothing has changed that a turn would act on."""
        if after is None or (self.session, self.charging_state) != (after.session, after.charging_state):
            return False
        if (self.ceiling_a, self.terminals) != (after.ceiling_a, after.terminals):
            return False
        return all(
            now_a is not None and before_a is not None and abs(now_a - before_a) < STILL_A
            for before_a, now_a in zip(self.currents_a, after.currents_a, strict=True)
        )


def steady(evse: EvseState, now: float) -> Steady | None:
    """Return what is known of a car with which nothing is under way; None where any word may be what is waited for."""
    session, waking = evse.session, evse.waking
    if session is None or not evse.ready or not evse.heard or evse.problem is not None:
        return None
    if evse.unproven or evse.resend or evse.exceeding or evse.overdraw_since is not None or evse.followed_s is not None:
        return None
    if waking.paused or waking.offered_since is not None or not evse.settled(now):
        return None
    return Steady(
        session=(session.record_id, session.live, session.id_token, session.needs, session.connector_id, session.remote_start_id),
        charging_state=evse.charging_state,
        currents_a=evse.current_a,
        ceiling_a=evse.demand.ceiling_a,
        terminals=evse.demand.terminals,
    )
