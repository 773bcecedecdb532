"""A meter that is heard and not to be believed: frozen, or showing less than what hangs on it draws."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from custom_components.headroom.engine.model import Circuit, PerPhase, Phase
from custom_components.headroom.metering.agreement import Suspicion
from custom_components.headroom.metering.fault import Fault, Trouble
from custom_components.headroom.metering.reading import Reading
from proving.meter import MeterFault
from simulator.device_model import Key
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

ROW = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=40.0, margin_a=2.0, unmanaged_worst_a=(0.0, 0.0, 0.0), metered=True)


def test_a_meter_that_froze_before_cars_came_frees_no_current_and_counts_as_lost() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (60.0, 25.0), (400.0, 8.0))
        async with scenario(*[Place(comes_s=30.0)] * 3, building=building, over_limit_s=40.0) as s:
            await s.until(20)
            s.meters["main"].fault = MeterFault.FROZEN
            await s.until(31)
            waited_s = await s.until_true(lambda: s.site.snapshot.circuits["main"].meter == "lost", within_s=50)
            assert waited_s < 40, "its cars draw, and it shows what it showed before"
            await s.wait(10)
            assert max(s.main_a()) <= 61, "the building is at its worst, and what is left beside that is shared"
            assert "shows the same" in str(s.site.snapshot.circuits["main"].meter_error)
            await s.until(300)
            assert s.site.snapshot.circuits["main"].meter == "lost" and max(s.main_a()) <= 61
            s.meters["main"].fault = None
            await s.until(460)
            assert s.site.snapshot.circuits["main"].meter == "ok" and min(s.draws_a()) > 15

    run(story())


def test_a_meter_of_a_house_at_rest_is_not_frozen() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(max_a=16.0), leaves_s=100.0), building=steps((0.0, 8.0)), over_limit_s=0.0) as s:
            for second in range(11, 300):
                await s.until(float(second))
                assert s.site.snapshot.circuits["main"].meter == "ok", "it shows the same for minutes, and so do the cars"

    run(story())


def test_what_a_roof_feeds_in_is_no_fault_of_the_meter() -> None:
    async def story() -> None:
        building = steps((0.0, -12.0), (200.0, 5.0), (400.0, -6.0))
        async with scenario(*[Place()] * 2, building=building, worst_case_a=5.0, fuse_a=50.0) as s:
            await s.until(120)
            assert sum(s.draws_a()) > 50, "it is worth cars' current"
            await s.until(500)
            main = s.site.snapshot.circuits["main"]
            assert main.meter == "ok" and main.disagreement is None

    run(story())


def test_what_a_roof_fed_in_before_a_restart_is_no_fault_of_the_meter_after_it() -> None:
    """The car took all of it by then: it was held at 12.7 A for as long as the sun shone."""

    async def story() -> None:
        async with scenario(Place(), building=steps((0.0, -6.0)), fuse_a=40.0, dead_man_from_s=None) as s:
            await s.until(60)
            await s.vanish()
            await s.wait(5)
            await s.come_back()
            await s.until(240)
            assert s.draw_a(1) > 26 and s.site.snapshot.circuits["main"].disagreement is None, s.reason(1)

    run(story())


def test_an_evse_on_another_fuse_than_was_entered_is_named() -> None:
    async def story() -> None:
        places = [Place(circuit_id="row"), Place(circuit_id="row")]
        async with scenario(*places, circuits=[ROW], fuse_a=125.0, over_limit_s=0.0) as s:
            # CP2 really hangs on the main fuse; it is entered below the row's.
            world = s.world.stations["CP2"]
            world.spec = replace(world.spec, circuit_id="main")
            await s.until(140)
            row = s.site.snapshot.circuits["row"]
            assert row.disagreement is not None
            assert (row.disagreement.suspect, row.disagreement.suspicion) in (("CP2/1", Suspicion.ELSEWHERE), (None, None))
            assert s.site.snapshot.circuits["main"].disagreement is None
            assert row.unmanaged_a == (0.0, 0.0, 0.0), "the row gives no more than its fuse for it"

    run(story())


@pytest.mark.parametrize(("cars", "apart_s", "building_a"), [(2, 20.0, 20.0), (8, 0.0, 20.0), (5, 3.0, 24.0), (2, 60.0, 2.0)])
def test_a_meter_that_was_put_in_the_wrong_way_round_is_found_out_by_the_first_cars(cars: int, apart_s: float, building_a: float) -> None:
    async def story() -> None:
        places = [Place(comes_s=30.0 + number * apart_s) for number in range(cars)]
        async with scenario(*places, building=steps((0.0, building_a)), over_limit_s=30.0) as s:
            s.meters["main"].fault = MeterFault.TURNED_ROUND
            await s.until(64)
            main = s.site.snapshot.circuits["main"]
            assert main.meter == "lost" and main.meter_error == Trouble(Fault.TURNED, {}), "cars draw more, and it falls"
            await s.until(300)
            assert s.site.snapshot.circuits["main"].meter == "lost" and max(s.main_a()) <= 61
            s.meters["main"].fault = None
            s.site.meter_changed("main")
            await s.until(400)
            main = s.site.snapshot.circuits["main"]
            assert main.meter == "ok" and max(s.main_a()) > 55, "its user has put it right"

    run(story())


def test_a_meter_that_is_turned_round_meanwhile_is_not_believed_from_the_first_reading_on() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=0.0) as s:
            await s.until(60)
            s.meters["main"].fault = MeterFault.TURNED_ROUND
            await s.until(62)
            assert s.site.snapshot.circuits["main"].meter == "lost"
            await s.until(200)
            s.meters["main"].fault = None
            await s.until(203)
            assert s.site.snapshot.circuits["main"].meter == "ok", "turned back"

    run(story())


def test_a_heater_beside_a_roof_turns_no_meter_round() -> None:
    """It drew 6.5 A from the grid, and 6.3 A were fed in once it was off: no car could begin any more, nor show that the meter was right."""

    async def story() -> None:
        place = Place(car=car(phases=1, max_a=16.0), comes_s=300.0, rotation="L1", conductors=(Phase.L1,))
        building = steps((0.0, (6.5, 0.0, 0.0)), (100.0, (-6.3, 0.0, 0.0)), (200.0, (-5.0, 0.0, 0.0)))
        async with scenario(place, phases=(Phase.L1,), fuse_a=25.0, worst_case_a=20.0, building=building) as s:
            await s.until(250)
            assert s.site.snapshot.circuits["main"].meter == "ok"
            await s.until(900)
            assert s.site.snapshot.circuits["main"].disagreement is None
            assert s.draw_a(1) > 10, s.story()

    run(story())


def test_a_heater_that_hid_a_roof_over_a_restart_turns_no_meter_round() -> None:
    """How much the roof gives is not known yet, but that there is one."""

    async def story() -> None:
        place = Place(car=car(phases=1, max_a=6.0), comes_s=40.0, rotation="L1", conductors=(Phase.L1,))
        building = steps((0.0, (-12.4, 0.0, 0.0)), (30.0, (0.6, 0.0, 0.0)), (200.0, (-12.4, 0.0, 0.0)))
        async with scenario(place, phases=(Phase.L1,), fuse_a=25.0, worst_case_a=20.0, building=building, dead_man_from_s=None) as s:
            await s.until(120)
            await s.vanish()
            await s.come_back()
            await s.until(600)
            assert s.site.snapshot.circuits["main"].meter == "ok"
            assert s.draw_a(1) > 5, s.story()

    run(story())


def test_one_that_was_turned_back_in_silence_is_believed_once_cars_show_it() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, fuse_a=40.0, building=steps((0.0, 12.0)), over_limit_s=30.0) as s:
            s.meters["main"].fault = MeterFault.TURNED_ROUND
            await s.until(120)
            assert s.site.snapshot.circuits["main"].meter == "lost"
            s.meters["main"].fault = MeterFault.LOST
            await s.until(160)
            s.meters["main"].fault = None
            await s.until(200)
            assert s.site.snapshot.circuits["main"].meter == "lost", "nothing has shown it yet"
            s.unplug(1)
            await s.until(230)
            s.unplug(2)
            await s.until(260)
            s.plug_in(1, car())
            await s.until(290)
            assert s.site.snapshot.circuits["main"].meter == "ok"

    run(story())


def dull(phase: int) -> Callable[[Scenario, Reading], PerPhase]:
    """Have the meter show nothing on a phase: its transformer is off."""

    def shown(_: Scenario, reading: Reading) -> PerPhase:
        l1, l2, l3 = (0.0 if each == phase else current for each, current in enumerate(reading.current_a))
        return (l1, l2, l3)

    return shown


def of_the_house_only(s: Scenario, reading: Reading) -> PerPhase:
    """Have the meter not see the cars: its transformers are on the feed of the house."""
    l1, l2, l3 = (current - sum(s.draws_a()) for current in reading.current_a)
    return (l1, l2, l3)


def shows(s: Scenario, shown: Callable[[Scenario, Reading], PerPhase]) -> Callable[[], None]:
    """Have the site hear something else of its main fuse than flows, with the noise of a load that is alive; returns what puts it right."""
    hear, noise = s.site.update_reading, Random(1)

    def update_reading(measured_id: str, reading: Reading) -> None:
        if measured_id != "main":
            return hear(measured_id, reading)
        l1, l2, l3 = (current + noise.uniform(-0.3, 0.3) for current in shown(s, reading))
        return hear(measured_id, replace(reading, current_a=(l1, l2, l3), power_w=None))

    s.site.update_reading = update_reading  # type: ignore[method-assign]
    return lambda: setattr(s.site, "update_reading", hear)


@pytest.mark.parametrize(
    ("cars", "fuse_a", "worst_case_a", "building_a"), [(1, 32.0, 25.0, 22.0), (2, 35.0, 25.0, 22.0), (4, 63.0, 40.0, 38.0)]
)
def test_a_meter_that_sees_the_house_only_is_found_out_by_the_first_cars(
    cars: int, fuse_a: float, worst_case_a: float, building_a: float
) -> None:
    """The house draws more than they do: what they draw could be in what it shows."""

    async def story() -> None:
        places = [Place(comes_s=120.0)] * cars
        house = steps((0.0, building_a))
        async with scenario(
            *places, building=house, fuse_a=fuse_a, worst_case_a=worst_case_a, over_limit_s=60.0, dead_man_from_s=None
        ) as s:
            mend = shows(s, of_the_house_only)
            await s.until(185)
            main = s.site.snapshot.circuits["main"]
            assert (main.meter, main.meter_error) == ("lost", Trouble(Fault.UNSEEN, {}))
            for second in range(190, 400, 10):
                await s.until(second)
                assert max(s.main_a()) <= fuse_a and s.site.snapshot.circuits["main"].meter == "lost", second
            mend()
            await s.until(410)
            if cars > 1:
                for number in range(1, cars + 1):
                    s.unplug(number)
            else:
                s.site.meter_changed("main")  # nobody charges beside the worst case: its user says so
            await s.until(460)
            assert s.site.snapshot.circuits["main"].meter == "ok", "cars that end to charge have shown that it sees them"

    run(story())


def test_a_station_that_drops_out_and_comes_back_condemns_no_meter() -> None:
    """What nobody is told of any more did not end."""

    async def story() -> None:
        async with scenario(Place(), Place(), building=steps((0.0, 10.0))) as s:
            await s.until(100)
            for second in range(200, 800, 100):
                await s.fault("offline:CP1", on=second % 200 == 0)
                for later in range(second + 10, second + 100, 10):
                    await s.until(later)
                    assert s.site.snapshot.circuits["main"].meter == "ok", later

    run(story())


@pytest.mark.parametrize(
    ("shown", "building_a", "fuse_a"), [(dull(1), (5.0, 25.0, 5.0), 63.0), (of_the_house_only, 22.0, 63.0), (of_the_house_only, 20.0, 50.0)]
)
def test_a_phase_that_shows_less_than_its_cars_draw_is_taken_for_the_worst(
    shown: Callable[[Scenario, Reading], PerPhase], building_a: float | PerPhase, fuse_a: float
) -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, building_a)), fuse_a=fuse_a, over_limit_s=30.0, dead_man_from_s=None) as s:
            mend = shows(s, shown)
            await s.until(60)
            for second in range(65, 250, 5):
                await s.until(second)
                main = s.site.snapshot.circuits["main"]
                assert max(s.main_a()) <= fuse_a - 2.0 and main.unmanaged_a[1] == 25.0, second
                assert min(s.draws_a()) > 5, "nobody has to wait for a meter to be put right"
            main = s.site.snapshot.circuits["main"]
            unseen = main.meter_error == Trouble(Fault.UNSEEN, {})
            assert unseen or main.disagreement is not None
            mend()
            if unseen:
                s.site.meter_changed("main")  # its user says so
            await s.until(640)
            main = s.site.snapshot.circuits["main"]
            assert (main.meter, main.disagreement) == ("ok", None) and max(s.main_a()) > fuse_a - 6.0, "the two agree again"

    run(story())


def less_a_battery(_: Scenario, reading: Reading) -> PerPhase:
    """Have a battery that nobody entered give up to 10 A on each phase, and never more than is drawn."""
    l1, l2, l3 = (max(0.1, current - 10.0) for current in reading.current_a)
    return (l1, l2, l3)


def test_a_battery_that_nobody_entered_stops_a_car_ever_more_seldom() -> None:
    """What it gives looks as if the meter showed too little, and while the car stands as if it did not: it was stopped each five minutes."""

    async def story() -> None:
        building = steps((0.0, 3.0))
        async with scenario(Place(car=car(max_a=16.0)), fuse_a=35.0, worst_case_a=28.0, building=building, dead_man_from_s=None) as s:
            shows(s, less_a_battery)
            stops, charged = 0, False
            for second in range(15, 3600, 5):
                await s.until(second)
                stops, charged = stops + (charged and not s.charges(1)), s.charges(1)
            assert 1 <= stops <= 4
            assert s.site.snapshot.circuits["main"].disagreement is not None, "a person is told to add it"

    run(story())


def speaks_seldom(s: Scenario, number: int, every_s: int = 30) -> None:
    """Have a station tell what its car draws each so often only, and not when it is asked."""
    model = s.model(number)
    model.device.update(Key("SampledDataCtrlr", "TxUpdatedInterval"), str(every_s))
    answer = model.answers["TriggerMessage"]

    def triggered(payload: dict[str, Any]) -> Any:
        return {"status": "NotImplemented"} if payload["requestedMessage"] == "MeterValues" else answer(payload)

    model.answers["TriggerMessage"] = triggered


def of_its_station(s: Scenario) -> None:
    """Have one station of three speak seldom."""
    speaks_seldom(s, 1)


def of_all(s: Scenario) -> None:
    """Have all stations speak seldom."""
    for number in (1, 2, 3):
        speaks_seldom(s, number)


def of_nobody(_: Scenario) -> None:
    """Have all speak as they do."""


def of_its_row(s: Scenario) -> None:
    """Have the meter of the row speak each 20 s."""
    hear, told_at = s.site.update_reading, -20.0

    def update_reading(measured_id: str, reading: Reading) -> None:
        nonlocal told_at
        if measured_id != "row" or s.time_s - told_at > 19.9:
            told_at = s.time_s if measured_id == "row" else told_at
            hear(measured_id, reading)

    s.site.update_reading = update_reading  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("seldom_heard", "circuit_id", "shown"),
    [
        (of_its_station, "main", dull(1)),
        (of_its_row, "row", dull(1)),
        (of_all, "main", dull(1)),
        (of_nobody, "main", dull(1)),
        (of_nobody, "main", of_the_house_only),
    ],
)
def test_a_clamp_that_falls_off_overloads_nothing_before_it_is_found(
    seldom_heard: Callable[[Scenario], None], circuit_id: str, shown: Callable[[Scenario, Reading], PerPhase]
) -> None:
    """79 A flowed for 13 s, and for good where one of the others was seldom heard, until the breaker let go."""

    async def story() -> None:
        places, building = [Place(circuit_id=circuit_id), Place(), Place()], steps((0.0, (5.0, 25.0, 5.0)))
        async with scenario(*places, circuits=[ROW], building=building, over_limit_s=0.0, dead_man_from_s=None) as s:
            await s.until(7)
            seldom_heard(s)
            await s.until(300)
            shows(s, shown)
            for second in range(301, 500):
                await s.until(second)
                assert max(s.main_a()) <= 61 and min(s.draws_a()) > 5, second
            assert s.site.snapshot.circuits["main"].disagreement is not None

    run(story())


def test_a_clamp_that_was_put_right_is_believed_again_where_all_are_seldom_heard() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, building=steps((0.0, 5.0)), over_limit_s=30.0, dead_man_from_s=None) as s:
            mend = shows(s, dull(1))
            await s.until(7)
            for number in (1, 2, 3):
                speaks_seldom(s, number)
            await s.until(200)
            assert s.site.snapshot.circuits["main"].disagreement is not None
            mend()
            await s.until(480)
            assert max(s.draws_a()) < 13, "not before five minutes"
            await s.until(600)
            assert s.site.snapshot.circuits["main"].disagreement is None and min(s.draws_a()) > 15

    run(story())


def test_a_full_car_of_which_little_is_heard_hides_no_meter_that_does_not_see_the_others() -> None:
    """Its station samples once a minute, and nothing that the others changed was held against the meter: 75 A flowed at a fuse of 63."""

    async def story() -> None:
        full = Place(car=car(max_a=16.0, battery_kwh=30.0), soc=1.0, comes_s=10.0)
        places = [*[Place(comes_s=120.0)] * 4, full]
        building = steps((0.0, 38.0))
        async with scenario(*places, worst_case_a=40.0, building=building, over_limit_s=60.0, dead_man_from_s=None) as s:
            shows(s, of_the_house_only)
            await s.until(7)
            speaks_seldom(s, 5, 60.0)
            await s.until(160)
            assert s.site.snapshot.circuits["main"].meter_error == Trouble(Fault.UNSEEN, {})
            assert max(s.main_a()) <= 61

    run(story())
