"""Where not all can charge at once: turns, plans, policies, and what noise of a meter does to limits."""

import asyncio
from collections.abc import Mapping
from itertools import pairwise
import logging
import random
import sys

import pytest

from custom_components.headroom.engine.rotation import HOUR_S, LEAST_OFF_S, LEAST_ON_S, MOST_PAUSES
from custom_components.headroom.engine.share import Policy
from custom_components.headroom.site.planning import Made, Work
from simulator.car import HighLevel
from simulator.virtual import run

from .harness import CARS_COME_S, Place, Scenario, car, scenario, steps

FOLLOWS_S = 10.0
"""So much the limits at the station come later than they are told."""


def leaving(hours: float, kwh: float, name: str = "car") -> Place:
    """A car that says when it leaves and what it needs, and keeps to it."""
    spec = car(name, high_level=HighLevel(energy_wh=kwh * 1000, departs_after_s=hours * 3600))
    return Place(car=spec, leaves_s=CARS_COME_S + hours * 3600)


def energies_kwh(s: Scenario) -> list[float]:
    """What each car got."""
    return [(s.evse(number).session_energy_wh or 0.0) / 1000 for number in range(1, len(s.places) + 1)]


def spells(s: Scenario, number: int, from_s: float) -> list[tuple[bool, float, float]]:
    """When a station offered current and when not: (whether, since, until)."""
    found: list[tuple[bool, float, float]] = []
    for moment in s.moments:
        if moment.at_s < from_s:
            continue
        offered = moment.pilots_a[number - 1] > 0
        if found and found[-1][0] is offered:
            found[-1] = (offered, found[-1][1], moment.at_s)
        else:
            found.append((offered, moment.at_s, moment.at_s))
    return found


def test_three_cars_where_two_fit_take_turns_and_get_alike() -> None:
    async def story() -> None:
        building = steps((0.0, 5.0))
        async with scenario(*[Place()] * 3, fuse_a=20, margin_a=1, worst_case_a=7, building=building, paced=True, over_limit_s=0.0) as s:
            s.site.set_policy(Policy.EQUAL_CURRENT)
            await s.until(20 + 3 * HOUR_S)
            got_kwh = energies_kwh(s)
            assert min(got_kwh) > 0.75 * max(got_kwh) and sum(got_kwh) > 0.9 * 3 * 2 * 6 * 3 * 0.23, got_kwh
            for number in (1, 2, 3):
                found = spells(s, number, from_s=60.0)
                for offered, since, until in found[1:-1]:
                    assert until - since >= (LEAST_ON_S if offered else LEAST_OFF_S) - FOLLOWS_S, (number, found)
                pauses = [since for offered, since, _ in found[1:] if not offered]
                for at in pauses:
                    assert sum(at <= other < at + HOUR_S for other in pauses) <= MOST_PAUSES

    run(story())


def test_the_car_that_leaves_first_is_ready_first() -> None:
    async def story() -> None:
        late, early = leaving(6.0, 20.0), leaving(1.5, 12.0)
        async with scenario(late, early, fuse_a=28, worst_case_a=12, building=steps((0.0, 8.0)), paced=True) as s:
            await s.until(60)
            assert s.site.snapshot.plan_age_s is not None
            assert s.draw_a(2) > s.draw_a(1), s.story()
            target_a = s.evse(2).target_a
            assert target_a is not None and target_a > 10
            await s.until(CARS_COME_S + 1.5 * HOUR_S - 10)
            assert energies_kwh(s)[1] > 11.5, s.story()

    run(story())


def test_a_policy_takes_effect_at_the_next_turn_and_is_kept() -> None:
    async def story() -> None:
        places = [Place(), Place(comes_s=12.0)]
        async with scenario(*places, fuse_a=40, worst_case_a=15) as s:
            await s.until(60)
            assert abs(s.draw_a(1) - s.draw_a(2)) <= 1.0
            s.site.set_policy(Policy.FIRST_COME)
            await s.wait(0.2)
            assert s.records.decisions[-1].document["policy"] == "first_come"
            await s.until(90)
            assert s.draw_a(1) > 22 and s.draw_a(2) <= 6, s.story()
            assert s.memory().policy is Policy.FIRST_COME
            await s.vanish()
            await s.come_back(s.memory())
            assert s.site.policy is Policy.FIRST_COME

    run(story())


def test_without_a_solver_departures_still_count_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)

    async def story() -> None:
        places = [leaving(6.0, 20.0), leaving(1.5, 12.0), Place()]
        async with scenario(*places, fuse_a=40, worst_case_a=12, building=steps((0.0, 8.0)), step_s=1.0) as s:
            await s.until(900)
            assert s.draw_a(2) > 18 and s.draw_a(3) > 5 and s.reason(1) == "postponed", s.story()

    with caplog.at_level(logging.WARNING):
        run(story())
    assert caplog.text.count("There is no optimum to plan by") == 1


def test_a_plan_that_is_not_there_yet_holds_up_nobody_and_a_session_may_end_meanwhile() -> None:
    async def story() -> None:
        async with scenario(leaving(6.0, 20.0), leaving(1.5, 12.0), Place(), fuse_a=40, worst_case_a=12) as s:
            gate, asked = asyncio.Event(), 0

            async def slowly(work: Work) -> Made:
                nonlocal asked
                asked += 1
                made = work()
                await gate.wait()
                return made

            s.reckons = slowly
            await s.until(40)
            assert asked == 1, "one at a time"
            assert min(s.draws_a()) > 5.8 and s.site.snapshot.plan_age_s is None, s.story()
            s.unplug(2)
            await s.until(60)
            gate.set()
            await s.until(70)
            assert asked == 2 and s.site.snapshot.plan_age_s is not None, "it was made anew for those who are left"
            assert s.evse(2).target_a is None and s.draw_a(1) > 10 and s.draw_a(3) > 10

    run(story())


def test_a_plan_that_fails_is_told_once_and_the_site_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with scenario(leaving(6.0, 20.0), leaving(3.0, 12.0), fuse_a=40, worst_case_a=12, step_s=1.0, complains=True) as s:
            fails = True

            async def sometimes(work: Work) -> Made:
                if fails:
                    raise RuntimeError("out of memory")
                return work()

            s.reckons = sometimes
            await s.until(700)
            assert min(s.draws_a()) > 10
            fails = False
            await s.until(1100)
            assert s.site.snapshot.plan_age_s is not None

    with caplog.at_level(logging.INFO):
        run(story())
    assert caplog.text.count("There is no plan") == 1 and caplog.text.count("by a plan again") == 1


def test_noise_of_the_meter_and_a_step_of_the_building_do_not_make_limits_flap() -> None:
    async def story() -> None:
        building = steps((0.0, 8.2), (400.0, 14.2))
        async with scenario(*[Place()] * 4, building=building, over_limit_s=6.0, tolerance_a=0.5) as s:
            noise = random.Random(4711)
            s.meter_error_a = lambda: noise.uniform(-0.5, 0.5)
            await s.until(120)
            before = list(limit_changes(s, 0.0, 120.0).values())
            await s.until(390)
            quiet = limit_changes(s, 120.0, 390.0)
            await s.until(430)
            step = limit_changes(s, 390.0, 430.0)
            await s.until(700)
            after = limit_changes(s, 430.0, 700.0)
            assert max(quiet.values()) <= 2 and max(after.values()) <= 2 and max(step.values()) <= 4, (before, quiet, step, after)
            used = [max(moment.main_a) for moment in s.between(440, 700)]
            assert sum(used) / len(used) > 58.5, sum(used) / len(used)

    run(story())


def limit_changes(s: Scenario, from_s: float, to_s: float) -> Mapping[int, int]:
    """How often the limit of each station changed."""
    moments = s.between(from_s, to_s)
    return {
        number: sum(before.limits_a[number - 1] != now.limits_a[number - 1] for before, now in pairwise(moments))
        for number in range(1, len(s.places) + 1)
    }


def test_a_car_that_is_not_to_be_paused_goes_on_beyond_its_turn_but_never_beyond_the_fuse() -> None:
    async def story() -> None:
        building = steps((0.0, 5.0), (2 * HOUR_S, 15.0))
        async with scenario(*[Place()] * 3, fuse_a=20, margin_a=1, worst_case_a=7, building=building, paced=True, over_limit_s=4.0) as s:
            await s.until(30)
            s.site.set_need(s.key(1), pausable=False)
            await s.until(2 * HOUR_S - 10)
            assert all(moment.pilots_a[0] > 0 for moment in s.between(60, 2 * HOUR_S - 10))
            assert min(energies_kwh(s)[1:]) > 2.0
            await s.until(2 * HOUR_S + 60)
            assert s.draws_a() == [0.0, 0.0, 0.0]

    run(story())
