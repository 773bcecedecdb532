"""Who may connect to the site, and how it is encrypted: the site's security through its flow, with real sockets and certificates."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
import hashlib
from pathlib import Path
import ssl
from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.security.authority import Credential, KeyKind, create_root, issue_server
from custom_components.headroom.security import vault_of
from tests.csms.secured import self_signed

from .raw_station import raw_station
from .secured import NOW, act, add_station, kept, serve_tls, site_step, status, write


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


async def _set_up(hass: HomeAssistant, entry: MockConfigEntry, security: dict[str, Any]) -> ir.IssueEntry | None:
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "security": security})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    if entry.state is ConfigEntryState.LOADED:
        entry.runtime_data.async_update_listeners()
    return ir.async_get(hass).async_get_issue(DOMAIN, f"tls_failed_{entry.entry_id}")


async def test_a_site_begins_in_the_clear_where_its_encrypted_port_is_taken(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, unused_tcp_port_factory: Any
) -> None:
    """Its stations without TLS are led, and the port is tried again."""
    entry, port = mock_config_entry, unused_tcp_port_factory()
    other = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", port)
    issue = await _set_up(hass, entry, {"profile": 1, "tls": "own", "tls_port": port, "server_names": ["127.0.0.1"]})
    assert entry.state is ConfigEntryState.LOADED
    assert await status(entry, "CP1") == 101
    assert issue is not None and issue.translation_placeholders is not None
    assert str(port) in str(issue.translation_placeholders["error"])
    other.close()
    await other.wait_closed()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(minutes=2))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.runtime_data.central_system.tls_port == port
    assert await status(entry, "CP1") == 101
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"tls_failed_{entry.entry_id}") is None
    await hass.config_entries.async_unload(entry.entry_id)


async def test_a_site_begins_in_the_clear_where_its_certificate_can_not_be_used(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, unused_tcp_port_factory: Any, tmp_path: Path
) -> None:
    files = {"certificate": str(tmp_path / "none.pem"), "private_key": str(tmp_path / "none.key")}
    issue = await _set_up(hass, mock_config_entry, {"profile": 1, "tls": "files", "tls_port": unused_tcp_port_factory(), **files})
    assert mock_config_entry.state is ConfigEntryState.LOADED
    assert await status(mock_config_entry, "CP1") == 101
    assert issue is not None and issue.translation_placeholders is not None
    assert "none.pem" in str(issue.translation_placeholders["error"])
    await hass.config_entries.async_unload(mock_config_entry.entry_id)


async def test_files_that_were_put_right_are_told_of_no_longer(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, unused_tcp_port_factory: Any, tmp_path: Path
) -> None:
    """Within a minute, though the hourly look found them wrong as well."""
    port, files = unused_tcp_port_factory(), {"certificate": str(tmp_path / "own.pem"), "private_key": str(tmp_path / "own.key")}
    assert await _set_up(hass, mock_config_entry, {"profile": 1, "tls": "files", "tls_port": port, **files}) is not None
    now = dt_util.utcnow()
    async_fire_time_changed(hass, now + timedelta(hours=1, minutes=1))
    await hass.async_block_till_done(wait_background_tasks=True)
    write(tmp_path, issue_server(create_root("Other", NOW), ("127.0.0.1",), KeyKind.EC, NOW))
    async_fire_time_changed(hass, now + timedelta(hours=1, minutes=3))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert mock_config_entry.runtime_data.central_system.tls_port == port
    assert ir.async_get(hass).async_get_issue(DOMAIN, f"tls_failed_{mock_config_entry.entry_id}") is None
    await hass.config_entries.async_unload(mock_config_entry.entry_id)


async def test_a_site_where_nobody_may_come_in_the_clear_says_why_it_can_not_begin(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, taken_port: int
) -> None:
    security = {"profile": 2, "tls": "own", "tls_port": taken_port, "server_names": ["127.0.0.1"]}
    object.__setattr__(mock_config_entry, "subentries", MappingProxyType({}))  # its stations may come in the clear
    await _set_up(hass, mock_config_entry, security)
    assert mock_config_entry.state is ConfigEntryState.SETUP_RETRY
    placeholders = mock_config_entry.error_reason_translation_placeholders
    assert placeholders is not None and placeholders["port"] == str(taken_port)


async def test_a_port_in_the_clear_that_is_taken_is_named_with_the_other(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, taken_port: int, unused_tcp_port_factory: Any
) -> None:
    object.__setattr__(mock_config_entry, "data", {**mock_config_entry.data, "port": taken_port})
    tls_port = unused_tcp_port_factory()
    await _set_up(hass, mock_config_entry, {"profile": 1, "tls": "own", "tls_port": tls_port, "server_names": ["127.0.0.1"]})
    assert mock_config_entry.state is ConfigEntryState.SETUP_RETRY
    placeholders = mock_config_entry.error_reason_translation_placeholders
    assert placeholders is not None and placeholders["port"] == f"{taken_port} or {tls_port}"


async def test_a_station_more_has_a_seat_at_once(
    hass: HomeAssistant, init_integration: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stations come and go without a reload, and so do their seats."""
    monkeypatch.setattr("custom_components.headroom.security.CONNECTIONS_BESIDE", 0)
    security = init_integration.runtime_data.security
    security.configure()
    before = security.access.limits.connections
    password = await add_station(hass, init_integration, "CP9")
    assert security.access.limits.connections > before
    async with AsyncExitStack() as stack:
        for number in range(before):
            await stack.enter_async_context(raw_station(init_integration, f"N{number}"))
        assert await status(init_integration, "CP9", password) == 101
