"""The voltage by which a limit in watts is made amps: as measured, lest high mains carry more than the limit.

A meter that tells power and currents shows what its amps are worth. Reactive power makes that look like less, so below the nominal voltage
it counts only as far as stations measure less, too. Without such a meter the highest counts that is known, nominal included.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp2, fsum, inf

from ..metering.reading import Reading
from .evse import EvseState

PLAUSIBLE = 0.15
"""Mains are as near to their nominal voltage as this share of it; what is further off is a fault, or none between phase and neutral."""
SURE_A = 5.0
"""With less on all phases together, what meters round off weighs too much."""
SMOOTH_S = 10.0
"""A power and currents that were not taken at one moment differ by a car's step for a second or two."""
BAND = 0.01
"""A higher voltage counts at once, a lower one when it is lower by this share: mains waver, and limits are not to."""


@dataclass(slots=True, kw_only=True)
class Voltage:
    """Of one circuit."""

    metered_v: float | None = None
    """What its meter's amps are worth in watts each, smoothed; None where it does not tell."""
    held_v: float | None = None
    """What is reckoned with; None before the first turn."""
    _metered_at: float = -inf

    def take(self, reading: Reading, nominal_v: float) -> None:
        """Take in a reading; one in which phases flow against each other says nothing, nor does one from before the last."""
        if reading.taken_at <= self._metered_at:
            return
        total_a = fsum(reading.current_a)
        if reading.spread or reading.power_w is None or min(reading.current_a) < 0 or total_a < SURE_A:
            return
        if not plausible(seen_v := reading.power_w / total_a, nominal_v):
            return
        weight = 1 - exp2((self._metered_at - reading.taken_at) / SMOOTH_S)
        before_v = seen_v if self.metered_v is None else self.metered_v
        self.metered_v, self._metered_at = before_v + (seen_v - before_v) * weight, reading.taken_at

    def hold(self, believed: Reading | None, above_v: Sequence[float], cars_v: float | None, nominal_v: float) -> None:
        """Reckon with what is known now: of its own meter where that is believed, of those above it, and of the cars."""
        if believed is not None and believed.spread:
            seen_v = nominal_v  # by which its amps were made of the power that is to be kept
        elif believed is not None and self.metered_v is not None:
            seen_v = max(self.metered_v, nominal_v if cars_v is None else min(nominal_v, cars_v))
        else:
            seen_v = max(nominal_v, *above_v, nominal_v if cars_v is None else cars_v)
        if self.held_v is None or not (1 - BAND) * self.held_v <= seen_v <= self.held_v:
            self.held_v = seen_v


def plausible(voltage_v: float, nominal_v: float) -> bool:
    """Tell whether mains of a nominal voltage may have this one."""
    return abs(voltage_v - nominal_v) <= PLAUSIBLE * nominal_v


def of_cars(evses: Iterable[EvseState], nominal_v: float) -> float | None:
    """Return the mean voltage to neutral that stations measure where there are cars, None where none does."""
    volts = [
        volt for evse in evses if evse.session is not None for volt in evse.voltage_v if volt is not None and plausible(volt, nominal_v)
    ]
    return fsum(volts) / len(volts) if volts else None
