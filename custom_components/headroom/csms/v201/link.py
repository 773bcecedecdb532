"""What the functional blocks of one connection share, and what a block is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ..frames import Payload
from ..memory import Memory, StationClock
from ..reports import Reports
from ..station import Inventory, InventoryRead, StationEvent, StationOfflineError
from ..validation import Schemas
from .calls import Calls

SCHEMAS = Schemas("v201")

type Handler = Callable[[Payload], Awaitable[Payload]]
"""Answers a request's payload with the response's. Raises CallFailure."""


@dataclass(slots=True, kw_only=True)
class Link:
    """One connection of one station."""

    identity: str
    calls: Calls
    """For what may be sent at any time; commands go through `ready_calls`."""
    memory: Memory
    clock: StationClock
    reports: Reports
    emit: Callable[[StationEvent], None]
    now: Callable[[], datetime]
    """Our time in UTC."""
    report_idle_s: float
    """How long a report may pause before it counts as ended."""
    ready: bool = False
    """Whether commands may be sent."""

    @property
    def ready_calls(self) -> Calls:
        """The calls of a station that is ready for commands. Raises StationOfflineError before, and after it went away."""
        if not self.ready:
            raise StationOfflineError(f"{self.identity} is not ready")
        return self.calls

    @property
    def inventory(self) -> Inventory:
        """What was read of the device model; the standard's defaults before that."""
        return self.memory.inventory or Inventory()

    def inventory_changed(self) -> None:
        """Tell that the inventory is another one now."""
        self.emit(InventoryRead(info=self.memory.info, inventory=self.inventory))


class Block:
    """A functional block: the commands of its messages as methods, and the station's requests by their action."""

    def __init__(self, link: Link) -> None:
        """Take the connection; nothing is sent."""
        self._link = link

    def requests(self) -> Mapping[str, Handler]:
        """Return what answers each action of this block that a station sends."""
        return {}
