"""The quarter-hour's peak as people set it and see it."""

from typing import Any

from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.configuration import site_config
from custom_components.headroom.engine.peak_demand import PeakLimits
from custom_components.headroom.metering.reading import Reading

from .flows import answer, change, shown
from .raw_station import until


@pytest.fixture
def meter_data() -> dict[str, Any]:
    """A meter that never says anything."""
    return {"type": "entities", "invert": False} | {f"current_l{phase}": f"sensor.current_{phase}" for phase in (1, 2, 3)}


FORM: dict[str, Any] = {"goal_kw": 6.0, "follows_month": True, "advanced": {"contract_kw": 17.3}}


async def test_the_form_keeps_what_was_said_and_empty_is_nothing(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    assert site_config(entry).peak == PeakLimits()
    result = await answer(hass, await change(hass, entry, "peak"), **FORM)
    assert result["reason"] == "reconfigure_successful"
    assert site_config(entry).peak == PeakLimits(goal_w=6000.0, follows_month=True, contract_w=17_300.0)
    form = await change(hass, entry, "peak")
    assert (shown(form, "goal_kw"), shown(form, "follows_month"), shown(form, "contract_kw")) == (6.0, True, 17.3)
    await answer(hass, form, follows_month=False, advanced={})
    assert site_config(entry).peak == PeakLimits()


async def test_a_site_without_a_meter_has_no_quarter_hours(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "meter": {"type": "none"}})
    form = await answer(hass, await change(hass, entry, "peak"), **FORM)
    assert form["errors"] == {"base": "peak_needs_meter"} and shown(form, "goal_kw") == 6.0
    assert site_config(entry).peak == PeakLimits()
    await answer(hass, form, follows_month=False, advanced={})


async def test_its_entities_come_with_a_goal_and_change_it(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    assert hass.states.get("number.home_peak_goal") is None and hass.states.get("sensor.home_month_s_peak") is None
    await answer(hass, await change(hass, init_integration, "peak"), goal_kw=6.0, follows_month=False, advanced={})
    await until(hass, "number.home_peak_goal", "6.0")
    await until(hass, "switch.home_follow_month_s_peak", "off")
    await hass.services.async_call("number", "set_value", {ATTR_ENTITY_ID: "number.home_peak_goal", "value": 4.5}, blocking=True)
    await until(hass, "number.home_peak_goal", "4.5")
    await hass.services.async_call("switch", "turn_on", {ATTR_ENTITY_ID: "switch.home_follow_month_s_peak"}, blocking=True)
    await until(hass, "switch.home_follow_month_s_peak", "on")
    assert shown(await change(hass, init_integration, "peak"), "goal_kw") == 4.5, "the form and the entity are of one mind"
    assert init_integration.runtime_data.site.config.peak == PeakLimits(goal_w=4500.0, follows_month=True)
    await hass.services.async_call("switch", "turn_off", {ATTR_ENTITY_ID: "switch.home_follow_month_s_peak"}, blocking=True)
    await until(hass, "switch.home_follow_month_s_peak", "off")
    assert float(hass.states.get("sensor.home_quarter_hour_demand").state) >= 0
    assert float(hass.states.get("sensor.home_quarter_hour_power_left").state) >= 0
    await answer(hass, await change(hass, init_integration, "peak"), follows_month=False, advanced={})
    await until(hass, "number.home_peak_goal", "unknown")


@pytest.mark.parametrize(
    ("state", "unit", "month_w"), [("5.2", "kW", 5200), ("5200", "W", 5200), ("unavailable", "kW", 0), ("5.2", "A", 0)]
)
async def test_what_the_meter_itself_tells_is_taken(
    hass: HomeAssistant, init_integration: MockConfigEntry, state: str, unit: str, month_w: float
) -> None:
    hass.states.async_set("sensor.p1_month", state, {"device_class": "power", "unit_of_measurement": unit})
    told = {"window_average": "sensor.p1_average", "month_peak": "sensor.p1_month"}
    await answer(hass, await change(hass, init_integration, "peak"), goal_kw=4.0, follows_month=True, advanced=told)
    site, now = init_integration.runtime_data.site, dt_util.utcnow().timestamp()
    assert site.peak.month_peak_w(now, site.config.zone) == pytest.approx(month_w)
    hass.states.async_set("sensor.p1_month", "6.1", {"device_class": "power", "unit_of_measurement": "kW"})
    await hass.async_block_till_done()
    assert site.peak.month_peak_w(now, site.config.zone) == pytest.approx(6100)
    await answer(hass, await change(hass, init_integration, "peak"), goal_kw=4.0, follows_month=True, advanced={})
    hass.states.async_set("sensor.p1_month", "7.1", {"device_class": "power", "unit_of_measurement": "kW"})
    await hass.async_block_till_done()
    assert site.peak.month_peak_w(now, site.config.zone) == pytest.approx(6100), "nobody follows it any more"


async def test_the_running_quarter_hour_of_the_meter_goes_before_what_is_assumed(
    hass: HomeAssistant, init_integration: MockConfigEntry, freezer: Any
) -> None:
    freezer.move_to("2026-11-23 18:40:00+00:00")
    told = {"window_average": "sensor.p1_average"}
    await answer(hass, await change(hass, init_integration, "peak"), goal_kw=4.0, follows_month=False, advanced=told)
    site = init_integration.runtime_data.site
    now = dt_util.utcnow().timestamp()
    reading = Reading(current_a=(1.0, 1.0, 1.0), taken_at=hass.loop.time(), source="test", power_w=690.0)
    site.update_reading("main", reading)
    assert site.peak.running(now, site.config).assumed_wh > 0, "nobody saw its first ten minutes"
    hass.states.async_set("sensor.p1_average", "1.6", {"device_class": "power", "unit_of_measurement": "kW"})
    await hass.async_block_till_done()
    running = site.peak.running(now, site.config)
    assert (running.known_wh, running.assumed_wh) == (pytest.approx(400, abs=1), 0)
