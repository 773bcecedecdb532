"""A miniature circuit breaker of type B (IEC 60898-1): a bimetal and a magnet on each pole.

Each pole heats as a first-order body, θ' = (i² − θ) / τ with i in units of the rating, and lets go above 1.13², which the standard
has it carry for good. τ = 45 s is the fast edge of published curves: from cold about 42 s at 1.45 In and 10 s at 2.55 In.
The magnet acts at once above 5 In, the upper end of type B.
"""

from dataclasses import dataclass
from enum import StrEnum
import math

from .electrical import NONE_A, PerPhase

NEVER_TRIPS = 1.13
TIME_CONSTANT_S = 45.0
MAGNETIC_TRIP = 5.0


class TripCause(StrEnum):
    """What opened a breaker."""

    THERMAL = "thermal"
    MAGNETIC = "magnetic"


@dataclass(frozen=True, slots=True)
class BreakerState:
    """How hot each pole is, in squares of the rating, and what opened all of them."""

    heat: PerPhase = NONE_A
    tripped: TripCause | None = None


def step(rating_a: float, state: BreakerState, current_a: PerPhase, dt_s: float) -> BreakerState:
    """Return the breaker after `dt_s` of a current on each pole; an open one carries none and cools."""
    loads = NONE_A if state.tripped else tuple(abs(current) / rating_a for current in current_a)
    grown = -math.expm1(-dt_s / TIME_CONSTANT_S)
    l1, l2, l3 = (heat + (load**2 - heat) * grown for heat, load in zip(state.heat, loads, strict=True))
    if state.tripped is None and max(loads) > MAGNETIC_TRIP:
        return BreakerState((l1, l2, l3), TripCause.MAGNETIC)
    if state.tripped is None and max(l1, l2, l3) > NEVER_TRIPS**2:
        return BreakerState((l1, l2, l3), TripCause.THERMAL)
    return BreakerState((l1, l2, l3), state.tripped)


class Breaker:
    """A breaker with a pole on each phase; one pole opens all."""

    def __init__(self, rating_a: float, preload: float = 0.0) -> None:
        """Close a breaker that has carried `preload` (of its rating) for long."""
        self.rating_a = rating_a
        self.state = BreakerState((preload**2,) * 3)
        self.trips = 0

    @property
    def closed(self) -> bool:
        """Whether there is power behind it."""
        return self.state.tripped is None

    def step(self, current_a: PerPhase, dt_s: float) -> bool:
        """Carry a current for a time; returns whether it tripped in it."""
        was_closed = self.closed
        self.state = step(self.rating_a, self.state, current_a, dt_s)
        tripped = was_closed and not self.closed
        self.trips += tripped
        return tripped

    def reset(self) -> None:
        """Close it again, as warm as it is."""
        self.state = BreakerState(self.state.heat)
