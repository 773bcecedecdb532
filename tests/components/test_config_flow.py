"""A site is set up and changed: forms, a real meter on a real socket, and a port that is really free or really taken."""

import asyncio
from collections.abc import AsyncGenerator, Callable
import errno
import ssl
from typing import Any
from unittest.mock import patch

from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.data_entry_flow import FlowResultType
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.addresses import station_address
from custom_components.headroom.const import DOMAIN

SITE = {"name": "Home", "phases": "3", "fuse_a": 40.0, "margin_a": 2.0, "worst_case_a": 20.0, "advanced": {"voltage_v": 231}}


@pytest.fixture(autouse=True)
async def sites_are_stopped(hass: HomeAssistant) -> AsyncGenerator[None]:
    """A site that was set up really runs; it is stopped again."""
    yield
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()


@pytest.fixture
async def meter_port() -> AsyncGenerator[int]:
    """An Eastron SDM630 on a socket of its own: 4.2, 5 and 6 A, 3496 W."""
    per_phase = [230.0, 230.0, 230.0, 4.2, 5.0, 6.0, 966.0, 1150.0, 1380.0]
    values = [*per_phase, *[0.0] * 17, 3496.0, *[0.0] * 23]
    coils = [SimData(0, values=False, count=8, datatype=DataType.BITS)]
    holding = [SimData(0, values=0, count=8, datatype=DataType.REGISTERS)]
    device = SimDevice(1, simdata=(coils, coils, holding, [SimData(0, values=values, datatype=DataType.FLOAT32)]))
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.listen()
    yield server.transport.sockets[0].getsockname()[1]
    await server.shutdown()


@pytest.fixture
async def taken_port() -> AsyncGenerator[int]:
    """A port on which another program listens."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def start(hass: HomeAssistant) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def answer(hass: HomeAssistant, result: ConfigFlowResult, **answers: Any) -> ConfigFlowResult:
    return await hass.config_entries.flow.async_configure(result["flow_id"], answers)


async def choose(hass: HomeAssistant, result: ConfigFlowResult, step: str) -> ConfigFlowResult:
    assert result["type"] is FlowResultType.MENU
    return await answer(hass, result, next_step_id=step)


async def to_meter(hass: HomeAssistant, kind: str, **site: Any) -> ConfigFlowResult:
    return await choose(hass, await answer(hass, await start(hass), **SITE | site), kind)


def sdm630(port: int, **changes: Any) -> dict[str, Any]:
    return {"model": "eastron_sdm630", "host": "127.0.0.1", "port": port, "unit_id": 1, "advanced": {"invert": False}} | changes


def listen(port: int, **more: Any) -> dict[str, Any]:
    return {"port": port, "advanced": {"host": "127.0.0.1"}} | more


def shown(result: ConfigFlowResult, key: str) -> Any:
    """What a form shows in a field before anyone has typed, also in its section."""
    assert result["data_schema"] is not None
    schema = result["data_schema"].schema
    both = {**schema, **(schema["advanced"].schema.schema if "advanced" in schema else {})}
    marker = next(marker for marker in both if marker == key)
    return marker.description["suggested_value"] if marker.description else marker.default()


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


async def test_a_modbus_meter_is_read_and_shown(hass: HomeAssistant, meter_port: int, unused_tcp_port: int) -> None:
    live = await answer(hass, await to_meter(hass, "modbus"), **sdm630(meter_port))
    assert (live["type"], live["step_id"]) == (FlowResultType.MENU, "meter_live")
    placeholders = live["description_placeholders"]
    assert (placeholders["currents"], placeholders["power"]) == ("L1 4.2 A, L2 5.0 A, L3 6.0 A", "3496 W")
    live = await choose(hass, live, "meter_live")  # once more
    assert live["description_placeholders"]["power"] == "3496 W"
    form = await choose(hass, live, "modbus")  # the meter counts the wrong way round
    assert (shown(form, "model"), shown(form, "port"), shown(form, "invert")) == ("eastron_sdm630", meter_port, False)
    live = await answer(hass, form, **sdm630(meter_port, advanced={"invert": True}))
    assert live["description_placeholders"]["currents"] == "L1 -4.2 A, L2 -5.0 A, L3 -6.0 A"
    form = await choose(hass, live, "meter_accept")
    result = await answer(hass, form, **listen(unused_tcp_port, free_charging=True))
    assert result["data"]["meter"] == {
        "type": "modbus",
        "model": "eastron_sdm630",
        "host": "127.0.0.1",
        "port": meter_port,
        "unit_id": 1,
        "invert": True,
    }


async def test_a_meter_that_can_not_be_read_is_not_accepted(hass: HomeAssistant, meter_port: int, unused_tcp_port: int) -> None:
    form = await answer(hass, await to_meter(hass, "modbus"), **sdm630(unused_tcp_port))
    assert (form["step_id"], form["errors"]) == ("modbus", {"base": "meter_failed"})
    assert form["description_placeholders"]["cause"]
    assert shown(form, "port") == unused_tcp_port
    assert (await answer(hass, form, **sdm630(meter_port)))["step_id"] == "meter_live"


async def test_a_meter_that_does_not_answer_is_not_waited_for(
    hass: HomeAssistant, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.headroom.meter_flow.PROBE_TIMEOUT_S", 0.05)
    form = await answer(hass, await to_meter(hass, "modbus"), **sdm630(taken_port))
    assert (form["step_id"], form["errors"]) == ("modbus", {"base": "meter_silent"})


async def test_one_phase_is_not_enough_for_three(hass: HomeAssistant, meter_port: int) -> None:
    form = await answer(hass, await to_meter(hass, "modbus"), **sdm630(meter_port, model="eastron_sdm230"))
    assert form["errors"] == {"model": "too_few_phases"}
    live = await answer(hass, await to_meter(hass, "modbus", phases="1"), **sdm630(meter_port, model="eastron_sdm630"))
    assert live["description_placeholders"]["currents"] == "L1 4.2 A"


def measured(hass: HomeAssistant) -> dict[str, str]:
    for phase, current in ((1, "3"), (2, "4.5"), (3, "6")):
        hass.states.async_set(f"sensor.current_{phase}", current, {"device_class": "current", "unit_of_measurement": "A"})
        hass.states.async_set(f"sensor.power_{phase}", "-690", {"device_class": "power", "unit_of_measurement": "W"})
    return {f"current_l{phase}": f"sensor.current_{phase}" for phase in (1, 2, 3)}


async def test_entities_are_read_and_shown(hass: HomeAssistant, unused_tcp_port: int) -> None:
    entities = measured(hass)
    live = await answer(hass, await to_meter(hass, "entities"), **entities, advanced={})
    assert live["description_placeholders"]["currents"] == "L1 3.0 A, L2 4.5 A, L3 6.0 A"
    form = await choose(hass, live, "entities")
    assert shown(form, "current_l1") == "sensor.current_1"
    powers = {f"power_l{phase}": f"sensor.power_{phase}" for phase in (1, 2, 3)}
    live = await answer(hass, form, **powers, advanced={})
    assert live["description_placeholders"]["currents"] == "L1 -3.0 A, L2 -3.0 A, L3 -3.0 A"
    assert live["description_placeholders"]["power"] == "-2070 W"
    form = await choose(hass, live, "meter_accept")
    result = await answer(hass, form, **listen(unused_tcp_port, free_charging=True))
    assert result["data"]["meter"] == {"type": "entities", "invert": False} | powers


async def test_a_total_power_is_better_than_nothing(hass: HomeAssistant) -> None:
    measured(hass)
    hass.states.async_set("sensor.total", "2.3", {"device_class": "power", "unit_of_measurement": "kW"})
    form = await to_meter(hass, "entities", advanced={"voltage_v": 230})
    form = await answer(hass, form, advanced={})
    assert form["errors"] == {"base": "entities_incomplete"}
    live = await answer(hass, form, power_total="sensor.total", advanced={})
    assert live["description_placeholders"]["currents"] == "L1 10.0 A, L2 10.0 A, L3 10.0 A"  # each phase may carry all of it


@pytest.mark.parametrize("left_out", [1, 3])
async def test_every_phase_must_be_measured(hass: HomeAssistant, left_out: int) -> None:
    entities = measured(hass)
    del entities[f"current_l{left_out}"]
    form = await answer(hass, await to_meter(hass, "entities"), **entities, power_total="sensor.power_1", advanced={})
    assert (form["step_id"], form["errors"]) == ("entities", {"base": "entities_incomplete"})


async def test_an_entity_without_a_value_is_not_accepted(hass: HomeAssistant) -> None:
    entities = measured(hass)
    hass.states.async_set("sensor.current_2", "unavailable", {"device_class": "current", "unit_of_measurement": "A"})
    form = await answer(hass, await to_meter(hass, "entities"), **entities, advanced={})
    assert form["errors"] == {"base": "meter_failed"}
    assert "sensor.current_2" in form["description_placeholders"]["cause"]


async def test_on_a_single_phase_site_one_phase_is_asked_for(hass: HomeAssistant) -> None:
    measured(hass)
    form = await to_meter(hass, "entities", phases="1")
    assert form["data_schema"] is not None
    assert [str(key) for key in form["data_schema"].schema] == ["current_l1", "power_l1", "power_total", "advanced"]
    live = await answer(hass, form, current_l1="sensor.current_1", advanced={})
    assert live["description_placeholders"]["currents"] == "L1 3.0 A"


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


@pytest.fixture
def entry(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> MockConfigEntry:
    mock_config_entry.add_to_hass(hass)
    return mock_config_entry


async def change(hass: HomeAssistant, entry: MockConfigEntry, what: str) -> ConfigFlowResult:
    return await choose(hass, await entry.start_reconfigure_flow(hass), what)


async def test_change_the_connection(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await change(hass, entry, "site")
    assert (shown(form, "name"), shown(form, "phases"), shown(form, "fuse_a"), shown(form, "voltage_v")) == ("Home", "3", 40.0, 230)
    before = dict(entry.data)
    result = await answer(hass, form, **SITE | {"name": "Villa", "fuse_a": 50.0})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert entry.title == "Villa"
    assert entry.data == before | {"name": "Villa", "fuse_a": 50.0, "voltage_v": 231}


@pytest.mark.parametrize("meter_data", [{"type": "entities", "invert": False, "current_l1": "sensor.current_1"}])
async def test_other_phases_need_the_meter_set_up_anew(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entities = measured(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "phases": 1})
    menu = await answer(hass, await change(hass, entry, "site"), **SITE)
    assert (menu["step_id"], entry.data["phases"]) == ("meter", 1)  # nothing is stored by halves
    form = await choose(hass, menu, "entities")
    assert shown(form, "current_l1") == "sensor.current_1"
    await choose(hass, await answer(hass, form, **entities, advanced={}), "meter_accept")
    assert (entry.data["phases"], entry.data["meter"]) == (3, {"type": "entities", "invert": False} | entities)


async def test_change_the_meter(hass: HomeAssistant, entry: MockConfigEntry, meter_port: int) -> None:
    before = dict(entry.data)
    form = await choose(hass, await change(hass, entry, "meter"), "modbus")
    result = await choose(hass, await answer(hass, form, **sdm630(meter_port)), "meter_accept")
    assert result["reason"] == "reconfigure_successful"
    meter = {"type": "modbus", "model": "eastron_sdm630", "host": "127.0.0.1", "port": meter_port, "unit_id": 1, "invert": False}
    assert entry.data == before | {"meter": meter}
    form = await choose(hass, await change(hass, entry, "meter"), "modbus")
    assert (shown(form, "port"), shown(form, "host")) == (meter_port, "127.0.0.1")
    result = await choose(hass, await change(hass, entry, "meter"), "no_meter")
    assert entry.data == before


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
    assert station_address(hass, "0.0.0.0", 9000) == "ws://homeassistant.local:9000/"
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
