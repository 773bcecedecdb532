"""How the site is shared: the policies, all through the same filling, with the same certificates."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum

from .allocate import allocate
from .model import Allocation, Headroom, Request
from .plan import plan, watts_per_a
from .programme import NoOptimumError
from .rotation import line_up

READY_WH = 1500.0
"""What a car that is ready is worth beside its energy, under the policy that wants most cars ready."""


class Policy(StrEnum):
    """What the user wants the site to be shared for."""

    MOST_CARS_READY = "most_cars_ready"
    """As many cars as can be have what they need when they leave; what is left is energy for all. The default."""
    MOST_ENERGY = "most_energy"
    """As much energy as can be, whoever gets it."""
    EQUAL_CURRENT = "equal_current"
    """The same amps for all that can use them."""
    EQUAL_POWER = "equal_power"
    """The same watts for all that can use them, whether they charge on one phase or on three."""
    PROPORTIONAL = "proportional"
    """In proportion to what each could draw."""
    PRIORITY = "priority"
    """By tier and weight: as much as it can take to the first, then to the next."""
    FIRST_COME = "first_come"
    """As much as it can take to who came first, then to the next."""


PLANNED = {Policy.MOST_CARS_READY: READY_WH, Policy.MOST_ENERGY: 0.0}
"""The policies that look ahead, with what a car that is ready is worth to them."""


def targets(headrooms: Sequence[Headroom], requests: Sequence[Request], policy: Policy, *, now: float) -> dict[str, float]:
    """Return what a plan gives to each session now, in amps; nothing under policies without one, or where there is no optimum."""
    if policy not in PLANNED:
        return {}
    try:
        return plan(headrooms, requests, ready_wh=PLANNED[policy], now=now)
    except NoOptimumError:
        return {}


def share(
    headrooms: Sequence[Headroom], requests: Sequence[Request], policy: Policy, *, now: float, targets_a: Mapping[str, float] | None = None
) -> dict[str, Allocation]:
    """Return the allocation of each request by its id, as `allocate` does; `targets_a` is a plan made before, None: it is made now."""
    if targets_a is None:
        targets_a = targets(headrooms, requests, policy, now=now)
    wiring = {headroom.circuit_id: headroom.wiring for headroom in headrooms}
    watts = {request.request_id: watts_per_a(request, wiring[request.circuit_id]) for request in requests}
    shaped = shape(requests, policy, watts)
    powers_w = {request.request_id: watts[request.request_id] * request.max_a for request in requests}
    return allocate(headrooms, line_up(shaped, targets_a, powers_w, now))


def shape(requests: Sequence[Request], policy: Policy, watts: Mapping[str, float]) -> Sequence[Request]:
    """Return the requests with the weights or tiers that a policy gives them; `watts` are what each amp carries, by request."""
    match policy:
        case Policy.EQUAL_POWER:
            return [replace(each, weight=each.weight / watts[each.request_id]) for each in requests]
        case Policy.PROPORTIONAL:
            return [replace(each, weight=each.weight * max(each.max_a, each.min_a)) for each in requests]
        case Policy.PRIORITY:
            return one_by_one(sorted(requests, key=lambda each: (each.tier, -each.weight, each.past.arrived_at, each.request_id)))
        case Policy.FIRST_COME:
            return one_by_one(sorted(requests, key=lambda each: (each.past.arrived_at, each.request_id)))
        case _:
            return requests


def one_by_one(requests: Sequence[Request]) -> list[Request]:
    """Return the requests each in a tier of its own, in this order."""
    return [replace(request, tier=place) for place, request in enumerate(requests)]
