"""What a person has to see to: stations that wait for approval, meters that went silent, stations that do not obey."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, override

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.components.repairs.models import RepairsFlowContext
from homeassistant.config_entries import ConfigEntryState, ConfigSubentry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .circuit_repair import CIRCUIT_GONE, CircuitGoneFlow, circuit_issues
from .concerns import Concerns
from .const import CONF_IDENTITY, CONF_SECURITY, DOMAIN, SUBENTRY_STATION
from .issue import Issue
from .meter_faults import in_words
from .meter_repair import METER_TURNED, METER_UNSEEN, MeterSeenFlow
from .phase_map_repair import PHASE_MAP_WRONG, PhaseMapFlow, phase_map_issues
from .protection_issues import protection_issues
from .removal_repair import EVSE_REMOVED, STATION_REMOVED, StationRemovedFlow, removal_issues
from .security_issues import BELOW_PROFILE, LOGIN_FAILING, security_issues
from .site.snapshot import PendingStation, SiteSnapshot
from .site_issues import site_issues
from .station_access import station_subentry
from .station_form import StationDraft, pending_stations
from .station_issues import concern_issues, station_issues
from .station_security_flow import StationSecuritySteps
from .worst_case_repair import WORST_CASE_EXCEEDED, WorstCaseFlow, worst_case_issues

if TYPE_CHECKING:  # the coordinator raises these repairs
    from .coordinator import HeadroomConfigEntry

CONF_ENTRY_ID = "entry_id"

STATION_PENDING = "station_pending"
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
    names = {station.unique_id: station.title for station in entry.get_subentries_of_type(SUBENTRY_STATION)}
    issues |= site_issues(entry, snapshot, names, partial(in_words, hass), solver=solver) | station_issues(entry, snapshot, names)
    issues |= concern_issues(entry, concerns or Concerns(), names) | protection_issues(entry, snapshot, names)
    issues |= security_issues(entry) | phase_map_issues(entry, snapshot) | circuit_issues(entry) | removal_issues(entry, snapshot)
    issues |= worst_case_issues(entry, snapshot)
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
    CIRCUIT_GONE: CircuitGoneFlow,
    STATION_REMOVED: StationRemovedFlow,
    EVSE_REMOVED: StationRemovedFlow,
    WORST_CASE_EXCEEDED: WorstCaseFlow,
    METER_TURNED: MeterSeenFlow,
    METER_UNSEEN: MeterSeenFlow,
}
"""What fixes an issue, by what its id begins with."""


async def async_create_fix_flow(hass: HomeAssistant, issue_id: str, data: dict[str, str | int | float | None] | None) -> RepairsFlow:
    """Return the flow that fixes an issue."""
    data = data or {}
    flow = next((flow for prefix, flow in FLOWS.items() if issue_id.startswith(f"{prefix}_")), PendingStationFlow)
    return flow(hass.config_entries.async_get_entry(str(data.get(CONF_ENTRY_ID))), str(data.get(CONF_IDENTITY)))
