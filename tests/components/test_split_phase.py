"""A house in North America is set up: two legs, a meter of two currents, a station between the legs and one on a leg."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.configuration import site_config, voltage_to_neutral
from custom_components.headroom.engine.model import Phase
from custom_components.headroom.meter_settings import MeterPlace

from .flows import SITE, answer, change, choose, listen, start

pytestmark = pytest.mark.usefixtures("sites_are_stopped")
L1, L2 = Phase.L1, Phase.L2


@pytest.mark.parametrize(("typed_v", "expected_v"), [(230, 120), (240, 120), (120, 120), (208, 104), (127, 127)])
def test_the_voltage_of_a_leg(typed_v: float, expected_v: float) -> None:
    assert voltage_to_neutral(2, typed_v) == expected_v
    assert voltage_to_neutral(3, typed_v) == voltage_to_neutral(1, typed_v) == typed_v


async def split_phase(hass: HomeAssistant, port: int) -> ConfigEntry:
    """Set the house up as a person does."""
    house = {"name": "House", "phases": "2", "fuse_a": 100.0, "margin_a": 5.0, "worst_case_a": 60.0, "advanced": {}}
    form = await choose(hass, await answer(hass, await start(hass), **house), "no_meter")
    result = await answer(hass, form, **listen(port, free_charging=True))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry: ConfigEntry = result["result"]
    return entry


async def test_a_house_with_two_legs(hass: HomeAssistant, unused_tcp_port: int) -> None:
    entry = await split_phase(hass, unused_tcp_port)
    assert (entry.data["phases"], entry.data["voltage_v"]) == (2, 120)
    config = site_config(entry)
    assert config.voltage_v == 120
    assert (config.root.phases, config.root.limit_a(), config.root.unmanaged_worst_a) == ((L1, L2), (95.0, 95.0, 0.0), (60.0, 60.0, 0.0))
    place = MeterPlace.of(entry.data, 100.0)
    assert (place.phases, place.voltage_v) == (2, 120)


async def test_stations_between_the_legs_and_on_one_of_them(hass: HomeAssistant, unused_tcp_port: int) -> None:
    entry = await split_phase(hass, unused_tcp_port)
    manager = hass.config_entries.subentries
    form = await manager.async_init((entry.entry_id, "station"), context={"source": "user"})
    form = await manager.async_configure(form["flow_id"], {"identity": "CP1", "circuit": "main", "evse_count": 4})
    assert form["data_schema"] is not None
    assert [str(key) for key in form["data_schema"].schema] == ["rotation", "max_a"]
    offered = form["data_schema"].schema["rotation"].config["options"]
    assert [each["value"] for each in offered] == ["L1L2", "L1", "L2", "unknown"]
    for rotation, max_a in (("L1L2", 48), ("L1L2", 40), ("L2", 16), ("unknown", 16)):
        form = await manager.async_configure(form["flow_id"], {"rotation": rotation, "max_a": max_a})
    assert (await manager.async_configure(form["flow_id"], {"authentication": "none"}))["type"] is FlowResultType.CREATE_ENTRY
    both, also_both, second, unknown = site_config(entry).stations["CP1"].evses
    assert (both.grid_phases, both.between_legs, both.max_a, also_both.max_a) == ((L1, L2), True, 48, 40)
    assert (second.grid_phases, second.rotation_known, second.between_legs) == ((L2,), True, False)
    assert (unknown.rotation_known, unknown.conductors) == (False, (L1, L2))


async def test_a_site_that_becomes_one_of_two_legs_keeps_its_stations(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await answer(hass, await change(hass, entry, "site"), **SITE | {"phases": "2", "advanced": {"voltage_v": 230}})
    config = site_config(entry)
    assert (config.root.phases, config.voltage_v) == ((L1, L2), 120)
    (three,) = config.stations["CP1"].evses
    assert (three.grid_phases, three.between_legs) == ((L1, L2), True)
    _, on_l3 = config.stations["CP2"].evses
    assert (on_l3.rotation_known, on_l3.conductors) == (False, (L1, L2)), "it can't be on L3 any more"


async def test_a_roof_hangs_on_one_leg_or_on_both(hass: HomeAssistant, unused_tcp_port: int) -> None:
    entry = await split_phase(hass, unused_tcp_port)
    manager = hass.config_entries.subentries
    menu = await manager.async_init((entry.entry_id, "resource"), context={"source": "user"})
    form = await manager.async_configure(menu["flow_id"], {"next_step_id": "pv"})
    assert form["data_schema"] is not None
    offered = form["data_schema"].schema["wired_to"].config["options"]
    assert {each["value"]: each["label"] for each in offered} == {"L1L2L3": "L1, L2", "L1": "L1", "L2": "L2"}
