"""The quarter-hour's budget: counted right, used up, never exceeded, and without a hunt at its end."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.peak_demand import (
    BAND,
    CATCH_UP,
    FLOOR_W,
    RESERVE,
    WINDOW_S,
    PeakLimits,
    Window,
    ceiling_w,
    count,
    held,
    opened,
    smoothed,
)

MIDNIGHT = datetime(2026, 3, 29, tzinfo=UTC).timestamp()
"""The night of a change to summer time in Europe."""


def window(at_s: float, used_ws: float) -> Window:
    """A window so long after its start, with so much known."""
    return Window(starts_at=MIDNIGHT, until=MIDNIGHT + at_s, known_wh=used_ws / 3600)


# Counting


def test_the_quarter_hours_of_every_zone_begin_with_those_of_utc() -> None:
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    days = [begin + timedelta(days=day) for day in range(0, 6 * 366, 7)]
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        for day in days:
            offset = day.astimezone(zone).utcoffset()
            assert offset is not None and offset.total_seconds() % WINDOW_S == 0, (name, day)


@pytest.mark.parametrize("utc", [datetime(2026, 3, 29, 0, 50, tzinfo=UTC), datetime(2026, 10, 25, 0, 50, tzinfo=UTC)])
def test_a_window_over_a_change_of_the_clocks_is_as_long_as_any(utc: datetime) -> None:
    zone = ZoneInfo("Europe/Brussels")
    found = opened(utc.timestamp())
    first, last = (datetime.fromtimestamp(at, zone) for at in (found.starts_at, found.ends_at - 1))
    assert found.ends_at - found.starts_at == 900
    assert first.minute % 15 == 0 and last.minute == first.minute + 14
    after = datetime.fromtimestamp(found.ends_at, zone)
    assert after.minute == 0 and after.hour != first.hour + 1, "the hour that is left out, or comes twice, begins with a window of its own"


@given(
    powers=st.lists(st.tuples(st.floats(0.5, 400), st.floats(-8000, 20000)), min_size=1, max_size=60),
    offset_s=st.floats(0, 899),
)
def test_counting_is_what_a_meter_that_looks_ten_times_a_second_counts(powers: list[tuple[float, float]], offset_s: float) -> None:
    at = start = MIDNIGHT + offset_s
    running: Window | None = Window(starts_at=MIDNIGHT, until=start)
    own: dict[float, float] = {}
    for lasts_s, power_w in powers:
        running, ended = count(running, at + lasts_s, power_w, known=True)
        own |= {each.starts_at: each.known_wh for each in ended} | {running.starts_at: running.known_wh}
        at += lasts_s
    exact: dict[float, float] = {}
    at = start
    for lasts_s, power_w in powers:
        ends = at + lasts_s
        while at < ends:
            to = min(ends, at - at % WINDOW_S + WINDOW_S)
            exact[at - at % WINDOW_S] = exact.get(at - at % WINDOW_S, 0.0) + max(0.0, power_w) * (to - at) / 3600
            at = to
    assert own == pytest.approx(exact, abs=1e-3)


def test_an_export_makes_nothing_up() -> None:
    running, _ = count(window(100, 50_000.0), MIDNIGHT + 200, -9000.0, known=True)
    assert running.known_wh * 3600 == pytest.approx(50_000) and running.until == MIDNIGHT + 200


def test_what_nobody_saw_of_a_window_is_assumed_and_no_part_of_what_is_known() -> None:
    found, ended = count(None, MIDNIGHT + 300, 6000.0, known=False)
    assert (found.known_wh, found.assumed_wh, ended) == (0.0, 500.0, ())
    later, ended = count(window(800, 900.0 * 1000), MIDNIGHT + 2 * WINDOW_S + 60, 6000.0, known=False)
    assert later.starts_at == MIDNIGHT + 2 * WINDOW_S and later.assumed_wh == 100.0, "only the running window's past is its own"
    assert [each.known_average_w for each in ended] == [1000.0] and ended[0].assumed_wh == pytest.approx(6000 * 100 / 3600)


def test_a_clock_that_goes_back_forgets_nothing_that_was_drawn() -> None:
    before = window(600, 600 * 4000.0)
    back, ended = count(before, MIDNIGHT + 300, 4000.0, known=True)
    assert back.used_wh == before.used_wh and back.until == MIDNIGHT + 300 and not ended
    again, _ = count(back, MIDNIGHT + 600, 4000.0, known=True)
    assert again.used_wh > before.used_wh
    earlier, _ = count(before, MIDNIGHT - 60, 8000.0, known=False)
    assert earlier.starts_at == MIDNIGHT - WINDOW_S and earlier.assumed_wh == pytest.approx(8000 * 840 / 3600)


# The goal


def test_the_goal_follows_the_month_from_the_floor_up_and_never_above_the_contract() -> None:
    assert PeakLimits().goal(9000.0) is None
    assert PeakLimits(goal_w=4000.0).goal(9000.0) == 4000.0
    follows = PeakLimits(goal_w=4000.0, follows_month=True)
    assert (follows.goal(0.0), follows.goal(5200.0)) == (4000.0, 5200.0)
    assert PeakLimits(goal_w=1000.0, follows_month=True).goal(0.0) == FLOOR_W
    assert PeakLimits(follows_month=True).goal(1200.0) == FLOOR_W
    assert PeakLimits(contract_w=6000.0).goal(9000.0) == 6000.0
    assert PeakLimits(goal_w=4000.0, follows_month=True, contract_w=6000.0).goal(9000.0) == 6000.0


# The ceiling


@given(goal_w=st.floats(1000, 500_000), at_s=st.floats(0, 899), share=st.floats(0, 1))
def test_who_draws_the_ceiling_stays_at_the_goal_and_uses_it_up(goal_w: float, at_s: float, share: float) -> None:
    """Whatever was drawn before, in a brute-force simulation of the rest of the window in steps of a second."""
    used_ws = share * goal_w * at_s
    at, told = at_s, []
    while at < WINDOW_S:
        step_s = min(1.0, WINDOW_S - at)
        told.append(ceiling_w(goal_w, window(at, used_ws)))
        used_ws += told[-1] * step_s
        at += step_s
    assert used_ws <= goal_w * WINDOW_S
    assert max(told) <= (1 + CATCH_UP) * goal_w and told[-1] <= goal_w, "no burst: the next window could go on with it"
    assert all(abs(after - before) <= 0.02 * goal_w for before, after in pairwise(told)), "smooth"
    if share == 1 or at_s < 60:
        assert used_ws >= 0.98 * goal_w * WINDOW_S


@given(goal_w=st.floats(1000, 50_000), at_s=st.floats(850, 899.9), over=st.floats(0, 0.01))
def test_a_small_excess_in_the_last_moments_takes_a_little_off_and_not_everything(goal_w: float, at_s: float, over: float) -> None:
    pace_w = ceiling_w(goal_w, window(at_s, goal_w * at_s * (1 - RESERVE) + over * goal_w * WINDOW_S))
    assert pace_w >= 0.8 * goal_w


def test_what_is_used_up_is_used_up() -> None:
    assert ceiling_w(4000.0, window(600, 4000.0 * 900)) == 0.0
    assert ceiling_w(4000.0, window(0, 0.0)) == pytest.approx(4000 * (1 - RESERVE))


def test_what_was_assumed_is_reckoned_with_as_what_is_known() -> None:
    known = Window(starts_at=MIDNIGHT, until=MIDNIGHT + 300, known_wh=200.0)
    assumed = Window(starts_at=MIDNIGHT, until=MIDNIGHT + 300, known_wh=50.0, assumed_wh=150.0)
    assert ceiling_w(4000.0, known) == ceiling_w(4000.0, assumed)
    assert assumed.known_average_w == 200.0


def test_jumps_are_smoothed_but_for_the_end_and_small_changes_are_not_told() -> None:
    assert smoothed(None, 5000.0, 1.0, 900.0) == 5000.0
    assert smoothed(1000.0, 5000.0, 1.0, 900.0) < 1060.0
    assert smoothed(1000.0, 5000.0, 60.0, 900.0) == 3000.0
    assert smoothed(1000.0, 5000.0, 10.0, 20.0) > 4800.0
    assert held(None, 1000.0, 5000.0) == 1000.0
    assert held(1000.0, 1000.0 + 0.9 * BAND * 5000, 5000.0) == 1000.0
    assert held(1000.0, 1000.0 - 1.1 * BAND * 5000, 5000.0) == 1000.0 - 1.1 * BAND * 5000
