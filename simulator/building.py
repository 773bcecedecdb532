"""What the site draws besides its cars: a base and appliances that switch, or a schedule of steps."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
import math
import random
from typing import NamedTuple, Protocol

from .electrical import NONE_A, PerPhase, added


class Step(NamedTuple):
    """A change of the building's load at `at_s`."""

    at_s: float
    before_a: PerPhase
    after_a: PerPhase


class Load(Protocol):
    """A load as a function of time alone."""

    @property
    def worst_case_a(self) -> PerPhase:
        """What it never exceeds, per phase."""

    def current_a(self, at_s: float) -> PerPhase:
        """Return what it draws at a time."""

    def steps(self, from_s: float, to_s: float) -> Sequence[Step]:
        """Return its changes in (from_s, to_s], in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appliance:
    """Something that draws `current_a` for `on_s` once in every `period_s`, at a moment of its own choosing."""

    name: str
    current_a: PerPhase
    on_s: float
    period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildingLoad:
    """A base and appliances. The same seed gives the same load; raises ValueError where all at once exceed the worst case."""

    base_a: PerPhase
    appliances: tuple[Appliance, ...] = ()
    worst_case_a: PerPhase
    seed: int = 1

    def __post_init__(self) -> None:
        """Hold the promise of the worst case from the beginning."""
        most = added([self.base_a, *(appliance.current_a for appliance in self.appliances)])
        if any(value > worst + 1e-9 for value, worst in zip(most, self.worst_case_a, strict=True)):
            raise ValueError(f"everything at once draws {most} A, more than the worst case {self.worst_case_a} A")
        for appliance in self.appliances:
            if not 0.0 < appliance.on_s < appliance.period_s:
                raise ValueError(f"{appliance.name} must be on for a part of its period")

    def current_a(self, at_s: float) -> PerPhase:
        """Return base and running appliances."""
        running = (appliance.current_a for appliance in self.appliances if self._runs(appliance, at_s))
        return added([self.base_a, *running])

    def steps(self, from_s: float, to_s: float) -> Sequence[Step]:
        """Return when an appliance switched; changes at one moment are one step."""
        edges = sorted(
            {
                edge
                for appliance in self.appliances
                for cycle in range(math.floor(from_s / appliance.period_s) - 1, math.floor(to_s / appliance.period_s) + 1)
                for edge in self._run(appliance, cycle)
                if from_s < edge <= to_s
            }
        )
        levels = [self.current_a(from_s), *(self.current_a(edge) for edge in edges)]
        return [Step(at, before, after) for at, (before, after) in zip(edges, pairwise(levels), strict=True) if before != after]

    def _run(self, appliance: Appliance, cycle: int) -> tuple[float, float]:
        start = cycle * appliance.period_s + _chance(f"{self.seed}/{appliance.name}/{cycle}") * (appliance.period_s - appliance.on_s)
        return start, start + appliance.on_s

    def _runs(self, appliance: Appliance, at_s: float) -> bool:
        start, end = self._run(appliance, math.floor(at_s / appliance.period_s))
        return start <= at_s < end


@lru_cache(maxsize=4096)
def _chance(seed: str) -> float:
    return random.Random(seed).random()


@dataclass(frozen=True, slots=True)
class StepLoad:
    """A load given as (from when, amps) in order of time; the first holds before its time too."""

    levels: tuple[tuple[float, PerPhase], ...] = ((0.0, NONE_A),)

    def __post_init__(self) -> None:
        """Refuse a schedule out of order: raises ValueError."""
        times = [at for at, _ in self.levels]
        if not times or times != sorted(set(times)):
            raise ValueError("a schedule of steps has at least one level, each later than the one before")

    @property
    def worst_case_a(self) -> PerPhase:
        """The highest level of each phase."""
        l1, l2, l3 = (max(level[phase] for _, level in self.levels) for phase in range(3))
        return (l1, l2, l3)

    def current_a(self, at_s: float) -> PerPhase:
        """Return the level that holds."""
        return self.levels[max(0, bisect_right(self.levels, at_s, key=lambda level: level[0]) - 1)][1]

    def steps(self, from_s: float, to_s: float) -> Sequence[Step]:
        """Return the levels' changes."""
        first = max(1, bisect_right(self.levels, from_s, key=lambda level: level[0]))
        last = bisect_right(self.levels, to_s, key=lambda level: level[0])
        found = pairwise(self.levels[first - 1 : last])
        return [Step(at, before, after) for (_, before), (at, after) in found if before != after]
