"""Whose leases are short, where the stations' flash is to be spared.

What a breaker carries for good bears leases of five minutes. What is free now is mostly more, and has to end within seconds if nobody
renews it: so the leases of a few end soon, just enough of them that what is left then is carried for good (inside the limit, while writes
are plenty). They are those whose limits fall deepest as they end and whose stations have the most writes left; they stay the same ones
until they have few left, and others follow. Where too few have any left, those who have none are held to what long leases allow.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
import math
from types import MappingProxyType

from ..engine.deadman import EPSILON_A, LEASE_MAX_S, LEASE_MIN_S, RESPONSE_S, Held, Installed, beyond_a, lease_s
from ..engine.model import Allocation, Circuit, Headroom, PerPhase, Request
from ..engine.tree import path
from ..engine.unmanaged import highest, subtract
from ..engine.write_budget import WriteBudget
from .evse import EvseState
from .lateness import UNCONFIRMED_S

AGAIN = 1.25
"""Once those without writes are held, the falls of the others have to be so many times what is beyond before they are let go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """The requests as they are shared, and the steady shares of those who are held to them; without these everybody takes the same."""

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
    """Return the shortest lease that their flash is for, taken together: a few of them hold it for all."""
    left = [evse.budget.left for evse in evses if evse.session is not None]
    return WriteBudget(left=sum(left) / len(left)).shortest_s if left else LEASE_MIN_S


def spares(evses: Iterable[EvseState]) -> bool:
    """Tell whether one of these EVSEs has too few writes left for short leases."""
    return any(not evse.may_swing for evse in evses)


def covered(
    circuits: Mapping[str, Circuit],
    requests: Mapping[str, Request],
    shares: Mapping[str, Allocation],
    steady_rows: Iterable[Headroom],
    evses: Mapping[str, EvseState],
) -> bool:
    """Tell whether the shares are what long leases allow once the leases of those have ended that have writes left for short ones."""
    long_a = {row.circuit_id: row.available_a for row in steady_rows}
    beyond_a = {each: [-left for left in long_a[each]] for each in circuits}
    held = any(evse.held_steady for evse in evses.values())
    for key, request in requests.items():
        evse, share_a = evses[key], shares[key].limit_a
        falls_a = max(0.0, share_a - evse.lasting_a) if evse.may_swing else 0.0
        left_a = share_a - falls_a / AGAIN if held else share_a - falls_a
        for circuit in path(circuits, evse.circuit_id):
            for phase in request.phases:
                beyond_a[circuit.circuit_id][phase] += left_a
    return all(each <= EPSILON_A for of_circuit in beyond_a.values() for each in of_circuit)


def steadied(requests: Mapping[str, Request], steady: Mapping[str, Allocation], evses: Mapping[str, EvseState]) -> Steadiness:
    """Return the requests with those who have too few writes left held to what they have of what long leases allow, `steady`."""
    held = {
        key: replace(request, max_a=min(request.max_a, max(steady[key].limit_a, request.min_a)), ceiling=steady[key].reason.code)
        for key, request in requests.items()
        if steady[key].limit_a < request.max_a and not evses[key].may_swing
    }
    return Steadiness(requests={**requests, **held}, steady={key: steady[key] for key in held})


def shortened(
    circuits: Mapping[str, Circuit],
    holding: Mapping[str, Installed],
    arriving_a: Mapping[str, PerPhase],
    evses: Mapping[str, EvseState],
    early: Collection[str],
) -> set[str]:
    """Return whose leases have to be short for all others to be long: those that are to end `early`, and which of `evses` beside them.

    As long as nearly all writes are at hand there are more of them: so many that what is left is inside the limit. A station that confirms
    late is one only where it has to be: a short lease may be over before the next one holds.
    """
    carried_a, limit_a = (beyond_a(circuits, holding.values(), arriving_a, for_s) for for_s in (LEASE_MAX_S, math.inf))
    falls_a = {key: subtract(highest(holding[key].most_a, holding[key].falls_to_a), holding[key].falls_to_a) for key in holding}
    short = set[str]()
    ranked = sorted(evses, key=lambda key: _last_to_be_short(evses[key], falls_a[key], key)) if _any(limit_a) else []
    for key in [*early, *ranked]:
        way, fall_a = path(circuits, holding[key].circuit_id), falls_a[key]
        left_a = limit_a if key in evses and evses[key].budget.nearly_full and not _confirms_late(evses[key]) else carried_a
        if key not in early and not any(
            left > EPSILON_A and fall > EPSILON_A for circuit in way for left, fall in zip(left_a[circuit.circuit_id], fall_a, strict=True)
        ):
            continue
        short.add(key)
        for circuit in way:
            carried_a[circuit.circuit_id] = subtract(carried_a[circuit.circuit_id], fall_a)
            limit_a[circuit.circuit_id] = subtract(limit_a[circuit.circuit_id], fall_a)
    return short


def _confirms_late(evse: EvseState) -> bool:
    return evse.answers_s > UNCONFIRMED_S or (evse.unanswered_lease_a > 0 and evse.in_flight_a is None)


def _last_to_be_short(evse: EvseState, falls_a: PerPhase, key: str) -> tuple[bool, bool, bool, float, str]:
    return (not evse.may_swing, _confirms_late(evse), not evse.swinging, -max(0.0, evse.budget.left) * sum(falls_a), key)


def _any(beyond_a: Mapping[str, PerPhase]) -> bool:
    return any(max(each) > EPSILON_A for each in beyond_a.values())


def lengths_s(
    circuits: Mapping[str, Circuit],
    holding: Mapping[str, Installed],
    arriving_a: Mapping[str, PerPhase],
    short: Collection[str],
    short_s: float,
) -> Mapping[str, float]:
    """Return how long the leases may run of those that need not be as short as `short_s`; nothing where all have to be.

    When the leases of `short` have ended, what is left has to be what each breaker carries for good: until then they bound how warm it is.
    """
    if short_s >= LEASE_MAX_S or not short:
        return {}
    after = [_once_ended(each) if key in short else replace(each, held=_later(each, short_s)) for key, each in holding.items()]
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
    return outlasts if len(outlasts) == len(each.held) else (*outlasts, Held(limit_a=each.falls_to_a, for_s=math.inf))


def _once_ended(each: Installed) -> Installed:
    """Return what it holds once a short lease has ended that takes the place of what it holds now, within a round trip, until which raises wait."""
    lasts = (held for held in each.held if held.for_s == math.inf)
    return replace(each, held=(*lasts, Held(limit_a=each.falls_to_a, for_s=math.inf)))
