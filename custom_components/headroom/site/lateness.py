"""Cuts that do not take hold in time: what a slow station's car may still draw is taken off the others until it is seen to be gone."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
import math

from ..engine.deadman import EPSILON_A, sums
from ..engine.model import Allocation, Circuit, Headroom, Request
from ..engine.unmanaged import subtract
from .evse import EvseState

UNCONFIRMED_S = 3.0
"""A station that has not confirmed a cut by then is slow…"""
UNSEEN_S = 8.0
"""…and so is one whose car was not seen to follow by then: a second longer than an overdraw is given."""
LATE_A = 0.5


def note(evse: EvseState, told_a: float | None, now: float) -> None:
    """Write down since when an EVSE may draw more than it is told."""
    waits = told_a is not None and evse.reserved_a(now) > told_a + LATE_A
    evse.cut_since = min(evse.cut_since, now) if waits else math.inf


def late(evse: EvseState, now: float) -> bool:
    """Tell whether a cut of its limit should have taken hold by now, and has not."""
    order = evse.wanted_lease
    told_a = evse.in_flight_a if evse.in_flight_a is not None else math.inf if order is None else order.limit_a
    return now - evse.cut_since > (UNCONFIRMED_S if told_a < evse.limit_a(now) else UNSEEN_S)


def beside_late(
    allocations: Mapping[str, Allocation],
    requests: Sequence[Request],
    rows: Sequence[Headroom],
    circuits: Mapping[str, Circuit],
    evses: Mapping[str, EvseState],
    again: Callable[[Sequence[Headroom], Sequence[Request]], Mapping[str, Allocation]],
    now: float,
) -> Mapping[str, Allocation]:
    """Return the allocations with the others cut by what those may still draw whose cuts are late.

    `again` shares other rows among other requests. Nobody is paused for it: a contactor outlasts no slow station's every cut, and what
    a breaker can't bear is seen to by the last resort.
    """
    beyond_a = {
        key: evse.reserved_a(now) - allocations[key].limit_a
        for key, evse in evses.items()
        if late(evse, now) and evse.reserved_a(now) > allocations[key].limit_a + LATE_A
    }
    if not beyond_a:
        return allocations
    taken = sums(circuits, ((evses[key].circuit_id, evses[key].per_phase(more_a)) for key, more_a in beyond_a.items()))
    left = [
        replace(
            row,
            available_a=subtract(row.available_a, taken[row.circuit_id]),
            sum_a=None if row.sum_a is None else row.sum_a - sum(taken[row.circuit_id]),
        )
        if row.circuit_id in taken
        else row
        for row in rows
    ]
    theirs = [replace(each, max_a=allocations[each.request_id].limit_a) if each.request_id in beyond_a else each for each in requests]
    lower = again(left, theirs)
    result = dict(allocations)
    for request in requests:
        key, before = request.request_id, allocations[request.request_id]
        least_a = min(before.limit_a, max(lower[key].limit_a, request.min_a))
        if key not in beyond_a and least_a < before.limit_a - EPSILON_A:
            result[key] = replace(before, limit_a=least_a, reason=lower[key].reason if lower[key].limit_a > 0 else before.reason)
    return result
