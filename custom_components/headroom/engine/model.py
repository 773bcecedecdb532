"""The words the engine is written in: phases, circuits, requests, allocations and their reasons.

Everything here is a value. Currents are amperes per phase conductor, in the grid's own order L1, L2, L3; a conductor that a
circuit does not have carries 0 A. Times are seconds of one monotonic clock, whichever the caller uses.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A node of the site's tree of fuses.

    `fuse_a` is the breaker's rating on each conductor in `phases`; the loop keeps the circuit at `fuse_a − margin_a`.
    `unmanaged_worst_a` is the most that everything on this circuit that is not a managed car may ever draw, the circuits below
    it included: it is what the loop reckons with once the circuit's meter is silent, and always where there is no meter.
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

    def limit_a(self) -> PerPhase:
        """Return what the circuit is kept at or below, per phase; 0 A on a conductor it does not have."""
        limit = max(0.0, self.fuse_a - self.margin_a)
        l1, l2, l3 = (limit if phase in self.phases else 0.0 for phase in ALL_PHASES)
        return (l1, l2, l3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What is left for charging on one circuit: per phase, and over all phases together where there is a power ceiling.

    `sum_a` is a ceiling on the sum of the phase currents (a power ceiling divided by the phase voltage).
    A negative value means that the circuit is over its limit already.
    """

    circuit_id: str
    parent_id: str | None
    available_a: PerPhase
    sum_a: float | None = None


class ReasonCode(StrEnum):
    """Why an EVSE has the limit it has. What stops it from being higher, or what holds it at 0 A."""

    CIRCUIT = "circuit"
    """A circuit is full (`Reason.circuit_id`, and `Reason.phase` or all phases together)."""
    WAITING = "waiting"
    """The least current does not fit beside the others: the car waits its turn."""
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
    METER_LOST = "meter_lost"
    """A circuit's meter is silent: its worst case is reckoned with."""
    DISOBEDIENT = "disobedient"
    """The station does not follow its limit: what it draws is reserved for it."""
    OTHER_SYSTEM = "other_system"
    """Another system's profile leads at the station and can't be taken away: no new car may charge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A reason with the place it comes from; `others` counts the sessions that share the binding circuit."""

    code: ReasonCode
    circuit_id: str | None = None
    phase: Phase | None = None
    others: int = 0
    source: str | None = None
    """Who set a limit from outside, where that is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one session asks of the site.

    `phases` are the grid conductors it loads, each with the same current; where they are unknown, all of them.
    `max_a` is the lowest of the session's own ceilings and `ceiling` names that one. A session gets 0 A, or at least `min_a`.
    `step_a` is the station's resolution. `tier` 0 is served first. `queue_key` orders admission inside a tier: the lowest first.
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
    queue_key: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What one session gets, in amps on each of its phases, and what stops it there."""

    request_id: str
    limit_a: float
    reason: Reason
