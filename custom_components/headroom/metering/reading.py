"""What a meter said."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..engine.model import PerPhase


class MeterError(Exception):
    """The meter could not be read, or what it said can't be true."""


class ConnectionLostError(MeterError):
    """The meter is gone or silent: what may still arrive from it belongs to an old question."""


class ImplausibleError(MeterError):
    """What the meter said can't be true; `reading` is what it said, to find out why."""

    def __init__(self, message: str, reading: Reading) -> None:
        """`message` is for people."""
        super().__init__(message)
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


type OnReading = Callable[[Reading], None]
type OnHealth = Callable[[MeterError | None], None]
"""Called with the error once when a meter breaks, and with None once when it is heard again."""


class Meter(Protocol):
    """A source of readings, whatever it is made of."""

    async def probe(self) -> Reading:
        """Take one reading now, to test a configuration; raises MeterError with a message a person understands."""

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on readings as they come until cancelled; reconnects by itself and never gives up."""
