"""What the control loop does with the site."""

from dataclasses import dataclass
from typing import override

from homeassistant.components.select import SelectEntity, SelectEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import HeadroomConfigEntry
from .entity import HeadroomEntity, Row, Rows, SiteSubject, async_follow
from .errors import invalid
from .site.config import Mode
from .site.snapshot import SiteSnapshot

# The loop takes the change; no station is called from here.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SelectRow[SnapshotT](Row[SnapshotT], SelectEntityDescription):
    """A selection of a subject."""


SITE: tuple[SelectRow[SiteSnapshot], ...] = (
    SelectRow(key="mode", translation_key="mode", options=[mode.value for mode in Mode], value_fn=lambda site: site.mode),
)

ROWS: Rows = {SiteSubject: SITE}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the selections."""
    async_follow(entry, async_add_entities, ModeSelect, ROWS)


class ModeSelect(HeadroomEntity[SiteSnapshot], SelectEntity):
    """Dynamic, static or off."""

    entity_description: SelectRow[SiteSnapshot]

    @property
    @override
    def current_option(self) -> str:
        """Return the mode."""
        return self.snapshot.mode.value

    @override
    async def async_select_option(self, option: str) -> None:
        """Change the mode; dynamic needs a meter to follow."""
        mode = Mode(option)
        if mode is Mode.DYNAMIC and not self.snapshot.circuits[self.snapshot.root_id].circuit.metered:
            raise invalid("no_meter")
        self.coordinator.site.set_mode(mode)
