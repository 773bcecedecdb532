"""Progressive filling: weighted max-min fair shares of what the rows have left.

The level rises from 0 for all at once, and a share is clip(weight · level, low, high) until one of its rows is full. Between two
events each row's load is a straight line of the level, in the plane of phasors where the row's currents meet at angles; so the
next event is known beforehand. Exact, and O(n log n) for n shares on a tree of bounded depth.

On rows that nobody's current relieves this is *the* weighted max-min fair filling: whoever is stopped could only rise at the cost
of someone no better off. A row that can be relieved stops those who push it when it is full, and where others have relieved
it in the end, they rise again, the lowest first. There the filling is a good one, not always the fairest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heapify, heappop, heappush
from math import inf

from .rows import Loads, Row, full_at

WORTHWHILE_A = 0.5
"""A share that was stopped rises again if it can rise by so much."""


@dataclass(slots=True, eq=False)
class Share:
    """What rises: the rows that it loads, what it has at least, on them already, and at most, and its current in the end."""

    loads: Loads
    weight: float
    low_a: float
    high_a: float
    current_a: float = 0.0
    rising: bool = True

    def at(self, level: float) -> float:
        """Return the current at a level."""
        return min(max(self.weight * level, self.low_a), self.high_a)


class Event(IntEnum):
    """What changes the slope of a row's load while the level rises."""

    START = 0
    """The level reaches the least current of a share: it begins to rise."""
    MOST = 1
    """The level reaches the most current of a share."""
    FULL = 2
    """A row is full."""


@dataclass(slots=True, eq=False)
class Line:
    """A row's load while the level rises: `fixed_a` + `slope` · level, and the shares (by index) that rise, with their coefficients.

    `version` counts the changes: what was foretold before the last one is void.
    """

    row: Row
    fixed_a: complex
    slope: complex = 0.0
    rising: dict[int, complex] = field(default_factory=dict)
    version: int = 0

    def full_at(self) -> float:
        """Return the level at which the row is full, as things stand."""
        return full_at(self.fixed_a, self.slope, self.row.limit_a) if self.rising and self.slope else inf

    def pushing(self, level: float) -> list[int]:
        """Return the shares that make a full row fuller."""
        if not self.row.relievable:
            return list(self.rising)
        back = (self.fixed_a + self.slope * level).conjugate()
        return [index for index, coefficient in self.rising.items() if (back * coefficient).real > 0] or list(self.rising)


def fill(shares: Sequence[Share]) -> None:
    """Give each share its `current_a`; what it has at least must be on its rows already."""
    filling = Filling(shares)
    events = filling.events
    while events or filling.resume():
        level, event, index, version = heappop(events)
        if event is Event.START:
            filling.start(index)
        elif event is Event.MOST:
            filling.stop(index, level)
        elif version == filling.lines[index].version:
            for pushing in filling.lines[index].pushing(level):
                filling.stop(pushing, level)
        if filling.changed and (not events or events[0][0] > level):
            filling.foretell(level)  # once for all that happens at one level


class Filling:
    """The state of `fill`: the lines of the scarce rows, and a heap of events (level, event, index of share or line, version)."""

    def __init__(self, shares: Sequence[Share]) -> None:
        """Start at level 0 with every share at its least."""
        self.shares = shares
        self.lines = [Line(row, row.load_a) for row in scarce(shares)]
        line_of = {line.row: number for number, line in enumerate(self.lines)}
        self.loads = [[(line_of[row], load) for row, load in share.loads if row in line_of] for share in shares]
        self.events = [(share.low_a / share.weight, Event.START, index, 0) for index, share in enumerate(shares)]
        self.changed: set[int] = set()
        heapify(self.events)

    def start(self, index: int) -> None:
        """Let a share rise from its least."""
        share = self.shares[index]
        for number, load in self.loads[index]:
            line = self.lines[number]
            line.fixed_a -= load * share.low_a
            line.slope += load * share.weight
            line.rising[index] = load
            self.changed.add(number)
        heappush(self.events, (share.high_a / share.weight, Event.MOST, index, 0))

    def stop(self, index: int, level: float) -> None:
        """Fix a share that still rises at its current at this level."""
        share = self.shares[index]
        if not share.rising:
            return
        share.rising = False
        share.current_a = share.at(level)
        for number, load in self.loads[index]:
            line = self.lines[number]
            line.fixed_a += load * share.current_a
            line.slope -= load * share.weight
            del line.rising[index]
            self.changed.add(number)

    def resume(self) -> bool:
        """Let those rise again whose rows have been relieved since they were stopped; tell whether there are any."""
        if not any(line.row.relievable for line in self.lines):
            return False
        for index, share in enumerate(self.shares):
            if share.current_a + WORTHWHILE_A <= share.high_a and all(
                abs(self.lines[number].fixed_a + load * WORTHWHILE_A) <= self.lines[number].row.limit_a
                for number, load in self.loads[index]
            ):
                share.rising, share.low_a = True, share.current_a
                heappush(self.events, (share.low_a / share.weight, Event.START, index, 0))
        return bool(self.events)

    def foretell(self, level: float) -> None:
        """Say of each line that changed when it will be full."""
        for number in sorted(self.changed):
            line = self.lines[number]
            line.version += 1
            full = line.full_at()
            if full < inf:
                heappush(self.events, (max(level, full), Event.FULL, number, line.version))
        self.changed.clear()


def scarce(shares: Iterable[Share]) -> list[Row]:
    """Return the rows that could not carry every share at its most: no other row can stop one."""
    wanted_a: dict[Row, float] = {}
    for share in shares:
        more_a = share.high_a - share.low_a
        for row, load in share.loads:
            wanted_a[row] = wanted_a.get(row, abs(row.load_a)) + abs(load) * more_a
    return [row for row, load_a in wanted_a.items() if load_a > row.limit_a]
