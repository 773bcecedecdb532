"""What an offline optimum would have delivered: an upper bound for anybody who shares a site's current.

It knows every arrival, every departure and all that the building will draw; its currents have no least and no steps, it reacts at once, and
no fault befalls it. In blocks of a quarter of an hour each conductor gives its limit less the building's mean; a car takes at most what it
would have taken had it been alone, in each block and in all. The energy is a linear programme's maximum, for each day on its own.
"""

from collections.abc import Sequence

import highspy
import numpy as np

from simulator import car as cars
from simulator.building import Load
from simulator.car import CarState
from simulator.electrical import ROTATIONS, VOLTAGE_V
from simulator.site import Visit

from .chance import DAY_S
from .setting import Setting

BLOCK_S = 900.0
BLOCKS = int(DAY_S / BLOCK_S)
SOLO_STEP_S = 30.0
LOOKS = 90
"""So often in a block the building is looked at."""


def most_wh(setting: Setting, until_s: float) -> float:
    """Return the most energy that could have been delivered from 0 to `until_s`, in Wh at the EVSEs."""
    days = -(-int(until_s) // int(DAY_S))
    by_day: list[list[Visit]] = [[] for _ in range(days)]
    for visit in setting.spec().visits:
        if visit.comes_s < until_s:
            by_day[int(visit.comes_s // DAY_S)].append(visit)
    return sum(_day_wh(setting, visits, day, until_s) for day, visits in enumerate(by_day) if visits)


def _day_wh(setting: Setting, visits: Sequence[Visit], day: int, until_s: float) -> float:
    solver = highspy.Highs()
    solver.silent()
    solver.setMaximize()
    circuits = {circuit.circuit_id: circuit for circuit in setting.circuits}
    paths = {circuit_id: _path(setting, circuit_id) for circuit_id in circuits}
    used: dict[tuple[str, int, int], list[tuple[int, float]]] = {}
    columns = 0
    for visit in visits:
        place = setting.places[visit.station]
        conductors = ROTATIONS[place.rotation][: visit.car.phases]
        wh_of_a = VOLTAGE_V * len(conductors) * BLOCK_S / 3600
        alone_wh = _alone_wh(visit, place.max_a, until_s)
        solver.addRow(-highspy.kHighsInf, alone_wh, 0, np.array([], dtype=np.int32), np.array([]))
        row = solver.getNumRow() - 1
        for block in range(BLOCKS):
            begins_s = day * DAY_S + block * BLOCK_S
            there = max(0.0, min(begins_s + BLOCK_S, visit.leaves_s or until_s, until_s) - max(begins_s, visit.comes_s)) / BLOCK_S
            if there == 0.0:
                continue
            most_a = min(place.max_a, visit.car.max_a) * there
            solver.addCol(wh_of_a, 0.0, most_a, 1, np.array([row], dtype=np.int32), np.array([wh_of_a]))
            for circuit_id in paths[place.circuit_id]:
                for conductor in conductors:
                    used.setdefault((circuit_id, conductor, block), []).append((columns, 1.0))
            columns += 1
    for (circuit_id, conductor, block), terms in used.items():
        room_a = circuits[circuit_id].limit_a()[conductor] - _mean_a(
            setting.loads.get(circuit_id), conductor, day * DAY_S + block * BLOCK_S
        )
        indices = np.array([column for column, _ in terms], dtype=np.int32)
        solver.addRow(-highspy.kHighsInf, max(0.0, room_a), len(terms), indices, np.ones(len(terms)))
    solver.run()
    return float(solver.getInfo().objective_function_value)


def _path(setting: Setting, circuit_id: str) -> list[str]:
    parents = {circuit.circuit_id: circuit.parent_id for circuit in setting.circuits}
    found: list[str] = []
    at: str | None = circuit_id
    while at is not None:
        found.append(at)
        at = parents[at]
    return found


def _mean_a(load: Load | None, conductor: int, begins_s: float) -> float:
    if load is None:
        return 0.0
    return sum(load.current_a(begins_s + (look + 0.5) * BLOCK_S / LOOKS)[conductor] for look in range(LOOKS)) / LOOKS


def _alone_wh(visit: Visit, max_a: float, until_s: float) -> float:
    """Return what a car takes during its stay where nobody else is."""
    state, energy_wh, at_s = CarState(soc=visit.soc), 0.0, visit.comes_s
    ends_s = min(visit.leaves_s or until_s, until_s)
    while at_s < ends_s and not state.full:
        state = cars.step(visit.car, state, max_a, SOLO_STEP_S)
        energy_wh += state.draw_a * visit.car.phases * VOLTAGE_V * SOLO_STEP_S / 3600
        at_s += SOLO_STEP_S
    return energy_wh
