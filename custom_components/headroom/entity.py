"""What every entity shares: the subject it tells of, that subject's device, and how it comes and goes while the site runs.

A subject is the site, a circuit, a station or an EVSE. A platform is a table of rows for each kind of subject; `async_follow`
turns rows into entities, at start and for whatever is added later.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.typing import UNDEFINED
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import CONF_EVSE_ID, CONF_EVSES, CONF_IDENTITY, CONF_PHASES, DOMAIN, SUBENTRY_STATION
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .csms.values import StationInfo
from .engine.model import ALL_PHASES, Phase
from .site.config import EvseKey
from .site.snapshot import CircuitSnapshot, EvseSnapshot, SiteSnapshot, StationSnapshot

type Subentries = Mapping[str, ConfigSubentry]
"""An entry's subentries by what they stand for: a station's identity or a circuit's id."""


def subentries_by_subject(entry: HeadroomConfigEntry) -> Subentries:
    """Return the entry's subentries by station identity and circuit id."""
    return {
        (subentry.data[CONF_IDENTITY] if subentry.subentry_type == SUBENTRY_STATION else subentry_id): subentry
        for subentry_id, subentry in entry.subentries.items()
    }


def evse_settings(subentry: ConfigSubentry, evse_id: int) -> Mapping[str, Any]:
    """Return what the user set for one EVSE of a station; empty where the EVSE is not configured (any more)."""
    return next((evse for evse in subentry.data[CONF_EVSES] if evse[CONF_EVSE_ID] == evse_id), {})


@dataclass(frozen=True, slots=True)
class Subject[SnapshotT](ABC):
    """What an entity tells of. A value: two of the same kind and key are the same subject."""

    @abstractmethod
    def snapshot(self, site: SiteSnapshot) -> SnapshotT | None:
        """Return the subject's part of the snapshot, None once it is gone from the site."""

    @abstractmethod
    def unique_id(self, entry_id: str) -> str:
        """Return what its unique ids and its device's identifier begin with."""

    def owner(self) -> str | None:
        """Return the key of its subentry in `subentries_by_subject`, None for what belongs to the entry itself."""
        return None

    def online(self, site: SiteSnapshot) -> bool:
        """Say whether what it measures is known now."""
        return True

    def phases(self, site: SiteSnapshot, subentry: ConfigSubentry | None) -> Sequence[int]:
        """Return the indices of the conductors it has."""
        return ()

    def device_info(self, coordinator: HeadroomCoordinator) -> dr.DeviceInfo | dr.ChildDeviceInfo:
        """Refer to its device, which `async_follow_devices` registered."""
        return dr.DeviceInfo(identifiers={self.identifier(coordinator.config_entry)})

    def identifier(self, entry: HeadroomConfigEntry) -> tuple[str, str]:
        """Return its device's identifier."""
        return (DOMAIN, self.unique_id(entry.entry_id))


@dataclass(frozen=True, slots=True)
class SiteSubject(Subject[SiteSnapshot]):
    """The site as a whole."""

    @override
    def snapshot(self, site: SiteSnapshot) -> SiteSnapshot:
        return site

    @override
    def unique_id(self, entry_id: str) -> str:
        return entry_id


@dataclass(frozen=True, slots=True)
class CircuitSubject(Subject[CircuitSnapshot]):
    """One circuit. The main fuse has no device of its own: it is the site's."""

    circuit_id: str
    root: bool

    @override
    def snapshot(self, site: SiteSnapshot) -> CircuitSnapshot | None:
        return site.circuits.get(self.circuit_id)

    @override
    def unique_id(self, entry_id: str) -> str:
        return entry_id if self.root else f"{entry_id}_{self.circuit_id}"

    @override
    def owner(self) -> str | None:
        return None if self.root else self.circuit_id

    @override
    def phases(self, site: SiteSnapshot, subentry: ConfigSubentry | None) -> Sequence[int]:
        return site.circuits[self.circuit_id].circuit.phases


@dataclass(frozen=True, slots=True)
class StationSubject(Subject[StationSnapshot]):
    """One charging station."""

    identity: str

    @override
    def snapshot(self, site: SiteSnapshot) -> StationSnapshot | None:
        return site.stations.get(self.identity)

    @override
    def unique_id(self, entry_id: str) -> str:
        return f"{entry_id}_{self.identity}"

    @override
    def owner(self) -> str | None:
        return self.identity

    @override
    def online(self, site: SiteSnapshot) -> bool:
        station = site.stations.get(self.identity)
        return station is not None and station.online


@dataclass(frozen=True, slots=True)
class EvseSubject(Subject[EvseSnapshot]):
    """One EVSE: a child device of its station."""

    key: EvseKey

    @override
    def snapshot(self, site: SiteSnapshot) -> EvseSnapshot | None:
        return site.evses.get(self.key)

    @override
    def unique_id(self, entry_id: str) -> str:
        return f"{entry_id}_{self.key.station}_{self.key.evse_id}"

    @override
    def owner(self) -> str | None:
        return self.key.station

    @override
    def online(self, site: SiteSnapshot) -> bool:
        return StationSubject(self.key.station).online(site)

    @override
    def phases(self, site: SiteSnapshot, subentry: ConfigSubentry | None) -> Sequence[int]:
        terminals = evse_settings(subentry, self.key.evse_id).get(CONF_PHASES, len(ALL_PHASES)) if subentry else len(ALL_PHASES)
        return range(min(terminals, len(site.circuits[site.root_id].circuit.phases)))

    @override
    def device_info(self, coordinator: HeadroomCoordinator) -> dr.ChildDeviceInfo:
        entry = coordinator.config_entry
        station = dr.async_get(coordinator.hass).async_get_device_by_identifier(
            StationSubject(self.key.station).identifier(entry), entry.entry_id
        )
        assert station is not None  # async_follow_devices registers a station before its EVSEs and both before their entities
        return dr.ChildDeviceInfo(
            identifiers={self.identifier(entry)},
            parent_device_id=station.id,
            translation_key="evse",
            translation_placeholders={"evse_id": str(self.key.evse_id)},
        )


def subjects(site: SiteSnapshot) -> Iterator[Subject[Any]]:
    """Name everything of the site that entities tell of, parents before children."""
    yield SiteSubject()
    for circuit_id in site.circuits:
        yield CircuitSubject(circuit_id, circuit_id == site.root_id)
    for identity in site.stations:
        yield StationSubject(identity)
    for key in site.evses:
        yield EvseSubject(key)


@dataclass(frozen=True, kw_only=True)
class Row[SnapshotT](EntityDescription):
    """One entity of a subject, as data. Without a `value_fn` of its own the entity has nothing to show (a button)."""

    value_fn: Callable[[SnapshotT], Any] = lambda _: None
    has_fn: Callable[[SnapshotT], bool] = lambda _: True
    """False while the subject has no such entity; it is added once this turns True."""
    phase: Phase | None = None
    """The conductor it is about: only a subject that has the conductor has the entity."""
    live: bool = False
    """Known only while the station is connected: unavailable without it, where limits and settings stay usable."""


type Rows = Mapping[type[Subject[Any]], Sequence[Row[Any]]]
"""A platform's table: the rows of each kind of subject."""


class HeadroomEntity[SnapshotT](CoordinatorEntity[HeadroomCoordinator]):
    """An entity that shows one row of one subject and writes its state only when what it shows has changed."""

    _attr_has_entity_name = True

    def __init__(self, coordinator: HeadroomCoordinator, subject: Subject[SnapshotT], description: Row[SnapshotT]) -> None:
        """Take the subject, which is in the coordinator's data, and its row."""
        super().__init__(coordinator)
        snapshot = subject.snapshot(coordinator.data)
        assert snapshot is not None
        self.subject = subject
        self.snapshot: SnapshotT = snapshot
        self.row = description
        self.entity_description = description
        self._present = True
        self._shown: object = None
        self._attr_unique_id = f"{subject.unique_id(coordinator.config_entry.entry_id)}_{description.key}"
        self._attr_device_info = subject.device_info(coordinator)

    @property
    @override
    def available(self) -> bool:
        """Say whether the subject is still there and, for what it measures, connected."""
        return super().available and self._present and (not self.row.live or self.subject.online(self.coordinator.data))

    @property
    def row_value(self) -> Any:
        """Return what the row says of the newest snapshot; None is unknown."""
        return self.row.value_fn(self.snapshot)

    def shown(self) -> object:
        """Return everything that the state is made of, to compare."""
        return (self.available, self.row_value)

    @override
    async def async_added_to_hass(self) -> None:
        """Catch up with what happened since the entity was made."""
        await super().async_added_to_hass()
        self._take_snapshot()

    def _take_snapshot(self) -> None:
        snapshot = self.subject.snapshot(self.coordinator.data)
        self._present = snapshot is not None
        if snapshot is not None:
            self.snapshot = snapshot

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        self._take_snapshot()
        if (shown := self.shown()) != self._shown:
            self._shown = shown
            self.async_write_ha_state()


@callback
def async_follow(
    entry: HeadroomConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
    entity_type: Callable[[HeadroomCoordinator, Any, Any], Entity],
    rows: Rows,
) -> None:
    """Add the entities of a platform's rows, now and whenever a subject or one of its values appears.

    Home Assistant removes the entities of a station or a circuit together with its subentry.
    """
    coordinator = entry.runtime_data
    missing: dict[tuple[Subject[Any], str | None], list[Row[Any]]] = {}

    @callback
    def add_new() -> None:
        site = coordinator.data
        subentries = subentries_by_subject(entry)
        present = set()
        new: dict[str | None, list[Entity]] = defaultdict(list)
        for subject in subjects(site):
            owner = subject.owner()
            if not (table := rows.get(type(subject))) or (owner is not None and owner not in subentries):
                continue
            subentry = subentries[owner] if owner is not None else None
            subentry_id = subentry.subentry_id if subentry else None
            present.add(key := (subject, subentry_id))
            if not (rest := missing.setdefault(key, list(table))):
                continue
            phases = subject.phases(site, subentry)
            snapshot = subject.snapshot(site)
            found = [row for row in rest if (row.phase is None or row.phase in phases) and row.has_fn(snapshot)]
            if found:
                missing[key] = [row for row in rest if row not in found]
                new[subentry_id].extend(entity_type(coordinator, subject, row) for row in found)
        for key in missing.keys() - present:
            del missing[key]
        for subentry_id, entities in new.items():
            async_add_entities(entities, config_subentry_id=subentry_id)

    add_new()
    entry.async_on_unload(coordinator.async_add_listener(add_new))


@callback
def async_follow_devices(hass: HomeAssistant, entry: HeadroomConfigEntry) -> None:
    """Register the devices (site ← circuits and stations ← EVSEs) and keep them true: names, firmware, EVSEs that are gone.

    To be called once at the entry's setup, before its platforms.
    """
    coordinator = entry.runtime_data
    registry = dr.async_get(hass)
    site_device = registry.async_get_or_create(
        config_entry_id=entry.entry_id,
        entry_type=dr.DeviceEntryType.SERVICE,
        identifiers={SiteSubject().identifier(entry)},
        manufacturer="Headroom",
        model="Charging site",
        name=entry.title,
    )
    registered: dict[Subject[Any], object] = {}

    def register(subject: Subject[Any], subentry: ConfigSubentry, info: StationInfo) -> None:
        if isinstance(subject, EvseSubject):
            registry.async_get_or_create_child(
                config_entry_id=entry.entry_id, config_subentry_id=subentry.subentry_id, **subject.device_info(coordinator)
            )
            return
        # A station that has not booted since the start says nothing of itself: what it said before stays.
        registry.async_get_or_create(
            config_entry_id=entry.entry_id,
            config_subentry_id=subentry.subentry_id,
            entry_type=dr.DeviceEntryType.SERVICE if isinstance(subject, CircuitSubject) else None,
            identifiers={subject.identifier(entry)},
            manufacturer=info.vendor or UNDEFINED,
            model=info.model or UNDEFINED,
            name=subentry.title,
            serial_number=info.serial_number or UNDEFINED,
            sw_version=info.firmware_version or UNDEFINED,
            via_device_id=site_device.id,
        )

    @callback
    def update() -> None:
        site = coordinator.data
        subentries = subentries_by_subject(entry)
        present = set(subjects(site))
        for subject in subjects(site):
            owner = subject.owner()
            if owner is None or (subentry := subentries.get(owner)) is None:
                continue
            info = site.stations[owner].info if owner in site.stations else StationInfo()
            if registered.get(subject) != (state := (subentry.subentry_id, subentry.title, info)):
                registered[subject] = state
                register(subject, subentry, info)
        for subject in registered.keys() - present:
            del registered[subject]
            # A station or circuit goes with its subentry; an EVSE that was taken out of a station goes here.
            device = registry.async_get_child_device_by_identifier(subject.identifier(entry), entry.entry_id)
            if device is not None:
                registry.async_remove_device(device.id)

    update()
    entry.async_on_unload(coordinator.async_add_listener(update))
