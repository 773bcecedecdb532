"""Telling the building from the cars."""

from hypothesis import given, strategies as st

from custom_components.headroom.engine.model import PerPhase
from custom_components.headroom.engine.unmanaged import Draw, Unmanaged, estimate


def on_l1(current_a: float) -> PerPhase:
    return (current_a, 0.0, 0.0)


def car(measured_a: float, limit_a: float, measured_at: float) -> Draw:
    return Draw(low_a=on_l1(measured_a), high_a=on_l1(measured_a), reserved_a=on_l1(limit_a), measured_at=measured_at)


def away(limit_a: float) -> Draw:
    return Draw(low_a=on_l1(0.0), high_a=on_l1(limit_a), reserved_a=on_l1(limit_a), measured_at=None)


def test_the_first_reading_is_taken_as_it_is() -> None:
    assert estimate(on_l1(30.0), 10.0, [car(16.0, 16.0, 9.0)], None).load_a == on_l1(14.0)


def test_a_car_that_has_not_followed_its_cut_yet_is_not_taken_for_a_quiet_building() -> None:
    """At t=10 the car was cut from 16 to 10 A; its last sample is old and the meter still sees the old draw."""
    before = Unmanaged(load_a=on_l1(14.0))
    follows_late = estimate(on_l1(24.0), 12.0, [car(16.0, 16.0, 9.0)], before)
    assert follows_late.load_a == on_l1(14.0)
    assert follows_late.doubtful_since == 12.0


def test_a_rise_that_no_car_can_explain_is_believed_at_once() -> None:
    before = Unmanaged(load_a=on_l1(14.0))
    assert estimate(on_l1(45.0), 12.0, [car(15.0, 16.0, 9.0)], before).load_a == on_l1(30.0)


def test_a_rise_over_the_limit_is_put_down_to_the_building_as_far_as_the_cars_were_not_seen_to_draw_it() -> None:
    """The car drew 16 of the 18 A it may: of a jump by 30 A it explains 2 A, and a cut that trusted in that would be 2 A short."""
    before = Unmanaged(load_a=on_l1(14.0))
    drawing = [car(16.0, 18.0, 9.0)]
    assert estimate(on_l1(60.0), 12.0, drawing, before, on_l1(40.0)).load_a == on_l1(44.0)
    assert estimate(on_l1(39.0), 12.0, drawing, before, on_l1(40.0)).load_a == on_l1(23.0), (
        "inside the limit only what the car cannot explain, and a little"
    )
    turned_down = Draw(low_a=on_l1(6.0), high_a=on_l1(18.0), reserved_a=on_l1(18.0), measured_at=9.0)
    cut = Unmanaged(load_a=on_l1(44.0), doubtful_since=12.0)
    assert estimate(on_l1(60.0), 13.0, [turned_down], cut, on_l1(40.0)).load_a == on_l1(44.0), "nobody is cut twice for one step"


def test_a_rise_that_a_waking_car_can_explain_waits_for_its_sample() -> None:
    before = Unmanaged(load_a=on_l1(14.0))
    doubtful = estimate(on_l1(30.0), 12.0, [car(0.0, 16.0, 9.0)], before)
    assert doubtful.load_a == on_l1(14.0)
    woken = estimate(on_l1(30.0), 13.0, [car(16.0, 16.0, 12.5)], doubtful)
    assert woken == Unmanaged(load_a=on_l1(14.0))


def test_a_doubt_ends_once_every_car_was_sampled_since_it_began() -> None:
    before = Unmanaged(load_a=on_l1(14.0))
    doubtful = estimate(on_l1(20.0), 12.0, [car(16.0, 16.0, 9.0)], before)
    assert estimate(on_l1(20.0), 13.0, [car(16.0, 16.0, 12.2)], doubtful) == Unmanaged(load_a=on_l1(4.0))


def test_a_car_nobody_can_measure_stays_in_its_range() -> None:
    before = Unmanaged(load_a=on_l1(14.0))
    assert estimate(on_l1(20.0), 12.0, [away(6.0)], before).load_a == on_l1(14.0)
    assert estimate(on_l1(14.0), 12.0, [away(6.0)], before).load_a == on_l1(14.0)
    assert estimate(on_l1(25.0), 12.0, [away(6.0)], before).load_a == on_l1(19.0)


def test_a_car_on_its_way_to_a_lower_limit_explains_what_lies_between() -> None:
    """Sampled at 16 A right after it was cut to 10 A: the meter may see either."""
    before = Unmanaged(load_a=on_l1(14.0))
    on_its_way = Draw(low_a=on_l1(10.0), high_a=on_l1(16.0), reserved_a=on_l1(16.0), measured_at=12.0)
    for reading_a in (24.0, 27.0, 30.0):
        assert estimate(on_l1(reading_a), 12.5, [on_its_way], before) == Unmanaged(load_a=on_l1(14.0))


@given(
    reading_a=st.floats(-50.0, 150.0),
    before_a=st.floats(-50.0, 150.0),
    cars=st.lists(st.tuples(st.floats(0.0, 32.0), st.floats(0.0, 32.0), st.none() | st.floats(0.0, 20.0)), max_size=6),
)
def test_what_is_put_down_to_the_cars_never_exceeds_what_is_reserved_for_them(
    reading_a: float, before_a: float, cars: list[tuple[float, float, float | None]]
) -> None:
    """The invariant that makes waiting safe: unmanaged + Σ reserved ≥ what the meter sees."""
    draws = [away(limit) if at is None else car(min(measured, limit), limit, at) for measured, limit, at in cars]
    load_a = estimate(on_l1(reading_a), 10.0, draws, Unmanaged(load_a=on_l1(before_a))).load_a[0]
    assert load_a + sum(draw.reserved_a[0] for draw in draws) >= reading_a - 0.5 - 1e-9


def test_where_an_old_value_is_told_the_building_stays_as_it_was_and_a_doubt_stays_until_the_next_one() -> None:
    """The car was cut from 16 to 6 A and was seen to follow; the meter tells on L1 what it told before."""
    before = Unmanaged(load_a=on_l1(14.0), doubtful_since=10.0)
    cut = [car(6.0, 6.0, 12.0)]
    assert estimate(on_l1(30.0), 13.0, cut, before, rests=(True, False, False)) == before
    assert estimate(on_l1(20.0), 20.0, cut, before) == Unmanaged(load_a=on_l1(14.0))
    risen_elsewhere = estimate((30.0, 9.0, 0.0), 13.0, cut, before, rests=(True, False, False))
    assert risen_elsewhere.load_a == (14.0, 9.0, 0.0), "what is new counts at once"
