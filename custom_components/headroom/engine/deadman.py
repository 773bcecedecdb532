"""The dead-man rule: if this program vanishes now and the building goes to its worst case, no breaker trips.

(a) Once all leases have lapsed, worst case + Σ installed fallbacks ≤ limit on every circuit and phase.
(b) Until then the overload stays inside what each circuit's breaker carries for as long as the leases still run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
import math

from .breaker import carried_load, carried_s
from .model import NONE_A, Circuit, PerPhase, Phase
from .tree import path
from .unmanaged import add

SAFETY = 0.75
"""Share of a breaker's reckoned endurance that is used."""
LEASE_MAX_S = 300.0
LEASE_MIN_S = 15.0
"""No lease is shorter: a station has to acknowledge its renewal in between. Where the breaker carries less, less is allocated."""
RESPONSE_S = 5.0
"""A car follows the lapse of a lease within this time (IEC 61851-1 Annex A)."""
EPSILON_A = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an EVSE holds without us, as its circuit's phases see it: its fallback, and what its lease lets it draw at most."""

    circuit_id: str
    fallback_a: PerPhase
    lease_a: PerPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A circuit and phase on which the rule does not hold. `excess_a` for (a); `excess_s` for (b)."""

    circuit_id: str
    phase: Phase
    excess_a: float = 0.0
    excess_s: float = 0.0


def sums(circuits: Mapping[str, Circuit], loads: Iterable[tuple[str, PerPhase]]) -> dict[str, PerPhase]:
    """Return, per circuit, the sum of the loads on it and below it."""
    result = dict.fromkeys(circuits, NONE_A)
    paths: dict[str, list[Circuit]] = {}
    for circuit_id, load_a in loads:
        if circuit_id not in paths:
            paths[circuit_id] = path(circuits, circuit_id)
        for circuit in paths[circuit_id]:
            result[circuit.circuit_id] = add(result[circuit.circuit_id], load_a)
    return result


def fallback_room(circuit: Circuit) -> PerPhase:
    """Return what the fallbacks on a circuit may sum up to: rule (a)."""
    l1, l2, l3 = (limit - worst for limit, worst in zip(circuit.limit_a(), circuit.unmanaged_worst_a, strict=True))
    return (l1, l2, l3)


def lease_room(circuit: Circuit) -> PerPhase:
    """Return what the leases on a circuit may sum up to so that the shortest lease still obeys rule (b)."""
    preload = _preload(circuit)
    most_a = circuit.fuse_a * carried_load((LEASE_MIN_S + RESPONSE_S) / SAFETY, preload)
    l1, l2, l3 = (max(0.0, most_a - worst) for worst in circuit.unmanaged_worst_a)
    return (l1, l2, l3)


def lease_s(circuits: Mapping[str, Circuit], installed: Iterable[Installed]) -> float:
    """Return how long leases may run, for what is installed or about to be."""
    leased = sums(circuits, ((each.circuit_id, each.lease_a) for each in installed))
    length_s = LEASE_MAX_S
    for circuit in circuits.values():
        preload = _preload(circuit)
        for phase in circuit.phases:
            load_a = circuit.unmanaged_worst_a[phase] + leased[circuit.circuit_id][phase]
            length_s = min(length_s, SAFETY * carried_s(load_a / circuit.fuse_a, preload) - RESPONSE_S)
    return max(LEASE_MIN_S, length_s)


def violations(circuits: Mapping[str, Circuit], installed: Iterable[Installed], remaining_s: float) -> list[Violation]:
    """Return where the rule does not hold for what is installed, `remaining_s` being the longest time a lease still runs."""
    installed = list(installed)
    fallen = sums(circuits, ((each.circuit_id, each.fallback_a) for each in installed))
    leased = sums(circuits, ((each.circuit_id, each.lease_a) for each in installed))
    found = []
    for circuit in circuits.values():
        room, preload = fallback_room(circuit), _preload(circuit)
        for phase in circuit.phases:
            excess_a = fallen[circuit.circuit_id][phase] - max(0.0, room[phase])
            load = (circuit.unmanaged_worst_a[phase] + leased[circuit.circuit_id][phase]) / circuit.fuse_a
            carried = carried_s(load, preload)
            excess_s = 0.0 if math.isinf(carried) else remaining_s + RESPONSE_S - carried
            if excess_a > EPSILON_A or excess_s > EPSILON_A:
                found.append(
                    Violation(circuit_id=circuit.circuit_id, phase=phase, excess_a=max(0.0, excess_a), excess_s=max(0.0, excess_s))
                )
    return found


def _preload(circuit: Circuit) -> float:
    return max(circuit.limit_a()) / circuit.fuse_a
