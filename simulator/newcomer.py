"""What a newcomer does by hand, done through the same flows: add the integration, approve the stations, lay out a dashboard."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .dashboard import ShownEvse, ShownSite, dashboard
from .homeassistant import HomeAssistant
from .homeassistant_api import CONFIG_FLOW, REPAIR_FLOW, ApiError, Client

DOMAIN = "headroom"
POLL_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteAnswers:
    """What the newcomer knows of the site."""

    name: str
    fuse_a: float
    margin_a: float
    worst_case_a: float
    meter_model: str
    meter_port: int
    ocpp_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseAnswers:
    """What the newcomer knows of an EVSE: its phases, the grid's conductors behind its terminals (as "L2L3L1"), its rating."""

    phases: int
    rotation: str
    max_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StationAnswers:
    """What the newcomer knows of a station."""

    identity: str
    name: str
    evses: Sequence[EvseAnswers]


async def add_integration(client: Client, site: SiteAnswers) -> str:
    """Go through the config flow; returns the entry's id."""
    answers: dict[str, Mapping[str, Any]] = {
        "site": {
            "name": site.name,
            "phases": "3",
            "fuse_a": site.fuse_a,
            "margin_a": site.margin_a,
            "worst_case_a": site.worst_case_a,
            "advanced": {"voltage_v": 230},
        },
        "meter": {"next_step_id": "modbus"},
        "modbus": {
            "model": site.meter_model,
            "host": "127.0.0.1",
            "port": site.meter_port,
            "unit_id": 1,
            "advanced": {"invert": False},
        },
        "meter_live": {"next_step_id": "meter_accept"},
        "ocpp": {"port": site.ocpp_port, "free_charging": True, "id_tokens": [], "profile": "0", "advanced": {"host": "127.0.0.1"}},
    }
    result = await client.run_flow(CONFIG_FLOW, {"handler": DOMAIN}, answers)
    entry_id: str = result["result"]["entry_id"]
    return entry_id


async def pending_stations(client: Client) -> dict[str, str]:
    """Return the repair about each station that waits for approval, by the station's identity."""
    issues = (await client.command("repairs/list_issues"))["issues"]
    return {
        issue["translation_placeholders"]["identity"]: issue["issue_id"]
        for issue in issues
        if issue["domain"] == DOMAIN and issue["translation_key"] == "station_pending"
    }


async def approve(client: Client, station: StationAnswers, *, timeout_s: float = 60.0) -> None:
    """Wait until a station asks to be served and go through the repair that lets it in; ApiError where it never asks."""
    try:
        async with asyncio.timeout(timeout_s):
            while (issue_id := (await pending_stations(client)).get(station.identity)) is None:
                await asyncio.sleep(POLL_S)
    except TimeoutError as error:
        raise ApiError(f"The station {station.identity} did not ask to be served within {timeout_s:g} s") from error
    evses = [{"phases": str(evse.phases), "rotation": evse.rotation, "max_a": evse.max_a} for evse in station.evses]
    described = {"name": station.name, "circuit": "main", "evse_count": len(station.evses)}
    try:
        await client.run_flow(
            REPAIR_FLOW,
            {"handler": DOMAIN, "issue_id": issue_id},
            {"station": described, "evse": evses, "authentication": {"authentication": "none"}},
        )
    except ApiError as error:
        raise ApiError(f"Approving {station.identity}: {error}") from error


async def entity_ids(client: Client) -> dict[str, str]:
    """Return the integration's entities by unique id."""
    entries = await client.command("config/entity_registry/list")
    return {entry["unique_id"]: entry["entity_id"] for entry in entries if entry["platform"] == DOMAIN}


async def shown_site(client: Client, entry_id: str, site: SiteAnswers, stations: Sequence[StationAnswers]) -> ShownSite:
    """Return what the dashboard shows, once all of it is there."""
    evses = [
        ShownEvse(
            name=station.name if len(station.evses) == 1 else f"{station.name} {number}",
            prefix=f"{entry_id}_{station.identity}_{number}",
        )
        for station in stations
        for number in range(1, len(station.evses) + 1)
    ]
    async with asyncio.timeout(60.0):
        while True:
            shown = ShownSite(
                entry_id=entry_id, fuse_a=site.fuse_a, margin_a=site.margin_a, evses=evses, entity_ids=await entity_ids(client)
            )
            try:
                dashboard(shown)
            except KeyError:
                await asyncio.sleep(POLL_S)
            else:
                return shown


async def save_dashboard(home_assistant: HomeAssistant, shown: ShownSite) -> None:
    """Save the dashboard and make it the first thing to see."""
    await home_assistant.save_dashboard("charging-site", "Charging site", "mdi:ev-station", dashboard(shown))
