"""The central system dies at the worst moment, and another one takes over."""

import pytest

from custom_components.headroom.csms.values import ConnectorStatus
from custom_components.headroom.engine.deadman import RESPONSE_S
from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.site.config import EvseConfig, EvseKey
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.limits import Lease
from simulator.quirks import Quirks
from simulator.virtual import run

from .harness import Place, car, scenario, steps

LONGEST_S = 300.0 + 5.0 + 2.0
"""A lease, the cars' response, and the stations' own step."""


@pytest.mark.parametrize(
    ("fuse_a", "worst_case_a", "cars", "dies_s"),
    [
        (63.0, 25.0, 3, 120.0),
        (63.0, 25.0, 2, 14.0),
        (40.0, 15.0, 2, 61.0),
        (100.0, 60.0, 4, 90.0),
        (25.0, 12.0, 2, 75.0),
        (63.0, 0.0, 4, 90.0),
    ],
)
def test_no_breaker_lets_go_when_the_central_system_dies_and_the_building_goes_to_its_worst(
    fuse_a: float, worst_case_a: float, cars: int, dies_s: float
) -> None:
    async def story() -> None:
        building = steps((0.0, worst_case_a / 3), (dies_s + 0.5, worst_case_a))
        places = [Place()] * cars
        async with scenario(*places, fuse_a=fuse_a, worst_case_a=worst_case_a, building=building, over_limit_s=LONGEST_S) as s:
            await s.until(dies_s)
            assert any(s.charges(number + 1) for number in range(cars)) or dies_s < 20
            await s.vanish()
            await s.until(dies_s + LONGEST_S)
            assert max(s.main_a()) <= fuse_a - 2
            assert sum(s.fallback_a(number + 1) or 0 for number in range(cars)) <= fuse_a - 2 - worst_case_a + 1e-6
            assert any(s.draws_a()), "cars go on charging by their fallbacks"

    run(story())


def test_a_new_central_system_takes_the_running_transactions_over() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3) as s:
            await s.until(60)
            before, memory = s.transaction_ids(), s.memory()
            await s.vanish()
            await s.until(70)
            await s.come_back(memory)
            await s.until(150)
            assert s.transaction_ids() == before and None not in before
            assert [s.evse(number).transaction_id for number in (1, 2, 3)] == before
            assert min(s.draws_a()) > 16, "they are led again"
            s.unplug(1)
            await s.until(180)
            newest = s.records.newest()
            assert len(newest) == 3 and sum(record.ended_at is not None for record in newest.values()) == 1

    run(story())


def test_no_car_is_raised_by_what_of_the_building_hides_in_what_is_reserved_after_a_restart() -> None:
    """The stations are back before the meter is read, and what their cars may draw is not known: the building seems to draw next to nothing."""

    async def story() -> None:
        building = steps((0.0, 18.3), (83.8, 16.1), (87.2, 23.2))
        places = [Place(car=car(max_a=32.0)), Place(car=car(max_a=32.0)), Place(car=car(max_a=16.0))]
        async with scenario(*places, worst_case_a=30.0, building=building, dead_man_from_s=None) as s:
            await s.until(90)
            await s.vanish()
            await s.wait(3.3)
            await s.come_back()
            drawn_a: list[float] = []
            s.driver.on_step.append(lambda _: drawn_a.append(max(s.main_a())))
            await s.wait(60)
            assert max(drawn_a) <= 61
            assert sum(s.draws_a()) > 35, "all there is is shared again"

    run(story())


def test_what_people_set_outlives_a_restart() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_allowed(s.key(1), False)
            s.site.set_user_max(s.key(2), 10.0)
            s.site.set_profile(s.key(3), [(0.0, 8.0), (120.0, 12.0)], duration_s=180.0)
            await s.until(70)
            memory = s.memory()
            await s.vanish()
            await s.come_back(memory)
            await s.until(150)
            assert s.draw_a(1) == 0 and 9 < s.draw_a(2) <= 10 and 7 < s.draw_a(3) <= 8
            assert all(moment.draws_a[0] == 0 for moment in s.between(75, 150))
            await s.until(230)
            assert 11 < s.draw_a(3) <= 12
            await s.until(270)
            assert s.draw_a(3) > 30

    run(story())


def test_what_a_plugged_in_car_may_draw_is_kept_for_it_until_its_station_has_told_whether_a_transaction_runs() -> None:
    async def story() -> None:
        async with scenario(Place(token=None), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            evse = s.site._evses[s.key(1)]
            assert evse.heard and evse.reserved_a(s.time_s) == 0, "it has been told of from its arrival on"
            memory = s.memory()
            await s.vanish()
            await s.until(62)
            await s.come_back(memory)
            evse = s.site._evses[s.key(1)]
            await s.until_true(lambda: evse.connector_status is ConnectorStatus.OCCUPIED, within_s=30)
            assert evse.session is None and evse.reserved_a(s.time_s) == 18
            await s.until_true(lambda: evse.reserved_a(s.time_s) == 0, within_s=45)
            await s.wait(30)
            assert s.draw_a(2) > 30

    run(story())


def test_after_a_restart_no_car_may_draw_more_until_readings_came_and_its_station_confirmed() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (65.0, 25.0), (140.0, 8.0))
        async with scenario(*[Place()] * 3, building=building, over_limit_s=60.0) as s:
            await s.until(63)
            held_a = [s.pilot_a(number) for number in (1, 2, 3)]
            memory = s.memory()
            await s.vanish()
            await s.until(70)
            s.meters_silent.add("main")
            await s.come_back(memory)
            await s.until(95)
            for moment in s.between(63, 95):
                assert all(now_a <= before_a + 0.1 for now_a, before_a in zip(moment.pilots_a, held_a, strict=True)), moment
            s.meters_silent.clear()
            await s.until(139)
            assert all(max(moment.main_a) <= 61.2 for moment in s.between(110, 139)), "the building is at its worst"
            await s.until(200)
            assert min(s.draws_a()) > 16, "they are led again"

    run(story())


def test_a_lease_that_is_found_at_a_station_is_reserved_until_it_has_told_whether_its_transaction_runs() -> None:
    evse = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1), circuit_id="main", ready=True)
    evse.fallback_a, evse.fallback_current = 6.0, True
    evse.found_lease = Lease(transaction_id="of before", limit_a=16.0, expires_at=160.0)
    assert evse.reserved_a(100.0) == 16.0
    assert evse.reserved_a(160.0 + RESPONSE_S) == 6.0
    evse.heard = True
    assert evse.reserved_a(100.0) == 0.0, "none does"


@pytest.mark.parametrize("metered", [False, True])
def test_what_a_lease_of_an_earlier_life_lets_flow_at_a_station_that_is_away_is_reserved_where_no_meter_shows_it(metered: bool) -> None:
    """The main fuse's meter shows what its car draws, and the row below it may have none: another car must not get the same current."""
    row = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=40.0, margin_a=2.0, metered=metered)

    async def story() -> None:
        behind = [Place(circuit_id="row", car=car(max_a=18.0)), Place(circuit_id="row", comes_s=75.0), Place(circuit_id="row", car=None)]
        async with scenario(*behind, circuits=[row], step_s=0.5) as s:
            await s.until(60)
            memory = s.memory()
            await s.vanish()
            await s.fault("offline:CP1")
            await s.come_back(memory)
            away = s.site._evses[s.key(1)]
            assert away.recalled is not None and away.recalled.limit_a >= 18 and away.fallback_a == 12.0
            ends_at = away.recalled.expires_at
            assert ends_at > 200
            await s.until(ends_at - 5)
            assert s.draw_a(1) > 17 and s.draw_a(2) > 11, s.story()
            await s.until(ends_at + 60)
            assert s.draw_a(2) > 19, s.story()

    run(story())


def test_what_a_station_draws_that_heeds_no_limit_and_is_away_stays_reserved_over_a_restart() -> None:
    async def story() -> None:
        places, building = (Place(quirks=Quirks(honours=frozenset())), Place(), Place()), steps((0.0, 25.0))
        async with scenario(*places, fuse_a=93.0, building=building, metered=False, over_limit_s=10.0, dead_man_from_s=None) as s:
            await s.until(200)
            assert s.problem(1) == "disobedient" and s.draw_a(1) > 30
            await s.fault("offline:CP1")
            await s.vanish()
            await s.wait(5)
            await s.come_back()
            main_a: list[float] = []
            s.on_second.append(lambda at_s: main_a.append(max(s.main_a())))
            await s.wait(300)
            assert max(main_a) <= 91.0 and s.draw_a(1) > 30

    run(story())
