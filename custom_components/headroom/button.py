"""Buttons: restart a station; start, stop and unlock an EVSE."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.components.button.const import ButtonDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .commands import reset_station, start_charging, stop_charging, unlock_connector
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .entity import HeadroomEntity, Row, Rows, async_follow
from .site.snapshot import EvseSnapshot, StationSnapshot
from .station_access import async_rotate_password
from .subjects import EvseSubject, StationSubject

# A station takes one call at a time by itself; different stations need not wait for each other.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class ButtonRow[SnapshotT](Row[SnapshotT], ButtonEntityDescription):
    """A button of a subject."""

    live: bool = True
    press_fn: Callable[[HeadroomCoordinator, SnapshotT], Awaitable[None]]


STATION: tuple[ButtonRow[StationSnapshot], ...] = (
    ButtonRow(
        key="restart",
        device_class=ButtonDeviceClass.RESTART,
        entity_category=EntityCategory.CONFIG,
        press_fn=lambda coordinator, station: reset_station(coordinator, station.identity),
    ),
    ButtonRow(
        key="rotate_password",
        translation_key="rotate_password",
        entity_category=EntityCategory.CONFIG,
        entity_registry_enabled_default=False,
        press_fn=lambda coordinator, station: async_rotate_password(coordinator, station.identity),
    ),
)

EVSE: tuple[ButtonRow[EvseSnapshot], ...] = (
    ButtonRow(
        key="start_charging",
        translation_key="start_charging",
        press_fn=lambda coordinator, evse: start_charging(coordinator, evse.key),
    ),
    ButtonRow(
        key="stop_charging",
        translation_key="stop_charging",
        press_fn=lambda coordinator, evse: stop_charging(coordinator, evse.key),
    ),
    ButtonRow(
        key="unlock",
        translation_key="unlock",
        entity_category=EntityCategory.CONFIG,
        press_fn=lambda coordinator, evse: unlock_connector(coordinator, evse.key),
    ),
)

ROWS: Rows = {StationSubject: STATION, EvseSubject: EVSE}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the buttons."""
    async_follow(entry, async_add_entities, HeadroomButton, ROWS)


class HeadroomButton(HeadroomEntity[Any], ButtonEntity):
    """A button."""

    row: ButtonRow[Any]
    entity_description: ButtonRow[Any]

    @override
    async def async_press(self) -> None:
        """Send the command and wait for the station's answer."""
        await self.row.press_fn(self.coordinator, self.snapshot)
