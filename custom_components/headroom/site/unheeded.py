"""Whether leases go unheeded: an EVSE that goes by its fallback alone, though a higher lease was accepted. Nothing is unsafe then; nothing is gained.

A car that takes no more by itself looks the same for long, so only what a car does not do by itself counts: the station's own composite
schedule says so, the draw sits at one fallback and then at another, or the station itself holds the car back where the fallback is nothing.
"""

from dataclasses import dataclass
from enum import Enum, auto

from ..csms.composite import CompositeSchedule
from ..csms.prediction import limit_at
from ..csms.values import ChargingState
from .evse import EvseState
from .evse_facts import IDLE_A, UNSEEN_S
from .holdings import OVERDRAW, OVERDRAW_A, PROOF_A
from .proof import phase_counts

AGAIN_S = 8.0
"""A schedule that shows the fallback is asked for once more after this: the lease may not have been applied yet."""
EXACT_A = 0.3
"""So near to a limit is a limit in a schedule that means it."""
SITS = 0.9
"""A car that draws this share of a limit (less half an amp) and no more than it sits at it."""


class Verdict(Enum):
    """What a look came to."""

    NOTHING = auto()
    TELL_AGAIN = auto()
    UNHEEDED = auto()


def higher_lease_a(evse: EvseState, now: float) -> float | None:
    """Return the lease in force where nothing else that is known would keep its EVSE at a lower fallback; None otherwise."""
    lease, fallback_a = evse.lease, evse.fallback_a
    if lease is None or now >= lease.expires_at or fallback_a is None or not evse.fallback_current or evse.foreign:
        return None
    if evse.dialect.overwrites or evse.resend or lease.limit_a < max(evse.config.min_a, fallback_a + PROOF_A):
        return None
    outside_a = min(evse.external_a(now)[0], evse.station_external_a(now)[0], evse.standing_a(now))
    return lease.limit_a if outside_a >= lease.limit_a else None


def shows_fallback(evse: EvseState, schedule: CompositeSchedule, asked_at: float) -> bool:
    """Tell whether a schedule asked for at `asked_at` has the fallback where a lease should be."""
    lease, fallback_a, begins = evse.lease, evse.fallback_a, limit_at(schedule, 0.0)
    lower = lease is not None and fallback_a is not None and evse.fallback_current and lease.limit_a <= fallback_a - PROOF_A
    lease_a = lease.limit_a if lease is not None and lower else higher_lease_a(evse, asked_at)
    if lease_a is None or lease is None or fallback_a is None or begins is None:
        return False
    if limit_at(schedule, min(float(schedule.duration_s), lease.expires_at - asked_at) / 2) != begins:
        return False
    amps = phase_counts(begins, schedule.unit)
    return any(abs(each - fallback_a) <= EXACT_A for each in amps) and not any(abs(each - lease_a) <= EXACT_A for each in amps)


@dataclass(slots=True)
class Attention:
    """What was seen of one EVSE since it is told limits in the present dialect."""

    shown_at: float | None = None
    """When a composite schedule first showed the fallback."""
    heeded: bool = False
    """Its car was seen to draw by a lease."""
    sat_at_a: float | None = None
    """The fallback that its car sat at below a higher lease."""
    held_back_since: float | None = None
    told_again: bool = False
    fallback_a: float | None = None
    fallback_since: float = 0.0

    def shown(self, asked_at: float) -> Verdict:
        """Take note that a composite schedule showed the fallback: the first time its lease is told again, then it counts."""
        if self.shown_at is None:
            self.shown_at = asked_at
            return Verdict.TELL_AGAIN
        return Verdict.UNHEEDED

    def came_down(self, evse: EvseState, now: float) -> None:
        """Take note that its car came down to the limit in force: where that is a lease below the fallback, leases are heeded."""
        lease, fallback_a = evse.lease, evse.fallback_a
        if lease is None or now >= lease.expires_at or fallback_a is None or lease.limit_a > fallback_a - PROOF_A:
            return
        self.heeded = self.heeded or (_sits_at(evse.draw_a, lease.limit_a) and not _sits_at(evse.draw_a, fallback_a))

    def look(self, evse: EvseState, now: float, patience_s: float) -> Verdict:
        """Compare what its car draws with lease and fallback."""
        if evse.fallback_a != self.fallback_a:
            self.fallback_a, self.fallback_since = evse.fallback_a, now
        if self.fallback_a is None or higher_lease_a(evse, now) is None:
            self.held_back_since = None
            return Verdict.NOTHING
        steady = now - self.fallback_since >= UNSEEN_S and evse.measured_at >= self.fallback_since + UNSEEN_S
        self.heeded = self.heeded or (steady and evse.draw_a > self.fallback_a * OVERDRAW + OVERDRAW_A + IDLE_A)
        if self.heeded:
            return Verdict.NOTHING
        if self._held_back(evse):
            return self._wait(now, patience_s)
        self.held_back_since = None
        if not steady or not _sits_at(evse.draw_a, self.fallback_a):
            return Verdict.NOTHING
        before_a, self.sat_at_a = self.sat_at_a, self.fallback_a
        moved = before_a is not None and abs(before_a - self.fallback_a) >= 2 * PROOF_A and not _sits_at(evse.draw_a, before_a)
        return Verdict.UNHEEDED if moved else Verdict.NOTHING

    def _held_back(self, evse: EvseState) -> bool:
        """Tell whether its station offers nothing to a car that somebody may charge, by a fallback of nothing."""
        held = evse.charging_state is ChargingState.SUSPENDED_EVSE and evse.draw_a < IDLE_A
        return held and self.fallback_a == 0 and evse.session is not None and evse.session.id_token is not None

    def _wait(self, now: float, patience_s: float) -> Verdict:
        if self.held_back_since is None:
            self.held_back_since = now
        if now - self.held_back_since < patience_s:
            return Verdict.NOTHING
        self.held_back_since = None
        if self.told_again:
            return Verdict.UNHEEDED
        self.told_again = True
        return Verdict.TELL_AGAIN


def _sits_at(draw_a: float, limit_a: float) -> bool:
    return draw_a >= IDLE_A and SITS * limit_a - OVERDRAW_A <= draw_a <= limit_a + OVERDRAW_A
