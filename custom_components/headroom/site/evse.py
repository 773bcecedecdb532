"""What the loop knows of one EVSE: what was said, what was measured, what is installed, what is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
import math

from ..csms.dialect import Dialect, Handle
from ..csms.values import UNKNOWN, ChargingState, ConnectorStatus, MeterSample, TerminalValues
from ..engine.deadman import RESPONSE_S
from ..engine.demand import Demand, observe
from ..engine.model import ALL_PHASES, NONE_A, PerPhase, Phase
from .config import EvseConfig, EvseKey
from .limits import FirstLease, Lease, LeaseOrder, LimitsOverTime, lowest
from .session import Session, energy_of

OVERDRAW = 1.1
OVERDRAW_A = 0.5
OVERDRAW_S = 7.0
"""A car that draws more than limit × 1.1 + 0.5 A for this long does not obey (EVerest EvseManager)."""
OVERDRAW_SLACK_S = 3.0
"""…or for this much longer than its kind was seen to take."""
UNSEEN_S = 30.0
"""A car that nobody measures counts as having followed a cut after this."""
SAMPLE_AFTER_S = 2.0
"""A car follows a change of its limit within 1–3 s: so long after it, it is asked what it draws."""
SAMPLE_AGAIN_S = 1.0
"""A car on its way is asked again after this."""
IDLE_A = 1.0
"""A car that draws less does not charge."""
PROOF_A = 1.0
"""Lease and fallback have to differ by so much for the end of the lease to show."""
REACHED = 0.05
"""A car this near to its limit (and half an amp) has reached it."""


class Problem(StrEnum):
    """Why an EVSE is not led as the others are: what it draws or holds is reserved, and nothing else is reckoned with."""

    REJECTS = "rejects_profiles"
    DISOBEDIENT = "disobedient"


@dataclass(slots=True, kw_only=True)
class EvseState:
    """One EVSE of an approved station."""

    key: EvseKey
    config: EvseConfig
    circuit_id: str
    ready: bool = False
    """Its station is accepted and takes commands."""

    connectors: dict[int, ConnectorStatus] = field(default_factory=dict)
    heard: bool = False
    """Since its station was ready it has told of its connector or its transaction."""
    charging_state: ChargingState | None = None
    session: Session | None = None
    last_session: Session | None = None
    """The one before: what is still told of it does not start it anew."""
    served_since: float | None = None
    """When it was given current in its turn, None while it has none."""

    current_a: TerminalValues = UNKNOWN
    voltage_v: TerminalValues = UNKNOWN
    power_w: float | None = None
    energy_wh: float | None = None
    soc_pct: float | None = None
    measured_at: float = -math.inf
    drawing_since: float | None = None
    demand: Demand = Demand()

    fallback_a: float | None = None
    """Confirmed; None while nobody knows: then the rating is reckoned with."""
    fallback_current: bool = False
    """The fallback was confirmed since the station last booted."""
    lease: Lease | None = None
    unanswered_lease_a: float = 0.0
    """A lease that may hold beside the confirmed one: sent and not answered, or left over a reboot."""
    first_lease: FirstLease | None = None
    """One that went along with a start from afar, until its transaction begins."""
    coming: bool = False
    """A transaction is about to be asked for: the others make way for its fallback."""
    inherited_a: float = 0.0
    """A lease of an earlier life of ours that may still hold; it was made to obey the dead-man rule then, and lapses by itself."""
    in_flight_a: float | None = None
    """The limit of a lease that is being sent right now."""
    unanswered_fallback_a: float = 0.0
    """A fallback that was sent and not answered."""
    previous_a: float = 0.0
    """The limit before the last change."""
    left: tuple[tuple[float, float], ...] = ()
    """The limits that its car may still be on its way down from, each with when it was left."""
    changed_at: float = -math.inf
    """When the limit in force last changed."""
    overdraw_since: float | None = None
    exceeding: bool = False
    """By the last reading its car draws more than its limits explain: the others are led beside what it draws."""
    followed: bool = True
    """Since the last cut its car was seen at or below its limit."""
    peak_a: float = 0.0
    """The most its car was seen to draw in this transaction."""
    problem: Problem | None = None

    # What its station's obedience comes to (`obedience.py`).
    uncontrolled: bool = False
    """Nothing makes it obey: it is reckoned with what it would draw without us, its fallback included."""
    dialect: Dialect = Dialect()
    """How its station is told its limits."""
    unproven: bool = False
    """Nobody has seen yet that its leases end: they are reckoned with as if they never did."""
    proving: bool = False
    """…and it is being found out: its station is to be asked, or a lease is to lapse."""
    just_proven: bool = False
    """That they end was seen just now: what held its lease down is gone, and it need not wait for its next raise."""
    lapses: bool = False
    """Its lease is not to be renewed: whether it ends is to be seen."""
    follows_s: float = 0.0
    """So long its car may take to follow a limit, as learnt."""
    followed_s: float | None = None
    """How long its car took to follow the last cut, until that is learnt."""
    resend: bool = False
    """Its limit is to be told again, changed or not."""
    resumed_at: float | None = None
    """When it last went on after a suspension."""
    former: Lease | None = None
    """A lease told by a handle that is no longer in use: it may hold beside the present one until it is withdrawn or lapses."""
    withdraw: list[tuple[Handle, bool]] = field(default_factory=list)
    """What a former dialect left and is to be taken away: the lease told by a handle, or (True) the fallback."""

    # What a survey of its station showed.
    found_lease: Lease | None = None
    """A lease of ours whose transaction was not told yet."""
    foreign: bool = False
    """Somebody else's profile may lead over its fallback."""
    keeps_foreign: bool = False
    """…and its station does not let it be cleared."""

    allowed: bool = True
    user_max_a: float = math.inf
    profile: LimitsOverTime | None = None
    standing: LimitsOverTime | None = None
    """What the limits of persons that stand on it come to (`standing.py`), until the next change."""
    standing_least_a: float = 0.0
    """Below this they have it charge not at all."""
    stored_limit: bool = False
    """Its station holds such a limit, be it of the whole station."""
    external: dict[str, LimitsOverTime] = field(default_factory=dict)
    """Limits somebody else set on this EVSE, by source (NotifyChargingLimit)."""
    station_external: Mapping[str, LimitsOverTime] = field(default_factory=dict)
    """Those on its whole station, all EVSEs together."""

    wanted_fallback_a: float | None = None
    wanted_lease: LeaseOrder | None = None
    wanted_clear: bool = False
    sample_at: float = math.inf
    """When the loop wants to be told what the car draws."""
    asked_at: float = -math.inf
    """When it was asked that last because the meter saw something new."""
    status_unknown: bool = False
    """Its connector's state may have changed while nobody listened: it is to be asked."""
    finished: bool = False
    """The transaction has ended and the car is still plugged in."""
    finished_energy_wh: float | None = None
    """What that transaction took."""

    @property
    def connector_status(self) -> ConnectorStatus | None:
        """The state of its connectors taken together; None while none is known."""
        for status in (ConnectorStatus.OCCUPIED, ConnectorStatus.AVAILABLE, ConnectorStatus.RESERVED):
            if status in self.connectors.values():
                return status
        return next(iter(self.connectors.values()), None)

    @property
    def draws_unevenly(self) -> bool:
        """Its car does not load all three terminals."""
        return any(current is None or current < IDLE_A for current in self.current_a)

    @property
    def held_fallback_a(self) -> float:
        """The most that holds without a lease: the confirmed fallback, or one on its way, or a limit that does not end.

        The rating while nobody knows, while somebody else's profile may lead, and where nothing is obeyed.
        """
        if self.fallback_a is None or self.foreign or self.uncontrolled:
            return self.rated_a
        lasting_a = (lease.limit_a for lease in (self.lease, self.former) if lease is not None and lease.lasts)
        doubt_a = self.unanswered_lease_a if not self.dialect.holds_leases else 0.0
        return min(self.rated_a, max(self.fallback_a, self.unanswered_fallback_a, doubt_a, *lasting_a))

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
        lease = self.lease
        if not self.unproven or lease is None or (self.proving and self.ready and lease.limit_a <= self.unproven_most_a):
            return self.held_fallback_a
        return max(self.held_fallback_a, min(self.rated_a, lease.limit_a))

    @property
    def fallback_differs(self) -> bool:
        """Whether the fallback is to be written."""
        if self.wanted_fallback_a is None or (self.dialect.overwrites and self.lease is not None):
            return False  # the limit lies in its place
        return not self.fallback_current or self.fallback_a != self.wanted_fallback_a or self.unanswered_fallback_a > 0

    @property
    def guarded(self) -> bool:
        """Whether a transaction may begin: its fallback is confirmed, and nobody else's profile may lead over it."""
        return self.fallback_current and not self.foreign

    @property
    def response_s(self) -> float:
        """So long after a change its car may still draw by the limit before."""
        return max(RESPONSE_S, min(self.follows_s, UNSEEN_S))

    @property
    def rated_a(self) -> float:
        """The EVSE's rating."""
        return self.config.max_a

    @property
    def rated_phases(self) -> tuple[Phase, ...]:
        """The grid's conductors it is wired to, whatever car comes; all where nobody knows."""
        return self.config.grid_phases if self.config.rotation_known else ALL_PHASES

    @property
    def draw_a(self) -> float:
        """The highest current on any terminal, as measured last."""
        return max((current for current in self.current_a if current is not None), default=0.0)

    @property
    def session_energy_wh(self) -> float | None:
        """What the running transaction has taken so far, None where that is not known."""
        return None if self.session is None else energy_of(self.session, self.energy_wh)

    def external_a(self, now: float) -> tuple[float, str | None]:
        """Return the lowest limit that somebody else set on it, and whose it is."""
        return lowest(self.external, now) if self.external else (math.inf, None)

    def standing_a(self, now: float) -> float:
        """Return the lowest limit of persons' that stands on it."""
        return math.inf if self.standing is None else self.standing.limit_a(now)

    def station_external_a(self, now: float) -> tuple[float, str | None]:
        """Return the lowest limit that somebody else set on its whole station, and whose it is."""
        return lowest(self.station_external, now) if self.station_external else (math.inf, None)

    def limit_a(self, now: float) -> float:
        """Return the limit in force as confirmed: the lease, else the fallback, else the rating."""
        if self.lease is not None and now < self.lease.expires_at:
            return self.lease.limit_a
        return self.held_fallback_a

    def installed_a(self, now: float) -> float:
        """Return the most that we have installed: the limit in force, one on its way, a lease that lapsed only just."""
        if self.uncontrolled:
            return self.unled_a(now)
        still_a = (
            lease.limit_a
            for lease in (self.lease, self.former)
            if lease is not None and (now < lease.expires_at + self.response_s or (self.unproven and lease is self.lease))
        )
        return max(self.limit_a(now), self.unanswered_lease_a, self.first_a, *still_a)

    @property
    def first_a(self) -> float:
        """What a lease that went along with a start from afar lets its car draw as soon as it begins."""
        return 0.0 if self.first_lease is None else self.first_lease.limit_a

    def unled_a(self, now: float) -> float:
        """Return what its car draws without being led: the most it was seen to, the rating until it had the time to show it."""
        shown = self.drawing_since is not None and now - self.drawing_since >= UNSEEN_S
        return min(self.rated_a, self.peak_a) if shown else self.rated_a

    def reserved_a(self, now: float) -> float:
        """Return the most the car may draw for all that is known.

        That is its limit; a limit on its way; a lease that lapsed only just; the limit before until the car was seen to follow;
        and what it was seen to draw while it is seen. Where a connected station says that no transaction runs, nothing but what one that was
        asked for will begin with.
        """
        if self.ready and self.heard and self.session is None:
            return max(self.first_a, self.held_fallback_a if self.coming else 0.0)
        lapsing = self.lease is not None and now < self.lease.expires_at + self.response_s
        seen_a = self.draw_a if self.session is not None and (self.ready or lapsing) else 0.0
        leaving_a = 0.0 if self.settled(now) else self._leaving_a(now, UNSEEN_S)
        return max(self.installed_a(now), seen_a, leaving_a, self.inherited_a)

    def settled(self, now: float) -> bool:
        """Tell whether its last sample is not of a car on its way from one limit to another."""
        if self.measured_at >= self.changed_at + self.response_s:
            return True
        limit_a = self.limit_a(now)
        return self.measured_at >= self.changed_at and abs(self.draw_a - limit_a) <= REACHED * limit_a + OVERDRAW_A

    def grid_phases(self) -> tuple[Phase, ...]:
        """Return the grid's conductors its car loads, as measured; all of the EVSE's where that is not known."""
        if not self.config.rotation_known:
            return ALL_PHASES
        phases = self.config.grid_phases
        if self.demand.terminals is None:
            return phases
        used = tuple(sorted(phases[terminal] for terminal in self.demand.terminals if terminal < len(phases)))
        return used or phases

    def per_phase(self, current_a: float) -> PerPhase:
        """Return a current of this car as the grid's conductors see it."""
        phases = self.grid_phases()
        l1, l2, l3 = (current_a if phase in phases else 0.0 for phase in ALL_PHASES)
        return (l1, l2, l3)

    def rated_per_phase(self, current_a: float) -> PerPhase:
        """Return a current on every conductor the EVSE is wired to, whatever car comes."""
        l1, l2, l3 = (current_a if phase in self.rated_phases else 0.0 for phase in ALL_PHASES)
        return (l1, l2, l3)

    def measured_per_phase(self) -> PerPhase:
        """Return the measured currents on the grid's conductors."""
        if self.session is None:
            return NONE_A
        if not self.config.rotation_known:
            return self.per_phase(self.draw_a)
        result = [0.0, 0.0, 0.0]
        for terminal, phase in enumerate(self.config.grid_phases):
            current_a = self.current_a[terminal]
            # Unknown is not zero: a terminal left out may carry as much as the others.
            result[phase] += self.draw_a if current_a is None else current_a
        return (result[0], result[1], result[2])

    def measure(self, sample: MeterSample, now: float) -> None:
        """Take over what the EVSE's meter said."""
        self.voltage_v = sample.voltage_v if sample.voltage_v != UNKNOWN else self.voltage_v
        self.power_w = sample.power_w if sample.power_w is not None else self.power_w
        self.energy_wh = sample.energy_wh if sample.energy_wh is not None else self.energy_wh
        self.soc_pct = sample.soc_pct if sample.soc_pct is not None else self.soc_pct
        if sample.current_a == UNKNOWN:
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
        reached = abs(self.draw_a - limit_a) <= REACHED * limit_a + OVERDRAW_A
        self.left = () if reached else tuple(each for each in self.left if now < each[1] + self.response_s)
        if self._within(limit_a):
            self.overdraw_since = None
        elif self.overdraw_since is None:
            self.overdraw_since = now
        if not self.settled(now) or (self.overdraw_since is not None and self.problem is None):
            self.sample_at = min(self.sample_at, now + SAMPLE_AGAIN_S)

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

    def overdraws(self) -> bool:
        """Tell whether the car was seen to ignore its limit for too long."""
        patience_s = max(OVERDRAW_S, min(self.follows_s + OVERDRAW_SLACK_S, UNSEEN_S))
        if self.overdraw_since is None:
            return False
        # A change of the limit gives no new patience to a car that the one before did not hold either.
        began = max(self.overdraw_since, self.changed_at) if self._within(self.previous_a) else self.overdraw_since
        return self.measured_at - began > patience_s

    def forget_lapsed(self, now: float) -> None:
        """Let go of a lease that lapsed long enough ago for its car to have followed."""
        if self.lease is not None and not self.unproven and now >= self.lease.expires_at + self.response_s:
            self.lease = None  # an unproven one stays until it is seen to have ended (`lapse.py`)
        if self.first_lease is not None and now >= self.first_lease.expires_at + self.response_s:
            self.first_lease = None
        if self.former is not None and now >= self.former.expires_at + self.response_s:
            self.former = None

    def change(self, before_a: float, now: float) -> None:
        """Take note that another limit than `before_a` may be in force from now on."""
        limit_a = self.limit_a(now)
        if limit_a == before_a:
            return
        self.changed_at, self.previous_a = now, before_a
        self.left = (*(each for each in self.left if now < each[1] + UNSEEN_S), (before_a, now))
        # One that is due already stays so: what the car drew by the limit before may be just what is asked for.
        self.sample_at = now + SAMPLE_AFTER_S if self.sample_at > now else self.sample_at
        self.followed = self.session is None or self._within(limit_a)

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
            held.append(Lease(transaction_id="", limit_a=self.unanswered_lease_a, expires_at=math.inf))
            self.unanswered_lease_a = 0.0
        if not held:
            return
        self.former = Lease(
            transaction_id=held[-1].transaction_id,
            limit_a=max(each.limit_a for each in held),
            expires_at=max(each.expires_at for each in held),
        )
        if (mark := (self.dialect.handle, False)) not in self.withdraw:
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
            self.served_since = None

    def end_session(self) -> None:
        """Forget what belonged to the transaction: its lease ended with it."""
        self.last_session = self.session or self.last_session
        self.session = None
        self.served_since = None
        self.charging_state = None
        if self.lease is not None and self.dialect.overwrites:
            # It lies where the fallback did, and stays.
            self.fallback_a, self.fallback_current = max(self.lease.limit_a, self.unanswered_lease_a), False
        elif self.dialect.handle is not Handle.TRANSACTION:
            # It would hold for the next car too.
            self._put_aside(self.lease)
        elif not any(handle is not Handle.TRANSACTION for handle, of_fallback in self.withdraw if not of_fallback):
            self.former = None
        self.lease = self.found_lease = None
        self.wanted_lease = None
        self.wanted_clear = False
        self.unanswered_lease_a = self.inherited_a = 0.0
        self.previous_a, self.left = 0.0, ()
        self.current_a = (0.0, 0.0, 0.0)
        self.power_w = 0.0
        self.demand = Demand()
        self.drawing_since = None
        self.overdraw_since, self.exceeding = None, False
        self.sample_at = math.inf
        self.followed, self.followed_s, self.peak_a = True, None, 0.0
        self.resend, self.resumed_at, self.just_proven = False, None, False
        if not self.uncontrolled and self.fallback_current:
            self.problem = None
