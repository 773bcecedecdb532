"""What is kept of a station from one connection to the next."""

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import datetime

from .station import Inventory, MeterSample, StationInfo, TransactionEvent

MOST_SEEN = 4096
OBSERVATIONS = 16
CLOCK_STEP_S = 60.0
"""No message is so late: a clock was set."""
FLOWING_A = 1.0
"""Above this a phase carries charging current; below, it is noise and the station's own consumption."""
NOMINAL_VOLTAGE_V = 230.0


class SeenEvents:
    """Transaction events that were passed on, so that each is passed once however often the station repeats it.

    Some stations number every event 0, so time and kind tell events apart beside the transaction and its seqNo; a repeated event
    keeps all of them (E04.FR.05), only its `offline` may change.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._seen: OrderedDict[tuple[object, ...], None] = OrderedDict()

    def first(self, event: TransactionEvent) -> bool:
        """Return whether this event is new, and remember it."""
        key = (event.transaction_id, event.seq_no, event.phase, event.at)
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)
        return True


class StationClock:
    """How far a station's clock is from ours.

    A timestamp is always older than its message's arrival, so each shows the offset less a delay: the largest of the last ones is
    the nearest to the truth and never above it. A lease's end reckoned with it comes too early rather than too late.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self._observed_s: deque[float] = deque(maxlen=OBSERVATIONS)

    def observe(self, station: datetime, ours: datetime) -> None:
        """Take the timestamp of a message that was sent as it arose."""
        observed_s = (station - ours).total_seconds()
        if abs(observed_s - self.offset_s) > CLOCK_STEP_S:
            self._observed_s.clear()
        self._observed_s.append(observed_s)

    def forget(self) -> None:
        """Start anew: a station sets its clock by the answer to its boot."""
        self._observed_s.clear()

    @property
    def offset_s(self) -> float:
        """Station's clock minus ours; 0 where nothing was seen."""
        return max(self._observed_s, default=0.0)


@dataclass(slots=True)
class Draw:
    """How the car at one EVSE was seen to draw; what a limit in watts is reckoned with."""

    phases: int | None = None
    voltage_v: float = NOMINAL_VOLTAGE_V

    def observe(self, samples: tuple[MeterSample, ...], phases_used: int | None = None) -> None:
        """Take what a message says."""
        for sample in samples:
            if flowing := sum(current is not None and current > FLOWING_A for current in sample.current_a):
                self.phases = flowing
            if voltages := [voltage for voltage in sample.voltage_v if voltage is not None and voltage > NOMINAL_VOLTAGE_V / 3]:
                self.voltage_v = min(voltages)
        if phases_used in (1, 2, 3):
            self.phases = phases_used


@dataclass(slots=True)
class Memory:
    """One station, over its connections."""

    info: StationInfo = StationInfo()
    inventory: Inventory | None = None
    configured: bool = False
    """Its measurands and intervals were set since its last boot."""
    seen: SeenEvents = field(default_factory=SeenEvents)
    transactions: dict[str, int] = field(default_factory=dict)
    """The EVSE of each transaction under way: updates may leave it out."""
    draws: dict[int, Draw] = field(default_factory=dict)
    leases_a: dict[int, float] = field(default_factory=dict)
    """The lease each EVSE accepted last."""

    def draw(self, evse_id: int) -> Draw:
        """Return how an EVSE's car draws."""
        return self.draws.setdefault(evse_id, Draw())
