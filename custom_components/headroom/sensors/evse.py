"""The sensors of EVSEs: what each car gets, and why."""

from collections.abc import Callable

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import PERCENTAGE, EntityCategory, UnitOfElectricPotential, UnitOfEnergy

from ..csms.values import ChargingState
from ..engine.model import ALL_PHASES, Phase, ReasonCode
from ..phase_map_repair import conductor_names
from ..site.snapshot import EvseSnapshot, EvseStatus, SiteSnapshot
from ..site.wiring import Wiring
from .rows import Attributes, CurrentRow, EnergyRow, EnumRow, PowerRow, SensorRow


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


def _phase_map(_: SiteSnapshot, evse: EvseSnapshot) -> Attributes:
    """Return which grid conductors are behind the terminals: as said, as learnt, and as reckoned with."""
    if (known := evse.phase_map) is None:
        return {}
    names = {"said": known.said, "learnt": known.learnt or None, "reckoned": known.reckoned}
    return {key: None if each is None else conductor_names(each) for key, each in names.items()} | {"steps": known.steps}


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
