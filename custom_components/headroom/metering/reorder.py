"""A meter whose phases are in another order than the grid's: its first is wired to what everybody else calls L2, say."""

from collections.abc import Sequence
from dataclasses import replace

from ..engine.model import PerPhase, Phase
from .reading import ImplausibleError, Meter, OnHealth, OnReading, Reading


class ReorderedMeter:
    """Hands on another meter's readings with each current on the conductor that it flows through."""

    def __init__(self, meter: Meter, order: Sequence[Phase]) -> None:
        """`order` names the grid's conductors that the meter's L1, L2 and L3 are wired to."""
        self._meter = meter
        self._order = tuple(order)

    async def probe(self) -> Reading:
        """Take one reading; raises MeterError."""
        try:
            return self._placed(await self._meter.probe())
        except ImplausibleError as error:
            raise ImplausibleError(error.trouble.fault, self._placed(error.reading), **error.trouble.values) from error

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on readings until cancelled."""
        await self._meter.run(lambda reading: on_reading(self._placed(reading)), on_health)

    def _placed(self, reading: Reading) -> Reading:
        return replace(reading, current_a=placed(reading.current_a, self._order))


def placed(current_a: PerPhase, order: Sequence[Phase]) -> PerPhase:
    """Return the currents of a meter's L1, L2 and L3 on the conductors that these, or the first of them, are wired to."""
    result = [0.0, 0.0, 0.0]
    for current, conductor in zip(current_a, order, strict=False):
        result[conductor] = current
    return (result[0], result[1], result[2])
