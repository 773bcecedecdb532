"""How long a miniature circuit breaker carries an overload, reckoned on the fast side.

IEC 60898-1 fixes the ends of the thermal curve only: 1.13 × In is never cut, 1.45 × In within an hour, 2.55 × In after 1 s at the
earliest and 60 s (120 s above 32 A) at the latest. Between them a bimetal is a first-order body: θ' = (i² − θ) / τ with i in units
of In, and it trips above θ = 1.13². τ = 45 s puts 2.55 × In at 10 s and 1.45 × In at 42 s from cold, the fast edge of published
curves.
"""

from collections.abc import Iterable
import math

NEVER_TRIPS = 1.13
"""Multiple of the rating that a breaker carries for good."""
THERMAL_TIME_CONSTANT_S = 45.0
MAGNETIC_TRIP = 3.0
"""Multiple of the rating above which a breaker of type B may trip at once."""


def carried_s(load: float, preload: float = 1.0) -> float:
    """Return how many seconds a breaker carries `load` after it was at `preload` for long; both are multiples of its rating.

    Infinite up to 1.13 × In; 0 where the magnetic release may act.
    """
    if load <= NEVER_TRIPS:
        return math.inf
    if load >= MAGNETIC_TRIP or preload >= NEVER_TRIPS:
        return 0.0
    return THERMAL_TIME_CONSTANT_S * math.log((load**2 - preload**2) / (load**2 - NEVER_TRIPS**2))


def carried_load(duration_s: float, preload: float = 1.0) -> float:
    """Return the highest load, as a multiple of the rating, that a breaker carries for `duration_s`: the inverse of `carried_s`."""
    if preload >= NEVER_TRIPS:
        return NEVER_TRIPS
    growth = math.exp(duration_s / THERMAL_TIME_CONSTANT_S)
    return min(MAGNETIC_TRIP, math.sqrt((growth * NEVER_TRIPS**2 - preload**2) / (growth - 1.0)))


def trips_after_s(course: Iterable[tuple[float, float]], preload: float = 1.0) -> float:
    """Return when a breaker may trip that was at `preload` for long; infinite where it does not.

    `course` is what follows, as (seconds, load): loads are multiples of the rating, each held for so long after the one before.
    """
    heat, limit, passed_s = min(preload, NEVER_TRIPS) ** 2, NEVER_TRIPS**2, 0.0
    for duration_s, load in course:
        if duration_s <= 0:
            continue
        if load >= MAGNETIC_TRIP:
            return passed_s
        if load > NEVER_TRIPS:
            left_s = THERMAL_TIME_CONSTANT_S * math.log(max(1.0, (load**2 - heat) / (load**2 - limit)))
            if duration_s > left_s:
                return passed_s + left_s
        heat = load**2 + (heat - load**2) * math.exp(-duration_s / THERMAL_TIME_CONSTANT_S)
        passed_s += duration_s
    return math.inf
