"""PV systems and home batteries are added and changed by hand, each with its meter, and reckoned with while the site runs."""

from dataclasses import replace
from typing import Any

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.configuration import site_config
from custom_components.headroom.const import DOMAIN
from custom_components.headroom.engine.model import ALL_PHASES, Phase
from custom_components.headroom.site.resource import Resource, ResourceKind
from custom_components.headroom.site.snapshot import MeterHealth

from .conftest import show
from .flows import measured, sdm630
from .subentry_flows import answer, change, choose, default, offered, start
from .test_meters import until

pytestmark = pytest.mark.usefixtures("sites_are_stopped")

PV = {"name": "Roof", "circuit": "main", "wired_to": "L1L2L3", "most_a": 16.0, "counted": True}
BATTERY = {"name": "Cellar", "circuit": "garage", "wired_to": "L2", "most_a": 14.0, "gives_way": True, "counted": False}


async def describe(hass: HomeAssistant, entry: MockConfigEntry, kind: str, **answers: Any) -> SubentryFlowResult:
    """Describe one, up to the question for its meter."""
    form = await choose(hass, await start(hass, entry, "resource"), kind)
    assert form["step_id"] == kind
    return await answer(hass, form, **answers)


async def add_roof(hass: HomeAssistant, entry: MockConfigEntry, **answers: Any) -> Resource:
    menu = await describe(hass, entry, "pv", **PV)
    result = await answer(hass, await choose(hass, menu, "entities"), **answers, advanced={"invert": True})
    assert (await choose(hass, result, "meter_accept"))["type"] is FlowResultType.CREATE_ENTRY
    (resource,) = site_config(entry).resources
    return resource


async def test_add_a_roof(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    roof = await add_roof(hass, entry, **measured(hass))
    assert (roof.name, roof.kind, roof.circuit_id, roof.phases, roof.most_a) == ("Roof", ResourceKind.PV, "main", ALL_PHASES, 16.0)
    assert (roof.counted, roof.gives_way, roof.even) == (True, False, False)


async def test_a_roof_of_which_only_one_power_is_known(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    measured(hass)
    hass.states.async_set("sensor.sun", "6.9", {"device_class": "power", "unit_of_measurement": "kW"})
    assert (await add_roof(hass, entry, power_total="sensor.sun")).even


@pytest.mark.parametrize(("power_kw", "each"), [("6.9", "10.0"), ("-6.9", "-10.0")])
async def test_one_power_is_shown_as_it_is_reckoned_with(hass: HomeAssistant, entry: MockConfigEntry, power_kw: str, each: str) -> None:
    hass.states.async_set("sensor.cells", power_kw, {"device_class": "power", "unit_of_measurement": "kW"})
    menu = await describe(hass, entry, "battery", **{**BATTERY, "wired_to": "L1L2L3"})
    live = await answer(hass, await choose(hass, menu, "entities"), power_total="sensor.cells", advanced={"invert": False})
    placeholders = live["description_placeholders"]
    assert placeholders is not None
    assert placeholders["currents"] == f"L1 {each} A, L2 {each} A, L3 {each} A"
    assert placeholders["said"] == "- Nothing looks wrong.", "three equal currents are how the total is spread"
    assert "meter_order" not in (live["menu_options"] or {}), "a total has no phases to put in order"


async def test_add_a_battery_on_one_phase(hass: HomeAssistant, entry: MockConfigEntry, meter_port: int) -> None:
    menu = await describe(hass, entry, "battery", **BATTERY)
    assert list(menu["menu_options"]) == ["modbus", "serial", "entities", "rest"], "nothing can be said of one that is not measured"
    live = await answer(hass, await choose(hass, menu, "modbus"), **sdm630(meter_port, model="eastron_sdm230"))
    assert live["description_placeholders"]["currents"] == "L1 4.2 A", "its meter's own L1"
    await choose(hass, live, "meter_accept")
    site = site_config(entry)
    (battery,) = site.resources
    assert (battery.kind, battery.circuit_id, battery.phases) == (ResourceKind.BATTERY, "garage", (Phase.L2,))
    assert (battery.counted, battery.gives_way) == (False, True)
    worst = {circuit.circuit_id: circuit.unmanaged_worst_a for circuit in site.circuits}
    assert worst == {"main": (20.0, 20.0, 20.0), "garage": (0.0, 14.0, 0.0)}, "the garage's was said to be nothing"


async def test_a_meter_must_measure_all_its_phases(hass: HomeAssistant, entry: MockConfigEntry, meter_port: int) -> None:
    menu = await describe(hass, entry, "pv", **PV)
    form = await answer(hass, await choose(hass, menu, "modbus"), **sdm630(meter_port, model="eastron_sdm230"))
    assert form["errors"] == {"model": "too_few_phases"}


async def test_change_a_roof(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entities = measured(hass)
    roof = await add_roof(hass, entry, **entities)
    form = await change(hass, entry, roof.resource_id, "pv")
    assert (default(form, "name"), default(form, "most_a"), default(form, "counted")) == ("Roof", 16.0, True)
    assert offered(form, "circuit") == ["main", "garage"]
    result = await answer(hass, form, **PV | {"name": "Barn", "circuit": "garage", "counted": False})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    (changed,) = site_config(entry).resources
    assert changed == replace(roof, name="Barn", circuit_id="garage", counted=False)
    assert entry.subentries[roof.resource_id].data["meter"] == {"type": "entities", "invert": True, "only_changes": False} | entities

    form = await choose(hass, await change(hass, entry, roof.resource_id, "meter"), "entities")
    assert default(form, "current_l3") == "sensor.current_3"
    hass.config_entries.async_remove_subentry(entry, "garage")
    assert site_config(entry).resources[0].circuit_id == "main"
    form = await change(hass, entry, roof.resource_id, "pv")
    with pytest.raises(TypeError):
        default(form, "circuit")  # there is none


async def test_other_phases_need_its_meter_set_up_anew(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    entities = measured(hass)
    roof = await add_roof(hass, entry, **entities)
    menu = await answer(hass, await change(hass, entry, roof.resource_id, "pv"), **PV | {"wired_to": "L3"})
    assert menu["step_id"] == "meter" and site_config(entry).resources == (roof,)
    form = await choose(hass, menu, "entities")
    live = await answer(hass, form, current_l1="sensor.current_1", advanced={"invert": False})
    await choose(hass, live, "meter_accept")
    assert site_config(entry).resources == (replace(roof, phases=(Phase.L3,)),)


async def test_on_a_single_phase_site_there_is_one_phase_to_be_on(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "phases": 1})
    form = await choose(hass, await start(hass, entry, "resource"), "battery")
    assert form["data_schema"] is not None
    assert [str(key) for key in form["data_schema"].schema] == ["name", "circuit", "most_a", "gives_way", "counted"]
    assert (default(form, "gives_way"), default(form, "counted")) == (False, False), "safe until somebody knows better"


async def test_it_is_shown_and_reckoned_with_while_the_site_runs(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    entry = mock_config_entry
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    coordinator = entry.runtime_data
    entities = measured(hass)
    powers = {f"power_l{phase}": f"sensor.power_{phase}" for phase in (1, 2, 3)}
    menu = await describe(hass, entry, "pv", **PV)
    live = await answer(hass, await choose(hass, menu, "entities"), **entities, **powers, advanced={"invert": False})
    assert live["description_placeholders"]["currents"] == "L1 -3.0 A, L2 -4.5 A, L3 -6.0 A"
    await choose(hass, live, "meter_accept")
    (resource_id,) = (subentry.subentry_id for subentry in entry.get_subentries_of_type("resource"))
    site = await until(entry, lambda site: resource_id in site.resources and site.resources[resource_id].meter is MeterHealth.OK)
    assert site.resources[resource_id].current_a == (-3.0, -4.5, -6.0)
    await hass.async_block_till_done()
    assert hass.states.get("sensor.roof_power").state == "-2070.0"
    assert hass.states.get("sensor.roof_meter_health").state == "ok"
    assert entry.runtime_data is coordinator, "nothing was loaded anew"

    shown = site.resources[resource_id]
    issues = ir.async_get(hass)
    for changes, key in (({"meter": MeterHealth.LOST}, "resource_lost"), ({"in_the_way": True}, "resource_in_the_way")):
        show(entry, replace(site, resources={resource_id: replace(shown, **changes)}))
        assert issues.async_get_issue(DOMAIN, f"{key}_{entry.entry_id}_{resource_id}") is not None
        show(entry, site)
        assert issues.async_get_issue(DOMAIN, f"{key}_{entry.entry_id}_{resource_id}") is None

    hass.config_entries.async_remove_subentry(entry, resource_id)
    await until(entry, lambda site: not site.resources)
    await hass.async_block_till_done()
    assert hass.states.get("sensor.roof_power") is None
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    assert not [device for device in devices if device.name == "Roof"]
