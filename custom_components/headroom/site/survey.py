"""When a station is asked what it holds (K09): after each connect, and again where it keeps another system's profile."""

import asyncio
from collections.abc import Callable
import logging
import math

from ..csms.reconciliation import Installed
from ..csms.station import Station
from .clock import Clock

_LOGGER = logging.getLogger(__name__)

SURVEY_S = 3.0
"""For so long nothing but cuts is written while a station is asked what it holds."""
AGAIN_S = 600.0
"""A station that keeps another system's profile is asked anew after this what it holds: a person may have taken it away."""


class Survey:
    """Of one station. `on_found` is told what it holds, None where it did not tell."""

    def __init__(self, identity: str, clock: Clock, on_found: Callable[[Installed | None], None]) -> None:
        """Ask nothing yet."""
        self._identity = identity
        self._clock = clock
        self._on_found = on_found
        self._task: asyncio.Task[Installed] | None = None
        self._wanted = False
        self.until = -math.inf
        """When it is no longer waited for."""
        self.again_at = math.inf

    def want(self) -> None:
        """Have the station asked."""
        self._wanted = True

    def begin_again(self) -> None:
        """Have a station asked that has just connected."""
        self.stop()
        self._wanted, self.again_at = True, math.inf

    def stop(self) -> None:
        """Wait for no answer any more."""
        if self._task is not None:
            self._task.cancel()
        self._task = None

    def repeat(self, *, keeps: bool) -> None:
        """Have it asked again after a while where it keeps what it should not."""
        self.again_at = min(self.again_at, self._clock.monotonic() + AGAIN_S) if keeps else math.inf

    def due(self, now: float) -> bool:
        """Tell whether it is to be asked."""
        return self._wanted or now >= self.again_at

    def under_way(self, now: float) -> bool:
        """Tell whether its answer is waited for."""
        return self._task is not None and now < self.until

    async def begin(self, station: Station) -> None:
        """Ask; the answer comes beside whatever else is sent."""
        self._wanted, self.again_at = False, math.inf
        self.until = self._clock.monotonic() + SURVEY_S
        self._task = asyncio.get_running_loop().create_task(station.survey(), name=f"headroom survey {self._identity}")
        self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Installed]) -> None:
        if task is not self._task:
            return
        self._task, self.until = None, -math.inf
        if task.cancelled():
            self._on_found(None)
        elif (error := task.exception()) is not None:
            _LOGGER.debug("Station %s does not tell which profiles it holds: %s", self._identity, error)
            self._on_found(None)
        else:
            self._on_found(task.result())
