"""Cars that fall asleep at 0 A: woken by a new offer, told of where that fails, and spared where a person says so."""

from datetime import timedelta
from itertools import pairwise

import pytest

from custom_components.headroom.engine.share import Policy
from custom_components.headroom.engine.waking import MOST_TRIES, WAIT_S
from simulator.virtual import START, run

from .harness import Place, Scenario, car, scenario, steps

PAUSE_S = 100.0
GOES_ON_S = 220.0


async def _pause(s: Scenario, number: int = 1) -> None:
    await s.until(PAUSE_S)
    assert s.charges(number)
    s.site.set_allowed(s.key(number), False)
    await s.until(GOES_ON_S)
    s.site.set_allowed(s.key(number), True)


@pytest.mark.parametrize("sleeps_through", [1, 2, MOST_TRIES])
def test_a_car_that_sleeps_through_offers_is_offered_current_anew(sleeps_through: int) -> None:
    async def story() -> None:
        async with scenario(Place(car=car(sleeps_through=sleeps_through)), step_s=1.0, over_limit_s=0.0) as s:
            await _pause(s)
            await s.until(GOES_ON_S + WAIT_S - 5)
            assert s.draw_a(1) == 0 and not s.evse(1).did_not_wake
            took_s = await s.until_true(lambda: s.charges(1), 2000.0)
            assert took_s < sum(WAIT_S * 2**number + 60 for number in range(sleeps_through))
            await s.wait(60.0)
            assert s.draw_a(1) > 25 and not s.evse(1).did_not_wake, s.story()

    run(story())


def test_a_car_that_never_wakes_is_left_alone_after_some_tries_and_that_is_remembered() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(never_wakes=True)), paced=True, over_limit_s=0.0) as s:
            await _pause(s)
            await s.until_true(lambda: s.evse(1).did_not_wake, 2400.0)
            offers = [moment.pilots_a[0] >= 6 for moment in s.between(GOES_ON_S + 10, s.time_s)]
            assert sum(before and not after for before, after in pairwise(offers)) == MOST_TRIES
            writes = s.writes()
            await s.wait(1800.0)
            moments = s.between(s.time_s - 1790, s.time_s)
            assert min(moment.pilots_a[0] for moment in moments) >= 6, "it may wake by itself"
            assert s.writes()[0] - writes[0] <= 1800 / (0.6 * s.lease_s()) + 2
            assert s.memory().evses["CP1/1"].did_not_wake
            s.unplug(1)
            await s.wait(10.0)
            assert s.evse(1).did_not_wake, "the next car may be the same"
            s.plug_in(1, car())
            await s.wait(60.0)
            s.site.set_allowed(s.key(1), False)
            await s.wait(60.0)
            s.site.set_allowed(s.key(1), True)
            await s.wait(60.0)
            assert s.charges(1) and not s.evse(1).did_not_wake

    run(story())


def test_the_reason_says_that_it_is_being_woken_and_others_lose_nothing_by_it() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(never_wakes=True)), Place(), fuse_a=40, worst_case_a=15, step_s=1.0, over_limit_s=0.0) as s:
            await _pause(s)
            await s.until_true(lambda: s.reason(1) == "waking", 120.0)
            assert "being woken" in s.evse(1).reason_text
            await s.until(1000)
            assert min(moment.draws_a[1] for moment in s.between(GOES_ON_S + WAIT_S + 20, 1000)) > 22

    run(story())


def test_a_full_car_is_not_woken() -> None:
    async def story() -> None:
        nearly = Place(car=car(battery_kwh=1.0, taper_from_soc=0.9, taper_to_a=1.2), soc=0.3)
        async with scenario(nearly, step_s=1.0, over_limit_s=0.0) as s:
            await s.until_true(lambda: s.model(1).evses[1].car_state.full, 600.0)
            s.site.set_allowed(s.key(1), False)
            await s.wait(60.0)
            s.site.set_allowed(s.key(1), True)
            began_s = s.time_s + 10
            await s.wait(900.0)
            assert min(moment.pilots_a[0] for moment in s.between(began_s, s.time_s)) >= 6
            assert not s.evse(1).did_not_wake

    run(story())


def test_cars_at_an_evse_that_is_never_to_pause_go_on_while_others_take_turns() -> None:
    async def story() -> None:
        async with scenario(
            *[Place()] * 3, fuse_a=20, margin_a=1, worst_case_a=7, building=steps((0.0, 5.0)), paced=True, over_limit_s=0.0
        ) as s:
            s.site.set_never_pause(s.key(1), True)
            await s.until_true(lambda: s.charges(1), 3600.0)
            began_s = s.time_s
            await s.until(began_s + 4800.0)
            assert min(moment.pilots_a[0] for moment in s.between(began_s, s.time_s)) >= 6
            paused = [number for number in (1, 2) if min(moment.pilots_a[number] for moment in s.between(began_s, s.time_s)) == 0]
            assert paused == [1, 2], "the others take turns"
            assert s.memory().evses["CP1/1"].never_pause
            await s.vanish()
            await s.come_back(s.memory())
            await s.wait(30.0)
            assert s.evse(1).never_pause

    run(story())


@pytest.mark.parametrize("policy", [Policy.MOST_ENERGY, Policy.MOST_CARS_READY])
def test_a_full_car_that_was_to_have_more_is_not_offered_it_over_and_over(policy: Policy) -> None:
    """It was paused for those who take what they get, then taken for a hungry one that is offered nothing: 270 limits in forty minutes."""

    async def story() -> None:
        places = [Place(car=car("full", battery_kwh=20.0), soc=0.995), *[Place(car=car(battery_kwh=90.0))] * 2]
        async with scenario(*places, fuse_a=32.0, worst_case_a=8.0, step_s=1.0) as s:
            s.site.set_policy(policy)
            await s.until(20)
            for number, kwh in ((1, 15.0), (2, 60.0), (3, 60.0)):
                s.site.set_need(s.key(number), energy_wh=kwh * 1000, departs_at=START + timedelta(hours=7))
            await s.until(300)
            writes = s.writes()
            await s.until(800)
            written = [after - before for before, after in zip(writes, s.writes(), strict=True)]
            assert max(written) <= 6, written
            assert min(s.draw_a(2), s.draw_a(3)) > 6, "nobody waits for it"

    run(story())
