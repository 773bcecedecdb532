"""How urgent is an overload? By the heat of the breaker that carries it, reckoned on the fast side from every reading.

What a breaker carries for good (1.13 × its rating) trips nothing: where that is over a circuit's limit for a moment only, as a kettle's
switching on is, cutting every car and raising it again would be all for nothing. What is more than that is cut at once.
"""

from dataclasses import dataclass
from enum import IntEnum
import math

from .breaker import NEVER_TRIPS, THERMAL_TIME_CONSTANT_S, carried_s
from .model import ALL_PHASES, Circuit, PerPhase

PASSES_S = 1.5
"""So long a small overload may take to pass by itself. Meter, station and car take some seconds more; all of it stays within six."""
HALF = 0.5
"""With less of its reserve of heat left, a breaker is spared what it would carry otherwise."""
EPSILON_A = 1e-6


class Urgency(IntEnum):
    """What an overload asks for; the higher, the sooner."""

    NONE = 0
    """There is none."""
    PASSING = 1
    """It is small and began only just: nothing is raised, and nothing is cut yet."""
    SECONDS = 2
    """It comes down with the next turn, as limits always do."""
    AT_ONCE = 3
    """The breaker warms: nothing may hold up a cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """How warm a breaker's poles are, in squares of its rating, and what was measured last, at `at`."""

    squares: PerPhase
    current_a: PerPhase
    at: float


def warmed(before: Heat | None, circuit: Circuit, current_a: PerPhase, at: float) -> Heat:
    """Return a breaker's heat at a reading; one that nobody has watched yet has been at its circuit's limit, or this current, for long.

    Between two readings the higher one is reckoned with.
    """
    if before is None:
        l1, l2, l3 = (max(limit, abs(current)) for limit, current in zip(circuit.limit_a(), current_a, strict=True))
        first = min(NEVER_TRIPS, l1 / circuit.fuse_a), min(NEVER_TRIPS, l2 / circuit.fuse_a), min(NEVER_TRIPS, l3 / circuit.fuse_a)
        return Heat(squares=(first[0] ** 2, first[1] ** 2, first[2] ** 2), current_a=current_a, at=at)
    grown = -math.expm1(-max(0.0, at - before.at) / THERMAL_TIME_CONSTANT_S)
    squares = [
        heat + ((max(abs(current_a[phase]), abs(before.current_a[phase])) / circuit.fuse_a) ** 2 - heat) * grown
        for phase, heat in enumerate(before.squares)
    ]
    return Heat(squares=(squares[0], squares[1], squares[2]), current_a=current_a, at=max(at, before.at))


def reserve(heat: Heat, circuit: Circuit) -> float:
    """Return the share of its heat reserve that a breaker's warmest pole has left: 1 at its circuit's limit or below, 0 where it lets go."""
    least = (max(circuit.limit_a()) / circuit.fuse_a) ** 2
    most = max((heat.squares[phase] for phase in circuit.phases), default=0.0)
    return min(1.0, max(0.0, (NEVER_TRIPS**2 - most) / (NEVER_TRIPS**2 - least)))


def lets_go_in_s(heat: Heat, circuit: Circuit) -> float:
    """Return after how many seconds at what was measured last a breaker of the fast kind would let go, at the earliest; infinite for never."""
    loads = ((abs(heat.current_a[phase]) / circuit.fuse_a, math.sqrt(heat.squares[phase])) for phase in circuit.phases)
    return min((carried_s(load, warm) for load, warm in loads), default=math.inf)


def large(circuit: Circuit, current_a: PerPhase) -> bool:
    """Tell whether a reading shows more than a circuit's breaker carries for good."""
    return any(current_a[phase] > NEVER_TRIPS * circuit.fuse_a + EPSILON_A for phase in circuit.phases)


def urgency(circuit: Circuit, heat: Heat, may_a: PerPhase, over_s: float | None) -> Urgency:
    """Return how urgent it is to bring a circuit under its limit.

    `may_a` is the most that may be drawn there now by all that is known; `over_s` for how long that has been above the limit by the
    building's doing, None where there is another cause, which nobody waits for.
    """
    limit_a, carried_a = circuit.limit_a(), NEVER_TRIPS * circuit.fuse_a
    if all(may_a[phase] <= limit_a[phase] + EPSILON_A for phase in ALL_PHASES):
        return Urgency.NONE
    spared = reserve(heat, circuit) < HALF
    over = any(heat.current_a[phase] > limit_a[phase] + EPSILON_A for phase in circuit.phases)
    if large(circuit, heat.current_a) or (spared and over):
        return Urgency.AT_ONCE
    if over_s is None or over_s >= PASSES_S or spared or max(may_a) > carried_a:
        return Urgency.SECONDS
    return Urgency.PASSING
