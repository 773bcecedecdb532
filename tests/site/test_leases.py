"""Leases that nobody has seen to end: what they may allow, how it is found out that they do, and what is kept of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from simulator.blocks.block import CallRefusedError
from simulator.profiles import ProfileStore
from simulator.virtual import run

from .harness import CARS_COME_S, Place, Scenario, scenario, steps


def _without_composite_schedules(s: Scenario, number: int) -> None:
    def refused(payload: Any) -> dict[str, Any]:
        raise CallRefusedError("NotSupported", "none of that")

    s.model(number).answers["GetCompositeSchedule"] = refused


def _asked_for_composite_schedules(s: Scenario, number: int) -> list[Any]:
    answer, asked = s.model(number).answers["GetCompositeSchedule"], []

    def noted(payload: Any) -> dict[str, Any]:
        asked.append(payload)
        return answer(payload)

    s.model(number).answers["GetCompositeSchedule"] = noted
    return asked


def _passing_over(store: ProfileStore, *, periods: bool) -> None:
    """Let a station pass over validTo, and over all periods but the first."""
    install = store.install

    def lasting(evse_id: int, profile: Mapping[str, Any], now: datetime, transactions: Any) -> None:
        kept = {key: value for key, value in profile.items() if key != "validTo"}
        if periods:
            schedules = kept["chargingSchedule"]
            kept["chargingSchedule"] = [each | {"chargingSchedulePeriod": each["chargingSchedulePeriod"][:1]} for each in schedules]
        install(evse_id, kept, now, transactions)

    store.install = lasting  # type: ignore[assignment, method-assign]


def _leases_a(s: Scenario, number: int) -> list[float]:
    return [limit_a for moment in s.moments if (limit_a := moment.limits_a[number - 1]) is not None]


@pytest.mark.parametrize(("worst_case_a", "most_a"), [(25.0, 12.0), (57.0, 6.0)])
def test_no_lease_is_above_the_fallback_until_it_is_proven_to_end_which_takes_a_second(worst_case_a: float, most_a: float) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, worst_case_a=worst_case_a, fuse_a=63.0) as s:
            await s.until(CARS_COME_S)
            asked_a: list[float] = []
            waited_s = await s.until_true(
                lambda: s.site.snapshot.stations["CP1"].obeying.lease_ends is True or bool(asked_a.append(s.evse(1).limit_a or 0.0)),
                within_s=5.0,
            )
            assert waited_s <= 1.5 and max(asked_a) <= most_a
            await s.until(CARS_COME_S + 2)
            assert sum(s.evse(number).limit_a or 0.0 for number in (1, 2, 3)) > (50 if worst_case_a < 30 else 20), (
                "and costs nothing: all there is was told at once"
            )
            await s.until(40)
            assert min(s.draws_a()) > 16 if worst_case_a < 30 else sum(s.draws_a()) > 6, s.story()

    run(story())


def test_what_was_proven_is_kept_over_a_restart() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3) as s:
            await s.until(60)
            memory = s.memory()
            await s.vanish()
            await s.until(62)
            asked = _asked_for_composite_schedules(s, 1)
            await s.come_back(memory)
            await s.until(64)
            assert all(station.obeying.lease_ends for station in s.site.snapshot.stations.values())
            await s.until(100)
            assert asked == [] and min(s.draws_a()) > 16

    run(story())


@pytest.mark.parametrize(("worst_case_a", "lasts_a"), [(25.0, 12.0), (57.0, 6.0)])
@pytest.mark.parametrize("ignores_valid_to", [False, True])
def test_a_station_without_composite_schedules_is_seen_to_let_a_lease_lapse(
    worst_case_a: float, lasts_a: float, ignores_valid_to: bool
) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, worst_case_a=worst_case_a, building=steps((0.0, 3.0))) as s:
            _without_composite_schedules(s, 1)
            if ignores_valid_to:
                _passing_over(s.model(1).profiles, periods=False)
            took_s = await s.until_true(lambda: s.site.snapshot.stations["CP1"].obeying.lease_ends is True, within_s=60.0)
            assert max(_leases_a(s, 1)[12:]) <= lasts_a, "until then it is budgeted as one that never ends"
            assert "second period" in s.site.snapshot.stations["CP1"].obeying.dialect
            await s.wait(40)
            assert took_s < 50 and s.problem(1) is None and max(s.draws_a()) - min(s.draws_a()) <= 1.1, s.story()
            memory = s.memory()
            await s.vanish()
            await s.come_back(memory)
            await s.wait(30)
            assert s.site.snapshot.stations["CP1"].obeying.lease_ends is True

    run(story())


def test_a_station_whose_leases_outlast_all_ends_is_found_out_and_led_so_that_the_fuse_holds_without_us() -> None:
    async def story() -> None:
        async with scenario(
            *[Place()] * 3, worst_case_a=57.0, building=steps((0.0, 3.0), (300.3, 57.0)), dead_man_from_s=70.0, over_limit_s=200.0
        ) as s:
            # What is above the limit once we are gone is what the breaker carries for good.
            # Until that is seen its least current stands beside the rule: nothing but a lapse shows it.
            _without_composite_schedules(s, 1)
            _passing_over(s.model(1).profiles, periods=True)
            await s.until(200)
            obeying = s.site.snapshot.stations["CP1"].obeying
            assert any("outlasted" in attempt for attempt in obeying.attempts) and "that last" in obeying.dialect, obeying
            assert s.draw_a(1) == 0 and s.draw_a(2) > 12, s.story()
            await s.vanish()
            await s.until(520)
            assert max(s.main_a()) <= 61

    run(story())


def test_who_draws_by_a_lease_is_known_to_heed_it_over_a_restart() -> None:
    async def story() -> None:
        async with scenario(Place(), Place()) as s:
            await s.until(90)
            assert s._central_system is not None
            assert s._central_system.memories["CP1"].learnt.heeded_by == {1}
            memory = s.memory()
            await s.vanish()
            await s.until(95)
            await s.come_back(memory)
            await s.until(100)
            assert s._central_system is not None
            assert s._central_system.memories["CP1"].learnt.heeded_by == {1}
            assert s.site._installers["CP1"].obedience._attend(s.site._evses[s.key(1)]).heeded
            await s.fault("reboot:CP1")
            await s.until(125)
            assert s.problem(1) is None

    run(story())


@pytest.mark.parametrize("worst_case_a", [25.0, 57.0])
def test_a_car_that_stops_by_itself_as_its_lease_lapses_proves_nothing(worst_case_a: float) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, worst_case_a=worst_case_a, building=steps((0.0, 3.0)), dead_man_from_s=None) as s:
            _without_composite_schedules(s, 1)
            _passing_over(s.model(1).profiles, periods=True)
            installer = s.site._installers["CP1"]
            evse = next(iter(installer.evses))
            await s.until_true(lambda: evse.lapses and evse.lease is not None, within_s=60.0)
            await s.until_true(lambda: evse.lease is not None and s.time_s >= evse.lease.expires_at, within_s=60.0)
            s.model(1).evses[1].car_state = replace(s.model(1).evses[1].car_state, soc=1.0)
            await s.wait(40)
            assert s.site.snapshot.stations["CP1"].obeying.lease_ends is not True, s.story()

    run(story())
