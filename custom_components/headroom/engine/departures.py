"""When does a car really leave? What was said of it, and by how much those before were wrong, make a distribution.

Of the past errors (seconds by which a car left later than was said, below 0 sooner) evenly spread **quantiles** are kept. Between
two neighbours a car leaves as likely as between any other two, and evenly. A car that is still there has not left: what lies in
the past counts no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import sub

LEAST_ERRORS = 10
"""Fewer departures tell nothing: those to come are taken at their word."""
MOST_ERRORS = 60
"""So many are remembered: older ones tell of other times."""
QUANTILES = 9
"""Each stands for the middle of its share, so that an odd departure among twenty counts for nothing."""


def quantiles_of(errors_s: Sequence[float]) -> tuple[float, ...]:
    """Return the quantiles of past errors, in ascending order; nothing where they are too few, or none is wrong."""
    if len(errors_s) < LEAST_ERRORS:
        return ()
    ordered = sorted(errors_s)
    last = len(ordered) - 1
    places = [max(0.0, min(last, (number + 0.5) / QUANTILES * len(ordered) - 0.5)) for number in range(QUANTILES)]
    found: list[float] = []
    for place in places:
        low = int(place)
        found.append(ordered[low] + (ordered[min(low + 1, last)] - ordered[low]) * (place - low))
    return tuple(found) if any(found) else ()


@dataclass(frozen=True, slots=True)
class Stay:
    """How long a car stays from now on: the probability (`there`) that it is still there at each of these moments (`ends_s`, ascending).

    It is there for sure before the first and gone after the last; between them the probability falls evenly. With one it is known.
    """

    ends_s: tuple[float, ...]
    there: tuple[float, ...] = (0.0,)

    @classmethod
    def of(cls, stay_s: float, errors_s: Sequence[float], *, least_s: float, most_s: float) -> Stay:
        """Return the stay of a car that says it stays so long, where such words were wrong by `errors_s` (quantiles, or nothing).

        It is there for `least_s` at least, and a stay of more than `most_s` counts as that. Who has outstayed all leaves then.
        """
        ends_s = [stay_s + error_s for error_s in errors_s] or [stay_s]
        later_s = [end_s for end_s in ends_s if end_s > least_s]
        weights = [1.0] * max(0, len(later_s) - 1)
        if later_s and len(later_s) < len(ends_s):
            before_s = ends_s[-len(later_s) - 1]
            weights.insert(0, (later_s[0] - least_s) / (later_s[0] - before_s))
            later_s.insert(0, least_s)
        if not weights or later_s[0] == later_s[-1]:
            return cls((min(max(least_s, ends_s[-1]), most_s),))
        left = accumulate(weights, sub, initial=sum(weights))
        return cls(tuple(min(end_s, most_s) for end_s in later_s), tuple(max(0.0, each / sum(weights)) for each in left))

    @property
    def known(self) -> bool:
        """Tell whether it leaves at one moment."""
        return len(self.ends_s) == 1

    @property
    def longest_s(self) -> float:
        """Return how long it stays at most."""
        return self.ends_s[-1]

    @property
    def expected_s(self) -> float:
        """Return how long it stays on the average."""
        return self.until_s(self.longest_s)

    def until_s(self, end_s: float) -> float:
        """Return for how long it is there, on the average, until a moment."""
        if end_s <= self.ends_s[0]:
            return end_s
        found_s = self.ends_s[0]
        for (begin_s, before), (until_s, after) in pairwise(zip(self.ends_s, self.there, strict=True)):
            if until_s <= end_s:
                found_s += (until_s - begin_s) * (before + after) / 2
                continue
            if begin_s < end_s:
                length_s = end_s - begin_s
                found_s += length_s * (before - (before - after) * length_s / (until_s - begin_s) / 2)
            break
        return found_s
