"""The sensors of circuits, and of PV systems and batteries: what their meters see."""

from collections.abc import Callable

from homeassistant.components.sensor import SensorStateClass
from homeassistant.const import EntityCategory

from ..engine.model import ALL_PHASES, Phase
from ..site.comparison import Compared
from ..site.snapshot import CircuitSnapshot, MeterHealth, ResourceSnapshot
from .rows import CurrentRow, DurationRow, EnergyRow, EnumRow, PowerRow, SensorRow


def _believed[ValueT](value_fn: Callable[[CircuitSnapshot], ValueT]) -> Callable[[CircuitSnapshot], ValueT | None]:
    """Show nothing where the circuit's meter is lost, for what it said last is not what flows now, and before it has said anything."""
    return lambda circuit: None if circuit.meter is MeterHealth.LOST or _unheard(circuit) else value_fn(circuit)


def _unheard(circuit: CircuitSnapshot) -> bool:
    return circuit.meter is not MeterHealth.NONE and circuit.meter_source is None


def _metered(circuit: CircuitSnapshot) -> bool:
    return circuit.circuit.metered


def _told(value_fn: Callable[[CircuitSnapshot], float | None], *, main: bool) -> Callable[[CircuitSnapshot], bool]:
    """Tell whether the meter says it, of the main fuse or of a circuit below: only through the first flows what the grid gives."""
    return lambda circuit: (circuit.circuit.parent_id is None) is main and value_fn(circuit) is not None


def _current(phase: Phase) -> Callable[[CircuitSnapshot], float | None]:
    return _believed(lambda circuit: circuit.current_a[phase])


def _headroom(phase: Phase) -> Callable[[CircuitSnapshot], float]:
    """Show no less than nothing: what is missing where more is reserved than there is, as before a station's fallback is installed, is no current."""
    return lambda circuit: max(0.0, circuit.headroom_a[phase])


def _limit(phase: Phase) -> Callable[[CircuitSnapshot], float]:
    return lambda circuit: circuit.limit_a[phase]


def _flow(phase: Phase) -> Callable[[ResourceSnapshot], float | None]:
    return lambda resource: None if resource.meter is MeterHealth.LOST or resource.meter_age_s is None else resource.current_a[phase]


def _compared_s(over_fn: Callable[[Compared], float]) -> Callable[[CircuitSnapshot], float | None]:
    return lambda circuit: None if circuit.compared is None else round(over_fn(circuit.compared))


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
        has_fn=_told(lambda circuit: circuit.power_w, main=True),
        value_fn=_believed(lambda circuit: circuit.power_w),
    ),
    EnergyRow(
        key="grid_import",
        translation_key="grid_import",
        has_fn=_told(lambda circuit: circuit.import_wh, main=True),
        value_fn=lambda circuit: circuit.import_wh,
    ),
    EnergyRow(
        key="grid_export",
        translation_key="grid_export",
        has_fn=_told(lambda circuit: circuit.export_wh, main=True),
        value_fn=lambda circuit: circuit.export_wh,
    ),
    PowerRow(
        key="grid_power",
        translation_key="circuit_power",
        has_fn=_told(lambda circuit: circuit.power_w, main=False),
        value_fn=_believed(lambda circuit: circuit.power_w),
    ),
    EnergyRow(
        key="grid_import",
        translation_key="circuit_import",
        has_fn=_told(lambda circuit: circuit.import_wh, main=False),
        value_fn=lambda circuit: circuit.import_wh,
    ),
    EnergyRow(
        key="grid_export",
        translation_key="circuit_export",
        has_fn=_told(lambda circuit: circuit.export_wh, main=False),
        value_fn=lambda circuit: circuit.export_wh,
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
