"""One job: a month, or a crowd for a while, under one policy. Reads it as JSON from stdin, prints its figures as JSON."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
import json
from pathlib import Path
import sys
import time
import warnings

from acnportal.acnsim import ChargingNetwork, EventQueue, PluginEvent, Simulator
from acnportal.acnsim.models import EV, Battery, Linear2StageBattery
from acnportal.acnsim.models.battery import batt_cap_fn
import numpy as np

from .algorithms import BASELINES, Engine
from .metrics import Record, overload_as, percentiles, summary, times
from .network import caltech_copies, caltech_network, star_network
from .optimum import optimum_kwh
from .sessions import PERIOD_MIN, STATIONS, Session, crowd, generate, moved, prepare, read
from .shortcuts import shortcuts
from .sites import Site, Station, caltech, europe

OPTIMUM = "optimum"
STARTS = datetime(2019, 3, 1)
"""Nothing depends on it but the simulator's own clock."""


@dataclass(frozen=True)
class Scene:
    """A site, the same as a network of the simulator, and who comes."""

    site: Site
    network: ChargingNetwork
    sessions: list[Session]


@dataclass(frozen=True)
class Played:
    """What came of a scene: amps told and drawn (EVSE × period), and what calls took: (active sessions, seconds)."""

    told_a: np.ndarray
    drawn_a: np.ndarray
    whole_s: list[tuple[int, float]]
    filling_s: list[tuple[int, float]]


def month(job: dict) -> Scene:
    """Return the scene of a job that simulates all its days."""
    visits = read(Path(job["data"])) if job["data"] else generate()
    if job["site"] == "europe":
        site = europe()
        network, visits = star_network(site), moved(visits, site.most_kw())
    else:
        site, network = caltech(job["capacity_kw"]), caltech_network(job["capacity_kw"])
    return Scene(site, network, prepare(visits, site.most_kw(), days=job["days"], noise_min=job["noise_min"], seed=job["noise_seed"]))


def crowded(job: dict, seed: int) -> Scene:
    """Return the scene of a job that measures calls."""
    copies = -(-job["active"] // len(STATIONS))
    site = caltech(job["capacity_kw"], copies)
    network = caltech_copies(job["capacity_kw"], copies) if copies > 1 else caltech_network(job["capacity_kw"])
    return Scene(site, network, crowd(list(site.stations), job["active"], job["periods"], seed))


def battery(kind: str, session: Session, station: Station) -> Battery:
    """Return a battery that just takes what the session needs, or with taper the one that tapers most of those it can be."""
    most_kw = station.max_a * station.power_v / 1000
    if kind == "ideal":
        return Battery(session.need_kwh, 0, most_kw)
    # A float's breath less: where the whole stay at full power is needed, no battery is found otherwise.
    capacity_kwh, initial_kwh = batt_cap_fn(session.need_kwh * (1 - 1e-6), session.departure - session.arrival, station.power_v, PERIOD_MIN)
    return Linear2StageBattery(capacity_kwh, initial_kwh, most_kw)


def play(scene: Scene, job: dict) -> Played:
    """Let the simulator run until the last car has left."""
    cars = [
        EV(
            session.arrival,
            session.departure,
            session.need_kwh,
            session.station,
            session.session_id,
            battery(job["battery"], session, scene.site.stations[session.station]),
            estimated_departure=session.expected_departure,
        )
        for session in scene.sessions
    ]
    policy = job["policy"]
    algorithm = BASELINES[policy]() if policy in BASELINES else Engine(scene.site, policy, job["worker"], scene.sessions)
    events = EventQueue([PluginEvent(car.arrival, car) for car in cars])
    simulator = Simulator(scene.network, algorithm, events, STARTS, period=PERIOD_MIN, verbose=False)
    with nullcontext() if job["timed"] else shortcuts(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is too much is counted, see `excess`
        simulator.run()
    if isinstance(algorithm, Engine):
        algorithm.close()
        return Played(simulator.pilot_signals, simulator.charging_rates, algorithm.whole_s, algorithm.filling_s)
    calls = [(stats["active_sessions"], stats["solve_time"]) for stats in algorithm.solve_stats if stats["active_sessions"]]
    return Played(simulator.pilot_signals, simulator.charging_rates, calls, [])


def figures(scene: Scene, played: Played) -> dict:
    """Return what a month was worth."""
    rows = {name: row for row, name in enumerate(scene.network.station_ids)}
    records = []
    for session in scene.sessions:
        stay = (rows[session.station], slice(session.arrival, session.departure))
        kwh_per_a = scene.site.stations[session.station].power_v / 1000 * PERIOD_MIN / 60
        records.append(Record(session, played.told_a[stay].tolist(), (played.drawn_a[stay] * kwh_per_a).tolist()))
    found = {
        **summary(records),
        "overload_as": round(overload_as(excess(scene.network, played.drawn_a)), 6),
        "whole": times(played.whole_s),
    }
    return {**found, "filling": times(played.filling_s)} if played.filling_s else found


def excess(network: ChargingNetwork, drawn_a: np.ndarray) -> list[list[float]]:
    """Return by how many amps each limit is exceeded in each period, where that is beyond the simulator's own tolerance."""
    tolerance_a = np.maximum(network.violation_tolerance, network.relative_tolerance * network.magnitudes)
    above_a = np.abs(network.constraint_current(drawn_a)) - network.magnitudes[:, None]
    return np.where(above_a > tolerance_a[:, None], above_a, 0.0).tolist()


def bound(scene: Scene) -> dict:
    """Return the figures of the optimum, those that it has."""
    need_kwh = sum(session.need_kwh for session in scene.sessions)
    delivered_kwh = optimum_kwh(scene.site, scene.network, scene.sessions)
    return {
        "sessions": len(scene.sessions),
        "need_kwh": round(need_kwh, 3),
        "delivered_kwh": round(delivered_kwh, 3),
        "met_percent": round(100 * delivered_kwh / need_kwh, 3),
    }


def timings(job: dict) -> dict:
    """Return what calls take with so many active sessions; the first of each crowd, in which all are plugged in, is not counted."""
    played = [play(crowded(job, seed), job) for seed in range(job["crowds"])]

    def of(calls: Sequence[Sequence[tuple[int, float]]]) -> dict[str, float]:
        return percentiles([seconds * 1000 for crowd_calls in calls for _, seconds in crowd_calls[1:]])

    found = {"whole": of([each.whole_s for each in played])}
    return {**found, "filling": of([each.filling_s for each in played])} if played[0].filling_s else found


def run(job: dict) -> dict:
    """Return the figures of a job."""
    if job["site"] == "crowd":
        return timings(job)
    scene = month(job)
    return bound(scene) if job["policy"] == OPTIMUM else figures(scene, play(scene, job))


if __name__ == "__main__":
    job = json.load(sys.stdin)
    began = time.perf_counter()
    print(json.dumps({**run(job), "took_s": round(time.perf_counter() - began, 1)}))
