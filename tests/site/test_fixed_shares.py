"""Limits from outside, of persons and in time, where the fallbacks are the shares: they hold there as where leases lead."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.headroom.csms.profile_builder import Period, Schedule, profile
from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.site.config import Mode
from custom_components.headroom.site.standing_limit import StandingLimit, Storing
from simulator.virtual import START, run

from .harness import Place, Scenario, scenario, steps

WORST_A = 16.0
SHARE_A = 15.0
"""A third of what 63 A less the margin and the worst case leave."""


def outside(s: Scenario, limit_a: float | None = None, *, limit_w: float | None = None, duration_s: float | None = None) -> None:
    """The grid operator limits the site."""
    s.site.set_external_limit("grid operator", "main", limit_a=limit_a, limit_w=limit_w, duration_s=duration_s)


def standing(s: Scenario, number: int, limit_a: float, *, whole: bool = False, until_s: float | None = None) -> None:
    """A person's limit that stands on an EVSE, or on its station as a whole."""
    profile_id = s.site.standing.free_id(f"CP{number}")
    found = profile(
        profile_id=profile_id,
        purpose="ChargingStationMaxProfile" if whole else "TxDefaultProfile",
        schedules=[Schedule(schedule_id=profile_id, periods=[Period(start_s=0, limit=limit_a)], start=START)],
        valid_to=None if until_s is None else START + timedelta(seconds=until_s),
    )
    s.site.keep_standing(StandingLimit(station=f"CP{number}", evse_id=0 if whole else 1, profile=found))


def test_a_limit_from_outside_holds_and_its_end_gives_back_what_it_took() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, worst_case_a=WORST_A, building=steps((0.0, 8.0)), metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            assert [s.fallback_a(number) for number in (1, 2, 3)] == [SHARE_A] * 3
            outside(s, 20.0)
            await s.wait(10)
            assert max(s.draws_a()) == 0.0, "it leaves less beside the building's worst than a car can charge with"
            assert s.reason(1) == "external" and "(grid operator)" in s.evse(1).reason_text
            outside(s, 40.0, duration_s=60.0)
            await s.wait(15)
            assert [s.fallback_a(number) for number in (1, 2, 3)] == [8.0] * 3 and max(s.main_a()) <= 40.0
            assert s.reason(2) == "external" and "(grid operator)" in s.evse(2).reason_text
            written = s.writes()
            await s.wait(40)
            assert s.writes() == written
            await s.wait(30)
            assert [s.fallback_a(number) for number in (1, 2, 3)] == [SHARE_A] * 3 and min(s.draws_a()) > SHARE_A - 1
            assert s.reason(1) == "static"

    run(story())


def test_a_limit_from_outside_in_kilowatts_bounds_all_phases_together() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, worst_case_a=5.0, building=steps((0.0, 5.0)), metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            outside(s, limit_w=18_630.0)
            await s.wait(15)
            assert [s.fallback_a(number) for number in (1, 2)] == [11.0, 11.0], "81 A over the three phases, less 15 A, for two cars"
            assert s.reason(1) == "external"
            assert s.site.clear_external_limit("grid operator", "main")
            await s.wait(15)
            assert [s.fallback_a(number) for number in (1, 2)] == [28.0, 28.0] and s.reason(1) == "static"

    run(story())


def test_a_limit_on_a_circuit_holds_its_own_cars_alone() -> None:
    async def story() -> None:
        row = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=63.0)
        places = (Place(circuit_id="row"), Place(circuit_id="row"), Place())
        async with scenario(*places, circuits=[row], worst_case_a=WORST_A, metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_external_limit("tariff", "row", limit_a=14.0, limit_w=None, duration_s=None)
            await s.wait(15)
            assert [s.fallback_a(number) for number in (1, 2)] == [7.0, 7.0] and s.fallback_a(3) == 31.0
            assert [s.reason(number) for number in (1, 2, 3)] == ["external", "external", "static"]

    run(story())


def test_a_profile_holds_period_after_period_and_to_its_end() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, worst_case_a=WORST_A, metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_profile(s.key(1), [(0.0, 6.0), (60.0, 10.0)], 120.0)
            await s.wait(10)
            assert 5 < s.draw_a(1) <= 6 and s.fallback_a(2) == SHARE_A
            assert [s.reason(1), s.reason(2)] == ["user", "static"]
            await s.wait(60)
            assert 9 < s.draw_a(1) <= 10 and s.reason(1) == "user"
            await s.wait(65)
            assert s.draw_a(1) > SHARE_A - 1 and s.reason(1) == "static"

    run(story())


def test_limits_of_persons_that_stand_hold_to_their_end() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, worst_case_a=WORST_A, metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            standing(s, 1, 8.0, until_s=120.0)
            standing(s, 2, 9.0, whole=True)
            await s.wait(15)
            assert 7 < s.draw_a(1) <= 8 and 8 < s.draw_a(2) <= 9
            assert [s.reason(number) for number in (1, 2)] == ["user", "user"]
            await s.until(140)
            assert [s.fallback_a(number) for number in (1, 2, 3)] == [18.0, 9.0, 18.0], "what a whole station may not have is the others'"
            assert s.reason(1) == "static"

    run(story())


def test_a_copy_that_a_station_holds_of_a_limit_in_time_stays_its_own() -> None:
    async def story() -> None:
        async with scenario(Place(), worst_case_a=50.0, building=steps((0.0, 8.0)), metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            periods = [Period(start_s=start_s, limit=limit_a) for start_s, limit_a in ((0, 7.0), (100, 6.0), (200, 9.0))]
            profile_id = s.site.standing.free_id("CP1")
            found = profile(
                profile_id=profile_id, purpose="TxDefaultProfile", schedules=[Schedule(schedule_id=1, periods=periods, start=START)]
            )
            del found["stackLevel"]
            await s.site.store_standing(StandingLimit(station="CP1", evse_id=1, profile=found))
            await s.wait(10)
            written = s.writes()
            for until_s, limit_a in ((90, 7.0), (150, 6.0), (250, 9.0)):
                await s.until(until_s)
                assert limit_a - 1 < s.draw_a(1) <= limit_a and s.reason(1) == "user"
            assert s.writes() == written and [each.storing for each in s.site.standing.at("CP1")] == [Storing.STORED]
            outside(s, 57.0)
            await s.wait(10)
            assert s.draw_a(1) <= 7 and s.reason(1) == "external", "what would allow more gives way"

    run(story())


def test_a_limit_that_somebody_set_at_a_station_is_told_with_whose_it_is() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, worst_case_a=WORST_A, metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            s.model(1).limit_externally(1, 8.0, "EMS")
            await s.wait(10)
            assert s.draw_a(1) <= 8 and s.reason(1) == "external" and "EMS" in s.evse(1).reason_text
            s.model(1).limit_externally(1, None, "EMS")
            await s.wait(15)
            assert s.draw_a(1) > 20 and s.reason(1) == "static"

    run(story())


@pytest.mark.parametrize("removed", [False, True])
def test_the_others_make_way_for_what_holds_at_stations_that_are_away(removed: bool) -> None:
    """Two of four keep 15 A each: beside these and the building 33 A leave the others nothing, and 45 A their least."""

    async def story() -> None:
        building = steps((0.0, 1.0))
        async with scenario(*[Place()] * 4, worst_case_a=1.0, building=building, metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            assert [s.fallback_a(number) for number in (1, 2, 3, 4)] == [SHARE_A] * 4
            for number in (1, 2):
                await s.fault(f"offline:CP{number}")
            await s.wait(10)
            if removed:
                s.configure(stations={key: station for key, station in s.config.stations.items() if key not in ("CP1", "CP2")})
            for limit_a, left_a in ((33.0, [0.0, 0.0]), (45.0, [7.0, 7.0])):
                outside(s, limit_a)
                await s.wait(30)
                assert max(s.main_a()) <= limit_a and [s.fallback_a(number) for number in (3, 4)] == left_a
                assert "(grid operator), 30 A in reserve" in s.evse(3).reason_text and s.reason(3) == "external"
                assert s.site.snapshot.dead_man.holds
            if not removed:
                for number in (1, 2):
                    await s.fault(f"offline:CP{number}", on=False)
                await s.wait(60)
                assert [s.fallback_a(number) for number in (1, 2, 3, 4)] == [11.0] * 4 and max(s.main_a()) <= 45.0
                assert "reserve" not in s.evse(3).reason_text

    run(story())


@pytest.mark.parametrize("fault", ["rejecting", "silent"])
def test_the_others_make_way_for_what_holds_at_a_station_that_takes_no_limit(fault: str) -> None:
    async def story() -> None:
        places, building = [Place()] * 3, steps((0.0, WORST_A))
        async with scenario(*places, worst_case_a=WORST_A, building=building, metered=False, over_limit_s=60.0, complains=True) as s:
            await s.until(60)
            await s.fault(f"{fault}:CP1")
            await s.wait(1)
            outside(s, 46.0)
            await s.wait(300)
            assert max(s.main_a()) <= 46.0 and min(s.fallback_a(number) or 0.0 for number in (2, 3)) >= 7.0
            await s.fault(f"{fault}:CP1", on=False)
            await s.wait(300)
            assert [s.fallback_a(number) for number in (1, 2, 3)] == [10.0] * 3, "it is told its share all the same"

    run(story())


@pytest.mark.parametrize("metered", [False, True])
def test_a_fuse_that_is_set_lower_holds_beside_a_station_that_is_away(metered: bool) -> None:
    async def story() -> None:
        building = steps((0.0, WORST_A))
        async with scenario(*[Place()] * 3, worst_case_a=WORST_A, building=building, metered=metered, dead_man_from_s=None) as s:
            await s.until(60)
            await s.fault("offline:CP1")
            await s.wait(10)
            s.configure(circuits=(replace(s.config.root, fuse_a=50.0),))
            await s.wait(120)
            assert max(s.main_a()) <= 48.0 and s.site.snapshot.dead_man.holds
            assert s.reason(2) == ("circuit" if metered else "static") and "15 A in reserve" in s.evse(2).reason_text

    run(story())


def test_a_station_that_is_added_has_no_car_fall_below_its_share() -> None:
    async def story() -> None:
        places = (Place(), Place(), Place(car=None, approved=False))
        async with scenario(*places, worst_case_a=WORST_A, metered=False, step_s=0.1, dead_man_from_s=65.0) as s:
            await s.until(60)
            await s.approve(3)
            lowest_a = SHARE_A
            for _ in range(100):
                await s.wait(0.1)
                lowest_a = min(lowest_a, *(s.fallback_a(number) or 0.0 for number in (1, 2)))
            assert lowest_a == SHARE_A == s.fallback_a(3)

    run(story())


def test_from_following_the_meter_to_fixed_shares_under_a_limit_from_outside() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, worst_case_a=WORST_A, over_limit_s=6.0) as s:
            await s.until(60)
            outside(s, 40.0)
            await s.wait(20)
            changed_s = s.time_s
            s.site.set_mode(Mode.STATIC)
            await s.wait(60)
            assert max(max(moment.main_a) for moment in s.between(changed_s, s.time_s)) <= 40.0
            assert [s.fallback_a(number) for number in (1, 2, 3)] == [8.0] * 3 and min(s.draws_a()) > 7
            assert s.reason(1) == "external"

    run(story())


def test_a_limit_that_wobbles_wears_out_no_station() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, worst_case_a=WORST_A, metered=False, over_limit_s=2.0, step_s=1.0) as s:
            await s.until(60)
            before = s.writes()
            for second in range(900):
                outside(s, 31.0 if second % 2 else 45.0)
                await s.wait(1)
            written = [after - number for after, number in zip(s.writes(), before, strict=True)]
            assert max(written) < 150, written
            outside(s, 30.0)
            await s.wait(10)
            assert [s.fallback_a(number) for number in (1, 2)] == [7.0, 7.0], "a cut is written at once"

    run(story())
