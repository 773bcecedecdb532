"""Binary sensors: is it safe without us, is it there, is it plugged in, does it charge, is it broken."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.binary_sensor import BinarySensorEntity, BinarySensorEntityDescription
from homeassistant.components.binary_sensor.const import BinarySensorDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import HeadroomConfigEntry
from .entity import HeadroomEntity, Row, Rows, async_follow
from .site.snapshot import EvseSnapshot, SiteSnapshot, StationSnapshot
from .subjects import EvseSubject, SiteSubject, StationSubject

# Values are pushed; nothing is asked of a station.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class BinarySensorRow[SnapshotT](Row[SnapshotT], BinarySensorEntityDescription):
    """A binary sensor of a subject."""


SITE: tuple[BinarySensorRow[SiteSnapshot], ...] = (
    BinarySensorRow(
        key="unsafe_without_us",
        translation_key="unsafe_without_us",
        device_class=BinarySensorDeviceClass.SAFETY,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda site: None if site.dead_man.holds is None else not site.dead_man.holds,
    ),
)

STATION: tuple[BinarySensorRow[StationSnapshot], ...] = (
    BinarySensorRow(
        key="online",
        translation_key="online",
        device_class=BinarySensorDeviceClass.CONNECTIVITY,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda station: station.online,
    ),
    BinarySensorRow(
        key="problem",
        translation_key="problem",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda station: station.problem is not None,
    ),
)

EVSE: tuple[BinarySensorRow[EvseSnapshot], ...] = (
    BinarySensorRow(
        key="vehicle_connected",
        translation_key="vehicle_connected",
        device_class=BinarySensorDeviceClass.PLUG,
        live=True,
        value_fn=lambda evse: evse.vehicle_connected,
    ),
    BinarySensorRow(
        key="charging",
        device_class=BinarySensorDeviceClass.BATTERY_CHARGING,
        live=True,
        value_fn=lambda evse: evse.charging,
    ),
    BinarySensorRow(
        key="fault",
        translation_key="fault",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        live=True,
        value_fn=lambda evse: evse.fault,
    ),
    BinarySensorRow(
        key="did_not_wake",
        translation_key="did_not_wake",
        device_class=BinarySensorDeviceClass.PROBLEM,
        entity_category=EntityCategory.DIAGNOSTIC,
        value_fn=lambda evse: evse.did_not_wake,
    ),
)

ROWS: Rows = {SiteSubject: SITE, StationSubject: STATION, EvseSubject: EVSE}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the binary sensors."""
    async_follow(entry, async_add_entities, HeadroomBinarySensor, ROWS)


class HeadroomBinarySensor[SnapshotT](HeadroomEntity[SnapshotT], BinarySensorEntity):
    """A binary sensor."""

    entity_description: BinarySensorRow[SnapshotT]

    @property
    @override
    def is_on(self) -> bool | None:
        """Return the row's value; None is unknown."""
        value: bool | None = self.row_value
        return value
