"""The devices of a site in Home Assistant's registry: site ← circuits and stations ← EVSEs."""

from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.typing import UNDEFINED

from .coordinator import HeadroomConfigEntry
from .csms.values import StationInfo
from .subjects import CircuitSubject, EvseSubject, SiteSubject, Subject, subentries_by_subject, subjects


@callback
def async_follow_devices(hass: HomeAssistant, entry: HeadroomConfigEntry) -> None:
    """Register the devices (site ← circuits and stations ← EVSEs) and keep them true: names, firmware, EVSEs that are gone.

    To be called once at the entry's setup, before its platforms.
    """
    coordinator = entry.runtime_data
    registry = dr.async_get(hass)
    registered: dict[Subject[Any], object] = {SiteSubject(): entry.title}

    def register_site() -> dr.DeviceEntry:
        return registry.async_get_or_create(
            config_entry_id=entry.entry_id,
            entry_type=dr.DeviceEntryType.SERVICE,
            identifiers={SiteSubject().identifier(entry)},
            manufacturer="Headroom",
            model="Charging site",
            name=entry.title,
        )

    site_device = register_site()

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
        if registered.get(SiteSubject()) != entry.title:
            registered[SiteSubject()] = entry.title
            register_site()
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
