"""Cars that draw more than they may: the others give way to what is really drawn, long before anybody is called disobedient."""

import pytest

from simulator.virtual import run

from .harness import METER_EVERY_S, Place, Scenario, car, scenario, steps

CAR_S = 2.0
"""A simulated car follows its limit within this."""
CORRECTION_S = 1.0
"""A turn later the sample tells that it was a car and not the building, and the last amps go."""
BOUND_S = METER_EVERY_S + CAR_S + CORRECTION_S


def jumps(s: Scenario, number: int, to_a: float) -> None:
    """Let a station give its car a current of its own, whatever it is told."""
    model = s.model(number)
    offers = model.offers
    model.offers = lambda: {**offers(), 1: to_a}  # type: ignore[method-assign]


@pytest.mark.parametrize(("fuse_a", "cars"), [(63.0, 3), (50.0, 3), (80.0, 6), (63.0, 2)])
def test_the_others_give_way_at_once_to_a_car_that_jumps_far_above_its_limit(fuse_a: float, cars: int) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * cars, fuse_a=fuse_a, over_limit_s=BOUND_S) as s:
            await s.until(60)
            before_a = s.draw_a(1)
            assert before_a < 27
            jumps(s, 1, 32.0)
            await s.until(60 + METER_EVERY_S + 0.6 + BOUND_S)
            assert s.draw_a(1) > 31 and max(s.main_a()) <= fuse_a - 2, s.story()
            await s.until(100)
            assert s.problem(1) == "disobedient" and s.reason(1) == "disobedient"
            assert max(s.main_a()) <= fuse_a - 2
            assert all(s.problem(number) is None for number in range(2, cars + 1)), "only the one is called so"

    run(story())


@pytest.mark.parametrize("meter_every_s", [1, 5])
@pytest.mark.parametrize("times", [1.05, 1.1])
@pytest.mark.parametrize("who", [(1,), (1, 2, 3)])
def test_cars_that_draw_a_little_more_than_they_may_are_made_way_for(who: tuple[int, ...], times: float, meter_every_s: int) -> None:
    def speaks(now: float, s: Scenario) -> None:
        (s.meters_silent.discard if round(now + 1) % meter_every_s == 0 else s.meters_silent.add)("main")

    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=meter_every_s + CAR_S + CORRECTION_S) as s:
            s.on_second.append(lambda now: speaks(now, s))
            await s.until(60)
            for number in who:
                offers = s.model(number).offers
                s.model(number).offers = lambda offers=offers: {1: offers()[1] * times}  # type: ignore[method-assign,misc]
            await s.until(300)
            moments = s.between(100, 300)
            assert max(max(moment.main_a) for moment in moments) <= 61, s.story()
            assert all(s.problem(number) is None and s.reason(number) == "circuit" for number in (1, 2, 3)), "nobody is called disobedient"
            assert s.main_a()[0] > 58, "and no more than that"
            assert len({moment.limits_a for moment in moments}) <= 3, "the limits stand still"

    run(story())


def test_cars_that_are_cut_to_make_way_are_not_paused_where_there_is_room_for_all() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S) as s:
            await s.until(60)
            jumps(s, 1, 32.0)
            await s.until(120)
            assert all(min(moment.draws_a[1:]) > 9 for moment in s.between(60, 120)), "what the car took was not counted twice"

    run(story())


def test_a_car_that_obeys_after_all_shares_again() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S) as s:
            await s.until(60)
            offers = s.model(1).offers
            jumps(s, 1, 32.0)
            await s.until(66)
            assert s.reason(1) == "disobedient" and s.problem(1) is None
            s.model(1).offers = offers  # type: ignore[method-assign]
            await s.until(90)
            assert s.problem(1) is None and s.reason(1) == "circuit"
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1 and min(s.draws_a()) > 15, s.story()
            limits_a = s.moments[-1].limits_a
            await s.until(200)
            assert all(moment.limits_a == limits_a for moment in s.between(90, 200)), "a rise of a car by one ampere is not the building's"

    run(story())


def test_a_car_on_its_way_down_from_several_cuts_in_a_row_is_not_taken_for_one_that_exceeds() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (60.3, 16.0), (61.5, 26.0), (62.7, 33.0))
        slow = car(response_s=3.0)
        async with scenario(*[Place(car=slow)] * 3, building=building) as s:
            await s.until(60)
            while s.time_s < 90:
                await s.wait(0.4)
                assert "disobedient" not in {s.reason(number) for number in (1, 2, 3)}, s.story()

    run(story())


def test_a_station_that_ignores_a_cut_costs_the_others_their_current_once_a_car_would_have_followed() -> None:
    async def story() -> None:
        # The station's car does not follow; 5 s is what a car may take (IEC 61851-1 Annex A), then the others follow within the bound.
        async with scenario(*[Place()] * 3, building=steps((0.0, 8.0), (70.3, 20.0)), over_limit_s=5.0 + 2 * METER_EVERY_S + BOUND_S) as s:
            await s.until(60)
            await s.fault("ignoring:CP1")
            await s.until(100)
            assert max(s.main_a()) <= 61

    run(story())


def test_a_car_in_doubt_is_told_no_more_than_a_person_or_another_system_allows() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=BOUND_S) as s:
            await s.until(60)
            jumps(s, 1, 32.0)
            await s.until(100)
            assert s.problem(1) == "disobedient" and s.evse(1).limit_a == 6.0, "the least it can charge with"
            s.site.set_profile(s.key(1), [(0.0, 0.0)], duration_s=20.0)
            await s.until(105)
            assert s.evse(1).limit_a == 0.0
            await s.until(130)
            assert s.problem(1) == "disobedient" and s.evse(1).limit_a == 6.0, "and again once they do"

    run(story())
