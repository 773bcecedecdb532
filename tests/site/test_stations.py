"""Stations that fail: away, refusing, ignoring, slow, rebooting. The others give way, and nobody trips."""

from dataclasses import replace
from typing import Any

import pytest

from custom_components.headroom.engine.model import Circuit
from simulator.blocks.block import CallRefusedError
from simulator.quirks import Quirks
from simulator.virtual import run

from .harness import Place, car, scenario, steps


def test_a_station_that_goes_away_keeps_its_lease_reserved_and_then_holds_its_fallback() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            leased_a, fallback_a = s.pilot_a(1), s.fallback_a(1)
            assert fallback_a is not None and leased_a > fallback_a + 5
            await s.fault("offline:CP1")
            await s.until(65)
            assert s.reason(1) == "offline"
            assert s.draw_a(1) > leased_a - 1 and s.pilot_a(2) <= 53 - leased_a, "its lease is reserved while it runs"
            await s.until(60 + 300 + 20)
            assert s.pilot_a(1) == fallback_a
            assert s.draw_a(2) > 25 and max(s.main_a()) <= 61
            await s.fault("offline:CP1", on=False)
            await s.wait(45)
            assert abs(s.pilot_a(1) - s.pilot_a(2)) <= 1 and s.draw_a(1) > 24
            assert s.problem(1) is None

    run(story())


def test_the_building_steps_while_a_station_is_away_and_the_others_give_way() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 8.0), (70.3, 20.0)), over_limit_s=4.0) as s:
            await s.until(60)
            await s.fault("offline:CP1")
            await s.until(140)
            assert max(s.main_a()) <= 61

    run(story())


def test_a_station_that_refuses_limits_is_reserved_for_and_the_others_are_cut() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 8.0), (70.3, 20.0)), over_limit_s=6.0) as s:
            await s.until(60)
            await s.fault("rejecting:CP1")
            await s.until(80)
            assert s.problem(1) == "rejects_profiles"
            assert max(s.main_a()) <= 61
            await s.until(200)
            assert s.pilot_a(1) == s.fallback_a(1)
            await s.fault("rejecting:CP1", on=False)
            await s.wait(60)
            assert s.problem(1) is None
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1

    run(story())


def test_a_station_that_ignores_its_limit_is_found_out_and_reserved_for() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 8.0), (70.3, 20.0)), over_limit_s=18.0) as s:
            await s.until(60)
            drew_a = s.draw_a(1)
            await s.fault("ignoring:CP1")
            await s.until(70)
            assert s.problem(1) is None
            assert await s.until_true(lambda: s.problem(1) == "disobedient", within_s=15.0) > 3
            assert s.draw_a(1) == drew_a
            await s.wait(4)
            assert max(s.main_a()) <= 61
            assert s.reason(1) == "disobedient"
            await s.until(150)
            assert max(s.main_a()) <= 61
            await s.fault("ignoring:CP1", on=False)
            await s.wait(60)
            assert s.problem(1) is None and max(s.draws_a()) - min(s.draws_a()) <= 1.1

    run(story())


def test_what_a_slow_station_gives_up_is_not_handed_on_before_it_is_gone() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(40)
            s.slow(1, answers_s=3.0, applies_s=10.0)
            await s.until(120)
            assert s.draw_a(1) > 24 and s.draw_a(2) > 24
            s.site.set_user_max(s.key(1), 8.0)
            await s.until(180)
            assert s.draw_a(1) <= 8 and s.draw_a(2) > 31

    run(story())


def test_a_slow_station_overloads_no_longer_than_it_takes_to_apply_a_limit() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), building=steps((0.0, 8.0), (120.3, 24.0)), over_limit_s=3.0 + 10.0 + 4.0) as s:
            await s.until(40)
            s.slow(1, answers_s=3.0, applies_s=10.0)
            await s.until(220)
            assert max(s.main_a()) <= 61 and s.problem(1) is None
            assert abs(s.pilot_a(1) - s.pilot_a(2)) <= 1 and s.draw_a(1) > 15

    run(story())


def test_a_station_that_reboots_holds_its_fallback_until_it_is_told_again() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            fallback_a, before = s.fallback_a(1), s.transaction_ids()
            assert fallback_a is not None
            await s.fault("reboot:CP1")
            await s.until(61)
            assert s.draw_a(1) == 0
            await s.until_true(lambda: bool(s.installed(1, "TxProfile")), within_s=25)
            assert all(moment.pilots_a[0] <= fallback_a for moment in s.between(61, s.time_s - 1.5))
            await s.until(110)
            assert s.transaction_ids() == before and s.draw_a(1) > 24 and s.fallback_a(1) == fallback_a

    run(story())


def test_a_reboot_that_ends_the_transaction_frees_its_current() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), fuse_a=40, worst_case_a=15, over_limit_s=0.0) as s:
            await s.until(70)
            assert s.charges(1) and s.charges(2)
            await s.fault("reboot-ending:CP1")
            await s.until(110)
            assert not s.charges(1) and s.draw_a(2) > 28

    run(story())


def test_where_a_station_keeps_anothers_profile_for_its_transaction_what_that_lets_its_car_draw_is_reserved() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(max_a=10.0)), Place(), over_limit_s=0.0, dead_man_from_s=None) as s:
            await s.until(60)
            assert s.draw_a(1) > 9 and s.draw_a(2) > 30
            clear = s.model(1).answers["ClearChargingProfile"]

            def kept(payload: Any) -> Any:
                if payload.get("chargingProfileId") == 77:
                    raise CallRefusedError("SecurityError", "that is another's")
                return clear(payload)

            s.model(1).answers["ClearChargingProfile"] = kept
            (ours,) = s.installed(1, "TxProfile")
            schedules = [each | {"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32.0}]} for each in ours["chargingSchedule"]]
            others = {key: value for key, value in ours.items() if key != "validTo"} | {"id": 77, "stackLevel": 3}
            station, transaction = s.model(1), s.model(1).evses[1].transaction
            assert transaction is not None
            station.profiles.install(1, others | {"chargingSchedule": schedules}, station.now, {1: transaction})
            await s.fault("offline:CP1")
            await s.wait(3)
            await s.fault("offline:CP1", on=False)
            await s.wait(60)
            assert s.problem(1) == "keeps_other_profile" and s.reason(1) == "other_system"
            assert s.draw_a(1) > 9 and s.draw_a(2) <= 61 - 8 - 32, s.story()

    run(story())


@pytest.mark.parametrize("metered", [False, True])
def test_what_a_station_holds_that_is_away_counts_though_its_maximum_current_is_lowered_meanwhile(metered: bool) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 25.0)), metered=metered) as s:
            await s.until(60)
            held_a = s.fallback_a(1)
            await s.fault("offline:CP1")
            await s.wait(20)
            station = s.config.stations["CP1"]
            lowered = replace(station, evses=(replace(station.evses[0], max_a=6.0),))
            s.configure(stations={**s.config.stations, "CP1": lowered})
            await s.wait(400)
            assert held_a == 12.0 and s.draw_a(1) > 11 and max(s.main_a()) <= 61
            assert s.evse(1).limit_a == held_a, "as it was told last"
            await s.fault("offline:CP1", on=False)
            await s.wait(60)
            assert s.draw_a(1) < 6 and s.draw_a(2) > 13 and max(s.main_a()) <= 61

    run(story())


def test_what_a_station_draws_that_heeds_no_limit_stays_reserved_as_it_goes_away_where_no_meter_shows_it() -> None:
    """The main fuse has a meter, and the row has none."""
    row = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=50.0, margin_a=2.0)

    async def story() -> None:
        places = Place(circuit_id="row", quirks=Quirks(honours=frozenset())), *[Place(circuit_id="row")] * 2
        async with scenario(*places, circuits=[row], fuse_a=160.0, over_limit_s=15.0, dead_man_from_s=None) as s:
            await s.until(150)
            assert s.problem(1) == "disobedient" and s.draw_a(1) > 30
            await s.fault("offline:CP1")
            await s.wait(600)
            assert s.draw_a(1) > 30 and s.draw_a(2) > 6 and s.world.current_a["row"][0] <= 48

    run(story())
