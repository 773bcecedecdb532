"""What belongs to a reason: what fills the place it lies in, the tier, what a plan makes of the session, and when it is its turn."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .model import Allocation, Filled, Headroom, Outlook, Phase, Reason, ReasonCode, Request
from .plan import Planned, watts_per_a
from .priority import MOST_TIERS
from .rotation import HOUR_S, LEAST_OFF_S, MOST_PAUSES, TURN_S, Turn, turn, urgency_of
from .rows import TOLERANCE_A
from .tree import path

PLACED = frozenset({ReasonCode.CIRCUIT, ReasonCode.IMBALANCE, ReasonCode.WAITING})
"""The reasons that lie in a place of the tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a circuit is kept at or below, and what it carries besides the cars; `limit_w` is a power ceiling, at `voltage_v`.

    `unmanaged_total_a` is the same of all phases together where it is less than their sum, since it may be on any of them.
    """

    limit_a: Sequence[float]
    unmanaged_a: Sequence[float]
    unmanaged_total_a: float | None = None
    limit_w: float | None = None
    voltage_v: float = 230.0


type Place = tuple[str, Phase | None, Phase | None]
"""A circuit, its conductor (None: all together), and the one that it may not rise too far above."""


def with_circumstances(
    allocations: Mapping[str, Allocation],
    requests: Sequence[Request],
    headrooms: Sequence[Headroom],
    limits: Mapping[str, Limits],
    planned: Mapping[str, Planned],
    *,
    now: float,
) -> dict[str, Allocation]:
    """Return the allocations with all that belongs to their reasons; `limits` are those of the circuits that have a fuse."""
    rows = {headroom.circuit_id: headroom for headroom in headrooms}
    tiers = sorted({request.tier for request in requests if request.max_a >= request.min_a and request.tier <= MOST_TIERS})
    starts = turns_end(allocations, requests, rows, now)
    places: dict[tuple[str | None, Phase | None, Phase | None], Filled | None] = {}
    result: dict[str, Allocation] = {}
    for request in requests:
        allocation, plan = allocations[request.request_id], planned.get(request.request_id)
        reason = allocation.reason
        told: dict[str, Any] = {
            "tier": 0 if request.tier > MOST_TIERS else 1 + tiers.index(request.tier) if request.tier in tiers else 1,
            "tiers": max(1, len(tiers)),
        }
        if plan is not None:
            told["outlook"] = outlook(request, plan, now)
        if reason.code in PLACED:
            where = (reason.circuit_id, reason.phase, reason.against)
            if where not in places:
                places[where] = filled(reason, rows, limits)
            told["filled"] = places[where]
        if reason.code is ReasonCode.WAITING:
            told |= when(request, plan, starts.get(request.request_id), now)
        elif reason.code is ReasonCode.RESTING and request.past.pauses_at:
            told["next_at"] = request.past.pauses_at[-1] + LEAST_OFF_S
        elif reason.code not in PLACED and 0 < allocation.limit_a < request.max_a - TOLERANCE_A:
            told["rounded_from_a"] = request.max_a
        result[request.request_id] = Allocation(
            request_id=allocation.request_id, limit_a=allocation.limit_a, reason=replace(reason, **told)
        )
    return result


def when(request: Request, plan: Planned | None, turn_at: float | None, now: float) -> dict[str, Any]:
    """Return why and until when a session waits: `turn_at` is when its turn may come where no plan says when it starts."""
    if plan is None:
        return {"least_a": request.min_a, "next_at": turn_at}
    later = turn(request, plan.target_a, now) > Turn.STARTS
    code = ReasonCode.POSTPONED if later else ReasonCode.WAITING
    return {"code": code, "least_a": request.min_a, "next_at": _to_come(plan.starts_at, now)}


def filled(reason: Reason, rows: Mapping[str, Headroom], limits: Mapping[str, Limits]) -> Filled | None:
    """Return what fills the place of a reason besides the cars; None where it is no circuit's."""
    if reason.circuit_id is None or (row := rows.get(reason.circuit_id)) is None:
        return None
    if reason.against is not None and reason.phase is not None:
        if row.imbalance is None:
            return None
        unmanaged_a = row.imbalance.unmanaged_a[reason.phase] - row.imbalance.unmanaged_a[reason.against]
        return Filled(limit_a=row.imbalance.limit_a, unmanaged_a=unmanaged_a)
    limit = limits.get(reason.circuit_id)
    if limit is None:
        return None
    if reason.phase is not None:
        return _filled(limit.limit_a[reason.phase], limit.unmanaged_a[reason.phase], row.available_a[reason.phase], None)
    if limit.limit_w is None or row.sum_a is None:
        return None
    total_a = sum(limit.unmanaged_a) if limit.unmanaged_total_a is None else limit.unmanaged_total_a
    return _filled(limit.limit_w / limit.voltage_v, total_a, row.sum_a, limit.voltage_v)


def _filled(limit_a: float, unmanaged_a: float, available_a: float, watts_per_a: float | None) -> Filled:
    reserved_a = max(0.0, limit_a - unmanaged_a - available_a)
    return Filled(limit_a=limit_a, unmanaged_a=unmanaged_a, reserved_a=reserved_a, watts_per_a=watts_per_a)


def outlook(request: Request, plan: Planned, now: float) -> Outlook | None:
    """Return what a plan makes of a session; None where nobody knows what it needs."""
    need = request.need
    if need.energy_wh is None:
        return None
    return Outlook(energy_wh=need.energy_wh, departs_at=_to_come(need.departs_at, now), ready_at=_to_come(plan.ready_at, now))


def _to_come(at: float | None, now: float) -> float | None:
    return at if at is not None and at > now else None


# Turns


def turns_end(
    allocations: Mapping[str, Allocation], requests: Iterable[Request], rows: Mapping[str, Headroom], now: float
) -> dict[str, float]:
    """Return for those that wait when it may be their turn: when the turns of those before them in the queue end, one after the other.

    Only who charges in the same place and tier makes way; where nobody does, it can't be told.
    """
    by_id = {request.request_id: request for request in requests}
    waiting: dict[tuple[Place, int], list[Request]] = {}
    for request in by_id.values():
        reason = allocations[request.request_id].reason
        if reason.code is ReasonCode.WAITING and reason.circuit_id is not None:
            waiting.setdefault(((reason.circuit_id, reason.phase, reason.against), request.tier), []).append(request)
    if not waiting:
        return {}
    charging = [request for name, request in by_id.items() if allocations[name].limit_a > 0]
    above = {circuit_id: {each.circuit_id for each in path(rows, circuit_id)} for circuit_id in {each.circuit_id for each in charging}}
    starts: dict[str, float] = {}
    for ((circuit_id, phase, _), tier), queue in waiting.items():
        ends = sorted(
            end
            for request in charging
            if request.tier == tier and circuit_id in above[request.circuit_id] and (phase is None or phase in request.phases)
            if (end := turn_ends_at(request, now)) is not None
        )
        for place, request in enumerate(sorted(queue, key=lambda each: _queue_key(each, now)) if ends else ()):
            rounds, index = divmod(place, len(ends))
            starts[request.request_id] = ends[index] + rounds * TURN_S
    return starts


def turn_ends_at(request: Request, now: float) -> float | None:
    """Return when a session that charges may have to make way, not before now; None where it never has to, or has only just begun."""
    past = request.past
    if not request.pausable or past.limit_a <= 0:
        return None
    lately = [at for at in past.pauses_at if now - at < HOUR_S]
    tired = lately[-MOST_PAUSES] + HOUR_S if len(lately) >= MOST_PAUSES else now
    return max(now, past.changed_at + TURN_S, tired)


def _queue_key(request: Request, now: float) -> tuple[float, float, float, str]:
    """Order those that wait as `line_up` does without a plan."""
    urgency = urgency_of(request, request.max_a * watts_per_a(request), now)
    return (urgency, -request.past.short_wh, request.queue_key, request.request_id)
