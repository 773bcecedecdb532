"""Devices and entities come, change and go with the site, without a reload."""

import asyncio
from dataclasses import replace
from types import MappingProxyType

from homeassistant.config_entries import ConfigSubentry
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN

from .raw_station import raw_station, until


def _subentry(identity: str, evses: int = 1) -> ConfigSubentry:
    data = {
        "identity": identity,
        "circuit": "main",
        "evses": [{"evse_id": number, "phases": 1, "rotation": "L1", "max_a": 16.0} for number in range(1, evses + 1)],
    }
    return ConfigSubentry(data=MappingProxyType(data), subentry_type="station", title="Street", unique_id=identity)


async def test_the_tree_of_devices(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Site ← circuit, site ← station ← EVSE, each in its subentry."""
    registry, entry_id = dr.async_get(hass), init_integration.entry_id
    site = registry.async_get_device_by_identifier((DOMAIN, entry_id), entry_id)
    garage = registry.async_get_device_by_identifier((DOMAIN, f"{entry_id}_garage"), entry_id)
    right = registry.async_get_device_by_identifier((DOMAIN, f"{entry_id}_CP2"), entry_id)
    second = registry.async_get_child_device_by_identifier((DOMAIN, f"{entry_id}_CP2_2"), entry_id)
    assert site is not None and garage is not None and right is not None and second is not None
    assert site.entry_type is dr.DeviceEntryType.SERVICE
    assert (garage.via_device_id, garage.config_subentry_id) == (site.id, "garage")
    assert (right.via_device_id, right.config_subentry_id, right.name) == (site.id, "station_two", "Right")
    assert (second.parent_device_id, second.config_subentry_id, second.name) == (right.id, "station_two", "EVSE 2")


async def test_a_station_says_what_it_is(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Its device shows what it said at its last boot, and keeps it while the station is away."""
    registry, entry_id = dr.async_get(hass), init_integration.entry_id

    def left() -> dr.DeviceEntry:
        device = registry.async_get_device_by_identifier((DOMAIN, f"{entry_id}_CP1"), entry_id)
        assert device is not None
        return device

    assert left().manufacturer is None
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await until(hass, "binary_sensor.left_online", "on")
        await station.hears("SetChargingProfile")
        assert (left().manufacturer, left().model, left().sw_version, left().serial_number) == (
            "Acme",
            "Wallbox 2",
            "1.2.3",
            "SN-4711",
        )
    await until(hass, "binary_sensor.left_online", "off")
    async with raw_station(init_integration, "CP1") as station:
        await station.boot(firmwareVersion="1.3.0")
        await until(hass, "binary_sensor.left_online", "on")
        await station.hears("SetChargingProfile")
        assert left().sw_version == "1.3.0"


async def test_a_station_is_added_and_removed_live(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Another station's connection does not notice."""
    async with raw_station(init_integration, "CP1") as left:
        await left.boot()
        await until(hass, "binary_sensor.left_online", "on")
        assert hass.states.get("binary_sensor.street_online") is None
        subentry = _subentry("CP3")
        hass.config_entries.async_add_subentry(init_integration, subentry)
        await until(hass, "binary_sensor.street_online", "off")
        assert hass.states.get("switch.street_evse_1_allow_charging").state == "on"
        assert hass.states.get("sensor.street_evse_1_status").state == STATE_UNAVAILABLE
        async with raw_station(init_integration, "CP3") as street:
            await street.boot()
            await until(hass, "binary_sensor.street_online", "on")
        assert hass.config_entries.async_remove_subentry(init_integration, subentry.subentry_id)
        await hass.async_block_till_done()
        assert hass.states.get("binary_sensor.street_online") is None
        entry_id = init_integration.entry_id
        assert dr.async_get(hass).async_get_device_by_identifier((DOMAIN, f"{entry_id}_CP3"), entry_id) is None
        assert (await left.call("Heartbeat", {}))["currentTime"]
        assert hass.states.get("binary_sensor.left_online").state == "on"
        # The same identity may come back, in a subentry of its own.
        hass.config_entries.async_add_subentry(init_integration, _subentry("CP3"))
        await until(hass, "binary_sensor.street_online", "off")


async def test_stations_whose_names_look_like_anothers_evse(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """A station "CP1_1" is not EVSE 1 of the station "CP1": each has its device and all its entities."""
    entry_id, registry = init_integration.entry_id, er.async_get(hass)
    before = {entity.entity_id: entity.device_id for entity in er.async_entries_for_config_entry(registry, entry_id)}
    subentry = _subentry("CP1_1")
    hass.config_entries.async_add_subentry(init_integration, subentry)
    await until(hass, "binary_sensor.street_online", "off")
    await hass.async_block_till_done()
    entities = er.async_entries_for_config_entry(registry, entry_id)
    assert {entity.entity_id: entity.device_id for entity in entities if entity.entity_id in before} == before
    street = [entity for entity in entities if entity.config_subentry_id == subentry.subentry_id]
    assert {entity.device_id for entity in street}.isdisjoint(before.values())
    left = [entity for entity in entities if entity.config_subentry_id == "station_one"]
    assert len(street) == len(left) - 4  # of its one conductor there are not three currents and voltages


async def test_evses_are_added_and_removed_live(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """An EVSE that is taken out of a station's configuration takes its device and entities along."""
    subentry = _subentry("CP3")
    hass.config_entries.async_add_subentry(init_integration, subentry)
    await until(hass, "switch.street_evse_1_allow_charging", "on")
    for evses in (2, 1, 2):
        hass.config_entries.async_update_subentry(init_integration, subentry, data=_subentry("CP3", evses).data)
        await hass.async_block_till_done()
        assert hass.states.get("switch.street_evse_1_allow_charging").state == "on"
        assert (hass.states.get("switch.street_evse_2_allow_charging") is not None) is (evses == 2)
        entry_id = init_integration.entry_id
        child = dr.async_get(hass).async_get_child_device_by_identifier((DOMAIN, f"{entry_id}_CP3_2"), entry_id)
        assert (child is not None) is (evses == 2)


async def test_a_single_phase_evse_has_one_current(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """There are entities only for the conductors an EVSE has, and more once it is configured with more."""
    registry, entry_id = er.async_get(hass), init_integration.entry_id

    def current(phase: int) -> str | None:
        return registry.async_get_entity_id("sensor", DOMAIN, f"{entry_id}_CP2_2_current_l{phase}")

    assert current(1)
    assert current(2) is None
    subentry = init_integration.subentries["station_two"]
    first, second = subentry.data["evses"]
    data = {**subentry.data, "evses": [first, {**second, "phases": 3, "rotation": "L1L2L3"}]}
    hass.config_entries.async_update_subentry(init_integration, subentry, data=data)
    await hass.async_block_till_done()
    assert current(2)
    assert current(3)


@pytest.mark.parametrize("reloaded", [False, True])
async def test_an_evse_with_fewer_conductors_leaves_nothing_behind(
    hass: HomeAssistant, init_integration: MockConfigEntry, reloaded: bool
) -> None:
    """The entities of a conductor that it has not go, also where it changed while the site was not running, and come back with it."""
    registry, entry_id = er.async_get(hass), init_integration.entry_id
    subentry = init_integration.subentries["station_one"]

    async def change(phases: int, rotation: str) -> dict[str, bool]:
        if reloaded:
            assert await hass.config_entries.async_unload(entry_id)
        evse = {**subentry.data["evses"][0], "phases": phases, "rotation": rotation}
        hass.config_entries.async_update_subentry(init_integration, subentry, data={**subentry.data, "evses": [evse]})
        if reloaded:
            assert await hass.config_entries.async_setup(entry_id)
        await hass.async_block_till_done()
        return {
            f"{name}_{phase}": registry.async_get_entity_id("sensor", DOMAIN, f"{entry_id}_CP1_1_{name}_{phase}") is not None
            for name in ("current", "voltage")
            for phase in ("l1", "l2", "l3")
        }

    one = await change(1, "L2")
    assert one == {name: name.endswith("l1") for name in one}
    assert hass.states.get("switch.left_evse_1_allow_charging").state == "on"
    assert all((await change(3, "L2L3L1")).values())


async def test_a_renamed_station(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """A new title is the device's new name."""
    subentry = init_integration.subentries["station_one"]
    hass.config_entries.async_update_subentry(init_integration, subentry, title="Carport")
    await hass.async_block_till_done()
    entry_id = init_integration.entry_id
    device = dr.async_get(hass).async_get_device_by_identifier((DOMAIN, f"{entry_id}_CP1"), entry_id)
    assert device is not None
    assert device.name == "Carport"


async def test_a_renamed_site(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Its device takes the new name at once, as those of its parts do."""
    registry, entry_id = dr.async_get(hass), init_integration.entry_id
    hass.config_entries.async_update_entry(init_integration, title="Villa")
    await hass.async_block_till_done()
    site = registry.async_get_device_by_identifier((DOMAIN, entry_id), entry_id)
    assert site is not None and site.name == "Villa"


async def test_a_fast_meter_writes_its_states_once_a_second(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Four readings a second move the loop four times; what is shown, and recorded, follows by the second, and ends at the newest."""
    coordinator = init_integration.runtime_data
    shown: list[float] = []
    seen = asyncio.Event()

    def look() -> None:
        if (current_a := coordinator.data.circuits["main"].current_a[0]) > 0:  # the site's own turns know no meter
            shown.append(current_a)
            seen.set()

    coordinator.async_add_listener(look)

    def turn(current_a: float, trigger: str = "reading") -> None:
        snapshot = coordinator.site.snapshot
        main = replace(snapshot.circuits["main"], current_a=(current_a, 0.0, 0.0))
        coordinator.site._drawn = replace(snapshot, circuits={**snapshot.circuits, "main": main}, trigger=trigger)
        coordinator._on_turn(trigger)

    turn(1.0, "user")
    assert shown == [1.0], "what a person did is shown at once"
    seen.clear()
    for current_a in (2.0, 3.0, 4.0):
        turn(current_a)
    assert shown == [1.0]
    async with asyncio.timeout(5):
        await seen.wait()
    assert shown == [1.0, 4.0]
    turn(5.0)
    turn(6.0, "user")
    assert shown == [1.0, 4.0, 6.0]
