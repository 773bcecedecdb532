"""When what failed at a station is tried again: each kind of step for itself, so that no cut waits for something else that failed."""

from dataclasses import dataclass, field
import math
from typing import NamedTuple

from .config import EvseKey

RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""So long after it failed once, twice and so on in a row a step is tried again."""

type Place = tuple[EvseKey | None, str]
"""What failed: the EVSE, or None for the whole station, and the name of the step."""


class _Wait(NamedTuple):
    failures: int
    not_before: float


@dataclass(slots=True)
class Backoff:
    """The steps of one station that failed and have not succeeded since. Times are monotonic seconds."""

    _waits: dict[Place, _Wait] = field(default_factory=dict)

    def failed(self, place: Place, now: float) -> int:
        """Take note that a step failed; returns how often in a row."""
        failures = self.failures(place) + 1
        self._waits[place] = _Wait(failures, now + RETRY_S[min(failures, len(RETRY_S)) - 1])
        return failures

    def hurry(self, place: Place) -> None:
        """Have a step tried again now; how often it failed is not forgotten."""
        if place in self._waits:
            self._waits[place] = _Wait(self.failures(place), -math.inf)

    def over(self, place: Place) -> None:
        """Take note that a step succeeded, or that another one takes its place."""
        self._waits.pop(place, None)

    def clear(self) -> None:
        """Forget all that failed."""
        self._waits.clear()

    def failures(self, place: Place) -> int:
        """Return how often in a row a step has failed."""
        return self._waits[place].failures if place in self._waits else 0

    def holds_back(self, place: Place, now: float) -> bool:
        """Tell whether a step is not to be tried yet."""
        return place in self._waits and now < self._waits[place].not_before

    @property
    def ends(self) -> list[float]:
        """When each of them may be tried again."""
        return [wait.not_before for wait in self._waits.values()]
