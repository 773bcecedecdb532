"""The fallbacks to install: what holds without us."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from ..engine.allocate import allocate
from ..engine.deadman import fallback_room, sums
from ..engine.model import Allocation, Headroom, PerPhase, Phase, Request
from ..engine.stability import Holding, steady
from ..engine.unmanaged import subtract
from .circuit import CircuitState
from .config import EvseKey
from .evse import EvseState
from .led import doubtful

type _Claim = tuple[EvseKey, str, tuple[Phase, ...], float, float, float]
"""An EVSE, its row of headroom and conductors, its rating, its least current, and what lasts there now."""


def fallbacks(states: Mapping[str, CircuitState], evses: Sequence[EvseState], *, just_paused: Collection[EvseKey] = ()) -> dict[str, float]:
    """Return the fallback to tell each EVSE now: the fixed shares of what is left when the building draws its worst.

    Every EVSE counts on all its conductors, a car or not, and keeps its share whatever a person sets: it is written rarely.
    Raises wait until the others' cuts are confirmed. An EVSE in doubt keeps what it has, and the others give way to its rating.
    Breakers alone bound them: leases lead, and what else is a limit bounds those. Where none do, see `fixed.py`.
    `just_paused` are those whose pause is left to their leases yet: they keep their shares.
    """
    taken = taken_by_doubted_a(states, evses)
    rows = [
        Headroom(
            circuit_id=circuit_id,
            parent_id=state.circuit.parent_id,
            available_a=not_negative(subtract(fallback_room(state.circuit), taken[circuit_id])),
            wiring=state.circuit.wiring,
        )
        for circuit_id, state in states.items()
    ]
    told_a, _ = shares(rows, evses)
    return {
        (key := str(evse.key)): at_least_or_nothing(min(told_a[key], evse.user_max_a), evse.config.min_a)
        if evse.allowed or evse.key in just_paused
        else 0.0
        for evse in evses
    }


def taken_by_doubted_a(states: Mapping[str, CircuitState], evses: Iterable[EvseState]) -> dict[str, PerPhase]:
    """Return, by circuit, the ratings of the EVSEs in doubt on it and below it."""
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    return sums(circuits, ((evse.circuit_id, evse.rated_per_phase(evse.rated_a)) for evse in evses if doubtful(evse)))


def shares(
    rows: Iterable[Headroom], evses: Sequence[EvseState], *, row_of: Mapping[str, str] = MappingProxyType({})
) -> tuple[dict[str, float], Mapping[str, Allocation]]:
    """Return each EVSE's fixed share as it is to be told now, and, but for those in doubt, as it is to be, with what stops it there.

    `row_of` names the rows of stations that have one of their own, by identity.
    """
    claims = tuple(
        (
            evse.key,
            row_of.get(evse.key.station, evse.circuit_id),
            evse.rated_phases,
            evse.rated_a,
            evse.config.min_a,
            evse.lasting_a,
        )
        for evse in evses
        if not doubtful(evse)
    )
    told_a, allocations = _shares(tuple(rows), claims)
    return {str(evse.key): evse.fallback_a or 0.0 for evse in evses if doubtful(evse)} | told_a, allocations


@lru_cache(maxsize=8)
def _shares(rows: tuple[Headroom, ...], claims: tuple[_Claim, ...]) -> tuple[dict[str, float], Mapping[str, Allocation]]:
    """Return the fixed share to tell each now; kept, for from turn to turn it is nearly always the same question."""
    requests = [
        Request(request_id=str(key), circuit_id=circuit_id, phases=phases, max_a=rated_a, min_a=min_a)
        for key, circuit_id, phases, rated_a, min_a, _ in claims
    ]
    holdings = {str(key): Holding(limit_a=held_a, reserved_a=held_a) for key, *_, held_a in claims}
    allocations = allocate(rows, requests)
    return steady(requests, allocations, holdings, rows, now=0.0, may_raise=set(holdings)), allocations


def at_least_or_nothing(limit_a: float, min_a: float) -> float:
    """Return a limit that a station may be told: 0 A below the least current."""
    return limit_a if limit_a >= min_a else 0.0


def not_negative(values: PerPhase) -> PerPhase:
    """Return 0 for what is less."""
    return (max(0.0, values[0]), max(0.0, values[1]), max(0.0, values[2]))
