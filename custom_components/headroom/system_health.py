"""What the system information page shows: is the loop alive, are the stations there, are the meters heard."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import HeadroomConfigEntry
from .site.snapshot import MeterHealth

LOOK_AHEAD = {
    True: "HiGHS available",
    False: "HiGHS not available on this machine, planning by departure without it",
    None: "HiGHS is being looked for",
}


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register the information."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return the state of all sites together; the oldest loop counts."""
    entries: list[HeadroomConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    sites = [entry.runtime_data.data for entry in entries]
    stations = [station for site in sites for station in site.stations.values()]
    silent = [
        circuit.meter in {MeterHealth.STALE, MeterHealth.LOST}
        for site in sites
        for circuit in site.circuits.values()
        if circuit.circuit.metered
    ]
    # Many an inverter is read seldom.
    silent += [resource.meter is MeterHealth.LOST for site in sites for resource in site.resources.values()]
    reactions = [site.reaction_s for site in sites if site.reaction_s is not None]
    solvers = {entry.runtime_data.solver for entry in entries}
    now = dt_util.utcnow()
    return {
        "sites": len(sites),
        "oldest_turn": f"{max((now - site.at).total_seconds() for site in sites):.1f} s" if sites else "-",
        "reaction": f"{max(reactions) * 1000:.0f} ms" if reactions else "-",
        "stations_online": f"{sum(station.online for station in stations)}/{len(stations)}",
        "stations_pending": sum(len(site.pending) for site in sites),
        "meters_silent": f"{sum(silent)}/{len(silent)}",
        "look_ahead": LOOK_AHEAD[solvers.pop()] if len(solvers) == 1 else "-",
    }
