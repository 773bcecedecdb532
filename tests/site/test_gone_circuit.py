"""A circuit is deleted while cars charge below it: its breaker is still there, and nobody knows it any more."""

from dataclasses import replace

import pytest

from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.site.config import GONE_CIRCUIT_ID, Mode, gone_circuit
from simulator.virtual import run

from .harness import Place, Scenario, scenario, steps

ROW = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=32.0, margin_a=2.0)
DELETED_S = 60.0


def hang(s: Scenario, **circuit_ids: str) -> None:
    """Have stations hang on other circuits; the row is deleted, and may have been drawn anew."""
    stations = {
        identity: replace(station, circuit_id=circuit_ids.get(identity, station.circuit_id))
        for identity, station in s.config.stations.items()
    }
    s.configure(circuits=(s.config.root, replace(ROW, circuit_id="anew"), gone_circuit(s.config.root)), stations=stations)


@pytest.mark.parametrize("mode", [Mode.DYNAMIC, Mode.STATIC])
def test_nothing_is_drawn_where_the_circuit_was_deleted(mode: Mode) -> None:
    async def story() -> None:
        places = (Place(circuit_id="row"), Place(circuit_id="row"), Place())
        async with scenario(
            *places, fuse_a=80, worst_case_a=10, building=steps((0.0, 8.0)), circuits=(ROW,), mode=mode, dead_man_from_s=70
        ) as s:
            await s.until(DELETED_S)
            assert max(s.world.current_a["row"]) > 20.0
            hang(s, CP1=GONE_CIRCUIT_ID, CP2=GONE_CIRCUIT_ID)
            await s.until(180)
            assert max(sum(moment.draws_a[:2]) for moment in s.moments if moment.at_s > DELETED_S) <= 30.0, "the main fuse would bear more"
            assert s.draws_a()[:2] == [0.0, 0.0]
            assert s.draws_a()[2] > 25.0

    run(story())


def test_cars_behind_one_breaker_stay_inside_it_while_their_stations_are_put_on_a_new_circuit_one_by_one() -> None:
    async def story() -> None:
        places = (Place(circuit_id="row"), Place(circuit_id="row"))
        async with scenario(*places, fuse_a=80, worst_case_a=10, building=steps((0.0, 8.0)), circuits=(ROW,), dead_man_from_s=70) as s:
            await s.until(DELETED_S)
            hang(s, CP1=GONE_CIRCUIT_ID, CP2=GONE_CIRCUIT_ID)
            await s.until(120)
            hang(s, CP1="anew")
            await s.until(300)
            assert s.draws_a()[0] > 25.0
            assert s.draws_a()[1] == 0.0
            assert max(sum(moment.draws_a) for moment in s.moments if moment.at_s > DELETED_S) <= 30.0

    run(story())
