"""The face every OCPP version shows: a station as the rest of the house sees it.

Nothing here names a version. An adapter (`v201/`; 1.6 and 2.1 to come) turns its messages into these values and events,
and these commands into its messages. Currents are per phase at the station's own terminals L1, L2, L3; mapping them to the
grid's conductors is not the CSMS's business.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from .authorization import Authorizing, IdToken, ReservationEnded
from .composite import CompositeSchedule
from .dialect import Dialect, Handle
from .learnt import Learnt
from .needs import EvNeeds
from .security.commands import SecurityCommands
from .upkeep import DiagnosticsCommands, DisplayCommands, FirmwareCommands, UpkeepEvent

if TYPE_CHECKING:  # it reads values of this module
    from .prediction import CompositeCheck
    from .reconciliation import Installed

type TerminalValues = tuple[float | None, float | None, float | None]
"""A quantity at the station's terminals L1, L2, L3; None where the station does not say."""

UNKNOWN: TerminalValues = (None, None, None)


class ConnectorStatus(StrEnum):
    """State of a connector (StatusNotification)."""

    AVAILABLE = "available"
    OCCUPIED = "occupied"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


class ChargingState(StrEnum):
    """State of a transaction's energy transfer (TransactionEvent)."""

    IDLE = "idle"
    EV_CONNECTED = "ev_connected"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"


class TransactionPhase(StrEnum):
    """Which of a transaction's events this is."""

    STARTED = "started"
    UPDATED = "updated"
    ENDED = "ended"


class Admission(StrEnum):
    """How the site answers a station that connects."""

    ACCEPTED = "accepted"
    PENDING = "pending"
    """Known to nobody yet: its inventory is read, nothing else is served until a person approves it."""
    REFUSED = "refused"
    """Turned away: the WebSocket handshake fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationInfo:
    """What the station says of itself in BootNotification."""

    vendor: str = ""
    model: str = ""
    serial_number: str | None = None
    firmware_version: str | None = None
    boot_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartCharging:
    """What the station's SmartChargingCtrlr says it can do; the standard's defaults where it is silent.

    `rate_units` holds "A" and/or "W". `available` is False where the station answered that it has no smart charging at all.
    """

    available: bool = True
    rate_units: tuple[str, ...] = ("A",)
    stack_level_max: int = 10
    periods_per_schedule: int = 1
    phase_switching: bool = False


type VariableKey = tuple[str, str]
"""A variable of the device model: (component, variable), each as "Name[instance]", a component with "@evse:connector"; what is absent is left out."""


class AttributeType(StrEnum):
    """Which value of a variable is meant (OCPP's AttributeEnumType)."""

    ACTUAL = "Actual"
    TARGET = "Target"
    MIN_SET = "MinSet"
    MAX_SET = "MaxSet"


class Mutability(StrEnum):
    """What may be done with an attribute (OCPP's MutabilityEnumType)."""

    READ_ONLY = "ReadOnly"
    WRITE_ONLY = "WriteOnly"
    READ_WRITE = "ReadWrite"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableAttribute:
    """One value of a variable; `value` is None where the station does not tell it."""

    type: AttributeType = AttributeType.ACTUAL
    value: str | None = None
    mutability: Mutability = Mutability.READ_WRITE
    persistent: bool = False
    """It outlives a reboot."""
    constant: bool = False
    """It never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableCharacteristics:
    """What kind of values a variable takes. `data_type` is OCPP's DataEnumType, `values` what an OptionList, SequenceList or MemberList may hold."""

    data_type: str = "string"
    unit: str | None = None
    min_limit: float | None = None
    max_limit: float | None = None
    """For a text or a list: its greatest length."""
    values: tuple[str, ...] = ()
    supports_monitoring: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceVariable:
    """One variable of a station's device model. `characteristics` is None where the station did not describe it."""

    attributes: tuple[VariableAttribute, ...] = (VariableAttribute(),)
    characteristics: VariableCharacteristics | None = None

    def attribute(self, kind: AttributeType = AttributeType.ACTUAL) -> VariableAttribute | None:
        """Return one of its values, None where it has none of this kind."""
        return next((attribute for attribute in self.attributes if attribute.type is kind), None)

    @property
    def value(self) -> str | None:
        """Its actual value."""
        return None if (actual := self.attribute()) is None else actual.value

    @property
    def writable(self) -> bool:
        """Whether its actual value may be set."""
        return (actual := self.attribute()) is not None and actual.mutability is not Mutability.READ_ONLY and not actual.constant


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableResult:
    """What a station answered about one variable. `status` is OCPP's own word, "" where it left the variable out."""

    status: str
    value: str | None = None
    reason: str = ""
    """The statusInfo's reason code and what it adds to it."""

    @property
    def taken(self) -> bool:
        """Whether the station did as it was told, be it after its next reboot."""
        return self.status in ("Accepted", "RebootRequired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The station's device model as far as it was read: its EVSEs with their connectors, and its smart charging.

    `variables` maps "Component[instance]@evse.Variable[instance]" (parts that are absent are left out) to the actual value, `device`
    all that the station says of each of them, also of those without a value.
    """

    evse_connectors: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    smart_charging: SmartCharging = SmartCharging()
    variables: Mapping[str, str] = field(default_factory=dict)
    device: Mapping[str, DeviceVariable] = field(default_factory=dict)
    awaiting_reboot: tuple[str, ...] = ()
    """Variables that were set and take effect with the next reboot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSample:
    """One set of values an EVSE's meter gave at one moment. `at` is by the station's clock, None where it did not say."""

    at: datetime | None = None
    current_a: TerminalValues = UNKNOWN
    voltage_v: TerminalValues = UNKNOWN
    power_w: float | None = None
    energy_wh: float | None = None
    """Active import register over the meter's lifetime."""
    soc_pct: float | None = None


# What stations tell, one value each. The central system passes them on in the order in which they came.


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
    | ReservationEnded
    | UpkeepEvent
    | Noticed
)


class StationError(Exception):
    """A command did not do what it was for. The station, or the way to it, is at fault; the caller may try again."""


class StationOfflineError(StationError):
    """The station is not connected, or went away before it answered."""


class CallTimeoutError(StationError):
    """The station did not answer in time."""


class CallError(StationError):
    """The station answered with a CALLERROR, or with something that is no answer."""

    def __init__(self, action: str, code: str, description: str = "") -> None:
        """Keep OCPP's error code and description."""
        super().__init__(f"{action}: {code} {description}".rstrip())
        self.action = action
        self.code = code
        self.description = description


class CallRejectedError(StationError):
    """The station understood the command and said no. `status` is OCPP's own word for it."""

    def __init__(self, action: str, status: str, reason: str = "") -> None:
        """Keep the status and the statusInfo's reason code."""
        super().__init__(f"{action}: {status} {reason}".rstrip())
        self.action = action
        self.status = status
        self.reason = reason


class Station(Protocol):
    """An open connection to one station, whatever version it speaks.

    Every command raises StationError where it did not come to pass. One call is outstanding at a time (OCPP-J 4.1.1): calls wait
    for each other in the order in which they were made.
    """

    @property
    def identity(self) -> str:
        """The last part of the path it connected to."""

    @property
    def ocpp_version(self) -> str:
        """As "2.0.1"."""

    @property
    def commands(self) -> Collection[str]:
        """The requests that `call` knows."""

    @property
    def info(self) -> StationInfo:
        """What it said at its last boot."""

    @property
    def inventory(self) -> Inventory:
        """What was read of its device model."""

    @property
    def firmware(self) -> FirmwareCommands:
        """Its firmware."""

    @property
    def diagnostics(self) -> DiagnosticsCommands:
        """Its logs and monitors, and what it knows of a customer."""

    @property
    def display(self) -> DisplayCommands:
        """Its display, and what its vendor adds to the protocol."""

    @property
    def certificates(self) -> SecurityCommands:
        """Its password and certificates, and where it connects."""

    @property
    def clock_offset_s(self) -> float:
        """The station's clock minus ours, as far as it was seen; the times of what is installed are corrected by it."""

    @property
    def authorization(self) -> Authorizing:
        """What it knows of tokens, and its reservations."""

    @property
    def learnt(self) -> Learnt:
        """What was learnt of how it takes limits, kept over restarts: whoever changes it calls `learnt_changed`."""

    def learnt_changed(self) -> None:
        """Have what was learnt kept."""

    @property
    def dialect(self) -> Dialect:
        """How it is told its limits now: as learnt, else as its quirks say, in either case no more than it takes."""

    async def install_station_limit(self, limit_a: float) -> bool:
        """Install the ceiling of the whole station, kept over reboots; overwrites the last one.

        False: nothing was sent, for its dialect has no place for one.
        """

    async def install_fallback(self, evse_id: int, limit_a: float) -> None:
        """Install what holds on an EVSE without a lease, kept over reboots; overwrites the last one."""

    async def install_lease(
        self, evse_id: int, transaction_id: str, limit_a: float, valid_to: datetime, *, fallback_a: float | None = None
    ) -> None:
        """Limit a transaction until `valid_to`; overwrites the last one.

        What the limit is then, and whether it ends by itself at all, is by its dialect: Dialect.holds_leases, Dialect.overwrites.
        `fallback_a` is the limit that holds afterwards, for a dialect that says it in a second period.
        """

    async def withdraw(self, evse_id: int, handle: Handle, *, fallback: bool = False) -> None:
        """Take away the lease of an EVSE that was told by a handle, or with `fallback` its fallback; nothing there is no error.

        For what a former dialect left: first install in the new one, then withdraw, so that there is no gap.
        """

    async def survey(self) -> Installed:
        """Return what the station holds, ours and others'. Raises StationError; one that does not report is not one that holds nothing."""

    async def clear_leases(self, evse_id: int) -> None:
        """Take the leases of an EVSE away so that its fallback holds; nothing to clear is no error."""

    async def set_charging_profile(self, evse_id: int, profile: Mapping[str, Any]) -> None:
        """Send a profile of the caller's own, in this version's JSON, which may only restrict what is installed.

        Raises ValueError where it breaks a rule, or where the station would give more with it than without at any moment.
        """

    async def clear_charging_profile(
        self, *, profile_id: int | None = None, evse_id: int | None = None, purpose: str | None = None, stack_level: int | None = None
    ) -> bool:
        """Clear profiles by id or by criteria; False where none matched."""

    async def get_charging_profiles(self, evse_id: int | None = None) -> Sequence[Mapping[str, Any]]:
        """Return the profiles installed on an EVSE (0: station, None: everywhere), each with its "evseId"."""

    async def get_composite_schedule(self, evse_id: int, duration_s: int, unit: str | None = None) -> CompositeSchedule:
        """Return what the station reckons it will allow."""

    async def check_composite(self, evse_id: int, duration_s: int, unit: str | None = None) -> CompositeCheck:
        """Return what the station reckons it will allow, what it should by the profiles it holds, and where they differ."""

    async def start_transaction(
        self,
        evse_id: int,
        id_token: IdToken,
        remote_start_id: int,
        *,
        group: str | None = None,
        limit_a: float | None = None,
        valid_to: datetime | None = None,
    ) -> str | None:
        """Ask for a transaction; returns its id where the station names one already.

        `limit_a`, until `valid_to`, goes along as its first lease; a station that will not have it is asked once more without.
        """

    async def stop_transaction(self, transaction_id: str) -> None:
        """Ask for a transaction's end."""

    async def get_variables(
        self, keys: Sequence[VariableKey], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Read one kind of value of variables, each with its own status; what was read is in the inventory afterwards."""

    async def set_variables(
        self, values: Mapping[VariableKey, str], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Set one kind of value of variables, each with its own status; what was taken is in the inventory afterwards."""

    async def get_report(
        self, components: Sequence[tuple[str, str | None]] = (), criteria: Sequence[str] = ()
    ) -> Mapping[str, DeviceVariable]:
        """Return what it reports of components, by (component, variable or None) and OCPP's ComponentCriterionEnumType."""

    async def read_inventory(self) -> None:
        """Read its whole device model anew; it is in the inventory afterwards."""

    async def trigger(self, message: str, evse_id: int | None = None) -> None:
        """Ask for a message (OCPP's MessageTriggerEnumType)."""

    async def reset(self, *, immediate: bool, evse_id: int | None = None) -> None:
        """Restart the station or one EVSE, at once or when idle."""

    async def change_availability(self, *, operative: bool, evse_id: int | None = None) -> None:
        """Put the station or one EVSE in or out of service."""

    async def unlock_connector(self, evse_id: int, connector_id: int) -> None:
        """Release the plug."""

    async def call(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send any request of this version by its name and JSON; returns the response's JSON. Both are checked."""
