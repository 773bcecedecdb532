"""Who may connect, walked as a person does it: through Home Assistant's flows and actions, with real sockets and certificates."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
import hashlib
import json
import logging
from pathlib import Path
import ssl
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from homeassistant.config_entries import SOURCE_USER
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.security.authority import Credential, KeyKind, create_root, issue_server
from custom_components.headroom.csms.security.credentials import verify_password
from custom_components.headroom.diagnostics import async_get_config_entry_diagnostics
from custom_components.headroom.repairs import async_sync_issues
from custom_components.headroom.security import CHECK_EVERY, vault_of
from tests.csms.client import BOOT, Client, set_results
from tests.csms.secured import basic, key_pem, self_signed, signing_request

NOW = datetime.now(UTC)
EVSE = {"phases": "3", "rotation": "unknown", "max_a": 16}


class Station(Client):
    """One whose connection may end while it still answers."""

    async def _answer(self, frame: list[Any]) -> None:
        with suppress(ConnectionClosed):
            await super()._answer(frame)


@asynccontextmanager
async def client(
    entry: MockConfigEntry, identity: str, password: str | None = None, tls: ssl.SSLContext | None = None, **answers: Any
) -> AsyncGenerator[Client]:
    """A station on a real socket, which has booted where it is let in."""
    scheme, port = ("ws", entry.data["port"]) if tls is None else ("wss", entry.data["security"]["tls_port"])
    headers = {} if password is None else {"Authorization": basic(identity, password)}
    async with connect(
        f"{scheme}://127.0.0.1:{port}/{identity}",
        subprotocols=[Subprotocol("ocpp2.0.1")],
        additional_headers=headers,
        ssl=tls,
        ping_interval=None,
        proxy=None,
    ) as socket:
        station = Station(socket)
        station.answers |= answers
        reading = asyncio.create_task(station.run())
        try:
            yield station
        finally:
            reading.cancel()
            for task in list(station._tasks):
                task.cancel()


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


async def test_the_password_that_was_shown_lets_a_station_in(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    password = await add_station(hass, init_integration, "CP9")
    assert 16 <= len(password) <= 40
    assert await status(init_integration, "CP9", "x" * 20) == 401
    event = hass.states.get("event.cp9_security")
    assert event is not None and event.attributes["event_type"] == "login_failed"
    assert await status(init_integration, "CP9") == 401
    assert await status(init_integration, "CP9", password) == 101
    assert verify_password(password, kept(init_integration, "CP9")["password"])


async def test_a_change_of_the_station_keeps_its_password(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    password = await add_station(hass, init_integration, "CP9")
    form = await choose(hass, init_integration, "CP9", "station")
    flows = hass.config_entries.subentries
    form = await flows.async_configure(form["flow_id"], {"name": "Gate", "circuit": "garage", "evse_count": 1})
    await flows.async_configure(form["flow_id"], EVSE)
    await hass.async_block_till_done()
    assert await status(init_integration, "CP9") == 401
    assert await status(init_integration, "CP9", password) == 101


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_new_password_by_hand(hass: HomeAssistant, init_integration: MockConfigEntry, at_once: bool) -> None:
    old = await add_station(hass, init_integration, "CP9")
    form = await choose(hass, init_integration, "CP9", "new_password")
    shown = await hass.config_entries.subentries.async_configure(form["flow_id"], {"at_once": at_once})
    new = shown["description_placeholders"]["password"]
    assert (await hass.config_entries.subentries.async_configure(form["flow_id"], {}))["reason"] == "password_changed"
    await hass.async_block_till_done()
    assert await status(init_integration, "CP9", old) == (401 if at_once else 101)
    assert await status(init_integration, "CP9", new) == 101
    await hass.async_block_till_done()
    assert await status(init_integration, "CP9", old) == 401  # the new one was used


def password_sent(station: Client) -> str:
    """The password that the station was sent."""
    values = [item for _, asked in station.heard if "setVariableData" in asked for item in asked["setVariableData"]]
    return next(str(item["attributeValue"]) for item in values if item["variable"]["name"] == "BasicAuthPassword")


async def test_rotation_over_the_air(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    old = await add_station(hass, init_integration, "CP9")
    async with client(init_integration, "CP9", old) as station:
        await ready(hass, init_integration, station, "CP9")
        await act(hass, "rotate_password", init_integration, "CP9")
        new = password_sent(station)
    await hass.async_block_till_done()
    assert await status(init_integration, "CP9", old) == 101  # it may not have taken over yet
    assert await status(init_integration, "CP9", new) == 101
    await hass.async_block_till_done()
    assert await status(init_integration, "CP9", old) == 401


async def test_a_refused_rotation_changes_nothing(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    old = await add_station(hass, init_integration, "CP9")

    def refuse(payload: Any) -> Any:
        return set_results(payload, "Rejected" if "BasicAuthPassword" in str(payload) else "Accepted")

    async with client(init_integration, "CP9", old, SetVariables=refuse) as station:
        await ready(hass, init_integration, station, "CP9")
        before = kept(init_integration, "CP9")
        with pytest.raises(HomeAssistantError):
            await act(hass, "rotate_password", init_integration, "CP9")
        form = await choose(hass, init_integration, "CP9", "rotate_password")
        form = await hass.config_entries.subentries.async_configure(form["flow_id"], {})
        assert form["errors"] == {"base": "rotation_failed"}
        assert kept(init_integration, "CP9") == before
    event = hass.states.get("event.cp9_security")
    assert event is not None and event.attributes["event_type"] == "password_refused"
    with pytest.raises(ServiceValidationError):
        await act(hass, "rotate_password", init_integration, "CP1")


async def test_tls_made_here(hass: HomeAssistant, init_integration: MockConfigEntry, unused_tcp_port_factory: Any) -> None:
    await serve_tls(hass, init_integration, unused_tcp_port_factory())
    password = await add_station(hass, init_integration, "CP9")
    answer = await act(hass, "get_root_certificate", init_integration, "")
    form = await site_step(hass, init_integration, "root_certificate")
    root, print_of_it = form["description_placeholders"]["certificate"], form["description_placeholders"]["fingerprint"]
    assert (root, print_of_it) == (answer["certificate"].strip(), answer["fingerprint_sha256"])
    # The text as it is shown is the file that a station needs.
    copied = ssl.PEM_cert_to_DER_cert(root)
    assert hashlib.sha256(copied).hexdigest() == print_of_it
    assert await status(init_integration, "CP9", password, ssl.create_default_context(cadata=root)) == 101
    hass.loop.set_debug(False)  # asyncio tells of a handshake that the other side broke off only in its debug mode
    with pytest.raises(ssl.SSLCertVerificationError):
        await status(init_integration, "CP9", password, ssl.create_default_context())
    assert kept(init_integration, "CP9")["profile"] == 2
    assert await status(init_integration, "CP9", password) == 403  # never below what it has reached
    assert hass.states.get("sensor.home_certificate_expires") is not None


async def test_encryption_is_not_turned_off_under_a_station(
    hass: HomeAssistant, init_integration: MockConfigEntry, unused_tcp_port_factory: Any
) -> None:
    """It is let in no other way any more."""
    await serve_tls(hass, init_integration, unused_tcp_port_factory())
    password = await add_station(hass, init_integration, "CP9")
    root = (await act(hass, "get_root_certificate", init_integration, ""))["certificate"]
    assert await status(init_integration, "CP9", password, ssl.create_default_context(cadata=root)) == 101
    answers = {"profile": "1", "unknown_stations": True, "tls": "none", "tls_port": 9443, "server_names": ["x"]}
    form = await site_step(hass, init_integration, "security", answers)
    assert form["errors"] == {"tls": "tls_in_use"}
    assert form["description_placeholders"]["cause"] == "CP9"
    subentry = next(one for one in init_integration.get_subentries_of_type("station") if one.unique_id == "CP9")
    hass.config_entries.async_remove_subentry(init_integration, subentry.subentry_id)
    assert (await site_step(hass, init_integration, "security", answers))["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()


def write(folder: Path, credential: Credential, key: str | None = None) -> dict[str, str]:
    paths = {"certificate": folder / "own.pem", "private_key": folder / "own.key"}
    paths["certificate"].write_text(credential.certificate)
    paths["private_key"].write_text(key or credential.key)
    return {name: str(path) for name, path in paths.items()}


async def test_own_files_are_looked_at(
    hass: HomeAssistant, init_integration: MockConfigEntry, tmp_path: Path, unused_tcp_port_factory: Any
) -> None:
    root = create_root("Other", NOW)
    good = issue_server(root, ("127.0.0.1",), KeyKind.EC, NOW)
    old = issue_server(root, ("127.0.0.1",), KeyKind.EC, NOW - timedelta(days=500))
    other = issue_server(root, ("example.org",), KeyKind.EC, NOW)
    wrong_chain = Credential(good.certificate + create_root("Third", NOW).certificate, good.key)
    security = {"profile": "2", "unknown_stations": True, "tls": "files"}
    advanced = {"tls_port": unused_tcp_port_factory(), "server_names": ["127.0.0.1"]}
    form = await site_step(hass, init_integration, "security", security | advanced)
    for credential, key, errors in (
        (Credential("nothing", good.key), None, {"certificate": "certificate_invalid"}),
        (old, None, {"certificate": "certificate_expired"}),
        (other, None, {"certificate": "certificate_names"}),
        (self_signed("127.0.0.1"), None, {"certificate": "certificate_self_signed"}),
        (wrong_chain, None, {"certificate": "chain_broken"}),
        (good, other.key, {"private_key": "key_mismatch"}),
        (good, "nothing", {"private_key": "key_invalid"}),
    ):
        form = await hass.config_entries.flow.async_configure(form["flow_id"], write(tmp_path, credential, key))
        assert (form["step_id"], form["errors"]) == ("certificate_files", errors)
    result = await hass.config_entries.flow.async_configure(form["flow_id"], write(tmp_path, good))
    assert result["reason"] == "reconfigure_successful"


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"tls": "none", "profile": "2"}, {"tls": "tls_needed"}),
        ({"server_names": ["http://x"]}, {"server_names": "server_names_invalid"}),
        ({"client_root": "/none"}, {"client_root": "root_unreadable"}),
    ],
)
async def test_what_can_not_be_is_explained(
    hass: HomeAssistant, init_integration: MockConfigEntry, wrong: dict[str, Any], errors: dict[str, str]
) -> None:
    answers = {"profile": "1", "unknown_stations": True, "tls": "own", "tls_port": 9443, "server_names": ["x"]}
    form = await site_step(hass, init_integration, "security", answers | wrong)
    assert form["errors"] == errors


async def test_unknown_stations_can_be_turned_away(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    assert await status(init_integration, "STRANGER") == 101  # it waits, unserved
    advanced = {"tls_port": 9443, "server_names": ["127.0.0.1"]}
    await site_step(hass, init_integration, "security", {"profile": "1", "unknown_stations": False, "tls": "none"} | advanced)
    await hass.async_block_till_done()
    assert await status(init_integration, "STRANGER") == 401
    assert await status(init_integration, "CP1") == 101  # a station from before is not locked out


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


async def test_a_station_is_brought_to_tls(hass: HomeAssistant, init_integration: MockConfigEntry, unused_tcp_port_factory: Any) -> None:
    port = unused_tcp_port_factory()
    await serve_tls(hass, init_integration, port, "2")
    root = (await act(hass, "get_root_certificate", init_integration, ""))["certificate"]
    flows = hass.config_entries.subentries
    async with client(init_integration, "CP1", **UPGRADABLE) as station:
        await ready(hass, init_integration, station, "CP1")
        form = await choose(hass, init_integration, "CP1", "upgrade")
        going = await flows.async_configure(form["flow_id"], {"profile": "2", "interface": "Wired0", "restart": True})
        assert going["type"] is FlowResultType.SHOW_PROGRESS
        await station.until("Reset")
        password = password_sent(station)
        heard = dict(station.heard)
        assert heard["InstallCertificate"] == {"certificateType": "CSMSRootCertificate", "certificate": root}
        assert heard["SetNetworkProfile"]["configurationSlot"] == 2
        data = heard["SetNetworkProfile"]["connectionData"]
        assert (data["ocppCsmsUrl"], data["securityProfile"]) == (f"wss://127.0.0.1:{port}", 2)
        assert "2,1" in str(heard["SetVariables"])  # the old slot stays behind the new one
    async with client(init_integration, "CP1", password, ssl.create_default_context(cadata=root)):
        result = await upgraded(hass, going)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "upgraded")
    await hass.async_block_till_done()
    assert kept(init_integration, "CP1")["profile"] == 2


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"SetNetworkProfile": {"status": "Rejected"}}, "upgrade_network_failed"),
        ({"InstallCertificate": {"status": "Failed"}}, "upgrade_root_failed"),
        ({"GetVariables": lambda payload: variables({"getVariableData": []})}, "no_free_slot"),
        ({"Reset": {"status": "Rejected"}}, "upgrade_restart_failed"),
    ],
)
async def test_an_upgrade_that_fails_says_why(
    hass: HomeAssistant, init_integration: MockConfigEntry, unused_tcp_port_factory: Any, answers: dict[str, Any], error: str
) -> None:
    await serve_tls(hass, init_integration, unused_tcp_port_factory(), "2")
    async with client(init_integration, "CP1", **UPGRADABLE | answers) as station:
        await ready(hass, init_integration, station, "CP1")
        form = await choose(hass, init_integration, "CP1", "upgrade")
        going = await hass.config_entries.subentries.async_configure(
            form["flow_id"], {"profile": "2", "interface": "Wired0", "restart": True}
        )
        form = await upgraded(hass, going)
        assert (form["step_id"], form["errors"]) == ("upgrade", {"base": error})
    assert await status(init_integration, "CP1") == 101


async def test_what_an_upgrade_needs_is_checked_first(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    flows = hass.config_entries.subentries
    form = await choose(hass, init_integration, "CP1", "upgrade")
    wish = {"profile": "2", "interface": "Wired0", "restart": False}
    assert (await flows.async_configure(form["flow_id"], wish))["errors"] == {"base": "upgrade_offline"}
    async with client(init_integration, "CP1") as station:
        await ready(hass, init_integration, station, "CP1")
        assert (await flows.async_configure(form["flow_id"], wish))["errors"] == {"profile": "tls_not_served"}
        heard = {action for action, _ in station.heard}
        assert not heard & {"SetNetworkProfile", "InstallCertificate"}


async def test_a_certificate_of_its_own_and_profile_3(
    hass: HomeAssistant, init_integration: MockConfigEntry, tmp_path: Path, unused_tcp_port_factory: Any
) -> None:
    await serve_tls(hass, init_integration, unused_tcp_port_factory())
    password = await add_station(hass, init_integration, "CP9")
    root = (await act(hass, "get_root_certificate", init_integration, ""))["certificate"]
    key = ec.generate_private_key(ec.SECP256R1())
    async with client(init_integration, "CP9", password, ssl.create_default_context(cadata=root), **UPGRADABLE) as station:
        await ready(hass, init_integration, station, "CP9")
        asked = asyncio.Event()

        def trigger(payload: Any) -> Any:
            if payload["requestedMessage"] == "SignChargingStationCertificate":
                asked.set()
            return {"status": "Accepted"}

        station.answers["TriggerMessage"] = trigger
        signing = asyncio.create_task(act(hass, "sign_certificate", init_integration, "CP9"))
        await asyncio.wait_for(asked.wait(), 10)
        assert (await station.call("SignCertificate", {"csr": signing_request("CP9", key)}))["status"] == "Accepted"
        await signing
        chain = dict(station.heard)["CertificateSigned"]["certificateChain"]
    (tmp_path / "client.pem").write_text(chain)
    (tmp_path / "client.key").write_text(key_pem(key))
    await hass.async_block_till_done()
    context = ssl.create_default_context(cadata=root)
    context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    assert await status(init_integration, "CP9", None, context) == 101
    await hass.async_block_till_done()
    assert kept(init_integration, "CP9")["profile"] == 3
    assert await status(init_integration, "CP9", password, ssl.create_default_context(cadata=root)) == 403


async def test_nothing_secret_is_told(hass: HomeAssistant, init_integration: MockConfigEntry, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="custom_components.headroom")
    caplog.set_level(logging.DEBUG, logger="homeassistant.config_entries")
    password = await add_station(hass, init_integration, "CP9")
    await status(init_integration, "CP9", "wrong-password-42")
    async with client(init_integration, "CP9", password) as station:
        await ready(hass, init_integration, station, "CP9")
        await act(hass, "rotate_password", init_integration, "CP9")
        rotated = password_sent(station)
        security = kept(init_integration, "CP9")
        hashes = [security["password"], *security["sent_passwords"]]
        dump = json.dumps(await async_get_config_entry_diagnostics(hass, init_integration))
    secrets = [password, rotated, "wrong-password-42", *hashes]
    assert len(secrets) == 5
    told = dump + "".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("custom_components", "homeassistant"))
    )
    assert [secret for secret in secrets if secret in told] == []


async def test_a_live_identity_is_not_taken_by_who_knows_its_name(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    password = await add_station(hass, init_integration, "CP9")
    async with client(init_integration, "CP9", password) as first:
        await ready(hass, init_integration, first, "CP9")
        assert await status(init_integration, "CP9") == 401
        assert init_integration.runtime_data.central_system.profile("CP9") == 1
        assert await status(init_integration, "CP9", password) == 101
        await asyncio.wait_for(first.socket.wait_closed(), 5)


async def test_installed_certificates_by_actions(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    hashes = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "1f"}
    chain = {"certificateType": "CSMSRootCertificate", "certificateHashData": hashes}
    answers = UPGRADABLE | {
        "GetInstalledCertificateIds": {"status": "Accepted", "certificateHashDataChain": [chain]},
        "DeleteCertificate": {"status": "Accepted"},
    }
    async with client(init_integration, "CP1", **answers) as station:
        await ready(hass, init_integration, station, "CP1")
        (found,) = (await act(hass, "get_installed_certificates", init_integration, "CP1"))["certificates"]
        assert found.pop("kind") == "CSMSRootCertificate"
        assert await act(hass, "delete_certificate", init_integration, "CP1", **found) == {"deleted": True}
        await act(hass, "install_certificate", init_integration, "CP1")
        answer = await act(hass, "set_network_profile", init_integration, "CP1", slot=3, profile=1)
        assert answer["url"] == f"ws://127.0.0.1:{init_integration.data['port']}"
        assert station.requests("DeleteCertificate") == [{"certificateHashData": hashes}]
        with pytest.raises(ServiceValidationError):
            await act(hass, "install_certificate", init_integration, "CP1", certificate="nothing")
        with pytest.raises(ServiceValidationError):
            await act(hass, "sign_certificate", init_integration, "CP1")


async def test_a_site_that_is_not_running_changes_no_password_over_the_air(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    await add_station(hass, init_integration, "CP9")
    before = kept(init_integration, "CP9")
    await hass.config_entries.async_unload(init_integration.entry_id)
    form = await choose(hass, init_integration, "CP9", "rotate_password")
    form = await hass.config_entries.subentries.async_configure(form["flow_id"], {})
    assert form["errors"] == {"base": "upgrade_offline"}
    assert kept(init_integration, "CP9") == before


async def test_a_root_that_can_not_be_read_is_explained(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    await act(hass, "get_root_certificate", init_integration, "")
    key = vault_of(hass, init_integration.entry_id).folder / "root.key"
    key.write_text("rubbish")
    with pytest.raises(HomeAssistantError) as failed:
        await act(hass, "get_root_certificate", init_integration, "")
    assert failed.value.translation_key == "certificate_failed"
    result = await site_step(hass, init_integration, "root_certificate")
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "root_unreadable")


async def test_a_taken_port_is_tried_again(hass: HomeAssistant, init_integration: MockConfigEntry, unused_tcp_port_factory: Any) -> None:
    """Told as long as nobody listens there, however the certificates are; no longer once somebody does."""
    entry, port = init_integration, unused_tcp_port_factory()
    other = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", port)
    security = {"profile": 1, "tls": "own", "tls_port": port, "server_names": ["127.0.0.1"]}
    hass.config_entries.async_update_entry(entry, data={**entry.data, "security": security})
    await hass.async_block_till_done()
    issue_id = f"tls_failed_{entry.entry_id}"
    now = dt_util.utcnow()
    async_fire_time_changed(hass, now + timedelta(days=1, minutes=1))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.central_system.tls_port is None
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is not None
    other.close()
    await other.wait_closed()
    async_fire_time_changed(hass, now + timedelta(days=1, minutes=3))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.central_system.tls_port == port
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue_id) is None


async def test_a_certificate_is_renewed_at_ready_and_every_day_and_its_end_is_told(
    hass: HomeAssistant, init_integration: MockConfigEntry, monkeypatch: pytest.MonkeyPatch, unused_tcp_port_factory: Any
) -> None:
    await serve_tls(hass, init_integration, unused_tcp_port_factory())
    password = await add_station(hass, init_integration, "CP9")
    issue_id = f"station_certificate_expiring_{init_integration.entry_id}_CP9"

    def issue() -> ir.IssueEntry | None:
        async_sync_issues(hass, init_integration, init_integration.runtime_data.data)
        return ir.async_get(hass).async_get_issue(DOMAIN, issue_id)

    refused = {"TriggerMessage": {"status": "Rejected"}}
    async with client(init_integration, "CP9", password, **UPGRADABLE) as station:
        await ready(hass, init_integration, station, "CP9")
        assert (await station.call("SignCertificate", {"csr": signing_request("CP9")}))["status"] == "Accepted"
        await station.until("CertificateSigned")
    await hass.async_block_till_done()
    (own,) = kept(init_integration, "CP9")["certificates"]
    ends_at = datetime.fromisoformat(own["ends_at"])
    assert ends_at - NOW > timedelta(days=396) and issue() is None
    # The clock of everything would stop the sockets' too.
    security = init_integration.runtime_data.security
    for room in (security.desk, security.renewal):
        monkeypatch.setattr(room, "_now", lambda: ends_at - timedelta(days=20))
    async with client(init_integration, "CP9", password, **UPGRADABLE | refused) as station:
        await ready(hass, init_integration, station, "CP9")
        await told(hass, "certificate_expiring")
        assert (found := issue()) is not None and found.translation_placeholders is not None
        assert found.translation_placeholders["date"] == f"{ends_at:%Y-%m-%d}"
        asked: list[asyncio.Task[Any]] = []

        def trigger(payload: Any) -> Any:
            if payload["requestedMessage"] == "SignChargingStationCertificate":
                asked.append(asyncio.create_task(station.call("SignCertificate", {"csr": signing_request("CP9")})))
            return {"status": "Accepted"}

        station.answers["TriggerMessage"] = trigger
        async_fire_time_changed(hass, dt_util.utcnow() + CHECK_EVERY)
        await station.until("CertificateSigned")
        assert len(asked) == 1 and issue() is None
        assert len(kept(init_integration, "CP9")["certificates"]) == 2


async def told(hass: HomeAssistant, kind: str, entity_id: str = "event.cp9_security") -> None:
    """Wait until an event entity tells of it."""
    async with asyncio.timeout(10):
        while (state := hass.states.get(entity_id)) is None or state.attributes.get("event_type") != kind:
            await asyncio.sleep(0.01)
