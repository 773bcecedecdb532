"""The allocation's definitions once more: slow, obvious, and sharing no code with the product.

`loads` adds up what an allocation puts on each conductor, by walking from every session to the root. `max_min` is weighted
max-min fairness by its definition: raise everyone's level until somebody can rise no further, fix those, go on with the rest.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from math import inf

from custom_components.headroom.engine.model import Headroom, Phase, Request

type Place = tuple[str, Phase | None]
"""A circuit's conductor; None for all of its phases together."""

CLOSE_A = 1e-6


def places(headrooms: Sequence[Headroom], request: Request) -> dict[Place, int]:
    """Return what a request loads, with how much for each amp it gets."""
    circuits = {headroom.circuit_id: headroom for headroom in headrooms}
    found: dict[Place, int] = {}
    circuit_id: str | None = request.circuit_id
    while circuit_id is not None:
        for phase in request.phases:
            found[circuit_id, phase] = 1
        if circuits[circuit_id].sum_a is not None:
            found[circuit_id, None] = len(request.phases)
        circuit_id = circuits[circuit_id].parent_id
    return found


def limits(headrooms: Sequence[Headroom]) -> dict[Place, float]:
    """Return the headroom of every place."""
    found: dict[Place, float] = {}
    for headroom in headrooms:
        for phase in Phase:
            found[headroom.circuit_id, phase] = headroom.available_a[phase]
        found[headroom.circuit_id, None] = inf if headroom.sum_a is None else headroom.sum_a
    return found


def loads(headrooms: Sequence[Headroom], requests: Sequence[Request], currents_a: Mapping[str, float]) -> dict[Place, float]:
    """Return what these currents put on every place."""
    found = dict.fromkeys(limits(headrooms), 0.0)
    for request in requests:
        for place, coefficient in places(headrooms, request).items():
            found[place] += coefficient * currents_a.get(request.request_id, 0.0)
    return found


def too_full(
    headrooms: Sequence[Headroom], requests: Sequence[Request], currents_a: Mapping[str, float], *, close_a: float = CLOSE_A
) -> set[Place]:
    """Return the places that carry more than they may; one over its limit already may carry nothing."""
    allowed = limits(headrooms)
    return {place for place, load_a in loads(headrooms, requests, currents_a).items() if load_a > max(0.0, allowed[place]) + close_a}


def in_the_way(
    headrooms: Sequence[Headroom], requests: Sequence[Request], currents_a: Mapping[str, float], request: Request, more_a: float
) -> set[Place]:
    """Return the places on a request's way that have no room for so much more."""
    allowed, loaded = limits(headrooms), loads(headrooms, requests, currents_a)
    return {
        place
        for place, coefficient in places(headrooms, request).items()
        if loaded[place] + coefficient * more_a > allowed[place] + CLOSE_A
    }


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


def admitted(headrooms: Sequence[Headroom], requests: Sequence[Request]) -> dict[str, float]:
    """Return the least currents of those who fit, taken one by one in their order."""
    currents_a: dict[str, float] = {}
    for request in sorted(requests, key=lambda request: (request.tier, request.queue_key, request.request_id)):
        if most_a(request) >= least_a(request) and not in_the_way(headrooms, requests, currents_a, request, least_a(request)):
            currents_a[request.request_id] = least_a(request)
    return currents_a


def max_min(
    headrooms: Sequence[Headroom], requests: Sequence[Request], others_a: Mapping[str, float], members: Sequence[Request]
) -> dict[str, float]:
    """Return the continuous weighted max-min fair currents of `members`, beside the fixed currents of all others."""

    def at(level: float, request: Request) -> float:
        return min(max(request.weight * level, least_a(request)), most_a(request))

    def fits(currents_a: Mapping[str, float]) -> bool:
        return not too_full(headrooms, requests, {**others_a, **currents_a}, close_a=1e-9)

    fixed_a: dict[str, float] = {}
    free = list(members)
    while free:

        def everyone_at(level: float) -> dict[str, float]:
            return {**fixed_a, **{request.request_id: at(level, request) for request in free}}  # noqa: B023

        low, high = 0.0, max(most_a(request) / request.weight for request in free)
        if fits(everyone_at(high)):
            return everyone_at(high)
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(everyone_at(middle)) else (low, middle)
        level_a = everyone_at(low)
        stuck = [
            request
            for request in free
            if at(low, request) >= most_a(request) - 1e-9 or not fits({**level_a, request.request_id: level_a[request.request_id] + 1e-6})
        ]
        assert stuck, "the level could not be raised, yet nobody was stuck"
        fixed_a |= {request.request_id: level_a[request.request_id] for request in stuck}
        free = [request for request in free if request not in stuck]
    return fixed_a
