"""The dead-man rule: if this program vanishes now and the building goes to its worst case, no breaker trips.

(a) Once all leases have lapsed, worst case + Σ installed fallbacks ≤ limit on every circuit and phase.
(b) Until then the overload stays inside what each circuit's breaker carries for as long as the leases still run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
import math
from types import MappingProxyType

from .breaker import NEVER_TRIPS, carried_load, carried_s, trips_after_s
from .model import NONE_A, Circuit, PerPhase, Phase
from .tree import path
from .unmanaged import add, highest, subtract

SAFETY = 0.75
"""Share of a breaker's reckoned endurance that is used."""
LEASE_MAX_S = 300.0
LOW_LEASE_S = 900.0
"""A lease at or below its fallback runs so long, for its end lowers nothing: where it is renewed in time it outlasts every higher one, and
no car rises to its fallback while others draw by their leases yet."""
LEASE_MIN_S = 12.0
"""No lease is shorter: a station has to acknowledge its renewal in between. Where the breaker carries less, less is allocated."""
RESPONSE_S = 5.0
"""A car follows the lapse of a lease within this time (IEC 61851-1 Annex A)."""
EPSILON_A = 1e-6


type Course = Sequence[tuple[float, PerPhase]]
"""What is drawn at most, as (from when in seconds, amps)."""
NOTHING: Course = [(0.0, NONE_A)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A limit that an EVSE holds or may hold, as its circuit's phases see it, and for how long; infinite: it does not end."""

    limit_a: PerPhase
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What an EVSE holds without us: what it draws at most while each of `held` lasts, and its fallback once one of them has ended.

    `fallback_a` is on every conductor that some car may load, for (a); `lapsed_a` on those of the car that charges there now: it is the one
    that falls back when its lease ends, as it was the one that the lease was counted for. None: no other than `fallback_a`.
    """

    circuit_id: str
    fallback_a: PerPhase
    held: tuple[Held, ...]
    lapsed_a: PerPhase | None = None

    @property
    def most_a(self) -> PerPhase:
        """The most it may draw before anything ends."""
        most_a = self.held[0].limit_a if self.held else NONE_A
        for each in self.held[1:]:
            most_a = highest(most_a, each.limit_a)
        return most_a

    @property
    def ever_a(self) -> PerPhase:
        """The most it may draw whenever what ends has ended: a lease below its fallback lets its car rise as it ends."""
        return self.most_a if (rise := self.rise()) is None else add(self.most_a, rise[1])

    def rise(self) -> tuple[float, PerPhase] | None:
        """Return when it may draw more than `most_a`, in seconds, and by how much: once something ends that is below its fallback."""
        first_s = math.inf
        for each in self.held:
            first_s = min(first_s, each.for_s)
        if first_s == math.inf:
            return None
        most_a, falls_to_a = self.most_a, self.falls_to_a
        if falls_to_a[0] <= most_a[0] and falls_to_a[1] <= most_a[1] and falls_to_a[2] <= most_a[2]:
            return None  # as it is of most
        return max(0.0, first_s), subtract(highest(most_a, falls_to_a), most_a)

    @property
    def falls_to_a(self) -> PerPhase:
        """What the car that is there falls back to, or rises to, once something has ended."""
        return self.fallback_a if self.lapsed_a is None else self.lapsed_a

    def course(self) -> Course:
        """Return what it draws at most; a car takes `RESPONSE_S` to follow what ends, and none to rise."""
        ends = {each.for_s for each in self.held if each.for_s < math.inf}
        if not ends:
            return [(0.0, self.most_a)]
        times = sorted({0.0, *(max(0.0, end + after_s) for end in ends for after_s in (0.0, RESPONSE_S))})
        return [(at, self._at(at)) for at in times]

    def _at(self, at_s: float) -> PerPhase:
        drawn_a, ended = NONE_A, False
        for each in self.held:
            if at_s < each.for_s + RESPONSE_S:
                drawn_a = highest(drawn_a, each.limit_a)
            ended = ended or at_s >= each.for_s
        return highest(drawn_a, self.falls_to_a) if ended else drawn_a


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A circuit and phase on which the rule does not hold. `excess_a` for (a); `excess_s` for (b)."""

    circuit_id: str
    phase: Phase
    excess_a: float = 0.0
    excess_s: float = 0.0


def sums(circuits: Mapping[str, Circuit], loads: Iterable[tuple[str, PerPhase]]) -> dict[str, PerPhase]:
    """Return, per circuit, the sum of the loads on it and below it."""
    on_it: dict[str, PerPhase] = {}
    for circuit_id, load_a in loads:
        if load_a is NONE_A:
            continue  # as of most EVSEs: no car is there
        on_it[circuit_id] = add(on_it[circuit_id], load_a) if circuit_id in on_it else load_a
    result = dict.fromkeys(circuits, NONE_A)
    for circuit_id, load_a in on_it.items():
        for circuit in path(circuits, circuit_id):
            result[circuit.circuit_id] = add(result[circuit.circuit_id], load_a)
    return result


def fallback_room(circuit: Circuit) -> PerPhase:
    """Return what the fallbacks on a circuit may sum up to: rule (a)."""
    l1, l2, l3 = (limit - worst for limit, worst in zip(circuit.limit_a(), circuit.unmanaged_worst_a, strict=True))
    return (l1, l2, l3)


def lease_room(circuit: Circuit, arrival_a: PerPhase = NONE_A, least_s: float = LEASE_MIN_S) -> PerPhase:
    """Return what the leases on a circuit may sum up to so that one of `least_s` still obeys rule (b).

    `arrival_a` is what one more car may draw beside them: for that short coincidence all of the breaker's endurance counts.
    """
    preload = _preload(circuit)
    most_a = circuit.fuse_a * carried_load((least_s + RESPONSE_S) / SAFETY, preload)
    with_arrival_a = circuit.fuse_a * carried_load(least_s + RESPONSE_S, preload)
    l1, l2, l3 = (
        max(0.0, min(most_a, with_arrival_a - more) - worst) for more, worst in zip(arrival_a, circuit.unmanaged_worst_a, strict=True)
    )
    return (l1, l2, l3)


def beyond_a(
    circuits: Mapping[str, Circuit],
    installed: Iterable[Installed],
    arriving_a: Mapping[str, PerPhase] = MappingProxyType({}),
    for_s: float = LEASE_MAX_S,
) -> dict[str, PerPhase]:
    """Return, by circuit and conductor, what is installed beyond what leases of `for_s` may sum up to, as in `lease_s`; below 0: room.

    Infinite: beyond the circuit's limit.
    """
    leased = sums(circuits, ((each.circuit_id, each.most_a) for each in installed))
    result = {}
    for circuit_id, circuit in circuits.items():
        most_a = circuit.limit_a()
        if for_s < math.inf:
            carried_a = circuit.fuse_a * carried_load((for_s + RESPONSE_S) / SAFETY, _preload(circuit))
            most_a = (carried_a, carried_a, carried_a)
        besides_a = add(circuit.unmanaged_worst_a, arriving_a.get(circuit_id, NONE_A))
        result[circuit_id] = subtract(add(leased[circuit_id], besides_a), most_a)
    return result


def lease_s(
    circuits: Mapping[str, Circuit],
    installed: Iterable[Installed],
    least_s: float = LEASE_MIN_S,
    arriving_a: Mapping[str, PerPhase] = MappingProxyType({}),
    *,
    warm: bool = False,
) -> float:
    """Return how long leases may run, for what is installed or about to be; `least_s` at least, which `lease_room` sees to.

    Where a lease ends with which its car rises, those of the others end before, or are as short as they have to be with the rise. Where a
    breaker is at its limit when we go, this holds then and at any time later.

    `arriving_a` is, by circuit, the most that one more car may put on each of its conductors, whichever comes next: more load is never
    carried for longer, so that the most stands for each of them. `warm`: the breakers may have been overloaded before, so that only what
    they carry for good counts.
    """
    installed = list(installed)
    leased = sums(circuits, ((each.circuit_id, each.most_a) for each in installed))
    rises = _rises(circuits, installed)
    length_s = LEASE_MAX_S
    for circuit in circuits.values():
        preload, arrival_a = _preload(circuit), arriving_a.get(circuit.circuit_id, NONE_A)
        for phase in circuit.phases:
            load_a, longest_s = circuit.unmanaged_worst_a[phase] + leased[circuit.circuit_id][phase] + arrival_a[phase], 0.0
            for at_s, more_a in [*rises.get(circuit.circuit_id, ()), (math.inf, NONE_A)]:
                carried = SAFETY * carried_s(load_a / circuit.fuse_a, preload)
                if not warm or carried - RESPONSE_S >= LEASE_MAX_S:
                    longest_s = max(longest_s, min(carried, at_s) - RESPONSE_S)
                load_a += more_a[phase]
            length_s = min(length_s, longest_s)
    return max(least_s, length_s)


def blind_s(circuits: Mapping[str, Circuit], installed: Iterable[Installed]) -> dict[str, float]:
    """Return, by circuit, for how many seconds its breaker carries what is installed there beside the worst case, and the time a cut takes.

    While we lead, a lease is renewed, and what ends it is that we see too much: nobody may be blind to a circuit for longer than this.
    """
    leased = sums(circuits, ((each.circuit_id, each.most_a) for each in installed))
    result = {}
    for circuit_id, circuit in circuits.items():
        loads_a = (circuit.unmanaged_worst_a[phase] + leased[circuit_id][phase] for phase in circuit.phases)
        result[circuit_id] = SAFETY * carried_s(max(loads_a, default=0.0) / circuit.fuse_a, _preload(circuit)) - RESPONSE_S
    return result


def _rises(circuits: Mapping[str, Circuit], installed: Iterable[Installed]) -> dict[str, list[tuple[float, PerPhase]]]:
    """Return, by circuit, when cars on it and below it may draw more than their limits, and how much more, the soonest first."""
    result: dict[str, list[tuple[float, PerPhase]]] = {}
    for each in installed:
        if (rise := each.rise()) is not None:
            for circuit in path(circuits, each.circuit_id):
                result.setdefault(circuit.circuit_id, []).append(rise)
    return {circuit_id: sorted(rises) for circuit_id, rises in result.items()}


def violations(
    circuits: Mapping[str, Circuit], installed: Iterable[Installed], arriving_a: Mapping[str, PerPhase] = MappingProxyType({})
) -> list[Violation]:
    """Return where the rule does not hold for what is installed, and beside it one more car, as in `lease_s`, for good."""
    installed = list(installed)
    fallen = sums(circuits, ((each.circuit_id, each.fallback_a) for each in installed))
    drawn = sums(circuits, ((each.circuit_id, each.ever_a) for each in installed))
    last_s = max((each.for_s for one in installed for each in one.held if each.for_s < math.inf), default=0.0)
    courses: Mapping[str, Sequence[Course]] | None = None
    found = []
    for circuit in circuits.values():
        room, preload, arrival_a = fallback_room(circuit), _preload(circuit), arriving_a.get(circuit.circuit_id, NONE_A)
        for phase in circuit.phases:
            excess_a = fallen[circuit.circuit_id][phase] - max(0.0, room[phase])
            most_a = circuit.unmanaged_worst_a[phase] + drawn[circuit.circuit_id][phase] + arrival_a[phase]
            excess_s = 0.0
            # If all drew their most until the last has ended: seldom too much, so that then it is looked at closely.
            if last_s + RESPONSE_S > carried_s(most_a / circuit.fuse_a, preload):
                courses = courses or _courses(circuits, installed)
                excess_s = _excess_s(circuit, phase, courses[circuit.circuit_id], arrival_a[phase])
            if excess_a > EPSILON_A or excess_s > EPSILON_A:
                found.append(
                    Violation(circuit_id=circuit.circuit_id, phase=phase, excess_a=max(0.0, excess_a), excess_s=max(0.0, excess_s))
                )
    return found


def _courses(circuits: Mapping[str, Circuit], installed: Iterable[Installed]) -> dict[str, list[Course]]:
    """Return, by circuit, the courses of all that is on it and below it and may draw anything."""
    result: dict[str, list[Course]] = {circuit_id: [] for circuit_id in circuits}
    for each in installed:
        if (course := each.course()) != NOTHING:
            for circuit in path(circuits, each.circuit_id):
                result[circuit.circuit_id].append(course)
    return result


def _excess_s(circuit: Circuit, phase: Phase, courses: Iterable[Course], besides_a: float) -> float:
    """Return for how long the overload goes on after the breaker may have tripped, as one limit after the other ends; 0 where it does not trip."""
    changes: dict[float, float] = {0.0: circuit.unmanaged_worst_a[phase] + besides_a}
    for course in courses:
        changes[0.0] += course[0][1][phase]
        for (_, before_a), (at, after_a) in pairwise(course):
            changes[at] = changes.get(at, 0.0) + (after_a[phase] - before_a[phase])
    times, loads, load_a = sorted(changes), [], 0.0
    for at in times:
        load_a += changes[at]
        loads.append(load_a / circuit.fuse_a)
    spans = [(until - since, load) for (since, until), load in zip(pairwise(times), loads, strict=False)]
    tripped_s = trips_after_s(spans, _preload(circuit))
    overloaded_s = max((until for until, load in zip(times[1:], loads, strict=False) if load > NEVER_TRIPS), default=0.0)
    return 0.0 if math.isinf(tripped_s) else overloaded_s - tripped_s


def _preload(circuit: Circuit) -> float:
    return max(circuit.limit_a()) / circuit.fuse_a
