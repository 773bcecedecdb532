"""When does a car go from three phases to one, and back? Where its least current fits on one conductor and does not on three.

Some cars were damaged by being switched: nothing is switched but with no current flowing, long enough before and seldom enough.
Times are seconds of the caller's monotonic clock.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from .model import Allocation, Headroom, Phase, Request
from .rows import TOLERANCE_A, loads_of, put, room_a, rows_of

PAUSE_S = 10.0
"""No current flows for so long before a switch (EVerest, zappi and Zaptec ask for as much)."""
LEAST_S = 600.0
"""At least so long lies between two switches."""
SHORT_S = 60.0
"""Its least current has not fitted on three phases for so long, and has on one…"""
ROOMY_S = 600.0
"""…and has fitted on three for so long, before it is worth a switch back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSwitch:
    """Where a charging point is between one phase and three. `goal`: the switch that is on its way, True to one phase."""

    on_one: bool = False
    goal: bool | None = None
    wants_since: float | None = None
    """Since when the other way would be better."""
    still_since: float | None = None
    """Since when no current flows, while a switch is on its way."""
    switched_at: float = -inf
    seen: bool = False
    """Its car was seen on one conductor alone since."""
    disproved: bool = False
    """It was seen on others too, or its station refused: it does not switch, whatever it says."""

    @property
    def untried(self) -> bool:
        """It was told one phase, and nobody has seen yet that it is: no more than the least current is risked on it."""
        return self.on_one and not self.seen

    @property
    def pausing(self) -> bool:
        """The car is given nothing until the switch is done."""
        return self.goal is not None

    def tells_one(self, now: float) -> bool:
        """Tell whether the station is to be told one phase now: what it has, until it has paused for long enough."""
        return self.goal if self.goal is not None and self._paused(now) else self.on_one

    def _paused(self, now: float) -> bool:
        return self.still_since is not None and now - self.still_since >= PAUSE_S


def considered(switch: PhaseSwitch, *, may: bool, fits_three: bool, fits_one: bool, now: float) -> PhaseSwitch:
    """Return the switch with a goal where it is time for one. `may` False: somebody or something speaks against one phase."""
    if switch.goal is not None:
        return switch
    may = may and not switch.disproved
    wants = (fits_three or not may) if switch.on_one else (may and fits_one and not fits_three)
    if not wants:
        return replace(switch, wants_since=None)
    since = now if switch.wants_since is None else switch.wants_since
    waited = now - since >= (ROOMY_S if switch.on_one else SHORT_S)
    if waited and now - switch.switched_at >= LEAST_S:
        return replace(switch, goal=not switch.on_one, wants_since=None, still_since=None)
    return replace(switch, wants_since=since)


def refused(switch: PhaseSwitch) -> PhaseSwitch:
    """Return the switch given up: its station does not take a limit for one phase."""
    return replace(switch, goal=None, wants_since=None, still_since=None, disproved=True)


def advanced(switch: PhaseSwitch, *, flows: bool, confirmed_one: bool | None, now: float) -> PhaseSwitch:
    """Return how far a switch has come.

    `flows`: current may flow still; `confirmed_one` is what the station confirmed last, None while lease and fallback differ in it.
    """
    if switch.goal is None:
        return switch
    if flows:
        return replace(switch, still_since=None)
    since = now if switch.still_since is None else switch.still_since
    if now - since >= PAUSE_S and confirmed_one == switch.goal:
        return PhaseSwitch(on_one=switch.goal, switched_at=now, disproved=switch.disproved)
    return replace(switch, still_since=since)


def fits(
    headrooms: Sequence[Headroom],
    requests: Iterable[Request],
    allocations: Mapping[str, Allocation],
    request: Request,
    phases: Sequence[Phase],
) -> bool:
    """Tell whether a session's least current fits on these conductors beside the least of the others that charge."""
    rows = rows_of(headrooms)
    for other in requests:
        if other.request_id != request.request_id and allocations[other.request_id].limit_a > 0:
            put(loads_of(rows[other.circuit_id], other.phases), other.min_a)
    return room_a(loads_of(rows[request.circuit_id], phases)) >= request.min_a - TOLERANCE_A
