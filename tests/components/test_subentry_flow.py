"""Charging stations are added and changed by hand."""

from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from homeassistant.helpers.device_registry import EVENT_DEVICE_REGISTRY_UPDATED
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.configuration import site_config
from custom_components.headroom.engine.model import Phase

from .subentry_flows import answer, change, default, start

STATION = {"identity": "CP9", "name": "Gate", "circuit": "garage", "evse_count": 2}


async def test_add_a_station_before_it_connects(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await answer(hass, await start(hass, entry, "station"), **STATION)
    assert form["description_placeholders"] == {"station": "Gate", "evse_id": "1", "number": "1", "count": "2"}
    assert default(form, "rotation") == "unknown"  # safe until someone knows better
    form = await answer(hass, form, phases="3", rotation="L3L1L2", max_a=16)
    assert form["description_placeholders"]["evse_id"] == "2"
    form = await answer(hass, form, phases="1", rotation="L2", max_a=32)
    assert (form["step_id"], default(form, "authentication")) == ("authentication", "password")
    result = await answer(hass, form, authentication="none")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    station = next(subentry for subentry in entry.get_subentries_of_type("station") if subentry.unique_id == "CP9")
    assert station.title == "Gate"
    assert station.data == {
        "identity": "CP9",
        "circuit": "garage",
        "evses": [
            {"evse_id": 1, "phases": 3, "rotation": "L3L1L2", "max_a": 16},
            {"evse_id": 2, "phases": 1, "rotation": "L2", "max_a": 32},
        ],
    }
    assert len(site_config(entry).stations["CP9"].evses) == 2


async def test_phases_are_switched_only_where_somebody_says_so_of_three(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await answer(hass, await start(hass, entry, "station"), **STATION)
    assert default(form, "switches_phases") is False
    form = await answer(hass, form, phases="3", rotation="L1L2L3", max_a=16, switches_phases=True)
    form = await answer(hass, form, phases="1", rotation="L2", max_a=32, switches_phases=True)
    await answer(hass, form, authentication="none")
    assert [evse.switches_phases for evse in site_config(entry).stations["CP9"].evses] == [True, False]


async def test_a_station_is_called_by_its_identity_unless_named(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await answer(hass, await start(hass, entry, "station"), identity=" CP9 ", circuit="main", evse_count=1)
    form = await answer(hass, form, phases="1", rotation="unknown", max_a=6)
    result = await answer(hass, form, authentication="none")
    assert (result["title"], result["unique_id"]) == ("CP9", "CP9")


@pytest.mark.parametrize(
    ("identity", "error"),
    [
        ("CP1", "identity_taken"),
        ("", "invalid_identity"),
        ("my station", "invalid_identity"),
        ("C" * 49, "invalid_identity"),
        ("a/b", "invalid_identity"),
    ],
)
async def test_an_identity_that_can_not_be_is_explained(hass: HomeAssistant, entry: MockConfigEntry, identity: str, error: str) -> None:
    form = await answer(hass, await start(hass, entry, "station"), **STATION | {"identity": identity})
    assert (form["step_id"], form["errors"]) == ("user", {"identity": error})
    assert (await answer(hass, form, **STATION))["step_id"] == "evse"


@pytest.mark.parametrize(("phases", "rotation"), [("3", "L1"), ("1", "L1L2L3")])
async def test_a_rotation_that_does_not_go_with_the_phases(hass: HomeAssistant, entry: MockConfigEntry, phases: str, rotation: str) -> None:
    form = await answer(hass, await start(hass, entry, "station"), **STATION)
    form = await answer(hass, form, phases=phases, rotation=rotation, max_a=10)
    assert form["errors"] == {"rotation": "rotation_mismatch"}
    assert (default(form, "max_a"), form["description_placeholders"]["evse_id"]) == (10, "1")


@pytest.mark.parametrize("max_a", [5, 81])
async def test_an_evse_has_6_to_80_amps(hass: HomeAssistant, entry: MockConfigEntry, max_a: float) -> None:
    form = await answer(hass, await start(hass, entry, "station"), **STATION)
    with pytest.raises(InvalidData):
        await answer(hass, form, phases="3", rotation="unknown", max_a=max_a)


async def test_change_a_station(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await change(hass, entry, "station_two", "station")
    assert (default(form, "name"), default(form, "circuit"), default(form, "evse_count")) == ("Right", "main", 2)
    form = await answer(hass, form, name="Far right", circuit="garage", evse_count=3)
    assert (default(form, "phases"), default(form, "rotation"), default(form, "max_a")) == ("3", "unknown", 16.0)
    form = await answer(hass, form, phases="3", rotation="L1L2L3", max_a=20)
    assert (default(form, "phases"), default(form, "rotation"), default(form, "max_a")) == ("1", "L3", 32.0)
    form = await answer(hass, form, phases="1", rotation="L3", max_a=32)
    assert form["description_placeholders"]["evse_id"] == "3"  # the new one
    result = await answer(hass, form, phases="1", rotation="L2", max_a=16)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    station = site_config(entry).stations["CP2"]
    assert (station.name, station.circuit_id, len(station.evses)) == ("Far right", "garage", 3)


async def test_on_a_single_phase_site_only_the_current_is_asked(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    mock_config_entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(mock_config_entry, data={**mock_config_entry.data, "phases": 1})
    form = await answer(hass, await start(hass, mock_config_entry, "station"), **STATION | {"evse_count": 1})
    assert form["data_schema"] is not None
    assert [str(key) for key in form["data_schema"].schema] == ["max_a"]
    result = await answer(hass, await answer(hass, form, max_a=25), authentication="none")
    evse = {"evse_id": 1, "phases": 1, "rotation": "unknown", "max_a": 25}
    assert result["data"]["evses"] == [evse], "nobody said, should the site have three one day"
    (told,) = site_config(mock_config_entry).stations["CP9"].evses
    assert (told.grid_phases, told.rotation_known) == ((Phase.L1,), True), "there is one only"


async def test_a_station_that_is_added_while_the_site_begins(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Nobody listens to changes yet; it is let in all the same."""
    data = {"identity": "CP9", "circuit": "main", "evses": [{"evse_id": 1, "phases": 3, "rotation": "unknown", "max_a": 16.0}]}

    @callback
    def add(event: Event[Any]) -> None:
        station = ConfigSubentry(data=MappingProxyType(data), subentry_type="station", title="Nine", unique_id="CP9")
        hass.config_entries.async_add_subentry(entry, station)

    hass.bus.async_listen_once(EVENT_DEVICE_REGISTRY_UPDATED, add)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    assert hass.states.get("binary_sensor.nine_online") is not None
    await hass.config_entries.async_unload(entry.entry_id)
