"""PV systems and home batteries: what they give may be used or not, what they draw may be counted as room or not, and either may end."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from custom_components.headroom.engine.model import Circuit, PerPhase, Phase
from custom_components.headroom.metering.reading import Reading
from custom_components.headroom.site.resource import Resource, ResourceKind, worst_with
from custom_components.headroom.site.snapshot import MeterHealth
from simulator.virtual import run

from .harness import Place, Scenario, scenario

BUILDING_A = 8.0
LIMIT_A = 38.0


@dataclass
class Flow:
    """A building with something beside it, whose current is `draw_a` now."""

    draw_a: Callable[[float], float]
    silent_from_s: float = float("inf")
    at_s: float = field(default=0.0, init=False)

    def current_a(self, time_s: float) -> PerPhase:
        total = BUILDING_A + self.draw_a(time_s)
        return (total, total, total)

    def steps(self, from_s: float, to_s: float) -> list[float]:
        """Tell of no steps: how fast they are answered is not what is asked here."""
        return []

    def measure(self, story: Scenario, resource: Resource) -> None:
        """Have its own meter read every second."""

        def read(now: float) -> None:
            if now < self.silent_from_s:
                current_a = resource.on_phases(self.draw_a(now))
                story.site.update_reading(resource.resource_id, Reading(current_a=current_a, taken_at=now, source="simulated"))

        story.on_second.append(read)
        story.configure(resources=(resource,))


PV = Resource(resource_id="pv", name="Roof", kind=ResourceKind.PV, circuit_id="main", most_a=16.0)
BATTERY = Resource(resource_id="battery", name="Cellar", kind=ResourceKind.BATTERY, circuit_id="main", most_a=12.0)


def cars_a(story: Scenario) -> float:
    return sum(story.draws_a())


def test_what_a_roof_gives_is_used_and_its_end_is_caught() -> None:
    async def story() -> None:
        flow = Flow(lambda now: -6.0 if now < 100 else 0.0)
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=16.0, building=flow, over_limit_s=6.0) as s:
            flow.measure(s, PV)
            await s.until(90)
            assert LIMIT_A - BUILDING_A + 3 < cars_a(s) <= LIMIT_A - BUILDING_A + 6
            await s.until(120)
            assert LIMIT_A - BUILDING_A - 3 < cars_a(s) <= LIMIT_A - BUILDING_A

    run(story())


def test_a_roof_that_is_not_relied_on_changes_nothing_when_a_cloud_comes() -> None:
    async def story() -> None:
        flow = Flow(lambda now: -6.0 if now < 100 else 0.0)
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=16.0, building=flow, over_limit_s=0.0) as s:
            flow.measure(s, replace(PV, counted=False))
            await s.until(90)
            assert LIMIT_A - BUILDING_A - 3 < cars_a(s) <= LIMIT_A - BUILDING_A
            before = s.draws_a()
            await s.until(130)
            assert s.draws_a() == pytest.approx(before, abs=0.5)

    run(story())


def test_a_roof_whose_meter_is_silent_may_give_all_it_can() -> None:
    async def story() -> None:
        flow = Flow(lambda now: -10.0, silent_from_s=60.0)
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=16.0, building=flow, over_limit_s=0.0) as s:
            flow.measure(s, replace(PV, counted=False))
            await s.until(60)
            assert cars_a(s) > LIMIT_A - BUILDING_A - 3
            await s.until(110)
            assert s.site.snapshot.resources["pv"].meter == "lost"
            assert LIMIT_A - BUILDING_A - 6 - 3 < cars_a(s) <= LIMIT_A - BUILDING_A - 6, "16 A of what is not drawn may be the roof's"

    run(story())


def test_a_battery_keeps_what_it_draws_unless_somebody_says_otherwise() -> None:
    async def story() -> None:
        flow = Flow(lambda now: 12.0)
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=20.0, building=flow, over_limit_s=0.0) as s:
            flow.measure(s, BATTERY)
            await s.until(120)
            assert 15 < cars_a(s) <= LIMIT_A - BUILDING_A - 12

    run(story())


def test_a_battery_gives_way_to_cars() -> None:
    async def story() -> None:
        drawn = {"now_a": 12.0, "at_s": 0.0}
        worlds: list[Scenario] = []

        def draw_a(now: float) -> float:
            """It sees to it that the fuse's limit is kept, at 6 A a second."""
            if worlds and now > drawn["at_s"]:
                over_a = max(worlds[0].main_a()) - LIMIT_A
                most = 6.0 * (now - drawn["at_s"])
                drawn["now_a"] = min(12.0, max(0.0, drawn["now_a"] - max(-most, min(most, over_a))))
                drawn["at_s"] = now
            return drawn["now_a"]

        flow = Flow(draw_a)
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=20.0, building=flow, over_limit_s=6.0) as s:
            worlds.append(s)
            flow.measure(s, replace(BATTERY, gives_way=True))
            await s.until(180)
            assert cars_a(s) > LIMIT_A - BUILDING_A - 4, "all that the building leaves"
            assert not s.site.snapshot.resources["battery"].in_the_way
            assert drawn["now_a"] < 3

    run(story())


def test_a_battery_that_does_not_give_way_is_not_counted_upon() -> None:
    async def story() -> None:
        flow = Flow(lambda now: 12.0)
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=20.0, building=flow, over_limit_s=12.0) as s:
            flow.measure(s, replace(BATTERY, gives_way=True))
            await s.until(60)
            over = [moment.at_s for moment in s.moments if max(moment.main_a) > LIMIT_A + 0.5]
            assert over and max(over) - min(over) < 12, "tried once, for some seconds"
            assert s.site.snapshot.resources["battery"].in_the_way
            await s.until(700)
            assert 15 < cars_a(s) <= LIMIT_A - BUILDING_A - 12
            assert max(moment.at_s for moment in s.moments if max(moment.main_a) > LIMIT_A + 0.5) == max(over), "and not again"

    run(story())


def test_what_another_meter_showed_is_forgotten() -> None:
    """The one before may have been turned round: its battery was said to draw while it gave, and to be in the way."""

    async def story() -> None:
        flow = Flow(lambda now: 10.0)
        async with scenario(Place(), Place(), fuse_a=40.0, worst_case_a=22.0, building=flow, over_limit_s=40.0, dead_man_from_s=None) as s:
            flow.measure(s, replace(BATTERY, gives_way=True))
            await s.until_true(lambda: s.site.snapshot.resources["battery"].in_the_way, within_s=90)
            s.on_second.clear()
            s.site.meter_changed("battery")
            await s.wait(2)
            shown = s.site.snapshot.resources["battery"]
            assert shown.meter_age_s is None and shown.meter is MeterHealth.STALE and not shown.in_the_way

    run(story())


def test_the_worst_case_holds_what_batteries_may_draw() -> None:
    main = Circuit(circuit_id="main", name="Main", fuse_a=40.0, unmanaged_worst_a=(10.0, 10.0, 10.0))
    row = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=32.0, unmanaged_worst_a=(2.0, 2.0, 2.0))
    circuits = {"main": main, "row": row}
    on_row = replace(BATTERY, circuit_id="row", phases=(Phase.L2,), most_a=14.0)
    assert worst_with((on_row, PV), circuits) == {"main": (10.0, 14.0, 10.0), "row": (2.0, 14.0, 2.0)}
    assert worst_with((), circuits) == {"main": main.unmanaged_worst_a, "row": row.unmanaged_worst_a}


def test_a_meter_of_one_phase_measures_the_conductor_it_is_on() -> None:
    single = replace(BATTERY, phases=(Phase.L3,))
    reading = Reading(current_a=(5.0, 0.0, 0.0), taken_at=0.0, source="x", power_w=1150.0)
    assert single.flows_a(reading, 230.0) == (0.0, 0.0, 5.0)
    assert replace(PV, even=True).flows_a(replace(reading, power_w=-6900.0), 230.0) == (-10.0, -10.0, -10.0)


def test_an_inverter_that_is_read_once_a_minute_is_not_silent_in_between(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is told of it again and again, though nobody counts upon what is older than half a minute."""
    caplog.set_level("INFO")

    async def story() -> None:
        async with scenario(Place(), building=Flow(lambda now: -6.0)) as s:
            s.configure(resources=(PV,))
            shown = set()
            until_s = 420.0

            def read(now: float) -> None:
                if now < until_s and (now % 60 < 1 or s.site.snapshot.resources["pv"].meter_age_s is None):
                    s.site.update_reading("pv", Reading(current_a=(-6.0, -6.0, -6.0), taken_at=now, source="simulated"))

            s.on_second.append(read)
            for second in range(70, 421, 5):
                await s.until(second)
                shown.add(s.site.snapshot.resources["pv"].meter)
            assert shown == {MeterHealth.OK, MeterHealth.STALE}
            await s.until(620)
            assert s.site.snapshot.resources["pv"].meter is MeterHealth.LOST

    run(story())
    assert len([line for line in caplog.messages if line.startswith("The meter of Roof is silent")]) == 1


def test_a_battery_that_gives_all_that_cars_draw_makes_no_meter_blind() -> None:
    """The grid stays at zero when they begin: the meter showed no trace of it, and was not believed any more, though the battery's own did."""

    async def story() -> None:
        running: list[Scenario] = []
        flow = Flow(lambda _: -BUILDING_A - sum(map(cars_a, running)))
        async with scenario(Place(comes_s=60.0), fuse_a=40.0, worst_case_a=25.0, building=flow, over_limit_s=6.0) as s:
            running.append(s)
            dice = Random(1)
            s.meter_error_a = lambda: dice.uniform(-0.1, 0.1)
            flow.measure(s, replace(BATTERY, most_a=40.0))
            await s.until(40)
            s.site.set_user_max(s.key(1), 16.0)
            for at_s in range(90, 300, 30):
                await s.until(at_s)
                assert s.site.snapshot.circuits["main"].meter_error is None
            assert s.draw_a(1) > 10, s.story()

    run(story())
