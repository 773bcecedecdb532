"""Steps of an EVSE's draw beside what a meter saw: from one level that lasted to the next, and how the meter rose and fell meanwhile.

An EVSE's meter tells of a change up to some seconds late, a grid's meter too, and each at moments of its own. So the meter is looked at
from well before the last sign of the old level to well after the first of the new one.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from .model import ALL_PHASES, PerPhase
from .phase_map import LEAST_STEP_A, MOVES_A, Moved, Step

SAME_A = 0.75
"""A draw that stays within so much of its level stands still."""
SAMPLE_LAG_S = 3.0
"""So old may be what an EVSE's sample tells."""
METER_LAG_S = 5.0
"""So late may a meter follow."""
LASTS_S = 7.0
"""For so long a draw has to stand still."""
CHANGES_S = 45.0
"""A change that takes longer is none to learn from."""
SILENT_S = 30.0
"""A level that was not told again for so long is not known any more."""
KEPT_S = 150.0
TURNS_A = 1.5
"""A meter that goes back by less has not turned: that is noise."""
TURNS_BY_NOISE = 6.0
"""…or by less than so many times what it usually changes from one reading to the next."""


@dataclass(slots=True, kw_only=True)
class Level:
    """A draw that stood still: from the first sample that showed it to the last."""

    from_s: float
    until_s: float
    terminals_a: tuple[float, ...]
    samples: int = 1

    def holds(self, terminals_a: Sequence[float]) -> bool:
        """Tell whether a sample shows it still."""
        return len(terminals_a) == len(self.terminals_a) and all(
            abs(new - old) <= SAME_A for new, old in zip(terminals_a, self.terminals_a, strict=True)
        )

    @property
    def lasted_s(self) -> float:
        """For how long it was seen."""
        return self.until_s - self.from_s


@dataclass(slots=True)
class Draws:
    """One EVSE's draw as a course of levels, the newest last."""

    levels: deque[Level] = field(default_factory=deque)
    used_s: float | None = None
    """When the newest level began that a step was made of, or could have been."""

    def take(self, terminals_a: tuple[float, ...] | None, at_s: float) -> None:
        """Take a sample; None: nobody knows what it draws now. One of before the last is passed over."""
        last = self.levels[-1] if self.levels else None
        if terminals_a is None or (last is not None and at_s - last.until_s > SILENT_S):
            self.levels.clear()
            last = None
        if terminals_a is None or (last is not None and at_s < last.until_s):
            return
        if last is None or not last.holds(terminals_a):
            self.levels.append(Level(from_s=at_s, until_s=at_s, terminals_a=terminals_a))
        elif at_s > last.until_s:
            last.until_s = at_s
            share = 1 / (last.samples + 1)
            mixed = (old + (new - old) * share for new, old in zip(terminals_a, last.terminals_a, strict=True))
            last.terminals_a, last.samples = tuple(mixed), last.samples + 1
        while self.levels[0].until_s < at_s - KEPT_S:
            self.levels.popleft()

    def moved(self, from_s: float, until_s: float) -> Moved | None:
        """Return how it moved from one moment to another; None where it was on its way at one of them, or nobody knows."""
        first, last = self._at(from_s), self._at(until_s)
        if first is None or last is None:
            return None
        course = [level.terminals_a for level in [*self.levels][first : last + 1]]
        return _moved(course, MOVES_A) if len({len(each) for each in course}) == 1 else None

    def _at(self, at_s: float) -> int | None:
        for index, level in enumerate(self.levels):
            still = index == len(self.levels) - 1 and at_s - level.until_s <= SILENT_S
            if level.from_s <= at_s and (level.until_s >= at_s or still):
                return index
        return None

    def change(self) -> tuple[Level, Level] | None:
        """Return the levels before and after the newest change, once both have lasted; None where there is none, or it was used."""
        if len(self.levels) < 2 or (after := self.levels[-1]).from_s == self.used_s or after.lasted_s < LASTS_S:
            return None
        before = next((level for level in reversed([*self.levels][:-1]) if level.lasted_s >= LASTS_S), None)
        return None if before is None or after.from_s - before.until_s > CHANGES_S else (before, after)

    def use(self) -> None:
        """Take note that nothing more is to be made of the newest change."""
        self.used_s = self.levels[-1].from_s


@dataclass(slots=True)
class Readings:
    """What a meter said lately."""

    readings: deque[tuple[float, PerPhase]] = field(default_factory=deque)

    def take(self, current_a: PerPhase, at_s: float) -> None:
        """Take a reading; one of before the last is passed over."""
        if self.readings and at_s <= self.readings[-1][0]:
            return
        self.readings.append((at_s, current_a))
        while self.readings[0][0] < at_s - KEPT_S:
            self.readings.popleft()

    def between(self, from_s: float, until_s: float) -> list[PerPhase] | None:
        """Return the readings from the last one before a time to the first one after it; None where there is none before or after."""
        times = [at_s for at_s, _ in self.readings]
        first = max((index for index, at_s in enumerate(times) if at_s <= from_s), default=None)
        last = next((index for index, at_s in enumerate(times) if at_s >= until_s), None)
        return None if first is None or last is None else [self.readings[index][1] for index in range(first, last + 1)]

    def turns_a(self) -> float:
        """Return by how much the meter has to go back to have turned, for what it usually changes."""
        changes = [
            abs(new[phase] - old[phase])
            for (_, old), (_, new) in pairwise(self.readings)
            for phase in ALL_PHASES
            if new[phase] or old[phase]
        ]
        return max(TURNS_A, TURNS_BY_NOISE * median(changes)) if changes else TURNS_A


def risen_and_fallen(values: Sequence[float], turns_a: float) -> tuple[float, float]:
    """Return by how much a course rose, and by how much it fell, each altogether; what goes back by less than `turns_a` is left out."""
    legs_a = {1: 0.0, -1: 0.0}
    least = most = foot = farthest = values[0]
    way = 0
    for value in values[1:]:
        if way == 0:
            least, most = min(least, value), max(most, value)
            if most - least >= turns_a:
                way, foot, farthest = (1, least, value) if value == most else (-1, most, value)
        elif way * (value - farthest) > 0:
            farthest = value
        elif way * (farthest - value) >= turns_a:
            legs_a[way] += abs(farthest - foot)
            way, foot, farthest = -way, farthest, value
    if way:
        legs_a[way] += abs(farthest - foot)
    return legs_a[1], legs_a[-1]


def step_of(own: Draws, others: Iterable[Draws], meter: Readings, now: float) -> Step | None:
    """Return the newest step of an EVSE that is ready to be weighed; None where there is none, or none to be used.

    `others` are the other EVSEs below the meter that are told limits: where nobody knows what one of them drew, nothing can be told.
    """
    if (change := own.change()) is None:
        return None
    before, after = change
    from_s, until_s = before.until_s - SAMPLE_LAG_S, after.from_s + METER_LAG_S
    if now < until_s + SAMPLE_LAG_S or (readings := meter.between(from_s, until_s)) is None:
        return None  # more may come
    own.use()
    turns_a = meter.turns_a()
    moved = own.moved(before.from_s, after.from_s)
    if moved is None or moved.most_a < max(LEAST_STEP_A, 2 * turns_a):
        return None
    beside = []
    for other in others:
        if (move := other.moved(from_s, until_s + SAMPLE_LAG_S)) is None:
            return None
        if move.most_a >= MOVES_A:
            beside.append(move)
    return Step(own=moved, meter=_moved(readings, turns_a), others=tuple(beside))


def _moved(course: Sequence[Sequence[float]], turns_a: float) -> Moved:
    """Return how each of several currents moved, given their course together."""
    each = [risen_and_fallen(values, turns_a) for values in zip(*course, strict=True)]
    return Moved(risen_a=tuple(risen for risen, _ in each), fallen_a=tuple(fallen for _, fallen in each))
