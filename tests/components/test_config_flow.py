"""A site is set up and changed: its forms, and a port that is really free or really taken."""

import asyncio
from collections.abc import Callable
import errno
import ssl
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.addresses import station_address
from custom_components.headroom.configuration import site_config
from custom_components.headroom.const import DOMAIN

from .flows import SITE, answer, change, choose, listen, shown, start, to_meter

pytestmark = pytest.mark.usefixtures("sites_are_stopped")


async def test_a_site_without_a_meter(hass: HomeAssistant, unused_tcp_port: int) -> None:
    form = await start(hass)
    assert (shown(form, "margin_a"), shown(form, "voltage_v")) == (2.0, 230.0)
    form = await choose(hass, await answer(hass, form, **SITE), "no_meter")
    assert (form["step_id"], shown(form, "port"), shown(form, "host"), shown(form, "free_charging")) == ("ocpp", 9000, "0.0.0.0", False)
    result = await answer(hass, form, **listen(unused_tcp_port, free_charging=False, id_tokens=[" A1 ", "B2", "A1", " "]))
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Home")
    entry = result["result"]
    assert entry.unique_id == str(unused_tcp_port)
    assert entry.data == {
        "name": "Home",
        "phases": 3,
        "fuse_a": 40.0,
        "margin_a": 2.0,
        "worst_case_a": 20.0,
        "voltage_v": 231,
        "spare_flash": True,
        "meter_lost_after_s": 30,
        "limit_kw": None,
        "imbalance": "off",
        "meter": {"type": "none"},
        "host": "127.0.0.1",
        "port": unused_tcp_port,
        "security": {"profile": 1},
    }
    await hass.async_block_till_done()
    assert entry.options == {"free_charging": False, "id_tokens": []}
    assert [token.data["id_token"] for token in entry.get_subentries_of_type("id_token")] == ["A1", "B2"]
    assert entry.state is ConfigEntryState.LOADED  # what the forms accept is a site that starts
    assert result["description_placeholders"] == {"address": f"ws://127.0.0.1:{unused_tcp_port}/"}


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"margin_a": 40.0}, {"margin_a": "margin_reaches_fuse"}),
        ({"worst_case_a": 41.0}, {"worst_case_a": "worst_case_reaches_fuse"}),
    ],
)
async def test_a_site_without_room_is_explained(hass: HomeAssistant, wrong: dict[str, float], errors: dict[str, str]) -> None:
    form = await answer(hass, await start(hass), **SITE | wrong)
    assert (form["step_id"], form["errors"], shown(form, "voltage_v")) == ("site", errors, 231)
    assert (await answer(hass, form, **SITE))["step_id"] == "meter"


async def test_a_taken_port_is_explained(hass: HomeAssistant, taken_port: int, unused_tcp_port: int) -> None:
    form = await answer(hass, await to_meter(hass, "no_meter"), **listen(taken_port, free_charging=True))
    # to_meter ends in the form already: there is nothing to ask about no meter
    assert (form["step_id"], form["errors"], shown(form, "port")) == ("ocpp", {"port": "port_in_use"}, taken_port)
    assert (await answer(hass, form, **listen(unused_tcp_port, free_charging=True)))["type"] is FlowResultType.CREATE_ENTRY


async def test_an_address_of_another_machine_is_explained(hass: HomeAssistant, unused_tcp_port: int) -> None:
    elsewhere = listen(unused_tcp_port, free_charging=True, advanced={"host": "192.0.2.1"})
    form = await answer(hass, await to_meter(hass, "no_meter"), **elsewhere)
    assert form["errors"] == {"base": "cannot_listen"}
    assert form["description_placeholders"]["cause"]


@pytest.mark.usefixtures("names_are_read")
@pytest.mark.parametrize("host", ["192.168..1", f"{'a' * 64}.local"])
async def test_what_is_no_address_is_explained(hass: HomeAssistant, unused_tcp_port: int, host: str) -> None:
    form = await answer(hass, await to_meter(hass, "no_meter"), **listen(unused_tcp_port, free_charging=True, advanced={"host": host}))
    assert form["errors"] == {"base": "cannot_listen"} and form["description_placeholders"]["cause"]


@pytest.mark.parametrize(("host", "kept"), [("", "0.0.0.0"), (" 127.0.0.1 ", "127.0.0.1")])
async def test_an_address_that_was_typed_untidily_is_kept_tidy(hass: HomeAssistant, unused_tcp_port: int, host: str, kept: str) -> None:
    """An empty one is any."""
    answers = listen(unused_tcp_port, free_charging=True, profile="0", advanced={"host": host})
    result = await answer(hass, await to_meter(hass, "no_meter"), **answers)
    assert result["type"] is FlowResultType.CREATE_ENTRY and result["data"]["host"] == kept


async def test_a_privileged_port_is_explained(hass: HomeAssistant) -> None:
    # Whoever runs the tests may be allowed any port: the system's refusal is put in its place.
    form = await to_meter(hass, "no_meter")
    with patch.object(asyncio.get_running_loop(), "create_server", side_effect=OSError(errno.EACCES, "Permission denied")):
        form = await answer(hass, form, **listen(80, free_charging=True))
    assert form["errors"] == {"port": "port_not_permitted"}


async def test_two_sites_can_not_share_a_port(hass: HomeAssistant, mock_config_entry: MockConfigEntry, unused_tcp_port: int) -> None:
    mock_config_entry.add_to_hass(hass)  # it is not running: its port is free at the moment
    form = await answer(hass, await to_meter(hass, "no_meter"), **listen(unused_tcp_port, free_charging=True))
    assert form["errors"] == {"port": "port_of_other_site"}
    assert hass.config_entries.async_entries(DOMAIN) == [mock_config_entry]


async def test_change_the_connection(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await change(hass, entry, "site")
    assert (shown(form, "name"), shown(form, "phases"), shown(form, "fuse_a"), shown(form, "voltage_v")) == ("Home", "3", 40.0, 230)
    before = dict(entry.data)
    result = await answer(hass, form, **SITE | {"name": "Villa", "fuse_a": 50.0})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert entry.title == "Villa"
    assert entry.data == before | {
        "name": "Villa",
        "fuse_a": 50.0,
        "voltage_v": 231,
        "limit_kw": None,
        "imbalance": "off",
        "spare_flash": True,
        "meter_lost_after_s": 30,
    }


async def test_a_site_that_was_renamed_keeps_its_name(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, title="Villa")
    form = await change(hass, entry, "site")
    assert shown(form, "name") == "Villa"
    await answer(hass, form, **SITE | {"name": shown(form, "name")})
    assert entry.title == "Villa"


async def test_a_site_is_kept_within_more_than_its_fuse(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    advanced = {"voltage_v": 231, "limit_kw": 17.3, "imbalance": "20"}
    await answer(hass, await change(hass, entry, "site"), **SITE | {"advanced": advanced})
    assert (site_config(entry).root.limit_w, site_config(entry).root.imbalance_a) == (17_300.0, 20.0)
    form = await change(hass, entry, "site")
    assert (shown(form, "limit_kw"), shown(form, "imbalance")) == (17.3, "20")
    await answer(hass, form, **SITE)
    assert (site_config(entry).root.limit_w, site_config(entry).root.imbalance_a) == (None, None)


async def test_flash_is_spared_unless_a_person_says_otherwise(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert site_config(entry).spares_flash
    await answer(hass, await change(hass, entry, "site"), **SITE | {"advanced": {"voltage_v": 231, "spare_flash": False}})
    assert not site_config(entry).spares_flash
    assert shown(await change(hass, entry, "site"), "spare_flash") is False


async def test_how_long_a_slow_meter_may_be_silent_is_said_by_a_person(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert "meter_lost_after_s" not in entry.data and site_config(entry).meter_lost_after_s == 30.0
    form = await change(hass, entry, "site")
    assert shown(form, "meter_lost_after_s") == 30
    await answer(hass, form, **SITE | {"advanced": {"voltage_v": 231, "meter_lost_after_s": 90}})
    assert site_config(entry).meter_lost_after_s == 90.0
    form = await change(hass, entry, "site")
    assert shown(form, "meter_lost_after_s") == 90
    for beyond_s in (10, 600):
        with pytest.raises(InvalidData):
            await answer(hass, form, **SITE | {"advanced": {"voltage_v": 231, "meter_lost_after_s": beyond_s}})


async def test_change_where_stations_connect(hass: HomeAssistant, entry: MockConfigEntry, unused_tcp_port_factory: Any) -> None:
    form = await change(hass, entry, "ocpp")
    assert form["data_schema"] is not None
    assert [str(key) for key in form["data_schema"].schema] == ["port", "advanced"]  # who may charge is in the options
    assert (shown(form, "port"), shown(form, "host")) == (entry.data["port"], "127.0.0.1")
    port = unused_tcp_port_factory()
    result = await answer(hass, form, **listen(port))
    assert result["reason"] == "reconfigure_successful"
    assert (entry.data["port"], entry.unique_id, entry.title) == (port, str(port), "Home")


async def test_a_site_may_keep_the_port_that_it_uses(hass: HomeAssistant, mock_config_entry: MockConfigEntry, taken_port: int) -> None:
    mock_config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        mock_config_entry, data={**mock_config_entry.data, "port": taken_port}, unique_id=str(taken_port)
    )
    form = await change(hass, mock_config_entry, "ocpp")
    result = await answer(hass, form, **listen(taken_port, advanced={"host": "0.0.0.0"}))
    assert result["reason"] == "reconfigure_successful"
    assert mock_config_entry.data["host"] == "0.0.0.0"


async def test_an_address_of_another_machine_is_not_taken_with_the_port_that_is_used(
    hass: HomeAssistant, init_integration: MockConfigEntry
) -> None:
    """The site would come to a standstill there."""
    port = init_integration.data["port"]
    form = await answer(hass, await change(hass, init_integration, "ocpp"), **listen(port, advanced={"host": "192.0.2.7"}))
    assert form["errors"] == {"base": "cannot_listen"}
    assert init_integration.data["host"] == "127.0.0.1"


async def test_change_who_may_charge(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert shown(form, "free_charging") is True
    assert shown(form, "no_authorization") is True, "as it was while nobody had chosen"
    chosen = {"free_charging": False, "no_authorization": False, "unknown_offline": True}
    result = await hass.config_entries.options.async_configure(form["flow_id"], chosen)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert chosen.items() <= entry.options.items()
    form = await hass.config_entries.options.async_init(entry.entry_id)
    assert (shown(form, "free_charging"), shown(form, "unknown_offline")) == (False, True)


async def test_the_address_to_enter_at_a_station(hass: HomeAssistant) -> None:
    assert station_address(hass, "192.0.2.7", 9000) == "ws://192.0.2.7:9000/"
    for anywhere in ("0.0.0.0", "::"):
        assert station_address(hass, anywhere, 9000) == "ws://homeassistant.local:9000/"
    assert station_address(hass, "2001:db8::7", 9000) == "ws://[2001:db8::7]:9000/"
    await async_process_ha_core_config(hass, {"internal_url": "http://192.0.2.8:8123"})
    assert station_address(hass, "0.0.0.0", 9000) == "ws://192.0.2.8:9000/"


@pytest.mark.parametrize("profile", [2, 3])
async def test_a_new_site_with_encryption(hass: HomeAssistant, unused_tcp_port_factory: Callable[[], int], profile: int) -> None:
    port, tls_port = unused_tcp_port_factory(), unused_tcp_port_factory()
    form = await choose(hass, await answer(hass, await start(hass), **SITE), "no_meter")
    form = await answer(hass, form, **listen(port, free_charging=True, id_tokens=[], profile=str(profile)))
    assert (form["step_id"], shown(form, "profile"), shown(form, "tls")) == ("security", str(profile), "own")
    wish = {"profile": str(profile), "unknown_stations": True, "tls": "own", "tls_port": tls_port, "server_names": ["127.0.0.1"]}
    form = await answer(hass, form, **wish | {"tls_port": port})
    assert form["errors"] == {"tls_port": "tls_port_is_port"}
    form = await answer(hass, form, **wish | {"tls": "none"})
    assert form["errors"] == {"tls": "tls_needed"}
    result = await answer(hass, form, **wish)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["description_placeholders"] == {"address": f"wss://127.0.0.1:{tls_port}/"}
    await hass.async_block_till_done()
    entry = result["result"]
    assert (entry.state, entry.data["security"]["profile"]) == (ConfigEntryState.LOADED, profile)
    assert entry.runtime_data.central_system.tls_port == tls_port  # it listens with a certificate made here
    _, writer = await asyncio.open_connection("127.0.0.1", tls_port, ssl=_trusting(entry.runtime_data.security.root.certificate))
    writer.close()


def _trusting(root: str) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=root)
