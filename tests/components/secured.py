"""What the tests of security share: stations on real sockets, and the ways through the flows that a person takes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
import json
from pathlib import Path
import ssl
from typing import Any

from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr
from pytest_homeassistant_custom_component.common import MockConfigEntry
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.security.authority import Credential
from tests.csms.client import BOOT, Client
from tests.csms.secured import basic

NOW = datetime.now(UTC)
EVSE = {"phases": "3", "rotation": "unknown", "max_a": 16}


@asynccontextmanager
async def client(
    entry: MockConfigEntry, identity: str, password: str | None = None, tls: ssl.SSLContext | None = None, **answers: Any
) -> AsyncGenerator[Client]:
    """A station on a real socket, which has booted where it is let in."""
    scheme, port = ("ws", entry.data["port"]) if tls is None else ("wss", entry.data["security"]["tls_port"])
    headers = {} if password is None else {"Authorization": basic(identity, password)}
    async with (
        connect(
            f"{scheme}://127.0.0.1:{port}/{identity}",
            subprotocols=[Subprotocol("ocpp2.0.1")],
            additional_headers=headers,
            ssl=tls,
            ping_interval=None,
            proxy=None,
        ) as socket,
        Client.on(socket) as station,
    ):
        station.answers |= answers
        yield station


async def status(entry: MockConfigEntry, identity: str, password: str | None = None, tls: ssl.SSLContext | None = None) -> int:
    """The HTTP status a connection comes to: 101 where it is let in."""
    try:
        async with client(entry, identity, password, tls):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


async def ready(hass: HomeAssistant, entry: MockConfigEntry, station: Client, identity: str) -> None:
    """Boot until commands may be sent."""
    changed = asyncio.Event()
    unsubscribe = entry.runtime_data.async_add_listener(changed.set)
    try:
        await station.call("BootNotification", BOOT)
        async with asyncio.timeout(10):
            while not entry.runtime_data.data.stations[identity].ready:
                await changed.wait()
                changed.clear()
    finally:
        unsubscribe()


async def act(hass: HomeAssistant, action: str, entry: MockConfigEntry, identity: str, **data: Any) -> Any:
    key = f"{entry.entry_id}_{identity}" if identity else entry.entry_id
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, key), entry.entry_id)
    assert device is not None
    answers = hass.services.supports_response(DOMAIN, action) != "none"
    return await hass.services.async_call(DOMAIN, action, {"device_id": device.id, **data}, blocking=True, return_response=answers)


async def add_station(hass: HomeAssistant, entry: MockConfigEntry, identity: str) -> str:
    """Add a station as a person does; returns the password that was shown."""
    flows = hass.config_entries.subentries
    form = await flows.async_init((entry.entry_id, "station"), context={"source": SOURCE_USER})
    form = await flows.async_configure(form["flow_id"], {"identity": identity, "circuit": "main", "evse_count": 1})
    form = await flows.async_configure(form["flow_id"], EVSE)
    form = await flows.async_configure(form["flow_id"], {"authentication": "password"})
    shown = form["description_placeholders"]
    assert form["step_id"] == "password" and shown is not None
    result = await flows.async_configure(form["flow_id"], {})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert shown["password"] not in json.dumps(dict(result["data"]))
    await hass.async_block_till_done()
    return shown["password"]


async def choose(hass: HomeAssistant, entry: MockConfigEntry, identity: str, what: str) -> Any:
    subentry = next(one for one in entry.get_subentries_of_type("station") if one.unique_id == identity)
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    return await hass.config_entries.subentries.async_configure(menu["flow_id"], {"next_step_id": what})


def kept(entry: MockConfigEntry, identity: str) -> dict[str, Any]:
    found = next(one for one in entry.get_subentries_of_type("station") if one.unique_id == identity)
    return dict(found.data.get("security", {}))


async def serve_tls(hass: HomeAssistant, entry: MockConfigEntry, port: int, profile: str = "1") -> None:
    """Turn encryption on, with a certificate made here."""
    answers = {"profile": profile, "unknown_stations": True, "tls": "own", "tls_port": port, "server_names": ["127.0.0.1"]}
    result = await site_step(hass, entry, "security", answers)
    assert result["type"] is FlowResultType.ABORT and result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    while entry.runtime_data.central_system.tls_port is None:
        await asyncio.sleep(0)


async def site_step(hass: HomeAssistant, entry: MockConfigEntry, step: str, answers: dict[str, Any] | None = None) -> Any:
    menu = await entry.start_reconfigure_flow(hass)
    form = await hass.config_entries.flow.async_configure(menu["flow_id"], {"next_step_id": step})
    return form if answers is None else await hass.config_entries.flow.async_configure(form["flow_id"], answers)


def password_sent(station: Client) -> str:
    """The password that the station was sent."""
    values = [item for _, asked in station.heard if "setVariableData" in asked for item in asked["setVariableData"]]
    return next(str(item["attributeValue"]) for item in values if item["variable"]["name"] == "BasicAuthPassword")


def write(folder: Path, credential: Credential, key: str | None = None) -> dict[str, str]:
    paths = {"certificate": folder / "own.pem", "private_key": folder / "own.key"}
    paths["certificate"].write_text(credential.certificate)
    paths["private_key"].write_text(key or credential.key)
    return {name: str(path) for name, path in paths.items()}


NETWORK = {"NetworkConfigurationPriority": "1", "ActiveNetworkProfile": "1"}


def variables(payload: Any) -> Any:
    results = []
    for item in payload["getVariableData"]:
        value = NETWORK.get(item["variable"]["name"])
        told = {"attributeStatus": "UnknownVariable"} if value is None else {"attributeStatus": "Accepted", "attributeValue": value}
        results.append({"component": item["component"], "variable": item["variable"]} | told)
    return {"getVariableResult": results}


UPGRADABLE: dict[str, Any] = {
    "GetVariables": variables,
    "GetInstalledCertificateIds": {"status": "NotFound"},
    "InstallCertificate": {"status": "Accepted"},
    "SetNetworkProfile": {"status": "Accepted"},
    "Reset": {"status": "Accepted"},
    "CertificateSigned": {"status": "Accepted"},
}


async def upgraded(hass: HomeAssistant, result: Any) -> Any:
    """Follow a flow through its progress to what comes then."""
    flows = hass.config_entries.subentries
    while result["type"] in (FlowResultType.SHOW_PROGRESS, FlowResultType.SHOW_PROGRESS_DONE):
        await asyncio.sleep(0.01)
        result = await flows.async_configure(result["flow_id"])
    return result


async def told(hass: HomeAssistant, kind: str, entity_id: str = "event.cp9_security") -> None:
    """Wait until an event entity tells of it."""
    async with asyncio.timeout(10):
        while (state := hass.states.get(entity_id)) is None or state.attributes.get("event_type") != kind:
            await asyncio.sleep(0.01)
