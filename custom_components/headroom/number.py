"""The most current a person lets an EVSE give."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.number import NumberDeviceClass, NumberEntity, NumberEntityDescription
from homeassistant.const import UnitOfElectricCurrent
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_MAX_A
from .coordinator import HeadroomConfigEntry
from .engine.model import LEAST_CURRENT_A
from .entity import EvseSubject, HeadroomEntity, Row, Rows, async_follow, evse_settings, subentries_by_subject
from .site.snapshot import EvseSnapshot

# The loop takes the change; no station is called from here.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class NumberRow[SnapshotT](Row[SnapshotT], NumberEntityDescription):
    """A number of a subject."""


EVSE: tuple[NumberRow[EvseSnapshot], ...] = (
    NumberRow(
        key="maximum_current",
        translation_key="maximum_current",
        device_class=NumberDeviceClass.CURRENT,
        native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
        native_min_value=LEAST_CURRENT_A,
        native_step=1,
        value_fn=lambda evse: evse.user_max_a,
    ),
)

ROWS: Rows = {EvseSubject: EVSE}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the numbers."""
    async_follow(entry, async_add_entities, MaximumCurrentNumber, ROWS)


class MaximumCurrentNumber(HeadroomEntity[EvseSnapshot], NumberEntity):
    """The user's ceiling for an EVSE, up to what the EVSE is rated for. To stop charging there is the switch."""

    entity_description: NumberRow[EvseSnapshot]

    @property
    @override
    def native_value(self) -> float:
        """Return the ceiling in amps."""
        return self.snapshot.user_max_a

    @property
    @override
    def native_max_value(self) -> float:
        """Return the EVSE's rating as it is configured now."""
        station, evse_id = self.snapshot.key
        subentry = subentries_by_subject(self.coordinator.config_entry).get(station)
        settings = evse_settings(subentry, evse_id) if subentry else {}
        return float(settings.get(CONF_MAX_A, self.snapshot.user_max_a))

    @override
    def shown(self) -> object:
        return (super().shown(), self.native_max_value)

    @override
    async def async_set_native_value(self, value: float) -> None:
        """Set the ceiling."""
        self.coordinator.site.set_user_max(self.snapshot.key, value)
