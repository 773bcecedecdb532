"""Stations that do not take, or do not heed, what the standard leads to: what is tried, what is reckoned with, what is learnt."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from custom_components.headroom.csms.events import ChargingLimit
from simulator.profile_rules import ProfileRejectedError
from simulator.profiles import ProfileStore
from simulator.quirks import NO_QUIRKS
from simulator.quirky import KINDS
from simulator.virtual import START, run

from .harness import Place, Scenario, car, scenario, steps

type Rule = Callable[[dict[str, Any]], bool]


def _takes_only(store: ProfileStore, rule: Rule) -> None:
    """Let a station refuse every profile that breaks a rule of its own."""
    install = store.install

    def picky(evse_id: int, profile: dict[str, Any], now: datetime, transactions: Any) -> None:
        if not rule(profile):
            raise ProfileRejectedError("its own", "not like that")
        install(evse_id, profile, now, transactions)

    store.install = picky  # type: ignore[assignment, method-assign]


def _never_ends(store: ProfileStore) -> None:
    """Let a station pass over validTo."""
    install = store.install

    def lasting(evse_id: int, profile: dict[str, Any], now: datetime, transactions: Any) -> None:
        install(evse_id, {key: value for key, value in profile.items() if key != "validTo"}, now, transactions)

    store.install = lasting  # type: ignore[assignment, method-assign]


def _purpose(profile: dict[str, Any]) -> str:
    return str(profile["chargingProfilePurpose"])


def _level_0(profile: dict[str, Any]) -> bool:
    return bool(profile["stackLevel"] == 0)


def _no_tx_profile(profile: dict[str, Any]) -> bool:
    return _purpose(profile) != "TxProfile"


def _watts(profile: dict[str, Any]) -> bool:
    return all(schedule["chargingRateUnit"] == "W" for schedule in profile["chargingSchedule"])


def _no_station_maximum(profile: dict[str, Any]) -> bool:
    return _purpose(profile) != "ChargingStationMaxProfile"


@pytest.mark.parametrize("rule", [_level_0, _no_tx_profile, _watts, _no_station_maximum])
def test_a_station_that_takes_limits_in_other_words_only_is_led_in_those(rule: Rule) -> None:
    async def story() -> None:
        async with scenario(*[Place(comes_s=60.0)] * 3, building=steps((0.0, 8.0), (200.3, 25.0)), dead_man_from_s=60.0) as s:
            _takes_only(s.model(1).profiles, rule)
            await s.until(180)
            assert s.problem(1) is None
            assert min(s.draws_a()) > 14, s.story()
            await s.until(240)
            assert s.problem(1) is None and max(s.main_a()) <= 61
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1, "it follows as the others do"

    run(story())


def _shows_all(store: ProfileStore) -> None:
    """Let a station's composite schedules show profiles that it does not heed, too."""
    composite_schedule = store.composite_schedule

    def pretending(*args: Any) -> dict[str, Any]:
        quirks, store.quirks = store.quirks, NO_QUIRKS
        try:
            return composite_schedule(*args)
        finally:
            store.quirks = quirks

    store.composite_schedule = pretending  # type: ignore[method-assign]


@pytest.mark.parametrize("kind", ["ignores_tx_profile", "only_default_profile"])
def test_a_station_that_goes_by_its_fallback_alone_is_found_out_by_its_composite_schedule(kind: str) -> None:
    async def story() -> None:
        async with scenario(Place(quirks=KINDS[kind].quirks), Place(), building=steps((0.0, 8.0), (200.3, 25.0))) as s:
            await s.until(60)
            assert s.problem(1) is None and s.draw_a(1) > 25, s.story()
            assert any("unheeded" in attempt for attempt in s.site.snapshot.stations["CP1"].obeying.attempts)
            await s.until(240)
            assert s.problem(1) is None and max(s.main_a()) <= 61
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1, "it follows as the other does"

    run(story())


def test_a_station_that_holds_its_car_back_by_a_fallback_of_nothing_is_found_out_by_that() -> None:
    async def story() -> None:
        async with scenario(Place(quirks=KINDS["ignores_tx_profile"].quirks), Place(), worst_case_a=57.0) as s:
            _shows_all(s.model(1).profiles)
            await s.until(30)
            assert s.fallback_a(1) == 0 and s.draw_a(1) == 0
            await s.until(200)
            assert s.evse(1).fallback_a == 0 and s.problem(1) is None
            assert s.draw_a(1) > 11, s.story()

    run(story())


def test_a_station_whose_draw_changes_with_its_fallback_is_found_out_by_that() -> None:
    async def story() -> None:
        later = Place(car=None, approved=False)
        async with scenario(Place(quirks=KINDS["ignores_tx_profile"].quirks), Place(), later, dead_man_from_s=130.0) as s:
            _shows_all(s.model(1).profiles)
            await s.until(100)
            assert 16 < s.draw_a(1) <= 18 < s.draw_a(2)
            await s.approve(3)
            await s.until(240)
            assert s.evse(1).fallback_a == 12
            assert s.problem(1) is None and s.draw_a(1) > 25, s.story()

    run(story())


def test_a_car_that_takes_little_by_itself_sets_nothing_off() -> None:
    async def story() -> None:
        small = car(max_a=18.0)
        async with scenario(Place(car=small), Place(car=small), Place(comes_s=200.0, approved=False), dead_man_from_s=130.0) as s:
            await s.until(100)
            assert s.fallback_a(1) == 18
            await s.approve(3)
            await s.until(300)
            assert s.fallback_a(1) == 12 and s.draw_a(1) > 15
            for number in (1, 2, 3):
                assert s.site.snapshot.stations[f"CP{number}"].obeying.attempts == ()

    run(story())


def test_a_station_that_heeds_nothing_is_tried_in_all_words_then_reserved_for_until_it_obeys_again() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 8.0), (520.3, 20.0)), over_limit_s=12.0) as s:
            await s.fault("ignoring:CP1")
            await s.until(500)
            obeying = s.site.snapshot.stations["CP1"].obeying
            assert obeying.exhausted and not obeying.searching
            assert len(obeying.attempts) > 6 and all("ignored" in attempt for attempt in obeying.attempts)
            assert s.problem(1) == "disobedient" and s.draw_a(1) > 30
            assert max(s.main_a()) <= 61
            await s.until(600)
            assert max(s.main_a()) <= 61
            assert (s.fallback_a(2), s.fallback_a(3)) == (0, 0), "its rating is all that the worst case leaves"
            await s.fault("ignoring:CP1", on=False)
            await s.until(700)
            assert s.problem(1) is None
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1

    run(story())


def test_a_station_whose_leases_do_not_end_is_found_out_by_its_composite_schedule_and_led_so_that_the_fuse_holds_without_us() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, dead_man_from_s=20.0) as s:
            _never_ends(s.model(1).profiles)
            await s.until(120)
            obeying = s.site.snapshot.stations["CP1"].obeying
            assert "second period" in obeying.dialect and obeying.lease_ends is True
            leased_a = s.pilot_a(1)
            assert leased_a > 15
            await s.vanish()
            await s.until(120 + 310)
            assert s.pilot_a(1) == 12, "its lease led into the fallback"

    run(story())


def test_what_somebody_else_left_goes_once_ours_holds() -> None:
    async def story() -> None:
        async with scenario(Place(comes_s=60.0), Place(comes_s=60.0), dead_man_from_s=30.0) as s:
            foreign = {
                "id": 77,
                "stackLevel": 2,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": [
                    {
                        "id": 1,
                        "startSchedule": (START - timedelta(days=1)).isoformat().replace("+00:00", "Z"),
                        "chargingRateUnit": "A",
                        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32.0}],
                    }
                ],
            }
            s.model(1).profiles.install(0, foreign, s.model(1).now, {})
            await s.until(50)
            assert [profile["id"] for profile in s.installed(1, "TxDefaultProfile")] == [1001]
            assert s.fallback_a(1) == 18
            writes = s.writes()
            await s.fault("drop:CP1")
            await s.until(58)
            assert s.writes() == writes, "what is there as wanted is not written again"

    run(story())


async def _told(s: Scenario, *course: tuple[float, float | None], evse_id: int | None = 1) -> None:
    now = START + timedelta(seconds=s.time_s)
    schedule = tuple((now + timedelta(seconds=after_s), limit_a) for after_s, limit_a in course)
    s.site.handle("CP1", ChargingLimit(source="EMS", evse_id=evse_id, limit_a=course[0][1], schedule=schedule))


@pytest.mark.parametrize("evse_id", [1, None])
def test_a_limit_that_somebody_else_set_at_a_station_holds_by_its_schedule_and_says_whose_it_is(evse_id: int | None) -> None:
    async def story() -> None:
        async with scenario(Place(), Place()) as s:
            await s.until(60)
            await _told(s, (0.0, 10.0), (60.0, 14.0), (120.0, None), evse_id=evse_id)
            await s.wait(20)
            assert 9 < s.draw_a(1) <= 10 and s.draw_a(2) > 30
            assert s.reason(1) == "external" and "EMS" in s.evse(1).reason_text
            await s.wait(60)
            assert 13 < s.draw_a(1) <= 14
            await s.wait(80)
            assert s.draw_a(1) > 24 and s.reason(1) != "external"

    run(story())


@pytest.mark.parametrize("evse_id", [1, None])
def test_a_limit_that_somebody_else_set_holds_while_its_station_is_away_and_goes_when_it_boots(evse_id: int | None) -> None:
    async def story() -> None:
        async with scenario(Place(), Place()) as s:
            await s.until(60)
            await _told(s, (0.0, 10.0), evse_id=evse_id)
            await s.wait(20)
            await s.fault("drop:CP1")
            await s.wait(20)
            assert 9 < s.draw_a(1) <= 10, "it was running all the time: the limit is as it was"
            await s.fault("reboot:CP1")  # what held before it may be gone, and nobody would say so
            await s.wait(120)
            assert s.draw_a(1) > 24 and s.reason(1) != "external"

    run(story())


def test_what_the_ladder_came_to_is_kept_over_a_restart_in_the_middle_of_a_transaction() -> None:
    async def story() -> None:
        async with scenario(Place(quirks=KINDS["ignores_tx_profile"].quirks), Place()) as s:
            await s.until(60)
            before = s.site.snapshot.stations["CP1"].obeying
            assert "TxDefaultProfile" in before.dialect
            memory, transactions = s.memory(), s.transaction_ids()
            await s.vanish()
            await s.until(70)
            await s.come_back(memory)
            await s.until(130)
            after = s.site.snapshot.stations["CP1"].obeying
            assert (after.dialect, after.attempts) == (before.dialect, before.attempts), "nothing is tried anew"
            assert s.transaction_ids() == transactions and s.draw_a(1) > 25, s.story()

    run(story())


def test_a_station_that_forgets_its_limit_over_a_suspension_is_told_again() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (60.3, 56.0), (120.3, 40.0), (200.3, 56.0), (260.3, 40.0))
        async with scenario(
            Place(quirks=KINDS["forgets_when_suspended"].quirks),
            building=building,
            worst_case_a=56.0,
            over_limit_s=30.0,
        ) as s:
            await s.until(110)
            assert s.draw_a(1) == 0
            await s.until(190)
            assert s.draw_a(1) <= 21 and s.problem(1) is None, s.story()
            await s.until(320)
            assert s.draw_a(1) <= 21 and s.problem(1) is None, s.story()
            assert max(s.main_a()) <= 61

    run(story())


def test_that_a_station_forgets_its_limit_over_a_suspension_is_learnt_once_and_kept_over_a_restart() -> None:
    async def suspended(s: Scenario) -> int:
        """Pause and go on; returns for how many seconds its car drew more than the person lets it."""
        s.site.set_allowed(s.key(1), False)
        await s.wait(20)
        assert s.draw_a(1) == 0
        s.site.set_allowed(s.key(1), True)
        began_s = s.time_s
        await s.wait(60)
        assert 15 < s.draw_a(1) <= 16 and s.problem(1) is None, s.story()
        return sum(moment.draws_a[0] > 17 for moment in s.between(began_s, s.time_s))

    async def story() -> None:
        async with scenario(Place(quirks=KINDS["forgets_when_suspended"].quirks), building=steps((0.0, 3.0)), worst_case_a=5.0) as s:
            s.site.set_user_max(s.key(1), 16.0)
            await s.until(12)
            assert not _resends(s)
            await s.until(60)  # its car woke from a suspension, too, when it began
            assert sum(moment.draws_a[0] > 17 for moment in s.between(12, 60)) > 7, "found out by what its car draws"
            assert _resends(s) and 15 < s.draw_a(1) <= 16
            memory = s.memory()
            await s.vanish()
            await s.come_back(memory)
            await s.wait(30)
            assert _resends(s)
            assert await suspended(s) <= 3, "it is told again at once"

    run(story())


def _resends(s: Scenario) -> bool:
    assert s._central_system is not None
    dialect = s._central_system.memories["CP1"].learnt.dialect
    return dialect is not None and dialect.resend_on_resume


def test_a_station_that_boots_in_the_middle_of_a_transaction_is_led_on_in_the_words_it_heeds() -> None:
    async def story() -> None:
        async with scenario(Place(quirks=KINDS["ignores_tx_profile"].quirks), Place()) as s:
            await s.until(60)
            dialect = s.site.snapshot.stations["CP1"].obeying.dialect
            assert "TxDefaultProfile" in dialect
            await s.fault("reboot:CP1")
            await s.until(200)
            assert s.site.snapshot.stations["CP1"].obeying.dialect == dialect
            assert s.problem(1) is None and s.draw_a(1) > 20 and max(s.main_a()) <= 61, s.story()

    run(story())
