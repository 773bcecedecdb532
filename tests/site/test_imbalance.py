"""Cars on one phase at a grid that limits how far its conductors may be taken apart (20 A in Germany)."""

from dataclasses import replace

import pytest

from simulator.electrical import PerPhase
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

ONE_PHASE = car(phases=1)
ON_L1 = Place(car=ONE_PHASE, rotation="L1")
ON_L2 = Place(car=ONE_PHASE, rotation="L2")
FOLLOWS_S = 8.0
"""So long after a step of the building its cars may still be on their way."""


def apart_a(currents_a: PerPhase) -> float:
    """Return how far two conductors are apart at most."""
    return max(currents_a) - min(currents_a)


def furthest_a(s: Scenario, from_s: float, to_s: float) -> float:
    """Return how far two conductors of the main fuse were apart at most."""
    return max(apart_a(moment.main_a) for moment in s.between(from_s, to_s))


def test_a_one_phase_car_takes_no_more_than_the_grid_lets_conductors_differ() -> None:
    async def story() -> None:
        async with scenario(ON_L1, imbalance_a=20.0) as s:
            await s.until(120)
            assert 18 < s.draw_a(1) <= 20 and furthest_a(s, 20, 120) <= 20, s.story()
            assert s.reason(1) == "imbalance"
            assert s.evse(1).reason_text == "20 A: Main L1 would rise too far above L3 (20 A)", s.evse(1).reason_text

    run(story())


def test_cars_on_two_conductors_are_held_against_the_third() -> None:
    async def story() -> None:
        async with scenario(ON_L1, ON_L1, ON_L2, imbalance_a=16.0) as s:
            await s.until(120)
            assert furthest_a(s, 30, 120) <= 16 and min(s.draws_a()) >= 5.8, s.story()
            assert s.draw_a(3) > 14, "the other conductor's car has all there is for it"

    run(story())


@pytest.mark.parametrize(
    ("building", "least_a", "most_a"), [((0.0, 12.0, 12.0), 30, 32), ((12.0, 0.0, 0.0), 7, 8), ((25.0, 0.0, 25.0), 0, 0)]
)
def test_what_the_building_draws_counts(building: PerPhase, least_a: float, most_a: float) -> None:
    async def story() -> None:
        async with scenario(ON_L1, imbalance_a=20.0, building=steps((0.0, building))) as s:
            await s.until(120)
            assert least_a <= s.draw_a(1) <= most_a, s.story()
            assert furthest_a(s, 40, 120) <= max(20.0, apart_a(building))

    run(story())


def test_a_building_that_becomes_uneven_has_its_cars_follow() -> None:
    async def story() -> None:
        uneven = steps((0.0, 5.0), (60.3, (13.0, 5.0, 5.0)), (120.3, 5.0))
        async with scenario(ON_L1, Place(), imbalance_a=20.0, building=uneven) as s:
            await s.until(180)
            assert furthest_a(s, 40, 60) <= 20 and furthest_a(s, 60.3 + FOLLOWS_S, 180) <= 20
            assert min(moment.draws_a[0] for moment in s.between(70, 120)) > 10
            assert s.draw_a(1) > 18, s.story()
            assert s.draw_a(2) > 25, "a car on three phases takes nothing apart"

    run(story())


def test_a_car_that_does_not_obey_counts_with_what_it_draws() -> None:
    async def story() -> None:
        async with scenario(ON_L1, ON_L1, imbalance_a=40.0, over_limit_s=12.0) as s:
            await s.until(60)
            assert max(s.draws_a()) <= 20
            await s.fault("ignoring:CP1")
            s.configure(circuits=tuple(replace(circuit, imbalance_a=30.0) for circuit in s.config.circuits))
            await s.until(120)
            assert s.draw_a(1) > 19 and s.draw_a(2) <= 11, s.story()

    run(story())


def test_without_a_meter_the_cars_alone_stay_inside_it() -> None:
    async def story() -> None:
        async with scenario(ON_L1, ON_L1, imbalance_a=20.0, worst_case_a=8.0) as s:
            await s.until(30)
            s.meters_silent.add("main")
            await s.until(120)
            assert 18 < sum(s.draws_a()) <= 20, s.story()

    run(story())


@pytest.mark.parametrize("leaves", [(), (1,), (3,), (1, 2), (2, 3)])
def test_fixed_shares_keep_to_it_whichever_cars_are_there(leaves: tuple[int, ...]) -> None:
    async def story() -> None:
        async with scenario(ON_L1, ON_L1, ON_L2, imbalance_a=20.0, metered=False) as s:
            await s.until(60)
            assert [s.fallback_a(number) for number in (1, 2, 3)] == [10.0, 10.0, 20.0]
            for number in leaves:
                s.unplug(number)
            await s.until(120)
            assert furthest_a(s, 0, 120) <= 20, s.story()

    run(story())


def test_fixed_shares_on_all_conductors_take_nothing_apart() -> None:
    async def story() -> None:
        async with scenario(ON_L1, Place(), imbalance_a=20.0, worst_case_a=10.0, metered=False) as s:
            await s.until(60)
            assert (s.fallback_a(1), s.fallback_a(2)) == (20.0, 31.0), "what the fuse leaves beside the other"

    run(story())


def test_fallbacks_that_leases_lead_over_are_for_the_fuse_alone() -> None:
    async def story() -> None:
        async with scenario(ON_L1, ON_L2, imbalance_a=6.0) as s:
            await s.until(60)
            assert (s.fallback_a(1), s.fallback_a(2)) == (32.0, 32.0)
            assert furthest_a(s, 40, 60) <= 6, s.story()

    run(story())
