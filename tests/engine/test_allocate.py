"""The allocation by example. What holds on every site: test_properties.py and test_fairness.py."""

from dataclasses import replace

import pytest

from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.model import ALL_PHASES, Allocation, Headroom, PerPhase, Phase, Reason, ReasonCode, Request

L1, L2, L3 = Phase


def circuit(circuit_id: str, available_a: PerPhase | float, parent_id: str | None = None, sum_a: float | None = None) -> Headroom:
    """Return what is left on a circuit; one number stands for all three phases."""
    if not isinstance(available_a, tuple):
        available_a = (available_a, available_a, available_a)
    return Headroom(circuit_id=circuit_id, parent_id=parent_id, available_a=available_a, sum_a=sum_a)


def car(
    request_id: str, circuit_id: str = "main", phases: tuple[Phase, ...] = ALL_PHASES, max_a: float = 32.0, **fields: object
) -> Request:
    """Return a request; three phases and 32 A unless told."""
    return replace(Request(request_id=request_id, circuit_id=circuit_id, phases=phases, max_a=max_a), **fields)


def limits(allocations: dict[str, Allocation]) -> dict[str, float]:
    """Return the limits alone."""
    return {request_id: allocation.limit_a for request_id, allocation in allocations.items()}


def test_a_car_alone_takes_what_its_ceiling_allows() -> None:
    allocation = allocate([circuit("main", 40)], [car("a", max_a=16.4, ceiling=ReasonCode.CAR)])["a"]
    assert allocation == Allocation(request_id="a", limit_a=16.0, reason=Reason(code=ReasonCode.CAR))


def test_equals_share_alike_and_the_odd_amp_goes_to_the_first_in_the_queue() -> None:
    allocations = allocate([circuit("main", 32)], [car("a", queue_key=3), car("b", queue_key=1), car("c", queue_key=2)])
    assert limits(allocations) == {"a": 10, "b": 11, "c": 11}
    assert allocations["a"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=L1, others=2)


def test_one_phase_cars_on_rotated_conductors_do_not_share() -> None:
    assert limits(allocate([circuit("main", 20)], [car("a", phases=(L1,)), car("b", phases=(L2,)), car("c", phases=(L3,))])) == {
        "a": 20,
        "b": 20,
        "c": 20,
    }


def test_a_three_phase_car_is_held_by_its_fullest_conductor_and_leaves_the_others_free() -> None:
    allocations = allocate([circuit("main", (30, 20, 40))], [car("a"), car("b", phases=(L2,)), car("c", phases=(L3,))])
    assert limits(allocations) == {"a": 10, "b": 10, "c": 30}
    assert allocations["a"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=L2, others=1)
    assert allocations["c"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=L3, others=1)


def test_what_a_small_circuit_can_not_carry_goes_to_the_cars_outside() -> None:
    tree = [circuit("main", 50), circuit("garage", 20, "main")]
    allocations = allocate(tree, [car("a", "garage"), car("b", "garage"), car("c", "main")])
    assert limits(allocations) == {"a": 10, "b": 10, "c": 30}
    assert allocations["a"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="garage", phase=L1, others=1)
    assert allocations["c"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=L1, others=2)


def test_a_car_is_held_by_a_circuit_two_levels_up() -> None:
    tree = [circuit("main", (32, 9, 32)), circuit("house", 25, "main"), circuit("garage", 20, "house")]
    allocation = allocate(tree, [car("a", "garage")])["a"]
    assert allocation.limit_a == 9
    assert allocation.reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=L2)


def test_a_car_is_held_by_what_has_no_room_for_one_step_more() -> None:
    tree = [circuit("main", 10), circuit("garage", 11, "main")]
    assert allocate(tree, [car("a", "garage")])["a"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=L1)
    assert allocate(tree, [car("a", "garage", step_a=8.0)])["a"] == Allocation(
        request_id="a", limit_a=8, reason=Reason(code=ReasonCode.CIRCUIT, circuit_id="garage", phase=L1)
    )


def test_a_car_at_its_own_ceiling_is_held_by_that_even_where_the_circuit_is_full() -> None:
    allocation = allocate([circuit("main", 16)], [car("a", max_a=16, ceiling=ReasonCode.CAR)])["a"]
    assert allocation == Allocation(request_id="a", limit_a=16, reason=Reason(code=ReasonCode.CAR))


def test_a_car_that_rests_says_so_where_it_would_fit_and_else_what_it_waits_for() -> None:
    rests, other = car("a", max_a=0, ceiling=ReasonCode.RESTING), car("b", max_a=10)
    assert allocate([circuit("main", 16)], [rests, other])["a"].reason == Reason(code=ReasonCode.RESTING)
    waits = Reason(code=ReasonCode.WAITING, circuit_id="main", phase=L1, others=1)
    assert allocate([circuit("main", 15)], [rests, other])["a"].reason == waits


def test_weights_share_the_whole_current() -> None:
    assert limits(allocate([circuit("main", 40)], [car("a", weight=3, max_a=40), car("b", weight=1)])) == {"a": 30, "b": 10}


def test_the_odd_amp_goes_by_the_queue_where_residuals_differ_by_the_noise_of_floats() -> None:
    """Each has half an amp more in the ideal."""
    requests = [car("a", weight=1, queue_key=2), car("b", weight=7, queue_key=1, max_a=60), car("c", weight=1)]
    assert limits(allocate([circuit("main", 58.5)], requests)) == {"a": 6, "b": 45, "c": 7}


def test_a_light_car_keeps_its_least_current_and_the_heavy_one_takes_the_rest() -> None:
    assert limits(allocate([circuit("main", 30)], [car("a", weight=9), car("b", weight=1)])) == {"a": 24, "b": 6}


def test_what_a_heavy_car_can_not_take_is_shared_by_the_weights_of_the_others() -> None:
    tree = [circuit("main", 50), circuit("garage", 10, "main")]
    requests = [car("a", "garage", weight=3), car("b", weight=3, max_a=80), car("c", weight=1, max_a=80)]
    assert limits(allocate(tree, requests)) == {"a": 10, "b": 30, "c": 10}


def test_what_a_heavy_car_can_not_take_lets_the_light_one_rise_to_its_most() -> None:
    tree = [circuit("main", 30), circuit("garage", 10, "main")]
    assert limits(allocate(tree, [car("a", "garage", weight=4), car("b", max_a=15)])) == {"a": 10, "b": 15}


def test_a_power_ceiling_counts_every_phase() -> None:
    allocations = allocate([circuit("main", 32, sum_a=40)], [car("a"), car("b", phases=(L1,))])
    assert limits(allocations) == {"a": 10, "b": 10}
    assert allocations["a"].reason == Reason(code=ReasonCode.CIRCUIT, circuit_id="main", phase=None, others=1)


def test_a_car_that_does_not_fit_waits_and_a_smaller_one_behind_it_charges() -> None:
    allocations = allocate(
        [circuit("main", (6, 16, 6))], [car("a", queue_key=0), car("b", queue_key=1), car("c", phases=(L2,), queue_key=2)]
    )
    assert limits(allocations) == {"a": 6, "b": 0, "c": 10}
    assert allocations["b"].reason == Reason(code=ReasonCode.WAITING, circuit_id="main", phase=L1, others=1)


def test_tier_0_is_filled_before_tier_1_which_keeps_its_least_current() -> None:
    assert limits(allocate([circuit("main", 30)], [car("a", tier=1), car("b", tier=0, max_a=20)])) == {"a": 10, "b": 20}
    assert limits(allocate([circuit("main", 30)], [car("a", tier=1), car("b", tier=0)])) == {"a": 6, "b": 24}


def test_what_tier_0_leaves_to_its_steps_is_handed_round_in_tier_0() -> None:
    requests = [car("a", queue_key=1), car("b", queue_key=2), car("c", tier=1)]
    assert limits(allocate([circuit("main", 31)], requests)) == {"a": 13, "b": 12, "c": 6}


def test_a_ceiling_a_hair_below_a_step_is_the_step_below() -> None:
    assert limits(allocate([circuit("main", 40)], [car("a", max_a=15.9999)])) == {"a": 15}
    assert limits(allocate([circuit("main", 6.5)], [car("a", min_a=6.0001)])) == {"a": 0}


def test_tier_0_is_admitted_before_tier_1() -> None:
    requests = [car("a", tier=1, queue_key=0), car("b", tier=0, queue_key=9)]
    assert limits(allocate([circuit("main", 11)], requests)) == {"a": 0, "b": 11}


def test_who_is_held_is_admitted_before_tier_0_and_before_these_who_must_not_be_paused_at_all() -> None:
    requests = [car("a"), car("b", tier=1, held=True), car("c", tier=2, held=True, pausable=False), car("d", tier=1, pausable=False)]
    assert limits(allocate([circuit("main", 6)], requests)) == {"a": 0, "b": 0, "c": 6, "d": 0}
    assert limits(allocate([circuit("main", 12)], requests)) == {"a": 0, "b": 6, "c": 6, "d": 0}
    assert limits(allocate([circuit("main", 18)], requests)) == {"a": 6, "b": 6, "c": 6, "d": 0}


def test_a_conductor_over_its_limit_admits_nobody_and_the_others_go_on() -> None:
    allocations = allocate([circuit("main", (-2, 20, 20))], [car("a"), car("b", phases=(L3,))])
    assert limits(allocations) == {"a": 0, "b": 20}
    assert allocations["a"].reason == Reason(code=ReasonCode.WAITING, circuit_id="main", phase=L1)


@pytest.mark.parametrize("available_a", [40, 0.5])
def test_a_ceiling_below_the_least_current_is_0_and_names_itself(available_a: float) -> None:
    allocation = allocate([circuit("main", available_a)], [car("a", max_a=5.9, ceiling=ReasonCode.USER)])["a"]
    assert allocation == Allocation(request_id="a", limit_a=0.0, reason=Reason(code=ReasonCode.USER))


def test_a_least_current_between_two_steps_is_the_upper_one() -> None:
    assert limits(allocate([circuit("main", 7)], [car("a", min_a=6.5, step_a=2.0)])) == {"a": 0}
    assert limits(allocate([circuit("main", 9)], [car("a", min_a=6.5, step_a=2.0)])) == {"a": 8}


def test_a_car_may_take_a_single_step_for_its_least_current() -> None:
    assert limits(allocate([circuit("main", 7)], [car("a", step_a=6.0)])) == {"a": 6}
    assert limits(allocate([circuit("main", 7)], [car("a", min_a=0.0)])) == {"a": 7}


def test_tenths_add_up() -> None:
    assert limits(allocate([circuit("main", 20.4)], [car("a", step_a=0.1), car("b", step_a=0.1)])) == {"a": 10.2, "b": 10.2}


def test_amps_that_one_car_leaves_to_its_step_go_to_another() -> None:
    assert limits(allocate([circuit("main", 15)], [car("a", step_a=2.0), car("b", step_a=1.0)])) == {"a": 8, "b": 7}


def test_a_coarse_step_takes_nothing_from_the_fair_share_of_a_fine_one() -> None:
    """Each has 7.4 A in the ideal. b, the first in the queue, would take its step to 8 A if a had not its 7 A before that."""
    requests = [car("a", step_a=1.0, queue_key=1), car("b", step_a=2.0)]
    assert limits(allocate([circuit("main", 14.8)], requests)) == {"a": 8, "b": 6}


def test_a_fair_share_that_is_a_whole_number_of_steps_is_given_whole() -> None:
    """8.1 / 0.1 is a hair below 81 in floats. b has 7.95 A in the ideal, and would take the tenth that it lacks to 8 A."""
    tenths = car("a", step_a=0.1, max_a=8.1, weight=2)
    assert limits(allocate([circuit("main", 16.05)], [tenths, car("b", step_a=2.0)])) == {"a": 8.1, "b": 6}


def test_who_has_no_room_for_its_step_does_not_count_in_the_shares_of_what_is_left() -> None:
    """L1 has 17 A; a has 8 of them, and its next step is 4 A. So x has 9 A like y, though y would be given an odd step before."""
    requests = [
        car("a", phases=(L1,), step_a=4.0, guarantee_a=12.0),
        car("x", phases=(L1, L2), queue_key=2),
        car("y", phases=(L2,), queue_key=1),
    ]
    assert limits(allocate([circuit("main", (17, 18, 0))], requests)) == {"a": 8, "x": 9, "y": 9}


def test_weights_beyond_the_precision_of_floats_overload_nothing() -> None:
    assert limits(allocate([circuit("main", 20)], [car("a", weight=1e-30), car("b", weight=1e30), car("c", weight=1.0)])) == {
        "a": 6,
        "b": 8,
        "c": 6,
    }


def test_nobody_asks() -> None:
    assert allocate([circuit("main", 20)], []) == {}


@pytest.mark.parametrize(
    ("headrooms", "requests", "message"),
    [
        ([circuit("main", 20)], [car("a", "shed")], "unknown circuit 'shed'"),
        ([circuit("main", 20, "grid")], [], "unknown circuit 'grid'"),
        ([circuit("x", 20, "y"), circuit("y", 20, "x")], [], "its own ancestor"),
        ([circuit("x", 20, "x")], [], "its own ancestor"),
        ([circuit("main", 20), circuit("main", 20)], [], "given twice"),
        ([circuit("main", (20, float("nan"), 20))], [], "not a number"),
        ([circuit("main", 20)], [car("a"), car("a")], "used twice"),
        ([circuit("main", 20)], [car("a", tier=0), car("a", tier=1)], "used twice"),
        ([circuit("main", 20)], [car("a", phases=())], "phases"),
        ([circuit("main", 20)], [car("a", phases=(L1, L1))], "phases"),
        ([circuit("main", 20)], [car("a", step_a=0.0)], "step"),
        ([circuit("main", 20)], [car("a", weight=0.0)], "weight"),
        ([circuit("main", 20)], [car("a", max_a=float("inf"))], "current"),
        ([circuit("main", 20)], [car("a", min_a=float("inf"))], "current"),
    ],
)
def test_nonsense_is_refused(headrooms: list[Headroom], requests: list[Request], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        allocate(headrooms, requests)
