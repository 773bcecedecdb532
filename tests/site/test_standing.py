"""Limits that persons set and that stand: the loop reckons with what the station will do by them, and they only ever lower."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
import math
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from custom_components.headroom.csms.errors import ProfileRaisesError, ProfileRefusedError
from custom_components.headroom.csms.fields import optional_moment
from custom_components.headroom.csms.profile_builder import Period, Schedule, profile
from custom_components.headroom.site.config import EvseConfig, EvseKey
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.session import Session
from custom_components.headroom.site.standing import StandingLimits
from custom_components.headroom.site.standing_limit import StandingLimit, Storing, rebased
from simulator.virtual import START, run

from .harness import Place, Scenario, car, scenario, steps

DAILY_FROM_S, DAILY_S = 60, 120


def limit(
    s: Scenario,
    number: int,
    *periods: tuple[int, float],
    purpose: str = "TxDefaultProfile",
    starts_s: float | None = 0.0,
    duration_s: int | None = None,
    unit: Any = "A",
    phases: int | None = None,
    least: float | None = None,
    transaction_id: str | None = None,
    more: Sequence[Sequence[tuple[int, float]]] = (),
    **rest: Any,
) -> StandingLimit:
    """A person's limit on the EVSE of a place, or (ChargingStationMaxProfile) on its station; without a start, from the transaction's."""
    profile_id = s.site.standing.free_id(f"CP{number}")
    found = profile(
        profile_id=profile_id,
        purpose=purpose,
        schedules=[
            Schedule(
                schedule_id=profile_id + index,
                periods=[Period(start_s=start_s, limit=rate, phases=phases) for start_s, rate in each],
                unit=unit,
                start=None if starts_s is None else START + timedelta(seconds=starts_s),
                duration_s=duration_s,
                min_rate=least,
            )
            for index, each in enumerate([periods, *more])
        ],
        transaction_id=transaction_id,
        **rest,
    )
    del found["stackLevel"]
    return StandingLimit(station=f"CP{number}", evse_id=0 if purpose == "ChargingStationMaxProfile" else 1, profile=found)


def test_a_daily_limit_is_kept_and_what_it_leaves_goes_to_the_neighbour() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            s.site.keep_standing(limit(s, 1, (0, 10.0), starts_s=DAILY_FROM_S - 86_400, duration_s=DAILY_S, recurrence="Daily"))
            await s.until(58)
            assert s.draw_a(1) > 20 and s.draw_a(2) < 31
            await s.until(66)
            assert 9 < s.draw_a(1) <= 10 and s.reason(1) == "user"
            await s.until(90)
            assert s.draw_a(2) > 31 and s.problem(1) is None
            await s.until(178)
            assert 9 < s.draw_a(1) <= 10
            await s.until(210)
            assert s.draw_a(1) > 24, s.story()
            assert not s.model(1).profiles.installed[-1].profile["id"] >= 5000  # nothing was asked of the station

    run(story())


def test_the_copy_in_the_station_holds_while_nobody_leads_it_and_is_known_again() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(40)
            stored = await s.site.store_standing(limit(s, 1, (0, 10.0), purpose="ChargingStationMaxProfile"))
            assert stored.storing is Storing.STORED and stored.profile["stackLevel"] == 3
            await s.until(70)
            assert 9 < s.draw_a(1) <= 10 and s.draw_a(2) > 31 and s.reason(1) == "user" and s.problem(1) is None
            kept = s.memory()
            await s.vanish()
            await s.until(400)  # its lease is over long since
            assert (s.fallback_a(1) or 0) > 0 and s.draw_a(1) <= 10
            await s.come_back(kept)
            await s.until(460)
            [known] = s.site.standing.at("CP1")
            assert known.storing is Storing.STORED and s.problem(1) is None
            assert 9 < s.draw_a(1) <= 10
            assert len(s.installed(1, "ChargingStationMaxProfile")) == 2
            await s.site.clear_standing(known)
            await s.until(500)
            assert s.draw_a(1) > 24 and len(s.installed(1, "ChargingStationMaxProfile")) == 1

    run(story())


@pytest.mark.parametrize("stored_s", [40, 60])
def test_a_copy_that_was_just_stored_is_not_taken_for_another_systems(stored_s: int) -> None:
    async def story() -> None:
        async with scenario(Place(), Place()) as s:
            await s.until(stored_s)
            await s.site.store_standing(limit(s, 1, (0, 10.0), purpose="ChargingStationMaxProfile"))
            await s.until(stored_s + 20)
            (kept,) = s.site.standing.at("CP1")
            assert kept.storing is Storing.STORED
            assert kept.profile_id in [profile["id"] for profile in s.installed(1, "ChargingStationMaxProfile")]

    run(story())


def test_what_would_raise_is_refused_and_nothing_of_it_is_kept() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            fallback_a = s.fallback_a(1) or 0.0
            transaction_id = s.transaction_ids()[0]
            for raising in (
                limit(s, 1, (0, fallback_a + 1)),
                limit(s, 1, (0, fallback_a + 1), purpose="TxProfile", transaction_id=transaction_id),
                limit(s, 1, (0, 6.0), (1800, fallback_a + 1), starts_s=None),
                limit(s, 1, (0, 500.0), purpose="ChargingStationMaxProfile"),
            ):
                with pytest.raises(ProfileRaisesError) as refused:
                    await s.site.store_standing(raising)
                assert refused.value.raised_to_a > refused.value.limit_a
            needless = limit(s, 1, (0, 6.0), purpose="TxProfile", transaction_id=transaction_id, more=[[(0, 7.0)]])
            with pytest.raises(ProfileRefusedError, match="FR.34"):
                await s.site.store_standing(needless)
            assert not s.site.standing.at("CP1")
            assert all(one.profile["id"] < 5000 for one in s.model(1).profiles.installed)

    run(story())


@pytest.mark.parametrize("unit", ["A", "W"])
def test_a_limit_from_the_start_of_the_transaction(unit: str) -> None:
    """The first minutes gently; in watts for the phases that it names."""

    async def story() -> None:
        spec = car(phases=1) if unit == "W" else car()
        per_amp, phases = (230, 1) if unit == "W" else (1, None)
        async with scenario(Place(car=spec, comes_s=50.0), over_limit_s=0.0) as s:
            s.site.keep_standing(limit(s, 1, (0, 8.0 * per_amp), (120, 16.0 * per_amp), starts_s=None, unit=unit, phases=phases))
            await s.until(110)
            assert 7 < s.draw_a(1) <= 8
            await s.until(200)
            assert 15 < s.draw_a(1) <= 16, s.story()
            s.unplug(1)
            await s.wait(10)
            s.plug_in(1, spec)
            await s.wait(40)
            assert 7 < s.draw_a(1) <= 8  # anew with each

    run(story())


def test_rather_nothing_than_less_than_the_least_rate() -> None:
    async def story() -> None:
        building = steps((0.0, 10.0), (60.0, 52.0), (160.0, 10.0))
        async with scenario(Place(), building=building, worst_case_a=52.0) as s:
            s.site.keep_standing(limit(s, 1, (0, 16.0), least=12.0))
            await s.until(55)
            assert 15 < s.draw_a(1) <= 16
            await s.until(150)
            assert s.draw_a(1) == 0
            await s.until(220)
            assert 15 < s.draw_a(1) <= 16

    run(story())


def test_a_limit_waits_for_its_station_and_one_of_a_transaction_goes_with_it() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            await s.fault("offline:CP1")
            await s.until(100)
            waiting = await s.site.store_standing(limit(s, 1, (0, 8.0), purpose="ChargingStationMaxProfile"))
            assert waiting.storing is Storing.WAITING
            await s.fault("offline:CP1", on=False)
            await s.until_true(lambda: s.site.standing.at("CP1")[0].storing is Storing.STORED, 60)
            await s.wait(20)
            assert 7 < s.draw_a(1) <= 8 and s.problem(1) is None
            transaction_id = s.transaction_ids()[0]
            await s.site.store_standing(limit(s, 1, (0, 6.0), purpose="TxProfile", transaction_id=transaction_id))
            await s.wait(10)
            assert s.draw_a(1) <= 6
            s.unplug(1)
            await s.wait(10)
            assert [one.profile["chargingProfilePurpose"] for one in s.site.standing.at("CP1")] == ["ChargingStationMaxProfile"]

    run(story())


def test_a_limit_that_its_station_does_not_answer_may_be_held_there_and_is_kept() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(40)
            s.slow(1, answers_s=12.0, applies_s=0.0)
            waiting = await s.site.store_standing(limit(s, 1, (0, 8.0), purpose="ChargingStationMaxProfile"))
            assert waiting.storing is Storing.WAITING
            s.slow(1, answers_s=0.1, applies_s=0.0)
            await s.until_true(lambda: s.site.standing.at("CP1")[0].storing is Storing.STORED, 120)
            await s.wait(20)
            assert 7 < s.draw_a(1) <= 8

    run(story())


@pytest.mark.parametrize("restarts", [False, True])
def test_a_limit_that_is_cleared_while_its_station_is_away_goes_once_it_is_back(restarts: bool) -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(40)
            stored = await s.site.store_standing(limit(s, 1, (0, 8.0), purpose="ChargingStationMaxProfile"))
            await s.until(60)
            await s.fault("offline:CP1")
            await s.until(100)
            await s.site.clear_standing(stored)
            assert not s.site.standing.at("CP1")
            if restarts:
                kept = s.memory()
                await s.vanish()
                await s.until(110)
                await s.come_back(kept)
            await s.until(120)
            assert len(s.installed(1, "ChargingStationMaxProfile")) == 2
            await s.fault("offline:CP1", on=False)
            await s.until_true(lambda: len(s.installed(1, "ChargingStationMaxProfile")) == 1, 60)
            await s.wait(60)
            assert s.draw_a(1) > 24 and not s.memory().standing

    run(story())


def test_a_copy_that_would_raise_a_new_fallback_goes() -> None:
    """Its owner lowers the EVSE's maximum below what the copy says: the copy is taken off the station, and the limit stands here."""

    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            level_a = (s.fallback_a(1) or 0.0) - 1
            await s.site.store_standing(limit(s, 1, (0, level_a)))
            await s.wait(30)
            assert level_a - 1 < s.draw_a(1) <= level_a
            s.site.set_user_max(s.key(1), 6.0)
            await s.wait(10)
            [standing] = s.site.standing.at("CP1")
            assert standing.storing is Storing.REFUSED
            assert [one["id"] for one in s.installed(1, "TxDefaultProfile")] == [1001]
            assert s.draw_a(1) <= 6

    run(story())


def test_a_daily_limit_keeps_to_the_clocks_of_the_house() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 20, 22, tzinfo=zone)
    found = profile(
        profile_id=5000,
        purpose="TxDefaultProfile",
        schedules=[Schedule(schedule_id=5000, start=start.astimezone(UTC), duration_s=8 * 3600, periods=[Period(start_s=0, limit=6)])],
        recurrence="Daily",
    )
    summer = StandingLimit(station="CP1", evse_id=1, profile=found, zone=str(zone), storing=Storing.STORED)

    def begins(one: StandingLimit) -> datetime | None:
        return optional_moment(one.profile["chargingSchedule"][0], "startSchedule")

    assert rebased(summer, datetime(2026, 10, 24, 12, tzinfo=UTC)) is summer
    assert rebased(replace(summer, zone=None), datetime(2026, 11, 24, tzinfo=UTC)).profile == summer.profile
    winter = rebased(summer, datetime(2026, 10, 25, 21, 30, tzinfo=UTC))
    assert begins(winter) == datetime(2026, 10, 25, 21, tzinfo=UTC)
    assert rebased(winter, datetime(2027, 3, 27, 12, tzinfo=UTC)) is winter
    assert begins(rebased(winter, datetime(2027, 3, 28, 20, 30, tzinfo=UTC))) == datetime(2027, 3, 28, 20, tzinfo=UTC)
    limits = StandingLimits()
    limits.put(summer)
    assert limits.tidy({}, datetime(2026, 10, 26, tzinfo=UTC))
    [moved] = limits.at("CP1")
    assert moved.storing is Storing.WAITING  # to be told the station anew


def test_watts_are_reckoned_anew_at_once_where_the_sites_voltage_is_another() -> None:
    start = datetime(2026, 10, 20, 22, tzinfo=UTC)
    schedule = Schedule(schedule_id=5000, start=start, unit="W", periods=[Period(start_s=0, limit=6900)])
    evse, limits = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1), circuit_id="main"), StandingLimits()
    found = profile(profile_id=5000, purpose="TxDefaultProfile", schedules=[schedule])
    limits.put(StandingLimit(station="CP1", evse_id=1, profile=found))
    for now, (voltage_v, limit_a) in enumerate([(230.0, 10.0), (115.0, 20.0), (230.0, 10.0)]):
        limits.apply({evse.key: evse}, {}, voltage_v=voltage_v, utcnow=start + timedelta(hours=1), now=float(now))
        assert evse.standing_a(float(now)) == limit_a


def test_what_counts_from_a_transactions_start_is_reckoned_anew_once_that_is_known() -> None:
    """Of one that is taken up in the middle the station tells its start only later."""
    heard = datetime(2026, 10, 20, 22, tzinfo=UTC)
    found = profile(
        profile_id=5000,
        purpose="TxDefaultProfile",
        schedules=[Schedule(schedule_id=5000, periods=[Period(start_s=0, limit=20), Period(start_s=3600, limit=8)])],
    )
    evse, limits = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1), circuit_id="main"), StandingLimits()
    limits.put(StandingLimit(station="CP1", evse_id=1, profile=found))
    session = Session(transaction_id="1", record_id="1", started_at=heard, since=0.0, queued_at=0.0, last_at=heard)
    for now, (started_at, limit_a) in enumerate([(heard, 20.0), (heard - timedelta(hours=2), 8.0)]):
        evse.session = replace(session, started_at=started_at)
        limits.apply({evse.key: evse}, {}, voltage_v=230.0, utcnow=heard + timedelta(seconds=now), now=float(now))
        assert evse.standing_a(float(now)) == limit_a


def test_what_cannot_be_read_again_is_let_go_and_ids_are_not_given_twice(caplog: pytest.LogCaptureFixture) -> None:
    limits = StandingLimits()
    limits.recall([{"station": "CP1"}, {"station": "CP1", "evse_id": 1, "profile": {"id": 1}, "storing": "kept"}])
    assert not limits.at("CP1") and caplog.text.count("holds no more") == 2
    assert (limits.free_id("CP1"), limits.free_id("CP1"), limits.free_id("CP2")) == (5000, 5001, 5000)


def test_a_clock_that_is_set_moves_a_limits_hours_with_it() -> None:
    start = datetime(2026, 10, 20, 22, tzinfo=UTC)
    found = profile(
        profile_id=5000,
        purpose="TxDefaultProfile",
        schedules=[Schedule(schedule_id=5000, start=start, duration_s=3600, periods=[Period(start_s=0, limit=6)])],
        recurrence="Daily",
    )
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1), circuit_id="main")
    limits = StandingLimits()
    limits.put(StandingLimit(station="CP1", evse_id=1, profile=found))
    limits.apply({evse.key: evse}, {}, voltage_v=230.0, utcnow=start - timedelta(hours=3), now=0.0)
    assert evse.standing_a(0.0) == math.inf
    limits.apply({evse.key: evse}, {}, voltage_v=230.0, utcnow=start + timedelta(minutes=30), now=100.0)
    assert evse.standing_a(100.0) == 6.0, "it began half an hour ago; the clock was behind until just now"
