"""The algorithms that the simulator asks: Caltech's own, and Headroom's engine at the other end of a pipe."""

from collections import deque
from collections.abc import Iterable, Sequence
import json
import subprocess

from acnportal.acnsim.interface import SessionInfo
from acnportal.algorithms import (
    BaseAlgorithm,
    RoundRobin,
    SortedSchedulingAlgo,
    earliest_deadline_first,
    first_come_first_served,
    least_laxity_first,
)

from .sessions import PERIOD_MIN, Session
from .sites import Site

BASELINES = {
    "fcfs": lambda: SortedSchedulingAlgo(first_come_first_served),
    "edf": lambda: SortedSchedulingAlgo(earliest_deadline_first),
    "llf": lambda: SortedSchedulingAlgo(least_laxity_first),
    "round_robin": lambda: RoundRobin(first_come_first_served),
}
"""Caltech's own code: at the EVSEs' real steps, and free to pause."""


class Engine(BaseAlgorithm):
    """Headroom's engine in its own interpreter: each period it is told the sessions and answers with amps.

    Who has left is told too, with the departure that was said before: so it learns how far those are to be trusted.
    """

    def __init__(self, site: Site, policy: str, worker: Sequence[str], sessions: Iterable[Session]) -> None:
        """Start the engine and tell it the site; `sessions` are told of once they are over."""
        super().__init__()
        self.max_recompute = 1
        self.filling_s: list[tuple[int, float]] = []
        self.whole_s: list[tuple[int, float]] = []
        self._process = subprocess.Popen([*worker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        self._site = site
        self._to_leave = deque(sorted(sessions, key=lambda session: session.departure))
        self._ask({"site": described(site), "policy": policy})

    def schedule(self, active_sessions: list[SessionInfo]) -> dict[str, list[float]]:
        """Return the amps of each station for this period."""
        if not active_sessions:
            return {}
        now_s = self.interface.current_time * PERIOD_MIN * 60.0
        drawn_a = self.interface.last_actual_charging_rate
        answer = self._ask(
            {
                "now_s": now_s,
                "left": self._left(),
                "sessions": [
                    {
                        "session_id": session.session_id,
                        "station": session.station_id,
                        "arrived_at": session.arrival * PERIOD_MIN * 60.0,
                        "departs_at": session.estimated_departure * PERIOD_MIN * 60.0,
                        "remaining_wh": session.remaining_demand * 1000,
                        "drawn_a": float(drawn_a[session.session_id]),
                    }
                    for session in active_sessions
                ],
            }
        )
        self.whole_s.append((len(active_sessions), answer["whole_s"]))
        self.filling_s.append((len(active_sessions), answer["filling_s"]))
        return {session.station_id: [answer["amps"][session.session_id]] for session in active_sessions}

    def _left(self) -> list[dict]:
        """Return who has left since this was asked last."""
        left: list[Session] = []
        while self._to_leave and self._to_leave[0].departure <= self.interface.current_time:
            left.append(self._to_leave.popleft())
        return [
            {
                "departs_at": session.expected_departure * PERIOD_MIN * 60.0,
                "left_at": session.departure * PERIOD_MIN * 60.0,
            }
            for session in left
        ]

    def close(self) -> None:
        """Let the engine end."""
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def _ask(self, question: dict) -> dict:
        """Return the engine's answer to one line."""
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the engine ended with status {self._process.wait(timeout=30)}")
        return json.loads(line)


def described(site: Site) -> dict:
    """Return a site as it is told over the pipe."""
    return {
        "circuits": [
            {"circuit_id": circuit.circuit_id, "parent_id": circuit.parent_id, "available_a": circuit.limits_a, "wiring": circuit.wiring}
            for circuit in site.circuits
        ],
        "stations": {
            name: {
                "circuit_id": station.circuit_id,
                "phases": station.phases,
                "min_a": station.min_a,
                "step_a": station.step_a,
                "max_a": station.max_a,
                "voltage_v": station.voltage_v,
            }
            for name, station in site.stations.items()
        },
    }
