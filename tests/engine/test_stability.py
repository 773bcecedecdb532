"""Decreases at once, increases slowly, never on borrowed current."""

from dataclasses import replace

from hypothesis import given, strategies as st

from custom_components.headroom.engine.model import ALL_PHASES, Allocation, Headroom, Imbalance, Phase, Reason, ReasonCode, Request, Wiring
from custom_components.headroom.engine.stability import Holding, steady
from custom_components.headroom.engine.write_budget import BRISK

NOW = 1000.0


def session(name: str) -> Request:
    return Request(request_id=name, circuit_id="main", phases=ALL_PHASES, max_a=32.0)


def given_a(name: str, limit_a: float) -> Allocation:
    return Allocation(request_id=name, limit_a=limit_a, reason=Reason(code=ReasonCode.CIRCUIT))


def told(
    targets: dict[str, float], holdings: dict[str, Holding], available_a: float, may_raise: set[str] | None = None
) -> dict[str, float]:
    return steady(
        [session(name) for name in targets],
        {name: given_a(name, limit_a) for name, limit_a in targets.items()},
        holdings,
        [Headroom(circuit_id="main", parent_id=None, available_a=(available_a,) * 3)],
        now=NOW,
        may_raise=set(targets) if may_raise is None else may_raise,
    )


def long_held(limit_a: float, reserved_a: float | None = None) -> Holding:
    return Holding(limit_a=limit_a, reserved_a=limit_a if reserved_a is None else reserved_a, changed_at=NOW - 100.0)


def test_a_freed_amp_is_not_handed_on_before_it_is_gone() -> None:
    still_drawing = told({"a": 10.0, "b": 16.0}, {"a": long_held(16.0), "b": long_held(10.0)}, 26.0)
    assert still_drawing == {"a": 10.0, "b": 10.0}
    gone = told({"a": 10.0, "b": 16.0}, {"a": long_held(10.0), "b": long_held(10.0)}, 26.0)
    assert gone == {"a": 10.0, "b": 16.0}


def test_a_raise_takes_what_is_free_already() -> None:
    assert told({"a": 10.0, "b": 16.0}, {"a": long_held(10.0, 12.5), "b": long_held(10.0)}, 26.0)["b"] == 13.0


def test_a_car_that_waits_is_not_given_less_than_the_least_current() -> None:
    assert told({"a": 6.0}, {"a": long_held(0.0)}, 5.0) == {"a": 0.0}
    assert told({"a": 6.0}, {"a": long_held(0.0)}, 6.0) == {"a": 6.0}


def test_a_small_raise_waits_and_a_cut_of_any_size_does_not() -> None:
    lately = Holding(limit_a=10.0, reserved_a=10.0, changed_at=NOW - BRISK.dead_band_s + 1.0)
    assert told({"a": 11.0}, {"a": lately}, 20.0) == {"a": 10.0}
    assert told({"a": 11.0}, {"a": long_held(10.0)}, 20.0) == {"a": 11.0}
    assert told({"a": 9.0}, {"a": Holding(limit_a=10.0, reserved_a=10.0, changed_at=NOW)}, 20.0) == {"a": 9.0}


def test_a_small_raise_waits_until_the_room_for_it_has_lasted_and_a_large_one_does_not() -> None:
    lately = replace(long_held(10.0), roomy_since=NOW - BRISK.roomy_s + 1.0)
    assert told({"a": 11.0}, {"a": lately}, 20.0) == {"a": 10.0}
    assert told({"a": 12.0}, {"a": lately}, 20.0) == {"a": 12.0}
    assert told({"a": 11.0}, {"a": replace(lately, roomy_since=NOW - BRISK.roomy_s)}, 20.0) == {"a": 11.0}


def test_raises_keep_their_distance_in_time() -> None:
    just_now = Holding(limit_a=10.0, reserved_a=10.0, changed_at=NOW - BRISK.raise_every_s + 0.5)
    assert told({"a": 20.0}, {"a": just_now}, 20.0) == {"a": 10.0}


def test_nothing_is_raised_on_stale_readings() -> None:
    assert told({"a": 20.0, "b": 6.0}, {"a": long_held(10.0), "b": long_held(10.0)}, 40.0, may_raise=set()) == {"a": 10.0, "b": 6.0}


def test_a_raise_between_conductors_takes_what_is_free_at_its_angle() -> None:
    """16 A from L1 to L2 and 9 A from L3 to L1 put √(16² + 9² + 16·9) = 21.9 A on L1."""
    cars = {"a": (Phase.L1, Phase.L2), "b": (Phase.L3, Phase.L1)}
    result = steady(
        [Request(request_id=name, circuit_id="pod", phases=phases, max_a=32.0) for name, phases in cars.items()],
        {"a": given_a("a", 16.0), "b": given_a("b", 16.0)},
        {"a": long_held(16.0), "b": long_held(6.0)},
        [
            Headroom(circuit_id="site", parent_id=None, available_a=(90.0,) * 3, sum_a=90.0),
            Headroom(circuit_id="pod", parent_id="site", available_a=(22.0, 40.0, 40.0), wiring=Wiring.DELTA),
        ],
        now=NOW,
        may_raise=cars,
    )
    assert result == {"a": 16.0, "b": 9.0}


def test_a_raise_waits_for_current_that_evens_it_out() -> None:
    cars = {"a": (Phase.L1,), "b": (Phase.L2,)}
    for held_by_b_a, expected_a in ((6.0, 14.0), (12.0, 20.0)):
        result = steady(
            [Request(request_id=name, circuit_id="main", phases=phases, max_a=32.0) for name, phases in cars.items()],
            {"a": given_a("a", 20.0), "b": given_a("b", held_by_b_a)},
            {"a": long_held(6.0), "b": long_held(held_by_b_a)},
            [
                Headroom(
                    circuit_id="main",
                    parent_id=None,
                    available_a=(40.0,) * 3,
                    imbalance=Imbalance(limit_a=8.0, unmanaged_a=(0.0, 0.0, 16.0)),
                )
            ],
            now=NOW,
            may_raise=cars,
        )
        assert result["a"] == expected_a


@given(
    available_a=st.floats(0.0, 100.0),
    cars=st.lists(st.tuples(st.integers(0, 32), st.integers(0, 32), st.floats(0.0, 10.0)), min_size=1, max_size=6),
)
def test_raises_never_overfill_a_circuit_that_was_not_full(available_a: float, cars: list[tuple[int, int, float]]) -> None:
    targets = {str(index): float(target) for index, (_, target, _) in enumerate(cars)}
    holdings = {str(index): long_held(float(limit), limit + extra) for index, (limit, _, extra) in enumerate(cars)}
    result = told(targets, holdings, available_a)
    taken = sum(max(result[name], holding.reserved_a) for name, holding in holdings.items())
    held = sum(holding.reserved_a for holding in holdings.values())
    assert taken <= max(available_a, held) + 1e-6
