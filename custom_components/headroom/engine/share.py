"""How the site is shared: the policies, all through the same filling, with the same certificates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from .allocate import allocate
from .model import Allocation, Headroom, ReasonCode, Request
from .plan import STARTS, Planned, plan, watts_per_a
from .prices import Price
from .rotation import GOES_ON, held, line_up


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
    """As much as it can take to who came first, then to the next, inside a tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What a policy looks ahead for: see `plan`."""

    ready_wh: float = 0.0
    spare_s: float = 0.0
    weighs_errors: bool = False


PLANNED = {Policy.MOST_CARS_READY: Aim(ready_wh=1500.0, spare_s=2700.0), Policy.MOST_ENERGY: Aim(weighs_errors=True)}
"""The policies that look ahead. Nobody leaves to the minute: who is to be ready is so three quarters of an hour before, where it can be.

Where energy is all that counts that costs too much: there each hour counts by how likely the car is to be there still. That in turn
leaves more cars short of a little, and so it is nothing for most cars ready.
"""


def look_ahead(
    headrooms: Sequence[Headroom],
    requests: Sequence[Request],
    policy: Policy,
    *,
    now: float,
    prices: Sequence[Price] = (),
    solver: bool = True,
) -> dict[str, Planned]:
    """Return what a plan gives each session whose need is known; nothing under policies without one.

    Those whose need nobody knows keep what is fair, and the others are planned in what that leaves. Raises NoOptimumError where
    HiGHS is not to be had; without `solver` it is not asked. `prices` are those of energy, where they are known.
    """
    if policy not in PLANNED or all(request.need.energy_wh is None for request in requests):
        return {}
    besides_a: dict[str, float] = {}
    if any(request.need.energy_wh is None for request in requests):
        besides_a = {name: each.limit_a for name, each in share(headrooms, requests, Policy.EQUAL_CURRENT, {}, now=now).items()}
    aim = PLANNED[policy]
    return plan(
        headrooms,
        requests,
        ready_wh=aim.ready_wh,
        spare_s=aim.spare_s,
        weighs_errors=aim.weighs_errors,
        now=now,
        besides_a=besides_a,
        prices=prices,
        solver=solver,
    )


def share(
    headrooms: Sequence[Headroom], requests: Sequence[Request], policy: Policy, planned: Mapping[str, Planned], *, now: float
) -> dict[str, Allocation]:
    """Return the allocation of each request by its id, as `allocate` does; `planned` is what `look_ahead` said, a while ago at most.

    A session that the plan does not know, or any where there is none, gets what is fair. One that the plan gives too little to
    start starts all the same where the others can't use up what it leaves: where all together then have more.
    """
    wiring = {headroom.circuit_id: headroom.wiring for headroom in headrooms}
    watts = {request.request_id: watts_per_a(request, wiring[request.circuit_id]) for request in requests}
    shaped = [patient(request, planned.get(request.request_id), now) for request in shape(requests, policy, watts)]
    powers_w = {request.request_id: watts[request.request_id] * request.max_a for request in requests}
    targets_a = {name: each.target_a for name, each in planned.items()}
    allocations = allocate(headrooms, line_up(shaped, targets_a, powers_w, now))
    refused_a = {
        request.request_id: request.min_a
        for request in requests
        if GOES_ON * request.min_a <= targets_a.get(request.request_id, 0.0) < STARTS * request.min_a
        and allocations[request.request_id].reason.code is ReasonCode.WAITING
    }
    if not refused_a:
        return allocations
    others = allocate(headrooms, line_up(shaped, targets_a | refused_a, powers_w, now))
    return max(allocations, others, key=lambda each: total_w(each, watts))


def patient(request: Request, planned: Planned | None, now: float) -> Request:
    """Return a request that takes no more than the plan gives it, where the plan has it wait for cheaper energy.

    A car that must not be paused now goes on with its least current.
    """
    if planned is None or not planned.waits:
        return request
    goes_on = request.past.limit_a > 0 and held(request, now)
    starts = planned.target_a >= STARTS * request.min_a
    most_a = max(planned.target_a, request.min_a) if goes_on or starts else 0.0
    return replace(request, max_a=most_a, ceiling=ReasonCode.CHEAPER) if most_a < request.max_a else request


def total_w(allocations: Mapping[str, Allocation], watts: Mapping[str, float]) -> float:
    """Return the power of all together."""
    return round(sum(watts[name] * each.limit_a for name, each in allocations.items()), 3)


def shape(requests: Sequence[Request], policy: Policy, watts: Mapping[str, float]) -> Sequence[Request]:
    """Return the requests with the weights or tiers that a policy gives them; `watts` are what each amp carries, by request."""
    match policy:
        case Policy.EQUAL_POWER:
            return [replace(each, weight=each.weight / watts[each.request_id]) for each in requests]
        case Policy.PROPORTIONAL:
            return [replace(each, weight=each.weight * max(each.max_a, each.min_a, each.step_a)) for each in requests]
        case Policy.PRIORITY:
            return one_by_one(sorted(requests, key=lambda each: (each.tier, -each.weight, each.past.arrived_at, each.request_id)))
        case Policy.FIRST_COME:
            return one_by_one(sorted(requests, key=lambda each: (each.tier, each.past.arrived_at, each.request_id)))
        case _:
            return requests


def one_by_one(requests: Sequence[Request]) -> list[Request]:
    """Return the requests each in a tier of its own, in this order."""
    return [replace(request, tier=place) for place, request in enumerate(requests)]
