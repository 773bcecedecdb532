"""What an entry keeps on disk beside Home Assistant's own record of it, and how that is removed with it.

Below the coordinator, which fills it.
"""

from pathlib import Path
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import STORAGE_DIR, Store

from .const import DOMAIN
from .firmware import Upgrades
from .logs import Logs
from .memories import remove_files
from .security import vault_of

STORAGE_VERSION = 1


def site_store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    """Return where the control loop's memory is kept. It holds tokens that may charge."""
    return Store(hass, STORAGE_VERSION, f"{DOMAIN}.{entry_id}", private=True)


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
