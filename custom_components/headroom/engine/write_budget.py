"""How often a station's flash is written: cuts always and at once; raises and renewals as far as a day's budget goes.

A station keeps its charging profiles over a power failure, so each one told is a write to its flash, and cheap flash bears some 100,000
(libocpp's issue 543 reckons a year of an update every five minutes at that). An EVSE has so many writes at hand, gets more by the hour, and
spends them freely while it has many: a building that jumps is followed closely for a while. With few left its raises are larger and later, and the
site gives up the amps that only short leases allow.
"""

from dataclasses import dataclass, replace
import math

WRITES_A_DAY = 500.0
"""In 24 hours of which a car charges for eight."""
BURST = 120.0
CHARGING_PER_S = 35.0 / 3600.0
"""Leases of five minutes take half of that."""
IDLE_PER_S = 6.0 / 3600.0
FREE_ABOVE = 60.0
"""With so many left a raise costs nothing."""
THRIFTY_BELOW = 30.0
"""With fewer left the leases are to be long…"""
THRIFTY_UNTIL = 90.0
"""…until there are so many again."""
SLOWEST_S = 420.0
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
    """The writes an EVSE has at hand as of a time (below zero where cuts took more). `thrifty`: its leases are to be long."""

    left: float = BURST
    at_s: float = math.inf
    thrifty: bool = False

    def spend(self) -> WriteBudget:
        """Return what is left after a write."""
        return replace(self, left=self.left - 1.0)

    def on(self, now: float, *, charging: bool) -> WriteBudget:
        """Return it as it is at a time, `charging` since the time before."""
        gained = max(0.0, now - self.at_s) * (CHARGING_PER_S if charging else IDLE_PER_S)
        left = min(BURST, self.left + gained)
        return WriteBudget(left=left, at_s=now, thrifty=left < (THRIFTY_UNTIL if self.thrifty else THRIFTY_BELOW))

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
