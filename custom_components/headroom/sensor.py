"""Sensors: what flows, what is left, what each car gets and why."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity, SensorEntityDescription, SensorStateClass
from homeassistant.const import (
    PERCENTAGE,
    EntityCategory,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfPower,
    UnitOfTime,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import StateType

from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .csms.values import ChargingState
from .engine.model import ALL_PHASES, Phase, ReasonCode
from .entity import HeadroomEntity, Row, Rows, async_follow
from .phase_map_repair import conductor_names
from .site.comparison import Compared, Comparison
from .site.snapshot import (
    CircuitSnapshot,
    EvseSnapshot,
    EvseStatus,
    MeterHealth,
    PeakSnapshot,
    ResourceSnapshot,
    SiteSnapshot,
    StationSnapshot,
)
from .site.wiring import Wiring
from .subjects import CircuitSubject, EvseSubject, ResourceSubject, SiteSubject, StationSubject

# Values are pushed; nothing is asked of a station.
PARALLEL_UPDATES = 0

SECURITY_PROFILES = ("no_authentication", "password", "password_over_tls", "certificate")
"""By OCPP's number of the profile."""

type Attributes = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SensorRow[SnapshotT](Row[SnapshotT], SensorEntityDescription):
    """A sensor of a subject."""

    attributes_fn: Callable[[SiteSnapshot, SnapshotT], Attributes] | None = None


@dataclass(frozen=True, kw_only=True)
class CurrentRow[SnapshotT](SensorRow[SnapshotT]):
    """A current."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.CURRENT
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    native_unit_of_measurement: str | None = UnitOfElectricCurrent.AMPERE
    suggested_display_precision: int | None = 1


@dataclass(frozen=True, kw_only=True)
class PowerRow[SnapshotT](SensorRow[SnapshotT]):
    """A power."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.POWER
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    native_unit_of_measurement: str | None = UnitOfPower.WATT
    suggested_display_precision: int | None = 0


@dataclass(frozen=True, kw_only=True)
class EnergyRow[SnapshotT](SensorRow[SnapshotT]):
    """A register that only counts up, or starts again at 0."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.ENERGY
    state_class: SensorStateClass | None = SensorStateClass.TOTAL_INCREASING
    native_unit_of_measurement: str | None = UnitOfEnergy.WATT_HOUR
    suggested_unit_of_measurement: str | None = UnitOfEnergy.KILO_WATT_HOUR
    suggested_display_precision: int | None = 2


@dataclass(frozen=True, kw_only=True)
class DurationRow[SnapshotT](SensorRow[SnapshotT]):
    """How long something took, for whoever looks for the cause of a trouble."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.DURATION
    state_class: SensorStateClass | None = SensorStateClass.MEASUREMENT
    native_unit_of_measurement: str | None = UnitOfTime.SECONDS
    entity_category: EntityCategory | None = EntityCategory.DIAGNOSTIC


@dataclass(frozen=True, kw_only=True)
class EnumRow[SnapshotT](SensorRow[SnapshotT]):
    """One of a few words."""

    device_class: SensorDeviceClass | None = SensorDeviceClass.ENUM


def _believed[ValueT](value_fn: Callable[[CircuitSnapshot], ValueT]) -> Callable[[CircuitSnapshot], ValueT | None]:
    """Show nothing where the circuit's meter is lost: what it said last is not what flows now."""
    return lambda circuit: None if circuit.meter is MeterHealth.LOST else value_fn(circuit)


def _metered(circuit: CircuitSnapshot) -> bool:
    return circuit.circuit.metered


def _current(phase: Phase) -> Callable[[CircuitSnapshot], float | None]:
    return _believed(lambda circuit: circuit.current_a[phase])


def _headroom(phase: Phase) -> Callable[[CircuitSnapshot], float]:
    return lambda circuit: circuit.headroom_a[phase]


def _limit(phase: Phase) -> Callable[[CircuitSnapshot], float]:
    return lambda circuit: circuit.limit_a[phase]


def _flow(phase: Phase) -> Callable[[ResourceSnapshot], float | None]:
    return lambda resource: None if resource.meter is MeterHealth.LOST else resource.current_a[phase]


def _evse_current(phase: Phase) -> Callable[[EvseSnapshot], float | None]:
    return lambda evse: evse.current_a[phase]


def _evse_voltage(phase: Phase) -> Callable[[EvseSnapshot], float | None]:
    return lambda evse: evse.voltage_v[phase]


REASON_ATTRIBUTES = (
    "text",
    "circuit",
    "phase",
    "against",
    "limit",
    "unmanaged",
    "reserved",
    "limit_power",
    "unmanaged_power",
    "reserved_power",
    "others",
    "source",
    "tier",
    "tiers",
    "least",
    "rises_to",
    "rounded_from",
    "next_at",
    "energy_needed",
    "departs_at",
    "ready_at",
)


def _reason(site: SiteSnapshot, evse: EvseSnapshot) -> Attributes:
    """Say what stops the limit from being higher, in words and as data; the circuit and the phase are always there, the rest where it is known."""
    always = {"text": evse.reason_text or None, "circuit": None, "phase": None}
    return always | {key: evse.circumstances[key] for key in REASON_ATTRIBUTES if key in evse.circumstances}


def _energy_left(evse: EvseSnapshot) -> float | None:
    """Return what a session still needs, in steps of 100 Wh: each is written to the recorder."""
    energy_wh = evse.needed.need.energy_wh
    return None if energy_wh is None else round(energy_wh, -2)


def _compared_wh(energy_fn: Callable[[Comparison], float]) -> Callable[[SiteSnapshot], float | None]:
    """Show an energy of shadow mode in steps of 10 Wh: each is written to the recorder."""
    return lambda site: None if site.shadow is None else round(energy_fn(site.shadow), -1)


def _compared_s(over_fn: Callable[[Compared], float]) -> Callable[[CircuitSnapshot], float | None]:
    return lambda circuit: None if circuit.compared is None else round(over_fn(circuit.compared))


def _peak(site: SiteSnapshot) -> PeakSnapshot | None:
    """Return the running quarter-hour, where there is something to keep it under."""
    return None if site.peak is None or site.peak.goal_w is None else site.peak


def _peak_w(power_w: Callable[[PeakSnapshot], float | None]) -> Callable[[SiteSnapshot], float | None]:
    """Return what shows a power of the running quarter-hour, in steps of 10 W: it goes on all the time, and each is written to the recorder."""

    def shown(site: SiteSnapshot) -> float | None:
        peak = _peak(site)
        told_w = None if peak is None else power_w(peak)
        return None if told_w is None else round(told_w, -1)

    return shown


SITE: tuple[SensorRow[SiteSnapshot], ...] = (
    PowerRow(key="charging_power", translation_key="charging_power", value_fn=lambda site: site.charging_power_w),
    PowerRow(
        key="quarter_hour_demand",
        translation_key="quarter_hour_demand",
        has_fn=lambda site: _peak(site) is not None,
        value_fn=_peak_w(lambda peak: peak.window_w),
    ),
    PowerRow(
        key="quarter_hour_left",
        translation_key="quarter_hour_left",
        has_fn=lambda site: _peak(site) is not None,
        value_fn=_peak_w(lambda peak: peak.left_w),
    ),
    PowerRow(
        key="month_peak",
        translation_key="month_peak",
        has_fn=lambda site: _peak(site) is not None,
        value_fn=_peak_w(lambda peak: peak.month_w),
    ),
    DurationRow(
        key="reaction_time",
        translation_key="reaction_time",
        entity_registry_enabled_default=False,
        suggested_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        value_fn=lambda site: site.reaction_s,
    ),
    EnergyRow(
        key="shadow_energy",
        translation_key="shadow_energy",
        entity_category=EntityCategory.DIAGNOSTIC,
        has_fn=lambda site: site.shadow is not None,
        value_fn=_compared_wh(lambda shadow: shadow.energy_wh),
    ),
    EnergyRow(
        key="shadow_would_energy",
        translation_key="shadow_would_energy",
        entity_category=EntityCategory.DIAGNOSTIC,
        has_fn=lambda site: site.shadow is not None,
        value_fn=_compared_wh(lambda shadow: shadow.would_energy_wh),
    ),
)

# The rows of the main fuse are the site's own.
CIRCUIT: tuple[SensorRow[CircuitSnapshot], ...] = (
    *(
        row
        for phase in ALL_PHASES
        for row in (
            CurrentRow(
                key=f"current_{phase.name.lower()}",
                translation_key=f"current_{phase.name.lower()}",
                phase=phase,
                value_fn=_current(phase),
            ),
            CurrentRow(
                key=f"headroom_{phase.name.lower()}",
                translation_key=f"headroom_{phase.name.lower()}",
                phase=phase,
                value_fn=_headroom(phase),
            ),
            CurrentRow(
                key=f"limit_{phase.name.lower()}",
                translation_key=f"limit_{phase.name.lower()}",
                entity_category=EntityCategory.DIAGNOSTIC,
                phase=phase,
                value_fn=_limit(phase),
            ),
        )
    ),
    DurationRow(
        key="shadow_over_limit",
        translation_key="shadow_over_limit",
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=0,
        has_fn=lambda circuit: circuit.compared is not None,
        value_fn=_compared_s(lambda compared: compared.over_limit_s),
    ),
    DurationRow(
        key="shadow_would_over_limit",
        translation_key="shadow_would_over_limit",
        state_class=SensorStateClass.TOTAL_INCREASING,
        suggested_display_precision=0,
        has_fn=lambda circuit: circuit.compared is not None,
        value_fn=_compared_s(lambda compared: compared.would_over_limit_s),
    ),
    PowerRow(
        key="grid_power",
        translation_key="grid_power",
        has_fn=lambda circuit: circuit.power_w is not None,
        value_fn=_believed(lambda circuit: circuit.power_w),
    ),
    EnergyRow(
        key="grid_import",
        translation_key="grid_import",
        has_fn=lambda circuit: circuit.import_wh is not None,
        value_fn=lambda circuit: circuit.import_wh,
    ),
    EnumRow(
        key="meter_health",
        translation_key="meter_health",
        entity_category=EntityCategory.DIAGNOSTIC,
        options=[health.value for health in MeterHealth if health is not MeterHealth.NONE],
        has_fn=_metered,
        value_fn=lambda circuit: None if circuit.meter is MeterHealth.NONE else circuit.meter.value,
    ),
    DurationRow(
        key="meter_age",
        translation_key="meter_age",
        entity_registry_enabled_default=False,
        suggested_display_precision=1,
        has_fn=_metered,
        value_fn=lambda circuit: circuit.meter_age_s,
    ),
)


def _phase_map(_: SiteSnapshot, evse: EvseSnapshot) -> Attributes:
    """Return which grid conductors are behind the terminals: as said, as learnt, and as reckoned with."""
    if (known := evse.phase_map) is None:
        return {}
    names = {"said": known.said, "learnt": known.learnt or None, "reckoned": known.reckoned}
    return {key: None if each is None else conductor_names(each) for key, each in names.items()} | {"steps": known.steps}


STATION: tuple[SensorRow[StationSnapshot], ...] = (
    DurationRow(
        key="acknowledgement_latency",
        translation_key="acknowledgement_latency",
        suggested_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        live=True,
        value_fn=lambda station: station.ack_latency_s,
    ),
    SensorRow(
        key="profile_writes_today",
        translation_key="profile_writes_today",
        state_class=SensorStateClass.TOTAL_INCREASING,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda station: station.profile_writes_today,
    ),
)

EVSE: tuple[SensorRow[EvseSnapshot], ...] = (
    EnumRow(
        key="status",
        translation_key="status",
        options=[status.value for status in EvseStatus],
        live=True,
        value_fn=lambda evse: evse.status,
    ),
    EnumRow(
        key="charging_state",
        translation_key="charging_state",
        options=[state.value for state in ChargingState],
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        live=True,
        value_fn=lambda evse: evse.charging_state,
    ),
    PowerRow(key="power", live=True, value_fn=lambda evse: evse.power_w),
    EnergyRow(key="energy", translation_key="energy", live=True, value_fn=lambda evse: evse.energy_wh),
    EnergyRow(key="session_energy", translation_key="session_energy", live=True, value_fn=lambda evse: evse.session_energy_wh),
    *(
        CurrentRow(
            key=f"current_{phase.name.lower()}",
            translation_key=f"current_{phase.name.lower()}",
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
            phase=phase,
            live=True,
            value_fn=_evse_current(phase),
        )
        for phase in ALL_PHASES
    ),
    *(
        SensorRow(
            key=f"voltage_{phase.name.lower()}",
            translation_key=f"voltage_{phase.name.lower()}",
            device_class=SensorDeviceClass.VOLTAGE,
            state_class=SensorStateClass.MEASUREMENT,
            native_unit_of_measurement=UnitOfElectricPotential.VOLT,
            suggested_display_precision=0,
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
            phase=phase,
            live=True,
            value_fn=_evse_voltage(phase),
        )
        for phase in ALL_PHASES
    ),
    CurrentRow(key="limit", translation_key="limit", value_fn=lambda evse: evse.limit_a),
    EnumRow(
        key="limit_reason",
        translation_key="limit_reason",
        options=[code.value for code in ReasonCode],
        value_fn=lambda evse: evse.reason.code if evse.reason else None,
        attributes_fn=_reason,
    ),
    CurrentRow(
        key="requested",
        translation_key="requested",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda evse: evse.requested_a,
    ),
    CurrentRow(
        key="fallback",
        translation_key="fallback",
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda evse: evse.fallback_a,
    ),
    EnumRow(
        key="phase_map",
        translation_key="phase_map",
        options=[wiring.value for wiring in Wiring],
        entity_category=EntityCategory.DIAGNOSTIC,
        has_fn=lambda evse: evse.phase_map is not None,
        value_fn=lambda evse: None if evse.phase_map is None else evse.phase_map.state,
        attributes_fn=_phase_map,
    ),
    SensorRow(
        key="energy_still_needed",
        translation_key="energy_still_needed",
        device_class=SensorDeviceClass.ENERGY,
        native_unit_of_measurement=UnitOfEnergy.WATT_HOUR,
        suggested_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=1,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=_energy_left,
        attributes_fn=lambda _, evse: {"source": evse.needed.energy_source.value},
    ),
    SensorRow(
        key="planned_departure",
        translation_key="planned_departure",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda evse: evse.needed.departs_at,
        attributes_fn=lambda _, evse: {"source": evse.needed.departure_source.value},
    ),
    SensorRow(
        key="driver",
        translation_key="driver",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda evse: evse.driver,
    ),
    SensorRow(
        key="reserved_until",
        translation_key="reserved_until",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
        value_fn=lambda evse: evse.reserved_until,
    ),
    SensorRow(
        key="vehicle_soc",
        translation_key="vehicle_soc",
        device_class=SensorDeviceClass.BATTERY,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=PERCENTAGE,
        has_fn=lambda evse: evse.soc_pct is not None,
        live=True,
        value_fn=lambda evse: evse.soc_pct,
    ),
)

RESOURCE: tuple[SensorRow[ResourceSnapshot], ...] = (
    PowerRow(
        key="flow_power",
        translation_key="flow_power",
        has_fn=lambda resource: resource.power_w is not None,
        value_fn=lambda resource: None if resource.meter is MeterHealth.LOST else resource.power_w,
    ),
    *(
        CurrentRow(
            key=f"current_{phase.name.lower()}",
            translation_key=f"current_{phase.name.lower()}",
            entity_registry_enabled_default=False,
            phase=phase,
            value_fn=_flow(phase),
        )
        for phase in ALL_PHASES
    ),
    EnumRow(
        key="meter_health",
        translation_key="meter_health",
        entity_category=EntityCategory.DIAGNOSTIC,
        options=[health.value for health in MeterHealth if health is not MeterHealth.NONE],
        value_fn=lambda resource: resource.meter.value,
    ),
    DurationRow(
        key="meter_age",
        translation_key="meter_age",
        entity_registry_enabled_default=False,
        suggested_display_precision=1,
        value_fn=lambda resource: resource.meter_age_s,
    ),
)

ROWS: Rows = {SiteSubject: SITE, CircuitSubject: CIRCUIT, ResourceSubject: RESOURCE, StationSubject: STATION, EvseSubject: EVSE}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the sensors."""
    site, station = _security(entry.runtime_data)
    rows: Rows = {**ROWS, SiteSubject: (*SITE, site), StationSubject: (*STATION, station)}
    async_follow(entry, async_add_entities, HeadroomSensor, rows)


def _security(coordinator: HeadroomCoordinator) -> tuple[SensorRow[SiteSnapshot], SensorRow[StationSnapshot]]:
    """Return the rows about the site's and a station's security, which is beside the loop and in no snapshot of it."""
    certificate = SensorRow[SiteSnapshot](
        key="certificate_expires",
        translation_key="certificate_expires",
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_category=EntityCategory.DIAGNOSTIC,
        has_fn=lambda site: coordinator.security.expires_at is not None,
        value_fn=lambda site: coordinator.security.expires_at,
    )
    profile = EnumRow[StationSnapshot](
        key="security_profile",
        translation_key="security_profile",
        entity_category=EntityCategory.DIAGNOSTIC,
        options=list(SECURITY_PROFILES),
        value_fn=lambda station: _profile(coordinator, station.identity),
    )
    return certificate, profile


def _profile(coordinator: HeadroomCoordinator, identity: str) -> str | None:
    """Return the profile that a station is connected on, or else has to come on."""
    live, kept = coordinator.central_system.profile(identity), coordinator.security.access.security(identity)
    if live is not None:
        return SECURITY_PROFILES[live]
    return None if kept is None else SECURITY_PROFILES[kept.profile]


class HeadroomSensor[SnapshotT](HeadroomEntity[SnapshotT], SensorEntity):
    """A sensor."""

    row: SensorRow[SnapshotT]
    entity_description: SensorRow[SnapshotT]
    # They follow every turn of the loop: the state tells the story, the recorder need not keep the prose.
    _unrecorded_attributes = frozenset(REASON_ATTRIBUTES)

    @property
    @override
    def native_value(self) -> StateType | date | datetime | Decimal:
        """Return the row's value."""
        value: StateType = self.row_value
        return value

    @property
    @override
    def extra_state_attributes(self) -> Attributes | None:
        """Return what explains the value."""
        fn = self.row.attributes_fn
        return fn(self.coordinator.data, self.snapshot) if fn else None

    @override
    def shown(self) -> object:
        return (super().shown(), self.extra_state_attributes)
