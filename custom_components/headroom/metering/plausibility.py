"""Can what the meter said be true? Pure.

A wrong number is worse than none: with none, the last good reading grows old in the open and the loop falls back by itself.
"""

import math

from .reading import ImplausibleError, Reading

CEILING_A = 2000.0
"""No site this is made for carries more on one conductor."""
POWER_FACTOR_CEILING = 1.5
"""Watts per nominal volt-ampere that are still believed: mains voltage is within 10 %, the rest is for the meter's averaging."""
POWER_FLOOR_W = 1000.0
"""Below this the rounding of the currents may explain any power."""
CLEAR_POWER_VA = 2000.0
"""Above this the currents speak for themselves, if they all flow one way."""
LEAST_POWER_FACTOR = 0.02
"""kW taken for W shows as a power factor of 0.001; capacitors and idle inverters show as more, or draw less than CLEAR_POWER_VA."""


def plausible(reading: Reading, *, voltage_v: float = 230.0, ceiling_a: float = CEILING_A, signed: bool = True) -> Reading:
    """Return the reading as it is; raise ImplausibleError where it can't be true.

    A current or the power that is no finite number, a current beyond ±`ceiling_a`, or a power that no wiring makes of these
    currents at `voltage_v`: units mixed up (kW for W, mA for A), or import taken for export. Energies are not judged.
    `signed` False: the directions of the currents are not known, so only a power that is too great says anything.
    """
    for phase, current in enumerate(reading.current_a, start=1):
        if not math.isfinite(current):
            raise ImplausibleError(f"{reading.source}: the current of L{phase} is {current}, not a number", reading)
        if abs(current) > ceiling_a:
            raise ImplausibleError(
                f"{reading.source}: the current of L{phase} is {current:.0f} A, more than the {ceiling_a:.0f} A possible here", reading
            )
    if reading.power_w is None:
        return reading
    if not math.isfinite(reading.power_w):
        raise ImplausibleError(f"{reading.source}: the power is {reading.power_w}, not a number", reading)
    _check_power(reading, reading.power_w, voltage_v, signed)
    return reading


def _check_power(reading: Reading, power_w: float, voltage_v: float, signed: bool) -> None:
    apparent_va = voltage_v * sum(abs(current) for current in reading.current_a)
    if abs(power_w) > POWER_FACTOR_CEILING * apparent_va + POWER_FLOOR_W:
        raise ImplausibleError(
            f"{reading.source}: a power of {power_w:.0f} W does not go with currents that carry {apparent_va:.0f} VA; are the units right?",
            reading,
        )
    one_way = all(current >= 0 for current in reading.current_a) or all(current <= 0 for current in reading.current_a)
    # Where phases flow against each other the total says little about any of them.
    if not signed or not one_way or apparent_va <= CLEAR_POWER_VA:
        return
    if abs(power_w) < LEAST_POWER_FACTOR * apparent_va:
        raise ImplausibleError(
            f"{reading.source}: a power of {power_w:.1f} W is too little for currents that carry {apparent_va:.0f} VA; are the units right?",
            reading,
        )
    # The other way round, magnitudes beside an exporting total, only overstates the load.
    if power_w > CLEAR_POWER_VA and sum(reading.current_a) < 0:
        raise ImplausibleError(
            f"{reading.source}: the power says import ({power_w:.0f} W), every current says export; is one of them inverted?", reading
        )
