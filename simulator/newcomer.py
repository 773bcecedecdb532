"""What a newcomer does by hand, done through the same flows: add the integration, approve the stations, learn the cards, lay out a dashboard."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .dashboard import ShownEvse, ShownSite, dashboard
from .homeassistant import HomeAssistant
from .homeassistant_api import CONFIG_FLOW, REPAIR_FLOW, SUBENTRY_FLOW, ApiError, Client, Shown

DOMAIN = "headroom"
ISSUES_UPDATED, REGISTRY_UPDATED, STATE_CHANGED = "repairs_issue_registry_updated", "entity_registry_updated", "state_changed"
NETWORK_INTERFACE = "Wired0"
POLL_S = 0.1


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
    security_profile: int


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What is shown once, to be entered in a station's own settings."""

    address: str
    password: str = field(repr=False)


async def add_integration(client: Client, site: SiteAnswers) -> str:
    """Go through the config flow; returns the entry's id."""
    listening = {"port": site.ocpp_port, "advanced": {"host": "127.0.0.1"}}
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
        "ocpp": {**listening, "free_charging": False, "id_tokens": [], "profile": str(site.security_profile)},
    }
    result = await client.run_flow(CONFIG_FLOW, {"handler": DOMAIN}, answers)
    entry_id: str = result["result"]["entry_id"]
    return entry_id


async def serve_tls(client: Client, entry_id: str, *, security_profile: int, port: int) -> None:
    """Have the site listen with TLS as well, by a certificate that is made there; returns once it does."""
    security = {
        "profile": str(security_profile),
        "unknown_stations": True,
        "tls": "own",
        "tls_port": port,
        "server_names": ["127.0.0.1"],
    }
    await client.run_flow(
        CONFIG_FLOW,
        {"handler": DOMAIN, "entry_id": entry_id},
        {"reconfigure": {"next_step_id": "security"}, "security": security},
        ends=("reconfigure_successful",),
    )
    await listening(port)


async def listening(port: int, *, timeout_s: float = 30.0) -> None:
    """Wait until somebody listens on a port of 127.0.0.1, which nothing tells of; raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(POLL_S)
            else:
                writer.close()
                return


async def pending_stations(client: Client) -> dict[str, str]:
    """Return the repair about each station that waits for approval, by the station's identity."""
    issues = (await client.command("repairs/list_issues"))["issues"]
    return {
        issue["translation_placeholders"]["identity"]: issue["issue_id"]
        for issue in issues
        if issue["domain"] == DOMAIN and issue["translation_key"] == "station_pending"
    }


async def approve(client: Client, station: StationAnswers, *, timeout_s: float = 60.0) -> Credentials:
    """Wait until a station asks to be served and go through the repair that lets it in with a password, which is returned.

    Raises ApiError where it never asks.
    """

    async def waits() -> str | None:
        return (await pending_stations(client)).get(station.identity)

    noted: list[Credentials] = []

    def note_down(shown: Shown) -> Mapping[str, Any]:
        placeholders = shown["description_placeholders"]
        noted.append(Credentials(address=placeholders["address"], password=placeholders["password"]))
        return {}

    try:
        issue_id = await client.wait_for(ISSUES_UPDATED, waits, timeout_s=timeout_s)
    except TimeoutError as error:
        raise ApiError(f"The station {station.identity} did not ask to be served within {timeout_s:g} s") from error
    evses = [{"phases": str(evse.phases), "rotation": evse.rotation, "max_a": evse.max_a} for evse in station.evses]
    described = {"name": station.name, "circuit": "main", "evse_count": len(station.evses)}
    try:
        await client.run_flow(
            REPAIR_FLOW,
            {"handler": DOMAIN, "issue_id": issue_id},
            {"station": described, "evse": evses, "authentication": {"authentication": "password"}, "password": note_down},
        )
    except ApiError as error:
        raise ApiError(f"Approving {station.identity}: {error}") from error
    return noted[0]


async def raise_security(client: Client, entry_id: str, station: StationAnswers, *, security_profile: int) -> None:
    """Have a station that is connected brought up to a security profile with TLS; returns once it came back on it. Raises ApiError."""
    subentries = await client.command("config_entries/subentries/list", entry_id=entry_id)
    subentry_id = next(one["subentry_id"] for one in subentries if one["unique_id"] == station.identity)
    wish = {"profile": str(security_profile), "interface": NETWORK_INTERFACE, "restart": True}
    await client.run_flow(
        SUBENTRY_FLOW,
        {"handler": [entry_id, "station"], "subentry_id": subentry_id},
        {"reconfigure": {"next_step_id": "upgrade"}, "upgrade": wish},
        ends=("upgraded",),
    )


async def learn_card(client: Client, entry_id: str, *, name: str, station: str, ends_on: str, timeout_s: float = 60.0) -> None:
    """Wait until a card nobody knows is held to the reader of a station (its name), and add it.

    `ends_on` are the last characters of what is on the card. Raises ApiError where nobody holds it there.
    """

    def chosen(shown: Shown) -> str | None:
        presented = next((asked for asked in shown["data_schema"] if asked["name"] == "presented"), None)
        options = presented["selector"]["select"]["options"] if presented else ()
        return next((one["value"] for one in options if station in one["label"] and one["label"].endswith(ends_on)), None)

    async def learnt() -> Shown | None:
        shown = await client.begin_flow(SUBENTRY_FLOW, {"handler": [entry_id, "id_token"]})
        if (card := chosen(shown)) is None:
            await client.end_flow(SUBENTRY_FLOW, shown)
            return None
        answer = {"name": name, "presented": card, "type": "any", "concurrent": False, "blocked": False, "master_pass": False}
        return await client.answer_flow(SUBENTRY_FLOW, shown, answer)

    try:
        shown = await client.wait_for(STATE_CHANGED, learnt, timeout_s=timeout_s, about=_is_of_a_reader)
    except TimeoutError as error:
        raise ApiError(f"Nobody held the card of {name} to {station} within {timeout_s:g} s") from error
    if shown["type"] != "create_entry":
        raise ApiError(f"Learning the card of {name}: {shown.get('errors') or shown['type']}")


def _is_of_a_reader(data: Mapping[str, Any]) -> bool:
    return ((data.get("new_state") or {}).get("attributes") or {}).get("event_type") == "refused"


async def wait_for_state(
    client: Client, entity_ids: Sequence[str], look: Callable[[Mapping[str, Mapping[str, Any]]], bool], *, timeout_s: float
) -> None:
    """Wait until the states of some entities are as wished; raises TimeoutError."""

    async def seen() -> bool | None:
        states = await client.states()
        return True if all(one in states for one in entity_ids) and look({one: states[one] for one in entity_ids}) else None

    await client.wait_for(STATE_CHANGED, seen, timeout_s=timeout_s, about=lambda data: data["entity_id"] in entity_ids)


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

    async def complete() -> ShownSite | None:
        shown = ShownSite(entry_id=entry_id, fuse_a=site.fuse_a, margin_a=site.margin_a, evses=evses, entity_ids=await entity_ids(client))
        try:
            dashboard(shown)
        except KeyError:
            return None
        return shown

    return await client.wait_for(REGISTRY_UPDATED, complete, timeout_s=60.0)


async def save_dashboard(home_assistant: HomeAssistant, shown: ShownSite) -> None:
    """Save the dashboard and make it the first thing to see."""
    await home_assistant.save_dashboard("charging-site", "Charging site", "mdi:ev-station", dashboard(shown))
