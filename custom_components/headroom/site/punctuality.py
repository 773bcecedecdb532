"""Do cars leave when it was said that they would? By how much later they left, learnt for each driver and for the site as a whole."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from ..engine.departures import LEAST_ERRORS, MOST_ERRORS, quantiles_of

SITE = "site"
MOST_NAMES = 1000
MOST_ERROR_S = 86_400.0
"""Whoever leaves a day sooner or later than was said meant another day: that tells nothing."""


@dataclass(slots=True)
class Punctuality:
    """By how much later than was said (seconds, below 0 sooner) cars left, the latest last, by the driver's name and for the site."""

    errors_s: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _usual_s: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def learn(self, drivers: Sequence[str], error_s: float) -> bool:
        """Take in by how much later a car left than its driver, where one is known, or it said; False where it tells nothing."""
        if abs(error_s) > MOST_ERROR_S:
            return False
        for name in (*drivers, SITE):
            self.errors_s[name] = (*self.errors_s.pop(name, ()), error_s)[-MOST_ERRORS:]
            self._usual_s.pop(name, None)
        while len(self.errors_s) > MOST_NAMES:
            name = next(iter(self.errors_s))  # who was not here for the longest time
            del self.errors_s[name]
            self._usual_s.pop(name, None)
        return True

    def usual_s(self, drivers: Iterable[str]) -> tuple[float, ...]:
        """Return the quantiles of what is usual for a driver, else for the site; nothing where too little is known, or all keep their word."""
        return self._of(next((name for name in drivers if len(self.errors_s.get(name, ())) >= LEAST_ERRORS), SITE))

    def median_s(self) -> float | None:
        """Return by how much cars leave sooner or later than was said in the median, in seconds; None where too little is known."""
        errors_s = self.errors_s.get(SITE, ())
        return median(map(abs, errors_s)) if len(errors_s) >= LEAST_ERRORS else None

    def _of(self, name: str) -> tuple[float, ...]:
        """Return the quantiles under a name: they are asked for at every turn, and change when a car has left."""
        if name not in self._usual_s:
            self._usual_s[name] = quantiles_of(self.errors_s.get(name, ()))
        return self._usual_s[name]

    def document(self) -> dict[str, list[int]]:
        """Return it as JSON-able data, in whole seconds."""
        return {name: [round(error_s) for error_s in errors_s] for name, errors_s in self.errors_s.items()}

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take over what `document` gave."""
        self.errors_s = {name: tuple(errors_s) for name, errors_s in document.items()}
        self._usual_s = {}
