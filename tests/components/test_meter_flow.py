"""A site's meter is chosen and changed: a real one on a real socket, or Home Assistant's entities."""

from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.meter_settings import tells_one_power

from .flows import SITE, answer, change, choose, listen, measured, sdm630, shown, to_meter

UNITS = {"current_unit": "A", "power_unit": "W", "energy_unit": "kWh", "invert": False}
SERIAL = {
    "model": "eastron_sdm630",
    "device": "/dev/null",
    "baud_rate": "9600",
    "parity": "n",
    "unit_id": 1,
    "advanced": {"stop_bits": "1", "invert": False},
}

pytestmark = pytest.mark.usefixtures("sites_are_stopped")


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
        "framing": "tcp",
        "invert": True,
    }


async def test_a_meter_that_can_not_be_read_is_not_accepted(hass: HomeAssistant, meter_port: int, unused_tcp_port: int) -> None:
    form = await answer(hass, await to_meter(hass, "modbus"), **sdm630(unused_tcp_port))
    assert (form["step_id"], form["errors"]) == ("modbus", {"base": "meter_failed"})
    assert form["description_placeholders"]["cause"]
    assert shown(form, "port") == unused_tcp_port
    assert (await answer(hass, form, **sdm630(meter_port)))["step_id"] == "meter_live"


@pytest.mark.usefixtures("names_are_read")
@pytest.mark.parametrize("model", ["eastron_sdm630", "auto"])
async def test_a_host_that_can_be_none_is_explained(hass: HomeAssistant, model: str) -> None:
    form = await answer(hass, await to_meter(hass, "modbus"), **sdm630(502, host="192.168..1", model=model))
    assert (form["step_id"], form["errors"]) == ("modbus", {"base": "meter_failed"})


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
    assert result["data"]["meter"] == {"type": "entities", "invert": False, "only_changes": False} | powers


async def test_a_total_power_is_better_than_nothing(hass: HomeAssistant) -> None:
    measured(hass)
    hass.states.async_set("sensor.total", "2.3", {"device_class": "power", "unit_of_measurement": "kW"})
    form = await to_meter(hass, "entities", advanced={"voltage_v": 230})
    form = await answer(hass, form, advanced={})
    assert form["errors"] == {"base": "entities_incomplete"}
    live = await answer(hass, form, power_total="sensor.total", advanced={})
    assert live["description_placeholders"]["currents"] == "L1 10.0 A, L2 10.0 A, L3 10.0 A"  # each phase may carry all of it
    assert "Only a total is known" in live["description_placeholders"]["said"]
    assert "chosen three times" not in live["description_placeholders"]["said"]


@pytest.mark.parametrize("left_out", [1, 3])
async def test_every_phase_must_be_measured(hass: HomeAssistant, left_out: int) -> None:
    entities = measured(hass)
    del entities[f"current_l{left_out}"]
    form = await answer(hass, await to_meter(hass, "entities"), **entities, power_total="sensor.power_1", advanced={})
    assert (form["step_id"], form["errors"]) == ("entities", {"base": "entities_incomplete"})


@pytest.mark.parametrize(
    ("chosen", "more"),
    [
        ({"current_l3": "sensor.current_1"}, {}),
        ({"power_l1": "sensor.power_1", "power_l2": "sensor.power_2", "power_l3": "sensor.power_1"}, {}),
        ({"power_total": "sensor.power_1"}, {"exported_total": "sensor.power_1"}),  # which would be nothing for ever
    ],
)
async def test_one_entity_is_not_two_numbers(hass: HomeAssistant, chosen: dict[str, str], more: dict[str, str]) -> None:
    form = await answer(hass, await to_meter(hass, "entities"), **measured(hass) | chosen, advanced=more)
    assert (form["step_id"], form["errors"]) == ("entities", {"base": "chosen_twice"})


async def test_on_one_phase_the_total_may_be_the_phase(hass: HomeAssistant) -> None:
    measured(hass)
    form = await to_meter(hass, "entities", phases="1")
    live = await answer(hass, form, power_l1="sensor.power_1", power_total="sensor.power_1", advanced={})
    assert live["step_id"] == "meter_live"


async def test_what_this_integration_shows_is_no_meter_for_it(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """It is shown anew each turn, so it would never look old."""
    entities = measured(hass)
    own = er.async_get(hass).async_get_or_create("sensor", "headroom", "own", config_entry=init_integration).entity_id
    hass.states.async_set(own, "3", {"device_class": "current", "unit_of_measurement": "A"})
    form = await choose(hass, await change(hass, init_integration, "meter"), "entities")
    form = await answer(hass, form, **entities | {"current_l2": own}, advanced={})
    assert (form["step_id"], form["errors"]) == ("entities", {"base": "own_entity"})


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


@pytest.mark.parametrize("meter_data", [{"type": "entities", "invert": False, "current_l1": "sensor.current_1"}])
async def test_other_phases_need_the_meter_set_up_anew(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entities = measured(hass)
    hass.config_entries.async_update_entry(entry, data={**entry.data, "phases": 1})
    menu = await answer(hass, await change(hass, entry, "site"), **SITE)
    assert (menu["step_id"], entry.data["phases"]) == ("meter", 1)  # nothing is stored by halves
    form = await choose(hass, menu, "entities")
    assert shown(form, "current_l1") == "sensor.current_1"
    await choose(hass, await answer(hass, form, **entities, advanced={}), "meter_accept")
    assert (entry.data["phases"], entry.data["meter"]) == (3, {"type": "entities", "invert": False, "only_changes": False} | entities)


async def test_change_the_meter(hass: HomeAssistant, entry: MockConfigEntry, meter_port: int) -> None:
    before = dict(entry.data)
    form = await choose(hass, await change(hass, entry, "meter"), "modbus")
    result = await choose(hass, await answer(hass, form, **sdm630(meter_port)), "meter_accept")
    assert result["reason"] == "reconfigure_successful"
    meter = {
        "type": "modbus",
        "model": "eastron_sdm630",
        "host": "127.0.0.1",
        "port": meter_port,
        "unit_id": 1,
        "framing": "tcp",
        "invert": False,
    }
    assert entry.data == before | {"meter": meter}
    form = await choose(hass, await change(hass, entry, "meter"), "modbus")
    assert (shown(form, "port"), shown(form, "host")) == (meter_port, "127.0.0.1")
    result = await choose(hass, await change(hass, entry, "meter"), "no_meter")
    assert entry.data == before


@pytest.mark.usefixtures("names_are_read")
async def test_an_address_that_can_be_none_is_explained(hass: HomeAssistant) -> None:
    answers = {"url": "http://192.168..1/x", "power_total": "$.power", "advanced": UNITS}
    form = await answer(hass, await to_meter(hass, "rest"), **answers)
    assert (form["step_id"], form["errors"]) == ("rest", {"base": "meter_failed"})


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("modbus", sdm630(502, host=" ")),
        ("modbus", sdm630(502, host=" ", model="auto")),
        ("serial", SERIAL | {"device": " "}),
        ("rest", {"url": " ", "power_total": "$.power", "advanced": UNITS}),
    ],
)
async def test_blanks_are_no_meter(hass: HomeAssistant, kind: str, answers: dict[str, Any]) -> None:
    form = await answer(hass, await to_meter(hass, kind), **answers)
    assert (form["step_id"], form["errors"]) == (kind, {"base": "meter_failed"})


async def test_blanks_round_a_host_are_none_of_it(hass: HomeAssistant, meter_port: int) -> None:
    assert (await answer(hass, await to_meter(hass, "modbus"), **sdm630(meter_port, host=" 127.0.0.1 ")))["step_id"] == "meter_live"


def test_a_model_that_has_but_a_total_tells_one_power() -> None:
    assert tells_one_power({"meter": {"type": "modbus", "model": "sma_home_manager"}})
    assert not tells_one_power({"meter": {"type": "modbus", "model": "eastron_sdm630"}})
    assert not tells_one_power({"meter": {"type": "modbus", "model": "sunspec"}})
    assert not tells_one_power({"meter": {"type": "none"}})
