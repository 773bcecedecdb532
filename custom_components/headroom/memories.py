"""What is known of the stations, kept over a restart of Home Assistant: one file for each, so that one station's news rewrites nothing else."""

import asyncio
from collections.abc import Collection, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import STORAGE_DIR, Store

from .const import DOMAIN
from .csms.memory import KEPT, Memory
from .csms.values import Inventory

STORAGE_VERSION = 1
SOON_S = 10.0
LATER_S = 900.0
"""For the progress of transactions: a station tells it again, and a disk shall not be written with every meter value."""

PROGRESS = frozenset({"transactions", "draws"})


def _key(entry_id: str, subentry_id: str) -> str:
    # An identity may hold characters that a file's name can't.
    return f"{DOMAIN}.{entry_id}.{subentry_id}"


def _lasting(memory: Memory) -> tuple[Any, ...]:
    """Return all but the progress of transactions, to compare.

    Nothing is copied: it is looked at with every transaction event of every station, and a local list is long.
    """
    return tuple(getattr(memory, name) for name in KEPT if name not in PROGRESS)


def _copied(memory: Memory) -> tuple[Any, ...]:
    """Return it as it is now. An inventory is a value: the same object is the same, which is found out at once."""
    return tuple(part if isinstance(part, Inventory) else deepcopy(part) for part in _lasting(memory))


class StationMemories:
    """The files of one entry's stations."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Touch nothing yet."""
        self._hass = hass
        self._entry_id = entry_id
        self._stores: dict[str, Store[dict[str, Any]]] = {}
        self._lasting: dict[str, tuple[Any, ...]] = {}
        self._due: dict[str, float] = {}
        """When what changed is written, by identity."""
        self._memories: Mapping[str, Memory] = {}

    async def async_load(self, stations: Mapping[str, str]) -> dict[str, Memory]:
        """Return what was kept of stations, given as subentry ids by identity; files of others are removed."""
        keep = {_key(self._entry_id, subentry_id) for subentry_id in stations.values()}
        await self._hass.async_add_executor_job(remove_files, self._hass.config.path(STORAGE_DIR), self._entry_id, keep)
        documents = await asyncio.gather(*(self._store(identity, subentry_id).async_load() for identity, subentry_id in stations.items()))
        found = {
            identity: Memory.from_document(document) for identity, document in zip(stations, documents, strict=True) if document is not None
        }
        self._lasting = {identity: _copied(memory) for identity, memory in found.items()}
        return found

    def follow(self, memories: Mapping[str, Memory]) -> None:
        """Keep what these are, as they change."""
        self._memories = memories

    @callback
    def async_add(self, identity: str, subentry_id: str) -> None:
        """Keep a station that was approved; what is known of it already is written soon."""
        self._store(identity, subentry_id)
        self.async_changed(identity)

    @callback
    def async_changed(self, identity: str) -> None:
        """Take note that a memory is worth writing again; of a station that is not approved nothing is kept."""
        if (store := self._stores.get(identity)) is None or (memory := self._memories.get(identity)) is None:
            return
        delay_s = SOON_S if _lasting(memory) != self._lasting.get(identity) else LATER_S
        due = self._hass.loop.time() + delay_s
        # A store's delay begins anew with each call: a busy station would never be written.
        if due < self._due.get(identity, float("inf")):
            self._due[identity] = due
            store.async_delay_save(lambda: self._document(identity, memory), delay_s)

    def _document(self, identity: str, memory: Memory) -> dict[str, Any]:
        self._due.pop(identity, None)
        self._lasting[identity] = _copied(memory)
        return memory.document()

    async def async_forget(self, identity: str) -> None:
        """Remove what was kept of a station."""
        self._due.pop(identity, None)
        self._lasting.pop(identity, None)
        if (store := self._stores.pop(identity, None)) is not None:
            await store.async_remove()

    async def async_save(self) -> None:
        """Write what is not written yet."""
        due = [
            (self._stores[identity], self._document(identity, self._memories[identity]))
            for identity in list(self._due)
            if identity in self._stores and identity in self._memories  # a removal may be under way
        ]
        await asyncio.gather(*(store.async_save(document) for store, document in due))

    def _store(self, identity: str, subentry_id: str) -> Store[dict[str, Any]]:
        return self._stores.setdefault(identity, Store(self._hass, STORAGE_VERSION, _key(self._entry_id, subentry_id), private=True))


def remove_files(folder: str, entry_id: str, keep: Collection[str] = ()) -> None:
    """Remove the files of an entry's stations but those of these names. Blocking."""
    for file in Path(folder).glob(f"{DOMAIN}.{entry_id}.*"):
        if file.name not in keep:
            file.unlink(missing_ok=True)
