"""Cards and tokens: added, learnt at a reader, changed, taken over from older entries; and what is told of them, which is never the token."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
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
from custom_components.headroom.engine.priority import Priority
from custom_components.headroom.site.config import EvseKey
from tests.csms.client import SILENCE

from .raw_station import RawStation, now, raw_station, until
from .test_device_actions import ask
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
        await station.hears("SetChargingProfile")
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
        await station.hears("SetChargingProfile")
        await answer(hass, await start(hass, init_integration), name="Ann", id_token=CARD)
        await until_issue(stands=True)
        issue = issues.async_get_issue(DOMAIN, issue_id)
        assert issue is not None and issue.translation_placeholders == {"station": "Left", "identity": "CP1"}
        assert CARD not in str(issue)
        station.answers["SendLocalList"] = {"status": "Accepted"}
        await answer(hass, await start(hass, init_integration), name="Bo", id_token="04FFEEDD")
        await until_issue(stands=False)
        sent = await station.hears("SendLocalList")
        assert len(sent["localAuthorizationList"]) == 2


LISTED = {
    "AuthCtrlr": ("LocalPreAuthorize", "LocalAuthorizeOffline", "OfflineTxForUnknownIdEnabled", "Enabled", "MasterPassGroupId"),
    "LocalAuthListCtrlr": ("Enabled",),
    "AuthCacheCtrlr": ("Enabled",),
    "ReservationCtrlr": ("Enabled",),
    "TxCtrlr": ("StopTxOnInvalidId",),
}
"""What decides at a station who may charge, by component."""


@asynccontextmanager
async def listing(entry: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, with a local list, and with each of LISTED as the site does not want it."""
    async with raw_station(entry, "CP1") as station:
        unwanted = [told(component, name, "odd", dataType="string") for component, names in LISTED.items() for name in names]

        async def report(asked: dict[str, Any]) -> None:
            await station.call("NotifyReport", {"requestId": asked["requestId"], "generatedAt": now(), "seqNo": 0, "reportData": unwanted})

        station.answers |= {
            "GetBaseReport": {"status": "Accepted"},
            "GetLocalListVersion": {"versionNumber": 0},
            "SendLocalList": {"status": "Accepted"},
        }
        station.after("GetBaseReport", report)
        await station.boot()
        await station.hears("SetChargingProfile")
        yield station


async def test_a_list_is_sent_again(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """The whole of it, though nothing changed; what changes afterwards goes on from there, and a refusal is told."""
    cp1 = device(hass, init_integration, "CP1")
    async with listing(init_integration) as station:
        await answer(hass, await start(hass, init_integration), name="Ann", id_token=CARD)
        assert (await station.hears("SendLocalList"))["versionNumber"] == 1
        station.answers["GetLocalListVersion"] = {"versionNumber": 1}
        assert await ask(hass, "send_local_list", cp1) == {"status": "Accepted", "version": 2, "tokens": 1}
        again = await station.hears("SendLocalList")
        assert (again["versionNumber"], again["updateType"]) == (2, "Full")
        assert [entry["idToken"]["idToken"] for entry in again["localAuthorizationList"]] == [CARD]
        station.answers["GetLocalListVersion"] = {"versionNumber": 2}
        await answer(hass, await start(hass, init_integration), name="Bo", id_token="04FFEEDD")
        more = await station.hears("SendLocalList", lambda sent: sent["versionNumber"] == 3)
        assert more["updateType"] == "Differential" and len(more["localAuthorizationList"]) == 1
        station.answers |= {"GetLocalListVersion": {"versionNumber": 3}, "SendLocalList": {"status": "Failed"}}
        with pytest.raises(HomeAssistantError) as refused:
            await ask(hass, "send_local_list", cp1)
        assert refused.value.translation_key == "station_rejected"
        station.answers["SendLocalList"] = {"status": "Accepted"}
        assert (await ask(hass, "send_local_list", cp1))["tokens"] == 2


async def test_whoever_waits_for_a_list_is_told_that_the_station_went_away(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Nobody waits for ever."""
    async with listing(init_integration) as station:
        await station.hears("SetVariables", lambda asked: "LocalAuthListCtrlr" in str(asked))
        station.answers["GetLocalListVersion"] = SILENCE
        asked = asyncio.create_task(ask(hass, "send_local_list", device(hass, init_integration, "CP1")))
        await station.hears("GetLocalListVersion")
    with pytest.raises(HomeAssistantError) as gone:
        await asyncio.wait_for(asked, 10)
    assert gone.value.translation_key == "station_offline"


async def test_a_station_without_a_list_is_sent_none(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """Nobody would keep it in step afterwards."""
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "send_local_list", device(hass, init_integration, "CP1"))
    assert refused.value.translation_key == "no_local_list"
    assert "SendLocalList" not in [action for action, _ in left.heard]


async def test_what_the_site_keeps_is_not_for_a_person_to_set(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Whatever the keeper sets a person is refused, with what to change instead; by neither way."""
    cp1 = device(hass, init_integration, "CP1")
    async with listing(init_integration) as station:
        for component, names in LISTED.items():
            for name in names:
                await station.hears("SetVariables", lambda asked, key=(component, name): key in variables_of(asked))
                item = {"component": {"name": component}, "variable": {"name": name}, "attributeValue": "true"}
                for action, fields in (
                    ("set_variables", {"values": {f"{component}.{name}": True}}),
                    ("call", {"request": "SetVariables", "payload": {"setVariableData": [item]}}),
                ):
                    with pytest.raises(ServiceValidationError) as refused:
                        await ask(hass, action, cp1, **fields)
                    assert refused.value.translation_key == "variable_of_tokens"
                    assert refused.value.translation_placeholders == {"variable": f"{component}.{name}"}
        hass.config_entries.async_update_entry(init_integration, options={"free_charging": False, "no_authorization": True})
        await hass.async_block_till_done()
        await act(hass, "set_variables", cp1, values={"AuthCtrlr.Enabled": False, "TxCtrlr.StopTxOnInvalidId": False})
        freed = await station.hears("SetVariables", lambda asked: ("AuthCtrlr", "Enabled") in variables_of(asked))
        assert variables_of(freed) == {("AuthCtrlr", "Enabled"): "false", ("TxCtrlr", "StopTxOnInvalidId"): "false"}


def variables_of(asked: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(item["component"]["name"], item["variable"]["name"]): item["attributeValue"] for item in asked["setVariableData"]}


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
    flags = {"blocked": True, "master_pass": True, "concurrent": True, "keeps_phases": True}
    await answer(hass, form, **answers, places=["CP1", "CP2/2"], priority="high", **flags)
    (token,) = site_config(mock_config_entry).authorization.tokens
    assert (token.value, token.type, token.name, token.group) == ("04:AB:CD:EF", "ISO14443", "Bo", "family")
    assert token.valid_until == datetime(2026, 12, 1, 11, tzinfo=UTC)
    assert (token.stations, token.evses) == ({"CP1"}, {EvseKey("CP2", 2)})
    assert token.blocked and token.master and token.concurrent and token.keeps_phases
    assert token.priority is Priority.HIGH


async def test_a_token_comes_where_its_parking_place_does_unless_it_says_so(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry
) -> None:
    """Nothing is said of it by default, nor of one that was added before there was such a question."""
    mock_config_entry.add_to_hass(hass)
    await answer(hass, await start(hass, mock_config_entry), name="Ann", id_token=CARD)
    assert [token.priority for token in site_config(mock_config_entry).authorization.tokens] == [None]
    subentry = mock_config_entry.get_subentries_of_type("id_token")[0]
    hass.config_entries.async_update_subentry(mock_config_entry, subentry, data={"id_token": CARD})
    assert [token.priority for token in site_config(mock_config_entry).authorization.tokens] == [None]


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
    asked = await left.hears("ReserveNow")
    assert (asked["evseId"], asked["idToken"], asked["groupIdToken"]["idToken"]) == (
        1,
        {"idToken": CARD, "type": "ISO14443"},
        "family",
    )
    await until(hass, "sensor.left_evse_1_status", "reserved")
    assert await shows(left, "04FFFFFF") == "NotAtThisTime"
    assert await shows(left, CARD) == "Accepted"
    await act(hass, "cancel_reservation", evse)
    assert await left.hears("CancelReservation") == {"reservationId": asked["id"]}
    assert await shows(left, "04FFFFFF") == "Accepted"
    with pytest.raises(ServiceValidationError) as refused:
        await act(hass, "cancel_reservation", evse)
    assert refused.value.translation_key == "not_reserved"


async def test_reserve_a_connector(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """Where the station says what connectors it has, one that it lacks is refused, and what it has is kept free for the card."""
    kinds = {1: "cType2", 2: "cCCS2", 3: "Vendor's own"}

    async with raw_station(init_integration, "CP2") as station:

        async def report(asked: dict[str, Any]) -> None:
            found = [told("Connector", "ConnectorType", kind, mutability="ReadOnly", dataType="string") for kind in kinds.values()]
            for evse_id, item in zip(kinds, found, strict=True):
                item["component"]["evse"] = {"id": evse_id, "connectorId": 1}
            page = {"requestId": asked["requestId"], "generatedAt": now(), "seqNo": 0, "reportData": found}
            await station.call("NotifyReport", page)

        station.answers |= {"GetBaseReport": {"status": "Accepted"}, "ReserveNow": {"status": "Accepted"}}
        station.after("GetBaseReport", report)
        await station.boot()
        await station.hears("SetChargingProfile")
        hour = {"hours": 1}
        with pytest.raises(ServiceValidationError) as refused:
            await act(hass, "reserve", device(hass, init_integration, "CP2_1"), id_token=CARD, duration=hour, connector_type="cccs2")
        assert refused.value.translation_key == "no_such_connector"
        assert refused.value.translation_placeholders == {"station": "CP2", "connector": "cCCS2"}
        assert "ReserveNow" not in [action for action, _ in station.heard]
        await act(hass, "reserve", device(hass, init_integration, "CP2_1"), id_token=CARD, duration=hour, connector_type="ctype2")
        asked = await station.hears("ReserveNow")
        assert (asked["evseId"], asked["connectorType"]) == (1, "cType2")
        await act(hass, "reserve", device(hass, init_integration, "CP2"), id_token=CARD, duration=hour, connector_type="stype2")
        asked = await station.hears("ReserveNow", lambda sent: "evseId" not in sent)
        assert asked["connectorType"] == "sType2"  # the third may have it


async def test_clear_the_cache(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    left.answers["ClearCache"] = {"status": "Accepted"}
    await act(hass, "clear_authorization_cache", device(hass, init_integration, "CP1"))
    assert await left.hears("ClearCache") == {}


async def test_start_with_a_token_the_site_knows(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """It goes out as the site knows it, with its group."""
    await answer(hass, await start(hass, init_integration), name="Ann", id_token=CARD, group="family")
    await hass.async_block_till_done()
    await act(hass, "start_charging", device(hass, init_integration, "CP1_1"), id_token=CARD)
    asked = await left.hears("RequestStartTransaction")
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
