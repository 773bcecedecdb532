"""The demo's building, until it goes to its worst case and stays there."""

from collections.abc import Sequence
from typing import override

from simulator.building import BuildingLoad, Load, Step
from simulator.electrical import PerPhase


class WorstOnCall(Load):
    """A building that lives as it does, and draws all it ever may from the moment it is told to until it is told not to."""

    def __init__(self, everyday: BuildingLoad) -> None:
        self._everyday = everyday
        self.worst = False

    @property
    @override
    def worst_case_a(self) -> PerPhase:
        return self._everyday.worst_case_a

    @override
    def current_a(self, at_s: float) -> PerPhase:
        return self.worst_case_a if self.worst else self._everyday.current_a(at_s)

    @override
    def steps(self, from_s: float, to_s: float) -> Sequence[Step]:
        return self._everyday.steps(from_s, to_s)
