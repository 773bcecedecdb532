"""Each circuit's meter is read in Home Assistant, changed while the site runs, and its silence stays its own."""

import asyncio
from collections.abc import Callable
import time
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom import meters
from custom_components.headroom.const import DOMAIN
from custom_components.headroom.meter_settings import settings_by_measured
from custom_components.headroom.metering import steady
from custom_components.headroom.metering.reading import Reading
from custom_components.headroom.site.snapshot import CircuitSnapshot, SiteSnapshot

pytestmark = pytest.mark.usefixtures("sites_are_stopped")

UNIT = {"device_class": "current", "unit_of_measurement": "A"}


@pytest.fixture
def meter_data() -> dict[str, Any]:
    return entities("main")


def entities(name: str) -> dict[str, Any]:
    return {"type": "entities", "invert": False} | {f"current_l{phase}": f"sensor.{name}_{phase}" for phase in (1, 2, 3)}


def measure(hass: HomeAssistant, name: str, value: str, *, ago_s: float = 0.0) -> None:
    for phase in (1, 2, 3):
        hass.states.async_set(f"sensor.{name}_{phase}", value, UNIT, force_update=True, timestamp=time.time() - ago_s)


async def until(entry: MockConfigEntry, condition: Callable[[SiteSnapshot], bool]) -> SiteSnapshot:
    """Wait for a turn after which something holds."""
    coordinator = entry.runtime_data
    turned = asyncio.Event()
    end = coordinator.async_add_listener(turned.set)
    try:
        async with asyncio.timeout(10):
            while not condition(coordinator.data):
                turned.clear()
                await turned.wait()
    finally:
        end()
    return coordinator.data


def garage(site: SiteSnapshot) -> CircuitSnapshot:
    return site.circuits["garage"]


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    measure(hass, "main", "10")
    measure(hass, "garage", "4")
    give_meter(hass, entry, entities("garage"), add=True)
    assert await hass.config_entries.async_setup(entry.entry_id)


def give_meter(hass: HomeAssistant, entry: MockConfigEntry, meter: dict[str, Any], *, add: bool = False) -> None:
    if add:
        entry.add_to_hass(hass)
    subentry = entry.subentries["garage"]
    hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, "unmanaged_worst_a": 6.0, "meter": meter})


async def test_a_sub_meter_that_fails_lets_its_own_circuit_fall_back(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    entry = mock_config_entry
    await set_up(hass, entry)
    before = await until(entry, lambda site: site.circuits["main"].current_a[0] == 10 and garage(site).current_a[0] == 4)
    assert garage(before).meter == "ok" and garage(before).unmanaged_a[0] < 6

    measure(hass, "garage", "4", ago_s=31)
    await until(entry, lambda site: garage(site).meter == "lost")
    hass.states.async_set("sensor.garage_2", "unavailable", UNIT)
    measure(hass, "main", "10")
    site = await until(entry, lambda site: garage(site).meter_error is not None)
    assert garage(site).unmanaged_a == (6.0, 6.0, 6.0), "its worst case"
    assert site.circuits["main"].meter == "ok" and site.circuits["main"].headroom_a == before.circuits["main"].headroom_a
    assert "sensor.garage_2" in str(garage(site).meter_error)
    issues = ir.async_get(hass)
    assert issues.async_get_issue(DOMAIN, f"meter_lost_{entry.entry_id}_garage") is not None
    assert issues.async_get_issue(DOMAIN, f"meter_lost_{entry.entry_id}_main") is None

    measure(hass, "garage", "5")
    await until(entry, lambda site: garage(site).meter == "ok" and garage(site).current_a[0] == 5)
    assert issues.async_get_issue(DOMAIN, f"meter_lost_{entry.entry_id}_garage") is None


async def test_a_meter_is_changed_while_the_others_are_read_on(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    entry = mock_config_entry
    await set_up(hass, entry)
    await until(entry, lambda site: garage(site).current_a[0] == 4)
    coordinator = entry.runtime_data
    measure(hass, "barn", "7")
    give_meter(hass, entry, entities("barn"))
    await until(entry, lambda site: garage(site).current_a[0] == 7)
    measure(hass, "main", "12")
    await until(entry, lambda site: site.circuits["main"].current_a[0] == 12)
    give_meter(hass, entry, {"type": "none"})
    site = await until(entry, lambda site: garage(site).meter == "none")
    assert garage(site).unmanaged_a == (6.0, 6.0, 6.0)
    assert entry.runtime_data is coordinator, "nothing was loaded anew"


async def test_what_flows_to_a_circuit_is_not_called_the_grids(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    entry = mock_config_entry
    measure(hass, "main", "10")
    hass.states.async_set("sensor.cellar", "2.3", {"device_class": "power", "unit_of_measurement": "kW"})
    give_meter(hass, entry, {"type": "entities", "invert": False, "power_total": "sensor.cellar"}, add=True)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await until(entry, lambda site: garage(site).power_w == 2300)
    await hass.async_block_till_done()
    shown = {state.entity_id: state.state for state in hass.states.async_all("sensor") if state.entity_id.endswith("power")}
    assert shown.get("sensor.garage_power") == "2300.0" and "sensor.garage_grid_power" not in shown


async def test_import_that_turns_into_export_for_a_moment_frees_nothing(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    entry = mock_config_entry
    await set_up(hass, entry)
    await until(entry, lambda site: site.circuits["main"].current_a[0] == 10)
    seen: set[float] = set()
    entry.runtime_data.async_add_listener(lambda: seen.add(entry.runtime_data.data.circuits["main"].current_a[0]))
    measure(hass, "main", "20")
    await until(entry, lambda site: site.circuits["main"].current_a[0] == 20)
    measure(hass, "main", "-30")
    measure(hass, "garage", "5")
    await until(entry, lambda site: garage(site).current_a[0] == 5)
    measure(hass, "main", "21")
    await until(entry, lambda site: site.circuits["main"].current_a[0] == 21)
    assert -30.0 not in seen


async def test_a_circuit_that_is_removed_takes_its_meter_along(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    entry = mock_config_entry
    await set_up(hass, entry)
    await until(entry, lambda site: garage(site).current_a[0] == 4)
    hass.config_entries.async_remove_subentry(entry, "garage")
    await until(entry, lambda site: "garage" not in site.circuits)
    measure(hass, "garage", "9")
    measure(hass, "main", "11")
    await until(entry, lambda site: site.circuits["main"].current_a[0] == 11)


async def test_what_makes_no_meter_is_said(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    entry = mock_config_entry
    await set_up(hass, entry)
    give_meter(hass, entry, {"type": "entities", "invert": False, "current_l1": "sensor.garage_1"})
    site = await until(entry, lambda site: garage(site).meter_error is not None)
    assert "3 phase(s), and 1 currents" in str(garage(site).meter_error)
    assert sum("can't be read as it is configured" in line for line in caplog.messages) == 1


@pytest.mark.parametrize("meter_data", [{"type": "entities", "invert": False, "power_total": "sensor.main"}])
async def test_what_a_second_reading_says_again_is_believed(
    hass: HomeAssistant, init_integration: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two say it: no third is waited for, which of an overload beyond all measure would be a turn too late."""
    monkeypatch.setattr(steady, "ANOTHER_AFTER_S", 0.0)

    def told(power_w: float) -> None:
        hass.states.async_set("sensor.main", str(power_w), {"device_class": "power", "unit_of_measurement": "W"})

    told(3000)
    await until(init_integration, lambda site: site.circuits["main"].power_w == 3000)
    told(40_000)
    told(40_001)
    await until(init_integration, lambda site: site.circuits["main"].power_w == 40_001)


async def test_a_mistake_of_ours_over_one_reading_ends_no_meter(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, heard, broken, news = mock_config_entry, [], True, asyncio.Event()
    monkeypatch.setattr(meters, "ANEW_S", 0.0)

    def on_reading(measured: str, reading: Reading) -> None:
        heard.append(reading.current_a[0])
        news.set()
        if broken:
            raise ZeroDivisionError

    async def told(value: str) -> None:
        news.clear()
        measure(hass, "main", value)
        async with asyncio.timeout(10):
            while not heard or heard[-1] != float(value):
                await news.wait()
                news.clear()

    measure(hass, "main", "10")
    entry.add_to_hass(hass)
    found = meters.Meters(hass, entry, on_reading=on_reading, on_health=lambda measured, error: None, on_change=lambda measured: None)
    found.async_apply({"main": settings_by_measured(entry)["main"]})
    try:
        for value in ("11", "12"):
            await told(value)
        broken = False
        for value in ("13", "14"):
            await told(value)
    finally:
        await found.async_stop()
    assert sum("Reading the meter of main failed" in line for line in caplog.messages) == 1
    assert sum("The meter of main is read again" in line for line in caplog.messages) == 1
