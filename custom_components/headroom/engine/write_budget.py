"""How often a station's flash is written: cuts always and at once; raises and renewals as far as a day's budget goes.

A station keeps its charging profiles over a power failure, so each one told is a write to its flash, and cheap flash bears some 100,000
(libocpp's issue 543 reckons a year of an update every five minutes at that). An EVSE has so many writes at hand, gets more by the hour, and
spends them freely while it has many: a building that jumps is followed closely for a while. With few left its raises are larger and later, and
its leases long, while others that have more left hold the short ones (`site/steadiness.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
import math

from .deadman import LEASE_MIN_S

WRITES_A_DAY = 500.0
"""In 24 hours of which a car charges for eight."""
BURST = 110.0
CHARGING_PER_S = 47.0 / 3600.0
"""Leases of five minutes take a third of that."""
IDLE_PER_S = 0.8 / 3600.0
NEARLY_FULL = 100.0
"""With so many left more leases may be short than have to be."""
PLENTY = 80.0
"""With so many left leases may be as short as they can be…"""
SPARING = 60.0
"""…and with so few no lease is to be shorter than `SPARING_LEASE_S`."""
SPARING_LEASE_S = 25.0
"""Shorter ones, and longer ones up to where a breaker carries the load for good, allow fewer amps for each write."""
SWINGS_FROM = 35.0
"""An EVSE may begin to hold short leases with so many left…"""
SWINGS_TO = 10.0
"""…and goes on until there are no more than these."""
FREE_ABOVE = 30.0
"""With so many left a raise costs nothing."""
SLOWEST_S = 300.0
"""With none left a limit is raised this often: a cut and a raise in that time, and the renewals of long leases, are what comes in."""
WIDEST_A = 4.0
LONGEST_ROOMY_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a limit is raised: at most every `raise_every_s`; less than `dead_band_a` only after `dead_band_s` and `roomy_s` of room."""

    raise_every_s: float = 3.0
    dead_band_a: float = 2.0
    dead_band_s: float = 5.0
    roomy_s: float = 10.0


BRISK = Pace()
"""The noise of a meter moves no limits up and down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteBudget:
    """The writes an EVSE has at hand as of a time (below zero where cuts took more)."""

    left: float = BURST
    at_s: float = math.inf

    def spend(self) -> WriteBudget:
        """Return what is left after a write."""
        return replace(self, left=self.left - 1.0)

    def on(self, now: float, *, charging: bool) -> WriteBudget:
        """Return it as it is at a time, `charging` since the time before."""
        gained = max(0.0, now - self.at_s) * (CHARGING_PER_S if charging else IDLE_PER_S)
        return WriteBudget(left=min(BURST, self.left + gained), at_s=now)

    def document(self, posix_zero_s: float) -> dict[str, float] | None:
        """Return it as JSON-able data, None before its first turn; `posix_zero_s` is the POSIX time of its clock's zero."""
        return {"left": round(self.left, 2), "at": self.at_s + posix_zero_s} if math.isfinite(self.at_s) else None

    @classmethod
    def from_document(cls, document: Mapping[str, float], posix_zero_s: float) -> WriteBudget:
        """Return what `document` gave; the time since then is not known to have been spent charging."""
        return cls(left=min(BURST, document["left"]), at_s=document["at"] - posix_zero_s)

    @property
    def nearly_full(self) -> bool:
        """Whether so many are at hand that some can be spent on being inside the limit soon without us."""
        return self.left >= NEARLY_FULL

    @property
    def shortest_s(self) -> float:
        """The shortest leases that it is for."""
        return _between(LEASE_MIN_S, SPARING_LEASE_S, min(1.0, max(0.0, (PLENTY - self.left) / (PLENTY - SPARING))))

    def swings(self, *, swinging: bool) -> bool:
        """Tell whether its EVSE may hold short leases, or go on with them."""
        return self.left >= (SWINGS_TO if swinging else SWINGS_FROM)

    def pace(self) -> Pace:
        """Return how its limit is raised now."""
        short = min(1.0, max(0.0, 1.0 - self.left / FREE_ABOVE))
        if short <= 0:
            return BRISK
        return Pace(
            raise_every_s=_between(BRISK.raise_every_s, SLOWEST_S, short),
            dead_band_a=_between(BRISK.dead_band_a, WIDEST_A, short),
            dead_band_s=_between(BRISK.dead_band_s, SLOWEST_S, short),
            roomy_s=_between(BRISK.roomy_s, LONGEST_ROOMY_S, short),
        )


def _between(least: float, most: float, share: float) -> float:
    """Return what lies between two numbers, by equal factors."""
    return least * math.exp(share * math.log(most / least))
