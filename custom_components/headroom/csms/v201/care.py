"""What a station is read and set to, from its first boot on, and how it is kept so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
import logging

from .. import background
from ..errors import StationError, StationOfflineError
from ..liveness import HEARTBEAT, Liveness
from ..variables import VariableKey, VariableResult
from . import sampling, setup
from .link import Link
from .timing import Timing

_LOGGER = logging.getLogger(__name__)


class Care:
    """Of one connection: inventory, measurands, heartbeat, and samples that come only when asked for."""

    def __init__(
        self,
        link: Link,
        timing: Timing,
        set_variables: Callable[[Mapping[VariableKey, str]], Awaitable[Mapping[VariableKey, VariableResult]]],
    ) -> None:
        """Take the connection; nothing is sent. `set_variables` is what a person would use, too."""
        self._link = link
        self._timing = timing
        self._set_variables = set_variables
        self._tuning: asyncio.Task[None] | None = None
        self._sampling: asyncio.Task[None] | None = None
        self.liveness = Liveness(
            link.memory,
            heartbeat_interval_s=timing.heartbeat_interval_s,
            ping_interval_s=timing.ping_interval_s,
            ping_timeout_s=timing.ping_timeout_s,
            on_unanswered=self._on_unanswered,
        )

    def begin(self) -> None:
        """Begin with what goes on for as long as the station is ready."""
        if self._sampling is None or self._sampling.done():
            self._sampling = background.begin(
                sampling.ask(self._link, self._timing.sample_interval_s), f"Asking {self._link.identity} for samples"
            )

    def close(self) -> None:
        """End it: the station is gone."""
        for task in (self._tuning, self._sampling):
            if task is not None:
                task.cancel()

    async def read(self) -> None:
        """Read the inventory where it is not known. Raises StationOfflineError."""
        if self._link.memory.inventory is None:
            self._link.memory.inventory = await setup.read_inventory(self._link.calls, self._link.reports, total_s=self._timing.inventory_s)

    async def read_again(self) -> None:
        """Read the inventory anew, known or not. Raises StationOfflineError."""
        waiting = self._link.inventory.awaiting_reboot
        found = await setup.read_inventory(self._link.ready_calls, self._link.reports, total_s=self._timing.inventory_s)
        self._link.memory.inventory = replace(found, awaiting_reboot=waiting)
        self._link.inventory_changed()

    async def configure(self) -> None:
        """Set what is wanted where that is still to be done. Raises StationOfflineError."""
        if self._link.memory.configured is None:
            self._link.memory.inventory, self._link.memory.configured = await setup.configure(
                self._link.calls,
                self._link.inventory,
                identity=self._link.identity,
                sample_interval_s=sampling.interval_s(self._link, self._timing.sample_interval_s),
                heartbeat_interval_s=self.liveness.heartbeat_interval_s,
            )
            self._link.memory.changed()

    async def check(self) -> None:
        """See to it that a station that booted holds what was configured. Raises StationOfflineError."""
        if not (configured := self._link.memory.configured):
            return
        try:
            found = await setup.verify(self._link.calls, self._link.inventory, configured)
        except StationOfflineError:
            raise
        except StationError as error:
            _LOGGER.debug("%s does not tell what it is set to: %s", self._link.identity, error)
        else:
            if found != self._link.inventory:
                self._link.memory.inventory = found
                self._link.inventory_changed()

    async def tune(self) -> None:
        """Have a station speak more often where nothing else shows soon enough that it is there."""
        if not self._link.ready or not self.liveness.too_long:
            return
        try:
            await self._set_variables({HEARTBEAT: str(self.liveness.suitable_heartbeat_s)})
        except StationError as error:
            _LOGGER.debug("The heartbeat of %s stays as it is: %s", self._link.identity, error)

    def _on_unanswered(self) -> None:
        _LOGGER.info("%s answers no pings: it is judged by what it says", self._link.identity)
        if self._link.ready:
            self._tuning = background.begin(self.tune(), f"Tuning {self._link.identity}")
