"""What a meter said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..engine.model import PerPhase
from .fault import Fault, Trouble


class MeterError(Exception):
    """The meter could not be read, or what it said can't be true: `trouble` says why, as data; str() says it in English."""

    def __init__(self, fault: Fault, **values: str) -> None:
        """`values` fill the fault's words; KeyError where one is missing."""
        self.trouble = Trouble(fault, values)
        super().__init__(str(self.trouble))


class ConnectionLostError(MeterError):
    """The meter is gone or silent: what may still arrive from it belongs to an old question."""


class ImplausibleError(MeterError):
    """What the meter said can't be true; `reading` is what it said, to find out why."""

    def __init__(self, fault: Fault, reading: Reading, **values: str) -> None:
        """`reading` is kept, and names the source."""
        super().__init__(fault, **{"source": reading.source, **values})
        self.reading = reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at a meter. Import is positive, export negative, in amps (signed like the phase's power) and watts.

    `taken_at` is monotonic seconds at which the value was taken, as well as it is known; `source` names the meter for people.
    """

    current_a: PerPhase
    taken_at: float
    source: str
    power_w: float | None = None
    import_wh: float | None = None
    export_wh: float | None = None
    spread: bool = False
    """Its currents were made of one power of several phases, of which each may carry all: `power_w` is all that was measured."""

    def power_at(self, voltage_v: float) -> float:
        """Return the power in W, by a voltage to neutral where the meter tells none."""
        return voltage_v * sum(self.current_a) if self.power_w is None else self.power_w


type OnReading = Callable[[Reading], None]
type OnHealth = Callable[[MeterError | None], None]
"""Called with the error once when a meter breaks, and with None once when it is heard again."""


class Meter(Protocol):
    """A source of readings, whatever it is made of."""

    async def probe(self) -> Reading:
        """Take one reading now, to test a configuration; raises MeterError that says what is wrong."""

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on readings as they come until cancelled; reconnects by itself and never gives up."""
