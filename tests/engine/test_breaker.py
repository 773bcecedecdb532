"""The breaker's endurance against the fixed points of IEC 60898-1."""

import math

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.breaker import NEVER_TRIPS, carried_load, carried_s, trips_after_s


def test_a_load_up_to_the_non_tripping_current_is_carried_for_good() -> None:
    assert carried_s(1.13) == math.inf
    assert carried_s(0.5) == math.inf


@pytest.mark.parametrize(("load", "earliest_s", "latest_s"), [(1.45, 0.0, 3600.0), (2.55, 1.0, 60.0)])
def test_the_curve_runs_inside_the_standards_band(load: float, earliest_s: float, latest_s: float) -> None:
    assert earliest_s < carried_s(load, preload=0.0) < latest_s


def test_a_warm_breaker_carries_less() -> None:
    assert carried_s(1.3, preload=1.0) < carried_s(1.3, preload=0.5) < carried_s(1.3, preload=0.0)


def test_a_short_circuit_is_not_carried_at_all() -> None:
    assert carried_s(4.0) == 0.0


@given(load=st.floats(1.14, 2.9), preload=st.floats(0.0, 1.1))
def test_the_two_directions_agree(load: float, preload: float) -> None:
    duration_s = carried_s(load, preload)
    assert carried_load(duration_s, preload) == pytest.approx(load, rel=1e-6)


@given(shorter=st.floats(1.0, 100.0), longer=st.floats(1.0, 100.0))
def test_more_is_carried_for_a_shorter_time(shorter: float, longer: float) -> None:
    shorter, longer = sorted((shorter, longer))
    assert carried_load(shorter) >= carried_load(longer) >= NEVER_TRIPS


@given(load=st.floats(1.14, 2.9), preload=st.floats(0.0, 1.1))
def test_an_even_course_trips_when_the_load_is_carried_no_longer(load: float, preload: float) -> None:
    assert trips_after_s([(1e6, load)], preload) == pytest.approx(carried_s(load, preload))
    assert trips_after_s([(0.99 * carried_s(load, preload), load), (1e6, 1.0)], preload) == math.inf


def test_what_a_load_heated_counts_in_the_next_one() -> None:
    assert trips_after_s([(10.0, 1.3), (1e6, 1.25)]) < carried_s(1.25)
    assert trips_after_s([(10.0, 1.3), (600.0, 0.5), (10.0, 1.3)]) == math.inf
    assert trips_after_s([(5.0, 1.0), (1.0, 3.5)]) == 5.0
