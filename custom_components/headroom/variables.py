"""The variables of a station's device model that a person may want to set by an entity, as data, and what their entities share.

Left out is what the central system keeps by itself (who may charge, what is measured), what would lift our limits, and what would
have a station stop a car because of us.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, override

from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfEnergy, UnitOfTime

from .csms import inventory
from .csms.errors import CallRejectedError
from .csms.variables import DeviceVariable, Mutability, VariableCharacteristics
from .entity import HeadroomEntity, Row
from .errors import rejected, translated_errors
from .site.snapshot import StationSnapshot

UNITS: Mapping[str, str] = {
    "s": UnitOfTime.SECONDS,
    "seconds": UnitOfTime.SECONDS,
    "Percent": PERCENTAGE,
    "%": PERCENTAGE,
    "Wh": UnitOfEnergy.WATT_HOUR,
    "kWh": UnitOfEnergy.KILO_WATT_HOUR,
}
"""The units of the standard (Part 2, appendix 2) that these variables come in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One variable. `unit`, `least` and `most` are the standard's, for a station that does not say."""

    key: str
    variable: str
    """As in Inventory.device."""
    unit: str | None = None
    least: float = 0
    most: float = 86_400

    def described(self, station: StationSnapshot) -> DeviceVariable | None:
        """Return what the station says of it, None where it has none that may be read and set."""
        found = station.inventory.device.get(self.variable)
        if found is None or not found.writable:
            return None
        actual = found.attribute()
        return found if actual is not None and actual.mutability is Mutability.READ_WRITE else None

    def value(self, station: StationSnapshot) -> str | None:
        """Return its actual value, None where that is not known."""
        return None if (found := self.described(station)) is None else found.value

    def characteristics(self, station: StationSnapshot) -> VariableCharacteristics:
        """Return which values it takes."""
        found = self.described(station)
        return (found.characteristics if found else None) or VariableCharacteristics()

    def settable(self, station: StationSnapshot) -> bool:
        """Say whether the station lets it be set."""
        return self.described(station) is not None

    def selectable(self, station: StationSnapshot) -> bool:
        """Say whether the station lets it be set to one of the values it lists."""
        return bool(self.characteristics(station).values)


NUMBERS = (
    Setting(key="aligned_data_interval", variable="AlignedDataCtrlr.Interval", unit="s"),
    Setting(key="ev_connection_timeout", variable="TxCtrlr.EVConnectionTimeOut", unit="s"),
    Setting(key="heartbeat_interval", variable="OCPPCommCtrlr.HeartbeatInterval", unit="s", least=1),
    Setting(key="limit_change_significance", variable="SmartChargingCtrlr.LimitChangeSignificance", unit="Percent", most=100),
    Setting(key="max_energy_on_invalid_id", variable="TxCtrlr.MaxEnergyOnInvalidId", unit="Wh", most=100_000),
    Setting(key="offline_queuing_severity", variable="MonitoringCtrlr.OfflineQueuingSeverity", most=9),
    Setting(key="offline_threshold", variable="OCPPCommCtrlr.OfflineThreshold", unit="s"),
    Setting(key="tx_ended_interval", variable="SampledDataCtrlr.TxEndedInterval", unit="s"),
    Setting(key="tx_updated_interval", variable="SampledDataCtrlr.TxUpdatedInterval", unit="s", least=1),
    Setting(key="websocket_ping_interval", variable="OCPPCommCtrlr.WebSocketPingInterval", unit="s"),
)
SELECTS = (
    Setting(key="public_key_with_meter_value", variable="OCPPCommCtrlr.PublicKeyWithSignedMeterValue"),
    Setting(key="time_zone", variable="ClockCtrlr.TimeZone"),
)
SWITCHES = (
    Setting(key="aligned_data", variable="AlignedDataCtrlr.Enabled"),
    Setting(key="display", variable="DisplayMessageCtrlr.Enabled"),
    Setting(key="monitoring", variable="MonitoringCtrlr.Enabled"),
    Setting(key="sign_readings", variable="SampledDataCtrlr.SignReadings"),
    Setting(key="stop_on_ev_disconnect", variable="TxCtrlr.StopTxOnEVSideDisconnect"),
)


@dataclass(frozen=True, kw_only=True)
class VariableRow(Row[StationSnapshot]):
    """A variable as a row; each platform's own is this and a row of the platform."""

    setting: Setting


def row(setting: Setting) -> dict[str, Any]:
    """Return what the rows of all variables have in common."""
    return {
        "setting": setting,
        "key": setting.key,
        "translation_key": setting.key,
        "entity_category": EntityCategory.CONFIG,
        "entity_registry_enabled_default": False,
        "live": True,
        "value_fn": setting.value,
        "has_fn": setting.settable,
    }


class VariableEntity(HeadroomEntity[StationSnapshot]):
    """A variable of a station. What takes effect with the next reboot is a repair until then, and the value stays what it is."""

    row: VariableRow

    @property
    def setting(self) -> Setting:
        """Return which variable it is."""
        return self.row.setting

    @property
    @override
    def available(self) -> bool:
        """Say whether the station is there and still lets it be set."""
        return super().available and self.setting.settable(self.snapshot)

    @override
    def shown(self) -> object:
        return (super().shown(), self.setting.characteristics(self.snapshot))

    async def async_set(self, value: str) -> None:
        """Set it; raises a translated HomeAssistantError where the station does not take it."""
        name, key = self.snapshot.identity, inventory.key_of(self.setting.variable)
        with translated_errors(name):
            results = await self.coordinator.station(name).set_variables({key: value})
        if not (result := results[key]).taken:
            raise rejected(name, CallRejectedError(self.setting.variable, result.status, result.reason))
