"""What an EVSE may draw by what is installed there, what is reserved for it, and whether its car keeps to it."""

from dataclasses import dataclass
import math

from ..csms.dialect import LeaseEnd
from ..engine.model import PerPhase
from ..engine.unmanaged import lowest
from .evse_conductors import EvseConductors
from .evse_facts import IDLE_A, UNSEEN_S, Problem
from .limits import Lease

OVERDRAW = 1.1
OVERDRAW_A = 0.5
OVERDRAW_S = 7.0
"""A car that draws more than limit × 1.1 + 0.5 A for this long does not obey (EVerest EvseManager)."""
OVERDRAW_SLACK_S = 3.0
"""…or for this much longer than its kind was seen to take."""
PROOF_A = 1.0
"""Lease and fallback have to differ by so much for the end of the lease to show."""
IDLE_AWAY_S = 40.0
"""An idle EVSE whose station goes away counts as idle for so long yet: cars do not come to all of them at once. It is less than what the
dead-man rule gives them (`dead_man.ARRIVAL_S`), for the others to make way in between."""
DOZES_S = 900.0
"""A car that took nothing is not taken for a hungry one for so long after it was offered nothing any more."""
REACHED = 0.05
"""A car this near to its limit (and half an amp) has reached it."""


@dataclass(slots=True, kw_only=True)
class EvseHoldings(EvseConductors):
    """An EVSE with what follows from what is known of it."""

    @property
    def held_fallback_a(self) -> float:
        """The most that holds without a lease: the confirmed fallback, or one on its way, or a limit that does not end.

        The rating while nobody knows, while another system's profile may lead, and where nothing is obeyed. A person's copy that leads
        until it is taken away lets flow what it says. What a station holds may be more than a rating that was lowered since.
        """
        if self.fallback_a is None or self.uncontrolled:
            return self.rated_a
        if (
            self.lease is None
            and self.former is None
            and self.recalled is None
            and self.first_lease is None
            and self.found_lease is None
            and not self.unanswered_lease_a
            and not self.unanswered_fallback_a
            and not self.foreign
        ):
            return self.fallback_a  # as it nearly always is where nobody charges
        foreign_a = min(self.rated_a, self.foreign_a) if self.foreign else 0.0
        doubt_a = self.unanswered_lease_a if not self.dialect.holds_leases else 0.0
        most_a = max(self.fallback_a, self.unanswered_fallback_a, doubt_a, foreign_a)
        for lease in (self.lease, self.former):
            if lease is not None:
                most_a = max(most_a, lease.falls_to_a, lease.limit_a if lease.lasts else 0.0)
        for perhaps in (self.recalled, self.found_lease, self.first_lease):
            if perhaps is not None:
                most_a = max(most_a, perhaps.falls_to_a)
        return most_a

    @property
    def second_period_a(self) -> float:
        """What the second period of a lease that is told now leads to; 0 where it has none."""
        return self.wanted_fallback_a or 0.0 if self.dialect.lease_end is LeaseEnd.PERIOD else 0.0

    @property
    def unproven_most_a(self) -> float:
        """The most that a lease may be told while nobody has seen that it ends: no more than the fallback.

        Something below it while that is found out, for lease and fallback have to differ then; where there is nothing below,
        the least there is above.
        """
        fallback_a, least_a = self.fallback_a or 0.0, self.config.min_a
        if self.wanted_fallback_a is not None:
            fallback_a = min(fallback_a, self.wanted_fallback_a)
        if not self.proving:
            return fallback_a
        below_a = fallback_a - PROOF_A
        return below_a if below_a >= least_a else max(least_a, float(math.ceil(fallback_a + PROOF_A)))

    @property
    def lasting_a(self) -> float:
        """What holds for ever if nobody renews a lease and none that is unproven ends."""
        if not self.unproven:
            return self.held_fallback_a
        untried_a = self.unproven_most_a if self.proving and self.ready else 0.0
        leases_a = [each.limit_a for each in (self.lease, self.first_lease) if each is not None and each.limit_a > untried_a]
        return max([self.held_fallback_a, *leases_a])

    @property
    def fallback_differs(self) -> bool:
        """Whether the fallback is to be written."""
        if self.wanted_fallback_a is None or (self.dialect.overwrites and self.lease is not None):
            return False  # the limit lies in its place
        differs = self.fallback_a != self.wanted_fallback_a or self.fallback_one_phase is not self.wanted_one_phase
        return not self.fallback_current or differs or self.unanswered_fallback_a > 0

    @property
    def guarded(self) -> bool:
        """Whether a transaction may begin: its fallback is confirmed, as one for three phases, and nobody else's profile may lead over it."""
        for_the_next = self.session is not None or self.fallback_one_phase is False
        return self.fallback_current and for_the_next and not self.foreign

    def leased(self) -> Lease | None:
        """Return the most that its leases let it draw and the last of their ends, whichever of them holds; None where it has none."""
        leases = [lease for lease in (self.lease, self.former, self.found_lease, self.recalled) if lease is not None]
        if self.unanswered_lease_a > 0:
            leases.append(Lease(transaction_id="", limit_a=self.unanswered_lease_a, expires_at=self.unanswered_until))
        if not leases:
            return None
        most_a, last = max(lease.limit_a for lease in leases), max(lease.expires_at for lease in leases)
        falls_to_a = max(lease.falls_to_a for lease in leases)
        return Lease(transaction_id=leases[0].transaction_id, limit_a=most_a, expires_at=last, falls_to_a=falls_to_a)

    def limit_a(self, now: float) -> float:
        """Return the limit in force as confirmed: the lease, else the fallback, else the rating."""
        if self.lease is not None and now < self.lease.expires_at:
            return self.lease.limit_a
        return self.held_fallback_a

    def installed_a(self, now: float) -> float:
        """Return the most that we have installed: the limit in force, one on its way, a lease that lapsed only just."""
        if self.uncontrolled:
            return self.unled_a(now)
        return max([limit_a for limit_a, _ in self._holds(now)])

    def held(self, now: float) -> list[tuple[float, float]]:
        """Return each limit that holds or may hold, as (amps, until when), what lapsed only just included; an idle EVSE draws nothing.

        Infinite is what does not end, and the fallback that no lease covers.
        """
        if self.session is None and self.ready and self.heard:
            return [(0.0, math.inf), *self._first()]
        if self.uncontrolled:
            return [(self.unled_a(now), math.inf)]
        held = self._holds(now)
        if self.recalled is not None:
            held.append((self.recalled.limit_a, self.recalled.expires_at))
        return held

    def _holds(self, now: float) -> list[tuple[float, float]]:
        leads = self.lease is not None and now < self.lease.expires_at
        held, response_s = [] if leads else [(self.limit_a(now), math.inf)], self.response_s
        for lease in (self.lease, self.former, self.found_lease):
            if lease is not None and self.unproven and lease is not self.former:
                held.append((lease.limit_a, lease.expires_at if now < lease.expires_at else math.inf))  # it may never end
            elif lease is not None and now < lease.expires_at + response_s:
                held.append((lease.limit_a, lease.expires_at))
        if self.unanswered_lease_a > 0:
            held.append((self.unanswered_lease_a, self.unanswered_until))
        if self.overruled:
            held.append((self.rated_a, math.inf))
        held += self._first()
        return held

    def _first(self) -> list[tuple[float, float]]:
        return [] if self.first_lease is None else [(self.first_lease.limit_a, self.first_lease.expires_at)]

    @property
    def first_a(self) -> float:
        """What a lease that went along with a start from afar lets its car draw as soon as it begins."""
        return 0.0 if self.first_lease is None else self.first_lease.limit_a

    def unled_a(self, now: float) -> float:
        """Return what its car draws without being led: the most it was seen to, the rating until it had the time to show it."""
        shown = self.drawing_since is not None and now - self.drawing_since >= UNSEEN_S
        return min(self.rated_a, self.peak_a) if shown else self.rated_a

    def idle(self, now: float) -> bool:
        """Tell whether no transaction runs, as its station says, or said until just now."""
        return self.session is None and ((self.ready and self.heard) or now - self.idle_at < IDLE_AWAY_S)

    def reserved_a(self, now: float) -> float:
        """Return the most the car may draw for all that is known.

        That is its limit; a limit on its way; a lease that lapsed only just, or was found at its station; the limit before until the car
        was seen to follow; and what it was seen to draw while it is seen, or last where it does not obey. Where a station says that no
        transaction runs, or said so until it went away just now, nothing but what one that was asked for will begin with.
        """
        if self.idle(now):
            return max(self.first_a, self.held_fallback_a if self.coming else 0.0)
        lapsing = self.lease is not None and now < self.lease.expires_at + self.response_s
        counts = self.ready or lapsing or self.problem is Problem.DISOBEDIENT
        seen_a = self.draw_a if self.session is not None and counts else 0.0
        leaving_a = 0.0 if self.settled(now) else self._leaving_a(now, UNSEEN_S)
        return max(self.installed_a(now), seen_a, leaving_a, self.inherited_a)

    def settled(self, now: float) -> bool:
        """Tell whether its last sample is not of a car on its way from one limit to another."""
        if self.measured_at >= self.changed_at + self.response_s:
            return True
        limit_a = self.limit_a(now)
        off_a = abs(self.draw_a - limit_a)
        # Of two limits that lie near to each other it has reached the nearer one: else a small rise of its own is the building's.
        nearer = off_a <= abs(self.draw_a - self.previous_a)
        return self.measured_at >= self.changed_at and nearer and off_a <= REACHED * limit_a + OVERDRAW_A

    def least_per_phase(self, now: float) -> PerPhase:
        """Return what its car draws at least, as the grid's conductors see it: as measured, or less where it is on its way to a lower limit."""
        measured_a = self.measured_per_phase()
        return measured_a if self.settled(now) or self.exceeding else lowest(measured_a, self.per_phase(self.limit_a(now)))

    def _leaving_a(self, at: float, within_s: float) -> float:
        """Return the highest limit that was left less than `within_s` before a time."""
        return max((limit_a for limit_a, left_at in self.left if at < left_at + within_s), default=0.0)

    def _within(self, limit_a: float) -> bool:
        return self.draw_a <= limit_a * OVERDRAW + OVERDRAW_A

    def exceeds(self, now: float) -> bool:
        """Tell whether its last sample shows more than any limit that held or may hold explains, one it was leaving just then included."""
        if self.session is None or not self.ready:
            return False
        leaving_a = self._leaving_a(self.measured_at, self.response_s)
        return not self._within(max(self.installed_a(now), leaving_a, self.inherited_a))

    def sleeps(self, now: float) -> bool:
        """Tell whether its car is offered current and takes none."""
        return self.draw_a < IDLE_A and self.limit_a(now) >= self.config.min_a and self.demand.ceiling_a is not None

    def dozes(self, now: float) -> bool:
        """Tell whether its car is offered nothing and took nothing of what it was offered last, a while ago at most."""
        return self.limit_a(now) < self.config.min_a and now - self.slept_at < DOZES_S

    def overdraws(self) -> bool:
        """Tell whether the car was seen to ignore its limit for too long."""
        if self.overdraw_since is None:
            return False
        patience_s = max(OVERDRAW_S, min(self.follows_s + OVERDRAW_SLACK_S, UNSEEN_S))
        # A change of the limit gives no new patience to a car that the one before did not hold either.
        began = max(self.overdraw_since, self.changed_at) if self._within(self.previous_a) else self.overdraw_since
        return self.measured_at - began > patience_s
