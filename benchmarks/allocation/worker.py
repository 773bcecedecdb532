"""Headroom's engine at its end of the pipe: JSON lines on stdin, an answer to each on stdout.

The first line tells the site and the policy. Each further line is a turn of five minutes: the time and the sessions that still need
energy, and those that have left since; the answer holds the amps of each, and how long the engine took for them, the reading and
writing of lines left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
import json
from math import ceil
from time import perf_counter
from typing import Any

from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.demand import Demand, observe
from custom_components.headroom.engine.departures import MOST_ERRORS, quantiles_of
from custom_components.headroom.engine.model import Headroom, Need, Past, Phase, Request, Wiring
from custom_components.headroom.engine.share import Policy, look_ahead, share

TURN_S = 300.0
"""How long what was told holds."""


@dataclass(slots=True)
class Seen:
    """What is known of a session from turn to turn."""

    past: Past
    remaining_wh: float
    demand: Demand = Demand()


@dataclass(slots=True)
class Worker:
    """A site with its sessions' pasts."""

    headrooms: list[Headroom]
    stations: dict[str, dict[str, Any]]
    policy: Policy
    seen: dict[str, Seen] = field(default_factory=dict)
    errors_s: tuple[float, ...] = ()
    """By how much later than it was said the last ones have left."""
    usual_errors_s: tuple[float, ...] = ()

    @classmethod
    def from_line(cls, line: dict[str, Any]) -> Worker:
        """Return the worker for a site as it was told."""
        headrooms = [
            Headroom(
                circuit_id=circuit["circuit_id"],
                parent_id=circuit["parent_id"],
                available_a=tuple(circuit["available_a"]),
                wiring=Wiring(circuit["wiring"]),
            )
            for circuit in line["site"]["circuits"]
        ]
        return cls(headrooms, line["site"]["stations"], Policy(line["policy"]))

    def turn(self, line: dict[str, Any]) -> dict[str, Any]:
        """Return the amps of each session, and what the whole engine and its filling alone took for the same requests."""
        now_s = line["now_s"]
        self._learn(line["left"])
        self._look(line["sessions"])
        requests = [self._request(session) for session in line["sessions"]]
        began = perf_counter()
        allocate(self.headrooms, requests)
        filled = perf_counter()
        planned = look_ahead(self.headrooms, requests, self.policy, now=now_s)
        allocations = share(self.headrooms, requests, self.policy, planned, now=now_s)
        ended = perf_counter()
        amps = {request.request_id: allocations[request.request_id].limit_a for request in requests}
        self._tell(amps, now_s)
        return {"amps": amps, "filling_s": filled - began, "whole_s": ended - filled}

    def _learn(self, left: list[dict[str, Any]]) -> None:
        """Take note of when those left who have left, against what was said of it."""
        if left:
            errors_s = (each["left_at"] - each["departs_at"] for each in left)
            self.errors_s = (*self.errors_s, *errors_s)[-MOST_ERRORS:]
            self.usual_errors_s = quantiles_of(self.errors_s)

    def _look(self, sessions: list[dict[str, Any]]) -> None:
        """Take note of what each session has had since the last turn, against the mean of all; forget those that ended."""
        had_wh = {
            session["session_id"]: self.seen[session["session_id"]].remaining_wh - session["remaining_wh"]
            for session in sessions
            if session["session_id"] in self.seen
        }
        mean_wh = sum(had_wh.values()) / len(had_wh) if had_wh else 0.0
        seen: dict[str, Seen] = {}
        for session in sessions:
            name = session["session_id"]
            known = self.seen.get(name) or Seen(Past(arrived_at=session["arrived_at"]), session["remaining_wh"])
            if name in had_wh:
                known.past = replace(known.past, short_wh=known.past.short_wh + mean_wh - had_wh[name])
            known.remaining_wh = session["remaining_wh"]
            if known.past.limit_a:
                currents_a = (session["drawn_a"],)
                known.demand = observe(
                    known.demand, current_a=currents_a, limit_a=known.past.limit_a, limit_held_s=TURN_S, drawing_s=TURN_S
                )
            seen[name] = known
        self.seen = seen

    def _request(self, session: dict[str, Any]) -> Request:
        """Return what a session asks of the engine."""
        station, seen = self.stations[session["station"]], self.seen[session["session_id"]]
        return Request(
            request_id=session["session_id"],
            circuit_id=station["circuit_id"],
            phases=tuple(Phase(phase) for phase in station["phases"]),
            min_a=station["min_a"],
            max_a=most_a(station, seen.demand) if seen.past.limit_a else station["max_a"],
            step_a=station["step_a"],
            voltage_v=station["voltage_v"],
            queue_key=session["arrived_at"],
            need=Need(energy_wh=session["remaining_wh"], departs_at=session["departs_at"], errors_s=self.usual_errors_s),
            past=seen.past,
        )

    def _tell(self, amps: dict[str, float], now_s: float) -> None:
        """Take note of what each session is told."""
        for name, limit_a in amps.items():
            known = self.seen[name]
            past, charges = known.past, limit_a > 0
            if charges != (past.limit_a > 0):
                pauses_at = past.pauses_at if charges else (*past.pauses_at, now_s)
                past = replace(past, changed_at=now_s, pauses_at=pauses_at)
            known.past = replace(past, limit_a=limit_a)


def most_a(station: dict[str, Any], demand: Demand) -> float:
    """Return what a car takes at most as far as its draw tells, a whole step of its EVSE and never less than it draws."""
    if demand.ceiling_a is None:
        return station["max_a"]
    steps = ceil((demand.ceiling_a - station["min_a"]) / station["step_a"])
    return min(station["max_a"], station["min_a"] + max(0, steps) * station["step_a"])


def main(lines: Iterable[str]) -> None:
    """Answer line by line, until there are no more."""
    worker: Worker | None = None
    for line in lines:
        question = json.loads(line)
        if worker is None:
            worker, answer = Worker.from_line(question), {"ready": True}
        else:
            answer = worker.turn(question)
        print(json.dumps(answer), flush=True)
