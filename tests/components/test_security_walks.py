"""The long ways of the site's security through Home Assistant: approval, repairs, upgrades, impostors and guessers, with real sockets."""

import asyncio
from datetime import timedelta
from pathlib import Path
import ssl
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from homeassistant.components.repairs import RepairsFlowResult, repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.security.authority import BACKDATED, SERVER_VALID_DAYS, Credential, KeyKind, create_root, issue_server
from custom_components.headroom.repairs import async_sync_issues
from custom_components.headroom.security import CHECK_EVERY, vault_of
from tests.csms.client import BOOT
from tests.csms.secured import BROKEN, Clock, key_pem, self_signed, signing_request

from .secured import (
    EVSE,
    NOW,
    UPGRADABLE,
    act,
    add_station,
    choose,
    client,
    kept,
    password_sent,
    ready,
    serve_tls,
    site_step,
    status,
    told,
    upgraded,
    write,
)


def issue(hass: HomeAssistant, entry: MockConfigEntry, key: str, identity: str | None = None) -> ir.IssueEntry | None:
    """The repair as it stands now."""
    async_sync_issues(hass, entry, entry.runtime_data.data)
    return ir.async_get(hass).async_get_issue(DOMAIN, "_".join(part for part in (key, entry.entry_id, identity) if part))


async def fix(hass: HomeAssistant, found: ir.IssueEntry | None) -> RepairsFlowResult:
    assert found is not None
    assert await async_setup_component(hass, "repairs", {})
    manager = repairs_flow_manager(hass)
    assert manager is not None
    return await manager.async_init(DOMAIN, context={"issue_id": found.issue_id})


async def answer(hass: HomeAssistant, result: RepairsFlowResult, **answers: Any) -> RepairsFlowResult:
    manager = repairs_flow_manager(hass)
    assert manager is not None
    return await manager.async_configure(result["flow_id"], answers)


def shown(result: Any, what: str) -> str:
    assert result["description_placeholders"] is not None
    return str(result["description_placeholders"][what])


# Approval


async def test_a_waiting_station_is_approved_with_a_password(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    entry = init_integration
    async with client(entry, "CP9") as waiting:
        assert (await waiting.call("BootNotification", BOOT))["status"] == "Pending"
        async with asyncio.timeout(10):
            while "CP9" not in entry.runtime_data.data.pending:
                await asyncio.sleep(0.01)
        form = await fix(hass, issue(hass, entry, "station_pending", "CP9"))
        wanted = {"name": "Gate", "circuit": "main", "evse_count": 1}
        assert form["data_schema"] is not None
        form = await answer(
            hass, form, **{key: value for key, value in wanted.items() if key in {str(k) for k in form["data_schema"].schema}}
        )
        while form["step_id"] == "evse":
            form = await answer(hass, form, **EVSE)
        form = await answer(hass, form, authentication="password")
        assert form["step_id"] == "password"
        password = shown(form, "password")
        # Until the person goes on, it is not the site's: the one that waits is not served on the strength of its name.
        assert "CP9" not in entry.runtime_data.data.stations
        assert (await answer(hass, form))["type"] is FlowResultType.CREATE_ENTRY
        await asyncio.wait_for(waiting.socket.wait_closed(), 10)  # it has to show who it is
        assert waiting.requests("SetChargingProfile") == []
    await hass.async_block_till_done()
    assert await status(entry, "CP9") == 401
    async with client(entry, "CP9", password) as station:
        await ready(hass, entry, station, "CP9")
    assert issue(hass, entry, "station_pending", "CP9") is None


async def test_whoever_waits_under_a_known_name_is_sent_away_once_it_has_a_password(
    hass: HomeAssistant, init_integration: MockConfigEntry
) -> None:
    entry = init_integration
    async with client(entry, "CP1") as stranger:  # CP1 has no password yet: anyone is CP1
        await ready(hass, entry, stranger, "CP1")
        form = await choose(hass, entry, "CP1", "new_password")
        form = await hass.config_entries.subentries.async_configure(form["flow_id"], {"at_once": True})
        password = shown(form, "password")
        await asyncio.wait_for(stranger.socket.wait_closed(), 10)
    await hass.async_block_till_done()
    assert await status(entry, "CP1") == 401
    async with client(entry, "CP1", password) as station:
        await ready(hass, entry, station, "CP1")
        assert await status(entry, "CP1") == 401
        assert "currentTime" in await station.call("Heartbeat", {})


async def test_from_no_password_to_one_the_first_use_closes_the_door(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Profile 0 to 1 without "at once": the station goes on as it is, until it has come with its password; then nobody gets in without."""
    entry = init_integration
    form = await choose(hass, entry, "CP1", "new_password")
    form = await hass.config_entries.subentries.async_configure(form["flow_id"], {"at_once": False})
    password = shown(form, "password")
    async with client(entry, "CP1", password) as station:
        await ready(hass, entry, station, "CP1")
        assert await status(entry, "CP1") == 401
        assert await status(entry, "CP1", "x" * 20) == 401
        assert entry.runtime_data.central_system.profile("CP1") == 1
        assert "currentTime" in await station.call("Heartbeat", {})
    assert kept(entry, "CP1")["profile"] == 1


# Repairs


async def test_a_station_that_can_not_log_in_is_told_repaired_and_cleared(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    entry = init_integration
    await add_station(hass, entry, "CP9")
    clock = Clock()
    access = entry.runtime_data.security.access
    access.monotonic, access._sleep, access.watch._monotonic = clock, clock.sleep, clock
    for _ in range(3):
        assert issue(hass, entry, "station_login_failing", "CP9") is None
        assert await status(entry, "CP9", "x" * 20) == 401
        clock.now += 61
    form = await fix(hass, issue(hass, entry, "station_login_failing", "CP9"))
    assert form["step_id"] == "new_password"
    form = await answer(hass, form, at_once=True)
    password = shown(form, "password")
    assert (await answer(hass, form))["type"] is FlowResultType.CREATE_ENTRY
    entry.runtime_data.async_update_listeners()
    assert issue(hass, entry, "station_login_failing", "CP9") is None, "the new one has not been tried"
    assert await status(entry, "CP9", "x" * 20) == 401
    clock.now += 61
    assert await status(entry, "CP9", password) == 101
    assert issue(hass, entry, "station_login_failing", "CP9") is None


async def test_a_station_below_the_sites_profile_is_told_repaired_and_cleared(
    hass: HomeAssistant, init_integration: MockConfigEntry
) -> None:
    entry = init_integration
    advanced = {"tls_port": 9443, "server_names": ["127.0.0.1"]}
    async with client(entry, "CP1", **UPGRADABLE) as station:
        await ready(hass, entry, station, "CP1")
        assert issue(hass, entry, "station_below_profile", "CP1") is None
        await site_step(hass, entry, "security", {"profile": "1", "unknown_stations": True, "tls": "none"} | advanced)
        await hass.async_block_till_done()
        found = issue(hass, entry, "station_below_profile", "CP1")
        assert found is not None and found.translation_placeholders is not None
        assert (found.translation_placeholders["profile"], found.translation_placeholders["wanted"]) == ("0", "1")
        form = await fix(hass, found)
        assert form["step_id"] == "upgrade"
        result = await answer(hass, form, profile="1", interface="Wired0", restart=False)
        while result["type"] in (FlowResultType.SHOW_PROGRESS, FlowResultType.SHOW_PROGRESS_DONE):
            await asyncio.sleep(0.01)
            result = await answer(hass, result)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "upgrade_prepared")
        password = password_sent(station)
        assert issue(hass, entry, "station_below_profile", "CP1") is not None  # prepared is not done
    async with client(entry, "CP1", password):
        assert issue(hass, entry, "station_below_profile", "CP1") is None


async def test_own_files_that_near_their_end_are_told_until_they_are_renewed(
    hass: HomeAssistant, init_integration: MockConfigEntry, tmp_path: Path, unused_tcp_port_factory: Any
) -> None:
    entry = init_integration
    root = create_root("Other", NOW - timedelta(days=400))
    ending = issue_server(root, ("127.0.0.1",), KeyKind.EC, NOW - timedelta(days=SERVER_VALID_DAYS - 10))
    advanced = {"tls_port": unused_tcp_port_factory(), "server_names": ["127.0.0.1"]}
    form = await site_step(hass, entry, "security", {"profile": "1", "unknown_stations": True, "tls": "files"} | advanced)
    result = await hass.config_entries.flow.async_configure(form["flow_id"], write(tmp_path, ending))
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    found = issue(hass, entry, "certificate_expiring")
    assert found is not None and found.translation_placeholders is not None
    assert found.translation_placeholders["date"] == f"{NOW + timedelta(days=10):%Y-%m-%d}"
    write(tmp_path, issue_server(root, ("127.0.0.1",), KeyKind.EC, NOW))
    async_fire_time_changed(hass, dt_util.utcnow() + CHECK_EVERY + timedelta(minutes=1))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issue(hass, entry, "certificate_expiring") is None


async def test_a_root_of_a_clock_that_was_ahead_is_told(
    hass: HomeAssistant, init_integration: MockConfigEntry, unused_tcp_port_factory: Any
) -> None:
    entry = init_integration
    ahead = NOW + timedelta(days=900)
    await hass.async_add_executor_job(vault_of(hass, entry.entry_id).root, entry.title, ahead)
    settings = {
        "profile": "1",
        "unknown_stations": True,
        "tls": "own",
        "tls_port": unused_tcp_port_factory(),
        "server_names": ["127.0.0.1"],
    }
    result = await site_step(hass, entry, "security", settings)
    assert result["reason"] == "reconfigure_successful"
    await hass.async_block_till_done()
    found = issue(hass, entry, "tls_failed")
    assert found is not None and found.translation_placeholders is not None
    assert f"the root begins on {ahead - BACKDATED:%Y-%m-%d}" in str(found.translation_placeholders["error"])
    assert entry.runtime_data.security.root is not None  # it serves all the same: the clock may be what is wrong


# The button


async def test_the_button_changes_the_password(
    hass: HomeAssistant, init_integration: MockConfigEntry, entity_registry_enabled_by_default: None
) -> None:
    entry = init_integration
    old = await add_station(hass, entry, "CP9")
    async with client(entry, "CP9", old) as station:
        await ready(hass, entry, station, "CP9")
        await hass.async_block_till_done()
        await hass.services.async_call("button", "press", {"entity_id": "button.cp9_rotate_password"}, blocking=True)
        new = password_sent(station)
    assert await status(entry, "CP9", new) == 101
    await hass.async_block_till_done()
    assert await status(entry, "CP9", old) == 401


# Upgrades


async def test_a_station_is_brought_to_profile_3_through_the_flow(
    hass: HomeAssistant, init_integration: MockConfigEntry, tmp_path: Path, unused_tcp_port_factory: Any
) -> None:
    entry, port = init_integration, unused_tcp_port_factory()
    await serve_tls(hass, entry, port)
    password = await add_station(hass, entry, "CP9")
    root = (await act(hass, "get_root_certificate", entry, ""))["certificate"]
    key = ec.generate_private_key(ec.SECP256R1())
    flows = hass.config_entries.subentries
    async with client(entry, "CP9", password, **UPGRADABLE) as station:
        asked: list[asyncio.Task[Any]] = []

        def trigger(payload: Any) -> Any:
            if payload["requestedMessage"] == "SignChargingStationCertificate":
                asked.append(asyncio.create_task(station.call("SignCertificate", {"csr": signing_request("CP9", key)})))
            return {"status": "Accepted"}

        await ready(hass, entry, station, "CP9")
        station.answers["TriggerMessage"] = trigger
        form = await choose(hass, entry, "CP9", "upgrade")
        going = await flows.async_configure(form["flow_id"], {"profile": "3", "interface": "Wired0", "restart": True})
        await station.until("Reset")
        heard = dict(station.heard)
        data = heard["SetNetworkProfile"]["connectionData"]
        assert (data["ocppCsmsUrl"], data["securityProfile"], len(asked)) == (f"wss://127.0.0.1:{port}", 3, 1)
        (tmp_path / "client.pem").write_text(heard["CertificateSigned"]["certificateChain"])
        (tmp_path / "client.key").write_text(key_pem(key))
    await hass.async_block_till_done()
    async with client(entry, "CP9", password):  # its connection flaps once more before it restarts
        await hass.async_block_till_done()
    context = ssl.create_default_context(cadata=root)
    context.load_cert_chain(tmp_path / "client.pem", tmp_path / "client.key")
    async with client(entry, "CP9", None, context):
        result = await upgraded(hass, going)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "upgraded")
    assert kept(entry, "CP9")["profile"] == 3


async def test_a_station_that_comes_back_as_before_is_told_of(
    hass: HomeAssistant, init_integration: MockConfigEntry, unused_tcp_port_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.headroom.station_security_flow.RETURN_S", 3.0)
    entry = init_integration
    await serve_tls(hass, entry, unused_tcp_port_factory())
    password = await add_station(hass, entry, "CP9")
    flows = hass.config_entries.subentries
    async with client(entry, "CP9", password, **UPGRADABLE) as station:
        await ready(hass, entry, station, "CP9")
        form = await choose(hass, entry, "CP9", "upgrade")
        going = await flows.async_configure(form["flow_id"], {"profile": "2", "interface": "Wired0", "restart": True})
        await station.until("Reset")
    async with client(entry, "CP9", password):
        result = await upgraded(hass, going)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "upgrade_fell_back")
    assert kept(entry, "CP9")["profile"] == 1


# Impostors and guessers


@pytest.mark.parametrize("who", ["expired", "self-signed", "wrong name", "another station's"])
async def test_a_certificate_that_is_not_the_stations_opens_nothing(
    hass: HomeAssistant, init_integration: MockConfigEntry, tmp_path: Path, unused_tcp_port_factory: Any, who: str
) -> None:
    entry = init_integration
    hass.loop.set_debug(False)  # asyncio tells of a handshake that the other side broke off only in its debug mode
    await serve_tls(hass, entry, unused_tcp_port_factory(), "3")
    root = await hass.async_add_executor_job(vault_of(hass, entry.entry_id).root, entry.title, NOW)
    for identity in ("CP9", "CP8"):
        await add_station(hass, entry, identity)
    impostor: dict[str, Credential] = {
        "expired": self_signed("CP9", signer=root, ends=NOW - timedelta(days=1)),
        "self-signed": self_signed("CP9"),
        "wrong name": self_signed("CP7", signer=root),
        "another station's": self_signed("CP8", signer=root),
    }
    own = write(tmp_path, impostor[who])
    context = ssl.create_default_context(cadata=root.certificate)
    context.load_cert_chain(own["certificate"], own["private_key"])
    if who in ("expired", "self-signed"):
        with pytest.raises(BROKEN):
            await status(entry, "CP9", None, context)
        await told(hass, "certificate_refused", "event.home_security")
    else:
        assert await status(entry, "CP9", None, context) == 401
        await told(hass, "login_failed")
    assert entry.runtime_data.central_system.profile("CP9") is None


async def test_guessing_is_slowed_and_told_and_the_station_gets_in(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    entry = init_integration
    password = await add_station(hass, entry, "CP9")
    clock = Clock()
    access = entry.runtime_data.security.access
    access.monotonic, access._sleep = clock, clock.sleep
    for number in range(10):
        assert await status(entry, "CP9", f"guess-number-{number:06}") == 401
    assert clock.waits[:3] == [1.0, 2.0, 4.0] and max(clock.waits) == access.limits.longest_hold_s
    state = hass.states.get("event.cp9_security")
    assert state is not None and state.attributes["event_type"] == "login_failed"
    assert await status(entry, "CP9", password) == 401  # it was not even looked at
    clock.now += 61
    assert await status(entry, "CP9", password) == 101
