"""What a person does about how one station shows who it is. Passwords are made here, returned once, and kept as hashes only."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.const import CONF_HOST, CONF_PORT
from homeassistant.core import HomeAssistant

from .addresses import profile_address
from .const import CONF_IDENTITY, CONF_SECURITY, SUBENTRY_STATION, TLS_NONE, TLS_OWN
from .csms.security.credentials import generate_password, hash_password
from .csms.security.recognition import NO_AUTHENTICATION, PASSWORD, PASSWORD_OVER_TLS, PROFILES, StationSecurity
from .csms.security.upgrade import Upgrade, UpgradeStep, rotate_password, upgrade
from .errors import invalid, translated_errors
from .security_settings import SecuritySettings, station_document, station_security

if TYPE_CHECKING:  # the coordinator raises the repairs, and they are made of this
    from .coordinator import HeadroomConfigEntry, HeadroomCoordinator


def new_password_of(entry: HeadroomConfigEntry) -> tuple[str, dict[str, Any]]:
    """Return a password for a new station, to be shown once, and what its subentry keeps of it. Where the site wants TLS, it comes so."""
    secret = generate_password()
    profile = min(max(PASSWORD, SecuritySettings.of(entry.data).profile), PASSWORD_OVER_TLS)
    return secret, station_document(StationSecurity(profile=profile, password=hash_password(secret)))


def station_subentry(entry: HeadroomConfigEntry, identity: str) -> ConfigSubentry | None:
    """Return the subentry of a station; None where the site has it no more."""
    return next((one for one in entry.get_subentries_of_type(SUBENTRY_STATION) if one.data[CONF_IDENTITY] == identity), None)


def kept_of(entry: HeadroomConfigEntry, identity: str) -> StationSecurity:
    """Return what is kept of a station to recognise it."""
    subentry = station_subentry(entry, identity)
    return StationSecurity() if subentry is None else station_security(subentry.data)


def live_profile(entry: HeadroomConfigEntry, identity: str) -> int | None:
    """Return the security profile on which a station is connected now; None where it is not."""
    return entry.runtime_data.central_system.profile(identity) if entry.state is ConfigEntryState.LOADED else None


def address_of(hass: HomeAssistant, entry: HeadroomConfigEntry, profile: int) -> str:
    """Return the address to enter at a station that is to come on a security profile."""
    return profile_address(hass, entry.data[CONF_HOST], entry.data[CONF_PORT], SecuritySettings.of(entry.data), profile)


def shown_address(hass: HomeAssistant, entry: HeadroomConfigEntry, identity: str) -> str:
    """Return the address to enter at a station as things stand: with TLS where it is to be used and is served."""
    settings = SecuritySettings.of(entry.data)
    profile = max(kept_of(entry, identity).profile, settings.profile)
    return address_of(hass, entry, profile if settings.tls != TLS_NONE else PASSWORD)


async def async_set_new_password(hass: HomeAssistant, entry: HeadroomConfigEntry, identity: str, *, at_once: bool) -> str:
    """Return a new password, to be entered at the station by hand.

    The old one, or none where it had none, holds until the new one is used, and one that it took over the air is not waited for any more;
    `at_once`: it is worth nothing any more, and the station's connection is closed.
    """
    secret = generate_password()
    kept, hashed = kept_of(entry, identity), hash_password(secret)
    if at_once:
        kept = replace(kept, profile=max(PASSWORD, kept.profile), password=hashed, sent_passwords=(), password_due=False)
    else:
        kept = kept.with_sent_password(hashed).owing_its_password(False)
    if entry.state is ConfigEntryState.LOADED:
        entry.runtime_data.security.access.keep(identity, kept)
        entry.runtime_data.security.watch.begin_anew(identity)
        if at_once:
            await entry.runtime_data.central_system.disconnect(identity, "its password was changed")
    elif (subentry := station_subentry(entry, identity)) is not None:
        hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, CONF_SECURITY: station_document(kept)})
    return secret


async def async_rotate_password(coordinator: HeadroomCoordinator, identity: str) -> None:
    """Give a station a new password over the air, which nobody need know. Raises HomeAssistantError, translated."""
    kept = kept_of(coordinator.config_entry, identity)
    if not kept.has_password:
        raise invalid("no_password", station=identity)
    with translated_errors(identity):
        await rotate_password(coordinator.station(identity), coordinator.security.access)


def higher_profiles(entry: HeadroomConfigEntry, identity: str) -> list[int]:
    """Return the security profiles that a station may be brought up to, the one that the site wants first."""
    now = max(kept_of(entry, identity).profile, live_profile(entry, identity) or NO_AUTHENTICATION)
    wanted = SecuritySettings.of(entry.data).profile
    return sorted((profile for profile in PROFILES if profile > now), key=lambda profile: (profile < wanted, profile))


def tls_is_missing(entry: HeadroomConfigEntry, profile: int) -> bool:
    """Return whether a profile needs TLS that the site does not serve."""
    security = entry.runtime_data.security
    return profile >= PASSWORD_OVER_TLS and (security.settings.tls == TLS_NONE or entry.runtime_data.central_system.tls_port is None)


async def async_upgrade(
    hass: HomeAssistant,
    coordinator: HeadroomCoordinator,
    identity: str,
    *,
    profile: int,
    interface: str,
    restart: bool,
    on_step: Callable[[UpgradeStep], None] = lambda step: None,
) -> None:
    """Do what a higher security profile takes. Raises UpgradeError, or StationOfflineError where it is not connected."""
    security, entry = coordinator.security, coordinator.config_entry
    wish = Upgrade(
        profile=profile,
        # The station puts its identity behind it, with a slash of its own.
        url=address_of(hass, entry, profile).rstrip("/"),
        interface=interface,
        root=security.root.certificate if security.root is not None and security.settings.tls == TLS_OWN else None,
        restart=restart,
    )
    await upgrade(coordinator.station(identity), security.access, wish, on_step)
