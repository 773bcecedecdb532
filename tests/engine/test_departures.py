"""How long cars stay: what past errors make of a word, by example and against the distribution itself."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.departures import LEAST_ERRORS, QUANTILES, Stay, quantiles_of

errors = st.lists(st.floats(-7200, 7200), min_size=2, max_size=QUANTILES).map(sorted).map(tuple)
PERIOD_S, WEEK_S = 300.0, 7 * 86_400.0


def stay(stay_s: float, errors_s: tuple[float, ...] = ()) -> Stay:
    return Stay.of(stay_s, errors_s, least_s=PERIOD_S, most_s=WEEK_S)


def test_who_keeps_the_word_is_taken_at_it_and_so_is_who_is_not_known() -> None:
    assert quantiles_of([0.0] * 100) == ()
    assert quantiles_of([-600.0] * (LEAST_ERRORS - 1)) == ()


def test_the_quantiles_are_the_middles_of_equal_shares_and_leave_the_odd_one_aside() -> None:
    found = quantiles_of([*(float(number) for number in range(-90, 90)), 80_000.0])
    assert len(found) == QUANTILES
    assert all(later - sooner == pytest.approx(20, abs=0.2) for sooner, later in pairwise(found))
    assert found[0] == pytest.approx(-80, abs=1) and found[-1] == pytest.approx(80, abs=1)


def test_a_word_that_is_always_wrong_by_the_same_is_mended() -> None:
    assert stay(3600, quantiles_of([-600.0] * LEAST_ERRORS)) == stay(3000)


def test_a_known_stay_ends_at_its_moment() -> None:
    known = stay(3600)
    assert known.known and known.expected_s == known.longest_s == 3600
    assert known.until_s(1800) == 1800 and known.until_s(7200) == 3600
    assert stay(-60).longest_s == PERIOD_S and stay(9e9).longest_s == WEEK_S


def test_it_is_less_and_less_likely_there_between_the_soonest_and_the_latest() -> None:
    found = stay(3600, (-1800.0, 1800.0))
    assert not found.known and found.longest_s == 5400 and found.expected_s == pytest.approx(3600)
    assert found.until_s(1800) == 1800
    assert found.until_s(3600) == pytest.approx(1800 + 1800 * 0.75), "half of them have left by then"


def test_who_outstays_the_word_may_stay_as_long_as_the_others_have_and_then_leaves_any_time() -> None:
    late = stay(-600, (-1800.0, 1800.0))
    assert late.ends_s == (PERIOD_S, 1200) and late.expected_s == pytest.approx((PERIOD_S + 1200) / 2)
    assert stay(-1800, (-1800.0, 1800.0)) == stay(-1800) == Stay((PERIOD_S,))


def test_who_is_past_all_but_the_last_errors_leaves_evenly_in_what_is_left_of_them() -> None:
    found = stay(-600, (-3600.0, -1800.0, 600.0, 1200.0, 2400.0))
    # It is 300 s from now at least: 300 s of the span from 0 to 600 s after the word are left, and the two after it whole.
    assert found.ends_s == (PERIOD_S, 600, 1800)
    assert found.there[0] == 1 and found.there[-1] == 0
    assert found.there[1] == pytest.approx(1 / (1 + 300 / 600))


@given(errors, st.floats(-7200, 20_000), st.floats(0, 40_000), st.floats(0, 40_000))
def test_it_is_there_no_longer_than_time_passes_and_never_less_with_more_time(
    errors_s: tuple[float, ...], stay_s: float, one_s: float, other_s: float
) -> None:
    found = stay(stay_s, errors_s)
    sooner_s, later_s = sorted((one_s, other_s))
    assert found.there[-1] == 0 and all(before >= after for before, after in pairwise(found.there))
    assert -1e-6 <= found.until_s(later_s) - found.until_s(sooner_s) <= later_s - sooner_s + 1e-6
    assert found.until_s(PERIOD_S) == PERIOD_S
    assert found.until_s(found.longest_s) == pytest.approx(found.expected_s) == pytest.approx(found.until_s(1e6))
    assert PERIOD_S <= found.expected_s <= found.longest_s + 1e-6
