"""What an entry keeps on disk beside Home Assistant's own record of it, and how that is removed with it.

Below the coordinator, which fills it.
"""

from collections.abc import Callable
import math
from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import STORAGE_DIR, Store

from .const import DOMAIN
from .firmware import Upgrades
from .logs import Logs
from .memories import remove_files
from .security import vault_of

STORAGE_VERSION = 1
SAVE_DELAY_S = 1.0
SAVE_EVERY_S = 5.0
"""A busy site has news many times a second, and a disk shall not be written with each of its leases."""


def site_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    """Return where the control loop's memory is kept. It holds tokens that may charge."""
    return Store(hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True)


class SiteKeeper:
    """Writes what the control loop keeps soon after it changed, however often it does."""

    def __init__(self, hass: HomeAssistant, entry_id: str, document: Callable[[], dict[str, Any]]) -> None:
        """Touch nothing yet. `document` gives what is to be kept, as it is when it is written."""
        self._hass = hass
        self._store = site_store(hass, entry_id)
        self._document = document
        self._waits = False
        self._written_at = -math.inf

    async def async_load(self) -> dict[str, Any] | None:
        """Return what was kept; None where nothing was."""
        return await self._store.async_load()

    @callback
    def async_changed(self) -> None:
        """Write it soon. What waits already is left alone: a store's delay begins anew with each call, and a busy site would never be written."""
        if not self._waits:
            self._waits = True
            rests_s = self._written_at + SAVE_EVERY_S - self._hass.loop.time()
            self._store.async_delay_save(self._newest, max(SAVE_DELAY_S, rests_s))

    async def async_save(self) -> None:
        """Write it now."""
        await self._store.async_save(self._newest())

    def _newest(self) -> dict[str, Any]:
        self._waits, self._written_at = False, self._hass.loop.time()
        return self._document()


def ledger_path(hass: HomeAssistant, entry_id: str) -> Path:
    """Return where the records are kept."""
    return Path(hass.config.path(f"{DOMAIN}_{entry_id}.db"))


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Remove what an entry kept."""
    await site_store(hass, entry_id).async_remove()
    await Upgrades(hass, entry_id).async_remove()
    await hass.async_add_executor_job(Logs(hass, entry_id).remove)
    await hass.async_add_executor_job(remove_files, hass.config.path(STORAGE_DIR), entry_id)
    await hass.async_add_executor_job(_remove_ledger, ledger_path(hass, entry_id))
    await hass.async_add_executor_job(vault_of(hass, entry_id).remove)


def _remove_ledger(database: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)
