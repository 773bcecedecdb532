"""The fallbacks to install: what holds without us."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from ..engine.allocate import allocate
from ..engine.deadman import fallback_room, sums
from ..engine.model import Circuit, Headroom, PerPhase, Phase, Request
from ..engine.stability import Holding, steady
from ..engine.unmanaged import subtract
from .circuit import CircuitState
from .config import EvseKey
from .evse import EvseState
from .led import doubtful

type _Claim = tuple[EvseKey, str, tuple[Phase, ...], float, float, float]
"""An EVSE, its circuit and conductors, its rating, its least current, and what lasts there now."""


def fallbacks(
    states: Mapping[str, CircuitState], evses: Sequence[EvseState], *, contract_voltage_v: float | None = None
) -> dict[str, float]:
    """Return the fallback to tell each EVSE now: the fixed shares of what is left when the building draws its worst.

    Every EVSE counts on all its conductors, a car or not, and keeps its share whatever a person sets: it is written rarely.
    Raises wait until the others' cuts are confirmed. An EVSE in doubt keeps what it has, and the others give way to its rating.
    `contract_voltage_v`, to neutral, is given where the fallbacks are all there is: then limits in watts and to the imbalance bound them
    too, whichever cars are there. Where leases lead, they bound those: no breaker trips by a contract.
    """
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    led, doubted = [evse for evse in evses if not doubtful(evse)], [evse for evse in evses if doubtful(evse)]
    taken = sums(circuits, ((evse.circuit_id, evse.rated_per_phase(evse.rated_a)) for evse in doubted))
    rows = [
        Headroom(
            circuit_id=circuit_id,
            parent_id=state.circuit.parent_id,
            available_a=_not_negative(subtract(fallback_room(state.circuit), taken[circuit_id])),
            wiring=state.circuit.wiring,
            sum_a=_contract_room_a(state.circuit, taken[circuit_id], contract_voltage_v),
            # The building is taken for even.
            imbalance=None if contract_voltage_v is None else state.circuit.imbalance(taken[circuit_id], any_absent=True),
        )
        for circuit_id, state in states.items()
    ]
    claims = tuple((evse.key, evse.circuit_id, evse.rated_phases, evse.rated_a, evse.config.min_a, evse.lasting_a) for evse in led)
    shares = dict(_shares(tuple(rows), claims))
    shares |= {str(evse.key): evse.fallback_a or 0.0 for evse in doubted}
    return {
        (key := str(evse.key)): at_least_or_nothing(min(shares[key], evse.user_max_a), evse.config.min_a) if evse.allowed else 0.0
        for evse in evses
    }


@lru_cache(maxsize=8)
def _shares(rows: tuple[Headroom, ...], claims: tuple[_Claim, ...]) -> Mapping[str, float]:
    """Return the fixed share to tell each now; kept, for from turn to turn it is nearly always the same question."""
    requests = [
        Request(request_id=str(key), circuit_id=circuit_id, phases=phases, max_a=rated_a, min_a=min_a)
        for key, circuit_id, phases, rated_a, min_a, _ in claims
    ]
    holdings = {str(key): Holding(limit_a=held_a, reserved_a=held_a) for key, *_, held_a in claims}
    return MappingProxyType(steady(requests, allocate(rows, requests), holdings, rows, now=0.0, may_raise=set(holdings)))


def _contract_room_a(circuit: Circuit, taken_a: PerPhase, voltage_v: float | None) -> float | None:
    """Return what a limit in watts leaves beside the worst case, summed over the phases; None where none counts."""
    if circuit.limit_w is None or voltage_v is None:
        return None
    return max(0.0, circuit.limit_w / voltage_v - sum(circuit.unmanaged_worst_a) - sum(taken_a))


def at_least_or_nothing(limit_a: float, min_a: float) -> float:
    """Return a limit that a station may be told: 0 A below the least current."""
    return limit_a if limit_a >= min_a else 0.0


def _not_negative(values: PerPhase) -> PerPhase:
    return (max(0.0, values[0]), max(0.0, values[1]), max(0.0, values[2]))
