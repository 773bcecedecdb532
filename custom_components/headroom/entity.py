"""What every entity shares: the row that it shows of its subject, and how it comes and goes while the site runs.

A platform is a table of rows for each kind of subject; `async_follow` turns rows into entities, at start and for whatever is added later.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, override

from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback, async_get_current_platform
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .engine.model import Phase
from .subjects import Subject, subentries_by_subject, subjects


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


def row_id(entry: HeadroomConfigEntry, subject: Subject[Any], row: Row[Any]) -> str:
    """Return the unique id of the entity of a subject's row."""
    return f"{subject.unique_id(entry.entry_id)}_{row.key}"


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
        self._attr_unique_id = row_id(coordinator.config_entry, subject, description)
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

    Home Assistant removes the entities of a station or a circuit together with its subentry; those of a conductor that a subject has not
    (any more) are removed here.
    """
    coordinator = entry.runtime_data
    registry, domain = er.async_get(coordinator.hass), async_get_current_platform().domain
    conductors: dict[tuple[Subject[Any], str | None], Sequence[int]] = {}
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
            phases = subject.phases(site, subentry)
            if conductors.get(key) != phases:
                conductors[key] = phases
                gone = [row for row in table if row.phase is not None and row.phase not in phases]
                missing[key] = [row for row in table if row in gone or row in missing.get(key, table)]
                for row in gone:
                    if (entity_id := registry.async_get_entity_id(domain, DOMAIN, row_id(entry, subject, row))) is not None:
                        registry.async_remove(entity_id)
            if not (rest := missing[key]):
                continue
            snapshot = subject.snapshot(site)
            found = [row for row in rest if (row.phase is None or row.phase in phases) and row.has_fn(snapshot)]
            if found:
                missing[key] = [row for row in rest if row not in found]
                new[subentry_id].extend(entity_type(coordinator, subject, row) for row in found)
        for key in missing.keys() - present:
            del missing[key], conductors[key]
        for subentry_id, entities in new.items():
            async_add_entities(entities, config_subentry_id=subentry_id)

    add_new()
    entry.async_on_unload(coordinator.async_add_listener(add_new))
