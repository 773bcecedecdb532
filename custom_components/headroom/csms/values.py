"""What a station says of itself and of its EVSEs, as values of no version.

Currents are per phase at the station's own terminals L1, L2, L3; mapping them to the grid's conductors is not the CSMS's business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from .variables import DeviceVariable

type TerminalValues = tuple[float | None, float | None, float | None]
"""A quantity at the station's terminals L1, L2, L3; None where the station does not say."""

UNKNOWN: TerminalValues = (None, None, None)

DRAWS_W = 500.0
"""A car whose power is told to be more than this draws, whatever currents are told."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What came of asking for a transaction: its id where the station named one already, and whether it took a first limit along."""

    transaction_id: str | None = None
    with_limit: bool = False


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
