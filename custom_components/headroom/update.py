"""Updates: the firmware of each station."""

from dataclasses import dataclass
from typing import Any, override

from homeassistant.components.update import UpdateEntity, UpdateEntityDescription, UpdateEntityFeature
from homeassistant.components.update.const import UpdateDeviceClass
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .commands import update_firmware
from .coordinator import HeadroomConfigEntry
from .entity import HeadroomEntity, Row, Rows, async_follow
from .site.snapshot import StationSnapshot
from .subjects import StationSubject

# Different stations need not wait for each other.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class UpdateRow[SnapshotT](Row[SnapshotT], UpdateEntityDescription):
    """The firmware of a subject."""


STATION: tuple[UpdateRow[StationSnapshot], ...] = (
    UpdateRow(
        key="firmware",
        translation_key="firmware",
        device_class=UpdateDeviceClass.FIRMWARE,
        entity_category=EntityCategory.CONFIG,
        live=True,
        value_fn=lambda station: station.info.firmware_version or None,
    ),
)

ROWS: Rows = {StationSubject: STATION}


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback) -> None:
    """Set up the updates."""
    async_follow(entry, async_add_entities, FirmwareEntity, ROWS)


class FirmwareEntity(HeadroomEntity[StationSnapshot], UpdateEntity):
    """The firmware that a station runs, and the one that was offered to it."""

    row: UpdateRow[StationSnapshot]
    entity_description: UpdateRow[StationSnapshot]
    _attr_supported_features = UpdateEntityFeature.INSTALL | UpdateEntityFeature.PROGRESS

    @property
    @override
    def installed_version(self) -> str | None:
        """Return what the station says it runs."""
        version: str | None = self.row_value
        return version

    @property
    @override
    def latest_version(self) -> str | None:
        """Return what was offered; where nothing was, there is nothing newer."""
        offer = self.coordinator.upgrades.offered(self.snapshot.identity)
        return self.installed_version if offer is None else offer.version

    @property
    @override
    def in_progress(self) -> bool:
        """Say whether the station is at it."""
        return self.coordinator.upgrades.progress(self.snapshot.identity) is not None

    @override
    def version_is_newer(self, latest_version: str, installed_version: str) -> bool:
        """Whatever was offered is wanted: makers count in ways of their own, and an older version may be the one that works."""
        return True

    @override
    def shown(self) -> object:
        return (super().shown(), self.latest_version, self.in_progress)

    @override
    async def async_install(self, version: str | None, backup: bool, **kwargs: Any) -> None:
        """Have the station fetch and install what was offered; it goes on after the station has said yes."""
        await update_firmware(self.coordinator, self.snapshot.identity)
