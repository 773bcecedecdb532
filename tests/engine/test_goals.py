"""What comes before the sharing: guarantees, and what a plan wants."""

from dataclasses import replace

import pytest

from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.model import ALL_PHASES, Allocation, Headroom, Phase, Reason, ReasonCode, Request

L1, L2, L3 = Phase


def shared(available_a: float, *requests: Request) -> dict[str, float]:
    """Return the limits of sessions on one circuit."""
    return {request_id: allocation.limit_a for request_id, allocation in allocations(available_a, *requests).items()}


def allocations(available_a: float, *requests: Request) -> dict[str, Allocation]:
    return allocate([Headroom(circuit_id="main", parent_id=None, available_a=(available_a,) * 3)], requests)


def car(request_id: str, **fields: object) -> Request:
    return replace(Request(request_id=request_id, circuit_id="main", phases=ALL_PHASES, max_a=32.0), **fields)


def test_a_guarantee_comes_before_the_shares_and_counts_as_one() -> None:
    assert shared(40, car("a", guarantee_a=20.0), car("b"), car("c")) == {"a": 20, "b": 10, "c": 10}
    assert shared(45, car("a", guarantee_a=10.0), car("b"), car("c")) == {"a": 15, "b": 15, "c": 15}


def test_guarantees_that_do_not_fit_together_are_shared() -> None:
    assert shared(40, car("a", guarantee_a=20.0), car("b", guarantee_a=32.0), car("c")) == {"a": 17, "b": 17, "c": 6}
    assert shared(42, car("a", guarantee_a=10.0), car("b", guarantee_a=32.0), car("c")) == {"a": 10, "b": 26, "c": 6}


def test_the_guarantees_of_a_tier_come_before_those_of_the_next_and_before_every_share() -> None:
    assert shared(40, car("a"), car("b", tier=1, guarantee_a=16.0)) == {"a": 24, "b": 16}
    assert shared(40, car("a", guarantee_a=30.0), car("b", tier=1, guarantee_a=16.0)) == {"a": 30, "b": 10}


def test_a_guarantee_between_two_steps_is_met_and_one_above_the_ceiling_stops_there() -> None:
    assert shared(26, car("a", guarantee_a=18.5), car("b")) == {"a": 19, "b": 7}
    assert shared(26, car("a", guarantee_a=20.0, max_a=16.0), car("b")) == {"a": 16, "b": 10}


def test_a_guarantee_below_the_least_current_changes_nothing() -> None:
    """The others' guarantees have 23.5 A for 24, of which the odd step goes to the first in the queue."""
    others = car("x", guarantee_a=12.0, queue_key=1.0), car("y", guarantee_a=12.0, place=1)
    for guarantee_a in (0.0, 5.5, 6.0):
        assert shared(29.5, car("z", guarantee_a=guarantee_a), *others) == {"x": 11, "y": 12, "z": 6}


def test_a_guarantee_does_not_admit() -> None:
    assert shared(11, car("a", queue_key=1.0, guarantee_a=10.0), car("b")) == {"a": 0, "b": 11}


def test_targets_come_before_the_rest_which_goes_to_whoever_has_least() -> None:
    assert shared(40, car("a", target_a=8.0), car("b", target_a=22.0), car("c", target_a=6.0)) == {"a": 9, "b": 22, "c": 9}


def test_targets_between_two_steps_are_rounded_to_the_largest_residual() -> None:
    cars = car("a", target_a=10.3), car("b", target_a=12.6), car("c", target_a=9.1)
    assert shared(32, *cars) == {"a": 10, "b": 13, "c": 9}


def test_a_target_that_a_solver_missed_by_a_hair_is_no_step_more() -> None:
    assert shared(21, car("a", target_a=10.0000001), car("b", target_a=10.9999999)) == {"a": 10, "b": 11}


def test_targets_that_do_not_fit_together_are_shared() -> None:
    assert shared(36, car("a", target_a=30.0), car("b", target_a=10.0)) == {"a": 26, "b": 10}
    assert shared(36, car("a", target_a=30.0), car("b", target_a=30.0, weight=2.0)) == {"a": 12, "b": 24}


def test_a_guarantee_comes_before_targets() -> None:
    assert shared(36, car("a", target_a=30.0), car("b", target_a=6.0, guarantee_a=16.0)) == {"a": 20, "b": 16}


def test_the_targets_of_a_tier_come_before_those_of_the_next_and_these_before_what_is_shared() -> None:
    assert shared(36, car("a", target_a=20.0), car("b", tier=1, target_a=20.0)) == {"a": 20, "b": 16}
    assert shared(50, car("a", target_a=20.0), car("b", tier=1, target_a=20.0)) == {"a": 30, "b": 20}


def test_a_target_above_the_ceiling_stops_there() -> None:
    found = allocations(60, car("a", target_a=30.0, max_a=16.5, ceiling=ReasonCode.CAR), car("b", target_a=20.0))
    assert {request_id: each.limit_a for request_id, each in found.items()} == {"a": 16, "b": 32}
    assert found["a"].reason == Reason(code=ReasonCode.CAR)


def test_who_is_not_wanted_now_charges_with_what_the_targets_leave() -> None:
    late, wanted = car("late", target_a=0.0), car("wanted", queue_key=1.0, target_a=20.0)
    assert shared(25, late, wanted) == {"late": 0, "wanted": 25}
    assert shared(27, late, wanted) == {"late": 7, "wanted": 20}
    assert shared(27, replace(late, target_a=5.9), wanted) == {"late": 7, "wanted": 20}
    assert shared(25, replace(late, target_a=6.0), wanted) == {"late": 6, "wanted": 19}
    assert shared(25, replace(late, target_a=None), wanted) == {"late": 6, "wanted": 19}
    assert allocations(25, late, wanted)["late"].reason == Reason(code=ReasonCode.WAITING, circuit_id="main", phase=L1, others=1)


def test_who_is_not_wanted_now_is_wanted_less_than_a_lower_tier() -> None:
    assert shared(22, car("late", target_a=0.0), car("wanted", tier=1, target_a=20.0)) == {"late": 0, "wanted": 22}


@pytest.mark.parametrize("field", ["guarantee_a", "target_a"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_goal_that_is_no_number_is_refused(field: str, value: float) -> None:
    with pytest.raises(ValueError, match="current"):
        shared(20, car("a", **{field: value}))
