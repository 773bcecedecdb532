"""The allocation's definitions once more: slow, obvious, and sharing no code with the product.

`loads` adds up what an allocation puts on each conductor, by walking from every session to the root; where the circuits have no
neutral, from the voltages: a car draws its current in phase with the voltage between its conductors, so it goes into one of them
with that voltage's cosine and sine, and comes out of the other. `max_min` is weighted max-min fairness by its definition: raise
everyone's level until somebody can rise no further, fix those, go on with the rest. `ideal` does so goal after goal.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from math import cos, hypot, inf, radians, sin, sqrt

from custom_components.headroom.engine.model import Headroom, Phase, Request, Wiring

type Place = tuple[str, Phase | None, Phase | None]
"""A circuit's conductor, with None all of its phases together; or how far one conductor is above another."""
type Vector = tuple[float, float]

CLOSE_A = 1e-6
ANGLE = {Phase.L1: 0.0, Phase.L2: -120.0, Phase.L3: 120.0}
BEFORE = {Phase.L1: Phase.L3, Phase.L2: Phase.L1, Phase.L3: Phase.L2}


def voltage(phase: Phase) -> Vector:
    """Return a conductor's voltage to where a neutral would be."""
    return (cos(radians(ANGLE[phase])), sin(radians(ANGLE[phase])))


def conductors(phases: Sequence[Phase]) -> dict[Phase, Vector]:
    """Return what a car of 1 A puts on each conductor where there is no neutral."""
    if len(phases) == 3:
        return {phase: voltage(phase) for phase in Phase}
    into, out = phases
    x, y = voltage(into)[0] - voltage(out)[0], voltage(into)[1] - voltage(out)[1]
    unit = (x / hypot(x, y), y / hypot(x, y))
    return {into: unit, out: (-unit[0], -unit[1])}


def through_transformer(secondary: Mapping[Phase, Vector]) -> dict[Phase, Vector]:
    """Return the currents on the delta side: each conductor feeds the windings that begin and end at it."""
    found: dict[Phase, Vector] = {}
    for phase in Phase:
        begins, ends = secondary.get(phase, (0.0, 0.0)), secondary.get(BEFORE[phase], (0.0, 0.0))
        found[phase] = ((begins[0] - ends[0]) / sqrt(3), (begins[1] - ends[1]) / sqrt(3))
    return found


@cache
def on_circuit(wiring: Wiring, phases: tuple[Phase, ...]) -> dict[tuple[Phase | None, Phase | None], Vector]:
    """Return what a car of 1 A puts on each place of one circuit that it loads."""
    found: dict[tuple[Phase | None, Phase | None], Vector] = {}
    if wiring is Wiring.STAR:
        for phase in phases:
            found[phase, None] = (1.0, 0.0)
            for other in Phase:
                if other not in phases:
                    found[phase, other], found[other, phase] = (1.0, 0.0), (-1.0, 0.0)
        found[None, None] = (float(len(phases)), 0.0)
        return found
    currents = conductors(phases)
    for phase, vector in (currents if wiring is Wiring.DELTA else through_transformer(currents)).items():
        found[phase, None] = vector
    # Line-to-line volts are √3 of those to neutral, and a car on three conductors has three times a phase's power.
    found[None, None] = (3.0 if len(phases) == 3 else sqrt(3), 0.0)
    return found


def way(headrooms: Sequence[Headroom], request: Request) -> list[Headroom]:
    """Return a request's circuit and all above it."""
    circuits = {headroom.circuit_id: headroom for headroom in headrooms}
    found: list[Headroom] = []
    circuit_id: str | None = request.circuit_id
    while circuit_id is not None:
        found.append(circuits[circuit_id])
        circuit_id = circuits[circuit_id].parent_id
    return found


def places(headrooms: Sequence[Headroom], request: Request) -> dict[Place, Vector]:
    """Return what a request loads, with how much for each amp it gets."""
    allowed = limits(headrooms)
    return {
        (headroom.circuit_id, *place): vector
        for headroom in way(headrooms, request)
        for place, vector in on_circuit(headroom.wiring, request.phases).items()
        if (headroom.circuit_id, *place) in allowed
    }


def limits(headrooms: Iterable[Headroom]) -> dict[Place, float]:
    """Return the headroom of every place that has a limit."""
    found: dict[Place, float] = {}
    for headroom in headrooms:
        for phase in Phase:
            found[headroom.circuit_id, phase, None] = headroom.available_a[phase]
            for other in Phase:
                if other is not phase and headroom.imbalance is not None:
                    found[headroom.circuit_id, phase, other] = headroom.imbalance.limit_a
        if headroom.sum_a is not None:
            found[headroom.circuit_id, None, None] = headroom.sum_a
    return found


def loads(headrooms: Sequence[Headroom], requests: Sequence[Request], currents_a: Mapping[str, float]) -> dict[Place, Vector]:
    """Return what these currents put on every place, and the building where it counts."""
    found = dict.fromkeys(limits(headrooms), (0.0, 0.0))
    for headroom in headrooms:
        if headroom.imbalance is not None:
            building_a = headroom.imbalance.unmanaged_a
            for phase in Phase:
                for other in Phase:
                    if other is not phase:
                        found[headroom.circuit_id, phase, other] = (building_a[phase] - building_a[other], 0.0)
    for request in requests:
        current_a = currents_a.get(request.request_id, 0.0)
        for place, (x, y) in places(headrooms, request).items():
            found[place] = (found[place][0] + x * current_a, found[place][1] + y * current_a)
    return found


def too_full(
    headrooms: Sequence[Headroom], requests: Sequence[Request], currents_a: Mapping[str, float], *, close_a: float = CLOSE_A
) -> set[Place]:
    """Return the places that carry more than they may; one that is over its limit without any car may not carry more than then."""
    allowed, building = limits(headrooms), loads(headrooms, (), {})
    return {
        place
        for place, load in loads(headrooms, requests, currents_a).items()
        if hypot(*load) > max(allowed[place], hypot(*building[place])) + close_a
    }


def in_the_way(
    headrooms: Sequence[Headroom], requests: Sequence[Request], currents_a: Mapping[str, float], request: Request, more_a: float
) -> set[Place]:
    """Return the places on a request's way that have no room for so much more, and are not relieved by it."""
    allowed, loaded = limits(headrooms), loads(headrooms, requests, currents_a)
    found: set[Place] = set()
    for place, (x, y) in places(headrooms, request).items():
        before, after = loaded[place], (loaded[place][0] + x * more_a, loaded[place][1] + y * more_a)
        is_difference = place[2] is not None
        if hypot(*after) > max(allowed[place] + CLOSE_A, hypot(*before) + 1e-9) and (after[0] > 0 or not is_difference):
            found.add(place)
    return found


@cache
def least_a(request: Request) -> float:
    """Return the least current on the station's scale: the first step at or above min_a that is not 0."""
    steps = 1
    while steps * request.step_a < request.min_a - CLOSE_A:
        steps += 1
    return steps * request.step_a


@cache
def most_a(request: Request) -> float:
    """Return the most current on the station's scale: the last step at or below max_a."""
    steps = 0
    while (steps + 1) * request.step_a <= request.max_a + CLOSE_A:
        steps += 1
    return steps * request.step_a


def wanted(request: Request) -> bool:
    """Tell whether no plan would rather have the session wait."""
    return request.target_a is None or request.target_a >= least_a(request) - CLOSE_A


def admitted(headrooms: Sequence[Headroom], requests: Sequence[Request], already_a: Mapping[str, float] | None = None) -> dict[str, float]:
    """Return the least currents of those who fit, taken one by one in their order, beside the currents that others have already."""
    currents_a: dict[str, float] = {**(already_a or {})}
    for request in sorted(requests, key=lambda request: (request.tier, request.queue_key, request.request_id)):
        if request.request_id in currents_a or most_a(request) < least_a(request):
            continue
        if not in_the_way(headrooms, requests, currents_a, request, least_a(request)):
            currents_a[request.request_id] = least_a(request)
    return currents_a


def max_min(
    headrooms: Sequence[Headroom],
    requests: Sequence[Request],
    currents_a: Mapping[str, float],
    members: Sequence[Request],
    goal_a: Mapping[str, float],
) -> dict[str, float]:
    """Return the continuous weighted max-min fair currents of `members`, from what they have up to their goals, beside all others."""

    def at(level: float, request: Request) -> float:
        return min(max(request.weight * level, currents_a[request.request_id]), goal_a[request.request_id])

    def fits(trial_a: Mapping[str, float]) -> bool:
        return not too_full(headrooms, requests, {**currents_a, **trial_a}, close_a=1e-9)

    fixed_a: dict[str, float] = {}
    free = [request for request in members if goal_a[request.request_id] > currents_a[request.request_id]]
    while free:

        def everyone_at(level: float) -> dict[str, float]:
            return {**fixed_a, **{request.request_id: at(level, request) for request in free}}  # noqa: B023

        low, high = 0.0, max(goal_a[request.request_id] / request.weight for request in free)
        if fits(everyone_at(high)):
            return everyone_at(high)
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(everyone_at(middle)) else (low, middle)
        level_a = everyone_at(low)
        stuck = [
            request
            for request in free
            if at(low, request) >= goal_a[request.request_id] - 1e-9
            or not fits({**level_a, request.request_id: level_a[request.request_id] + 1e-6})
        ]
        assert stuck, "the level could not be raised, yet nobody was stuck"
        fixed_a |= {request.request_id: level_a[request.request_id] for request in stuck}
        free = [request for request in free if request not in stuck]
    return fixed_a


def ideal(headrooms: Sequence[Headroom], requests: Sequence[Request]) -> dict[str, float]:
    """Return the allocation without steps: guarantees, targets, and what is left to all, each tier by tier."""
    currents_a = admitted(headrooms, [request for request in requests if wanted(request)])
    for goal in ("guarantee", "target", "most"):
        if goal == "most":
            currents_a = admitted(headrooms, requests, currents_a)
        for tier in sorted({request.tier for request in requests}):
            members = [request for request in requests if request.tier == tier and request.request_id in currents_a]
            goal_a = {
                request.request_id: min(
                    most_a(request), {"guarantee": request.guarantee_a, "target": request.target_a or 0.0, "most": inf}[goal]
                )
                for request in members
            }
            currents_a = {**currents_a, **max_min(headrooms, requests, currents_a, members, goal_a)}
    return currents_a
