"""The spans of time that a plan looks ahead over: the period that is decided now, then on to the departures."""

from collections.abc import Sequence
from dataclasses import dataclass

from .departures import Stay
from .prices import Tariff

PERIOD_S = 300.0
"""The first block: how long a plan is meant to hold."""
BLOCKS = 12
"""The most blocks after the first. They end at departures, the early ones more finely."""
FINENESS = 1.5
LEAST_BLOCK_S = 900.0
BLOCK_GROWTH = 0.25
"""Where departures are uncertain, each block is longer than the time before it by this share, but for the first ones."""


@dataclass(frozen=True, slots=True)
class Block:
    """A span of time from now on, in seconds, and how dear energy is in it: from 0, the cheapest there is, to 1."""

    start_s: float
    end_s: float
    dearness: float = 0.0

    @property
    def length_s(self) -> float:
        """Return how long it is."""
        return self.end_s - self.start_s

    def present(self, stay: Stay) -> float:
        """Return for which share of the block a session is there, on the average."""
        return (stay.until_s(self.end_s) - stay.until_s(self.start_s)) / self.length_s

    def reached(self, stay: Stay) -> float:
        """Return for which share of the block a session is there at most."""
        return max(0.0, min(self.end_s, stay.longest_s) - self.start_s) / self.length_s


def blocks_of(stays: Sequence[Stay], tariff: Tariff, now: float) -> list[Block]:
    """Return the blocks: the period that is decided now, then up to each departure, or to some of them where they are many.

    Where a departure is uncertain they end at moments that lie further and further apart; and where the price changes, always.
    """
    departures_s = sorted({stay.longest_s for stay in stays if stay.longest_s > PERIOD_S})
    last = len(departures_s) - 1
    if not all(stay.known for stay in stays):
        departures_s = spaced(departures_s[-1])
    elif len(departures_s) > BLOCKS:
        chosen = sorted({round(last * (number / BLOCKS) ** FINENESS) for number in range(1, BLOCKS + 1)})
        departures_s = [departures_s[index] for index in chosen]
    horizon = now + max([PERIOD_S, *departures_s])
    ends_s = sorted({PERIOD_S, *departures_s, *(change - now for change in tariff.changes(now + PERIOD_S, horizon))})
    return [
        Block(start_s, end_s, tariff.dearness(now + start_s, now + end_s, horizon))
        for start_s, end_s in zip([0.0, *ends_s], ends_s, strict=False)
    ]


def spaced(longest_s: float) -> list[float]:
    """Return moments up to the last departure that lie further and further apart."""
    ends_s: list[float] = []
    end_s = PERIOD_S
    while end_s < longest_s:
        end_s += max(LEAST_BLOCK_S, BLOCK_GROWTH * end_s)
        ends_s.append(min(end_s, longest_s))
    return ends_s
