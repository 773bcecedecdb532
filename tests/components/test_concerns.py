"""What a station says is wrong with it: as events and, while it is so, as repairs. By a real station."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.csms import memory

from .raw_station import Payload, RawStation, now, raw_station, told_by

MONITOR = "event.left_monitor"
VENDOR = "event.left_vendor_message"
SESSION = "event.left_evse_1_session"
MONITORED = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Temperature"}}
SEVERITIES = {5: 2, 6: 4}
"""Of the station's own monitors, by their ids."""


@pytest.fixture
async def left(init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, with two monitors that it tells of when it is asked."""
    async with raw_station(init_integration, "CP1") as station:

        async def report(asked: Payload) -> None:
            monitors = [
                {"id": key, "transaction": False, "value": 60, "type": "UpperThreshold", "severity": severity}
                for key, severity in SEVERITIES.items()
            ]
            item = MONITORED | {"variableMonitoring": monitors}
            page = {"requestId": asked["requestId"], "generatedAt": now(), "seqNo": 0, "monitor": [item]}
            await station.call("NotifyMonitoringReport", page)

        station.answers["GetMonitoringReport"] = {"status": "Accepted"}
        station.after("GetMonitoringReport", report)
        await station.boot()
        await station.hears("SetChargingProfile")
        yield station


async def goes_off(station: RawStation, monitor_id: int, *, cleared: bool = False) -> None:
    """Have a monitor go off, or be quiet again."""
    event = MONITORED | {
        "eventId": monitor_id,
        "timestamp": now(),
        "trigger": "Alerting",
        "actualValue": "71",
        "techInfo": "fan stuck",
        "cleared": cleared,
        "eventNotificationType": "HardWiredMonitor",
        "variableMonitoringId": monitor_id,
    }
    await station.call("NotifyEvent", {"generatedAt": now(), "seqNo": 0, "eventData": [event]})


def repairs(hass: HomeAssistant) -> list[str]:
    """What the repairs are about."""
    return sorted(issue.translation_key or "" for issue in ir.async_get(hass).issues.values())


async def test_a_severe_monitor_is_a_repair_until_it_is_cleared(hass: HomeAssistant, left: RawStation) -> None:
    """Its severity is the station's to tell; the event says it, the repair names it."""
    told = told_by(hass, MONITOR)
    await goes_off(left, 5)
    event = await asyncio.wait_for(told.get(), 10)
    assert event["event_type"] == "system_failure"
    assert (event["variable"], event["value"], event["tech_info"]) == ("EVSE@1.Temperature", "71", "fan stuck")
    [issue] = ir.async_get(hass).issues.values()
    assert issue.translation_key == "station_monitor"
    assert issue.translation_placeholders["variable"] == "EVSE@1.Temperature"
    assert issue.translation_placeholders["text"] == "fan stuck"
    await goes_off(left, 5, cleared=True)
    assert (await asyncio.wait_for(told.get(), 10))["event_type"] == "cleared"
    assert repairs(hass) == []


async def test_a_mild_monitor_is_only_an_event(hass: HomeAssistant, left: RawStation) -> None:
    """Severity 4 is no repair."""
    told = told_by(hass, MONITOR)
    await goes_off(left, 6)
    assert (await asyncio.wait_for(told.get(), 10))["event_type"] == "error"
    assert repairs(hass) == []


async def test_a_reboot_quiets_monitors(hass: HomeAssistant, left: RawStation) -> None:
    """Whatever still is, the station tells anew."""
    told = told_by(hass, MONITOR)
    await goes_off(left, 5)
    await asyncio.wait_for(told.get(), 10)
    assert repairs(hass) == ["station_monitor"]
    await left.boot()
    assert repairs(hass) == []


async def test_a_monitor_that_nobody_can_rate(hass: HomeAssistant, left: RawStation) -> None:
    """It is told as what it is, and no repair is made of a guess."""
    told = told_by(hass, MONITOR)
    await goes_off(left, 77)
    assert (await asyncio.wait_for(told.get(), 10))["event_type"] == "unrated"
    assert repairs(hass) == []


async def test_a_removed_station_leaves_no_repair(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """What was wrong with it is nobody's concern any more."""
    told = told_by(hass, MONITOR)
    await goes_off(left, 5)
    await asyncio.wait_for(told.get(), 10)
    hass.config_entries.async_remove_subentry(init_integration, "station_one")
    await hass.async_block_till_done()
    assert repairs(hass) == []


MESSAGE = {"vendorId": "org.example", "messageId": "lamp", "data": {"on": True}}


async def test_vendor_messages_are_taken_by_nobody(left: RawStation, entity_registry: er.EntityRegistry) -> None:
    """The event is disabled by default, and the station is told so."""
    assert entity_registry.async_get(VENDOR).disabled
    assert await left.call("DataTransfer", MESSAGE) == {"status": "UnknownVendorId"}


async def test_vendor_messages_are_taken_by_the_event(
    hass: HomeAssistant, entity_registry_enabled_by_default: None, init_integration: MockConfigEntry
) -> None:
    """Enabled, it takes them all, and tells them."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.hears("SetChargingProfile")
        told = told_by(hass, VENDOR)
        assert await station.call("DataTransfer", MESSAGE) == {"status": "Accepted"}
        event = await asyncio.wait_for(told.get(), 10)
    assert (event["event_type"], event["vendor_id"], event["message_id"], event["data"]) == (
        "received",
        "org.example",
        "lamp",
        {"on": True},
    )


async def test_a_wrong_clock_is_a_repair_until_it_is_right(hass: HomeAssistant, left: RawStation, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the times that the station itself tells."""

    async def answers(behind: timedelta = timedelta()) -> None:
        page = {"data": "x", "seqNo": 0, "generatedAt": (datetime.now(UTC) - behind).isoformat(), "requestId": 1}
        assert await left.call("NotifyCustomerInformation", page) == {}

    await answers()
    assert repairs(hass) == []
    monkeypatch.setattr(memory, "CLOCK_PATIENCE_S", 0.0)
    await answers(timedelta(minutes=5))
    [issue] = ir.async_get(hass).issues.values()
    assert issue.translation_key == "station_clock"
    assert issue.translation_placeholders["offset_s"] == "-300"
    await answers()
    assert repairs(hass) == []
