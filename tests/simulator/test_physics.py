"""Cars, the building and breakers against numbers from outside."""

import math

import pytest

from simulator import breaker, car
from simulator.breaker import Breaker, BreakerState, TripCause
from simulator.building import Appliance, BuildingLoad, Step, StepLoad
from simulator.car import CarSpec, CarState
from simulator.sites import DEMO_WORST_CASE_A, demo_building

DT_S = 0.1


def charged(spec: CarSpec, state: CarState, offered_a: float, seconds: float, dt_s: float = DT_S) -> CarState:
    for _ in range(round(seconds / dt_s)):
        state = car.step(spec, state, offered_a, dt_s)
    return state


def trip_s(load: float) -> float:
    state = BreakerState()
    for step in range(1, 200_000):
        state = breaker.step(63.0, state, (load * 63.0, 0.0, 0.0), 0.1)
        if state.tripped:
            return step * 0.1
    return math.inf


@pytest.mark.parametrize(("load", "seconds"), [(1.13, math.inf), (1.45, 42.0), (2.55, 9.8), (2.0, 17.3), (4.9, 2.46)])
def test_breaker_trips_on_the_fast_edge_of_its_curve(load: float, seconds: float) -> None:
    assert trip_s(load) == pytest.approx(seconds, abs=0.3)


def test_breaker_is_quicker_when_warm_and_magnetic_at_once() -> None:
    warm = Breaker(63.0, preload=1.0)
    seconds = next(step * DT_S for step in range(1, 2000) if warm.step((0.0, 1.45 * 63.0, 0.0), DT_S))
    assert seconds == pytest.approx(45.0 * math.log((1.45**2 - 1.0) / (1.45**2 - 1.13**2)), abs=0.2)
    short = Breaker(63.0)
    assert short.step((0.0, 0.0, 5.1 * 63.0), DT_S)
    assert short.state.tripped is TripCause.MAGNETIC
    assert not short.closed


def test_a_tripped_breaker_cools_and_closes_again_as_warm_as_it_is() -> None:
    one = Breaker(16.0, preload=1.12)
    assert any(one.step((30.0, 0.0, 0.0), DT_S) for _ in range(100))
    hot = one.state.heat[0]
    for _ in range(300):
        assert not one.step((30.0, 0.0, 0.0), DT_S)  # nothing flows through an open breaker
    one.reset()
    assert one.closed and one.trips == 1
    assert one.state.heat[0] == pytest.approx(hot * math.exp(-30.0 / 45.0), rel=1e-3)


@pytest.mark.parametrize(("offered_a", "drawn_a"), [(0.0, 0.0), (5.9, 0.0), (6.0, 5.88), (10.0, 9.8), (16.0, 15.68), (32.0, 16.0)])
def test_a_car_draws_slightly_less_than_offered_and_nothing_below_six(offered_a: float, drawn_a: float) -> None:
    assert charged(CarSpec(name="c", max_a=16.0), CarState(soc=0.3), offered_a, 10).draw_a == pytest.approx(drawn_a)


def test_a_car_follows_its_pilot_only_after_its_response() -> None:
    spec = CarSpec(name="c", max_a=32.0, response_s=2.0)
    state = charged(spec, CarState(soc=0.3), 32.0, 10)
    assert charged(spec, state, 6.0, 1.8).draw_a == pytest.approx(31.36)
    assert charged(spec, state, 6.0, 2.1).draw_a == pytest.approx(5.88)


def test_a_slow_car_wakes_late_every_time_and_another_never_again() -> None:
    slow = CarSpec(name="slow", wake_s=20.0)
    assert charged(slow, CarState(), 16.0, 19.0).draw_a == 0.0
    awake = charged(slow, CarState(), 16.0, 20.5)
    assert awake.draw_a > 0.0
    paused = charged(slow, awake, 0.0, 5.0)
    assert paused.draw_a == 0.0
    assert charged(slow, paused, 16.0, 19.0).draw_a == 0.0
    assert charged(slow, paused, 16.0, 20.5).draw_a > 0.0

    stubborn = CarSpec(name="stubborn", never_wakes=True)
    state = charged(stubborn, charged(stubborn, CarState(), 16.0, 10.0), 0.0, 5.0)
    assert charged(stubborn, state, 16.0, 600.0).draw_a == 0.0
    assert charged(stubborn, car.unplugged(state), 16.0, 10.0).draw_a > 0.0


def test_a_car_tapers_to_full_and_takes_the_energy_its_battery_wants() -> None:
    spec = CarSpec(name="c", battery_kwh=10.0, max_a=16.0, taper_from_soc=0.8, taper_to_a=2.0, efficiency=1.0)
    assert car.accepted_a(spec, CarState(soc=0.8)) == 16.0
    assert car.accepted_a(spec, CarState(soc=0.9)) == pytest.approx(9.0)
    state, taken_wh = CarState(soc=0.5), 0.0
    for _ in range(24 * 3600):
        state = car.step(spec, state, 32.0, 1.0)
        taken_wh += state.draw_a * 3 * 230 / 3600
    assert state.full and state.draw_a == 0.0
    assert taken_wh == pytest.approx(5000.0, rel=1e-3)


def test_the_demo_building_is_the_same_each_time_and_keeps_its_worst_case() -> None:
    one, again, other = demo_building(), demo_building(), demo_building(seed=8)
    times = [second * 0.5 for second in range(7200)]
    assert [one.current_a(at) for at in times] == [again.current_a(at) for at in times]
    assert [one.current_a(at) for at in times] != [other.current_a(at) for at in times]
    assert max(max(one.current_a(at)) for at in times) <= DEMO_WORST_CASE_A
    steps = one.steps(0.0, 3600.0)
    assert 3 * 60 <= len(steps) <= 15 * 60
    biggest = max(abs(after - before) for step in steps for before, after in zip(step.before_a, step.after_a, strict=True))
    assert 13.0 <= biggest <= 16.0


def test_steps_are_where_the_load_changes() -> None:
    load = demo_building()
    for at_s, before_a, after_a in load.steps(100.0, 400.0):
        assert load.current_a(at_s - 1e-6) == pytest.approx(before_a)
        assert load.current_a(at_s + 1e-6) == pytest.approx(after_a)


def test_a_building_that_could_exceed_its_worst_case_is_refused() -> None:
    kettle = Appliance(name="kettle", current_a=(9.0, 0.0, 0.0), on_s=1.0, period_s=2.0)
    with pytest.raises(ValueError, match="worst case"):
        BuildingLoad(base_a=(2.0, 0.0, 0.0), appliances=(kettle,), worst_case_a=(10.0, 10.0, 10.0))


def test_a_schedule_of_steps() -> None:
    load = StepLoad(((0.0, (1.0, 1.0, 1.0)), (10.0, (20.0, 1.0, 1.0)), (12.0, (3.0, 3.0, 3.0))))
    assert [load.current_a(at)[0] for at in (-1.0, 0.0, 9.9, 10.0, 11.0, 12.0, 99.0)] == [1.0, 1.0, 1.0, 20.0, 20.0, 3.0, 3.0]
    assert load.steps(0.0, 10.0) == [Step(10.0, (1.0, 1.0, 1.0), (20.0, 1.0, 1.0))]
    assert load.worst_case_a == (20.0, 3.0, 3.0)
