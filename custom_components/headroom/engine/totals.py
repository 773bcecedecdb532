"""The rows of a site inside a linear programme: in each block of time they see but the sum of the sessions that load them alike.

A row where currents meet at angles is a circle; the programme has tangents of it.
"""

from cmath import exp, phase as angle
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf, pi

from .programme import Programme
from .rows import Loads, Row

FIRST_TANGENTS = pi / 18
"""The angle between tangents in the first block: the corners lie 0.4 % outside of the circle."""
LATER_TANGENTS = pi / 3
"""In later blocks a rough circle plans no worse."""


@dataclass(slots=True, eq=False)
class Group:
    """The sessions that load the same rows alike: the rows see but their sum."""

    loads: Loads
    watts_per_a: float


@dataclass(slots=True, eq=False)
class Totals:
    """The sum of each group's currents in one block; `taken` is what the tiers before put on each row."""

    programme: Programme
    tangents: float
    taken: dict[Row, complex]
    sums: dict[Group, int] = field(default_factory=dict)
    most_a: dict[Group, float] = field(default_factory=dict)
    columns: dict[Group, int] = field(default_factory=dict)

    def row(self, group: Group, more_a: float) -> int:
        """Return the row that makes a group's sum, for a session that may draw so much more."""
        self.most_a[group] = self.most_a.get(group, 0.0) + more_a
        if group not in self.sums:
            self.sums[group] = self.programme.row(0.0, 0.0)
        return self.sums[group]

    def limit(self) -> None:
        """Keep the sums inside all rows that they could fill."""
        entries: dict[Group, list[tuple[int, float]]] = {group: [(row, -1.0)] for group, row in self.sums.items()}
        for row, loads in scarce(self.most_a.items(), self.taken).items():
            load_a = row.load_a + self.taken.get(row, 0.0)
            on_it = [load for _, load in loads] if load_a == 0 else [load_a, *(load for _, load in loads)]
            for direction in tangents(row, on_it, self.tangents):
                base_a = (load_a * direction).real
                # A row that is full already holds up nobody who would relieve it, and lets nobody in who would not.
                number = self.programme.row(max(0.0, row.limit_a - base_a))
                for group, load in loads:
                    entries[group].append((number, (load * direction).real))
        self.columns = {group: self.programme.column(inf, 0.0, of_group) for group, of_group in entries.items()}

    def take(self, values: Sequence[float]) -> None:
        """Put on the rows what the optimum gives each group."""
        for group, column in self.columns.items():
            for row, load in group.loads:
                self.taken[row] = self.taken.get(row, 0.0) + load * values[column]


def scarce(wanted: Iterable[tuple[Group, float]], taken: Mapping[Row, complex]) -> dict[Row, list[tuple[Group, complex]]]:
    """Return the rows that could not carry so much of each group beside what is taken, and what each group puts on them."""
    wanted_a: dict[Row, float] = {}
    loads: dict[Row, list[tuple[Group, complex]]] = {}
    for group, current_a in wanted:
        for row, load in group.loads:
            wanted_a[row] = wanted_a.get(row, abs(row.load_a + taken.get(row, 0.0))) + abs(load) * current_a
            loads.setdefault(row, []).append((group, load))
    return {row: loads[row] for row, load_a in wanted_a.items() if load_a > row.limit_a}


def tangents(row: Row, loads: Sequence[complex], apart: float) -> list[complex]:
    """Return the directions, as factors that turn them onto the real axis, in which a row's load is held below its limit.

    The load lies between the directions of what loads the row, or is on it already, so that is the arc which needs tangents; the
    middle is one.
    """
    if row.relievable and all(load.imag == 0 for load in loads):
        return [1.0, -1.0]
    middle = sum(loads) / abs(sum(loads))
    half = max(abs(angle(load / middle)) for load in loads)
    each_side = ceil(half / apart - 1e-9)
    return [exp(-1j * half * number / max(1, each_side)) / middle for number in range(-each_side, each_side + 1)]
