"""Headroom: Home Assistant as the central system of a charging site that holds its fuse."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.device_registry import DeviceEntry
from homeassistant.helpers.typing import ConfigType

from .const import CONF_FREE_CHARGING, CONF_NO_AUTHORIZATION, DOMAIN, PLATFORMS
from .coordinator import HeadroomConfigEntry, HeadroomCoordinator
from .devices import async_follow_devices
from .log_views import async_register_views
from .repairs import async_clear_issues, async_sync_issues
from .services import async_setup_services
from .storage import async_forget
from .token_flow import async_adopt_tokens

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions and the views, which exist whether a site is loaded or not."""
    async_setup_services(hass)
    async_register_views(hass)
    return True


async def async_migrate_entry(hass: HomeAssistant, entry: HeadroomConfigEntry) -> bool:
    """Bring an older entry up to date; False where a newer version of this integration wrote it."""
    if entry.version > 2:
        return False
    if entry.version < 2:
        # Where charging was free nobody needed a token; since then that is a choice of its own.
        options = {CONF_NO_AUTHORIZATION: bool(entry.options.get(CONF_FREE_CHARGING, False)), **entry.options}
        hass.config_entries.async_update_entry(entry, options=options, version=2)
        async_adopt_tokens(hass, entry)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: HeadroomConfigEntry) -> bool:
    """Take a site into operation."""
    async_adopt_tokens(hass, entry)
    begun_with = _described(entry)
    coordinator = HeadroomCoordinator(hass, entry)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    try:
        async_follow_devices(hass, entry)
        await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    except BaseException:
        await coordinator.async_stop()
        raise
    entry.async_on_unload(entry.add_update_listener(_async_apply))

    @callback
    def sync_issues() -> None:
        async_sync_issues(hass, entry, coordinator.data, coordinator.concerns, solver=coordinator.solver is not False)

    entry.async_on_unload(coordinator.async_add_listener(sync_issues))
    sync_issues()
    if _described(entry) != begun_with:
        await _async_apply(hass, entry)  # nobody listened to what was changed while the site began
    return True


async def async_unload_entry(hass: HomeAssistant, entry: HeadroomConfigEntry) -> bool:
    """Let a site go; its stations keep what is installed on them."""
    if unloaded := await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        await entry.runtime_data.async_stop()
        async_clear_issues(hass, entry)
    return unloaded


async def async_remove_entry(hass: HomeAssistant, entry: HeadroomConfigEntry) -> None:
    """Remove what the site kept."""
    await async_forget(hass, entry.entry_id)


async def async_remove_config_entry_device(hass: HomeAssistant, entry: HeadroomConfigEntry, device: DeviceEntry) -> bool:
    """Devices come and go with the site's circuits and stations; none is removed by hand while it is configured."""
    return False


def _described(entry: HeadroomConfigEntry) -> object:
    """Return what a person says of the site, to compare."""
    return (entry.data, entry.options, {key: (subentry.title, subentry.data) for key, subentry in entry.subentries.items()})


async def _async_apply(hass: HomeAssistant, entry: HeadroomConfigEntry) -> None:
    """Take a change over without dropping a socket; only another port takes a reload."""
    if not entry.runtime_data.async_apply():
        hass.config_entries.async_schedule_reload(entry.entry_id)
