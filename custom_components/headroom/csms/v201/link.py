"""What the functional blocks of one connection share, and what a block is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ..composite import NOMINAL_VOLTAGE_V
from ..errors import StationOfflineError
from ..events import ClockChecked, InventoryRead, StationEvent
from ..fields import written
from ..frames import Payload
from ..inventory import is_direct, with_values
from ..memory import Memory, StationClock
from ..reports import Reports
from ..upkeep import Retries
from ..validation import Schemas
from ..values import Inventory
from ..variables import AttributeType, VariableKey
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

    def voltage_v(self, evse_id: int) -> float:
        """Return the voltage by which watts and amps of the grid's phases are reckoned at an EVSE: never the battery's that it may measure."""
        return NOMINAL_VOLTAGE_V if is_direct(self.inventory, evse_id) else self.memory.draw(evse_id).voltage_v

    def station_time(self, at: datetime) -> str:
        """Write `by_its_clock`."""
        return written(self.by_its_clock(at))

    def by_its_clock(self, at: datetime) -> datetime:
        """Return a moment of ours as the station's clock will show it."""
        return at + timedelta(seconds=self.clock.offset_s)

    def observe_clock(self, told: datetime) -> None:
        """Take the time that a message which was sent as it arose tells, and tell where the clock turns out wrong, or right again."""
        ours = self.now()
        self.clock.observe(told, ours)
        wrong = self.clock.wrong(ours)
        if wrong is not None and wrong is not self.memory.clock_wrong:
            self.memory.clock_wrong = wrong
            self.emit(ClockChecked(offset_s=self.clock.offset_s, wrong=wrong))

    def inventory_changed(self) -> None:
        """Tell that the inventory is another one now."""
        self.memory.changed()
        self.emit(InventoryRead(info=self.memory.info, inventory=self.inventory))

    def learn_values(self, values: Mapping[VariableKey, str], attribute: AttributeType = AttributeType.ACTUAL) -> None:
        """Take over what was read, set or heard of variables; nothing before the inventory was read, which will say it too."""
        if self.memory.inventory is None or not values:
            return
        found = with_values(self.memory.inventory, values, attribute)
        if found != self.memory.inventory:
            self.memory.inventory = found
            self.inventory_changed()


class Block:
    """A functional block: the commands of its messages as methods, and the station's requests by their action."""

    def __init__(self, link: Link) -> None:
        """Take the connection; nothing is sent."""
        self._link = link

    def requests(self) -> Mapping[str, Handler]:
        """Return what answers each action of this block that a station sends."""
        return {}


def without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a payload's fields without those that are not given: OCPP leaves out what JSON could make null."""
    return {key: value for key, value in fields.items() if value is not None}


def retried(retries: Retries) -> dict[str, Any]:
    """Return the fields that say how often to try a transfer again."""
    return without_none({"retries": retries.count, "retryInterval": retries.interval_s})
