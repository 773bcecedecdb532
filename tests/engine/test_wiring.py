"""The allocation where currents meet at angles, or may relieve one another: by example."""

from dataclasses import replace
from math import sqrt

import pytest

from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.filling import Line
from custom_components.headroom.engine.model import (
    ALL_PHASES,
    Allocation,
    Headroom,
    Imbalance,
    PerPhase,
    Phase,
    Reason,
    ReasonCode,
    Request,
    Wiring,
)
from custom_components.headroom.engine.rows import rows_of

L1, L2, L3 = Phase
DELTA, BEHIND = Wiring.DELTA, Wiring.DELTA_BEHIND_TRANSFORMER


def circuit(available_a: PerPhase | float, **fields: object) -> Headroom:
    if not isinstance(available_a, tuple):
        available_a = (available_a, available_a, available_a)
    return replace(Headroom(circuit_id="main", parent_id=None, available_a=available_a), **fields)


def car(request_id: str, *phases: Phase, **fields: object) -> Request:
    return replace(Request(request_id=request_id, circuit_id="main", phases=phases or ALL_PHASES, max_a=40.0, step_a=0.001), **fields)


def limits(allocations: dict[str, Allocation]) -> dict[str, float]:
    return {request_id: allocation.limit_a for request_id, allocation in allocations.items()}


def test_two_branches_share_a_conductor_at_60_degrees() -> None:
    found = limits(allocate([circuit(30, wiring=DELTA)], [car("a", L1, L2), car("b", L3, L1)]))
    assert found == pytest.approx({"a": 30 / sqrt(3), "b": 30 / sqrt(3)}, abs=2e-3)


def test_three_branches_and_a_balanced_car_share_a_delta() -> None:
    cars = [car("a", L1, L2), car("b", L2, L3), car("c", L3, L1), car("d")]
    found = limits(allocate([circuit(50, wiring=DELTA)], cars))
    assert found == pytest.approx(dict.fromkeys("abcd", 50 / (1 + sqrt(3))), abs=3e-3)


def test_a_power_ceiling_in_a_delta_counts_line_voltages() -> None:
    found = allocate([circuit(90, wiring=DELTA, sum_a=60)], [car("a", L1, L2), car("b")])
    assert limits(found) == pytest.approx({"a": 60 / (3 + sqrt(3)), "b": 60 / (3 + sqrt(3))}, abs=2e-3)
    assert found["a"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", others=1)


def test_a_branch_alone_loads_the_conductor_across_the_transformer_twice() -> None:
    found = allocate([circuit(20, wiring=BEHIND)], [car("a", L1, L2)])["a"]
    assert found.limit_a == pytest.approx(20 * sqrt(3) / 2, abs=2e-3)
    assert found.reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=L2)


def test_behind_a_transformer_one_branch_makes_room_for_another() -> None:
    """Both load the other side's L1, a at 0° and b at −120°: half as much of b makes |a + b| the least there is with this a."""
    site, cars = circuit((6.1, 40, 40), wiring=BEHIND), [car("a", L1, L2, max_a=12.0), car("b", L2, L3, max_a=6.0)]
    assert limits(allocate([site], cars[:1])) == pytest.approx({"a": 6.1 * sqrt(3)}, abs=2e-3)
    assert limits(allocate([site], cars)) == {"a": 12, "b": 6}


def test_a_tree_of_a_delta_below_its_transformer() -> None:
    tree = [circuit(30, wiring=BEHIND), circuit(20, wiring=DELTA, circuit_id="pod", parent_id="main")]
    found = allocate(tree, [car("a", L1, L2, circuit_id="pod"), car("b", L1, L2)])
    assert limits(found) == pytest.approx({"a": 15 * sqrt(3) / 2, "b": 15 * sqrt(3) / 2}, abs=2e-3)
    assert found["a"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=L2, others=1)


def test_imbalance_holds_a_car_and_says_between_which_conductors() -> None:
    site = circuit(40, imbalance=Imbalance(limit_a=20))
    found = allocate([site], [car("a", L2, step_a=1.0)])["a"]
    assert found == Allocation(
        request_id="a", limit_a=20, reason=Reason(code=ReasonCode.IMBALANCE, circuit_id="main", phase=L2, against=L1)
    )
    assert allocate([circuit(40, imbalance=Imbalance(limit_a=20, unmanaged_a=(0, 0, 9)))], [car("a", L3)])["a"].reason == Reason(
        code=ReasonCode.IMBALANCE, circuit_id="main", phase=L3, against=L1
    )
    assert allocate([circuit(40, imbalance=Imbalance(limit_a=20, unmanaged_a=(9, 0, 0)))], [car("a", L3)])["a"].reason == Reason(
        code=ReasonCode.IMBALANCE, circuit_id="main", phase=L3, against=L2
    )


def test_imbalance_begins_with_what_the_building_draws() -> None:
    site = circuit(40, imbalance=Imbalance(limit_a=20, unmanaged_a=(5, 0, 3)))
    cars = [car("a", L1, step_a=1.0), car("b", L2, step_a=1.0)]
    assert limits(allocate([site], cars[:1])) == {"a": 15}
    assert limits(allocate([site], cars[1:])) == {"b": 23}


def test_a_three_phase_car_knows_no_imbalance() -> None:
    assert limits(allocate([circuit(40, imbalance=Imbalance(limit_a=0, unmanaged_a=(30, 0, 0)))], [car("a")])) == {"a": 40}


def test_a_car_that_waits_for_another_to_even_out_is_let_in() -> None:
    """The building draws 4 A more on L1 than on L2; only when c charges on L2 is there room for b on L1."""
    site = circuit(40, imbalance=Imbalance(limit_a=8, unmanaged_a=(4, 0, 4)))
    cars = [car("b", L1, step_a=1.0), car("c", L2, step_a=1.0, queue_key=1.0)]
    assert limits(allocate([site], cars)) == {"b": 8, "c": 12}
    waits = allocate([site], cars[:1])["b"]
    assert waits.reason == Reason(code=ReasonCode.WAITING, circuit_id="main", phase=L1, against=L2)


def test_who_is_let_in_by_another_is_let_in_before_that_one_is_served_more() -> None:
    """c would be guaranteed 12 of the 16 A, but then there is no room for b."""
    site = circuit(40, sum_a=16, imbalance=Imbalance(limit_a=8, unmanaged_a=(4, 0, 4)))
    cars = [car("b", L1, step_a=1.0), car("c", L2, step_a=1.0, queue_key=1.0, guarantee_a=12.0)]
    assert limits(allocate([site], cars)) == {"b": 6, "c": 10}


def test_two_that_even_out_each_other_climb_by_turns_until_neither_can() -> None:
    """Neither can have its ideal as long as the other has not, and the claims let either go as far ahead as the imbalance does."""
    site = circuit(60, imbalance=Imbalance(limit_a=6))
    cars = [car("a", L1, L3, step_a=1.0), car("b", L2, step_a=1.0, max_a=26.0)]
    assert limits(allocate([site], cars)) == {"a": 32, "b": 26}


def test_what_a_later_tier_evens_out_goes_to_the_earlier() -> None:
    site = circuit(40, imbalance=Imbalance(limit_a=10))
    cars = [car("a", L1, step_a=1.0), car("b", L2, step_a=1.0, tier=1), car("c", L3, step_a=1.0, tier=1)]
    assert limits(allocate([site], cars)) == {"a": 40, "b": 40, "c": 40}


def test_a_car_that_was_refused_is_let_in_by_what_others_grow_to() -> None:
    site = circuit(40, imbalance=Imbalance(limit_a=8))
    late = car("late", L1, min_a=10.0, step_a=1.0)
    assert limits(allocate([site], [late, car("b", L2, step_a=1.0), car("c", L3, step_a=1.0)])) == {"late": 40, "b": 40, "c": 40}


def test_who_was_stopped_rises_again_with_the_others_once_the_row_is_relieved() -> None:
    """a has 16 A and b 6 A when L1 is 10 A above the others; then c rises by 4 A, and they go on to where a has thrice b's."""
    site = circuit(40, imbalance=Imbalance(limit_a=10))
    cars = [car("a", L1, weight=3), car("b", L1), car("c", L2, L3, min_a=12.0, max_a=16.0)]
    assert limits(allocate([site], cars)) == pytest.approx({"a": 19.5, "b": 6.5, "c": 16}, abs=2e-3)
    cars[2] = replace(cars[2], max_a=13.0)
    assert limits(allocate([site], cars)) == pytest.approx({"a": 17, "b": 6, "c": 13}, abs=2e-3), "and by an amp, it goes to a"


def test_a_row_that_is_full_stops_who_pushes_it_and_not_who_relieves_it() -> None:
    """At level 10 a is 10 A above b. b relieves that, so it goes on, and shares with x what the sum has left."""
    main = circuit(90, sum_a=60)
    garage = circuit(90, circuit_id="garage", parent_id="main", imbalance=Imbalance(limit_a=10, unmanaged_a=(0, 0, 15)))
    cars = [car("a", L1, circuit_id="garage", weight=2), car("b", L2, circuit_id="garage"), car("x", L2)]
    assert limits(allocate([main, garage], cars)) == pytest.approx({"a": 20, "b": 20, "x": 20}, abs=2e-3)


def test_who_pushes_a_phasor_is_who_points_the_same_way() -> None:
    row = rows_of([circuit(10, wiring=BEHIND)])["main"][0]
    line = Line(row, 8j, 1j, {0: 1j, 1: -1j, 2: 1 + 0.1j, 3: 1 - 0.1j})
    assert line.pushing(2.0) == [0, 2]
    line = Line(row, 8.0, 4j, {0: 2 - 1j, 1: -2 + 1j, 2: 1 + 2j, 3: 1 - 2j, 4: 1 - 1j})
    assert line.pushing(2.0) == [0, 2], "at 45°, and neither do those push that are square to it"
    assert Line(row, 12j - 2, 1.0, {0: 1.0}).pushing(2.0) == [0], "no way on where the row is passed at its nearest"
    assert Line(rows_of([circuit(10, wiring=DELTA)])["main"][0], 8j, 1j, {0: 1j, 1: 1}).pushing(2.0) == [0, 1]


def test_what_one_loses_to_its_step_another_that_leant_on_it_gives_up() -> None:
    """Ideally a has 21.9 A and b 11.9 A; b's step makes that 10 A."""
    site = circuit((40, 11.9, 40), imbalance=Imbalance(limit_a=10, unmanaged_a=(0, 0, 12)))
    assert limits(allocate([site], [car("a", L1, step_a=1.0), car("b", L2, step_a=2.0)])) == {"a": 20, "b": 10}


def test_an_imbalance_beyond_its_limit_only_lets_in_what_evens_it_out() -> None:
    site = circuit((20, 40, 40), imbalance=Imbalance(limit_a=16, unmanaged_a=(30, 0, 30)))
    cars = [car("a", L1, step_a=1.0), car("b", L2, step_a=1.0)]
    assert limits(allocate([site], cars[:1])) == {"a": 0}
    assert limits(allocate([site], cars)) == {"a": 16, "b": 40}


def test_a_car_that_only_turns_an_imbalance_round_is_not_in_its_way() -> None:
    """13.9 − 16.9 is a hair more than −3 in floats."""
    site = circuit(40, imbalance=Imbalance(limit_a=1, unmanaged_a=(13.9, 16.9, 16.9)))
    assert limits(allocate([site], [car("a", L1, max_a=6.0)])) == {"a": 6}


@pytest.mark.parametrize(
    ("headroom", "request_", "message"),
    [
        (circuit(20, wiring=DELTA), car("a", L1), "no neutral"),
        (circuit(20, wiring=BEHIND), car("a", L3), "no neutral"),
        (circuit(20, wiring=DELTA, imbalance=Imbalance(limit_a=20)), car("a"), "imbalance"),
    ],
)
def test_what_a_wiring_has_no_place_for_is_refused(headroom: Headroom, request_: Request, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allocate([headroom], [request_])
