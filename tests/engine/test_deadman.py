"""What happens to the fuse when this program vanishes."""

from dataclasses import replace
import math

from hypothesis import assume, given, strategies as st
import pytest

from custom_components.headroom.engine.breaker import carried_s
from custom_components.headroom.engine.deadman import (
    LEASE_MAX_S,
    LEASE_MIN_S,
    RESPONSE_S,
    Held,
    Installed,
    fallback_room,
    lease_room,
    lease_s,
    violations,
)
from custom_components.headroom.engine.model import NONE_A, Circuit, Phase
from custom_components.headroom.engine.tree import path
from custom_components.headroom.engine.unmanaged import highest, lowest

MAIN = Circuit(circuit_id="main", name="Main", fuse_a=63.0, margin_a=2.0, unmanaged_worst_a=(25.0, 25.0, 25.0), metered=True)
GARAGE = Circuit(circuit_id="garage", name="Garage", parent_id="main", fuse_a=32.0)
TREE = {"main": MAIN, "garage": GARAGE}


def holding(fallback_a: float, lease_a: float, circuit_id: str = "main", for_s: float = 0.0) -> Installed:
    return Installed(circuit_id=circuit_id, fallback_a=(fallback_a,) * 3, held=(Held(limit_a=(lease_a,) * 3, for_s=for_s),))


def test_fallbacks_share_what_the_worst_case_leaves() -> None:
    assert fallback_room(MAIN) == (36.0, 36.0, 36.0)
    assert violations(TREE, [holding(18.0, 0.0), holding(18.0, 0.0)]) == []
    found = violations(TREE, [holding(18.0, 0.0), holding(19.0, 0.0)])
    assert {each.phase for each in found} == set(Phase)
    assert found[0].circuit_id == "main"
    assert found[0].excess_a == pytest.approx(1.0)


def test_a_lower_circuit_counts_on_its_own_and_above() -> None:
    found = violations(TREE, [holding(33.0, 0.0, "garage")])
    assert {each.circuit_id for each in found} == {"garage"}
    found = violations(TREE, [holding(20.0, 0.0, "garage"), holding(20.0, 0.0)])
    assert {each.circuit_id for each in found} == {"main"}


def test_leases_are_long_where_even_the_worst_case_fits() -> None:
    assert lease_s(TREE, [holding(6.0, 20.0)]) == LEASE_MAX_S


def test_leases_are_short_where_the_breaker_would_be_overloaded() -> None:
    length_s = lease_s(TREE, [holding(6.0, 53.0)])
    assert LEASE_MIN_S <= length_s < 30.0
    assert violations(TREE, [holding(6.0, 53.0, for_s=length_s)]) == []
    assert violations(TREE, [holding(6.0, 53.0, for_s=120.0)]) != []


@given(fuse_a=st.floats(16.0, 250.0), worst_share=st.floats(0.0, 1.0), margin_a=st.floats(0.0, 4.0))
def test_the_most_that_may_be_leased_is_carried_for_the_shortest_lease(fuse_a: float, worst_share: float, margin_a: float) -> None:
    worst_a = worst_share * fuse_a
    circuit = Circuit(
        circuit_id="main", name="Main", fuse_a=fuse_a, margin_a=margin_a, unmanaged_worst_a=(worst_a, worst_a, worst_a), metered=True
    )
    room = lease_room(circuit)
    load = (worst_a + room[0]) / fuse_a
    assert carried_s(load, (fuse_a - margin_a) / fuse_a) >= LEASE_MIN_S + RESPONSE_S
    assert (
        violations({"main": circuit}, [Installed(circuit_id="main", fallback_a=NONE_A, held=(Held(limit_a=room, for_s=LEASE_MIN_S),))])
        == []
    )


def test_a_low_lease_that_runs_for_long_beside_a_high_one_that_ends_soon_is_no_overload_for_long() -> None:
    def held(*limits: tuple[float, float]) -> Installed:
        return Installed(circuit_id="main", fallback_a=(12.0,) * 3, held=tuple(Held(limit_a=(a,) * 3, for_s=for_s) for a, for_s in limits))

    assert violations(TREE, [held((19.0, 2.0), (13.0, 300.0)), held((19.0, 2.0), (12.0, 300.0)), held((19.0, 2.0))]) == []
    (first, *_) = violations(TREE, [held((19.0, 300.0)), held((19.0, 2.0)), held((22.0, 300.0))])
    assert 200 < first.excess_s < 300


def test_a_fallback_above_its_lease_counts_from_when_the_first_of_the_limits_ends() -> None:
    lower = Installed(circuit_id="main", fallback_a=(18.0,) * 3, held=(Held(limit_a=(6.0,) * 3, for_s=10.0),))
    assert lower.course()[:2] == [(0.0, (6.0,) * 3), (10.0, (18.0,) * 3)]
    higher = Installed(circuit_id="main", fallback_a=(6.0,) * 3, held=(Held(limit_a=(18.0,) * 3, for_s=10.0),))
    assert [draw_a[0] for _, draw_a in higher.course()] == [18.0, 18.0, 6.0]
    lasts = Installed(circuit_id="main", fallback_a=(18.0,) * 3, held=(Held(limit_a=(6.0,) * 3, for_s=math.inf),))
    assert lasts.course() == [(0.0, (6.0,) * 3)]


def test_a_car_whose_lease_ends_falls_back_on_its_own_conductors() -> None:
    """Its lease was counted there, and it is the same car: a fallback for any car is what counts once all leases have ended."""
    one_phase = Installed(
        circuit_id="main", fallback_a=(6.0,) * 3, held=(Held(limit_a=(0.0, 0.0, 8.0), for_s=10.0),), lapsed_a=(0.0, 0.0, 6.0)
    )
    assert one_phase.course() == [(0.0, (0.0, 0.0, 8.0)), (10.0, (0.0, 0.0, 8.0)), (15.0, (0.0, 0.0, 6.0))]
    assert replace(one_phase, lapsed_a=None).course()[-1] == (15.0, (6.0, 6.0, 6.0))
    assert {one.phase for one in violations(TREE, [one_phase] * 7)} == {Phase.L1, Phase.L2, Phase.L3}, "(a) is for whoever comes"


AMPS = st.floats(0.0, 40.0)
PHASES_A = st.tuples(AMPS, AMPS, AMPS)
PLACES = st.sampled_from(["main", "garage"])
HELD = st.builds(Held, limit_a=PHASES_A, for_s=st.sampled_from([5.0, 40.0, 300.0, math.inf]))
INSTALLED = st.builds(Installed, circuit_id=PLACES, fallback_a=PHASES_A, held=st.lists(HELD, min_size=1, max_size=2).map(tuple))
ARRIVALS = st.lists(st.builds(Installed, circuit_id=PLACES, fallback_a=st.just(NONE_A), held=st.tuples(HELD)), max_size=3)


@given(st.lists(INSTALLED, max_size=4), ARRIVALS)
def test_the_most_of_all_who_may_come_stands_for_each_of_them(installed: list[Installed], arrivals: list[Installed]) -> None:
    arrivals = [
        Installed(circuit_id=one.circuit_id, fallback_a=NONE_A, held=(Held(limit_a=one.most_a, for_s=math.inf),)) for one in arrivals
    ]
    most = dict.fromkeys(TREE, NONE_A)
    for one in arrivals:
        for circuit in path(TREE, one.circuit_id):
            most[circuit.circuit_id] = highest(most[circuit.circuit_id], one.most_a)
    in_turn = [[*installed, *arrival] for arrival in [[], *([one] for one in arrivals)]]
    assert lease_s(TREE, installed, arriving_a=most) == pytest.approx(min(lease_s(TREE, each) for each in in_turn))
    worst: dict[tuple[str, Phase], tuple[float, float]] = {}
    for each in in_turn:
        for found in violations(TREE, each):
            place, excess = (found.circuit_id, found.phase), (found.excess_a, found.excess_s)
            worst[place] = max(worst.get(place, excess), excess)
    assert {(one.circuit_id, one.phase): pytest.approx((one.excess_a, one.excess_s)) for one in violations(TREE, installed, most)} == worst


def _draws_a(one: Installed, at_s: float, phase: Phase) -> float:
    """Return what an EVSE may draw so long after we are gone: what is not over for a car yet, and the fallback once anything has ended."""
    draws = [held.limit_a[phase] for held in one.held if at_s < held.for_s + RESPONSE_S]
    if any(held.for_s <= at_s for held in one.held):
        draws.append((one.lapsed_a or one.fallback_a)[phase])
    return max(draws)


def _on(circuit_id: str, one: Installed) -> bool:
    return circuit_id in ("main", one.circuit_id)


def _trips(circuit: Circuit, installed: list[Installed], arriving_a: float, phase: Phase) -> bool | None:
    """Tell by a breaker's heat from second to second whether it trips before all leases have ended; None where that is too close to tell."""
    ends_s = [held.for_s for one in installed if _on(circuit.circuit_id, one) for held in one.held if held.for_s < math.inf]
    heat, closest = ((circuit.fuse_a - circuit.margin_a) / circuit.fuse_a) ** 2, math.inf
    for second in range(int(max(ends_s, default=-RESPONSE_S) + RESPONSE_S)):
        drawn_a = sum(_draws_a(one, second, phase) for one in installed if _on(circuit.circuit_id, one))
        load = (circuit.unmanaged_worst_a[phase] + arriving_a + drawn_a) / circuit.fuse_a
        if load >= 3.0:
            return True
        heat += (load**2 - heat) * (1 - math.exp(-1 / 45.0))
        closest = min(closest, abs(heat - 1.13**2))
        if heat > 1.13**2 and closest > 1e-6:
            return True
    return False if closest > 1e-6 else None


SECONDS = st.sampled_from([0.0, 3.0, 12.0, 40.0, 290.0, 300.0, 600.0, math.inf])
SHORT_OR_LONG = st.builds(Held, limit_a=PHASES_A, for_s=SECONDS)
MIXED = st.builds(
    Installed,
    circuit_id=PLACES,
    fallback_a=PHASES_A,
    held=st.lists(SHORT_OR_LONG, min_size=1, max_size=2).map(tuple),
    lapsed_a=st.none() | PHASES_A,
)


@given(st.lists(MIXED, max_size=5), st.floats(0.0, 16.0))
def test_the_rule_is_what_a_breaker_does_from_second_to_second(installed: list[Installed], arriving_a: float) -> None:
    arriving = {"main": (arriving_a,) * 3, "garage": NONE_A}
    found = {(one.circuit_id, one.phase): one for one in violations(TREE, installed, arriving)}
    for circuit in TREE.values():
        for phase in Phase:
            one = found.get((circuit.circuit_id, phase))
            fallen_a = sum(each.fallback_a[phase] for each in installed if _on(circuit.circuit_id, each))
            excess_a = fallen_a + circuit.unmanaged_worst_a[phase] - (circuit.fuse_a - circuit.margin_a)
            assert (0.0 if one is None else one.excess_a) == pytest.approx(max(0.0, excess_a), abs=1e-5)
            trips = _trips(circuit, installed, arriving[circuit.circuit_id][phase], phase)
            assume(trips is not None)
            assert (one is not None and one.excess_s > 0) == trips


TOLD = st.builds(
    Installed,
    circuit_id=PLACES,
    fallback_a=PHASES_A,
    held=st.tuples(st.builds(Held, limit_a=PHASES_A, for_s=st.just(math.inf))),
)
LOW = st.builds(Installed, circuit_id=PLACES, fallback_a=PHASES_A, held=st.tuples(SHORT_OR_LONG))


@given(st.lists(TOLD, max_size=4), st.lists(LOW, max_size=3), st.floats(0.0, 16.0), st.integers(0, 600))
def test_leases_as_long_as_reckoned_obey_the_rule_beside_those_with_whose_ends_cars_rise_now_and_later(
    told: list[Installed], low: list[Installed], arriving_a: float, later_s: int
) -> None:
    arriving = {"main": (arriving_a,) * 3, "garage": NONE_A}
    # Those that run end only below their fallbacks; what is left without any lease, and of those that do not end, is another matter.
    low = [replace(one, fallback_a=highest(one.fallback_a, one.most_a)) for one in low]
    told = [replace(one, fallback_a=lowest(one.fallback_a, one.most_a)) for one in told]
    idle = Installed(circuit_id="main", fallback_a=(arriving_a,) * 3, held=(Held(limit_a=NONE_A, for_s=math.inf),))
    length_s = math.floor(lease_s(TREE, [*told, *low, idle], 0.0, arriving))
    assume(length_s > 0)
    running = [replace(one, held=tuple(replace(held, for_s=float(length_s)) for held in one.held)) for one in told]

    def after(one: Installed) -> Installed:
        return replace(one, held=tuple(replace(held, for_s=held.for_s - later_s) for held in one.held))

    for seconds in (0, later_s):
        then = [after(one) if seconds else one for one in [*running, *low, idle]]
        broken = {(one.circuit_id, one.phase) for one in violations(TREE, then, arriving) if one.excess_s > 0}
        sound = {(one.circuit_id, one.phase) for one in violations(TREE, then, arriving) if one.excess_a > 0}
        assert broken <= sound, "where the fallbacks fit, the leases do too"


def test_a_lease_below_its_fallback_that_ends_before_the_others_is_seen() -> None:
    """The car rises to its fallback while the others draw by their leases yet: neither the leases nor the fallbacks alone are too much."""
    circuit = Circuit(circuit_id="main", name="Main", fuse_a=40.0)
    mixed = [holding(16.0, 6.0, for_s=10.0), holding(16.0, 33.0, for_s=300.0)]
    assert {one.phase for one in violations({"main": circuit}, mixed)} == set(Phase)
    outlasting = [holding(16.0, 6.0, for_s=305.0), holding(16.0, 33.0, for_s=300.0)]
    assert violations({"main": circuit}, outlasting) == []


def test_the_others_leases_end_before_one_with_which_its_car_rises() -> None:
    circuits = {"main": Circuit(circuit_id="main", name="Main", fuse_a=40.0)}
    told = Installed(circuit_id="main", fallback_a=(16.0,) * 3, held=(Held(limit_a=(33.0,) * 3, for_s=math.inf),))

    def low(for_s: float) -> Installed:
        return holding(16.0, 6.0, for_s=for_s)

    assert lease_s(circuits, [told, low(305.0)]) == LEASE_MAX_S
    assert lease_s(circuits, [told, low(100.0)]) == 95.0
    assert lease_s(circuits, [told, low(100.0), low(40.0)]) == 35.0
    short_s = lease_s(circuits, [told, low(0.0)])
    assert LEASE_MIN_S < short_s < 60.0, "as long as the breaker carries it with the rise"
    assert violations(circuits, [replace(told, held=(replace(told.held[0], for_s=short_s),)), low(0.0)]) == []
    assert lease_s(circuits, [told, low(100.0)], warm=True) == 95.0
    assert lease_s(circuits, [told, low(0.0)], 0.0, warm=True) == 0.0, "a warm breaker carries only what it does for good"
