"""The fixed shares of static mode: the fallbacks are all there is, so that whatever is a limit bounds them.

They are written rarely, for limits change rarely. One that wavers is followed down at once, and up as far as the budget of writes goes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
import math
from operator import itemgetter

from ..demand_response.limits import LowestLimits
from ..engine.model import NONE_A, Allocation, Circuit, Filled, Headroom, PerPhase, Phase, Reason, ReasonCode
from ..engine.unmanaged import subtract
from .asking import ceilings_set
from .circuit import CircuitState
from .config import SiteConfig
from .evse import EvseState
from .lasting import Kept, at_least_or_nothing, not_negative, shares, taken_by
from .room import limit_a, station_row, station_rows


def fixed_shares(
    states: Mapping[str, CircuitState],
    evses: Sequence[EvseState],
    outside: Mapping[str, LowestLimits],
    config: SiteConfig,
    now: float,
) -> dict[str, Allocation]:
    """Return what each EVSE is to be told for good, by its id string: its share of what the lowest limits leave beside the building's worst.

    Every EVSE counts on all its conductors, a car or not. What persons and others set on one of them leaves the others' shares as they are.
    """

    def rows_beside(kept_a: Kept) -> list[Headroom]:
        taken = taken_by(kept_a, states, evses)
        return [
            *(_row(state, outside[circuit_id], taken[circuit_id], state.voltage_v(config)) for circuit_id, state in states.items()),
            *station_rows(evses, lambda evse: evse.rated_per_phase(kept_a.get(evse.key, 0.0)), now),
        ]

    row_of = {evse.key.station: station_row(evse.key.station) for evse in evses if evse.station_external_a(now)[0] < math.inf}
    told_a, allocations, kept_a = shares(rows_beside, evses, row_of=row_of)
    taken = taken_by(kept_a, states, evses)

    def told(evse: EvseState) -> Allocation:
        share = allocations.get(key := str(evse.key))
        reason = Reason(code=ReasonCode.STATIC) if share is None else share.reason
        if (state := states.get(circuit_id := reason.circuit_id or "")) is not None and reason.against is None:
            filled = _filled(state, outside[circuit_id], taken[circuit_id], reason.phase, state.voltage_v(config))
            reason = replace(reason, filled=filled)
        return _told(evse, told_a[key], reason, now)

    return {str(evse.key): told(evse) for evse in evses}


def _filled(state: CircuitState, outside: LowestLimits, taken_a: PerPhase, phase: Phase | None, voltage_v: float) -> Filled | None:
    """Return what fills a circuit's phase, or all of them together, where some of it is reserved for EVSEs that can't be told their shares."""
    if taken_a == NONE_A:
        return None
    worst_a = state.circuit.unmanaged_worst_a
    if phase is not None:
        most_a = limit_a(state.circuit, outside)
        return Filled(limit_a=most_a[phase], unmanaged_a=worst_a[phase], reserved_a=taken_a[phase])
    most_sum_a = min(_sums_a(state.circuit, outside, voltage_v))
    return Filled(limit_a=most_sum_a, unmanaged_a=sum(worst_a), reserved_a=sum(taken_a), watts_per_a=voltage_v)


def _sums_a(circuit: Circuit, outside: LowestLimits, voltage_v: float) -> list[float]:
    """Return what is a limit to the sum of a circuit's phases."""
    return [
        *([] if circuit.limit_w is None else [circuit.limit_w / voltage_v]),
        *([] if outside.phase_sum is None else [outside.phase_sum.limit_a]),
    ]


def _row(state: CircuitState, outside: LowestLimits, taken_a: PerPhase, voltage_v: float) -> Headroom:
    """Return what is left on a circuit; the building is taken for even."""
    circuit = state.circuit
    besides_a = sum(circuit.unmanaged_worst_a) + sum(taken_a)
    sums_a = _sums_a(circuit, outside, voltage_v)
    return Headroom(
        circuit_id=circuit.circuit_id,
        parent_id=circuit.parent_id,
        available_a=not_negative(subtract(subtract(limit_a(circuit, outside), circuit.unmanaged_worst_a), taken_a)),
        wiring=circuit.wiring,
        sum_a=max(0.0, min(sums_a) - besides_a) if sums_a else None,
        imbalance=circuit.imbalance(taken_a, any_absent=True),
    )


def _told(evse: EvseState, share_a: float, of_share: Reason, now: float) -> Allocation:
    """Return what an EVSE is told of its share, and what holds it there."""
    ceilings = ceilings_set(evse, now)
    ceiling_a, code = min(ceilings, key=itemgetter(0))
    # What the station holds a copy of is not told again: beside a lower fallback the copy would allow more as it rises, and would have to go.
    stored_a = evse.standing_a(now) if evse.standing_stored else math.inf
    told_a = min((each for each, _ in ceilings if each != stored_a), default=math.inf)
    wanted_a = at_least_or_nothing(min(share_a, told_a), max(evse.config.min_a, evse.standing_least_a)) if evse.allowed else 0.0
    reason = Reason(code=code) if ceiling_a < share_a else of_share
    return Allocation(request_id=str(evse.key), limit_a=_paced_a(evse, wanted_a, now), reason=reason)


def _paced_a(evse: EvseState, wanted_a: float, now: float) -> float:
    """Return a limit as its station's flash bears it: one that falls at once, one that rises as leases would."""
    held_a, pace = evse.fallback_a, evse.budget.pace()
    if held_a is None or wanted_a <= held_a:
        return wanted_a
    waits_s = pace.raise_every_s if wanted_a - held_a >= pace.dead_band_a else pace.dead_band_s
    return wanted_a if now - evse.changed_at >= waits_s else held_a
