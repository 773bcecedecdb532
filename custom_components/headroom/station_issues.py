"""Repairs about stations: what the loop saw of them, and what they say of themselves."""

from collections.abc import Mapping
from datetime import timedelta

from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers import issue_registry as ir

from .concerns import Concerns
from .csms.upkeep import FirmwareState
from .issue import Issue
from .site.snapshot import SiteSnapshot

STATION_PROBLEMS: Mapping[str, str] = {
    "rejects_profiles": "station_rejects_profiles",
    "unanswered": "station_unanswered",
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
PHASE_SWITCH_FAILED = "phase_switch_failed"
FIRMWARE_FAILURES: Mapping[FirmwareState, str] = {
    FirmwareState.DOWNLOAD_FAILED: "firmware_download_failed",
    FirmwareState.INVALID_SIGNATURE: "firmware_invalid_signature",
    FirmwareState.INSTALL_VERIFICATION_FAILED: "firmware_verification_failed",
    FirmwareState.INSTALLATION_FAILED: "firmware_installation_failed",
}
"""The issue's translation key for each way an update may fail."""


def station_issues(entry: ConfigEntry, snapshot: SiteSnapshot, names: Mapping[str | None, str]) -> dict[str, Issue]:
    """Return the issues that the loop sees of stations, by their ids; `names` are the stations' by identity."""
    issues = {}
    for identity, station in snapshot.stations.items():
        if station.problem:
            key = STATION_PROBLEMS.get(station.problem, STATION_PROBLEM)
            placeholders = {"station": names.get(identity, identity), "identity": identity, "problem": station.problem}
            severity = ir.IssueSeverity.WARNING if station.problem == "unanswered" else ir.IssueSeverity.ERROR  # its network may be all
            issues[f"{key}_{entry.entry_id}_{identity}"] = Issue(key, severity, placeholders)
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
    for evse_key, evse in snapshot.evses.items():
        if evse.phase_switch_failed:
            placeholders = {"station": names.get(evse_key.station, evse_key.station), "evse_id": str(evse_key.evse_id)}
            issues[f"{PHASE_SWITCH_FAILED}_{entry.entry_id}_{evse_key.station}_{evse_key.evse_id}"] = Issue(
                PHASE_SWITCH_FAILED, ir.IssueSeverity.WARNING, placeholders
            )
    return issues


def concern_issues(entry: ConfigEntry, concerns: Concerns, names: Mapping[str | None, str]) -> dict[str, Issue]:
    """Return the issues about what stations say is wrong with them, by their ids."""
    issues = {}
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
    return issues
