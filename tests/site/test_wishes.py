"""What people and utilities ask for: pauses, ceilings, profiles over time, limits from outside."""

import pytest

from custom_components.headroom.engine.write_budget import BURST, CHARGING_PER_S
from simulator.virtual import run

from .harness import Place, scenario, steps


def test_a_paused_evse_draws_nothing_whatever_happens_and_charges_again_when_allowed() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_allowed(s.key(1), False)
            await s.until(66)
            assert s.draw_a(1) == 0 and s.reason(1) == "paused"
            await s.until(72)
            assert s.fallback_a(1) == 0
            await s.fault("reboot:CP1")
            await s.until(100)
            assert s.draw_a(2) > 31
            await s.fault("offline:CP1")
            await s.until(500)
            await s.fault("offline:CP1", on=False)
            await s.until(520)
            assert all(moment.draws_a[0] == 0 for moment in s.between(66, 520))
            s.site.set_allowed(s.key(1), True)
            await s.until(550)
            assert s.draw_a(1) > 24 and s.fallback_a(1)

    run(story())


def test_a_switch_that_flaps_costs_few_writes_and_no_current() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), Place(), worst_case_a=15.0, building=steps((0.0, 8.0)), over_limit_s=0.0) as s:
            await s.until(140)
            before = s.writes()
            for number in range(60):
                s.site.set_allowed(s.key(1), number % 2 == 1)
                await s.until(140.5 + number * 0.5)
            assert s.draw_a(1) == 0 and s.fallback_a(1)
            await s.until(200)
            assert s.draw_a(1) > 16
            assert max(now - then for now, then in zip(s.writes(), before, strict=True)) <= 8

    run(story())


@pytest.mark.parametrize("every_s", [5.0, 11.0, 15.0, 30.0])
def test_a_switch_that_goes_on_and_off_all_day_wears_no_flash(every_s: float) -> None:
    async def story() -> None:
        async with scenario(Place(), worst_case_a=15.0, building=steps((0.0, 8.0)), over_limit_s=0.0, paced=True) as s:
            await s.until(140)
            before, times = s.writes()[0], int(1800.0 / every_s)
            for number in range(times):
                s.site.set_allowed(s.key(1), number % 2 == 1)
                await s.until(140.0 + every_s * (number + 1))
            assert s.writes()[0] - before < BURST + 1800.0 * CHARGING_PER_S
            assert s.site._evses[s.key(1)].budget.left > 0

    run(story())


def test_a_pause_that_has_lasted_survives_us() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), worst_case_a=15.0, building=steps((0.0, 8.0)), over_limit_s=0.0) as s:
            await s.until(60)
            s.meters_silent.add("main")
            s.site.set_allowed(s.key(1), False)
            await s.until(63)
            s.site.set_allowed(s.key(1), False)
            assert s.draw_a(1) == 0 and s.fallback_a(1)
            await s.until(71)
            assert s.fallback_a(1) == 0
            await s.vanish()
            await s.until(1200)
            assert all(moment.draws_a[0] == 0 for moment in s.between(63, 1200))

    run(story())


def test_a_pause_of_nobody_is_there_before_a_car_is_and_outlasts_a_session_that_ends() -> None:
    async def story() -> None:
        async with scenario(Place(comes_s=62.0), Place(), worst_case_a=15.0, building=steps((0.0, 8.0)), over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_allowed(s.key(1), False)
            s.site.set_allowed(s.key(2), False)
            await s.until(61.5)
            assert s.fallback_a(1) == 0 and s.fallback_a(2)
            s.unplug(2)
            await s.until(64)
            assert s.fallback_a(2) == 0
            await s.until(120)
            assert all(moment.draws_a[0] == 0 for moment in s.between(0, 120))

    run(story())


def test_a_maximum_current_holds_and_what_it_leaves_goes_to_the_others() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_user_max(s.key(1), 10.0)
            await s.until(66)
            assert 9 < s.draw_a(1) <= 10 and s.reason(1) == "user"
            await s.until(90)
            assert s.draw_a(2) > 31 and (s.fallback_a(1) or 0) <= 10
            s.site.set_user_max(s.key(1), 32.0)
            await s.until(120)
            assert s.draw_a(1) > 24

    run(story())


def test_a_maximum_below_the_least_current_means_none() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_user_max(s.key(1), 5.0)
            await s.until(70)
            assert s.draw_a(1) == 0

    run(story())


def test_a_profile_over_time_is_followed_to_its_end() -> None:
    async def story() -> None:
        async with scenario(Place(), over_limit_s=0.0) as s:
            await s.until(60)
            assert s.draw_a(1) > 31
            s.site.set_profile(s.key(1), [(60.0, 16.0), (0.0, 10.0), (120.0, 0.0)], 180.0)
            for at_s, low_a, high_a in ((65, 9, 10), (118, 9, 10), (135, 15, 16), (178, 15, 16), (185, 0, 0), (238, 0, 0), (260, 31, 32)):
                await s.until(at_s)
                assert low_a <= s.draw_a(1) <= high_a, s.story()
            s.site.set_profile(s.key(1), [(0.0, 10.0)], None)
            await s.until(270)
            assert 9 < s.draw_a(1) <= 10
            s.site.clear_profile(s.key(1))
            await s.until(290)
            assert s.draw_a(1) > 31

    run(story())


def test_a_limit_from_outside_in_amps_ends_by_itself() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_external_limit("dso", "main", limit_a=30.0, limit_w=None, duration_s=60.0)
            await s.until(65)
            assert 26 < max(s.main_a()) <= 30
            await s.until(119)
            assert all(max(moment.main_a) <= 30 for moment in s.between(65, 119))
            await s.until(140)
            assert max(s.main_a()) > 55

    run(story())


def test_a_limit_from_outside_in_watts_caps_all_phases_together() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(rotation="L1"), over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_external_limit("dso", "main", limit_a=None, limit_w=15_000.0, duration_s=None)
            await s.until(66)
            assert 13_000 < sum(s.main_a()) * 230 <= 15_000
            assert s.site.clear_external_limit("dso", "main")
            await s.until(90)
            assert s.draw_a(1) > 24

    run(story())


def test_a_limit_somebody_set_at_the_station_is_not_reckoned_away_from_the_others() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            s.model(1).limit_externally(0, 8.0)
            await s.until(90)
            assert s.draw_a(1) <= 8 and s.draw_a(2) > 31 and s.reason(1) == "external"
            s.model(1).limit_externally(0, None)
            await s.until(120)
            assert s.draw_a(1) > 24

    run(story())
