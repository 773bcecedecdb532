"""One EVSE as the loop knows it, and what changes it: a sample, another limit, another way to tell it, the end of a session."""

from dataclasses import dataclass, replace
import math

from ..csms.dialect import Dialect, Handle
from ..csms.values import DRAWS_W, UNKNOWN, MeterSample
from ..engine.demand import Demand, observe
from ..engine.model import Past
from .evse_facts import IDLE_A, UNSEEN_S
from .holdings import OVERDRAW_A, REACHED, EvseHoldings
from .limits import FirstLease, Lease

SAMPLE_AFTER_S = 2.0
"""A car follows a change of its limit within 1–3 s: so long after it, it is asked what it draws."""
SAMPLE_AGAIN_S = 1.0
"""A car on its way is asked again after this."""


@dataclass(slots=True, kw_only=True)
class EvseState(EvseHoldings):
    """One EVSE of an approved station."""

    def measure(self, sample: MeterSample, now: float) -> None:
        """Take over what the EVSE's meter said."""
        self.voltage_v = sample.voltage_v if sample.voltage_v != UNKNOWN else self.voltage_v
        if sample.power_w is not None or sample.current_a != UNKNOWN:
            self.power_w = sample.power_w  # the one before does not go with other currents
        self.energy_wh = sample.energy_wh if sample.energy_wh is not None else self.energy_wh
        self.soc_pct = sample.soc_pct if sample.soc_pct is not None else self.soc_pct
        if sample.current_a == UNKNOWN:
            over = self.draw_a < IDLE_A or now - self.measured_at > UNSEEN_S
            if over and sample.power_w is not None and sample.power_w > DRAWS_W:
                # That it drew nothing, or so much long ago, says no more what it would take.
                self.current_a, self.demand = UNKNOWN, Demand()
            return
        self.current_a, self.measured_at = sample.current_a, now
        if self.session is None:
            return
        if self.draw_a < IDLE_A:
            self.drawing_since = None
        elif self.drawing_since is None:
            self.drawing_since = now
        self.peak_a = max(self.peak_a, self.draw_a)
        limit_a = self.limit_a(now)
        if not self.followed and self._within(limit_a):
            self.followed, self.followed_s = True, now - self.changed_at
        before = self.demand
        self.demand = observe(
            self.demand,
            current_a=sample.current_a[: len(self.config.grid_phases)],
            limit_a=limit_a,
            limit_held_s=now - max(self.changed_at, self.session.since),
            drawing_s=0.0 if self.drawing_since is None else now - self.drawing_since,
        )
        if self.demand.ceiling_a != before.ceiling_a and self.sleeps(now):
            self.requeue(now)
        self.slept_at = -math.inf if self.draw_a >= IDLE_A else now if self.sleeps(now) else self.slept_at
        if self.settled(now):
            self.excess_a = max(0.0, self.draw_a - limit_a) if self._within(limit_a) else 0.0
        reached = abs(self.draw_a - limit_a) <= REACHED * limit_a + OVERDRAW_A
        self.left = () if reached else tuple(each for each in self.left if now < each[1] + self.response_s)
        if self._within(max(limit_a, self.unanswered_lease_a)):  # what was not answered may hold
            self.overdraw_since = None
        elif self.overdraw_since is None:
            self.overdraw_since = now
        if not self.settled(now) or (self.overdraw_since is not None and self.problem is None):
            self.sample_at = min(self.sample_at, now + SAMPLE_AGAIN_S)

    def doubt(self, limit_a: float, ends_at: float) -> None:
        """Take note that a lease may hold beside the confirmed one."""
        self.unanswered_until = max(self.unanswered_until, ends_at) if self.unanswered_lease_a > 0 else ends_at
        self.unanswered_lease_a = max(self.unanswered_lease_a, limit_a)

    def take_silence(self, now: float) -> None:
        """Take note that a station which was asked for its transaction has told of none."""
        if now >= self.heard_at:
            self.heard, self.heard_at = True, math.inf

    def forget_lapsed(self, now: float) -> None:
        """Let go of a lease that lapsed long enough ago for its car to have followed."""
        if self.recalled is not None and now >= self.recalled.expires_at + self.response_s:
            self.recalled = self._goes_on(self.recalled)
        if self.lease is not None and not self.unproven and now >= self.lease.expires_at + self.response_s:
            self.recalled = self._goes_on(self.lease) or self.recalled
            self.lease = None  # an unproven one stays until it is seen to have ended (`lapse.py`)
        first = self.first_lease
        if first is not None and now >= first.expires_at + self.response_s and not (self.unproven and self._gives_more(first)):
            self.first_lease = None  # an unproven one may begin with a car long after; its fallback would give as much as a lower one
        if self.former is not None and now >= self.former.expires_at + self.response_s:
            self.former = self._goes_on(self.former)

    def _gives_more(self, first: FirstLease) -> bool:
        return max(first.limit_a, first.falls_to_a) > (self.fallback_a or 0.0)

    def _goes_on(self, lapsed: Lease) -> Lease | None:
        """Return what is left of a lease that has ended: its second period lasts, and leads where the fallback is lower by now."""
        if self.fallback_a is None or lapsed.falls_to_a <= self.fallback_a:
            return None
        return replace(lapsed, limit_a=lapsed.falls_to_a, expires_at=math.inf)

    def keep_found(self) -> None:
        """Go on reckoning with a lease that was found while its station is away again: whether its transaction runs was not told."""
        if (found := self.found_lease) is not None:
            self.recalled = replace(found, expires_at=math.inf) if self.unproven else found

    def change(self, before_a: float, now: float, *, doubted: bool = False) -> None:
        """Take note that another limit than `before_a` may be in force from now on; `doubted`: nobody knew whether that one was."""
        limit_a = self.limit_a(now)
        if limit_a == before_a and not doubted:
            return
        self.changed_at, self.previous_a = now, before_a
        self.left = (*(each for each in self.left if now < each[1] + UNSEEN_S), (before_a, now))
        # One that is due already stays so: what the car drew by the limit before may be just what is asked for.
        self.sample_at = now + SAMPLE_AFTER_S if self.sample_at > now else self.sample_at
        self.followed = self.session is None or self._within(limit_a)

    def set_clock_back(self, by_s: float) -> None:
        """Take note that its station's clock was set back: what was told before begins and ends so much later, and is told anew."""
        self.clock_set_back_s += by_s
        self.fallback_current = self.fallback_current and by_s < self.dialect.backdate_of_periods_s
        self.lease, self.former, self.found_lease, self.recalled = (
            None if lease is None else replace(lease, expires_at=lease.expires_at + by_s)
            for lease in (self.lease, self.former, self.found_lease, self.recalled)
        )
        if self.first_lease is not None:
            self.first_lease = replace(self.first_lease, expires_at=self.first_lease.expires_at + by_s)
        self.unanswered_until += by_s
        self.resend = self.session is not None and (self.lease is not None or self.unanswered_lease_a > 0)

    def supersede(self, *, outlasts: bool, dialect: Dialect) -> None:
        """Take note that limits are told in another dialect from now on. `outlasts`: what was told so far does not end by itself."""
        if outlasts and self.lease is not None:
            self.lease = replace(self.lease, expires_at=math.inf)
        if dialect.handle is not self.dialect.handle:
            self._put_aside(self.lease)
            self.lease = None
        self.dialect, self.resend = dialect, True

    def _put_aside(self, lease: Lease | None) -> None:
        """Reckon with what was told so far beside what will be told, until it is withdrawn or lapses."""
        held = [each for each in (self.former, lease) if each is not None]
        if self.unanswered_lease_a:
            held.append(Lease(transaction_id="", limit_a=self.unanswered_lease_a, expires_at=self.unanswered_until))
            self.unanswered_lease_a = 0.0
        if not held:
            return
        self.former = Lease(
            transaction_id=held[-1].transaction_id,
            limit_a=max(each.limit_a for each in held),
            expires_at=max(each.expires_at for each in held),
            falls_to_a=max(each.falls_to_a for each in held),
        )
        self.leave(self.dialect.handle, fallback=False)

    def leave(self, handle: Handle, *, fallback: bool) -> None:
        """Take note that the lease told by a handle, or the fallback, is left over and to be taken away."""
        if (mark := (handle, fallback)) not in self.withdraw:
            self.withdraw.append(mark)

    def taken_away(self, handle: Handle) -> None:
        """Take note that no lease told by a handle is there any more but the present one."""
        self.withdraw = [each for each in self.withdraw if each != (handle, False)]
        if all(of_fallback for _, of_fallback in self.withdraw):
            self.former = None

    def requeue(self, now: float) -> None:
        """Send its session to the end of the queue."""
        if self.session is not None:
            self.session = replace(self.session, queued_at=now)

    def end_session(self) -> None:
        """Forget what belonged to the transaction: its lease ended with it."""
        self.last_session = self.session or self.last_session
        self.session = None
        self.past, self.roomy_since = Past(), -math.inf
        self.charging_state = None
        self.soc_pct = None
        if self.lease is not None and self.dialect.overwrites:
            # It lies where the fallback did, and stays.
            self.fallback_a, self.fallback_current = max(self.lease.limit_a, self.unanswered_lease_a), False
        elif self.dialect.handle is not Handle.TRANSACTION:
            # It would hold for the next car too.
            self._put_aside(self.lease)
        elif not any(handle is not Handle.TRANSACTION for handle, of_fallback in self.withdraw if not of_fallback):
            self.former = None
        self.lease = self.found_lease = self.recalled = None
        self.wanted_lease = None
        self.wanted_clear = False
        self.unanswered_lease_a = self.inherited_a = 0.0
        self.previous_a, self.left = 0.0, ()
        self.current_a = (0.0, 0.0, 0.0)
        self.power_w = 0.0
        self.demand = Demand()
        self.drawing_since = None
        self.overdraw_since, self.exceeding, self.excess_a, self.slept_at = None, False, 0.0, -math.inf
        self.sample_at = math.inf
        self.followed, self.followed_s, self.peak_a = True, None, 0.0
        self.resend, self.resumed_at, self.just_proven = False, None, False
        if not self.uncontrolled and self.fallback_current:
            self.problem = None
