"""A session, told as events."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from homeassistant.const import STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.csms import server
from custom_components.headroom.csms.v201.timing import Timing

from .conftest import LEFT, busy, show
from .raw_station import now, raw_station, told_by, until

ENTITY = "event.left_evse_1_session"


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All events of a busy evening."""
    await compare_platform(Platform.EVENT)


async def test_a_session_that_runs_already_is_no_news(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    """It began before anyone watched; that it ends is told, with its energy."""
    entry = await set_up(Platform.EVENT)
    assert hass.states.get(ENTITY).state == STATE_UNKNOWN
    site = busy(entry.runtime_data.data)
    ended = replace(site.evses[LEFT], transaction_id=None, session_start=None, session_energy_wh=None, energy_wh=988_333.0)
    show(entry, replace(site, evses={**site.evses, LEFT: ended}))
    attributes = hass.states.get(ENTITY).attributes
    assert attributes["event_type"] == "ended"
    assert attributes["energy_kwh"] == 5.0
    assert attributes["started_at"] == "2026-11-23T18:30:00+00:00"


async def test_the_next_car_is_not_given_the_last_ones_energy(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    """One session goes over into the next between two turns: the end is told with what was last known of the first."""
    entry = await set_up(Platform.EVENT)
    site = busy(entry.runtime_data.data)
    following = replace(site.evses[LEFT], transaction_id="tx-2", session_energy_wh=1.0)
    show(entry, replace(site, evses={**site.evses, LEFT: following}))
    assert hass.states.get(ENTITY).attributes["energy_kwh"] == 4.321


async def test_a_session_of_a_real_station(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Started, ended with so much energy, and nobody's token in it."""
    told = told_by(hass, ENTITY)
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.status("Available")
        await station.hears("SetChargingProfile")
        await station.status("Occupied")
        await station.transaction("Started", 0, "Charging", trigger="Authorized", energy_wh=1000)
        started = await asyncio.wait_for(told.get(), 10)
        assert started["event_type"] == "started"
        await station.transaction("Updated", 1, "Charging", energy_wh=2000)
        await station.transaction("Ended", 2, "Idle", trigger="EVDeparted", energy_wh=3500)
        ended = await asyncio.wait_for(told.get(), 10)
    assert ended["event_type"] == "ended"
    assert ended["energy_kwh"] == 2.5
    assert ended["started_at"] == started["started_at"]
    assert "SECRET" not in f"{started}{ended}"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A central system that asks at once for an event that is missing."""
    monkeypatch.setattr(server, "Timing", partial(Timing, gap_wait_s=0.05))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("evse", [{"evse": {"id": 1, "connectorId": 1}}, {}], ids=["at its EVSE", "without an EVSE"])
async def test_events_that_a_station_lost(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, evse: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Asked for, and told as lost once the station has nothing more: how many, in the event and in the log; charging goes on."""
    mock_config_entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(mock_config_entry.entry_id)
    told = told_by(hass, ENTITY)
    async with raw_station(mock_config_entry, "CP1") as station:
        station.answers["GetTransactionStatus"] = {"ongoingIndicator": True, "messagesInQueue": False}
        await station.boot()
        await station.status("Occupied")
        await station.hears("SetChargingProfile")

        async def event(kind: str, seq_no: int) -> None:
            info = {"transactionId": "tx-1", "chargingState": "Charging"}
            payload = {
                "eventType": kind,
                "timestamp": now(),
                "triggerReason": "MeterValuePeriodic",
                "seqNo": seq_no,
                "transactionInfo": info,
            }
            await station.call("TransactionEvent", payload | evse)

        await event("Started", 0)
        await event("Updated", 1)
        await event("Updated", 4)
        await event("Updated", 6)
        while (attributes := await asyncio.wait_for(told.get(), 10))["event_type"] != "events_lost":
            pass
        assert attributes["lost"] == 3
        assert await station.hears("GetTransactionStatus") == {"transactionId": "tx-1"}
        assert "has lost events 2–3, 5 of the transaction tx-1" in caplog.text
        await until(hass, "sensor.left_evse_1_status", "charging")
    assert await hass.config_entries.async_unload(mock_config_entry.entry_id)
