"""What the loop knows of one EVSE: what was said, what was measured, what is installed, what is wanted."""

from dataclasses import dataclass, field, replace
from datetime import datetime
import math

from ..csms.authorization import IdToken
from ..csms.station import UNKNOWN, ChargingState, ConnectorStatus, MeterSample, TerminalValues
from ..engine.deadman import RESPONSE_S
from ..engine.demand import Demand, observe
from ..engine.model import ALL_PHASES, NONE_A, PerPhase, Phase
from .config import EvseConfig, EvseKey

OVERDRAW = 1.1
OVERDRAW_A = 0.5
OVERDRAW_S = 7.0
"""A car that draws more than limit × 1.1 + 0.5 A for this long does not obey (EVerest EvseManager)."""
UNSEEN_S = 30.0
"""A car that nobody measures counts as having followed a cut after this."""
SAMPLE_AGAIN_S = 1.0
"""A car on its way is asked again after this."""
IDLE_A = 1.0
"""A car that draws less does not charge."""
REACHED = 0.05
"""A car this near to its limit (and half an amp) has reached it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A limit confirmed by the station for one transaction, until `expires_at` (monotonic)."""

    transaction_id: str
    limit_a: float
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseOrder:
    """A lease the loop wants installed. `cut`: it gives less, or for less long, than what is installed."""

    transaction_id: str
    limit_a: float
    length_s: float
    cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A transaction as far as it is known."""

    transaction_id: str
    started_at: datetime
    since: float
    """Monotonic time from which it is known."""
    queued_at: float
    """Monotonic time from which it waits for its turn: what admission goes by."""
    connector_id: int | None = None
    energy_start_wh: float | None = None
    id_token: IdToken | None = None
    seq_no: int = -1


def energy_of(session: Session, energy_wh: float | None) -> float | None:
    """Return what a session took up to a register of `energy_wh`; None where either end is not known."""
    if session.energy_start_wh is None or energy_wh is None:
        return None
    return max(0.0, energy_wh - session.energy_start_wh)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserProfile:
    """Limits a person set over time: amps from so many seconds after `starts_at` (monotonic); ends at `ends_at`."""

    starts_at: float
    periods: tuple[tuple[float, float], ...]
    ends_at: float = math.inf

    def limit_a(self, now: float) -> float:
        """Return the limit that holds now; infinite where the profile says nothing."""
        if now >= self.ends_at:
            return math.inf
        started = [limit_a for start_s, limit_a in self.periods if now >= self.starts_at + start_s]
        return started[-1] if started else math.inf

    def next_change(self, now: float) -> float:
        """Return the monotonic time of the next change, infinite where there is none."""
        changes = [self.starts_at + start_s for start_s, _ in self.periods] + [self.ends_at]
        return min((change for change in changes if change > now), default=math.inf)


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
    inherited_a: float = 0.0
    """A lease of an earlier life of ours that may still hold; it was made to obey the dead-man rule then, and lapses by itself."""
    in_flight_a: float | None = None
    """The limit of a lease that is being sent right now."""
    unanswered_fallback_a: float = 0.0
    """A fallback that was sent and not answered."""
    previous_a: float = 0.0
    """The limit before the last change: its car may still be on its way down from it."""
    changed_at: float = -math.inf
    """When the limit in force last changed."""
    overdraw_since: float | None = None
    problem: str | None = None
    """"rejects_profiles" or "disobedient"; what it draws or holds is reserved, and nothing else is reckoned with."""

    allowed: bool = True
    user_max_a: float = math.inf
    profile: UserProfile | None = None
    external_a: dict[str, float] = field(default_factory=dict)
    """Limits somebody else set at the station, by source (NotifyChargingLimit)."""

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
        """The most its fallback may be: the confirmed one, or one on its way; the rating while neither is known."""
        return self.rated_a if self.fallback_a is None else min(self.rated_a, max(self.fallback_a, self.unanswered_fallback_a))

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

    def limit_a(self, now: float) -> float:
        """Return the limit in force as confirmed: the lease, else the fallback, else the rating."""
        if self.lease is not None and now < self.lease.expires_at:
            return self.lease.limit_a
        return self.held_fallback_a

    def installed_a(self, now: float) -> float:
        """Return the most that we have installed: the limit in force, one on its way, a lease that lapsed only just."""
        lapsing_a = self.lease.limit_a if self.lease is not None and now < self.lease.expires_at + RESPONSE_S else 0.0
        return max(self.limit_a(now), lapsing_a, self.unanswered_lease_a)

    def reserved_a(self, now: float) -> float:
        """Return the most the car may draw for all that is known.

        That is its limit; a limit on its way; a lease that lapsed only just; the limit before until the car was seen to follow;
        and what it was seen to draw while it is seen. Nothing where a connected station says that no transaction runs.
        """
        if self.ready and self.heard and self.session is None:
            return 0.0
        lapsing = self.lease is not None and now < self.lease.expires_at + RESPONSE_S
        seen_a = self.draw_a if self.session is not None and (self.ready or lapsing) else 0.0
        leaving_a = self.previous_a if now < self.changed_at + UNSEEN_S and not self.settled(now) else 0.0
        return max(self.installed_a(now), seen_a, leaving_a, self.inherited_a)

    def settled(self, now: float) -> bool:
        """Tell whether its last sample is not of a car on its way from one limit to another."""
        if self.measured_at >= self.changed_at + RESPONSE_S:
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
        limit_a = self.limit_a(now)
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
        if not self.settled(now):
            self.sample_at = min(self.sample_at, now + SAMPLE_AGAIN_S)
        if self.draw_a <= limit_a * OVERDRAW + OVERDRAW_A:
            self.overdraw_since = None
        elif self.overdraw_since is None:
            self.overdraw_since = now

    def sleeps(self, now: float) -> bool:
        """Tell whether its car is offered current and takes none."""
        return self.draw_a < IDLE_A and self.limit_a(now) >= self.config.min_a and self.demand.ceiling_a is not None

    def overdraws(self) -> bool:
        """Tell whether the car was seen to ignore its limit for too long."""
        return self.overdraw_since is not None and self.measured_at - max(self.overdraw_since, self.changed_at) > OVERDRAW_S

    def forget_lapsed(self, now: float) -> None:
        """Let go of a lease that lapsed long enough ago for its car to have followed."""
        if self.lease is not None and now >= self.lease.expires_at + RESPONSE_S:
            self.lease = None

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
        self.lease = None
        self.wanted_lease = None
        self.wanted_clear = False
        self.unanswered_lease_a = self.inherited_a = 0.0
        self.previous_a = 0.0
        self.current_a = (0.0, 0.0, 0.0)
        self.power_w = 0.0
        self.demand = Demand()
        self.drawing_since = None
        self.overdraw_since = None
        self.sample_at = math.inf
        self.problem = None
