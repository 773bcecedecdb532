"""A meter that tells one power of all phases: each may carry all of it, but for what the cars there are seen to draw."""

from dataclasses import replace

import pytest

from custom_components.headroom.engine.peak_demand import PeakLimits
from custom_components.headroom.metering.combine import currents_of_total
from custom_components.headroom.metering.reading import Reading
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps
from .test_peak import averages_w, jumpy


def total_only(s: Scenario) -> None:
    """Have the site hear one power of all phases."""
    hear = s.site.update_reading

    def update_reading(measured_id: str, reading: Reading) -> None:
        total_w = reading.power_at(230.0)
        current_a = currents_of_total(total_w, phases=3, voltage_v=230.0)
        hear(measured_id, replace(reading, current_a=current_a, power_w=total_w, spread=True))

    s.site.update_reading = update_reading  # type: ignore[method-assign]


def test_a_car_on_three_phases_is_not_taken_for_three_times_what_it_draws() -> None:
    """The building's 12 A may all be on one phase; the car's 21 A are on each, and nobody cuts them."""

    async def story() -> None:
        async with scenario(Place(), fuse_a=35.0, worst_case_a=15.0, building=steps((0.0, 4.0)), dead_man_from_s=60.0) as s:
            total_only(s)
            await s.until(60)
            least_a, most_a = 99.0, 0.0
            for second in range(65, 400, 5):
                await s.until(second)
                least_a, most_a = min(least_a, s.draws_a()[0]), max(most_a, s.draws_a()[0])
            assert least_a > 19 and most_a <= 21.1
            assert max(s.site.snapshot.circuits["main"].current_a) <= 33.5

    run(story())


def test_a_building_that_rises_has_the_car_give_way() -> None:
    async def story() -> None:
        building = steps((0.0, 4.0), (200.0, 8.0))
        async with scenario(Place(), fuse_a=35.0, worst_case_a=15.0, building=building) as s:
            total_only(s)
            await s.until(190)
            assert s.draws_a()[0] > 19
            await s.until(260)
            assert 0.1 < s.draws_a()[0] <= 9.1, "24 A may be on one phase"

    run(story())


def test_a_power_limit_counts_the_building_once() -> None:
    async def story() -> None:
        async with scenario(Place(), fuse_a=63.0, building=steps((0.0, 4.0))) as s:
            total_only(s)
            main = replace(s.config.root, limit_w=230.0 * 42)
            s.configure(circuits=(main,))
            await s.until(200)
            assert s.draws_a()[0] > 9, "42 − 12 A are left for three phases"
            reason = s.evse(1).reason
            assert reason is not None and reason.filled is not None
            assert (reason.filled.watts_per_a, reason.filled.unmanaged_a) == (230.0, pytest.approx(12.0, abs=0.5))

    run(story())


def test_a_roof_that_feeds_a_car_is_no_disagreement() -> None:
    async def story() -> None:
        building = steps((0.0, 2.0), (120.0, -40.0))
        async with scenario(Place(), building=building) as s:
            total_only(s)
            await s.until(300)
            assert s.draws_a()[0] > 15
            assert s.site.snapshot.circuits["main"].disagreement is None

    run(story())


@pytest.mark.parametrize("seed", [1, 2])
def test_no_phase_is_overloaded_whatever_the_building_does_on_each(seed: int) -> None:
    async def story() -> None:
        building = jumpy(seed, base_a=1.0, jump_a=7.0, lasts_s=1200)
        places = (Place(), Place(car=car(phases=1)))
        async with scenario(*places, fuse_a=40.0, worst_case_a=15.0, building=building, over_limit_s=8.0) as s:
            total_only(s)
            await s.until(1200)
            assert sum(s.draws_a()) > 6

    run(story())


def test_what_is_left_of_a_quarter_hour_counts_the_building_once() -> None:
    async def story() -> None:
        async with scenario(Place(), building=steps((0.0, 4.0))) as s:
            total_only(s)
            s.configure(peak=PeakLimits(goal_w=9000.0))
            await s.until(1800.5)
            (second,) = averages_w(s, 2)[1:]
            assert 0.95 * 9000 <= second <= 9000

    run(story())


@pytest.mark.parametrize("response_s", [4.0, 5.0])
def test_no_session_is_stopped_over_a_current_that_may_flow_and_does_not(response_s: float) -> None:
    """The building's 84 A may all be on one phase, so cars make way; that 28 A on each are no overload is just as possible."""

    async def story() -> None:
        building = steps((0.0, 4.0), (100.3, 28.0), (200.0, 4.0), (320.3, 28.0), (400.0, 4.0))
        async with scenario(
            Place(car=car(response_s=response_s)), fuse_a=63.0, worst_case_a=28.0, building=building, over_limit_s=0.0
        ) as s:
            total_only(s)
            s.slow(1, answers_s=1.0, applies_s=2.0)
            await s.until(100)
            (transaction_id,) = s.transaction_ids()
            assert s.draws_a()[0] > 30
            for second in (125, 345):
                await s.until(second)
                assert s.draws_a() == [0.0], "unknown is the worst case"
            await s.until(500)
            assert s.transaction_ids() == [transaction_id] and s.evse(1).measure is None
            assert s.draws_a()[0] > 30

    run(story())


def test_a_session_is_stopped_where_the_power_itself_proves_an_overload() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (100.3, 20.0))
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=20.0, building=building, over_limit_s=150.0) as s:
            total_only(s)
            s.model(1).offers = lambda: {1: 32.0}  # type: ignore[method-assign]
            await s.until(100)
            assert s.draw_a(1) > 30 and s.evse(1).measure is None
            await s.until(180)
            assert s.transaction_ids()[0] is None and s.transaction_ids()[1] is not None
            assert max(s.main_a()) <= 38

    run(story())


def test_no_more_are_stopped_than_it_takes_wherever_they_draw() -> None:
    """120 A are too much for three conductors of 38 A, and without any one of the cars it is no more certain that one is overloaded."""

    async def story() -> None:
        building = steps((0.0, 4.0), (100.3, 12.0))
        places = [Place(car=car(phases=1), rotation=rotation) for rotation in ("L1", "L2", "L3")]
        async with scenario(*places, fuse_a=40.0, worst_case_a=12.0, building=building, over_limit_s=150.0) as s:
            total_only(s)
            for number in (1, 2, 3):
                s.model(number).offers = lambda: {1: 31.0}  # type: ignore[method-assign]
            await s.until(200)
            assert sum(one is None for one in s.transaction_ids()) == 1, s.transaction_ids()

    run(story())


def test_a_session_is_stopped_where_what_cars_draw_is_too_much_for_their_phase() -> None:
    async def story() -> None:
        places = [Place(car=car(phases=1), rotation="L1") for _ in range(2)]
        async with scenario(*places, fuse_a=40.0, worst_case_a=12.0, building=steps((0.0, 2.0)), over_limit_s=150.0) as s:
            total_only(s)
            await s.until(100)
            assert sum(s.draws_a()) < 40
            for number in (1, 2):
                s.model(number).offers = lambda: {1: 31.0}  # type: ignore[method-assign]
            await s.until(200)
            assert sum(one is None for one in s.transaction_ids()) == 1, s.transaction_ids()
            assert max(s.main_a()) <= 38

    run(story())
