"""A meter is found, looked at, judged and put right before it is accepted; whatever it hangs on."""

from collections.abc import AsyncIterator
from typing import Any

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from pymodbus import FramerType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.metering.layout import DataType
from custom_components.headroom.metering.maps import METERS
from tests.metering.server import Meter, serial_cable
from tests.metering.test_rest import Device

from .flows import answer, change, choose, listen, measured, sdm630, shown, to_meter
from .subentry_flows import answer as answer_of_part, choose as choose_of_part, start

pytestmark = pytest.mark.usefixtures("sites_are_stopped")

LAYOUT = METERS["eastron_sdm630"]


@pytest.fixture
async def meter() -> AsyncIterator[Meter]:
    """An Eastron SDM630 that imports 4.2, 5 and 6 A; started by the test."""
    meter = Meter()
    meter.fill(LAYOUT)
    meter.put(LAYOUT.voltage, 230.0, 231.0, 229.0)
    meter.put(LAYOUT.current, 4.2, 5.0, 6.0)
    meter.put(LAYOUT.power, 966.0, 1150.0, 1380.0)
    meter.put(LAYOUT.total_power, 3496.0)
    meter.put(LAYOUT.frequency, 50.0)
    yield meter
    await meter.stop()


@pytest.fixture
async def device() -> AsyncIterator[Device]:
    device = Device()
    await device.start()
    yield device
    await device.stop()


def placeholder(result: ConfigFlowResult, key: str) -> str:
    assert result["type"] in (FlowResultType.MENU, FlowResultType.FORM)
    placeholders = result["description_placeholders"]
    assert placeholders is not None
    return placeholders[key]


async def test_a_meter_whose_model_nobody_knows_is_found(hass: HomeAssistant, meter: Meter, unused_tcp_port: int) -> None:
    await meter.start()
    form = await to_meter(hass, "modbus")
    assert shown(form, "model") == "auto"
    form = await answer(hass, form, host="127.0.0.1", port=meter.port, unit_id=1, advanced={})
    assert form["step_id"] == "meter_found" and form["data_schema"] is not None
    (options,) = (field.config["options"] for field in form["data_schema"].schema.values())
    assert options[0]["value"] == "eastron_sdm630"
    assert options[0]["label"].startswith(LAYOUT.name) and options[0]["label"].endswith("L1 4.2 A, L2 5.0 A, L3 6.0 A")
    live = await answer(hass, form, candidate="eastron_sdm630")
    assert placeholder(live, "power") == "3496 W"
    result = await answer(hass, await choose(hass, live, "meter_accept"), **listen(unused_tcp_port, free_charging=True))
    assert result["data"]["meter"]["model"] == "eastron_sdm630"


async def test_a_meter_that_no_model_fits_is_explained(hass: HomeAssistant, meter: Meter) -> None:
    meter.put(LAYOUT.voltage, 0.0, 0.0, 0.0)
    meter.put(LAYOUT.frequency, 0.0)
    await meter.start()
    form = await answer(hass, await to_meter(hass, "modbus"), host="127.0.0.1", port=meter.port, unit_id=1, advanced={})
    assert (form["step_id"], form["errors"]) == ("modbus", {"model": "model_unknown"})


async def test_nobody_there_to_be_found(hass: HomeAssistant, unused_tcp_port: int) -> None:
    form = await answer(hass, await to_meter(hass, "modbus"), host="127.0.0.1", port=unused_tcp_port, unit_id=1, advanced={})
    assert form["errors"] == {"base": "meter_failed"} and "cannot connect" in placeholder(form, "cause")


async def test_serial_frames_through_a_gateway(hass: HomeAssistant, meter: Meter) -> None:
    meter.framer = FramerType.RTU
    await meter.start()
    live = await answer(hass, await to_meter(hass, "modbus"), **sdm630(meter.port, advanced={"framing": "rtu", "invert": False}))
    assert placeholder(live, "currents") == "L1 4.2 A, L2 5.0 A, L3 6.0 A"


async def test_a_meter_on_a_serial_line(hass: HomeAssistant, meter: Meter, unused_tcp_port: int) -> None:
    with serial_cable() as (ours, theirs):
        meter.serial_device = theirs
        await meter.start()
        form = await to_meter(hass, "serial")
        assert [shown(form, key) for key in ("model", "baud_rate", "parity", "stop_bits")] == ["auto", "9600", "n", "1"]
        serial = {"model": "eastron_sdm630", "device": ours, "baud_rate": "9600", "parity": "n", "unit_id": 1}
        live = await answer(hass, form, **serial, advanced={})
        assert placeholder(live, "currents") == "L1 4.2 A, L2 5.0 A, L3 6.0 A"
        form = await choose(hass, live, "serial")
        assert shown(form, "device") == ours
        result = await choose(hass, await answer(hass, form, **serial, advanced={}), "meter_accept")
        result = await answer(hass, result, **listen(unused_tcp_port, free_charging=True))
        assert result["data"]["meter"] == serial | {"type": "serial", "stop_bits": "1", "invert": False}
        await hass.config_entries.async_unload(result["result"].entry_id)
        await meter.stop()


async def test_a_line_that_is_not_there(hass: HomeAssistant) -> None:
    serial = {"model": "eastron_sdm630", "device": "/dev/no-such-line", "baud_rate": "9600", "parity": "e", "unit_id": 1}
    form = await answer(hass, await to_meter(hass, "serial"), **serial, advanced={"stop_bits": "2"})
    assert (form["step_id"], form["errors"]) == ("serial", {"base": "meter_failed"})


PATHS = {f"current_l{number}": f"$.phases[{number - 1}].amps" for number in (1, 2, 3)} | {
    f"power_l{number}": f"$.phases[{number - 1}].watts" for number in (1, 2, 3)
}


async def test_a_document_is_the_meter(hass: HomeAssistant, device: Device, unused_tcp_port: int) -> None:
    form = await to_meter(hass, "rest")
    advanced = {"import_energy": "$.energy.import", "username": "me", "password": "hush"}
    live = await answer(hass, form, url=device.url, **PATHS, advanced=advanced)
    assert placeholder(live, "currents") == "L1 10.0 A, L2 -8.0 A, L3 5.0 A"
    assert "secret" not in placeholder(live, "source")
    form = await choose(hass, live, "rest")
    assert (shown(form, "url"), shown(form, "username"), shown(form, "power_unit")) == (device.url, "me", "W")
    assert form["data_schema"] is not None
    secrets = [key for key in form["data_schema"].schema["advanced"].schema.schema if key in ("password", "token")]
    assert not any(key.description for key in secrets), "a secret is not shown again"
    live = await answer(hass, form, url=device.url, **PATHS, advanced=advanced | {"password": ""})  # … and kept
    assert device.asked[-1]["Authorization"] == device.asked[0]["Authorization"]
    result = await answer(hass, await choose(hass, live, "meter_accept"), **listen(unused_tcp_port, free_charging=True))
    assert result["data"]["meter"]["password"] == "hush"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"current_l2": ""}, "paths_incomplete"),
        ({"current_l2": "$.phases[7].amps"}, "meter_failed"),
        ({"current_l2": "$.phases["}, "meter_failed"),
        ({"url": "ftp://127.0.0.1/x"}, "meter_failed"),
    ],
)
async def test_a_document_without_the_numbers_is_explained(
    hass: HomeAssistant, device: Device, changes: dict[str, str], error: str
) -> None:
    form = await answer(hass, await to_meter(hass, "rest"), **{"url": device.url} | PATHS | changes, advanced={})
    assert (form["step_id"], form["errors"]) == ("rest", {"base": error})


async def test_a_secret_does_not_go_to_another_address(hass: HomeAssistant, device: Device) -> None:
    live = await answer(hass, await to_meter(hass, "rest"), url=device.url, **PATHS, advanced={"token": "hush"})
    assert device.asked[-1]["Authorization"] == "Bearer hush"
    form = await choose(hass, live, "rest")
    await answer(hass, form, url=f"{device.url}&other", **PATHS, advanced={})
    assert "Authorization" not in device.asked[-1]


async def test_of_a_model_that_has_but_a_total_it_is_said(hass: HomeAssistant, meter: Meter) -> None:
    for address, number in ((30865, 0), (30867, 2300), (30581, 4_321_000), (30583, 321_000)):
        meter.store(address, number, DataType.INT32)
    await meter.start()
    live = await answer(hass, await to_meter(hass, "modbus"), **sdm630(meter.port, model="sma_home_manager"))
    assert "Only a total is known" in placeholder(live, "said")
    assert "Nothing flows" not in placeholder(live, "said"), "2300 W are fed in"
    assert "meter_order" not in (live["menu_options"] or {}), "a total has no phases to put in order"


async def test_a_user_name_takes_the_place_of_a_token(hass: HomeAssistant, device: Device) -> None:
    live = await answer(hass, await to_meter(hass, "rest"), url=device.url, **PATHS, advanced={"token": "hush"})
    form = await choose(hass, live, "rest")
    live = await answer(hass, form, url=device.url, **PATHS, advanced={"username": "me", "password": "open"})
    assert device.asked[-1]["Authorization"].startswith("Basic ")
    form = await choose(hass, live, "rest")
    await answer(hass, form, url=device.url, **PATHS, advanced={"token": "hush"})
    assert device.asked[-1]["Authorization"] == "Bearer hush"


async def test_a_password_does_not_outlive_its_user(hass: HomeAssistant, device: Device) -> None:
    live = await answer(hass, await to_meter(hass, "rest"), url=device.url, **PATHS, advanced={"username": "me", "password": "open"})
    form = await choose(hass, live, "rest")
    live = await answer(hass, form, url=device.url, **PATHS, advanced={})
    assert "Authorization" not in device.asked[-1]
    await answer(hass, await choose(hass, live, "rest"), url=device.url, **PATHS, advanced={"username": "you"})
    assert device.asked[-1]["Authorization"] == "Basic eW91Og=="


async def test_the_phases_are_put_in_order(hass: HomeAssistant, entry: MockConfigEntry, meter: Meter) -> None:
    await meter.start()
    live = await answer(hass, await choose(hass, await change(hass, entry, "meter"), "modbus"), **sdm630(meter.port))
    form = await choose(hass, live, "meter_order")
    assert shown(form, "phase_order") == "L1L2L3"
    live = await answer(hass, form, phase_order="L2L3L1")
    assert placeholder(live, "currents") == "L1 6.0 A, L2 4.2 A, L3 5.0 A"
    await choose(hass, live, "meter_accept")
    assert entry.data["meter"]["phase_order"] == "L2L3L1"
    form = await choose(hass, await change(hass, entry, "meter"), "modbus")
    live = await answer(hass, form, **sdm630(meter.port))  # the order stays where other settings change
    assert placeholder(live, "currents") == "L1 6.0 A, L2 4.2 A, L3 5.0 A"


async def test_a_meter_that_counts_the_wrong_way_is_turned_by_one_click(hass: HomeAssistant, entry: MockConfigEntry, meter: Meter) -> None:
    hass.states.async_set("sun.sun", "below_horizon")
    meter.put(LAYOUT.power, -966.0, -1150.0, -1380.0)
    meter.put(LAYOUT.total_power, -3496.0)
    await meter.start()
    live = await answer(hass, await choose(hass, await change(hass, entry, "meter"), "modbus"), **sdm630(meter.port))
    assert "swapped" in placeholder(live, "said") and "-3496" in placeholder(live, "said")
    assert list(live["menu_options"])[0] == "meter_invert"
    live = await choose(hass, live, "meter_invert")
    assert placeholder(live, "currents") == "L1 4.2 A, L2 5.0 A, L3 6.0 A"
    assert placeholder(live, "said") == "- Nothing looks wrong." and list(live["menu_options"])[0] == "meter_accept"
    await choose(hass, live, "meter_accept")
    assert entry.data["meter"]["invert"] is True


async def test_several_readings_are_shown_and_judged(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entities = measured(hass)
    live = await answer(hass, await choose(hass, await change(hass, entry, "meter"), "entities"), **entities, advanced={})
    assert placeholder(live, "before") == "–"
    hass.states.async_set("sensor.current_2", "0", {"device_class": "current", "unit_of_measurement": "A"})
    live = await choose(hass, live, "meter_live")
    assert placeholder(live, "currents") == "L1 3.0 A, L2 0.0 A, L3 6.0 A"
    assert placeholder(live, "before") == "L1 3.0 A, L2 4.5 A, L3 6.0 A"
    live = await choose(hass, await change(hass, entry, "meter"), "entities")
    live = await answer(hass, live, **entities, advanced={})
    assert "L2 carries nothing" in placeholder(live, "said")


async def test_what_can_not_be_true_is_explained(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entities = measured(hass)
    for phase in (1, 2, 3):  # kilowatts that are called watts
        hass.states.async_set(f"sensor.power_{phase}", "0.9", {"device_class": "power", "unit_of_measurement": "W"})
        hass.states.async_set(f"sensor.current_{phase}", "4", {"device_class": "current", "unit_of_measurement": "A"})
    powers = {f"power_l{phase}": f"sensor.power_{phase}" for phase in (1, 2, 3)}
    form = await choose(hass, await change(hass, entry, "meter"), "entities")
    form = await answer(hass, form, **entities, **powers, advanced={})
    assert form["errors"] == {"base": "meter_implausible"}
    assert "thousandth" in placeholder(form, "said")


async def test_import_and_export_that_are_kept_apart(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    for name, value in (("drawn", "1.5"), ("fed", "0.2")):
        hass.states.async_set(f"sensor.{name}", value, {"device_class": "power", "unit_of_measurement": "kW"})
    form = await choose(hass, await change(hass, entry, "meter"), "entities")
    live = await answer(hass, form, power_total="sensor.drawn", advanced={"exported_total": "sensor.fed", "only_changes": True})
    assert placeholder(live, "power") == "1300 W"
    form = await choose(hass, live, "entities")
    form = await answer(hass, form, **measured(hass), advanced={"exported_l1": "sensor.fed"})
    assert form["errors"] == {"base": "exported_unpaired"}


async def test_a_roof_that_seems_to_draw_is_turned_by_one_click(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    for phase in (1, 2, 3):
        hass.states.async_set(f"sensor.power_{phase}", "1500", {"device_class": "power", "unit_of_measurement": "W"})
    menu = await choose_of_part(hass, await start(hass, entry, "resource"), "pv")
    menu = await answer_of_part(hass, menu, name="Roof", circuit="main", wired_to="L1L2L3", most_a=16, counted=True)
    powers = {f"power_l{phase}": f"sensor.power_{phase}" for phase in (1, 2, 3)}
    live: Any = await answer_of_part(hass, await choose_of_part(hass, menu, "entities"), **powers, advanced={})
    assert "counted as positive" in placeholder(live, "said") and list(live["menu_options"])[0] == "meter_invert"
    live = await choose_of_part(hass, live, "meter_invert")
    assert placeholder(live, "power") == "-4500 W" and list(live["menu_options"])[0] == "meter_accept"
