"""A circuit's meter in simulated time: what it shows of the physics, what may go wrong with it, and what a reader makes of that."""

from dataclasses import replace
from enum import StrEnum
import random

from custom_components.headroom.metering.plausibility import plausible
from custom_components.headroom.metering.reading import Reading
from simulator.electrical import PerPhase
from simulator.meter import MeterValues


class MeterFault(StrEnum):
    """What may be wrong with a meter."""

    LOST = "meter lost"
    """It answers nothing."""
    FROZEN = "meter frozen"
    """It goes on showing what it showed when the fault began."""
    SPIKE = "meter spike"
    """It shows a hundred times too much."""
    NOT_A_NUMBER = "meter not a number"
    SIGN_FLIPPED = "meter sign flipped"
    """Its currents are taken the wrong way round, its power is not."""
    TURNED_ROUND = "meter turned round"
    """Currents and power are: import shows as export."""
    WRONG_UNIT = "meter wrong unit"
    """Its power is in kW where W are meant."""


class SimulatedMeter:
    """The meter of one circuit. `noise_a` is how far from the truth a current may be; the same seed gives the same noise.

    `has_register`: whether it tells the energy it counted; not all do.
    """

    def __init__(self, name: str, *, noise_a: float = 0.0, has_register: bool = True, seed: int = 1) -> None:
        self.name = name
        self.noise_a = noise_a
        self.has_register = has_register
        self.fault: MeterFault | None = None
        self._dice = random.Random(f"{seed}/{name}")
        self._shows: MeterValues | None = None

    def read(self, values: MeterValues, now: float) -> Reading | None:
        """Return what a reader believes of the values at `now`; None where nothing comes. Raises MeterError where it can't be true."""
        if self.fault is MeterFault.LOST:
            return None
        if self._shows is None or self.fault is not MeterFault.FROZEN:  # a frozen one repeats itself to the last digit
            l1, l2, l3 = (current + self._dice.uniform(-self.noise_a, self.noise_a) for current in values.current_a)
            self._shows = replace(values, current_a=(l1, l2, l3))
        current_a, power_w = self._wrong(self._shows.current_a, self._shows.voltage_v)
        import_wh = self._shows.import_wh if self.has_register else None
        reading = Reading(current_a=current_a, power_w=power_w, taken_at=now, source=self.name, import_wh=import_wh)
        return plausible(reading, voltage_v=values.voltage_v)

    def _wrong(self, current_a: PerPhase, voltage_v: float) -> tuple[PerPhase, float]:
        l1, l2, l3 = current_a
        power_w = voltage_v * (l1 + l2 + l3)
        match self.fault:
            case MeterFault.SPIKE:
                return (100.0 * l1, 100.0 * l2, 100.0 * l3), power_w
            case MeterFault.NOT_A_NUMBER:
                return (float("nan"), l2, l3), power_w
            case MeterFault.SIGN_FLIPPED:
                return (-l1, -l2, -l3), power_w
            case MeterFault.TURNED_ROUND:
                return (-l1, -l2, -l3), -power_w
            case MeterFault.WRONG_UNIT:
                return current_a, power_w / 1000.0
            case _:
                return current_a, power_w
