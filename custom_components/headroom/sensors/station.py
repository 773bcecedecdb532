"""The sensors of stations."""

from homeassistant.components.sensor import SensorStateClass
from homeassistant.const import EntityCategory, UnitOfTime

from ..site.snapshot import StationSnapshot
from .rows import DurationRow, SensorRow

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
