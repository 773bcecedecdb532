"""A circuit on one phase of a three-phase site, with a meter of one phase: a flat, a garage, an old cable."""

from custom_components.headroom.engine.model import Circuit, Phase
from simulator.virtual import run

from .harness import Place, car, scenario, steps

GARAGE = Circuit(
    circuit_id="garage",
    name="Garage",
    parent_id="main",
    phases=(Phase.L2,),
    fuse_a=40.0,
    margin_a=2.0,
    unmanaged_worst_a=(0.0, 10.0, 0.0),
    metered=True,
)
HERE = Place(car=car(phases=1), rotation="L2", conductors=(Phase.L2,), circuit_id="garage")


def test_its_cars_share_what_its_meter_leaves_on_its_phase() -> None:
    async def story() -> None:
        async with scenario(HERE, HERE, Place(), circuits=[GARAGE], fuse_a=100.0, building=steps((0, 5.0))) as s:
            await s.until(120)
            assert 35.5 <= sum(s.draws_a()[:2]) <= 38.0, "all that its fuse leaves"
            assert s.draws_a()[2] > 31.0, "the others are left alone"
            garage = s.site.snapshot.circuits["garage"]
            assert garage.current_a[0] == garage.current_a[2] == 0.0
            assert 35.5 <= garage.current_a[1] <= 38.0, "its meter's first phase is the grid's second"
            assert s.reason(1) == "circuit"

    run(story())


def test_its_silent_meter_means_its_worst_case_on_its_phase_alone() -> None:
    async def story() -> None:
        async with scenario(HERE, HERE, Place(), circuits=[GARAGE], fuse_a=100.0) as s:
            await s.until(60)
            s.meters_silent.add("garage")
            await s.until(120)
            assert sum(s.draws_a()[:2]) <= 28.0 and min(s.draws_a()[:2]) > 11.0
            assert s.draws_a()[2] > 31.0
            s.meters_silent.clear()
            await s.until(160)
            assert sum(s.draws_a()[:2]) > 35.5

    run(story())
