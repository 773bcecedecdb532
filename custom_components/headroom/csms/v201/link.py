"""What the functional blocks of one connection share, and what a block is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ..composite import NOMINAL_VOLTAGE_V
from ..errors import StationOfflineError
from ..events import ClockChecked, ClockSet, InventoryRead, StationEvent
from ..fields import written
from ..frames import Payload
from ..inventory import is_direct, with_values
from ..memory import Memory
from ..reports import Reports
from ..upkeep import Retries
from ..validation import Schemas
from ..values import Inventory
from ..variables import AttributeType, VariableKey
from .calls import Calls

SCHEMAS = Schemas("v201")
STEADY_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Where the clock that never jumps begins: anywhere, for only differences count."""
JUMP_S = 0.1
"""By less than this no clock jumps: the two are not read at the very same moment."""

type Handler = Callable[[Payload], Awaitable[Payload]]
"""Answers a request's payload with the response's. Raises CallFailure."""


@dataclass(slots=True, kw_only=True)
class Link:
    """One connection of one station."""

    identity: str
    calls: Calls
    """For what may be sent at any time; commands go through `ready_calls`."""
    memory: Memory
    reports: Reports
    emit: Callable[[StationEvent], None]
    now: Callable[[], datetime]
    """Our wall clock's time in UTC, which may jump."""
    monotonic: Callable[[], float]
    """Seconds that never jump."""
    ready: bool = False
    """Whether commands may be sent."""
    opened_at: datetime = field(init=False)
    """By the clock that never jumps."""

    def __post_init__(self) -> None:
        """Take a clock that was never told the time for one that is right."""
        self.opened_at = self._steady_now
        if self.memory.clock.told_s is None:
            self.memory.clock.forget(ahead_s=self._ahead_s)

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
        return at + timedelta(seconds=self.clock_offset_s)

    @property
    def clock_offset_s(self) -> float:
        """The station's clock minus our wall clock, at most (StationClock); right at once where ours jumps."""
        return self.memory.clock.offset_s - self._ahead_s

    @property
    def clock_sure(self) -> bool:
        """Whether nothing speaks for another one (StationClock)."""
        return self.memory.clock.sure

    @property
    def _steady_now(self) -> datetime:
        return STEADY_EPOCH + timedelta(seconds=self.monotonic())

    @property
    def _ahead_s(self) -> float:
        """How far the wall clock is ahead of the one that never jumps: as it was told last, unless it has jumped since."""
        ahead_s, told_s = (self.now() - self._steady_now).total_seconds(), self.memory.clock.told_s
        return told_s if told_s is not None and abs(ahead_s - told_s) < JUMP_S else ahead_s

    def told_time(self, *, at_boot: bool = False) -> str:
        """Write our time for the answer by which a station may set its clock: at its boot it does."""
        if at_boot:
            self.memory.clock.forget(ahead_s=self._ahead_s)
        else:
            self.memory.clock.told(self._ahead_s)
        return written(self.now())

    def observe_clock(self, told: datetime, *, may_have_waited: bool = False) -> None:
        """Take the time that a message which was sent as it arose tells; tell where the clock was set, turns out wrong, or right again.

        `may_have_waited`: its station may have tried to send it before it was connected.
        """
        since = self.opened_at if may_have_waited else None
        if set_by_s := self.memory.clock.observe(told, self._steady_now, ahead_s=self._ahead_s, since=since):
            self.emit(ClockSet(by_s=set_by_s))
        wrong = self.memory.clock.wrong(self.now())
        if wrong is not None and wrong is not self.memory.clock_wrong:
            self.memory.clock_wrong = wrong
            self.emit(ClockChecked(offset_s=self.clock_offset_s, wrong=wrong))

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
