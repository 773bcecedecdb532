"""Overloads by what the breaker makes of them: a kettle's second costs no writes, a large one is cut at once."""

from itertools import pairwise

import pytest

from simulator.virtual import run

from .harness import METER_EVERY_S, Place, Scenario, car, scenario, steps

KETTLE_A = 8.0
SPIKE_S = 1.2
"""A motor starts, a thermostat clicks."""
SPIKES = tuple(range(60, 240, 20))
spikes = steps((0.0, 8.0), *(each for at in SPIKES for each in ((at + 0.3, 8.0 + KETTLE_A), (at + 0.3 + SPIKE_S, 8.0))))


def limits_seen(s: Scenario, from_s: float, to_s: float) -> int:
    """Return how often a limit of any car changed."""
    moments = s.between(from_s, to_s)
    return sum(before != after for one, other in pairwise(moments) for before, after in zip(one.limits_a, other.limits_a, strict=True))


def test_small_spikes_change_no_limit_and_cost_no_write() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=spikes) as s:
            await s.until(59)
            assert min(s.draws_a()) > 15
            before = s.writes()
            await s.until(250)
            renewals = sum(s.writes()) - sum(before)
            assert limits_seen(s, 59, 250) == 0
            assert max(max(moment.main_a) for moment in s.between(59, 250)) > 61, "it was an overload"
            assert renewals <= 3 * (190 / (0.6 * s.lease_s()) + 1), "nothing but renewals is written"

    run(story())


def test_a_small_overload_that_lasts_is_off_within_six_seconds() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 8.0), (60.3, 16.0)), over_limit_s=6.0) as s:
            await s.until(66.3)
            assert max(s.main_a()) <= 61 and min(s.draws_a()) > 10, s.story()
            assert s.world.recorder.max_overload_s > 2.5, "it was given the time to pass"

    run(story())


@pytest.mark.parametrize("more_a", [24.0, 30.0])
def test_a_large_overload_is_cut_with_the_first_reading_that_shows_it(more_a: float) -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (60.3, 8.0 + more_a), (62.3, 8.0))
        async with scenario(*[Place()] * 3, building=building, worst_case_a=40.0, over_limit_s=4.0) as s:
            await s.until(60.2)
            before = s.writes()
            await s.until(60.3 + METER_EVERY_S + 0.4)
            assert all(after > held for after, held in zip(s.writes(), before, strict=True)), "every station was told"
            await s.until(80)

    run(story())


def test_a_car_that_comes_is_no_kettle() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), Place(comes_s=60.0), over_limit_s=4.0) as s:
            await s.until(100)
            assert max(s.main_a()) <= 61 and min(s.draws_a()) > 15, s.story()

    run(story())


def test_slow_cars_are_not_kept_waiting() -> None:
    async def story() -> None:
        slow = car(response_s=4.0)
        async with scenario(
            *[Place(car=slow)] * 3, building=steps((0.0, 8.0), (60.3, 24.0), (100.3, 8.0), (160.3, 16.0)), over_limit_s=8.0
        ) as s:
            await s.until(160)
            before = s.writes()
            await s.until(160.3 + METER_EVERY_S + 0.4)
            assert sum(s.writes()) > sum(before), "they were learnt to be slow at the step before"
            await s.until(180)

    run(story())
