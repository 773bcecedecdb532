"""The engine at its end of a real pipe, with a garage of three EVSEs behind one fuse."""

from collections.abc import Iterator
import json
from pathlib import Path
import subprocess
from typing import Any

import pytest

from benchmarks.allocation.jobs import OUR_OTHERS, OURS, WORKER
from benchmarks.allocation.worker import Worker
from custom_components.headroom.engine.departures import MOST_ERRORS
from custom_components.headroom.engine.share import Policy

REPOSITORY = Path(__file__).parents[2]
STATION = {"circuit_id": "main", "phases": [0, 1, 2], "min_a": 6.0, "step_a": 1.0, "max_a": 16.0, "voltage_v": 230.0}
SITE = {
    "circuits": [{"circuit_id": "main", "parent_id": None, "available_a": [15.0, 15.0, 15.0], "wiring": "star"}],
    "stations": {"E1": STATION, "E2": STATION | {"min_a": 8.0, "step_a": 8.0}, "E3": STATION},
}
PERIOD_S = 300.0


def session(station: str, remaining_wh: float = 5000.0, drawn_a: float = 0.0) -> dict[str, Any]:
    return {
        "session_id": f"car at {station}",
        "station": station,
        "arrived_at": 0.0,
        "departs_at": 7200.0,
        "remaining_wh": remaining_wh,
        "drawn_a": drawn_a,
    }


class Pipe:
    """The simulator's side."""

    def __init__(self, policy: str) -> None:
        self.process = subprocess.Popen(
            WORKER,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self.ask({"site": SITE, "policy": policy}) == {"ready": True}

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps({"left": [], **question}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> int:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=10)


@pytest.fixture(params=OURS)
def pipe(request: pytest.FixtureRequest) -> Iterator[Pipe]:
    pipe = Pipe(request.param)
    yield pipe
    assert pipe.close() == 0


def test_each_turn_is_answered_with_amps_that_the_evses_can_offer_and_the_fuse_can_carry(pipe: Pipe) -> None:
    drawn_a = {"E1": 0.0, "E2": 0.0, "E3": 0.0}
    for turn in range(3):
        sessions = [session(station, drawn_a=amps) for station, amps in drawn_a.items()]
        answer = pipe.ask({"now_s": turn * PERIOD_S, "sessions": sessions})
        amps = {name.removeprefix("car at "): limit_a for name, limit_a in answer["amps"].items()}
        assert amps["E1"] in {0, *range(6, 17)} and amps["E3"] in {0, *range(6, 17)}
        assert amps["E2"] in {0, 8, 16}
        assert 12 <= sum(amps.values()) <= 15
        assert answer["filling_s"] > 0 and answer["whole_s"] > 0
        drawn_a = amps


def test_a_car_alone_gets_all_and_another_later_its_share(pipe: Pipe) -> None:
    assert pipe.ask({"now_s": 0.0, "sessions": [session("E1")]})["amps"] == {"car at E1": 15.0}
    both = pipe.ask({"now_s": PERIOD_S, "sessions": [session("E1", 4000.0, 15.0), session("E3")]})["amps"]
    assert sum(both.values()) == 15.0
    assert pipe.ask({"now_s": 2 * PERIOD_S, "sessions": [session("E3", 4000.0, both["car at E3"])]})["amps"] == {"car at E3": 15.0}


def test_a_car_that_leaves_current_unused_makes_room_for_another(pipe: Pipe) -> None:
    pipe.ask({"now_s": 0.0, "sessions": [session("E1")]})
    answer = pipe.ask({"now_s": PERIOD_S, "sessions": [session("E1", 4500.0, 6.5), session("E3")]})
    assert answer["amps"] == {"car at E1": 8.0, "car at E3": 7.0} or answer["amps"] == {"car at E1": 7.0, "car at E3": 8.0}
    # A car that may draw 7.3 A keeps the whole step of its EVSE that it needs.
    pipe.ask({"now_s": 2 * PERIOD_S, "sessions": [session("E2")]})
    assert pipe.ask({"now_s": 3 * PERIOD_S, "sessions": [session("E2", 4500.0, 7.3)]})["amps"] == {"car at E2": 8.0}


def test_how_far_departures_are_to_be_trusted_is_learnt_from_those_who_have_left() -> None:
    worker = Worker.from_line({"site": SITE, "policy": "most_energy"})

    def left(errors_s: list[float]) -> tuple[float, ...]:
        told = [{"departs_at": 7200.0, "left_at": 7200.0 + error_s} for error_s in errors_s]
        worker.turn({"now_s": 0.0, "sessions": [session("E1")], "left": told})
        return worker.usual_errors_s

    assert left([0.0] * MOST_ERRORS) == (), "they keep their word"
    learnt_s = left([-2700.0, 2700.0] * MOST_ERRORS)
    assert learnt_s[0] == -2700 and learnt_s[-1] == 2700
    assert left([0.0] * MOST_ERRORS) == (), "and what was long ago is forgotten"


def test_the_benchmark_knows_every_policy_of_the_engine() -> None:
    assert {*OURS, *OUR_OTHERS} == {*Policy}


def test_an_unknown_policy_is_refused() -> None:
    done = subprocess.run(
        WORKER,
        cwd=REPOSITORY,
        input=json.dumps({"site": SITE, "policy": "guess"}) + "\n",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode != 0 and "'guess' is not a valid Policy" in done.stderr
