"""Repairs about what was done to relieve a breaker, or to end an overdraw: sessions that were stopped, EVSEs that are out of service."""

from collections.abc import Mapping

from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers import issue_registry as ir

from .issue import Issue
from .site.measure import Stage
from .site.snapshot import SiteSnapshot

STAGES: Mapping[Stage, tuple[str, ir.IssueSeverity]] = {
    Stage.STOPPED: ("evse_stopped", ir.IssueSeverity.WARNING),
    Stage.OUT: ("evse_out_of_service", ir.IssueSeverity.ERROR),
}
"""The issue's translation key and weight; an EVSE that is back needs nobody."""
OVERDREW = "evse_stopped_overdraw"
"""…and the key where a car went on drawing more than it was told, and no circuit was overloaded."""


def protection_issues(entry: ConfigEntry, snapshot: SiteSnapshot, names: Mapping[str | None, str]) -> dict[str, Issue]:
    """Return the issues by their ids; `names` are the stations' by identity."""
    issues = {}
    for key, evse in snapshot.evses.items():
        if evse.measure is None or evse.measure.stage not in STAGES:
            continue
        translation_key, severity = STAGES[evse.measure.stage]
        placeholders = {"station": names.get(key.station, key.station), "evse_id": str(key.evse_id)}
        if evse.measure.limit_a is not None:
            translation_key = OVERDREW
            placeholders |= {"limit": f"{evse.measure.limit_a:.1f}", "current": f"{evse.measure.draw_a:.1f}"}
        else:
            circuit = snapshot.circuits.get(evse.measure.circuit_id)
            placeholders["circuit"] = evse.measure.circuit_id if circuit is None else circuit.circuit.name
            placeholders["current"] = f"{evse.measure.draw_a:.0f}"
        issues[f"{translation_key}_{entry.entry_id}_{key.station}_{key.evse_id}"] = Issue(translation_key, severity, placeholders)
    return issues
