"""The fallbacks to install: what holds without us."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
from .led import doubtful, listens

type _Claim = tuple[EvseKey, str, tuple[Phase, ...], float, float, float]
"""An EVSE, its row of headroom and conductors, its rating, its least current, and what lasts there now."""
type Kept = Mapping[EvseKey, float]
"""What is off the shares, in amps: what EVSEs may draw whatever they are told."""


def fallbacks(states: Mapping[str, CircuitState], evses: Sequence[EvseState], *, just_paused: Collection[EvseKey] = ()) -> dict[str, float]:
    """Return the fallback to tell each EVSE now: the fixed shares of what is left when the building draws its worst.

    Every EVSE counts on all its conductors, a car or not, and keeps its share whatever a person sets: it is written rarely.
    Raises wait until the others' cuts are confirmed. An EVSE in doubt keeps what it has, and the others give way to its rating; to what
    holds at one that can't be told of its share.
    Breakers alone bound them: leases lead, and what else is a limit bounds those. Where none do, see `fixed.py`.
    `just_paused` are those whose pause is left to their leases yet: they keep their shares.
    """

    def rows_beside(kept_a: Kept) -> list[Headroom]:
        taken = taken_by(kept_a, states, evses)
        return [
            Headroom(
                circuit_id=circuit_id,
                parent_id=state.circuit.parent_id,
                available_a=not_negative(subtract(fallback_room(state.circuit), taken[circuit_id])),
                wiring=state.circuit.wiring,
            )
            for circuit_id, state in states.items()
        ]

    told_a, _, _ = shares(rows_beside, evses)
    return {
        (key := str(evse.key)): at_least_or_nothing(min(told_a[key], evse.user_max_a), evse.config.min_a)
        if evse.allowed or evse.key in just_paused
        else 0.0
        for evse in evses
    }


def taken_by(kept_a: Kept, states: Mapping[str, CircuitState], evses: Iterable[EvseState]) -> dict[str, PerPhase]:
    """Return, by circuit, what the EVSEs on it and below it keep."""
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    return sums(circuits, ((evse.circuit_id, evse.rated_per_phase(kept_a[evse.key])) for evse in evses if evse.key in kept_a))


def shares(
    rows_beside: Callable[[Kept], Iterable[Headroom]], evses: Sequence[EvseState], *, row_of: Mapping[str, str] = MappingProxyType({})
) -> tuple[dict[str, float], Mapping[str, Allocation], Kept]:
    """Return each EVSE's fixed share as it is to be told now, and, but for those in doubt, as it is to be, with what stops it there.

    One that holds more than its share and does not listen is told it all the same; the others share what is left beside what it holds,
    which is returned as well. A new one is about to be told: for it nobody is paused.
    `row_of` names the rows of stations that have one of their own, by identity.
    """
    kept_a = {evse.key: evse.rated_a for evse in evses if doubtful(evse)}
    told_a = {str(evse.key): evse.fallback_a or 0.0 for evse in evses if doubtful(evse)}
    allocations: dict[str, Allocation] = {}
    while True:
        sharing = [evse for evse in evses if evse.key not in kept_a]
        claims = tuple(
            (
                evse.key,
                row_of.get(evse.key.station, evse.circuit_id),
                evse.rated_phases,
                evse.rated_a,
                evse.config.min_a,
                evse.lasting_a,
            )
            for evse in sharing
        )
        told_now_a, allocated = _shares(tuple(rows_beside(kept_a)), claims)
        told_a |= told_now_a
        allocations |= allocated
        deaf = [evse for evse in sharing if not (listens(evse) or evse.new)]
        above = {evse.key: evse.lasting_a for evse in deaf if evse.lasting_a > allocated[str(evse.key)].limit_a}
        if not above:
            return told_a, allocations, kept_a
        kept_a |= above


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
