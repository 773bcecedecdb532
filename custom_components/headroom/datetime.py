"""When a driver leaves, as they say it."""

from dataclasses import dataclass
from datetime import datetime
from typing import override

from homeassistant.components.datetime import DateTimeEntity, DateTimeEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .commands import set_need
from .coordinator import HeadroomConfigEntry
from .entity import HeadroomEntity, Row, Rows, async_follow
from .site.snapshot import EvseSnapshot
from .subjects import EvseSubject

# The loop takes it; nothing is sent to a station.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class DateTimeRow(Row[EvseSnapshot], DateTimeEntityDescription):
    """A moment of an EVSE."""


EVSE = (
    DateTimeRow(key="departure", translation_key="departure", value_fn=lambda evse: None if evse.wish is None else evse.wish.departs_at),
)

ROWS: Rows = {EvseSubject: EVSE}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the moments."""
    async_follow(entry, async_add_entities, DepartureDateTime, ROWS)


class DepartureDateTime(HeadroomEntity[EvseSnapshot], DateTimeEntity):
    """The departure of the car that charges, or of the next one; it is forgotten when its session ends."""

    entity_description: DateTimeRow

    @property
    @override
    def native_value(self) -> datetime | None:
        """Return what the driver said; None while nothing was."""
        value: datetime | None = self.row_value
        return value

    @override
    async def async_set_value(self, value: datetime) -> None:
        """Take it down; raises ServiceValidationError for what has passed."""
        set_need(self.coordinator, self.snapshot.key, departs_at=value)
