"""What stations tell, one value each, of no version. The central system passes them on in the order in which they came."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .authorization import IdToken, ReservationEnded
from .needs import EvNeeds
from .upkeep import UpkeepEvent
from .values import ChargingState, ConnectorStatus, Inventory, MeterSample, StationInfo, TransactionPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """The station's WebSocket is open; nothing is known of it but its identity."""

    remote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """The station announced itself. `accepted` is False while it waits for approval."""

    info: StationInfo
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The station is accepted, its inventory is read and its measurands are set: commands may be sent."""

    info: StationInfo
    inventory: Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRead:
    """The inventory of a station that is not approved yet (or changed since)."""

    info: StationInfo
    inventory: Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The station's WebSocket is gone."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChanged:
    """A connector's state. `evse_id` 0 is the station itself."""

    evse_id: int
    connector_id: int
    status: ConnectorStatus
    at: datetime | None = None
    """When it became so, by the station's clock, where it may have waited at the station; None: just now."""
    timestamp: datetime | None = None
    """What the station wrote beside it, whatever its clock shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionEvent:
    """A transaction started, went on or ended. `evse_id` is None where neither this event nor an earlier one told it."""

    phase: TransactionPhase
    transaction_id: str
    seq_no: int
    at: datetime
    offline: bool = False
    trigger_reason: str = ""
    evse_id: int | None = None
    connector_id: int | None = None
    charging_state: ChargingState | None = None
    phases_used: int | None = None
    id_token: IdToken | None = None
    remote_start_id: int | None = None
    reservation_id: int | None = None
    """The reservation that is used up by it."""
    stopped_reason: str | None = None
    samples: tuple[MeterSample, ...] = ()
    started_at: datetime | None = None
    """When its transaction started, None where that was not told."""
    energy_start_wh: float | None = None
    """The register at the transaction's start, as far as it was told."""
    given_anew: bool = False
    """The station gave the same id to another transaction before, as some do that count from 1 after each boot."""
    presumed: bool = False
    """The station did not tell it: asked, it knew no such transaction any more (GetTransactionStatus)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """Meter values outside a transaction event. `evse_id` 0 is the station's own main meter."""

    evse_id: int
    samples: tuple[MeterSample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingLimit:
    """A limit that somebody else set at the station (NotifyChargingLimit), or that is gone again: `cleared`.

    `limit_a` is the lowest current of the schedule now, None where the station gave no schedule. `evse_id` None: the station.
    """

    source: str
    evse_id: int | None = None
    limit_a: float | None = None
    cleared: bool = False
    schedule: tuple[tuple[datetime, float | None], ...] = ()
    """From each moment on (by our clock) the lowest current per phase; None: no limit. Empty where it gave no schedule."""
    is_grid_critical: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitored:
    """A monitor of the device model went off, or is quiet again: `cleared` (NotifyEvent; one for each of its eventData)."""

    event_id: int
    component: str
    """As in VariableKey."""
    variable: str
    value: str
    trigger: str
    """OCPP's EventTriggerEnumType: "Alerting", "Delta" or "Periodic"."""
    at: datetime
    """By the station's clock."""
    cleared: bool = False
    severity: int | None = None
    """0 (danger) … 9 (debug), where the monitor is known."""
    kind: str = ""
    """OCPP's EventNotificationEnumType, e.g. "HardWiredNotification"."""
    monitor_id: int | None = None
    cause: int | None = None
    """The event that led to this one."""
    transaction_id: str | None = None
    code: str | None = None
    text: str | None = None
    """What the station adds for a technician."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsLost:
    """Events of a transaction that the station has not and will not deliver: (first, last) seqNo of each gap. Told once."""

    transaction_id: str
    evse_id: int | None
    gaps: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChecked:
    """The station's clock was found wrong by `offset_s` (its clock minus ours) though it was told the time, or right again."""

    offset_s: float
    wrong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet:
    """The station's clock was set by so much, back where it is below 0; or turned out to be another than was reckoned with."""

    by_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Something for the log or an event entity: NotifyEvent, SecurityEventNotification, FirmwareStatusNotification and the like."""

    action: str
    payload: Mapping[str, Any]


type StationEvent = (
    Connected
    | Booted
    | Ready
    | InventoryRead
    | Disconnected
    | StatusChanged
    | TransactionEvent
    | EventsLost
    | Metered
    | ChargingLimit
    | EvNeeds
    | Monitored
    | ClockChecked
    | ClockSet
    | ReservationEnded
    | UpkeepEvent
    | Noticed
)
