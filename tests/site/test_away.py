"""Stations that go away while nobody charges there: for a moment no car is thought to begin at all of them at once."""

import pytest

from custom_components.headroom.site.holdings import IDLE_AWAY_S
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario

IDLE = 6


async def _everybody_drops(s: Scenario) -> None:
    for client in s.driver.clients.values():
        await client.drop()


def test_when_all_stations_reconnect_at_once_no_car_is_cut_for_those_where_nobody_charges() -> None:
    async def story() -> None:
        idle = [Place(car=None)] * IDLE
        async with scenario(Place(), Place(), *idle, over_limit_s=0.0) as s:
            await s.until(80)
            held = [s.fallback_a(number) or 0.0 for number in range(3, 3 + IDLE)]
            assert sum(held) > 61 - max(s.main_a()), "if a car began at each of them, the two would have to give way"
            before_a = s.draws_a()
            await _everybody_drops(s)
            await s.until_true(lambda: not any(station.ready for station in s.site.snapshot.stations.values()), within_s=5.0)
            await s.until_true(lambda: all(station.ready for station in s.site.snapshot.stations.values()), within_s=60.0)
            await s.wait(20)
            for number in (0, 1):
                assert min(moment.draws_a[number] for moment in s.moments if moment.at_s > 80) > before_a[number] - 1.0, s.story()

    run(story())


def test_the_others_make_way_for_stations_that_stay_away_before_the_rule_counts_them() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), *[Place(car=None)] * IDLE, over_limit_s=0.0) as s:
            await s.until(80)
            most_a = max(s.main_a())
            for number in range(3, 3 + IDLE):
                await s.fault(f"offline:CP{number}")
            await s.wait(IDLE_AWAY_S - 5)
            assert max(s.main_a()) == pytest.approx(most_a, abs=1.0)
            await s.until(80 + 120)
            held_a = sum(s.fallback_a(number) or 0.0 for number in range(3, 3 + IDLE))
            assert max(s.main_a()) <= 61 - held_a + 0.5, "who knows what has begun there by now"

    run(story())


def test_a_car_that_begins_where_the_station_is_away_is_seen_by_the_meter() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), *[Place(car=None)] * 2, over_limit_s=6.0) as s:
            await s.until(80)
            number = next(number for number in (3, 4) if s.fallback_a(number))
            await s.fault(f"offline:CP{number}")
            await s.wait(3)
            s.plug_in(number, car("one that comes meanwhile"))
            await s.wait(IDLE_AWAY_S - 10)
            assert s.charges(number) and max(s.main_a()) <= 61.0

    run(story())


def test_where_no_meter_looks_one_car_is_reckoned_with_at_the_stations_that_are_away() -> None:
    async def story() -> None:
        places = (Place(), Place(), *[Place(car=None)] * 2)
        async with scenario(*places, over_limit_s=6.0) as s:
            await s.until(80)
            number = next(number for number in (3, 4) if s.fallback_a(number))
            s.meters_silent.add("main")
            await s.wait(31)  # it counts as lost, and the building as drawing its worst
            before_a = s.pilot_a(1) + s.pilot_a(2)
            await s.fault("offline:CP3")
            await s.fault("offline:CP4")
            await s.wait(IDLE_AWAY_S / 2)
            assert s.pilot_a(1) + s.pilot_a(2) == pytest.approx(before_a - (s.fallback_a(number) or 0.0), abs=1.5), s.story()

    run(story())


def test_where_cars_left_that_charged_through_our_restart_none_is_thought_to_charge_when_all_stations_reconnect() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * (2 + IDLE), over_limit_s=0.0) as s:
            await s.until(80)
            await s.vanish()
            await s.wait(280)  # stations tell that a car is plugged in before they tell of the transaction
            await s.come_back()
            await s.until_true(lambda: all(station.ready for station in s.site.snapshot.stations.values()), within_s=90.0)
            await s.wait(60)
            for number in range(3, 3 + IDLE):
                s.unplug(number)
                await s.wait(7)
            await s.wait(60)
            held_a = sum(s.fallback_a(number) or 0.0 for number in range(3, 3 + IDLE))
            assert held_a > 61 - max(s.main_a()), "if a car charged at each of them, the two would have to give way"
            before_a, dropped_s = s.draws_a(), s.time_s
            await _everybody_drops(s)
            await s.until_true(lambda: not any(station.ready for station in s.site.snapshot.stations.values()), within_s=5.0)
            await s.until_true(lambda: all(station.ready for station in s.site.snapshot.stations.values()), within_s=60.0)
            await s.wait(20)
            assert not s.dead_man_violations(dropped_s)
            for number in (0, 1):
                assert min(moment.draws_a[number] for moment in s.moments if moment.at_s > dropped_s) > before_a[number] - 1.0, s.story()

    run(story())
