"""A meter that shows import as export: seen by one change of cars, whatever the building does beside it."""

from collections.abc import Callable
from math import sin

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.direction import Direction, follows, mirrors, saw


@pytest.mark.parametrize(
    ("shown_a", "moved_a", "expected"),
    [
        ([20.0, 35.0, 50.0], 30.0, True),
        ([-20.0, -35.0, -50.0], 30.0, False),
        ([50.0, 20.0], -30.0, True),
        ([-50.0, -20.0], -30.0, False),
        ([20.0, 20.5, 20.0], 30.0, None),
        ([20.0, 24.0], 4.0, None),
        ([60.0, 20.0, 50.0], 30.0, None),
        ([-20.0, -50.0, -45.0], 30.0, False),
    ],
)
def test_what_rises_with_cars_counts_right_and_what_falls_as_much_is_turned_round(
    shown_a: list[float], moved_a: float, expected: bool | None
) -> None:
    assert saw(shown_a, moved_a) is expected


def told(
    direction: Direction,
    drawn_a: Callable[[int], float],
    building_a: Callable[[int], float],
    *,
    sign: float = 1.0,
    span: range = range(120),
    lag_s: int = 4,
) -> Direction:
    """Cars that load three phases alike and are known so much later; a reading each second."""
    for now in span:
        flows = sign * (drawn_a(now) + building_a(now))
        known = drawn_a(now - lag_s) if drawn_a(now) == drawn_a(now - lag_s) or now % 5 else None
        direction.take((flows, flows, flows), float(now), 3 * (known or 0.0), sure=known is not None)
    return direction


def rises(now: int) -> float:
    return 16.0 if now >= 40 else 0.0


@given(st.floats(-30, 30), st.floats(0, 6), st.floats(-60, 60), st.integers(20, 60))
def test_a_building_that_lives_beside_cars_condemns_no_meter(base_a: float, swing_a: float, step_a: float, step_at: int) -> None:
    """But for one that lets go of twice what the cars begin to draw, in that very moment, or that makes the site's draw its own mirror."""
    building = [base_a + swing_a * sin(now / 3) + (step_a if now >= step_at else 0.0) for now in range(120)]
    together = step_at in (40, 41) and -40 <= step_a <= -24
    before_a, after_a = (rises(now) + building[now] for now in (step_at - 1, step_at))
    mirrored = mirrors((before_a, before_a, before_a), (after_a, after_a, after_a))
    direction = told(Direction(), rises, building.__getitem__)
    assert together or mirrored or not direction.turned
    assert step_at in (40, 41) or not direction.unseen


@given(st.floats(-30, 30), st.floats(0, 0.4))
def test_a_turned_meter_is_found_by_one_change(base_a: float, swing_a: float) -> None:
    assert told(Direction(), rises, lambda now: base_a + swing_a * sin(now), sign=-1.0).turned


def test_cars_of_which_one_gives_to_the_other_say_nothing() -> None:
    assert not told(Direction(), lambda now: 16.0, lambda now: 5.0, sign=-1.0).turned


def test_one_change_condemns_and_several_clear_what_several_condemned() -> None:
    def two(now: int) -> float:
        return 8.0 * (now // 40)

    def flat(_: int) -> float:
        return 5.0

    often = told(Direction(), two, flat, sign=-1.0)
    assert often.against == 2
    told(often, lambda now: 16.0 if now < 300 else 0.0, flat, span=range(240, 340))
    assert often.turned and often.since == 1
    told(often, lambda now: 0.0 if now < 400 else 16.0, flat, span=range(340, 440))
    assert not often.turned


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ([(-72, 0), (-166, 94), (-231, 159), (-204, 132), (-245, 173)], False),
        ([(72, 0), (166, 94), (231, 159), (204, 132), (245, 173)], True),
        ([(400, 0), (54, 0), (245, 173)], None),
        ([(72, 0), (72, 173)], None),
    ],
)
def test_cars_that_give_to_each_other_while_more_come_are_followed_moment_by_moment(
    moments: list[tuple[float, float]], expected: bool | None
) -> None:
    assert follows(moments, 173.0) is expected
    assert follows(moments, 4.0) is None


def test_the_mirror_of_a_reading_is_one_only_where_something_flows() -> None:
    assert mirrors((20.0, 8.0, 0.3), (-19.5, -8.2, -0.4)) and not mirrors((20.0, 8.0, 0.3), (-19.5, 8.2, 0.3))
    assert not mirrors((3.0, 3.0, 3.0), (-3.0, -3.0, -3.0)), "a roof may do that"


@pytest.mark.parametrize(
    ("shown_a", "drawn_a", "turned"),
    [
        ((20.0, -20.0), 60.0, True),
        ((20.0, -20.0, 20.0), 60.0, False),
        ((20.0, -20.0), 120.0, False),
        ((-20.0, 20.0), 0.0, False),
        ((20.0, -20.0), 0.0, False),
    ],
)
def test_a_mirrored_reading_turns_a_meter_and_back_unless_cars_stopped(shown_a: tuple[float, ...], drawn_a: float, turned: bool) -> None:
    direction = Direction()
    for now, current_a in enumerate(shown_a):
        direction.take((current_a, current_a, current_a), float(now), drawn_a, sure=True)
    assert direction.turned is turned


def test_what_a_roof_was_seen_to_give_makes_no_mirror() -> None:
    """A heater of twice what is left over goes off while a car charges: a known roof gives that. No roof gives what it would take in the last case."""
    direction = Direction()
    for at_s in range(20):
        direction.take((-12.0, 0.0, 0.0), float(at_s), 0.0, sure=True)
    for at_s, shown_a in ((300, 7.0), (301, -7.0)):
        direction.take((shown_a, 0.0, 0.0), float(at_s), 6.0, sure=True)
    assert not direction.turned
    for at_s, shown_a in ((600, 30.0), (601, -30.0)):
        direction.take((shown_a, 0.0, 0.0), float(at_s), 32.0, sure=True)
    assert direction.turned and direction.mirrored


def shown(
    direction: Direction,
    course: Callable[[int], tuple[float, float]],
    *,
    every_s: int = 1,
    told_every_s: int = 5,
    untold_from: int = 999,
    begins_s: float = 0.0,
) -> Direction:
    """Give it what a meter shows and what cars draw, at each time."""
    known_s, drawn_a = 0, 0.0
    for now in range(0, 200, every_s):
        if now - known_s >= told_every_s or now == 0:
            known_s, drawn_a = now, course(now)[1]
        shown_a, untold = (course(now)[0], 0.0, 0.0), int(now >= untold_from)
        direction.take(shown_a, begins_s + now, drawn_a, known_s=begins_s + known_s, untold=untold, sure=True)
    return direction


def house(now: int) -> float:
    return 22.0 + 0.4 * sin(now)


def test_a_meter_that_shows_no_trace_of_a_change_does_not_see_the_cars() -> None:
    assert shown(Direction(), lambda now: (house(now), rises(now))).unseen
    assert not shown(Direction(), lambda now: (house(now) + rises(now), rises(now))).unseen
    assert not shown(Direction(), lambda now: (house(now), rises(now) / 4)).unseen, "too little to be told from noise"


def test_one_that_is_late_out_of_a_cache_sees_them() -> None:
    assert not shown(Direction(), lambda now: (house(now) + rises(now - 14), rises(now))).unseen


def test_one_that_is_asked_seldom_is_not_judged_by_what_it_shows_no_trace_of() -> None:
    """A battery may have made up for it between two readings."""
    assert not shown(Direction(), lambda now: (house(now), rises(now)), every_s=5).unseen
    assert not shown(Direction(), lambda now: (house(now) + (16.0 if now in (40, 41) else 0.0), rises(now))).unseen, "its answer is seen"


def test_cars_that_are_told_of_late_were_seen_when_they_changed() -> None:
    assert not shown(Direction(), lambda now: (house(now) + rises(now), rises(now)), told_every_s=30).unseen
    assert shown(Direction(), lambda now: (house(now), rises(now)), told_every_s=30).unseen


def test_cars_of_which_nothing_is_told_any_more_say_nothing() -> None:
    assert not shown(Direction(), lambda now: (house(now) + 16.0, 16.0 if now < 100 else 0.0), untold_from=100).unseen


def test_a_change_that_it_saw_clears_it() -> None:
    direction = Direction()
    assert shown(direction, lambda now: (house(now), rises(now))).unseen
    assert not shown(direction, lambda now: (house(now) + rises(now), rises(now)), begins_s=300.0).unseen
