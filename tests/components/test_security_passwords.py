"""The passwords of stations, walked as a person does it: through Home Assistant's flows and actions, with real sockets."""

import asyncio
import json
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.csms.security.credentials import verify_password
from custom_components.headroom.csms.security.recognition import StationSecurity
from custom_components.headroom.diagnostics import async_get_config_entry_diagnostics
from custom_components.headroom.security import station_document, station_security
from tests.csms.client import set_results

from .secured import EVSE, act, add_station, choose, client, kept, password_sent, ready, status


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


def test_what_is_kept_of_a_station_comes_back_as_it_was() -> None:
    owing = StationSecurity(sent_passwords=("hash",), password_due=True)
    for security in (owing, StationSecurity(profile=1, password="hash"), StationSecurity()):
        assert station_security({"security": station_document(security)}) == security


async def test_rotation_over_the_air(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    old = await add_station(hass, init_integration, "CP9")
    async with client(init_integration, "CP9", old) as station:
        await ready(hass, init_integration, station, "CP9")
        await act(hass, "rotate_password", init_integration, "CP9")
        new = password_sent(station)
        with pytest.raises(ServiceValidationError) as refused:
            await act(hass, "set_network_profile", init_integration, "CP9", slot=2, profile=0)
        assert refused.value.translation_key == "profile_below"
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


async def test_a_site_that_is_not_running_changes_no_password_over_the_air(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    await add_station(hass, init_integration, "CP9")
    before = kept(init_integration, "CP9")
    await hass.config_entries.async_unload(init_integration.entry_id)
    form = await choose(hass, init_integration, "CP9", "rotate_password")
    form = await hass.config_entries.subentries.async_configure(form["flow_id"], {})
    assert form["errors"] == {"base": "upgrade_offline"}
    assert kept(init_integration, "CP9") == before
