"""What a session needs over its life: said by its driver, by its car, or usual; and what is learnt once it is over."""

from datetime import timedelta

import pytest

from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.needs import Source
from custom_components.headroom.site.snapshot import EvseSnapshot
from simulator.car import HighLevel
from simulator.virtual import START, run

from .harness import Place, car, scenario, steps


def departs_s(evse: EvseSnapshot) -> float | None:
    """When its car is planned to leave, on the loop's clock."""
    return evse.needed.need.departs_at


def test_what_a_driver_said_counts_from_then_and_ends_with_the_session() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(comes_s=400.0)) as s:
            await s.until(60)
            assert s.evse(1).needed.energy_source is Source.UNKNOWN and s.evse(1).needed.need.energy_wh is None
            s.site.set_need(s.key(1), energy_wh=8000.0, departs_at=START + timedelta(seconds=7200), state_of_charge=0.4)
            await s.until(60.5)
            told = s.evse(1)
            assert told.needed.need.energy_wh == pytest.approx(8000, abs=50) and told.needed.energy_source is Source.DRIVER
            assert departs_s(told) == pytest.approx(7200, abs=0.01) and told.needed.departure_source is Source.DRIVER
            assert told.needed.need.state_of_charge == 0.4
            had_wh = told.session_energy_wh or 0.0
            await s.until(360)
            later = s.evse(1)
            assert later.needed.need.energy_wh == pytest.approx(8000 - ((later.session_energy_wh or 0.0) - had_wh), abs=100)
            assert (later.needed.need.energy_wh or 0.0) < 7500 and departs_s(later) == departs_s(told), "the moment does not waver"
            s.unplug(1)
            await s.until(380)
            assert s.evse(1).wish is None and s.evse(1).needed.need.energy_wh is None
            s.plug_in(1, car())
            await s.until(440)
            assert s.evse(1).transaction_id is not None and s.evse(1).needed.energy_source is Source.UNKNOWN

    run(story())


def test_what_was_said_before_the_car_came_is_for_the_next_session_and_nobody_elses() -> None:
    async def story() -> None:
        async with scenario(Place(comes_s=40.0), Place(comes_s=40.0)) as s:
            await s.until(20)
            s.site.set_need(s.key(1), energy_wh=5000.0, departs_at=START + timedelta(seconds=3600))
            s.site.set_need(s.key(2), energy_wh=5000.0, departs_at=START + timedelta(seconds=35))
            await s.until(25)
            assert s.evse(1).needed.need.energy_wh == 5000
            await s.until(100)
            assert s.evse(1).transaction_id is not None
            assert 4000 < (s.evse(1).needed.need.energy_wh or 0) < 5000 and departs_s(s.evse(1)) == pytest.approx(3600, abs=0.01)
            assert s.evse(2).wish is not None and s.evse(2).wish.departs_at is None, "it was for a car that did not come by then"
            assert s.evse(2).needed.energy_source is Source.DRIVER

    run(story())


def test_who_stays_beyond_the_departure_is_planned_as_leaving_now_and_one_who_has_enough_needs_nothing() -> None:
    async def story() -> None:
        async with scenario(Place()) as s:
            await s.until(40)
            s.site.set_need(s.key(1), energy_wh=500.0, departs_at=START + timedelta(seconds=100))
            await s.until(300)
            assert departs_s(s.evse(1)) == pytest.approx(100, abs=0.01)
            assert s.evse(1).needed.need.energy_wh == 0 and s.evse(1).needed.energy_source is Source.DRIVER
            s.site.clear_need(s.key(1))
            await s.until(310)
            assert s.evse(1).needed.departure_source is Source.UNKNOWN

    run(story())


def test_the_car_is_believed_where_the_driver_says_nothing() -> None:
    async def story() -> None:
        modest = car(high_level=HighLevel(energy_wh=12_000, departs_after_s=3600))
        async with scenario(Place(car=modest)) as s:
            await s.until(120)
            needed = s.evse(1).needed
            assert needed.energy_source is Source.CAR and needed.departure_source is Source.CAR
            assert 10_000 < (needed.need.energy_wh or 0) < 12_000 and departs_s(s.evse(1)) == pytest.approx(3630, abs=40)
            s.site.set_need(s.key(1), departs_at=START + timedelta(seconds=1800))
            await s.until(121)
            needed = s.evse(1).needed
            assert needed.energy_source is Source.CAR and needed.departure_source is Source.DRIVER

    run(story())


def test_a_wish_outlives_a_restart_but_not_its_session() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), Place(comes_s=5000.0)) as s:
            await s.until(60)
            for number in (1, 2, 3):
                s.site.set_need(s.key(number), energy_wh=20_000.0, departs_at=START + timedelta(seconds=9000), pausable=False)
            await s.until(90)
            left_wh, memory = s.evse(1).needed.need.energy_wh or 0.0, s.memory()
            await s.vanish()
            s.unplug(2)
            await s.until(100)
            await s.come_back(memory)
            await s.until(160)
            evse = s.evse(1)
            assert evse.transaction_id is not None and evse.needed.energy_source is Source.DRIVER and not evse.needed.pausable
            assert left_wh - 1500 < (evse.needed.need.energy_wh or 0.0) < left_wh, "what it took in between is known by its register"
            assert departs_s(evse) == pytest.approx(9000, abs=1)
            assert s.evse(2).wish is None, "its car left while nobody looked"
            assert s.evse(3).wish is not None and s.evse(3).needed.need.energy_wh == 20_000, "its car is still to come"

    run(story())


def test_stays_make_a_habit_that_is_planned_with_until_it_has_passed() -> None:
    async def story() -> None:
        async with scenario(Place(car=None), Place(car=None), paced=True) as s:
            begins_s = 20.0
            for visit in range(3):
                await s.until(begins_s)
                s.plug_in(1, car())
                await s.until(begins_s + 900)
                assert visit > 2 or s.evse(1).needed.departure_source is Source.UNKNOWN
                s.unplug(1)
                begins_s += 1000
            await s.until(begins_s)
            memory = s.memory()
            assert "CARD" not in str(memory.visits).upper().replace("DRIVER", "")
            await s.vanish()
            await s.come_back(SiteMemory.from_document(memory.document()))
            await s.until(begins_s + 30)
            s.plug_in(1, car())
            s.plug_in(2, car())
            await s.until(begins_s + 100)
            usual = s.evse(1).needed
            assert usual.energy_source is Source.HABIT and usual.departure_source is Source.HABIT
            assert departs_s(s.evse(1)) == pytest.approx(begins_s + 930, abs=30)
            assert 3000 < (usual.need.energy_wh or 0) < 6000, "some 900 s at 22 kW"
            at_another_place = s.evse(2).needed
            assert at_another_place.departure_source is Source.HABIT, "the driver is known, wherever the car stands"
            await s.until(begins_s + 1000)
            assert s.evse(1).needed.departure_source is Source.UNKNOWN, "it stays longer this time"
            assert s.evse(1).needed.energy_source is Source.UNKNOWN or (s.evse(1).needed.need.energy_wh or 0) > 0

    run(story())


def test_who_leaves_first_is_served_first_and_who_stays_gets_the_rest() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), fuse_a=25.0, worst_case_a=8.0, paced=True) as s:
            await s.until(90)
            assert abs(s.pilot_a(1) - s.pilot_a(2)) <= 1.0, "nobody knows better than sharing alike"
            s.site.set_need(s.key(1), energy_wh=6000.0, departs_at=START + timedelta(hours=8))
            s.site.set_need(s.key(2), energy_wh=6000.0, departs_at=START + timedelta(seconds=3000))
            await s.until(400)
            assert s.draw_a(2) > s.draw_a(1) + 8
            kept = s.records.decisions[-1].document["evses"]["CP2/1"]["needed"]
            assert kept["energy_source"] == "driver" and 4000 < kept["energy_wh"] < 6000
            assert kept["departs_at"] == (START + timedelta(seconds=3000)).isoformat() and kept["pausable"]
            await s.until(3000)
            assert s.evse(2).needed.need.energy_wh == 0, "it is ready when it leaves"
            s.unplug(2)
            await s.until(3100)
            assert s.draw_a(1) > 14

    run(story())


def test_a_car_that_must_not_be_paused_keeps_its_turn_while_the_others_change() -> None:
    async def story() -> None:
        places = [Place(comes_s=10.0 + 5 * number) for number in range(4)]
        # Three cars fit at 6 A.
        async with scenario(*places, fuse_a=25, margin_a=1, worst_case_a=10, building=steps((0.0, 5.0)), paced=True) as s:
            await s.until(30)
            s.site.set_need(s.key(1), pausable=False)
            await s.until(300)
            assert [s.charges(number) for number in (1, 2, 3, 4)] == [True, True, True, False]
            await s.until(2400)
            assert s.charges(4) and not (s.charges(2) and s.charges(3)), "somebody made place for it"
            assert min(moment.pilots_a[0] for moment in s.between(60, 2400)) >= 6

    run(story())


def test_what_was_stored_before_there_were_needs_is_read() -> None:
    memory = SiteMemory.from_document({"mode": "dynamic", "evses": {"CP1/1": {"user_max_a": 16.0}}})
    assert memory.evses["CP1/1"].wish is None and memory.visits == {}
