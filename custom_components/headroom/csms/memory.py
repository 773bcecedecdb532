"""What is kept of a station from one connection to the next."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
import logging
from typing import Any

from . import inventory as inventories
from .composite import NOMINAL_VOLTAGE_V, is_phase_voltage
from .correction import Others
from .frame_log import FrameLog
from .learnt import Learnt
from .needs import EvNeeds
from .profiles import Placed
from .transactions import KnownTransactions
from .values import Inventory, MeterSample, StationInfo

_LOGGER = logging.getLogger(__name__)

OBSERVATIONS = 16
CLOCK_STEP_S = 60.0
"""No message is so late, but for one that waited until its station was connected: a clock was set."""
WAITED_S = 60.0
"""What waited comes so soon after the station is connected."""
LIVE_S = 3.0
"""Two messages so far apart that are late by the same did not wait: what did comes all at once."""
CLOCK_SET_S = 2.0
"""Where it goes by this less, leases told before end so much later than was reckoned: more than messages are late by."""
ALIKE = 6
"""So many messages in a row that are late by the same are not late: a clock was set…"""
ALIKE_S = 1.0
"""…where they are as near to each other as this."""
WRONG_CLOCK_S = 60.0
"""So far off a clock is wrong."""
CLOCK_PATIENCE_S = 60.0
"""Once it has been for so long: what was queued shows an old time only while it comes."""
FLOWING_A = 1.0
"""Above this a phase carries charging current; below, it is noise and the station's own consumption."""


class StationClock:
    """How far a station's clock is from a clock of ours that never jumps: ours of the wall may, and theirs does not go with it.

    A timestamp is always older than its message's arrival, so each shows the offset less a delay: the largest of the last ones is
    the nearest to the truth and never above it. A lease's end reckoned with it comes too early rather than too late.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._observed_s: deque[float] = deque(maxlen=OBSERVATIONS)
        self.told_s: float | None = None
        """What the wall clock was ahead by when the station was last told the time; None: it was not yet."""
        self._known = self._doubted = False
        self._kept: tuple[float, datetime] | None = None
        """What the first of those messages showed, and when, that may have waited for the connection."""
        self._wrong_since: datetime | None = None

    def observe(self, station: datetime, ours: datetime, *, ahead_s: float = 0.0, since: datetime | None = None) -> float:
        """Take the timestamp of a message that was sent as it arose; returns by how much the clock was set, below 0 where it was set back.

        `ours` is the time of the clock that never jumps, and that of the wall is `ahead_s` more. `since` is when the connection came to
        be, for a message that may have waited for it: one that did by all that is known counts only once a live one shows the same.
        """
        observed_s, before_s, first = (station - ours).total_seconds(), self.offset_s, not self._known
        if since is not None and not self._doubted and self._may_have_waited(observed_s, ours, since):
            self._known = True  # what is told meanwhile goes by what it shows so far
            return 0.0
        late = [*list(self._observed_s)[1 - ALIKE :], observed_s]
        alike = len(late) == ALIKE and max(late) - min(late) <= ALIKE_S and max(late) < before_s - CLOCK_SET_S
        stepped = not self._observed_s or self._doubted or alike or abs(observed_s - before_s) > CLOCK_STEP_S
        if stepped:
            self._observed_s.clear()
        self._known, self._doubted = True, False
        self._observed_s.append(observed_s)
        if abs(self.offset_s - ahead_s) <= WRONG_CLOCK_S:
            self._wrong_since = None
        elif self._wrong_since is None:
            self._wrong_since = ours + timedelta(seconds=ahead_s)
        return self.offset_s - before_s if stepped and not first and abs(self.offset_s - before_s) > CLOCK_SET_S else 0.0

    def _may_have_waited(self, observed_s: float, ours: datetime, since: datetime) -> bool:
        late_s = self.offset_s - observed_s
        new = ours - since < timedelta(seconds=WAITED_S)
        if not new or late_s <= CLOCK_STEP_S or ours - timedelta(seconds=late_s) >= since:
            self._kept = None
            return False
        if self._kept is None or abs(observed_s - self._kept[0]) > ALIKE_S:
            self._kept = observed_s, ours
        if (ours - self._kept[1]).total_seconds() < LIVE_S:
            return True
        self._kept = None
        return False

    @property
    def sure(self) -> bool:
        """Nothing was heard that shows another offset and may only have waited: what was told by this one can be judged by it."""
        return self._kept is None

    def forget(self, *, ahead_s: float = 0.0) -> None:
        """Start anew: a station sets its clock by the answer to its boot, which tells the wall's time."""
        self._observed_s.clear()
        self.told_s, self._doubted, self._kept = ahead_s, False, None
        self._wrong_since = None

    def told(self, ahead_s: float) -> None:
        """Take note that it was told the wall's time; where that has jumped since, the next message alone shows whether it went along."""
        self._doubted = self._doubted or (self.told_s is not None and abs(ahead_s - self.told_s) > CLOCK_SET_S)
        self.told_s = ahead_s

    def wrong(self, ours: datetime) -> bool | None:
        """Say whether it is wrong by our wall clock, which shows `ours`; None while that is not settled."""
        if self._wrong_since is None:
            return False if self._observed_s else None
        return True if (ours - self._wrong_since).total_seconds() >= CLOCK_PATIENCE_S else None

    @property
    def offset_s(self) -> float:
        """Station's clock minus ours that never jumps; as it was told the time where nothing was seen."""
        return max(self._observed_s, default=self.told_s or 0.0)


@dataclass(slots=True)
class Draw:
    """How the car at one EVSE was seen to draw; what a limit in watts is reckoned with."""

    phases: int | None = None
    voltage_v: float = NOMINAL_VOLTAGE_V
    """Between phase and neutral."""

    def __post_init__(self) -> None:
        """Let go of a voltage that was kept and can be none of a phase."""
        if not is_phase_voltage(self.voltage_v):
            self.voltage_v = NOMINAL_VOLTAGE_V

    def observe(self, samples: tuple[MeterSample, ...], phases_used: int | None = None) -> None:
        """Take what a message says."""
        for sample in samples:
            if flowing := sum(current is not None and current > FLOWING_A for current in sample.current_a):
                self.phases = flowing
            if voltages := [voltage for voltage in sample.voltage_v if voltage is not None and is_phase_voltage(voltage)]:
                self.voltage_v = min(voltages)
        if phases_used in (1, 2, 3):
            self.phases = phases_used


@dataclass(slots=True)
class Memory:
    """One station, over its connections; what KEPT names outlives a restart of ours too.

    To keep something more: a field here, a row in KEPT, and `changed()` where it changes.
    """

    info: StationInfo = StationInfo()
    inventory: Inventory | None = None
    configured: dict[str, str] | None = None
    """What was set of its measurands and intervals, by variable; None where that is still to be done."""
    transactions: KnownTransactions = field(default_factory=KnownTransactions)
    clock: StationClock = field(default_factory=StationClock, repr=False, compare=False)
    """How far its clock is from ours."""
    draws: dict[int, Draw] = field(default_factory=dict)
    needs: dict[int, EvNeeds] = field(default_factory=dict)
    """What the EV at each EVSE said it needs, with the transaction it is about."""
    frames: FrameLog = field(default_factory=FrameLog)
    security: dict[str, Any] = field(default_factory=dict)
    """How it authenticates: JSON-able, and no secret in the clear."""
    learnt: Learnt = field(default_factory=Learnt)
    """How it wants to be told its limits, and how it follows them."""
    told: Mapping[int, Placed] = field(default_factory=dict)
    """The charging profiles that it holds as far as we know, by their id: what it accepted, or reported. Never changed, but replaced."""
    others: Others = field(default_factory=Others)
    """What is known of those that are not ours."""
    clock_wrong: bool = False
    """Whether its clock was found wrong the last time that it was told of."""
    local_list: dict[str, Any] = field(default_factory=dict)
    """Which list of tokens it holds: JSON-able."""
    on_change: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)
    """Called when something worth keeping changed."""

    def draw(self, evse_id: int) -> Draw:
        """Return how an EVSE's car draws; it is kept for as many EVSEs as a station may have."""
        if evse_id not in self.draws and len(self.draws) > inventories.MOST_EVSES:
            return Draw()
        return self.draws.setdefault(evse_id, Draw())

    def changed(self) -> None:
        """Tell that something that is kept is another now."""
        self.on_change()

    def document(self) -> dict[str, Any]:
        """Return what outlives a restart, as JSON-able data."""
        return {name: kept.write(value) for name, kept in KEPT.items() if (value := getattr(self, name)) is not None}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Memory:
        """Return what `document` gave. A part that can't be read (another version wrote it) is left out: it will be learnt again."""
        memory = cls()
        for name, kept in KEPT.items():
            if name not in document:
                continue
            try:
                setattr(memory, name, kept.read(document[name]))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                _LOGGER.warning("What was kept of a station's %s can't be read and is learnt again: %r", name, error)
        return memory


@dataclass(frozen=True, slots=True)
class Kept:
    """How one field of a memory is written as JSON-able data and read again. `read` raises ValueError, KeyError or TypeError."""

    write: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


AS_IT_IS = Kept(write=lambda value: value, read=_object)
"""For a field that is JSON-able itself, an object."""

KEPT: Mapping[str, Kept] = {
    "info": Kept(write=asdict, read=lambda document: StationInfo(**document)),
    "inventory": Kept(write=inventories.document, read=inventories.from_document),
    "configured": AS_IT_IS,
    "transactions": Kept(write=KnownTransactions.document, read=KnownTransactions.from_document),
    "draws": Kept(
        write=lambda draws: {str(evse_id): asdict(draw) for evse_id, draw in draws.items()},
        read=lambda document: {int(evse_id): Draw(**draw) for evse_id, draw in document.items()},
    ),
    "security": AS_IT_IS,
    "learnt": Kept(write=Learnt.document, read=lambda document: Learnt.from_document(_object(document))),
    "local_list": AS_IT_IS,
}
"""The fields of a Memory that outlive a restart; one that is None is not written."""
