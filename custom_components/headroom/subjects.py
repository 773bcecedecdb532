"""What entities tell of: the site, a circuit, a PV system or battery, a station or an EVSE, each with its part of the snapshot and its device."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, override

from homeassistant.config_entries import ConfigSubentry
from homeassistant.helpers import device_registry as dr

from .const import CONF_EVSE_ID, CONF_EVSES, CONF_IDENTITY, CONF_PHASES, DOMAIN, SUBENTRY_STATION
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .engine.model import ALL_PHASES
from .site.config import EvseKey
from .site.snapshot import CircuitSnapshot, EvseSnapshot, ResourceSnapshot, SiteSnapshot, StationSnapshot

type Subentries = Mapping[str, ConfigSubentry]
"""An entry's subentries by what they stand for: a station's identity, or the id of a circuit, PV system or battery."""


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


def _bounded(identity: str) -> str:
    """Return an identity in which no single underscore stands: that one is ours, between a station and its EVSE."""
    return identity.replace("_", "__")


@dataclass(frozen=True, slots=True)
class StationSubject(Subject[StationSnapshot]):
    """One charging station."""

    identity: str

    @override
    def snapshot(self, site: SiteSnapshot) -> StationSnapshot | None:
        return site.stations.get(self.identity)

    @override
    def unique_id(self, entry_id: str) -> str:
        return f"{entry_id}_{_bounded(self.identity)}"

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
        return f"{entry_id}_{_bounded(self.key.station)}_{self.key.evse_id}"

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


@dataclass(frozen=True, slots=True)
class ResourceSubject(Subject[ResourceSnapshot]):
    """A PV system or home battery."""

    resource_id: str

    @override
    def snapshot(self, site: SiteSnapshot) -> ResourceSnapshot | None:
        return site.resources.get(self.resource_id)

    @override
    def unique_id(self, entry_id: str) -> str:
        return f"{entry_id}_{self.resource_id}"

    @override
    def owner(self) -> str | None:
        return self.resource_id

    @override
    def phases(self, site: SiteSnapshot, subentry: ConfigSubentry | None) -> Sequence[int]:
        return site.resources[self.resource_id].phases


def subjects(site: SiteSnapshot) -> Iterator[Subject[Any]]:
    """Name everything of the site that entities tell of, parents before children."""
    yield SiteSubject()
    for circuit_id in site.circuits:
        yield CircuitSubject(circuit_id, circuit_id == site.root_id)
    for resource_id in site.resources:
        yield ResourceSubject(resource_id)
    for identity in site.stations:
        yield StationSubject(identity)
    for key in site.evses:
        yield EvseSubject(key)
