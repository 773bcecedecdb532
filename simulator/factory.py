"""How a station leaves the factory: what it is made of, and its device model's first values."""

from dataclasses import dataclass, field

from .device_model import READ_ONLY, READ_WRITE, WRITE_ONLY, DeviceModel, Key, Variable
from .electrical import ROTATIONS
from .profile_rules import Abilities
from .quirks import NO_QUIRKS, Quirks

MEASURANDS = (
    "Current.Import",
    "Current.Offered",
    "Energy.Active.Import.Register",
    "Power.Active.Import",
    "SoC",
    "Voltage",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseSpec:
    """An EVSE with one connector, wired to the grid by `rotation`; one conductor makes it a 1-phase EVSE.

    Two conductors are the legs of a split-phase supply: it hangs between them, and tells of one current and of one voltage, twice that of a leg.
    """

    evse_id: int = 1
    max_a: float = 32.0
    rotation: str = "L1L2L3"

    @property
    def conductors(self) -> tuple[int, ...]:
        """Return the grid's conductors behind its terminals; raises KeyError where there is no such rotation."""
        return ROTATIONS[self.rotation]

    @property
    def supplies(self) -> int:
        """Return how many phases it says that it has."""
        return 1 if self.between_legs else len(self.conductors)

    @property
    def between_legs(self) -> bool:
        """Tell whether it hangs between two legs."""
        return len(self.conductors) == 2


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSpec:
    """A station: its nameplate, its EVSEs, the circuit it hangs on, and habits the standard leaves open."""

    identity: str
    evses: tuple[EvseSpec, ...] = (EvseSpec(),)
    circuit_id: str = "main"
    vendor: str = "Headroom"
    model: str = "Simulator"
    serial_number: str = ""
    firmware_version: str = "1.0"
    abilities: Abilities = field(default_factory=Abilities)
    clock_offset_s: float = 0.0
    """Its clock minus the true time."""
    boots_on_reconnect: bool = False
    """Sends BootNotification after every reconnect, not only after a boot."""
    tells_soc: bool = False
    quirks: Quirks = NO_QUIRKS
    security_profile: int = 0
    password: str = field(default="", repr=False)
    """Its first one."""
    roots: str = field(default="", repr=False)
    """The certificates (PEM) its CSMS is known by."""
    client_certificate: tuple[str, str] | None = field(default=None, repr=False)
    """Its own chain and its key (PEM)."""


def device_model(spec: StationSpec) -> DeviceModel:
    """Return the device model of a new station."""
    can, smart = spec.abilities, not spec.quirks.no_smart_charging
    variables: dict[Key, Variable] = {
        Key("ChargingStation", "Model"): Variable(value=spec.model),
        Key("ChargingStation", "VendorName"): Variable(value=spec.vendor),
        Key("ChargingStation", "SerialNumber"): Variable(value=spec.serial_number),
        Key("ChargingStation", "AvailabilityState"): _options("Available", "Available", "Occupied", "Unavailable", "Faulted"),
        Key("ChargingStation", "FirmwareVersion"): Variable(value=spec.firmware_version),
        Key("ChargingStation", "Problem"): _boolean(False, monitored=True),
        Key("ChargingStation", "AllowNewSessionsPendingFirmwareUpdate"): _boolean(False, writable=True),
        Key("ChargingStation", "SupplyPhases"): _integer(max(evse.supplies for evse in spec.evses)),
        Key("OCPPCommCtrlr", "HeartbeatInterval"): _integer(60, writable=True, unit="s", least=1),
        Key("OCPPCommCtrlr", "NetworkConfigurationPriority"): Variable(
            value="1", mutability=READ_WRITE, data_type="SequenceList", reboot_required=True
        ),
        Key("OCPPCommCtrlr", "NetworkProfileConnectionAttempts"): _integer(3, writable=True),
        Key("OCPPCommCtrlr", "OfflineThreshold"): _integer(60, writable=True, unit="s"),
        Key("OCPPCommCtrlr", "ResetRetries"): _integer(1, writable=True),
        Key("OCPPCommCtrlr", "UnlockOnEVSideDisconnect"): _boolean(False, writable=True),
        Key("OCPPCommCtrlr", "WebSocketPingInterval"): _integer(20, writable=True, unit="s"),
        Key("OCPPCommCtrlr", "MessageTimeout", variable_instance="Default"): _integer(30, unit="s"),
        Key("OCPPCommCtrlr", "MessageAttempts", variable_instance="TransactionEvent"): _integer(5, writable=True),
        Key("OCPPCommCtrlr", "MessageAttemptInterval", variable_instance="TransactionEvent"): _integer(10, writable=True, unit="s"),
        Key("DeviceDataCtrlr", "ItemsPerMessage", variable_instance="GetReport"): _integer(10),
        Key("DeviceDataCtrlr", "ItemsPerMessage", variable_instance="GetVariables"): _integer(50),
        Key("DeviceDataCtrlr", "ItemsPerMessage", variable_instance="SetVariables"): _integer(50),
        Key("DeviceDataCtrlr", "BytesPerMessage", variable_instance="GetVariables"): _integer(65535),
        Key("DeviceDataCtrlr", "BytesPerMessage", variable_instance="SetVariables"): _integer(65535),
        Key("AuthCtrlr", "Enabled"): _boolean(True, writable=True),
        Key("AuthCtrlr", "AuthorizeRemoteStart"): _boolean(False, writable=True),
        Key("AuthCtrlr", "LocalAuthorizeOffline"): _boolean(True, writable=True),
        Key("AuthCtrlr", "LocalPreAuthorize"): _boolean(False, writable=True),
        Key("AuthCtrlr", "OfflineTxForUnknownIdEnabled"): _boolean(False, writable=True),
        Key("AuthCtrlr", "MasterPassGroupId"): Variable(value="", mutability=READ_WRITE),
        Key("AuthCacheCtrlr", "Enabled"): _boolean(True, writable=True),
        Key("AuthCacheCtrlr", "LifeTime"): _integer(0, writable=True, unit="s"),
        Key("LocalAuthListCtrlr", "Enabled"): _boolean(True, writable=True),
        Key("LocalAuthListCtrlr", "Entries"): _integer(0, most=100),
        Key("LocalAuthListCtrlr", "ItemsPerMessage"): _integer(20),
        Key("ReservationCtrlr", "Enabled"): _boolean(True, writable=True),
        Key("ReservationCtrlr", "Available"): _boolean(True),
        Key("ReservationCtrlr", "NonEvseSpecific"): _boolean(True),
        Key("DisplayMessageCtrlr", "Enabled"): _boolean(True),
        Key("DisplayMessageCtrlr", "Available"): _boolean(True),
        Key("DisplayMessageCtrlr", "DisplayMessages"): _integer(20),
        Key("DisplayMessageCtrlr", "SupportedFormats"): Variable(value="ASCII,UTF8", data_type="MemberList"),
        Key("DisplayMessageCtrlr", "SupportedPriorities"): Variable(value="AlwaysFront,InFront,NormalCycle", data_type="MemberList"),
        Key("MonitoringCtrlr", "Enabled"): _boolean(True, writable=True),
        Key("MonitoringCtrlr", "Available"): _boolean(True),
        Key("MonitoringCtrlr", "OfflineQueuingSeverity"): _integer(4, writable=True, most=9),
        Key("MonitoringCtrlr", "ItemsPerMessage", variable_instance="SetVariableMonitoring"): _integer(50),
        Key("MonitoringCtrlr", "BytesPerMessage", variable_instance="SetVariableMonitoring"): _integer(65535),
        Key("TemperatureSensor", "Temperature"): Variable(value="20.0", data_type="decimal", unit="Celsius", monitored=True),
        Key("TxCtrlr", "EVConnectionTimeOut"): _integer(60, writable=True, unit="s"),
        Key("TxCtrlr", "StopTxOnEVSideDisconnect"): _boolean(True),
        Key("TxCtrlr", "StopTxOnInvalidId"): _boolean(True, writable=True),
        Key("TxCtrlr", "TxStartPoint"): Variable(value="Authorized,EVConnected", data_type="MemberList"),
        Key("TxCtrlr", "TxStopPoint"): Variable(value="EVConnected", data_type="MemberList"),
        Key("SampledDataCtrlr", "Enabled"): _boolean(True, writable=True),
        Key("SampledDataCtrlr", "TxStartedMeasurands"): _measurands("Energy.Active.Import.Register"),
        Key("SampledDataCtrlr", "TxUpdatedMeasurands"): _measurands("Energy.Active.Import.Register"),
        Key("SampledDataCtrlr", "TxUpdatedInterval"): _integer(60, writable=True, unit="s"),
        Key("SampledDataCtrlr", "TxEndedMeasurands"): _measurands("Energy.Active.Import.Register"),
        Key("SampledDataCtrlr", "TxEndedInterval"): _integer(0, writable=True, unit="s"),
        Key("AlignedDataCtrlr", "Enabled"): _boolean(True, writable=True),
        Key("AlignedDataCtrlr", "Measurands"): _measurands("Energy.Active.Import.Register"),
        Key("AlignedDataCtrlr", "Interval"): _integer(0, writable=True, unit="s"),
        Key("SecurityCtrlr", "BasicAuthPassword"): Variable(value=spec.password, mutability=WRITE_ONLY),
        Key("SecurityCtrlr", "Identity"): Variable(value=spec.identity),
        Key("SecurityCtrlr", "OrganizationName"): Variable(value="Headroom", mutability=READ_WRITE),
        Key("SecurityCtrlr", "CertificateEntries"): _integer(0, most=20),
        Key("SecurityCtrlr", "CertSigningWaitMinimum"): _integer(30, writable=True, unit="s", least=1),
        Key("SecurityCtrlr", "CertSigningRepeatTimes"): _integer(3, writable=True),
        Key("SecurityCtrlr", "MaxCertificateChainSize"): _integer(10000),
        Key("SecurityCtrlr", "SecurityProfile"): _integer(0),
        Key("ClockCtrlr", "DateTime"): Variable(value="", data_type="dateTime"),
        Key("ClockCtrlr", "TimeSource"): Variable(value="Heartbeat", mutability=READ_WRITE, data_type="SequenceList"),
        Key("SmartChargingCtrlr", "Enabled"): _boolean(smart, writable=smart),
        Key("SmartChargingCtrlr", "Available"): _boolean(smart),
        Key("SmartChargingCtrlr", "ProfileStackLevel"): _integer(can.stack_level_max),
        Key("SmartChargingCtrlr", "RateUnit"): Variable(value=",".join(can.rate_units), data_type="MemberList"),
        Key("SmartChargingCtrlr", "PeriodsPerSchedule"): _integer(can.periods_per_schedule),
        Key("SmartChargingCtrlr", "Entries", variable_instance="ChargingProfiles"): _integer(0, most=can.entries_max),
        Key("SmartChargingCtrlr", "LimitChangeSignificance"): Variable(
            value="1.0", mutability=READ_WRITE, data_type="decimal", unit="Percent"
        ),
        Key("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules"): _boolean(True, writable=True),
        Key("SmartChargingCtrlr", "ExternalControlSignalsEnabled"): _boolean(True, writable=True),
        Key("SmartChargingCtrlr", "ACPhaseSwitchingSupported"): _boolean(can.phase_switching),
        Key("SmartChargingCtrlr", "Phases3to1"): _boolean(False),
    }
    for evse in spec.evses:
        power_w = evse.max_a * 230 * len(evse.conductors)
        evse_id = evse.evse_id
        variables |= {
            Key("EVSE", "Available", evse_id=evse_id): _boolean(True),
            Key("EVSE", "AvailabilityState", evse_id=evse_id): _options("Available", "Available", "Occupied", "Unavailable", "Faulted"),
            Key("EVSE", "SupplyPhases", evse_id=evse_id): _integer(evse.supplies),
            Key("EVSE", "Power", evse_id=evse_id): Variable(value="0.0", data_type="decimal", unit="W", most=power_w, monitored=True),
            Key("Connector", "Available", evse_id=evse_id, connector_id=1): _boolean(True),
            Key("Connector", "AvailabilityState", evse_id=evse_id, connector_id=1): _options(
                "Available", "Available", "Occupied", "Reserved", "Unavailable", "Faulted", monitored=True
            ),
            Key("Connector", "ConnectorType", evse_id=evse_id, connector_id=1): Variable(value="cType2"),
            Key("Connector", "SupplyPhases", evse_id=evse_id, connector_id=1): _integer(evse.supplies),
        }
    return DeviceModel(variables)


def _boolean(value: bool, *, writable: bool = False, monitored: bool = False) -> Variable:
    mutability = READ_WRITE if writable else READ_ONLY
    return Variable(value="true" if value else "false", data_type="boolean", mutability=mutability, monitored=monitored)


def _integer(
    value: int, *, writable: bool = False, unit: str | None = None, least: float | None = 0, most: float | None = None
) -> Variable:
    return Variable(
        value=str(value), data_type="integer", unit=unit, least=least, most=most, mutability=READ_WRITE if writable else READ_ONLY
    )


def _options(value: str, *choices: str, monitored: bool = False) -> Variable:
    return Variable(value=value, data_type="OptionList", choices=choices, monitored=monitored)


def _measurands(*chosen: str) -> Variable:
    return Variable(value=",".join(chosen), data_type="MemberList", choices=MEASURANDS, mutability=READ_WRITE)
