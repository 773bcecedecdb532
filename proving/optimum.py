"""What an offline optimum would have delivered: an upper bound for anybody who shares a site's current.

It knows every arrival, every departure and all that the building will draw; its currents have no least and no steps, it reacts at once, and
no fault befalls it. In blocks of a quarter of an hour each conductor gives its limit less the building's mean; a car takes at most what it
would have taken had it been alone, in each block and in all. The energy is a linear programme's maximum, for each day on its own.
"""

from collections.abc import Sequence

from custom_components.headroom.engine.programme import Programme
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
    programme = Programme()
    limits_a = {circuit.circuit_id: circuit.limit_a() for circuit in setting.circuits}
    paths = {circuit_id: _path(setting, circuit_id) for circuit_id in limits_a}
    full: dict[tuple[str, int, int], int] = {}
    """The row of each conductor of a circuit in each block."""

    def conductor_row(circuit_id: str, conductor: int, block: int) -> int:
        if (circuit_id, conductor, block) not in full:
            drawn_a = _mean_a(setting.loads.get(circuit_id), conductor, day * DAY_S + block * BLOCK_S)
            full[circuit_id, conductor, block] = programme.row(max(0.0, limits_a[circuit_id][conductor] - drawn_a))
        return full[circuit_id, conductor, block]

    for visit in visits:
        place = setting.places[visit.station]
        conductors = ROTATIONS[place.rotation][: visit.car.phases]
        wh_of_a = VOLTAGE_V * len(conductors) * BLOCK_S / 3600
        taken = programme.row(_alone_wh(visit, place.max_a, until_s))
        leaves_s = min(visit.leaves_s or until_s, until_s)
        for block in range(BLOCKS):
            begins_s = day * DAY_S + block * BLOCK_S
            there = max(0.0, min(begins_s + BLOCK_S, leaves_s) - max(begins_s, visit.comes_s)) / BLOCK_S
            if there > 0.0:
                rows = [conductor_row(circuit_id, conductor, block) for circuit_id in paths[place.circuit_id] for conductor in conductors]
                most_a = min(place.max_a, visit.car.max_a) * there
                programme.column(most_a, wh_of_a, [(taken, wh_of_a), *((row, 1.0) for row in rows)])
    return sum(reward * most for reward, most in zip(programme.rewards, programme.maximise(), strict=True))


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
