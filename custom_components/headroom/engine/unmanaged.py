"""What does everything draw that is not a managed car?

The meter sees the sum of the building and the cars; each car's own meter speaks at another moment, and a car follows its limit
seconds later. Subtracting one from the other blindly turns each of our own actions into a swing of the "building". So a change
is believed at once only as far as the cars cannot explain it, and otherwise once every car has been measured since it began.

That is safe in between: whatever is put down to the cars stays inside the limits they hold, and those are reserved for them. But where
the meter shows more than the circuit's limit it can't be the cars alone, for their limits fit beside what was believed: then all is believed
at once that they were not seen to draw, lest a cut stops short of it until the last of them has followed and is measured.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
import math

from .model import NONE_A, PerPhase

SMALL_A = 2.0
"""A rise up to this is believed before the cars are asked."""
SAME_A = 0.5
"""Differences up to this are noise of two meters."""
type Resting = tuple[bool, bool, bool]
"""On which conductors a reading tells an old value, that was reckoned with already."""
NONE_RESTS: Resting = (False, False, False)
_NO_LIMIT_A = (math.inf, math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One car as the circuit's phases see it.

    Its draw lies between `low_a` and `high_a`: both are what was measured, but for a car on its way from one limit to another,
    or one that nobody can measure now. `reserved_a` is the most it may draw. `measured_at` None: nobody can measure it.
    """

    low_a: PerPhase
    high_a: PerPhase
    reserved_a: PerPhase
    measured_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmanaged:
    """The reckoned load besides the cars. `doubtful_since` is when it last began to look different, None while it agrees.

    `hides_since` is when it was reckoned first, as long as what all cars draw has not been known since: part of it may hide in what is
    reserved for them.
    """

    load_a: PerPhase
    doubtful_since: float | None = None
    hides_since: float | None = None


def add(a: PerPhase, b: PerPhase) -> PerPhase:
    """Return the sum, phase by phase."""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def subtract(a: PerPhase, b: PerPhase) -> PerPhase:
    """Return the difference, phase by phase."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def highest(a: PerPhase, b: PerPhase) -> PerPhase:
    """Return the higher one, phase by phase."""
    return (max(a[0], b[0]), max(a[1], b[1]), max(a[2], b[2]))


def lowest(a: PerPhase, b: PerPhase) -> PerPhase:
    """Return the lower one, phase by phase."""
    return (min(a[0], b[0]), min(a[1], b[1]), min(a[2], b[2]))


def total(values: Iterable[PerPhase]) -> PerPhase:
    """Return the sum over all, phase by phase."""
    result = NONE_A
    for value in values:
        result = add(result, value)
    return result


def estimate(
    reading_a: PerPhase,
    read_at: float,
    draws: Iterable[Draw],
    before: Unmanaged | None,
    limit_a: PerPhase = _NO_LIMIT_A,
    rests: Resting = NONE_RESTS,
) -> Unmanaged:
    """Return the load besides the cars after a reading taken at `read_at`, given what was believed before and the circuit's limit.

    On a conductor that `rests` it stays as it was believed to be, and what was in doubt stays so.
    """
    draws = list(draws)
    if before is not None and any(rests):
        as_before_a = add(before.load_a, total(draw.high_a for draw in draws))
        l1, l2, l3 = (was if rest else shown for was, shown, rest in zip(as_before_a, reading_a, rests, strict=True))
        seen = _estimate((l1, l2, l3), read_at, draws, before, limit_a)
        doubtful_since = seen.doubtful_since if before.doubtful_since is None else before.doubtful_since
        return replace(seen, doubtful_since=doubtful_since, hides_since=before.hides_since)
    known = all(high - low <= SAME_A for draw in draws for low, high in zip(draw.low_a, draw.high_a, strict=True))
    hides_since = None if known else read_at if before is None else before.hides_since
    return replace(_estimate(reading_a, read_at, draws, before, limit_a), hides_since=hides_since)


def _estimate(reading_a: PerPhase, read_at: float, draws: Sequence[Draw], before: Unmanaged | None, limit_a: PerPhase) -> Unmanaged:
    most_seen = subtract(reading_a, total(draw.low_a for draw in draws))
    least_seen = subtract(reading_a, total(draw.high_a for draw in draws))
    if before is None:
        # What may flow into the cars is reserved for them: counting it here too would stop them.
        return Unmanaged(load_a=_clamp(NONE_A, least_seen, most_seen), doubtful_since=read_at)

    seen = _clamp(before.load_a, least_seen, most_seen)
    if all(abs(new - old) <= SAME_A for new, old in zip(seen, before.load_a, strict=True)):
        # The noise of the meters must not move the limits up and down.
        return Unmanaged(load_a=highest(seen, before.load_a))

    doubtful_since = read_at if before.doubtful_since is None else before.doubtful_since
    if all(draw.measured_at is None or draw.measured_at >= doubtful_since for draw in draws):
        return Unmanaged(load_a=seen)

    least = subtract(reading_a, total(highest(draw.high_a, draw.reserved_a) for draw in draws))
    load_a = _clamp(_small_rise(before.load_a, least, least_seen, most_seen), least, reading_a)
    l1, l2, l3 = (
        max(load, unseen) if shown > limit + SAME_A else load
        for load, unseen, shown, limit in zip(load_a, least_seen, reading_a, limit_a, strict=True)
    )
    return Unmanaged(load_a=(l1, l2, l3), doubtful_since=doubtful_since)


def _small_rise(before_a: PerPhase, least_a: PerPhase, least_seen_a: PerPhase, most_seen_a: PerPhase) -> PerPhase:
    """Return what is believed of a rise before the cars are asked: costing little where it is wrong, and much where it is late.

    That is a small rise as it is seen, and the small rest of one that the cars can't explain whole.
    """
    result = []
    for before, least, least_seen, most_seen in zip(before_a, least_a, least_seen_a, most_seen_a, strict=True):
        if least > before:
            result.append(min(most_seen, least + SMALL_A))
        else:
            result.append(least_seen if before < least_seen <= before + SMALL_A else before)
    return (result[0], result[1], result[2])


def _clamp(value: PerPhase, low: PerPhase, high: PerPhase) -> PerPhase:
    l1, l2, l3 = (min(max(v, lo), hi) for v, lo, hi in zip(value, low, high, strict=True))
    return (l1, l2, l3)
