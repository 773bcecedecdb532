"""What energy costs over time, as far as that is known."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """From when on a kilowatt hour costs how much, in any currency; the last one holds for ever."""

    starts_at: float
    per_kwh: float


@dataclass(frozen=True, slots=True)
class Tariff:
    """The prices from now on, in order; the first holds now."""

    prices: tuple[Price, ...]

    @classmethod
    def of(cls, prices: Sequence[Price], now: float) -> Tariff:
        """Return what is still to come of prices that are told in any order."""
        ordered = sorted(prices, key=lambda price: price.starts_at)
        first = max(0, bisect_right([price.starts_at for price in ordered], now) - 1)
        return cls(tuple(ordered[first:]))

    def changes(self, after: float, before: float) -> list[float]:
        """Return when the price changes in a span of time."""
        return [
            later.starts_at for price, later in pairwise(self.prices) if later.per_kwh != price.per_kwh and after < later.starts_at < before
        ]

    def dearness(self, start: float, end: float, horizon: float) -> float:
        """Return how dear energy is in a span: 0 at the least price from now up to the horizon, 1 at the most; the mean over the span."""
        known = [price.per_kwh for index, price in enumerate(self.prices) if index == 0 or price.starts_at < horizon]
        least, most = min(known, default=0.0), max(known, default=0.0)
        if most <= least or end <= start:
            return 0.0
        begins = [-inf, *(price.starts_at for price in self.prices[1:]), inf]
        spans_s = [max(0.0, min(end, later) - max(start, earlier)) for earlier, later in pairwise(begins)]
        mean = sum(span_s * price.per_kwh for span_s, price in zip(spans_s, self.prices, strict=True)) / (end - start)
        return (mean - least) / (most - least)
