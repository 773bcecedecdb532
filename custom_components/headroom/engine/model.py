"""The words the engine is written in: phases, circuits, requests, allocations and their reasons.

Everything here is a value. Currents are amperes per phase conductor, in the grid's own order L1, L2, L3; a conductor that a
circuit does not have carries 0 A. Times are seconds of one monotonic clock, whichever the caller uses.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from math import inf

type PerPhase = tuple[float, float, float]
"""A quantity on L1, L2 and L3."""

NONE_A: PerPhase = (0.0, 0.0, 0.0)

LEAST_CURRENT_A = 6.0
"""The least current a car may be offered; 1–5 A is undefined, so the next lower limit is 0 A (IEC 61851-1)."""


class Phase(IntEnum):
    """A phase conductor of the grid; its value is the index in a PerPhase."""

    L1 = 0
    L2 = 1
    L3 = 2


ALL_PHASES: tuple[Phase, ...] = (Phase.L1, Phase.L2, Phase.L3)


class Wiring(StrEnum):
    """How the currents of the sessions below a circuit add up on its conductors.

    A session on two conductors draws one current: in a STAR it takes that from each of them and gives it back by the neutral;
    elsewhere it hangs between the two.
    """

    STAR = "star"
    """Between conductors and neutral. All currents of a conductor are in phase: their sum is arithmetic, which never reckons too little."""
    DELTA = "delta"
    """Between the conductors (230 V without a neutral, 208 V in North America): currents of several pairs meet at 60°."""
    DELTA_BEHIND_TRANSFORMER = "delta_behind_transformer"
    """As DELTA, seen from the other side of a delta-star transformer; limits are in amps of the sessions' side, for the same power."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A node of the site's tree of fuses.

    `fuse_a` is the breaker's rating on each conductor in `phases`; the loop keeps the circuit at `fuse_a − margin_a`.
    `unmanaged_worst_a` is the most that everything on this circuit that is not a managed car may ever draw, the circuits below
    it included: it is what the loop reckons with once the circuit's meter is silent, and always where there is no meter.
    Cars may not take two of its three conductors further apart than `imbalance_a` (a grid's technical rules: 20 A in Germany, 16 A in
    Austria and Switzerland); None: as far as they like.
    Where it has no neutral (`wiring`), sessions hang between its conductors; such a one has no limit of imbalance.
    """

    circuit_id: str
    name: str
    parent_id: str | None = None
    phases: tuple[Phase, ...] = ALL_PHASES
    fuse_a: float
    margin_a: float = 0.0
    limit_w: float | None = None
    unmanaged_worst_a: PerPhase = NONE_A
    metered: bool = False
    imbalance_a: float | None = None
    wiring: Wiring = Wiring.STAR

    def limit_a(self) -> PerPhase:
        """Return what the circuit is kept at or below, per phase; 0 A on a conductor it does not have."""
        limit = max(0.0, self.fuse_a - self.margin_a)
        if self.phases == ALL_PHASES:
            return (limit, limit, limit)
        l1, l2, l3 = (limit if phase in self.phases else 0.0 for phase in ALL_PHASES)
        return (l1, l2, l3)

    def imbalance(self, unmanaged_a: PerPhase, *, any_absent: bool = False) -> Imbalance | None:
        """Return how far sessions may take its conductors apart beside what is drawn otherwise; None where there is no such limit."""
        if self.imbalance_a is None or self.wiring is not Wiring.STAR or len(self.phases) < len(ALL_PHASES):
            return None
        return Imbalance(limit_a=self.imbalance_a, unmanaged_a=unmanaged_a, any_absent=any_absent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imbalance:
    """The most by which two conductors of a circuit may differ, and what everything besides the sessions puts on each of them.

    `any_absent`: it is to hold whoever of the sessions is there and draws, so that none may rest on another's current.
    """

    limit_a: float
    unmanaged_a: PerPhase = NONE_A
    any_absent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What is left for charging on one circuit: per phase, and over all phases together where there is a power ceiling.

    `sum_a` is a ceiling on the sum of the phase currents: a power ceiling divided by the voltage between conductor and neutral, also
    where there is no neutral. `imbalance` may be limited in a STAR only.
    A negative value means that the circuit is over its limit already.
    """

    circuit_id: str
    parent_id: str | None
    available_a: PerPhase
    sum_a: float | None = None
    wiring: Wiring = Wiring.STAR
    imbalance: Imbalance | None = None


class ReasonCode(StrEnum):
    """Why an EVSE has the limit it has. What stops it from being higher, or what holds it at 0 A."""

    CIRCUIT = "circuit"
    """A circuit is full (`Reason.circuit_id`, and `Reason.phase` or all phases together)."""
    IMBALANCE = "imbalance"
    """A conductor (`Reason.phase`) may not rise further above another one (`Reason.against`) of its circuit."""
    WAITING = "waiting"
    """The least current does not fit beside the others: the car waits its turn."""
    POSTPONED = "postponed"
    """…and the plan has it charge later."""
    CHEAPER = "cheaper"
    """The car is ready in time with what it takes when energy is cheaper."""
    RESTING = "resting"
    """The car was paused a moment ago and starts again after a least time only."""
    WAKING = "waking"
    """The car sleeps on after a pause: its offer is taken away for a moment and made again."""
    STATION = "station"
    """The EVSE's own rating, its cable or its connection."""
    USER = "user"
    """The maximum current a person set."""
    CAR = "car"
    """The car takes no more (on-board charger, taper, full)."""
    PAUSED = "paused"
    """A person switched charging off on this EVSE."""
    NOT_CHARGING = "not_charging"
    """No car asks for current; the fallback is installed."""
    STATIC = "static"
    """The fixed share of a site in static mode."""
    UNMANAGED = "unmanaged"
    """Load management is off: nothing is sent."""
    FALLBACK = "fallback"
    """The lease has lapsed or no limit could be installed: the installed fallback holds."""
    OFFLINE = "offline"
    """The station is not connected; what is installed on it holds."""
    RAMP = "ramp"
    """There is room; it is handed on once the freed current is seen to be gone and the readings are fresh."""
    EXTERNAL = "external"
    """A limit from outside: demand response, or one the station reported."""
    SWITCHING = "switching"
    """Current is stopped while its station switches between one phase and three."""
    PEAK_DEMAND = "peak_demand"
    """The average of the running quarter-hour would exceed what was set."""
    METER_LOST = "meter_lost"
    """A circuit's meter is silent: its worst case is reckoned with."""
    CIRCUIT_GONE = "circuit_gone"
    """The circuit that feeds it was deleted: nothing may be drawn until a person says where it hangs."""
    DISOBEDIENT = "disobedient"
    """The station does not follow its limit: what it draws is reserved for it."""
    UNANSWERED = "unanswered"
    """The station does not answer in time: nobody knows which limit holds, and what it may draw is reserved for it."""
    OTHER_SYSTEM = "other_system"
    """Another system's profile leads at the station and can't be taken away: no new car may charge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What fills the place that a reason lies in, besides the cars that are led: its limit, in amps, and what of that is not for them.

    `reserved_a` is kept for stations that can't be told a limit, and for the time in which nobody could tell them one. Where the
    limit is one to the power of all phases together, `watts_per_a` makes watts of these amps. Of an imbalance it is the differences.
    """

    limit_a: float
    unmanaged_a: float
    reserved_a: float = 0.0
    watts_per_a: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a plan makes of a session: what it still needs, when it leaves, and by when it has all; None where it won't, or nobody knows."""

    energy_wh: float
    departs_at: float | None = None
    ready_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason with the place it comes from; `others` counts the sessions that share the binding circuit.

    `against` is the conductor that `phase` would rise too far above, where it is the circuit's imbalance that stops a session.
    """

    code: ReasonCode
    circuit_id: str | None = None
    phase: Phase | None = None
    against: Phase | None = None
    others: int = 0
    source: str | None = None
    """Who set a limit from outside, where that is known."""
    filled: Filled | None = None
    tier: int = 1
    """Of `tiers` in use, which one the session is in; 1 is served first. 0: the one behind all, of cars that seem to be full."""
    tiers: int = 1
    least_a: float | None = None
    """The least current of a session that waits for it."""
    rises_to_a: float | None = None
    """Where it is on its way to."""
    rounded_from_a: float | None = None
    """Its own ceiling, where the station's steps do not reach it."""
    next_at: float | None = None
    """When a session without current may be expected to start, where that can be told."""
    outlook: Outlook | None = None
    """None where no plan has to do with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a driver needs, as far as it is known: energy still to come, and when the car leaves.

    `departs_at` is None where neither the driver nor the habit of the place tells; `state_of_charge` is a share, 0 to 1.
    `errors_s` are quantiles of by how much later than such words cars have left (departures.py); where there are none, it is to the minute.
    """

    energy_wh: float | None = None
    departs_at: float | None = None
    errors_s: tuple[float, ...] = ()
    state_of_charge: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a session has had so far.

    `limit_a` is the limit that it holds, `changed_at` since when that is above 0 A or is not, and `pauses_at` when it was last
    paused, the latest last. `short_wh` is its fairness debt: by how much it has had less than the mean of those that asked
    at the same time.
    """

    arrived_at: float = 0.0
    limit_a: float = 0.0
    changed_at: float = -inf
    pauses_at: tuple[float, ...] = ()
    short_wh: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one session asks of the site.

    `phases` are the grid conductors it loads, each with the same current; where they are unknown, all of them.
    `max_a` is the lowest of the session's own ceilings and `ceiling` names that one. A session gets 0 A, or at least `min_a`.
    `step_a` is the station's resolution; `voltage_v` stands between its conductors, or a conductor and neutral.
    The lowest `tier` is served first. Inside a tier `place` and then `queue_key` order admission, the lowest first; the odd steps go by
    `queue_key`, whatever the place.
    `guarantee_a` is served, tier by tier, before anything is shared. `target_a` is what a plan wants for it now: served next,
    tier by tier, before what is left is shared by weight; a plan has one for every session. A session whose target is below
    its least current is admitted only after that, with what is left.
    `pausable` is False for a car that must not be paused once it charges. `held` says that it is admitted before all tiers,
    and of those that are held, the ones that must not be paused at all come first.
    """

    request_id: str
    circuit_id: str
    phases: tuple[Phase, ...]
    max_a: float
    ceiling: ReasonCode = ReasonCode.STATION
    min_a: float = LEAST_CURRENT_A
    step_a: float = 1.0
    weight: float = 1.0
    tier: int = 0
    place: int = 0
    queue_key: float = 0.0
    guarantee_a: float = 0.0
    target_a: float | None = None
    voltage_v: float = 230.0
    pausable: bool = True
    held: bool = False
    need: Need = Need()
    past: Past = Past()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What one session gets, in amps on each of its phases, and what stops it there."""

    request_id: str
    limit_a: float
    reason: Reason
