"""How stations reach this Home Assistant: its names, and the address to enter at a station."""

from ipaddress import ip_address

from homeassistant.core import HomeAssistant
from homeassistant.helpers.network import NoURLAvailableError, get_url
from yarl import URL

from .csms.security.recognition import PASSWORD_OVER_TLS
from .security_settings import SecuritySettings

HOST_NAME = "homeassistant.local"
"""What Home Assistant's own system is found by where nothing else is known."""


def own_host(hass: HomeAssistant) -> str:
    """Return the host of Home Assistant's address in its own network."""
    try:
        return URL(get_url(hass, allow_external=False, allow_cloud=False)).host or HOST_NAME
    except NoURLAvailableError:
        return HOST_NAME


def own_names(hass: HomeAssistant) -> list[str]:
    """Return the names and addresses under which stations may look for Home Assistant, the one to tell them first."""
    names = [own_host(hass), HOST_NAME]
    if hass.config.api is not None:
        names.append(hass.config.api.local_ip)
    return list(dict.fromkeys(names))


def _anywhere(host: str) -> bool:
    """Return whether this is no address to be reached at: whoever listens there listens on all of the machine's."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def station_address(hass: HomeAssistant, host: str, port: int) -> str:
    """Return the address to enter at a station that comes without TLS; the station puts its identity behind it."""
    return str(URL.build(scheme="ws", host=own_host(hass) if _anywhere(host) else host, port=port, path="/"))


def profile_address(hass: HomeAssistant, host: str, port: int, settings: SecuritySettings, profile: int) -> str:
    """Return the address by which a station comes on a security profile: with TLS from 2 on."""
    if profile < PASSWORD_OVER_TLS:
        return station_address(hass, host, port)
    name = settings.server_names[0] if settings.server_names else own_host(hass)
    return str(URL.build(scheme="wss", host=name, port=settings.tls_port, path="/"))
