"""The switch that lets an EVSE charge at all."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.switch import SwitchEntity, SwitchEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import HeadroomConfigEntry
from .entity import EvseSubject, HeadroomEntity, Row, Rows, async_follow
from .site.snapshot import EvseSnapshot

# The loop takes the change; no station is called from here.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class SwitchRow[SnapshotT](Row[SnapshotT], SwitchEntityDescription):
    """A switch of a subject."""


EVSE: tuple[SwitchRow[EvseSnapshot], ...] = (
    SwitchRow(key="allow_charging", translation_key="allow_charging", value_fn=lambda evse: evse.allowed),
)

ROWS: Rows = {EvseSubject: EVSE}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the switches."""
    async_follow(entry, async_add_entities, AllowChargingSwitch, ROWS)


class AllowChargingSwitch(HeadroomEntity[EvseSnapshot], SwitchEntity):
    """Off: the EVSE is held at 0 A until it is switched on again. Its transaction goes on."""

    entity_description: SwitchRow[EvseSnapshot]

    @property
    @override
    def is_on(self) -> bool:
        """Say whether the EVSE may charge."""
        return self.snapshot.allowed

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Let it charge."""
        self.coordinator.site.set_allowed(self.snapshot.key, True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Hold it at 0 A."""
        self.coordinator.site.set_allowed(self.snapshot.key, False)
