"""What a person has to see to: stations that wait for approval, meters that went silent, stations that do not obey."""

from collections.abc import Callable, Mapping
from datetime import timedelta
import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, override

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.components.repairs.models import RepairsFlowContext
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .concerns import Concerns
from .const import CONF_IDENTITY, CONF_SECURITY, DOMAIN, SUBENTRY_STATION
from .csms.upkeep import FirmwareState
from .engine.share import PLANNED
from .issue import Issue
from .metering.agreement import Suspicion
from .phase_map_repair import PHASE_MAP_WRONG, PhaseMapFlow, phase_map_issues
from .protection_issues import protection_issues
from .security_issues import BELOW_PROFILE, LOGIN_FAILING, security_issues
from .site.snapshot import MeterHealth, PendingStation, SiteSnapshot
from .station_access import station_subentry
from .station_form import StationDraft, pending_stations
from .station_security_flow import StationSecuritySteps

if TYPE_CHECKING:  # the coordinator raises these repairs
    from .coordinator import HeadroomConfigEntry

CONF_ENTRY_ID = "entry_id"

STATION_PENDING = "station_pending"
METER_LOST = "meter_lost"
RESOURCE_LOST = "resource_lost"
RESOURCE_IN_THE_WAY = "resource_in_the_way"
DEAD_MAN_BROKEN = "dead_man_broken"
STATION_PROBLEMS: Mapping[str, str] = {
    "rejects_profiles": "station_rejects_profiles",
    "disobedient": "station_disobedient",
    "keeps_other_profile": "station_keeps_other_profile",
}
"""The issue's translation key for each problem a station may have; any other has `STATION_PROBLEM`."""
STATION_PROBLEM = "station_problem"
STATION_AWAITS_REBOOT = "station_awaits_reboot"
STATION_MONITOR = "station_monitor"
STATION_CLOCK = "station_clock"
STATION_TOKENS = "station_tokens_outdated"
STATION_AWAY = "station_away"
AWAY_LONG = timedelta(minutes=15)
"""A station that restarts or loses its network for a moment is nobody's trouble; one that stays away is."""
METER_DISAGREES: Mapping[Suspicion | None, str] = {
    None: "meter_disagrees",
    Suspicion.ROTATED: "meter_disagrees_rotated",
    Suspicion.ELSEWHERE: "meter_disagrees_elsewhere",
    Suspicion.INVERTED: "meter_disagrees_inverted",
}
"""The issue's translation key for what would explain that a meter shows less than its parts draw."""
LOOP_FAILED = "loop_failed"
NO_SOLVER = "no_solver"
FIRMWARE_FAILURES: Mapping[FirmwareState, str] = {
    FirmwareState.DOWNLOAD_FAILED: "firmware_download_failed",
    FirmwareState.INVALID_SIGNATURE: "firmware_invalid_signature",
    FirmwareState.INSTALL_VERIFICATION_FAILED: "firmware_verification_failed",
    FirmwareState.INSTALLATION_FAILED: "firmware_installation_failed",
}
"""The issue's translation key for each way an update may fail."""
REPAIRED = ("password_changed", "upgraded", "highest_profile")
"""Outcomes after which nothing is left to be done."""


def pending_issue_id(entry: HeadroomConfigEntry, identity: str) -> str:
    """Return the id of the issue about a station that waits. Two sites may each have a station of that identity waiting."""
    return f"{STATION_PENDING}_{entry.entry_id}_{identity}"


@callback
def async_sync_issues(
    hass: HomeAssistant, entry: HeadroomConfigEntry, snapshot: SiteSnapshot, concerns: Concerns | None = None, *, solver: bool = True
) -> None:
    """Raise the issues that a snapshot gives cause for and clear the site's others. Cheap where nothing changed."""
    issues = {pending_issue_id(entry, pending.identity): _pending_issue(entry, pending) for pending in snapshot.pending.values()}
    for circuit_id, circuit in snapshot.circuits.items():
        if circuit.meter is MeterHealth.LOST:
            worst = max(circuit.circuit.unmanaged_worst_a)
            issues[f"{METER_LOST}_{entry.entry_id}_{circuit_id}"] = Issue(
                METER_LOST,
                ir.IssueSeverity.WARNING,
                {"circuit": circuit.circuit.name, "worst_case_a": f"{worst:g}", "cause": circuit.meter_error or "–"},
            )
        if (found := circuit.disagreement) is not None:
            key = METER_DISAGREES[found.suspicion]
            placeholders = {"circuit": circuit.circuit.name, "part": _part_name(entry, snapshot, found.suspect)}
            issues[f"{key}_{entry.entry_id}_{circuit_id}"] = Issue(key, ir.IssueSeverity.WARNING, placeholders)
    if snapshot.failing:
        issues[f"{LOOP_FAILED}_{entry.entry_id}"] = Issue(LOOP_FAILED, ir.IssueSeverity.CRITICAL, {"site": entry.title})
    for resource_id, resource in snapshot.resources.items():
        if resource.meter is MeterHealth.LOST:
            issues[f"{RESOURCE_LOST}_{entry.entry_id}_{resource_id}"] = Issue(
                RESOURCE_LOST, ir.IssueSeverity.WARNING, {"name": resource.name, "cause": resource.meter_error or "–"}
            )
        if resource.in_the_way:
            issues[f"{RESOURCE_IN_THE_WAY}_{entry.entry_id}_{resource_id}"] = Issue(
                RESOURCE_IN_THE_WAY, ir.IssueSeverity.WARNING, {"name": resource.name}
            )
    if snapshot.dead_man.lasts:
        for circuit_id in {each.circuit_id for each in snapshot.dead_man.violations}:
            broken = [each for each in snapshot.dead_man.violations if each.circuit_id == circuit_id]
            issues[f"{DEAD_MAN_BROKEN}_{entry.entry_id}_{circuit_id}"] = Issue(
                DEAD_MAN_BROKEN,
                ir.IssueSeverity.ERROR,
                {
                    "circuit": snapshot.circuits[circuit_id].circuit.name,
                    "excess_a": f"{math.ceil(max(each.excess_a for each in broken)):d}",
                    "excess_s": f"{math.ceil(max(each.excess_s for each in broken)):d}",
                },
            )
    if not solver and snapshot.mode.follows and snapshot.policy in PLANNED:
        issues[f"{NO_SOLVER}_{entry.entry_id}"] = Issue(NO_SOLVER, ir.IssueSeverity.WARNING, {"site": entry.title})
    names = {station.unique_id: station.title for station in entry.get_subentries_of_type(SUBENTRY_STATION)}
    for identity, station in snapshot.stations.items():
        if station.problem:
            key = STATION_PROBLEMS.get(station.problem, STATION_PROBLEM)
            placeholders = {"station": names.get(identity, identity), "identity": identity, "problem": station.problem}
            issues[f"{key}_{entry.entry_id}_{identity}"] = Issue(key, ir.IssueSeverity.ERROR, placeholders)
        if station.away_since is not None and snapshot.at - station.away_since >= AWAY_LONG:
            placeholders = {"station": names.get(identity, identity), "identity": identity}
            issues[f"{STATION_AWAY}_{entry.entry_id}_{identity}"] = Issue(STATION_AWAY, ir.IssueSeverity.WARNING, placeholders)
        if station.tokens_outdated:
            placeholders = {"station": names.get(identity, identity), "identity": identity}
            issues[f"{STATION_TOKENS}_{entry.entry_id}_{identity}"] = Issue(STATION_TOKENS, ir.IssueSeverity.WARNING, placeholders)
        if station.inventory.awaiting_reboot:
            placeholders = {"station": names.get(identity, identity), "variables": ", ".join(station.inventory.awaiting_reboot)}
            issues[f"{STATION_AWAITS_REBOOT}_{entry.entry_id}_{identity}"] = Issue(
                STATION_AWAITS_REBOOT, ir.IssueSeverity.WARNING, placeholders
            )
    issues |= protection_issues(entry, snapshot, names)
    concerns = concerns or Concerns()
    for identity, event in concerns.monitors():
        placeholders = {
            "station": names.get(identity, identity),
            "variable": f"{event.component}.{event.variable}",
            "value": event.value,
            "text": event.text or event.code or "–",
        }
        issue_id = f"{STATION_MONITOR}_{entry.entry_id}_{identity}_{event.component}_{event.variable}_{event.monitor_id}"
        issues[issue_id] = Issue(STATION_MONITOR, ir.IssueSeverity.ERROR, placeholders)
    for identity, offset_s in concerns.clocks():
        placeholders = {"station": names.get(identity, identity), "offset_s": f"{offset_s:.0f}"}
        issues[f"{STATION_CLOCK}_{entry.entry_id}_{identity}"] = Issue(STATION_CLOCK, ir.IssueSeverity.WARNING, placeholders)
    for identity, state in concerns.firmware():
        key = FIRMWARE_FAILURES[state]
        issues[f"{key}_{entry.entry_id}_{identity}"] = Issue(key, ir.IssueSeverity.ERROR, {"station": names.get(identity, identity)})
    issues |= security_issues(entry) | phase_map_issues(entry, snapshot)
    for issue_id in _raised(hass, entry) - issues.keys():
        ir.async_delete_issue(hass, DOMAIN, issue_id)
    for issue_id, issue in issues.items():
        _create(hass, entry, issue_id, issue)


@callback
def async_clear_issues(hass: HomeAssistant, entry: HeadroomConfigEntry) -> None:
    """Clear every issue of a site, for when it stops: what nobody watches can't be told."""
    for issue_id in _raised(hass, entry):
        ir.async_delete_issue(hass, DOMAIN, issue_id)


def _pending_issue(entry: HeadroomConfigEntry, pending: PendingStation) -> Issue:
    placeholders = {"site": entry.title, "identity": pending.identity, "station": _described(pending), "remote": pending.remote or "–"}
    return Issue(STATION_PENDING, ir.IssueSeverity.WARNING, placeholders, pending.identity)


def _part_name(entry: HeadroomConfigEntry, snapshot: SiteSnapshot, part: str | None) -> str:
    """Return what a person calls a part of a circuit that is measured: a circuit below it, or an EVSE."""
    if part is None:
        return "–"
    if part in snapshot.circuits:
        return snapshot.circuits[part].circuit.name
    identity, _, evse_id = part.rpartition("/")
    names = {station.unique_id: station.title for station in entry.get_subentries_of_type(SUBENTRY_STATION)}
    return f"{names.get(identity, identity)} (EVSE {evse_id})"


def _described(pending: PendingStation) -> str:
    """Return what a station says it is."""
    return " ".join(part for part in (pending.info.vendor, pending.info.model) if part) or "–"


def _raised(hass: HomeAssistant, entry: HeadroomConfigEntry) -> set[str]:
    """Return the ids of the issues that stand for a site now; one that a person ignored and that is over has no data."""
    return {
        issue_id
        for (domain, issue_id), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN and issue.data and issue.data.get(CONF_ENTRY_ID) == entry.entry_id
    }


def _create(hass: HomeAssistant, entry: HeadroomConfigEntry, issue_id: str, issue: Issue) -> None:
    data: dict[str, str | int | float | None] = {CONF_ENTRY_ID: entry.entry_id}
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        data=data | {CONF_IDENTITY: issue.identity} if issue.identity else data,
        is_fixable=issue.identity is not None,
        severity=issue.severity,
        translation_key=issue.translation_key,
        translation_placeholders=issue.placeholders,
    )


class StationRepairFlow(StationSecuritySteps[RepairsFlowContext, RepairsFlowResult, str], RepairsFlow):
    """A repair of one station."""

    def __init__(self, entry: HeadroomConfigEntry | None, identity: str) -> None:
        """Take the site (None: it is gone) and the station's identity."""
        self._entry = entry
        self._identity = identity

    @property
    @override
    def site_entry(self) -> HeadroomConfigEntry:
        """The site."""
        assert self._entry is not None
        return self._entry

    @property
    @override
    def identity(self) -> str:
        """The station's identity."""
        return self._identity

    @override
    def finish(self, outcome: str) -> RepairsFlowResult:
        """End the flow; the issue goes where nothing is left to be done."""
        return self.async_create_entry(data={}) if outcome in REPAIRED else self.async_abort(reason=outcome)


class LoginFailingFlow(StationRepairFlow):
    """Give a station that can't log in a new password, to be entered there by hand."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Look whether there is a station."""
        if self._entry is None or station_subentry(self._entry, self._identity) is None:
            return self.async_abort(reason="station_gone")
        return await self.async_step_new_password()


class BelowProfileFlow(StationRepairFlow):
    """Bring a station up to what the site asks for."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Look whether it can be asked."""
        if self._entry is None or self._entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="station_gone")
        return await self.async_step_upgrade()


class PendingStationFlow(StationRepairFlow):
    """Add a station that waits: ask what only a person knows, then let it in."""

    def __init__(self, entry: HeadroomConfigEntry | None, identity: str) -> None:
        """Take the site (None: it is gone) and the station's identity."""
        super().__init__(entry, identity)
        self._draft: StationDraft | None = None
        self._placeholders: dict[str, str] = {}

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Look whether the station still waits."""
        if self._entry is None or (pending := pending_stations(self._entry).get(self._identity)) is None:
            return self.async_abort(reason="station_gone")
        evses = sorted(evse_id for evse_id in pending.inventory.evse_connectors if evse_id > 0)
        self._placeholders = {
            "identity": pending.identity,
            "station": _described(pending),
            "firmware": pending.info.firmware_version or "–",
            "serial_number": pending.info.serial_number or "–",
            "remote": pending.remote or "–",
            "evses": ", ".join(map(str, evses)) or "–",
        }
        name = pending.identity if _described(pending) == "–" else _described(pending)
        self._draft = StationDraft(self._entry, pending.identity, name)
        return await self.async_step_station()

    async def async_step_station(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask for its name and circuit."""
        assert self._draft is not None
        if user_input:
            self._draft.submit_station(user_input)
            return await self.async_step_evse()
        return self.async_show_form(
            step_id="station", data_schema=self._draft.station_schema(), description_placeholders=self._placeholders, last_step=False
        )

    async def async_step_evse(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask about one EVSE after the other."""
        assert self._draft is not None
        errors = self._draft.submit_evse(user_input) if user_input else {}
        if self._draft.complete:
            return await self.async_step_authentication()
        return self.async_show_form(
            step_id="evse",
            data_schema=self.add_suggested_values_to_schema(self._draft.evse_schema(), user_input if errors else None),
            errors=errors,
            description_placeholders=self._draft.evse_placeholders(),
            last_step=False,
        )

    @property
    @override
    def station_name(self) -> str:
        """What the station is going to be called."""
        return self._draft.name if self._draft is not None else self.identity

    @override
    def after_password(self) -> RepairsFlowResult:
        """Store the station: the site takes it over at once, and asks it to boot again, or to come back with its password."""
        draft = self._draft
        assert draft is not None
        entry = draft.entry
        data = draft.data | ({CONF_SECURITY: dict(self.security)} if self.security else {})
        subentry = ConfigSubentry(data=MappingProxyType(data), subentry_type=SUBENTRY_STATION, title=draft.name, unique_id=draft.identity)
        self.hass.config_entries.async_add_subentry(entry, subentry)
        if entry.state is ConfigEntryState.LOADED:
            entry.runtime_data.async_apply()  # nothing is left to do where the entry's update listener was faster
        return self.async_create_entry(data={})


FLOWS: Mapping[str, Callable[[HeadroomConfigEntry | None, str], RepairsFlow]] = {
    STATION_PENDING: PendingStationFlow,
    BELOW_PROFILE: BelowProfileFlow,
    LOGIN_FAILING: LoginFailingFlow,
    PHASE_MAP_WRONG: PhaseMapFlow,
}
"""What fixes an issue, by what its id begins with."""


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None) -> RepairsFlow:
    """Return the flow that fixes an issue."""
    data = data or {}
    flow = next((flow for prefix, flow in FLOWS.items() if issue_id.startswith(f"{prefix}_")), PendingStationFlow)
    return flow(hass.config_entries.async_get_entry(str(data.get(CONF_ENTRY_ID))), str(data.get(CONF_IDENTITY)))
