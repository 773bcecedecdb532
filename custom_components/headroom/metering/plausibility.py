"""Can what the meter said be true? Pure.

A wrong number is worse than none: with none, the last good reading grows old in the open and the loop falls back by itself.
"""

import math

from .fault import Fault
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
            raise ImplausibleError(Fault.CURRENT_NO_NUMBER, reading, phase=f"L{phase}", value=str(current))
        if abs(current) > ceiling_a:
            raise ImplausibleError(Fault.CURRENT_TOO_GREAT, reading, phase=f"L{phase}", value=f"{current:.0f}", most=f"{ceiling_a:.0f}")
    if reading.power_w is None:
        return reading
    if not math.isfinite(reading.power_w):
        raise ImplausibleError(Fault.POWER_NO_NUMBER, reading, value=str(reading.power_w))
    _check_power(reading, reading.power_w, voltage_v, signed)
    return reading


def _check_power(reading: Reading, power_w: float, voltage_v: float, signed: bool) -> None:
    apparent_va = voltage_v * sum(abs(current) for current in reading.current_a)
    if abs(power_w) > POWER_FACTOR_CEILING * apparent_va + POWER_FLOOR_W:
        raise ImplausibleError(Fault.POWER_TOO_GREAT, reading, power=f"{power_w:.0f}", apparent=f"{apparent_va:.0f}")
    one_way = all(current >= 0 for current in reading.current_a) or all(current <= 0 for current in reading.current_a)
    # Where phases flow against each other the total says little about any of them.
    if not signed or not one_way or apparent_va <= CLEAR_POWER_VA:
        return
    if abs(power_w) < LEAST_POWER_FACTOR * apparent_va:
        raise ImplausibleError(Fault.POWER_TOO_LITTLE, reading, power=f"{power_w:.1f}", apparent=f"{apparent_va:.0f}")
    # The other way round, magnitudes beside an exporting total, only overstates the load.
    if power_w > CLEAR_POWER_VA and sum(reading.current_a) < 0:
        raise ImplausibleError(Fault.POWER_OTHER_WAY, reading, power=f"{power_w:.0f}")
