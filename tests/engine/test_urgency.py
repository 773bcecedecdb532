"""How warm a breaker is, and what an overload asks for by that."""

from dataclasses import replace
import math

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.breaker import NEVER_TRIPS
from custom_components.headroom.engine.model import Circuit, PerPhase, Phase
from custom_components.headroom.engine.urgency import PASSES_S, Heat, Urgency, lets_go_in_s, reserve, urgency, warmed
from simulator.breaker import BreakerState, step

MAIN = Circuit(circuit_id="main", name="Main", fuse_a=63.0, margin_a=2.0, metered=True)


def on_all(current_a: float) -> PerPhase:
    """Return a current on each conductor."""
    return (current_a, current_a, current_a)


def watched(*currents_a: float, every_s: float = 1.0, circuit: Circuit = MAIN) -> Heat:
    """Return a breaker's heat after readings of one current after the other."""
    heat = None
    for number, current_a in enumerate(currents_a):
        heat = warmed(heat, circuit, on_all(current_a), number * every_s)
    assert heat is not None
    return heat


def test_a_breaker_that_nobody_watched_is_as_warm_as_its_limit_makes_it() -> None:
    assert reserve(watched(10.0), MAIN) == 1.0
    assert watched(10.0).squares == pytest.approx(on_all((61 / 63) ** 2))
    assert reserve(watched(66.0), MAIN) == pytest.approx((NEVER_TRIPS**2 - (66 / 63) ** 2) / (NEVER_TRIPS**2 - (61 / 63) ** 2))
    assert reserve(watched(100.0), MAIN) == 0.0, "nobody knows how long it has been there"


@given(
    st.lists(st.floats(0.0, 180.0), min_size=1, max_size=40),
    st.floats(0.2, 5.0),
)
def test_it_is_never_reckoned_colder_than_a_breaker_of_the_fast_kind_is(currents_a: list[float], every_s: float) -> None:
    heat = warmed(None, MAIN, on_all(61.0), 0.0)
    real = BreakerState(heat=on_all((61 / 63) ** 2))
    for number, current_a in enumerate(currents_a, 1):
        heat = warmed(heat, MAIN, on_all(current_a), number * every_s)
        real = step(63.0, real, on_all(current_a), every_s)
        if real.tripped:
            assert reserve(heat, MAIN) < 0.01 or current_a > 3 * 63 or max(heat.squares) >= NEVER_TRIPS**2 - 1e-9
            return
        assert all(reckoned >= warm - 1e-9 for reckoned, warm in zip(heat.squares, real.heat, strict=True))


def test_it_lets_go_when_the_curve_says_and_never_at_what_it_carries() -> None:
    assert lets_go_in_s(watched(61.0, 71.0), MAIN) == math.inf
    left_s = lets_go_in_s(watched(61.0, 1.45 * 63), MAIN)
    assert 10 < left_s < 20, "warm from its limit; 42 s from cold"
    assert lets_go_in_s(watched(61.0, *[1.45 * 63] * 6), MAIN) < left_s - 4.5
    assert lets_go_in_s(watched(61.0, 200.0), MAIN) == 0.0
    assert lets_go_in_s(watched(61.0, 1.45 * 63), replace(MAIN, phases=())) == math.inf


def test_readings_out_of_order_do_not_cool_it() -> None:
    heat = watched(61.0, 90.0, 90.0)
    assert warmed(heat, MAIN, on_all(10.0), 0.5).squares == heat.squares


@pytest.mark.parametrize(
    ("measured_a", "may_a", "over_s", "asks_for"),
    [
        (60.0, 61.0, 0.0, Urgency.NONE),
        (60.0, 62.0, 0.0, Urgency.PASSING),
        (70.0, 70.0, 0.0, Urgency.PASSING),
        (70.0, 70.0, PASSES_S - 0.01, Urgency.PASSING),
        (70.0, 70.0, PASSES_S, Urgency.SECONDS),
        (70.0, 70.0, None, Urgency.SECONDS),
        (60.0, 72.0, 0.0, Urgency.SECONDS),
        (72.0, 72.0, 0.0, Urgency.AT_ONCE),
        (72.0, 60.0, None, Urgency.NONE),
    ],
)
def test_what_an_overload_asks_for(measured_a: float, may_a: float, over_s: float | None, asks_for: Urgency) -> None:
    assert urgency(MAIN, watched(50.0, measured_a), on_all(may_a), over_s) is asks_for


def test_what_comes_again_and_again_is_not_let_pass_any_more() -> None:
    heat = watched(*[70.0] * 60)
    assert reserve(heat, MAIN) < 0.5
    assert urgency(MAIN, heat, on_all(70.0), 0.0) is Urgency.AT_ONCE
    cool = watched(*[70.0] * 60, *[61.0] * 90)
    assert urgency(MAIN, cool, on_all(70.0), 0.0) is Urgency.PASSING


def test_conductors_that_a_circuit_has_not_are_not_looked_at() -> None:
    one = replace(MAIN, phases=(Phase.L1,))
    heat = warmed(warmed(None, one, (50.0, 0.0, 0.0), 0.0), one, (50.0, 90.0, 90.0), 1.0)
    assert lets_go_in_s(heat, one) == math.inf
    assert urgency(one, heat, (50.0, 0.0, 0.0), 0.0) is Urgency.NONE
