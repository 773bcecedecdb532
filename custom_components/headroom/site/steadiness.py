"""Who takes what only short leases allow, where the stations' flash is to be spared.

What a breaker carries for good is shared by long leases. What goes beyond it, up to what is free now, has to end within seconds if nobody
renews it: it goes to as few EVSEs as can take it, those whose stations have the most writes left, and to others once they have fewer.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..engine.deadman import EPSILON_A, LEASE_MAX_S, LEASE_MIN_S, RESPONSE_S, Held, Installed, lease_s
from ..engine.model import Allocation, Circuit, Headroom, PerPhase, Request
from ..engine.tree import path
from .evse import EvseState

SWINGING_A = 0.5
"""Who holds so much more than its steady share takes what short leases allow now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """The requests as they are shared, and the steady shares; without these everybody takes the same."""

    requests: Mapping[str, Request]
    steady: Mapping[str, Allocation] = MappingProxyType({})

    def with_reasons(self, allocations: Mapping[str, Allocation]) -> dict[str, Allocation]:
        """Return the allocations of `requests`, those at their steady share with what stops that one."""
        return {
            name: replace(each, reason=self.steady[name].reason)
            if name in self.steady and each.limit_a >= self.requests[name].max_a - EPSILON_A and each.limit_a > 0
            else each
            for name, each in allocations.items()
        }


def shortest_s(evses: Iterable[EvseState]) -> float:
    """Return the shortest lease that anybody's flash is for."""
    return min((evse.budget.shortest_s for evse in evses if evse.session is not None), default=LEASE_MIN_S)


def spares(evses: Iterable[EvseState]) -> bool:
    """Tell whether the flash of one of these EVSEs is to be spared."""
    return any(not evse.budget.plenty for evse in evses)


def steadied(
    circuits: Mapping[str, Circuit],
    requests: Mapping[str, Request],
    steady: Mapping[str, Allocation],
    free_rows: Iterable[Headroom],
    steady_rows: Iterable[Headroom],
    evses: Mapping[str, EvseState],
    now: float,
) -> Steadiness:
    """Return the requests with those who are to be steady held to what they have of what long leases allow.

    `steady` is what everybody has of `steady_rows`, which long leases allow; `free_rows` are what is free.
    """
    steady_a = {row.circuit_id: row.available_a for row in steady_rows}
    beyond_a = {
        row.circuit_id: max(free - low for free, low in zip(row.available_a, steady_a[row.circuit_id], strict=True))
        for row in free_rows
        if row.circuit_id in circuits
    }
    capped = dict(requests)
    swinging = {key for key in requests if evses[key].limit_a(now) > steady[key].limit_a + SWINGING_A}
    for key in sorted(requests, key=lambda key: (key not in swinging, -evses[key].budget.left, key)):
        request, share_a = requests[key], steady[key].limit_a
        above = [circuit.circuit_id for circuit in path(circuits, evses[key].circuit_id)]
        if any(beyond_a[each] > EPSILON_A for each in above) and evses[key].budget.swings(swinging=key in swinging):
            for each in above:
                beyond_a[each] -= request.max_a - share_a
        elif share_a < request.max_a:
            capped[key] = replace(request, max_a=min(request.max_a, max(share_a, request.min_a)), ceiling=steady[key].reason.code)
    return Steadiness(requests=capped, steady={key: steady[key] for key in capped if capped[key] is not requests[key]})


def lengths_s(
    circuits: Mapping[str, Circuit],
    holding: Mapping[str, Installed],
    arriving_a: Mapping[str, PerPhase],
    short: Collection[str],
    short_s: float,
) -> Mapping[str, float]:
    """Return how long the leases may run of those that need not be as short as `short_s`; nothing where all have to be.

    `short` are those who take more than their steady share, or whose lease is to end. When theirs have ended, what is left has to be what each breaker carries for
    good: until then the shorter ones bound how warm it is.
    """
    if short_s >= LEASE_MAX_S or not short:
        return {}
    after = [_once_ended(each, short_s) if key in short else replace(each, held=_later(each, short_s)) for key, each in holding.items()]
    longer_s = lease_s(circuits, after, short_s, arriving_a, warm=True)
    return {key: longer_s for key in holding if key not in short} if longer_s > short_s else {}


def outlasting(
    circuits: Mapping[str, Circuit], holding: Mapping[str, Installed], arriving_a: Mapping[str, PerPhase], low_a: Mapping[str, PerPhase]
) -> Collection[str]:
    """Return whose leases are to outlast all others: those below their fallbacks, `low_a`, where it matters that their cars rise as they end."""
    ended = {key: replace(holding[key], held=(Held(limit_a=told_a, for_s=0.0),)) for key, told_a in low_a.items()}
    if not ended or lease_s(circuits, [ended.get(key, each) for key, each in holding.items()], arriving_a=arriving_a) >= LEASE_MAX_S:
        return ()
    return ended


def _later(each: Installed, after_s: float) -> tuple[Held, ...]:
    """Return what it holds for longer, and its fallback where something has ended by then."""
    outlasts = tuple(held for held in each.held if held.for_s > after_s + RESPONSE_S)
    return outlasts if len(outlasts) == len(each.held) else (*outlasts, Held(limit_a=each.falls_to_a, for_s=float("inf")))


def _once_ended(each: Installed, after_s: float) -> Installed:
    return replace(each, held=(*_later(each, after_s), Held(limit_a=each.falls_to_a, for_s=float("inf"))))
