"""Cards and tokens: added, learnt at a reader, changed, taken over from older entries; and what is told of them, which is never the token."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
import json
from typing import Any

from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, SubentryFlowResult
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.headroom.configuration import site_config
from custom_components.headroom.const import DOMAIN
from custom_components.headroom.diagnostics import async_get_config_entry_diagnostics
from custom_components.headroom.site.config import EvseKey

from .raw_station import RawStation, now, raw_station, until
from .test_services import act, device
from .test_variables import told

CARD = "04A2B3C4D5E680"
FLAGS = {"type": "any", "concurrent": False, "blocked": False, "master_pass": False}


@pytest.fixture
def mock_config_entry(mock_config_entry: MockConfigEntry) -> MockConfigEntry:
    """The shared site, where nobody charges for free."""
    object.__setattr__(mock_config_entry, "options", {"free_charging": False, "no_authorization": False})
    object.__setattr__(mock_config_entry, "version", 2)
    return mock_config_entry


@pytest.fixture
async def left(init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, with its fallback installed."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.status("Available")
        await station.heard("SetChargingProfile")
        yield station


async def start(hass: HomeAssistant, entry: MockConfigEntry) -> SubentryFlowResult:
    return await hass.config_entries.subentries.async_init((entry.entry_id, "id_token"), context={"source": SOURCE_USER})


async def answer(hass: HomeAssistant, form: SubentryFlowResult, **answers: Any) -> SubentryFlowResult:
    return await hass.config_entries.subentries.async_configure(form["flow_id"], FLAGS | answers)


async def shows(station: RawStation, value: str, kind: str = "ISO14443") -> str:
    """Hold a token to the reader; returns the answer."""
    response = await station.call("Authorize", {"idToken": {"idToken": value, "type": kind}})
    return str(response["idTokenInfo"]["status"])


async def test_a_card_is_learnt_at_the_reader(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """Refused, listed without its number, added, accepted at once; the driver is told by name."""
    assert await shows(left, CARD) == "Invalid"
    await until(hass, "binary_sensor.left_online", "on")
    refused = hass.states.get("event.left_authorization").attributes
    assert (refused["event_type"], refused["driver"], refused["reason"]) == ("refused", None, "invalid")
    form = await start(hass, init_integration)
    assert form["data_schema"] is not None
    (option,) = form["data_schema"].schema["presented"].config["options"]
    assert CARD not in json.dumps(option) and option["label"].endswith("Left, ISO14443 …80")
    result = await answer(hass, form, name="Ann", presented=option["value"])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    (subentry,) = init_integration.get_subentries_of_type("id_token")
    assert (subentry.title, subentry.data["id_token"]) == ("Ann", CARD)
    assert subentry.unique_id and CARD.lower() not in subentry.unique_id.lower()
    assert await shows(left, CARD) == "Accepted"
    accepted = hass.states.get("event.left_authorization").attributes
    assert (accepted["event_type"], accepted["driver"], accepted["reason"]) == ("accepted", "Ann", "accepted")
    assert CARD not in str(hass.states.async_all())
    diagnostics = json.dumps(await async_get_config_entry_diagnostics(hass, init_integration))
    assert CARD not in diagnostics and "Ann" in diagnostics


async def test_a_station_that_takes_no_list_is_told_and_heals(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Whoever takes a card away must know that a station which is alone still lets it charge."""
    issues = ir.async_get(hass)
    issue_id = f"station_tokens_outdated_{init_integration.entry_id}_CP1"

    async def until_issue(stands: bool) -> None:
        changed = asyncio.Event()
        unsubscribe = hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, callback(lambda _: changed.set()))
        while (issues.async_get_issue(DOMAIN, issue_id) is not None) is not stands:
            await asyncio.wait_for(changed.wait(), 10)
            changed.clear()
        unsubscribe()

    async with raw_station(init_integration, "CP1") as station:

        async def report(asked: dict[str, Any]) -> None:
            lists = told("LocalAuthListCtrlr", "Enabled", "true", dataType="boolean")
            await station.call("NotifyReport", {"requestId": asked["requestId"], "generatedAt": now(), "seqNo": 0, "reportData": [lists]})

        station.answers |= {
            "GetBaseReport": {"status": "Accepted"},
            "GetLocalListVersion": {"versionNumber": 0},
            "SendLocalList": {"status": "Failed"},
        }
        station.after("GetBaseReport", report)
        await station.boot()
        await station.heard("SetChargingProfile")
        await answer(hass, await start(hass, init_integration), name="Ann", id_token=CARD)
        await until_issue(stands=True)
        issue = issues.async_get_issue(DOMAIN, issue_id)
        assert issue is not None and issue.translation_placeholders == {"station": "Left", "identity": "CP1"}
        assert CARD not in str(issue)
        station.answers["SendLocalList"] = {"status": "Accepted"}
        await answer(hass, await start(hass, init_integration), name="Bo", id_token="04FFEEDD")
        await until_issue(stands=False)
        sent = await station.heard("SendLocalList")
        assert len(sent["localAuthorizationList"]) == 2


async def test_of_a_short_code_nothing_is_shown(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """Two characters would be half of it."""
    assert await shows(left, "4711", "KeyCode") == "Invalid"
    form = await start(hass, init_integration)
    assert form["data_schema"] is not None
    (option,) = form["data_schema"].schema["presented"].config["options"]
    assert option["label"].endswith("Left, KeyCode")


async def test_all_that_can_be_said_of_a_token(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """It comes to the site's policy; the time is that of a person's clock."""
    mock_config_entry.add_to_hass(hass)
    await dt_util.async_get_time_zone("Europe/Amsterdam")
    await hass.config.async_set_time_zone("Europe/Amsterdam")
    form = await start(hass, mock_config_entry)
    answers = {"name": "Bo", "id_token": " 04:AB:CD:EF ", "type": "iso14443", "group": "family", "valid_until": "2026-12-01 12:00:00"}
    await answer(hass, form, **answers, places=["CP1", "CP2/2"], blocked=True, master_pass=True, concurrent=True)
    (token,) = site_config(mock_config_entry).authorization.tokens
    assert (token.value, token.type, token.name, token.group) == ("04:AB:CD:EF", "ISO14443", "Bo", "family")
    assert token.valid_until == datetime(2026, 12, 1, 11, tzinfo=UTC)
    assert (token.stations, token.evses) == ({"CP1"}, {EvseKey("CP2", 2)})
    assert token.blocked and token.master and token.concurrent


async def test_what_cannot_be_a_token(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """Each mistake is named; a token is known however it is written."""
    mock_config_entry.add_to_hass(hass)
    await answer(hass, await start(hass, mock_config_entry), name="Ann", id_token=CARD)
    form = await start(hass, mock_config_entry)
    for answers, errors in (
        ({}, {"id_token": "token_missing"}),
        ({"id_token": "x" * 37}, {"id_token": "token_too_long"}),
        ({"id_token": "y", "group": "g" * 37}, {"group": "group_too_long"}),
        ({"id_token": "04:a2:b3:c4:d5:e6:80"}, {"id_token": "token_taken"}),
    ):
        form = await answer(hass, form, name="Bo", **answers)
        assert form["errors"] == errors
        assert CARD not in str(form["data_schema"])


async def test_change_a_token(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """Its number stays where none is typed, and is not shown."""
    mock_config_entry.add_to_hass(hass)
    await answer(hass, await start(hass, mock_config_entry), name="Ann", id_token=CARD, group="family")
    (subentry,) = mock_config_entry.get_subentries_of_type("id_token")
    form = await mock_config_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    assert CARD not in str({str(key): key.description for key in form["data_schema"].schema})
    result = await answer(hass, form, name="Anna", blocked=True)
    assert result["reason"] == "reconfigure_successful"
    (token,) = site_config(mock_config_entry).authorization.tokens
    assert (token.value, token.name, token.group, token.blocked) == (CARD, "Anna", None, True)


async def test_older_entries_are_taken_over(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """Who could charge can charge; each token is a subentry, and running it again changes nothing."""
    object.__setattr__(mock_config_entry, "version", 1)
    object.__setattr__(mock_config_entry, "options", {"free_charging": True, "id_tokens": [CARD, "KEY", "04 A2 B3 C4 D5 E6 80"]})
    mock_config_entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(mock_config_entry.entry_id)
    await hass.async_block_till_done()
    assert mock_config_entry.version == 2
    tokens = mock_config_entry.get_subentries_of_type("id_token")
    assert [token.data["id_token"] for token in tokens] == [CARD, "KEY"]
    assert all("KEY" not in token.title and CARD not in token.title for token in tokens)
    assert mock_config_entry.options == {"free_charging": True, "no_authorization": True, "id_tokens": []}
    await hass.config_entries.async_reload(mock_config_entry.entry_id)
    assert len(mock_config_entry.get_subentries_of_type("id_token")) == 2
    await hass.config_entries.async_unload(mock_config_entry.entry_id)


async def test_an_entry_of_a_newer_version_is_left_alone(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    object.__setattr__(mock_config_entry, "version", 3)
    mock_config_entry.add_to_hass(hass)
    assert not await hass.config_entries.async_setup(mock_config_entry.entry_id)
    assert mock_config_entry.state is ConfigEntryState.MIGRATION_ERROR


async def test_reserve_and_cancel(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """The station is told; another's card is refused meanwhile; a reservation that is not there is the caller's mistake."""
    for name, value in (("Ann", CARD), ("Bo", "04FFFFFF")):
        await answer(hass, await start(hass, init_integration), name=name, id_token=value)
    await hass.async_block_till_done()
    left.answers |= {"ReserveNow": {"status": "Accepted"}, "CancelReservation": {"status": "Accepted"}}
    evse = device(hass, init_integration, "CP1_1")
    await act(hass, "reserve", evse, id_token=CARD, duration={"hours": 1}, group="family")
    asked = await left.heard("ReserveNow")
    assert (asked["evseId"], asked["idToken"], asked["groupIdToken"]["idToken"]) == (
        1,
        {"idToken": CARD, "type": "ISO14443"},
        "family",
    )
    await until(hass, "sensor.left_evse_1_status", "reserved")
    assert await shows(left, "04FFFFFF") == "NotAtThisTime"
    assert await shows(left, CARD) == "Accepted"
    await act(hass, "cancel_reservation", evse)
    assert await left.heard("CancelReservation") == {"reservationId": asked["id"]}
    assert await shows(left, "04FFFFFF") == "Accepted"
    with pytest.raises(ServiceValidationError) as refused:
        await act(hass, "cancel_reservation", evse)
    assert refused.value.translation_key == "not_reserved"


async def test_clear_the_cache(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    left.answers["ClearCache"] = {"status": "Accepted"}
    await act(hass, "clear_authorization_cache", device(hass, init_integration, "CP1"))
    assert await left.heard("ClearCache") == {}


async def test_start_with_a_token_the_site_knows(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """It goes out as the site knows it, with its group."""
    await answer(hass, await start(hass, init_integration), name="Ann", id_token=CARD, group="family")
    await hass.async_block_till_done()
    await act(hass, "start_charging", device(hass, init_integration, "CP1_1"), id_token=CARD)
    asked = await left.heard("RequestStartTransaction")
    assert (asked["idToken"], asked["groupIdToken"]["idToken"]) == ({"idToken": CARD, "type": "ISO14443"}, "family")


async def test_a_token_of_a_station_that_is_gone_is_not_good_everywhere(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """It can be changed as it is shown, and stays good for nowhere until a person says otherwise."""
    mock_config_entry.add_to_hass(hass)
    await answer(hass, await start(hass, mock_config_entry), name="Ann", id_token=CARD, places=["CP1"])
    (subentry,) = mock_config_entry.get_subentries_of_type("id_token")
    for station in ("station_one", "station_two"):
        hass.config_entries.async_remove_subentry(mock_config_entry, station)
        form = await mock_config_entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
        assert form["data_schema"] is not None
        suggested = {str(key): key.description["suggested_value"] for key in form["data_schema"].schema if key.description}
        await answer(hass, form, **suggested | {"name": "Anna"})
        (token,) = site_config(mock_config_entry).authorization.tokens
        assert (token.name, token.stations) == ("Anna", {"CP1"})


async def test_no_reservation_is_for_ever(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """A time past all dates is the caller's mistake."""
    with pytest.raises(vol.Invalid):
        await act(hass, "reserve", device(hass, init_integration, "CP1_1"), id_token=CARD, duration={"days": 99_999_999})


@pytest.mark.parametrize("refused", [{"answers": {"status": "Rejected"}}, {"errors": "InternalError"}])
async def test_a_start_that_is_refused_lets_nobody_charge(
    hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation, refused: dict[str, Any]
) -> None:
    """Nor does one at a station that is away: the card is as good as it was."""
    for kind, answered in refused.items():
        getattr(left, kind)["RequestStartTransaction"] = answered
    for station in ("CP1_1", "CP2_1"):
        with pytest.raises(HomeAssistantError):
            await act(hass, "start_charging", device(hass, init_integration, station), id_token=CARD)
        assert await shows(left, CARD) == "Invalid"
