"""A circuit is deleted while cars charge below it: its breaker is still there, and nobody knows it any more."""

from dataclasses import replace

import pytest

from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.site.circuit import CircuitState
from custom_components.headroom.site.config import GONE_CIRCUIT_ID, EvseConfig, EvseKey, Mode, gone_circuit
from custom_components.headroom.site.dead_man import DeadManWatch
from custom_components.headroom.site.evse import EvseState
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
    anew, below = replace(ROW, circuit_id="anew"), replace(ROW, circuit_id="below", parent_id=GONE_CIRCUIT_ID)
    s.configure(circuits=(s.config.root, anew, gone_circuit(s.config.root), below), stations=stations)


@pytest.mark.parametrize("mode", [Mode.DYNAMIC, Mode.STATIC])
def test_nothing_is_drawn_where_the_circuit_was_deleted(mode: Mode) -> None:
    async def story() -> None:
        places = (Place(circuit_id="row"), Place(circuit_id="row"), Place())
        async with scenario(
            *places, fuse_a=80, worst_case_a=10, building=steps((0.0, 8.0)), circuits=(ROW,), mode=mode, dead_man_from_s=70
        ) as s:
            await s.until(DELETED_S)
            assert max(s.world.current_a["row"]) > 20.0
            hang(s, CP1=GONE_CIRCUIT_ID, CP2="below")
            await s.until(180)
            assert s.site.snapshot.dead_man.holds is True
            for number in (1, 2):
                assert s.reason(number) == "circuit_gone" and "was deleted" in s.evse(number).reason_text
                assert s.evse(number).circumstances.get("circuit") is None, "it has no name"
            assert s.reason(3) != "circuit_gone"
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
            assert s.site.snapshot.dead_man.holds is True
            hang(s, CP1="anew")
            await s.until(300)
            assert s.draws_a()[0] > 25.0
            assert s.draws_a()[1] == 0.0
            assert max(sum(moment.draws_a) for moment in s.moments if moment.at_s > DELETED_S) <= 30.0

    run(story())


def test_what_a_station_holds_that_is_away_tells_of_no_breaker_where_the_circuit_was_deleted(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        places = (Place(circuit_id="row"), Place(circuit_id="row", car=None))
        async with scenario(*places, fuse_a=80, worst_case_a=10, building=steps((0.0, 8.0)), circuits=(ROW,)) as s:
            await s.until(DELETED_S)
            await s.fault("offline:CP2")
            await s.until(62)
            assert (s.fallback_a(2) or 0.0) > 10.0
            hang(s, CP1=GONE_CIRCUIT_ID, CP2=GONE_CIRCUIT_ID)
            for at_s in (75, 150, 260):
                await s.until(at_s)
                health = s.site.snapshot.dead_man
                assert health.holds is None and not health.violations, "nobody knows the breaker"
            assert s.draws_a()[0] == 0.0

    with caplog.at_level("WARNING"):
        run(story())
    assert "If Home Assistant stopped now" not in caplog.text


def test_the_main_fuse_is_told_of_beside_a_deleted_circuit() -> None:
    watch = DeadManWatch()
    main = Circuit(circuit_id="main", name="Main", fuse_a=20.0, margin_a=0.0)
    states = {circuit.circuit_id: CircuitState(circuit=circuit, since=0.0) for circuit in (main, gone_circuit(main))}
    evses = [
        EvseState(key=EvseKey(f"CP{number}", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id=GONE_CIRCUIT_ID, fallback_a=15.0)
        for number in (1, 2)
    ]
    for now in range(0, 600, 10):
        health = watch.look(states, evses, float(now))
    assert health.holds is False and health.lasts
    assert {each.circuit_id for each in health.violations} == {"main"}
