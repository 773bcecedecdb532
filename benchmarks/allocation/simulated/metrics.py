"""What a simulated month was worth, reckoned the same way for every policy, from what was told to the EVSEs and what the cars drew."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from .sessions import PERIOD_MIN, Session

SHORT_KWH = 0.1
"""A session that lacks no more than this got what it needed; one that lacks no more is not paused by 0 A, it is done."""


@dataclass(frozen=True)
class Record:
    """One session's periods, from its plugging in to its unplugging: the amps told, and the energy drawn."""

    session: Session
    told_a: Sequence[float]
    drawn_kwh: Sequence[float]

    @property
    def delivered_kwh(self) -> float:
        """Return the energy of the session."""
        return sum(self.drawn_kwh)

    @property
    def short(self) -> bool:
        """Tell whether the car left with less than it needed."""
        return self.session.need_kwh - self.delivered_kwh > SHORT_KWH

    def writes(self) -> int:
        """Return how often the EVSE was told another current, the first one included."""
        return 1 + sum(later != earlier for earlier, later in pairwise(self.told_a))

    def pauses(self) -> int:
        """Return how often a car that charged, and still needed energy, was told 0 A."""
        count, lacks_kwh = 0, self.session.need_kwh
        for period, told_a in enumerate(self.told_a):
            if told_a == 0 and period and self.told_a[period - 1] > 0 and lacks_kwh > SHORT_KWH:
                count += 1
            lacks_kwh -= self.drawn_kwh[period]
        return count


def jain(values: Sequence[float]) -> float:
    """Return Jain's index of fairness, 1 where all are equal."""
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else 1.0


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below or at which so many percent lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def overload_as(excess_a: Sequence[Sequence[float]]) -> float:
    """Return the ampere-seconds above the limits, from the amps above each limit (never below 0) in each period."""
    return sum(sum(row) for row in excess_a) * PERIOD_MIN * 60


def summary(records: Sequence[Record]) -> dict[str, float]:
    """Return the figures of a month."""
    need_kwh = sum(record.session.need_kwh for record in records)
    delivered_kwh = sum(record.delivered_kwh for record in records)
    count = len(records)
    return {
        "sessions": count,
        "need_kwh": round(need_kwh, 3),
        "delivered_kwh": round(delivered_kwh, 3),
        "met_percent": round(100 * delivered_kwh / need_kwh, 3),
        "short": sum(record.short for record in records),
        "jain": round(jain([record.delivered_kwh / record.session.need_kwh for record in records]), 4),
        "pauses_per_session": round(sum(record.pauses() for record in records) / count, 3),
        "writes_per_session": round(sum(record.writes() for record in records) / count, 2),
    }


def times(calls: Sequence[tuple[int, float]]) -> dict[str, object]:
    """Return the percentiles of what calls took, from (active sessions, seconds), in all and by tens of active sessions."""
    by_active: dict[int, list[float]] = {}
    for active, seconds in calls:
        by_active.setdefault(active // 10 * 10, []).append(seconds * 1000)
    return {
        **percentiles([seconds * 1000 for _, seconds in calls]),
        "by_active": {str(key): percentiles(by_active[key]) for key in sorted(by_active)},
    }


def percentiles(values_ms: Sequence[float]) -> dict[str, float]:
    """Return the figures of times in milliseconds."""
    return {"calls": len(values_ms), "p50_ms": round(percentile(values_ms, 50), 3), "p99_ms": round(percentile(values_ms, 99), 3)}
