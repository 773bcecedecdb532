"""What no policy can exceed: the most energy with every arrival known beforehand, continuous currents and ideal batteries.

Between two events (a car comes or leaves) nothing changes, and limits are convex: constant currents are as good as any. So a stretch
of time in which cars stay is one linear programme with a variable for each session and interval. A limit on a phasor's magnitude is
the intersection of half-planes; those that the solution violates are added until none is violated by much. Each solution on the way
is an upper bound, so the last one is.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from acnportal.acnsim import ChargingNetwork
import highspy
import numpy as np

from .sessions import PERIOD_MIN, Session
from .sites import Site

ROUNDS = 40
CLOSE = 1e-5
"""A limit exceeded by this share of it is kept."""


def optimum_kwh(site: Site, network: ChargingNetwork, sessions: Sequence[Session]) -> float:
    """Return the most energy that the sessions can get."""
    return sum(_Stretch(site, network, stretch).solve() for stretch in stretches(sessions))


def stretches(sessions: Sequence[Session]) -> Iterator[list[Session]]:
    """Return the sessions in groups: nobody is there between two of them."""
    group: list[Session] = []
    until = 0
    for session in sorted(sessions, key=lambda session: session.arrival):
        if group and session.arrival >= until:
            yield group
            group = []
        group.append(session)
        until = max(until, session.departure)
    if group:
        yield group


class _Stretch:
    """The linear programme of one stretch; its unit of energy is the kilowatt-hour, its variables are amps."""

    def __init__(self, site: Site, network: ChargingNetwork, sessions: Sequence[Session]) -> None:
        """Lay down sessions and needs, and the sums of those that every limit sees alike."""
        self._solver = highspy.Highs()
        self._solver.setOptionValue("output_flag", False)
        self._solver.setOptionValue("log_to_console", False)
        self._solver.changeObjectiveSense(highspy.ObjSense.kMaximize)
        self._limits_a = network.magnitudes
        phasors = network.constraint_matrix * np.exp(1j * np.deg2rad(list(network.phase_angles.values())))
        rows = {name: row for row, name in enumerate(network.station_ids)}
        times = sorted({time for session in sessions for time in (session.arrival, session.departure)})
        self._intervals = list(pairwise(times))
        self._sums: list[dict[tuple[complex, ...], list[int]]] = [{} for _ in self._intervals]
        self._columns = 0
        for session in sessions:
            station = site.stations[session.station]
            seen_as = tuple(phasors[:, rows[session.station]].tolist())
            columns, weights = [], []
            for number, (begin, end) in enumerate(self._intervals):
                if session.arrival <= begin and end <= session.departure:
                    kwh_per_a = station.power_v / 1000 * (end - begin) * PERIOD_MIN / 60
                    column = self._column(kwh_per_a, station.max_a)
                    self._sums[number].setdefault(seen_as, []).append(column)
                    columns.append(column)
                    weights.append(kwh_per_a)
            self._row(session.need_kwh, columns, weights)
        self._groups = [{seen_as: self._sum_of(columns) for seen_as, columns in interval.items()} for interval in self._sums]

    def solve(self) -> float:
        """Return the most energy, in kWh."""
        for _ in range(ROUNDS):
            self._solver.run()
            if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
                raise RuntimeError(f"HiGHS: {self._solver.modelStatusToString(self._solver.getModelStatus())}")
            if not self._cut(np.array(self._solver.getSolution().col_value)):
                break
        return self._solver.getInfo().objective_function_value

    def _cut(self, values: np.ndarray) -> bool:
        """Add the half-plane at each phasor that is too long; tell whether there was one."""
        found = False
        for groups in self._groups:
            if not groups:
                continue
            columns = list(groups.values())
            coefficients = np.array(list(groups)).T
            currents = coefficients @ values[columns]
            for limit in np.flatnonzero(np.abs(currents) > self._limits_a * (1 + CLOSE)):
                direction = np.conj(currents[limit]) / abs(currents[limit])
                self._row(self._limits_a[limit], columns, np.real(coefficients[limit] * direction).tolist())
                found = True
        return found

    def _column(self, worth: float, most: float) -> int:
        """Add a variable from 0 to a most, and return its number."""
        self._solver.addCol(worth, 0.0, most, 0, np.array([], dtype=np.int32), np.array([]))
        self._columns += 1
        return self._columns - 1

    def _row(self, most: float, columns: Sequence[int], weights: Sequence[float]) -> None:
        """Add a sum that is at most so much."""
        self._solver.addRow(-highspy.kHighsInf, most, len(columns), np.array(columns, dtype=np.int32), np.array(weights, dtype=float))

    def _sum_of(self, columns: Sequence[int]) -> int:
        """Add a variable that is the sum of others."""
        total = self._column(0.0, highspy.kHighsInf)
        indices = np.array([*columns, total], dtype=np.int32)
        self._solver.addRow(0.0, 0.0, len(indices), indices, np.array([*([1.0] * len(columns)), -1.0]))
        return total
