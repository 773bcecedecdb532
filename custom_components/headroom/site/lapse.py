"""Whether a lease is seen to end: what a car draws by it, and once it has lapsed. For a station whose composite schedule does not tell.

Where that is to be found out a lease is not renewed, and the car goes by its fallback for some seconds.
"""

from dataclasses import dataclass

from ..csms.values import ChargingState
from .evse import EvseState
from .evse_facts import IDLE_A
from .holdings import OVERDRAW, OVERDRAW_A
from .limits import Lease

TRIALS = 2
"""So many lapses that show nothing are enough: others would not either."""
TRIAL_S = 15.0
"""So long runs a lease that is to lapse."""
SITS_A = 0.6
"""So near to its limit a car sits at it."""
SAMPLE_EVERY_S = 1.0


@dataclass(slots=True)
class Lapse:
    """What was seen of one EVSE."""

    trials_left: int = TRIALS
    _lease: Lease | None = None
    _drawn_a: float = 0.0
    """By that lease."""

    def would_show(self, evse: EvseState) -> bool:
        """Tell whether the end of its lease could be seen in what the car draws."""
        lease, fallback_a = evse.lease, evse.fallback_a
        if lease is None or lease.lasts or fallback_a is None or not evse.fallback_current or lease is not self._lease:
            return False
        if lease.limit_a > fallback_a:
            return self._drawn_a > _most_by(fallback_a) + IDLE_A
        return lease.limit_a < fallback_a and abs(self._drawn_a - lease.limit_a) <= SITS_A

    def awaited(self, evse: EvseState, now: float) -> bool:
        """Tell whether a lease has lapsed and what its car does then is not known yet."""
        return evse.unproven and evse.lease is not None and evse.lease is self._lease and now >= evse.lease.expires_at

    def look(self, evse: EvseState, now: float, patience_s: float) -> bool | None:
        """Tell whether a lease was seen to end (True), which is let go of then, or to go on (False); None where neither is known."""
        lease, fallback_a = evse.lease, evse.fallback_a
        if lease is None or fallback_a is None:
            return None
        if now < lease.expires_at:
            if evse.measured_at >= evse.changed_at + evse.response_s:
                self._lease, self._drawn_a = lease, evse.draw_a
            return None
        if not self.awaited(evse, now):
            return None
        showed, seen = self.would_show(evse), evse.measured_at >= lease.expires_at + evse.response_s
        if not seen:
            evse.sample_at = min(evse.sample_at, now + SAMPLE_EVERY_S)
        above = lease.limit_a > fallback_a
        if showed and seen and (_fell(evse, fallback_a) if above else evse.draw_a >= lease.limit_a + SITS_A):
            self._lease = evse.lease = None
            return True
        if now < lease.expires_at + patience_s:
            return None
        self._lease = None
        if showed and seen and above:
            return False
        self.trials_left -= 1
        return None


def _fell(evse: EvseState, fallback_a: float) -> bool:
    """Tell whether its car goes by a lower fallback, and has not stopped by itself: where that is nothing, its station has to say so."""
    if evse.draw_a < IDLE_A:
        return fallback_a < evse.config.min_a and evse.charging_state is ChargingState.SUSPENDED_EVSE
    return evse.draw_a <= _most_by(fallback_a)


def _most_by(limit_a: float) -> float:
    return limit_a * OVERDRAW + OVERDRAW_A
