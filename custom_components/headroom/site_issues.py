"""Repairs about a site's circuits, their meters, its resources, and the loop itself."""

from collections.abc import Callable, Mapping
import math

from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers import issue_registry as ir

from .engine.share import PLANNED
from .issue import Issue
from .meter_repair import METER_SEEN_AS, meter_placeholders
from .metering.agreement import Suspicion
from .metering.fault import Trouble
from .site.snapshot import MeterHealth, SiteSnapshot

METER_LOST = "meter_lost"
METER_DISAGREES: Mapping[Suspicion | None, str] = {
    None: "meter_disagrees",
    Suspicion.ROTATED: "meter_disagrees_rotated",
    Suspicion.ELSEWHERE: "meter_disagrees_elsewhere",
    Suspicion.INVERTED: "meter_disagrees_inverted",
}
"""The issue's translation key for what would explain that a meter shows less than its parts draw."""
RESOURCE_LOST = "resource_lost"
RESOURCE_IN_THE_WAY = "resource_in_the_way"
LIMIT_SOURCE_SILENT = "limit_source_silent"
LIMIT_SOURCE_GONE = "limit_source_gone"
DEAD_MAN_BROKEN = "dead_man_broken"
LOOP_FAILED = "loop_failed"
NO_SOLVER = "no_solver"


def site_issues(
    entry: ConfigEntry,
    snapshot: SiteSnapshot,
    names: Mapping[str | None, str],
    in_words: Callable[[Trouble | None], str],
    *,
    solver: bool,
) -> dict[str, Issue]:
    """Return the issues by their ids.

    `names` are the stations' by identity, `in_words` says what is wrong with a meter, `solver` is whether plans have one.
    """
    issues = {}
    for circuit_id, circuit in snapshot.circuits.items():
        if circuit.meter is MeterHealth.LOST:
            key = METER_LOST if circuit.meter_error is None else METER_SEEN_AS.get(circuit.meter_error.fault, METER_LOST)
            placeholders, about = meter_placeholders(circuit), circuit_id if key != METER_LOST else None
            if about is None:
                placeholders["cause"] = in_words(circuit.meter_error)
            issues[f"{key}_{entry.entry_id}_{circuit_id}"] = Issue(key, ir.IssueSeverity.WARNING, placeholders, about)
        if (found := circuit.disagreement) is not None:
            key = METER_DISAGREES[found.suspicion]
            placeholders = {"circuit": circuit.circuit.name, "part": _part_name(snapshot, found.suspect, names)}
            issues[f"{key}_{entry.entry_id}_{circuit_id}"] = Issue(key, ir.IssueSeverity.WARNING, placeholders)
    if snapshot.failing:
        issues[f"{LOOP_FAILED}_{entry.entry_id}"] = Issue(LOOP_FAILED, ir.IssueSeverity.CRITICAL, {"site": entry.title})
    for resource_id, resource in snapshot.resources.items():
        if resource.meter is MeterHealth.LOST:
            issues[f"{RESOURCE_LOST}_{entry.entry_id}_{resource_id}"] = Issue(
                RESOURCE_LOST, ir.IssueSeverity.WARNING, {"name": resource.name, "cause": in_words(resource.meter_error)}
            )
        if resource.in_the_way:
            issues[f"{RESOURCE_IN_THE_WAY}_{entry.entry_id}_{resource_id}"] = Issue(
                RESOURCE_IN_THE_WAY, ir.IssueSeverity.WARNING, {"name": resource.name}
            )
    for silence in snapshot.silences:
        if (limited := snapshot.circuits.get(silence.circuit_id)) is not None:
            key = LIMIT_SOURCE_SILENT if silence.failsafe_holds else LIMIT_SOURCE_GONE
            placeholders = {"source": silence.source, "circuit": limited.circuit.name}
            issue_id = f"{key}_{entry.entry_id}_{silence.circuit_id}_{silence.source}"
            issues[issue_id] = Issue(key, ir.IssueSeverity.WARNING, placeholders)
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
    return issues


def _part_name(snapshot: SiteSnapshot, part: str | None, names: Mapping[str | None, str]) -> str:
    """Return what a person calls a part of a circuit that is measured: a circuit below it, or an EVSE."""
    if part is None:
        return "–"
    if part in snapshot.circuits:
        return snapshot.circuits[part].circuit.name
    identity, _, evse_id = part.rpartition("/")
    return f"{names.get(identity, identity)} (EVSE {evse_id})"
