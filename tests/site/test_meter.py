"""A meter that falls silent: first nothing rises, then the worst case holds, and all is well once it speaks."""

from collections.abc import Callable
from dataclasses import replace
import logging

import pytest

from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.metering.reading import Reading
from simulator.virtual import run

from .harness import Place, Scenario, scenario, steps

ROW = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=32.0, margin_a=2.0, unmanaged_worst_a=(12.0, 12.0, 12.0), metered=True)


def test_a_silent_meter_first_stops_raises_then_means_the_worst_case(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def story() -> None:
        async with scenario(*[Place()] * 4, over_limit_s=0.0) as s:
            await s.until(60)
            before_a = [s.pilot_a(number) for number in (2, 3, 4)]
            s.meters_silent.add("main")
            await s.until(71)
            s.unplug(1)
            await s.until(89)
            assert [s.pilot_a(number) for number in (2, 3, 4)] == before_a, "no raise on a stale reading"
            assert s.site.snapshot.circuits["main"].meter == "stale"
            await s.until(95)
            assert s.site.snapshot.circuits["main"].meter == "lost"
            assert sum(s.draws_a()) <= 36 and min(s.draws_a()[1:]) > 5.8, "what is left beside the building's worst case"
            assert {s.reason(number) for number in (2, 3, 4)} == {"meter_lost"}
            await s.until(120)
            s.meters_silent.clear()
            await s.until(140)
            assert s.site.snapshot.circuits["main"].meter == "ok"
            assert min(s.draws_a()[1:]) > 16 and s.reason(2) == "circuit"

    run(story())
    told = [line for line in caplog.messages if line.startswith("The meter of")]
    assert len(told) == 2 and "is silent" in told[0] and told[1].endswith("is read again"), "once when it breaks, once when it heals"


def test_a_silent_meter_counts_as_stale_and_lost_just_when_it_is_due_where_nothing_else_happens() -> None:
    async def story() -> None:
        seen: dict[str, float] = {}
        async with scenario(Place(car=None), over_limit_s=0.0) as s:
            await s.until(60)
            s.on_turn.append(lambda: seen.setdefault(str(s.site._circuits["main"].health), s.time_s))
            s.meters_silent.add("main")
            await s.until(100)
            assert s.site._circuits["main"].reading is not None
            taken_at = s.site._circuits["main"].reading.taken_at
            assert (seen["stale"] - taken_at, seen["lost"] - taken_at) == pytest.approx((10.0, 30.0), abs=0.1)

    run(story())


def test_the_building_may_go_to_its_worst_case_behind_a_silent_meter() -> None:
    async def story() -> None:
        building = steps((0.0, 8.0), (66.0, 25.0))
        async with scenario(*[Place()] * 3, building=building, over_limit_s=30.0) as s:
            await s.until(60)
            s.meters_silent.add("main")
            await s.until(300)
            assert max(s.main_a()) <= 61

    run(story())


@pytest.mark.parametrize("lost_after_s", [30.0, 300.0])
def test_a_meter_may_be_silent_for_no_longer_than_the_breaker_carries_what_may_come(lost_after_s: float) -> None:
    """The cars draw 43 A by leases of 12 s, for the building may draw 40 A: together 1.3 times the fuse, which trips within half a minute.

    Whatever a person says of how long it may be silent.
    """

    async def story() -> None:
        building = steps((0.0, 17.0), (300.5, 40.0), (420.0, 17.0))
        async with scenario(*[Place()] * 4, worst_case_a=40.0, building=building, over_limit_s=18.0) as s:
            s.configure(meter_lost_after_s=lost_after_s)
            await s.until(300)
            assert sum(s.draws_a()) > 40
            s.meters_silent.add("main")
            await s.until(309)
            assert s.site.snapshot.circuits["main"].meter == "ok" and max(s.main_a()) > 80
            await s.until(400)
            assert s.site.snapshot.circuits["main"].meter == "lost" and max(s.main_a()) <= 61, "until it is read again"
            s.meters_silent.clear()
            await s.until(450 if lost_after_s == 30 else 600)  # a silence that is allowed may come again: room is left for it for a while
            assert s.site.snapshot.circuits["main"].meter == "ok" and sum(s.draws_a()) > 40

    run(story())


def test_a_slow_meter_has_the_cars_leave_room_for_what_comes_between_its_readings() -> None:
    async def story() -> None:
        building = steps((0.0, 17.0), (300.0, 3.0), (600.5, 40.0))
        async with scenario(*[Place()] * 4, worst_case_a=40.0, building=building, over_limit_s=30.0) as s:
            s.on_second.append(lambda time_s: s.meters_silent.add("main") if int(time_s) % 20 else s.meters_silent.clear())
            health: set[str] = set()
            await s.until(100)
            s.on_turn.append(lambda: health.add(str(s.site.snapshot.circuits["main"].meter)))
            await s.until(600)
            assert 34 < sum(s.draws_a()) < 40, "less than by leases of 12 s, which are for faster meters"
            assert health == {"ok", "stale"}, "never lost"
            await s.until(700)
            assert max(s.main_a()) <= 61

    run(story())


def test_a_meter_that_speaks_every_45_seconds_is_believed_where_a_person_allows_it_that_and_lost_once_it_is_silent_for_longer() -> None:
    async def story() -> None:
        building = steps((0.0, 17.0), (300.0, 3.0), (722.0, 17.0))
        async with scenario(*[Place()] * 4, building=building, over_limit_s=50.0) as s:
            s.configure(meter_lost_after_s=100.0)
            s.on_second.append(lambda time_s: s.meters_silent.add("main") if int(time_s) % 45 or time_s > 800 else s.meters_silent.clear())
            health: dict[str, float] = {}
            await s.until(100)
            s.on_turn.append(lambda: health.setdefault(str(s.site._circuits["main"].health), s.time_s))
            await s.until(299)
            before_a = sum(s.draws_a())
            assert 38 < before_a <= 44
            await s.until(700)
            assert 46 < sum(s.draws_a()) < 48, "as much as the breaker carries for good beside the building's worst"
            await s.until(790)
            assert health.keys() == {"ok", "stale"} and max(s.main_a()) <= 61, "never lost"
            await s.until(1000)
            reading = s.site._circuits["main"].reading
            assert reading is not None and health["lost"] - reading.taken_at == pytest.approx(100.0, abs=0.1)
            assert sum(s.draws_a()) <= 36, "what is left beside the building's worst case"

    run(story())


def test_a_site_whose_meter_never_spoke_charges_beside_the_worst_case() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, over_limit_s=0.0) as s:
            s.meters_silent.add("main")
            await s.until(90)
            assert 30 < sum(s.draws_a()) <= 36

    run(story())


def test_a_silent_sub_meter_holds_back_its_own_subtree_alone() -> None:
    async def story() -> None:
        places = [Place(circuit_id="row"), Place(circuit_id="row"), Place(), Place()]
        async with scenario(*places, fuse_a=100.0, circuits=[ROW], over_limit_s=0.0) as s:
            await s.until(60)
            assert sum(s.draws_a()[:2]) > 28, "what the row's fuse leaves"
            s.meters_silent.add("row")
            await s.until(95)
            health = {circuit_id: circuit.meter for circuit_id, circuit in s.site.snapshot.circuits.items()}
            assert health == {"main": "ok", "row": "lost"}
            assert 16 < sum(s.draws_a()[:2]) <= 18, "beside the row's worst case"
            assert {s.reason(number) for number in (1, 2)} == {"meter_lost"}
            s.unplug(3)
            await s.until(120)
            assert s.draws_a()[3] > 30 and s.reason(4) != "meter_lost", "beside the row all is as before"
            s.meters_silent.clear()
            await s.until(150)
            assert sum(s.draws_a()[:2]) > 28

    run(story())


def test_what_a_meter_said_last_goes_with_it() -> None:
    async def story() -> None:
        async with scenario(Place(circuit_id="row"), Place(), fuse_a=100.0, circuits=[ROW], over_limit_s=0.0) as s:
            await s.until(60)
            assert s.draws_a()[0] > 28
            s.configure(circuits=(s.config.root, replace(ROW, metered=False)))
            await s.until(70)
            assert s.site.snapshot.circuits["row"].unmanaged_a == (12.0, 12.0, 12.0)
            assert s.draws_a()[0] <= 18, "without a meter its worst case is reckoned with"
            s.configure(circuits=(s.config.root, ROW))
            await s.until(72)
            assert s.site.snapshot.circuits["row"].meter != "lost", "a new meter is not late yet"
            await s.until(90)
            assert s.draws_a()[0] > 28 and s.site.snapshot.circuits["row"].meter == "ok"

    run(story())


def test_a_car_that_follows_again_behind_a_silent_meter_is_led_again() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=10.0) as s:
            await s.until(60)
            model = s.model(1)
            offers = model.offers
            model.offers = lambda: {**offers(), 1: 32.0}  # type: ignore[method-assign]
            await s.until_true(lambda: s.reason(1) == "disobedient", within_s=10)
            s.meters_silent.add("main")
            model.offers = offers  # type: ignore[method-assign]
            await s.until(120)
            assert s.site.snapshot.circuits["main"].meter == "lost" and s.problem(1) is None
            assert s.reason(1) != "disobedient" and abs(s.draw_a(1) - s.draw_a(2)) <= 1.1, s.story()

    run(story())


def tell(s: Scenario, told: Callable[[Reading], Reading]) -> None:
    """Have the site hear something else than its meter says."""
    hear = s.site.update_reading
    s.site.update_reading = lambda measured_id, reading: hear(measured_id, told(reading))  # type: ignore[method-assign]


def every(seconds: float) -> Callable[[Reading], Reading]:
    """Tell the same reading, power and registers apart, until the next one is due after so many seconds."""
    newest: Reading | None = None

    def told(reading: Reading) -> Reading:
        nonlocal newest
        if newest is None or reading.taken_at - newest.taken_at >= seconds - 0.01:
            newest = replace(reading, power_w=None)
        return replace(newest, import_wh=reading.import_wh)

    return told


def test_a_reading_that_is_told_again_is_no_new_one() -> None:
    """The currents come each 10 s, a register beside them each second: a car's change since the reading is not the building's."""

    async def story() -> None:
        building = steps((0.0, 10.0), *((60.0 + 30 * turn, 10.0 if turn % 2 else 24.0) for turn in range(8)))
        async with scenario(*[Place()] * 3, building=building, over_limit_s=12.0) as s:
            tell(s, every(10.0))
            await s.until(300)
            drawn_a = [sum(moment.draws_a) for moment in s.between(60, 300)]
            assert sum(drawn_a) / len(drawn_a) > 35 and min(drawn_a) > 30, "what the building leaves is theirs"
            assert max(moment.main_a[0] for moment in s.between(60, 300)) < 75, "nothing but the building's own step until it is read"
            assert s.site.snapshot.circuits["main"].import_wh is not None

    run(story())
