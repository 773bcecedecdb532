"""Stations brought to a higher security profile, and their certificates, through flows and actions with real sockets."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
import ssl
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.repairs import async_sync_issues
from custom_components.headroom.security import CHECK_EVERY
from tests.csms.secured import key_pem, signing_request

from .secured import (
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
    status,
    told,
    upgraded,
    variables,
)


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
        await station.call("Heartbeat", {})  # by then its answer was heard
        await hass.async_block_till_done()
        assert len(asked) == 1 and issue() is None
        assert len(kept(init_integration, "CP9")["certificates"]) == 2
