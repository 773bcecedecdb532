"""From what each car should have to what it is told now: decreases at once, increases slowly, and never on borrowed current.

A freed amp is handed on only when it is seen to be gone: until then it stays reserved for the car that had it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
import math

from .model import Allocation, Headroom, Request
from .rows import loads_of, put, room_a, rows_of
from .write_budget import BRISK, Pace

EPSILON_A = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a session has: the limit in force, what must be reserved for it, when its limit last changed, and since when it could be higher.

    `reserved_a` is at least `limit_a`, and more while a cut is not confirmed or not yet seen in the car's draw.
    """

    limit_a: float
    reserved_a: float
    changed_at: float = -math.inf
    roomy_since: float = -math.inf
    pace: Pace = BRISK
    """How its limit is raised, by what its station's flash has left for the day."""


def steady(
    requests: Sequence[Request],
    allocations: Mapping[str, Allocation],
    holdings: Mapping[str, Holding],
    headrooms: Sequence[Headroom],
    *,
    now: float,
    may_raise: Collection[str],
) -> dict[str, float]:
    """Return the limit to tell each session now, in amps; every sum stays inside `headrooms` while the cuts take effect.

    `may_raise` holds the ids of those whose circuits have fresh readings.
    """
    rows = rows_of(headrooms)
    loads = {request.request_id: loads_of(rows[request.circuit_id], request.phases) for request in requests}
    told: dict[str, float] = {}
    raises: list[Request] = []
    for request in requests:
        holding, target_a = holdings[request.request_id], allocations[request.request_id].limit_a
        told[request.request_id] = min(holding.limit_a, target_a)
        put(loads[request.request_id], holding.reserved_a)
        if target_a > holding.limit_a + EPSILON_A and request.request_id in may_raise:
            raises.append(request)

    raises.sort(key=lambda request: (request.tier, holdings[request.request_id].limit_a, request.queue_key, request.request_id))
    for request in raises:
        holding, target_a = holdings[request.request_id], allocations[request.request_id].limit_a
        held_s = now - holding.changed_at
        wanted_a = target_a - holding.limit_a
        pace = holding.pace if holding.limit_a > 0 else BRISK  # one that has nothing is not kept waiting
        waits = held_s < pace.dead_band_s or now - holding.roomy_since < pace.roomy_s
        if held_s < pace.raise_every_s or (wanted_a < pace.dead_band_a and waits and holding.limit_a > 0):
            continue
        reachable_a = min(target_a, holding.reserved_a + room_a(loads[request.request_id]))
        limit_a = math.floor(reachable_a / request.step_a + EPSILON_A) * request.step_a
        if limit_a > holding.limit_a + EPSILON_A and limit_a >= request.min_a - EPSILON_A:
            told[request.request_id] = limit_a
            put(loads[request.request_id], max(0.0, limit_a - holding.reserved_a))
    return told
