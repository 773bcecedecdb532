"""What a person has to see to appears, says what to do, and goes away."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from homeassistant.components.repairs import RepairsFlowResult, repairs_flow_manager
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom import coordinator
from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.values import Inventory, StationInfo
from custom_components.headroom.engine.deadman import Violation
from custom_components.headroom.engine.model import Circuit, Phase
from custom_components.headroom.engine.share import Policy
from custom_components.headroom.metering.fault import Fault, Trouble
from custom_components.headroom.repairs import async_clear_issues, async_sync_issues, pending_issue_id
from custom_components.headroom.site.config import Mode
from custom_components.headroom.site.snapshot import (
    UNMENDED_S,
    CircuitSnapshot,
    DeadManHealth,
    MeterHealth,
    PendingStation,
    Silence,
    SiteSnapshot,
    StationSnapshot,
)
from tests.csms.client import BOOT, Client, station, variable

from .raw_station import raw_station, until

NOW = datetime(2026, 10, 1, tzinfo=UTC)
MAIN = CircuitSnapshot(
    circuit=Circuit(circuit_id="main", name="Home", fuse_a=40, unmanaged_worst_a=(20.0, 20.0, 20.0), metered=True),
    limit_a=(38.0, 38.0, 38.0),
)
WAITING = PendingStation(
    identity="CP9", remote="192.0.2.9:4711", info=StationInfo(vendor="Maker", model="Post"), inventory=Inventory(), since=NOW
)
QUIET = SiteSnapshot(at=NOW, mode=Mode.DYNAMIC, root_id="main", circuits={"main": MAIN})


@pytest.fixture
def entry(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> MockConfigEntry:
    mock_config_entry.add_to_hass(hass)
    return mock_config_entry


def issues(hass: HomeAssistant) -> dict[str | None, ir.IssueEntry]:
    """The issues that stand now, by their translation key."""
    return {issue.translation_key: issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN and issue.active}


def test_a_waiting_station_is_told_and_taken_back(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    async_sync_issues(hass, entry, replace(QUIET, pending={"CP9": WAITING}))
    issue = issues(hass)["station_pending"]
    assert (issue.issue_id, issue.is_fixable) == (pending_issue_id(entry, "CP9"), True)
    assert issue.data == {"entry_id": entry.entry_id, "identity": "CP9"}
    assert issue.translation_placeholders is not None
    assert issue.translation_placeholders["identity"] == "CP9"
    async_sync_issues(hass, entry, QUIET)
    assert issues(hass) == {}


def test_a_missing_solver_is_told_where_the_policy_looks_ahead(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    async_sync_issues(hass, entry, QUIET, solver=False)
    assert set(issues(hass)) == {"no_solver"}
    for quiet in (replace(QUIET, policy=Policy.EQUAL_CURRENT), replace(QUIET, mode=Mode.STATIC)):
        async_sync_issues(hass, entry, quiet, solver=False)
        assert issues(hass) == {}
    async_sync_issues(hass, entry, QUIET)
    assert issues(hass) == {}


def test_a_loop_that_fails_is_told_until_it_turns_again(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    async_sync_issues(hass, entry, replace(QUIET, failing=True))
    assert issues(hass)["loop_failed"].severity is ir.IssueSeverity.CRITICAL
    async_sync_issues(hass, entry, QUIET)
    assert issues(hass) == {}


def test_a_station_that_stays_away_is_told_and_one_that_restarts_is_not(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    for away, expected in ((timedelta(minutes=14), set()), (timedelta(minutes=15), {"station_away"})):
        gone = StationSnapshot(identity="CP1", online=False, away_since=NOW - away)
        async_sync_issues(hass, entry, replace(QUIET, stations={"CP1": gone}))
        assert issues(hass).keys() == expected
    async_sync_issues(hass, entry, replace(QUIET, stations={"CP1": StationSnapshot(identity="CP1", online=True)}))
    assert issues(hass) == {}


@pytest.mark.parametrize(("fault", "issue"), [(Fault.TURNED, "meter_turned"), (Fault.UNSEEN, "meter_unseen"), (Fault.FROZEN, "meter_lost")])
def test_what_is_seen_of_a_meter_has_a_repair_of_its_own(hass: HomeAssistant, entry: MockConfigEntry, fault: Fault, issue: str) -> None:
    seen = replace(MAIN, meter=MeterHealth.LOST, meter_error=Trouble(fault, {}))
    async_sync_issues(hass, entry, replace(QUIET, circuits={"main": seen}))
    assert issues(hass).keys() == {issue}
    async_sync_issues(hass, entry, QUIET)
    assert issues(hass) == {}


def test_a_source_of_limits_that_fell_silent_is_told_until_it_is_heard(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    for holds, key in ((True, "limit_source_silent"), (False, "limit_source_gone")):
        silence = Silence(source="grid operator", circuit_id="main", failsafe_holds=holds)
        async_sync_issues(hass, entry, replace(QUIET, silences=(silence,)))
        assert issues(hass).keys() == {key}
        assert issues(hass)[key].translation_placeholders == {"source": "grid operator", "circuit": "Home"}
    removed = Silence(source="grid operator", circuit_id="01REMOVED", failsafe_holds=True)
    async_sync_issues(hass, entry, replace(QUIET, silences=(removed,)))
    assert issues(hass) == {}, "there is no such circuit any more"


def test_issues_follow_the_snapshot(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    lost = replace(MAIN, meter=MeterHealth.LOST, meter_error=Trouble(Fault.NO_POWER, {"source": "meter"}))
    disobedient = StationSnapshot(identity="CP1", online=True, problem="disobedient")
    async_sync_issues(hass, entry, replace(QUIET, circuits={"main": lost}, pending={"CP9": WAITING}, stations={"CP1": disobedient}))
    standing = issues(hass)
    assert standing.keys() == {"station_pending", "meter_lost", "station_disobedient"}
    assert standing["meter_lost"].translation_placeholders == {
        "circuit": "Home",
        "worst_case_a": "20",
        "cause": "meter: says that it has no value for the power",
    }
    assert standing["meter_lost"].severity is ir.IssueSeverity.WARNING
    assert standing["station_disobedient"].translation_placeholders is not None
    assert standing["station_disobedient"].translation_placeholders["station"] == "Left"
    assert not standing["meter_lost"].is_fixable and not standing["station_disobedient"].is_fixable
    async_sync_issues(hass, entry, replace(QUIET, circuits={"main": lost}))
    assert issues(hass).keys() == {"meter_lost"}
    async_sync_issues(hass, entry, QUIET)
    assert issues(hass) == {}


@pytest.mark.parametrize("health", [MeterHealth.NONE, MeterHealth.OK, MeterHealth.STALE])
def test_a_meter_that_is_heard_is_no_issue(hass: HomeAssistant, entry: MockConfigEntry, health: MeterHealth) -> None:
    async_sync_issues(hass, entry, replace(QUIET, circuits={"main": replace(MAIN, meter=health)}))
    assert issues(hass) == {}


@pytest.mark.parametrize(
    ("problem", "key"),
    [
        ("rejects_profiles", "station_rejects_profiles"),
        ("unanswered", "station_unanswered"),
        ("disobedient", "station_disobedient"),
        ("keeps_other_profile", "station_keeps_other_profile"),
        ("other", "station_problem"),
    ],
)
def test_each_problem_of_a_station_has_its_issue(hass: HomeAssistant, entry: MockConfigEntry, problem: str, key: str) -> None:
    async_sync_issues(hass, entry, replace(QUIET, stations={"CP1": StationSnapshot(identity="CP1", online=True, problem=problem)}))
    assert issues(hass).keys() == {key}


async def test_a_turn_that_changes_nothing_changes_no_issue(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    snapshot = replace(QUIET, pending={"CP9": WAITING})
    async_sync_issues(hass, entry, snapshot)
    await hass.async_block_till_done()
    changes: list[Any] = []
    hass.bus.async_listen(ir.EVENT_REPAIRS_ISSUE_REGISTRY_UPDATED, changes.append)
    async_sync_issues(hass, entry, replace(snapshot, at=datetime.now(UTC)))
    await hass.async_block_till_done()
    assert changes == []


def test_two_sites_do_not_clear_each_others_issues(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    other = MockConfigEntry(domain=DOMAIN, title="Office", unique_id="1", data=dict(entry.data))
    other.add_to_hass(hass)
    for site in (entry, other):
        async_sync_issues(hass, site, replace(QUIET, pending={"CP9": WAITING}))
    async_sync_issues(hass, entry, QUIET)
    assert [issue.issue_id for issue in issues(hass).values()] == [pending_issue_id(other, "CP9")]
    async_clear_issues(hass, other)
    assert issues(hass) == {}


def test_an_ignored_issue_stays_ignored(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    snapshot = replace(QUIET, pending={"CP9": WAITING})
    async_sync_issues(hass, entry, snapshot)
    ir.async_ignore_issue(hass, DOMAIN, pending_issue_id(entry, "CP9"), True)
    async_sync_issues(hass, entry, snapshot)
    assert issues(hass)["station_pending"].dismissed_version is not None


# From here on with the real thing: a running site, and a station on a real socket.

TWO_EVSES = [variable("Connector", "AvailabilityState", "Available", evse={"id": evse_id, "connectorId": 1}) for evse_id in (1, 2)]


async def told(hass: HomeAssistant, entry: MockConfigEntry, true: Any) -> None:
    """Wait for a snapshot of which something is true."""
    coordinator = entry.runtime_data
    pushed = asyncio.Event()
    unsubscribe = coordinator.async_add_listener(pushed.set)
    try:
        while not true(coordinator.data):
            await pushed.wait()
            pushed.clear()
    finally:
        unsubscribe()


@pytest.fixture
async def waiting(hass: HomeAssistant, init_integration: MockConfigEntry) -> AsyncGenerator[Client]:
    """A station with two EVSEs that nobody knows, connected and read."""
    assert await async_setup_component(hass, "repairs", {})
    async with station(init_integration.data["port"], "CP9") as client:
        client.report = TWO_EVSES
        assert (await client.call("BootNotification", BOOT))["status"] == "Pending"
        await told(hass, init_integration, lambda site: "CP9" in site.pending and site.pending["CP9"].inventory.evse_connectors)
        yield client


async def fix(hass: HomeAssistant, entry: MockConfigEntry) -> RepairsFlowResult:
    manager = repairs_flow_manager(hass)
    assert manager is not None
    return await manager.async_init(DOMAIN, context={"issue_id": pending_issue_id(entry, "CP9")})


async def answer(hass: HomeAssistant, result: RepairsFlowResult, **answers: Any) -> RepairsFlowResult:
    manager = repairs_flow_manager(hass)
    assert manager is not None
    return await manager.async_configure(result["flow_id"], answers)


async def test_a_station_is_approved(hass: HomeAssistant, init_integration: MockConfigEntry, waiting: Client) -> None:
    assert issues(hass).keys() == {"station_pending"}
    form = await fix(hass, init_integration)
    assert form["step_id"] == "station"
    shown = form["description_placeholders"]
    assert shown is not None
    assert (shown["identity"], shown["station"], shown["firmware"], shown["evses"]) == ("CP9", "Maker Post", "1.2", "1, 2")
    assert form["data_schema"] is not None
    assert [str(key) for key in form["data_schema"].schema] == ["name", "circuit"]  # the station said itself how many EVSEs it has
    form = await answer(hass, form, name="Gate", circuit="garage")
    form = await answer(hass, form, phases="3", rotation="L1", max_a=32)
    assert form["errors"] == {"rotation": "rotation_mismatch"}
    form = await answer(hass, form, phases="3", rotation="L1L2L3", max_a=32)
    assert form["description_placeholders"] == {"station": "Gate", "evse_id": "2", "number": "2", "count": "2"}
    form = await answer(hass, form, phases="1", rotation="L3", max_a=16)
    result = await answer(hass, form, authentication="none")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    # The station is asked to boot again, and is let in this time.
    await waiting.until("TriggerMessage")
    await told(hass, init_integration, lambda site: "CP9" in site.stations and site.stations["CP9"].ready)
    assert issues(hass) == {}
    assert len(waiting.requests("TriggerMessage")) == 1
    config = init_integration.runtime_data.site.config.stations["CP9"]
    assert (config.name, config.circuit_id, [evse.max_a for evse in config.evses]) == ("Gate", "garage", [32, 16])


async def test_a_station_is_changed_though_its_site_stops_meanwhile(
    hass: HomeAssistant, init_integration: MockConfigEntry, waiting: Client
) -> None:
    """It told how many EVSEs it has when the form was shown, which therefore did not ask."""
    entry = init_integration
    form = await answer(hass, await fix(hass, entry), circuit="main")
    for _ in range(2):
        form = await answer(hass, form, phases="3", rotation="unknown", max_a=32)
    await answer(hass, form, authentication="none")
    await told(hass, entry, lambda site: "CP9" in site.stations and site.stations["CP9"].ready)
    subentry = next(one for one in entry.subentries.values() if one.unique_id == "CP9")
    manager = hass.config_entries.subentries
    menu = await entry.start_subentry_reconfigure_flow(hass, subentry.subentry_id)
    form = await manager.async_configure(menu["flow_id"], {"next_step_id": "station"})
    await hass.config_entries.async_unload(entry.entry_id)
    form = await manager.async_configure(form["flow_id"], {"name": "Gate", "circuit": "garage"})
    assert (form["step_id"], form["description_placeholders"]["count"]) == ("evse", "2")


async def test_a_station_that_went_away_can_not_be_approved(
    hass: HomeAssistant, init_integration: MockConfigEntry, waiting: Client
) -> None:
    # The dialog was open already when the station left.
    async_sync_issues(hass, init_integration, replace(QUIET, pending={"CP8": replace(WAITING, identity="CP8")}))
    manager = repairs_flow_manager(hass)
    assert manager is not None
    result = await manager.async_init(DOMAIN, context={"issue_id": pending_issue_id(init_integration, "CP8")})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "station_gone")


async def test_a_station_that_leaves_meanwhile_is_added_all_the_same(
    hass: HomeAssistant, init_integration: MockConfigEntry, waiting: Client
) -> None:
    form = await answer(hass, await fix(hass, init_integration), circuit="main")
    await waiting.socket.close()
    await told(hass, init_integration, lambda site: not site.pending)
    for _ in range(2):
        form = await answer(hass, form, phases="3", rotation="unknown", max_a=32)
    result = await answer(hass, form, authentication="none")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert init_integration.runtime_data.site.config.stations["CP9"].name == "CP9"


async def test_a_station_added_by_hand_meanwhile_is_not_added_twice(
    hass: HomeAssistant, init_integration: MockConfigEntry, waiting: Client
) -> None:
    form = await answer(hass, await fix(hass, init_integration), name="Gate", circuit="main")
    manager = hass.config_entries.subentries
    by_hand = await manager.async_init((init_integration.entry_id, "station"), context={"source": "user"})
    assert by_hand["data_schema"] is not None
    (offered,) = by_hand["data_schema"].schema["identity"].config["options"]
    assert offered == {"value": "CP9", "label": "CP9 Maker Post"}
    by_hand = await manager.async_configure(by_hand["flow_id"], {"identity": "CP9", "circuit": "main", "evse_count": 1})
    for _ in range(2):  # it has two EVSEs, whatever was typed
        by_hand = await manager.async_configure(by_hand["flow_id"], {"phases": "3", "rotation": "unknown", "max_a": 32})
    by_hand = await manager.async_configure(by_hand["flow_id"], {"authentication": "none"})
    assert by_hand["type"] is FlowResultType.CREATE_ENTRY
    await told(hass, init_integration, lambda site: "CP9" in site.stations and site.stations["CP9"].ready)
    for _ in range(2):
        form = await answer(hass, form, phases="3", rotation="unknown", max_a=32)
    result = await answer(hass, form, authentication="none")
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "already_configured")


async def test_records_that_can_be_written_again_after_a_reload(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """What is wrong with them is told as long as it is."""
    database = Path(hass.config.path(f"{DOMAIN}_{entry.entry_id}.db"))
    database.mkdir()
    try:
        assert await hass.config_entries.async_setup(entry.entry_id)
        assert "ledger_failed" in issues(hass)
    finally:
        database.rmdir()
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert "ledger_failed" not in issues(hass)
    await hass.config_entries.async_unload(entry.entry_id)


async def test_records_that_could_not_be_opened_are_written_once_they_can(
    hass: HomeAssistant, entry: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has to reload anything, and what was recorded meanwhile is there."""
    monkeypatch.setattr(coordinator, "OPEN_AGAIN_S", 0.05)
    database = Path(hass.config.path(f"{DOMAIN}_{entry.entry_id}.db"))
    database.mkdir()
    try:
        assert await hass.config_entries.async_setup(entry.entry_id)
        assert "ledger_failed" in issues(hass)
        async with raw_station(entry, "CP1") as station:
            await station.boot()
            await station.status("Occupied")
            await station.transaction("Started", 0, "Charging", trigger="Authorized", energy_wh=0)
            await until(hass, "sensor.left_evse_1_status", "charging")
    finally:
        database.rmdir()
    ledger = entry.runtime_data._ledger
    async with asyncio.timeout(10):
        while "ledger_failed" in issues(hass):
            await asyncio.sleep(0)
    await ledger.flush()
    assert [session.station for session in await ledger.open_sessions()] == ["CP1"]
    await hass.config_entries.async_unload(entry.entry_id)


def test_a_building_that_draws_more_than_its_worst_case_is_told(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    main = replace(MAIN, worst_seen_a=(0.0, 27.0, 23.0), worst_said_a=(20.0, 20.0, 20.0))
    async_sync_issues(hass, entry, replace(QUIET, circuits={"main": main}))
    assert issues(hass)["worst_case_exceeded"].translation_placeholders == {"circuit": "Home", "seen_a": "27", "said_a": "20"}
    async_sync_issues(hass, entry, QUIET)
    assert issues(hass) == {}


def test_a_site_that_is_not_safe_without_us_is_told_once_the_loop_could_not_mend_it(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    found = (Violation(circuit_id="main", phase=Phase.L2, excess_a=3.2), Violation(circuit_id="main", phase=Phase.L1, excess_s=7.5))
    async_sync_issues(hass, entry, replace(QUIET, dead_man=DeadManHealth(holds=False, violations=found, broken_s=UNMENDED_S - 1)))
    assert issues(hass) == {}
    async_sync_issues(hass, entry, replace(QUIET, dead_man=DeadManHealth(holds=False, violations=found, broken_s=UNMENDED_S)))
    issue = issues(hass)["dead_man_broken"]
    assert issue.translation_placeholders == {"circuit": "Home", "excess_a": "4", "excess_s": "8"}
    async_sync_issues(hass, entry, replace(QUIET, dead_man=DeadManHealth(holds=True)))
    assert issues(hass) == {}
