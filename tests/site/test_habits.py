"""What is usual: of the stays that began at a similar time, and what nothing can be told of."""

from datetime import UTC, datetime, timedelta
import json
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.site.habits import LONGEST_STAY_S, MOST_NAMES, MOST_STAYS, Habits, Stay, Usual, quantile, usual

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, tzinfo=BERLIN)


def stay(day: int, at_h: float, stay_h: float, energy_kwh: float | None = 10.0, *, of: datetime = MONDAY) -> Stay:
    """A stay that began so many days after a Monday, at a time of day."""
    arrived_at = of + timedelta(days=day, hours=at_h)
    energy_wh = None if energy_kwh is None else energy_kwh * 1000
    return Stay(arrived_s=arrived_at.timestamp(), stay_s=stay_h * 3600, energy_wh=energy_wh)


def at(day: int, at_h: float) -> datetime:
    return MONDAY + timedelta(days=day, hours=at_h)


def hours_after(arrived_at: datetime, found: Usual) -> float:
    assert found.departs_at is not None
    return (found.departs_at - arrived_at).total_seconds() / 3600


def test_an_employee_who_comes_at_eight_or_nine_leaves_when_the_work_is_over() -> None:
    stays = [stay(0, 8, 9), stay(1, 9, 8), stay(2, 8.5, 8.5), stay(3, 7.5, 9.5)]
    assert hours_after(at(7, 9.5), usual(stays, at(7, 9.5))) == pytest.approx(7.5), "at five, as always"


def test_a_shopper_stays_for_an_hour_whenever_that_is() -> None:
    stays = [stay(0, 10, 1), stay(1, 12, 1.1), stay(2, 11, 1), stay(3, 10.5, 0.9)]
    assert hours_after(at(7, 11), usual(stays, at(7, 11))) == pytest.approx(1, abs=0.1)


def test_a_night_at_home_is_one_stay_across_midnight_and_across_the_clock_change() -> None:
    friday_before = datetime(2026, 10, 19, tzinfo=BERLIN)  # summer time ends on the 25th
    stays = [stay(day, at_h, 31 - at_h, of=friday_before) for day, at_h in ((0, 23.5), (1, 24.5), (2, 23), (3, 24.2))]
    found = usual(stays, at(0, 23.9))
    assert found.departs_at == datetime(2026, 11, 24, 7, tzinfo=BERLIN).astimezone(UTC), "at seven by the clock on the wall"


def test_the_weekend_is_another_habit_than_the_working_days() -> None:
    stays = [stay(day, 18, 13, 20) for day in (0, 1, 2)] + [stay(day, 18, 3, 5) for day in (5, 6, 12)]
    assert hours_after(at(7, 18), usual(stays, at(7, 18))) == pytest.approx(13)
    assert hours_after(at(13, 18), usual(stays, at(13, 18))) == pytest.approx(3)
    assert usual(stays, at(13, 18)).energy_wh == 5000


def test_two_stays_or_stays_at_another_time_make_no_habit() -> None:
    stays = [stay(0, 8, 9), stay(1, 8, 9)]
    assert usual(stays, at(2, 8)) == Usual()
    assert usual([*stays, stay(2, 13, 2)], at(3, 8)) == Usual()
    assert usual([*stays, stay(2, 8, 9, None)], at(3, 8)).energy_wh is None, "of three the departure is known, of two the energy"


def test_energy_is_reckoned_rather_high_and_departure_rather_early() -> None:
    stays = [stay(day, 18, hours, kwh) for day, hours, kwh in ((0, 10, 5), (1, 12, 10), (2, 14, 15), (3, 13, 40))]
    found = usual(stays, at(4, 18))
    assert found.energy_wh is not None and 12_500 < found.energy_wh < 40_000
    assert 10 < hours_after(at(4, 18), found) < 12.5


stays = st.lists(
    st.builds(
        Stay,
        arrived_s=st.floats(1.7e9, 1.8e9),
        stay_s=st.floats(300, LONGEST_STAY_S),
        energy_wh=st.none() | st.floats(0, 200_000),
    ),
    max_size=MOST_STAYS,
)


@given(stays=stays, arrived_s=st.floats(1.7e9, 1.8e9))
def test_an_estimate_lies_between_what_was_seen(stays: list[Stay], arrived_s: float) -> None:
    arrived_at = datetime.fromtimestamp(arrived_s, BERLIN)
    found = usual(stays, arrived_at)
    energies_wh = [each.energy_wh for each in stays if each.energy_wh is not None]
    if found.energy_wh is not None:
        assert min(energies_wh) - 1e-6 <= found.energy_wh <= max(energies_wh) + 1e-6
    if found.departs_at is not None:
        stay_s = (found.departs_at - arrived_at.astimezone(UTC)).total_seconds()
        shift_s = 2 * 3600 + 3600 + 1  # the window, and a change of the clocks
        assert min(each.stay_s for each in stays) - shift_s <= stay_s <= max(each.stay_s for each in stays) + shift_s
    assert usual(reversed(stays), arrived_at) == found, "in whichever order they are told"


@given(values=st.lists(st.floats(-1e9, 1e9), min_size=1), shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_quantile_lies_inside_and_rises(values: list[float], shares: tuple[float, float]) -> None:
    low, high = sorted(shares)
    assert min(values) - 1e-3 <= quantile(values, low) <= quantile(values, high) + 1e-3 <= max(values) + 2e-3
    assert quantile(values, 0) == min(values) and quantile(values, 1) == pytest.approx(max(values))


def test_only_the_last_stays_count_and_a_plug_put_in_by_mistake_does_not() -> None:
    habits = Habits()
    for day in range(30):
        habits.learn(["driver x", "evse CP1/1"], stay(day, 8, 1 if day < 18 else 9))
    assert not habits.learn(["driver x"], stay(31, 8, 0.01)) and not habits.learn(["driver x"], stay(31, 8, 24 * 15))
    assert (
        [each.stay_s for each in habits.stays["driver x"]]
        == [9 * 3600] * MOST_STAYS
        == [each.stay_s for each in habits.stays["evse CP1/1"]]
    )


def test_the_first_name_that_tells_it_counts() -> None:
    habits = Habits()
    for day in range(4):
        habits.learn(["driver x", "place"], stay(day, 8, 4, None))
        habits.learn(["driver y", "place"], stay(day, 8, 9, 30))
    found = habits.usual(["driver x", "place"], at(7, 8), BERLIN)
    assert hours_after(at(7, 8), found) == pytest.approx(4)
    assert found.energy_wh == 30_000, "what the driver took nobody knows; here it is usual"
    assert habits.usual(["driver z"], at(7, 8), BERLIN) == Usual()


def test_who_has_not_come_for_the_longest_time_is_forgotten_first() -> None:
    habits = Habits()
    for number in range(MOST_NAMES + 1):
        habits.learn([f"driver {number}", "evse CP1/1"], stay(0, 8, 1))
    assert len(habits.stays) == MOST_NAMES and "evse CP1/1" in habits.stays and "driver 0" not in habits.stays


def test_habits_outlive_a_restart_and_tell_no_token() -> None:
    habits = Habits()
    name = habits.driver("04a2b3c4")
    for day in range(3):
        habits.learn([name, "evse CP1/1"], stay(day, 8, 9))
    stored = json.dumps(habits.document())
    assert "04a2b3c4" not in stored
    back = Habits()
    assert back.driver("04a2b3c4") != name, "another site has other names"
    back.recall(json.loads(stored))
    assert back.stays == habits.stays and back.driver("04a2b3c4") == name


@pytest.mark.parametrize("stored", [{}, {"version": 99, "stays": "of another shape"}])
def test_what_another_version_wrote_is_not_read(stored: dict[str, object]) -> None:
    habits = Habits()
    habits.recall(stored)
    assert habits.stays == {}
