"""An hour of a building and drivers nobody planned."""

import random

import pytest

from simulator.building import Appliance, BuildingLoad
from simulator.electrical import PerPhase
from simulator.evse import token
from simulator.site import Visit
from simulator.virtual import run

from .harness import Place, car, scenario

HOUR_S = 3600.0
STATIONS = 4


def drivers(dice: random.Random) -> list[Visit]:
    """Cars come and go at every place, one after the other."""
    visits = []
    for number in range(1, STATIONS + 1):
        at_s = 10.0 + dice.uniform(0, 300)
        while at_s < HOUR_S:
            leaves_s = at_s + dice.uniform(120, 1500)
            spec = car(
                phases=dice.choice((1, 2, 3, 3)),
                max_a=dice.choice((8.0, 16.0, 20.0, 32.0)),
                wake_s=dice.choice((2.0, 2.0, 20.0)),
                response_s=dice.uniform(0.5, 3.0),
                battery_kwh=60.0,
            )
            visits.append(
                Visit(
                    comes_s=at_s,
                    leaves_s=leaves_s,
                    station=f"CP{number}",
                    evse_id=1,
                    car=spec,
                    token=token("CARD"),
                    soc=dice.uniform(0.1, 0.95),
                )
            )
            at_s = leaves_s + dice.uniform(10, 200)
    return visits


def a_building(dice: random.Random, worst_a: float, seed: int) -> BuildingLoad:
    """Kettles on single phases and a heat pump on all."""
    on_each: tuple[PerPhase, ...] = ((8.7, 0.0, 0.0), (0.0, 8.7, 0.0), (0.0, 0.0, 8.7))
    appliances = tuple(
        Appliance(name=f"kettle {phase}", current_a=current_a, on_s=90, period_s=dice.uniform(300, 600))
        for phase, current_a in enumerate(on_each)
    )
    pump = Appliance(name="heat pump", current_a=(9.0, 9.0, 9.0), on_s=200, period_s=dice.uniform(500, 900))
    return BuildingLoad(base_a=(2.0, 3.0, 4.0), appliances=(*appliances, pump), worst_case_a=(worst_a, worst_a, worst_a), seed=seed)


@pytest.mark.parametrize(("seed", "spares_flash"), [(1, True), (2, False), (3, False)])
def test_an_hour_of_chance_trips_nothing_and_leaves_no_conductor_over_its_limit(seed: int, spares_flash: bool) -> None:
    """A building that is as restless as these leaves three quarters of the current only where writes may be many (`test_writes.py`)."""

    async def story() -> None:
        dice = random.Random(seed)
        rotations = dice.sample(("L1L2L3", "L2L3L1", "L3L1L2", "L1L3L2"), STATIONS)
        places = [Place(car=None, rotation=rotation) for rotation in rotations]
        building = a_building(dice, 25.0, seed)
        async with scenario(
            *places,
            fuse_a=50,
            worst_case_a=25,
            building=building,
            visits=drivers(dice),
            step_s=0.5,
            over_limit_s=6.0,
            tolerance_a=0.5,
            dead_man_from_s=None,
        ) as s:
            s.configure(spares_flash=spares_flash)
            await s.until(HOUR_S)
            assert s.world.recorder.energy_wh > 10_000
            assert (s.world.recorder.capacity_used_pct or 100) > 75

    run(story())
