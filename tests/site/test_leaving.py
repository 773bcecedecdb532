"""A station is removed: its hardware goes on by what it holds, so that it is told to let nothing flow, or goes on to be reckoned with."""

from dataclasses import replace

import pytest

from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.site.config import Mode
from simulator.quirks import Quirks
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

REMOVED_S = 60.0
THREE = (Place(), Place(), Place())
BUILDING = steps((0.0, 25.0))


def remove(s: Scenario, identity: str = "CP1") -> None:
    """The user removes a station."""
    s.configure(stations={other: station for other, station in s.config.stations.items() if other != identity})


async def part(s: Scenario, identity: str = "CP1") -> None:
    """The user removes a station, and its connection is closed as it is in Home Assistant; it finds no way back."""
    remove(s, identity)
    await s.site.part(identity)
    await s.fault(f"offline:{identity}")
    await s.wait(1)


@pytest.mark.parametrize("metered", [False, True])
def test_a_station_that_is_there_is_told_to_let_nothing_flow_before_its_share_goes_to_the_others(metered: bool) -> None:
    async def story() -> None:
        async with scenario(*THREE, building=BUILDING, metered=metered, dead_man_from_s=REMOVED_S) as s:
            await s.until(REMOVED_S)
            before_a = s.draws_a()
            await part(s)
            assert s.fallback_a(1) == 0.0, "it holds for good"
            assert s.time_s < REMOVED_S + 15
            await s.until(180)
            assert "CP1" not in s.site.config.stations
            assert s.draw_a(1) == 0.0
            assert s.draw_a(2) > before_a[1] + 3.0
            assert max(s.main_a()) <= 61.0
            assert s.site.snapshot.leaving == {}

    run(story())


def test_what_a_station_holds_that_is_away_stays_reserved_until_a_person_says_that_it_is_off() -> None:
    async def story() -> None:
        async with scenario(*THREE, building=BUILDING, metered=False, dead_man_from_s=REMOVED_S) as s:
            await s.until(REMOVED_S - 30)
            held_a = s.fallback_a(1)
            assert held_a
            await s.fault("offline:CP1")
            await s.until(REMOVED_S)
            await part(s)
            assert s.time_s < REMOVED_S + 2, "there is nothing to wait for"
            await s.until(180)
            assert s.draw_a(1) > 6.0, "it charges on"
            assert max(s.main_a()) <= 61.0
            (leaving,) = s.site.snapshot.leaving.values()
            assert (leaving.name, leaving.circuit, leaving.holds_a) == ("CP1", "Main", held_a)
            assert "CP1" not in s.site.snapshot.stations
            assert s.key(1) not in s.site.snapshot.evses

            await s.vanish()
            await s.wait(5)
            await s.come_back()
            await s.wait(120)
            assert max(s.main_a()) <= 61.0
            assert s.site.snapshot.leaving["CP1"].holds_a == held_a

            before_a = s.draw_a(2)
            s.unplug(1)
            s.site.let_go("CP1")
            await s.wait(60)
            assert s.draw_a(2) > before_a + 3.0
            assert s.site.snapshot.leaving == {}

    run(story())


def test_a_station_that_is_removed_while_nothing_runs_here_is_reckoned_with_from_the_start() -> None:
    async def story() -> None:
        async with scenario(*THREE, building=BUILDING, metered=False) as s:
            await s.until(REMOVED_S)
            held_a = s.fallback_a(1)
            await s.fault("offline:CP1")
            await s.vanish()
            s.config = replace(s.config, stations={other: s.config.stations[other] for other in ("CP2", "CP3")})
            await s.wait(5)
            await s.come_back()
            await s.wait(120)
            assert s.site.snapshot.leaving["CP1"].holds_a == held_a
            assert max(s.main_a()) <= 61.0

    run(story())


def test_a_station_that_does_not_answer_is_not_waited_for_in_vain() -> None:
    async def story() -> None:
        async with scenario(*THREE, building=BUILDING, metered=False, dead_man_from_s=REMOVED_S) as s:
            await s.until(REMOVED_S)
            held_a = s.fallback_a(1)
            await s.fault("rejecting:CP1")
            await part(s)
            assert s.time_s < REMOVED_S + 65
            await s.until(180)
            assert s.site.snapshot.leaving["CP1"].holds_a >= (held_a or 0.0) > 0.0
            assert max(s.main_a()) <= 61.0

    run(story())


@pytest.mark.parametrize("metered", [False, True])
def test_a_station_that_takes_that_it_is_to_let_nothing_flow_and_does_not_heed_it_stays_reserved(metered: bool) -> None:
    async def story() -> None:
        heedless = Place(quirks=Quirks(honours=frozenset()))
        async with scenario(
            heedless, *THREE[1:], fuse_a=93.0, building=BUILDING, metered=metered, over_limit_s=12.0, dead_man_from_s=None
        ) as s:
            await s.until(150)
            assert s.problem(1) == "disobedient" and s.draw_a(1) > 30
            await part(s)
            assert s.fallback_a(1) == 0.0, "so it says"
            for _ in range(2):
                await s.wait(120)
                assert s.draw_a(1) > 30 and max(s.main_a()) <= 91.0
                assert s.site.snapshot.leaving["CP1"].holds_a == 32.0, "a person is to be asked"
                await s.vanish()
                await s.wait(5)
                await s.come_back()

    run(story())


def take_off(s: Scenario) -> None:
    """The user takes the second EVSE off its station in the settings."""
    station = s.config.stations["CP1"]
    s.configure(stations={**s.config.stations, "CP1": replace(station, evses=station.evses[:1])})


@pytest.mark.parametrize("metered", [False, True])
def test_an_evse_that_is_taken_off_its_station_is_told_to_let_nothing_flow_before_its_share_goes_to_the_others(metered: bool) -> None:
    async def story() -> None:
        async with scenario(Place(beside=(car(),)), Place(), building=BUILDING, metered=metered, dead_man_from_s=REMOVED_S) as s:
            await s.until(REMOVED_S)
            before_a = s.draw_a(2)
            take_off(s)
            await s.wait(1)
            assert s.key(1, 2) not in s.site.snapshot.evses and s.key(1) in s.site.snapshot.evses
            assert s.site.snapshot.leaving == {}, "nobody is asked: it is being told"
            await s.until(180)
            assert s.draw_a(1, 2) == 0.0
            assert s.draw_a(1) > before_a + 3.0 and s.draw_a(2) > before_a + 3.0
            assert [evse.evse_id for evse in s.site.config.stations["CP1"].evses] == [1]

    run(story())


def test_what_an_evse_holds_that_is_taken_off_while_its_station_is_away_stays_reserved_until_it_is_told_or_a_person_says_it_is_off() -> (
    None
):
    async def story(told: bool) -> None:
        async with scenario(Place(beside=(car(),)), Place(), building=BUILDING, metered=False, dead_man_from_s=REMOVED_S) as s:
            await s.until(REMOVED_S - 30)
            await s.fault("offline:CP1")
            await s.until(REMOVED_S)
            take_off(s)
            await s.until(180)
            before_a = s.draw_a(2)
            assert s.draw_a(1, 2) > 11.0 and before_a < 12.0, "it charges on"
            (leaving,) = s.site.snapshot.leaving.values()
            assert (leaving.name, leaving.evse_id, leaving.circuit, leaving.holds_a) == ("CP1", 2, "Main", 12.0)

            await s.vanish()
            await s.wait(5)
            await s.come_back()
            await s.wait(120)
            assert s.site.snapshot.leaving["CP1/2"].holds_a == 12.0
            if told:
                await s.fault("offline:CP1", on=False)
            else:
                s.unplug(1, 2)
                s.site.let_go("CP1/2")
            await s.wait(60)
            assert s.draw_a(1, 2) == 0.0 and s.draw_a(2) > before_a + 3.0
            assert s.site.snapshot.leaving == {}

    run(story(told=True))
    run(story(told=False))


def test_an_evse_that_is_taken_off_is_not_lost_sight_of_as_its_station_is_removed_and_added_again() -> None:
    async def story() -> None:
        async with scenario(Place(beside=(car(),)), Place(), building=BUILDING, metered=False, dead_man_from_s=REMOVED_S) as s:
            await s.until(REMOVED_S - 30)
            await s.fault("offline:CP1")
            await s.until(REMOVED_S)
            take_off(s)
            one_less = s.config.stations
            remove(s)
            await s.wait(60)
            assert s.site.snapshot.leaving["CP1"].holds_a == 24.0, "both"
            s.configure(stations=one_less)
            await s.wait(60)
            assert s.site.snapshot.leaving.keys() == {"CP1/2"} and s.draw_a(1, 2) > 11.0

    run(story())


def test_an_evse_that_was_added_by_a_wrong_count_while_its_station_is_away_leaves_nothing_behind() -> None:
    async def story() -> None:
        async with scenario(*THREE, building=BUILDING, metered=False, dead_man_from_s=None) as s:
            await s.until(REMOVED_S)
            await s.fault("offline:CP1")
            await s.vanish()
            await s.wait(5)
            await s.come_back()  # what it is made of is not known any more
            await s.wait(30)
            stations = s.config.stations
            both = (*stations["CP1"].evses, replace(stations["CP1"].evses[0], evse_id=2))
            s.configure(stations={**stations, "CP1": replace(stations["CP1"], evses=both)})
            await s.wait(30)
            s.configure(stations=stations)
            await s.wait(60)
            assert s.site.snapshot.leaving == {}
            assert s.draws_a() == pytest.approx([11.76] * 3, abs=1.0)

    run(story())


def test_an_evse_that_its_station_says_it_does_not_have_is_let_go_at_once() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), building=BUILDING, metered=False, dead_man_from_s=None, complains=True) as s:
            one = s.config.stations["CP1"]
            both = replace(one, evses=(*one.evses, replace(one.evses[0], evse_id=2)))
            s.configure(stations={**s.config.stations, "CP1": both})
            await s.until(REMOVED_S)
            take_off(s)
            await s.wait(30)
            assert s.draw_a(2) > 16.0 and s.site.snapshot.leaving == {}

    run(story())


@pytest.mark.parametrize("metered", [False, True])
@pytest.mark.parametrize("restarts", [False, True])
def test_a_station_that_was_added_by_a_wrong_identity_leaves_nothing_behind(metered: bool, restarts: bool) -> None:
    async def story() -> None:
        async with scenario(*THREE, building=steps((0.0, 8.0)), metered=metered, dead_man_from_s=None) as s:
            await s.until(REMOVED_S)
            before_a, stations = s.draws_a(), s.config.stations
            s.configure(stations={**stations, "TYPO": Place().config("TYPO")})
            await s.wait(30)
            assert s.draw_a(1) < before_a[0] - 2.0, "there may be something"
            if restarts:
                await s.vanish()
                await s.wait(5)
                await s.come_back()
                await s.wait(30)
            s.configure(stations=stations)
            await s.site.part("TYPO")
            await s.wait(5)
            assert s.site.snapshot.leaving == {}
            await s.wait(180)
            assert s.draws_a() == pytest.approx(before_a, abs=1.0) and s.site.snapshot.dead_man.holds

    run(story())


def test_a_removed_station_that_comes_back_is_a_stranger_until_it_is_added_again() -> None:
    async def story() -> None:
        async with scenario(*THREE, building=BUILDING, metered=False, dead_man_from_s=REMOVED_S) as s:
            await s.until(REMOVED_S - 30)
            await s.fault("offline:CP1")
            await s.until(REMOVED_S)
            await part(s)
            await s.fault("reboot:CP1")
            await s.fault("offline:CP1", on=False)
            await s.until(REMOVED_S + 60)
            assert "CP1" in s.site.snapshot.pending
            assert "CP1" in s.site.snapshot.leaving
            assert max(s.main_a()) <= 61.0
            await s.approve(1)
            await s.until(240)
            assert s.site.snapshot.leaving == {}
            assert s.evse(1).user_max_a == 32.0
            assert s.draw_a(1) > 6.0
            assert max(s.main_a()) <= 61.0

    run(story())


def test_a_row_is_taken_down_with_its_circuit_while_its_stations_are_off() -> None:
    async def story() -> None:
        row = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=32.0, margin_a=2.0)
        async with scenario(Place(circuit_id="row"), *THREE[1:], building=BUILDING, circuits=(row,), metered=False) as s:
            await s.until(REMOVED_S)
            held_a = s.fallback_a(1)
            await s.fault("offline:CP1")
            s.configure(circuits=(s.config.root,), stations={other: s.config.stations[other] for other in ("CP2", "CP3")})
            await s.until(180)
            (leaving,) = s.site.snapshot.leaving.values()
            assert (leaving.circuit, leaving.holds_a) == ("Main", held_a)
            assert max(s.main_a()) <= 61.0

    run(story())


def test_where_nothing_is_sent_nothing_is_waited_for() -> None:
    async def story() -> None:
        async with scenario(*THREE, building=steps((0.0, 8.0)), dead_man_from_s=None) as s:
            await s.until(REMOVED_S)
            s.site.set_mode(Mode.OFF)
            await part(s)
            assert s.time_s < REMOVED_S + 2
            await s.wait(5)
            assert s.site.snapshot.leaving.keys() == {"CP1"}

    run(story())
