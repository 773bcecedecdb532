"""What is done to relieve a breaker is told as an event and as a repair, and a person may undo it."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from homeassistant.const import ATTR_ENTITY_ID, SERVICE_TURN_ON, STATE_UNKNOWN, Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.repairs import async_sync_issues
from custom_components.headroom.site.measure import Measure, Stage

from .conftest import LEFT, busy, show
from .raw_station import raw_station

ENTITY = "event.left_evse_1_protection"
MEASURE = Measure(stage=Stage.STOPPED, at=datetime(2026, 11, 23, tzinfo=UTC), circuit_id="main", draw_a=31.6)


async def test_an_overdraw_and_what_was_done_are_told_each_once(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    entry = await set_up(Platform.EVENT)
    assert hass.states.get(ENTITY).state == STATE_UNKNOWN
    site = busy(entry.runtime_data.data)
    left = site.evses[LEFT]
    told = []
    stages = [
        {"overdraws": True},
        {"overdraws": True},
        {"overdraws": True, "measure": MEASURE},
        {"measure": replace(MEASURE, stage=Stage.OUT)},
        {"measure": replace(MEASURE, stage=Stage.BACK)},
        {},
    ]
    for changes in stages:
        before = hass.states.get(ENTITY).state
        show(entry, replace(site, evses={**site.evses, LEFT: replace(left, **changes)}))
        await hass.async_block_till_done()
        if hass.states.get(ENTITY).state != before:
            told.append(hass.states.get(ENTITY).attributes["event_type"])
    assert told == ["overdraw", "stopped", "out_of_service", "back_in_service"]
    assert hass.states.get(ENTITY).attributes["current"] == 31.6
    assert hass.states.get(ENTITY).attributes["circuit"] == entry.title


async def test_a_repair_says_what_was_done_until_it_is_undone(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    entry = await set_up(Platform.EVENT)
    site = busy(entry.runtime_data.data)

    def raised(measure: Measure | None) -> set[str | None]:
        evses = {**site.evses, LEFT: replace(site.evses[LEFT], measure=measure)}
        async_sync_issues(hass, entry, replace(site, evses=evses))
        found = [issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN and issue.active]
        for issue in found:
            if issue.translation_key in ("evse_stopped", "evse_out_of_service"):
                assert issue.translation_placeholders == {"station": "Left", "evse_id": "1", "circuit": entry.title, "current": "32"}
        return {issue.translation_key for issue in found} & {"evse_stopped", "evse_out_of_service"}

    assert raised(None) == set()
    assert raised(MEASURE) == {"evse_stopped"}
    assert raised(replace(MEASURE, stage=Stage.OUT)) == {"evse_out_of_service"}
    assert raised(replace(MEASURE, stage=Stage.BACK)) == set()


async def test_a_car_that_was_stopped_for_what_it_drew_is_told_of_each_time(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    entry = await set_up(Platform.EVENT)
    site = busy(entry.runtime_data.data)
    overdrew = Measure(stage=Stage.STOPPED, at=MEASURE.at, draw_a=7.8, limit_a=6.0)
    told = set()
    for measure in (overdrew, replace(overdrew, at=MEASURE.at + timedelta(hours=1), draw_a=8.6)):
        show(entry, replace(site, evses={**site.evses, LEFT: replace(site.evses[LEFT], measure=measure)}))
        await hass.async_block_till_done()
        state = hass.states.get(ENTITY)
        told.add((state.attributes["event_type"], state.attributes["current"], state.attributes["limit"], state.attributes["circuit"]))
        found = [issue for issue in ir.async_get(hass).issues.values() if issue.translation_key == "evse_stopped_overdraw"]
        assert [issue.translation_placeholders for issue in found] == [
            {"station": "Left", "evse_id": "1", "current": f"{measure.draw_a:.1f}", "limit": "6.0"}
        ]
    assert told == {("stopped", 7.8, 6.0, None), ("stopped", 8.6, 6.0, None)}


async def test_who_is_stopped_to_relieve_a_breaker_after_an_overdraw_is_told_of_that_too(
    hass: HomeAssistant, set_up: Callable[[Platform], Awaitable[MockConfigEntry]]
) -> None:
    entry = await set_up(Platform.EVENT)
    site = busy(entry.runtime_data.data)
    for measure in (Measure(stage=Stage.STOPPED, at=MEASURE.at, draw_a=7.8, limit_a=6.0), MEASURE):
        show(entry, replace(site, evses={**site.evses, LEFT: replace(site.evses[LEFT], measure=measure)}))
        await hass.async_block_till_done()
    state = hass.states.get(ENTITY)
    assert (state.attributes["event_type"], state.attributes["current"], state.attributes["limit"]) == ("stopped", 31.6, None)
    assert state.attributes["circuit"] == entry.title


async def test_who_switches_an_evse_on_again_decides(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    entity_id = "switch.left_evse_1_in_service"  # there without being looked for among what is disabled: the repair names it
    site = init_integration.runtime_data.site
    site.last_resort.recall({"CP1/1": replace(MEASURE, stage=Stage.OUT, at=datetime.now(UTC)).document()})
    async with raw_station(init_integration, "CP1") as station:
        station.answers["ChangeAvailability"] = {"status": "Accepted"}
        await station.boot()
        await station.status("Unavailable")
        await hass.services.async_call("switch", SERVICE_TURN_ON, {ATTR_ENTITY_ID: entity_id}, blocking=True)
        assert site.last_resort.measure(LEFT) is None
        assert site.memory().last_resort == {}
