"""A meter that is heard and not to be believed: frozen, or showing less than what hangs on it draws."""

from dataclasses import replace

from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.metering.agreement import Suspicion
from proving.meter import MeterFault
from simulator.virtual import run

from .harness import Place, car, scenario, steps

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
            assert "shows the same" in (s.site.snapshot.circuits["main"].meter_error or "")
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
