"""What a run came to: the physics by the recorder, the reactions by Home Assistant's own decisions, and whether that is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .decisions import percentile, reactions_ms
from .recorder import Recorder

MAX_OVERLOAD_S = 8.0
MAX_REACTION_P99_MS = 500.0
MIN_CAPACITY_USED_PCT = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The recorder's sums at the end of the warm-up, which capacity and writes leave out. Trips and overloads count from the start."""

    elapsed_s: float
    evse_s: float
    profile_writes: int
    short_s: float
    short_share_s: float

    @classmethod
    def of(cls, recorder: Recorder) -> Baseline:
        """Take the sums now."""
        return cls(
            elapsed_s=recorder.elapsed_s,
            evse_s=recorder.evse_s,
            profile_writes=recorder.profile_writes,
            short_s=recorder.short_s,
            short_share_s=recorder.short_share_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that is over. `decisions` are those since the warm-up; `log_troubles` are Home Assistant's warnings that are ours."""

    fault: str
    recorder: Recorder
    baseline: Baseline
    decisions: Sequence[Mapping[str, Any]]
    log_troubles: Sequence[str] = ()
    ocpp_violations: int = 0
    """Frames of the central system that stations had to refuse."""
    notes: Sequence[str] = field(default=())
    """What else went wrong, or more of it: each OCPP violation, decisions that could not be fetched, a machine that was too slow."""


def build_report(run: Run) -> dict[str, Any]:
    """Return the report, ready for JSON; None where a figure has nothing to stand on."""
    recorder, baseline = run.recorder, run.baseline
    short_s = recorder.short_s - baseline.short_s
    evse_h = (recorder.evse_s - baseline.evse_s) / 3600.0
    reactions = reactions_ms(run.decisions)
    summary = recorder.summary()
    report: dict[str, Any] = {
        "breaker_tripped": recorder.trips > 0,
        "overload_as": summary["overload_as"],
        "late_overload_as": summary["late_overload_as"],
        "max_overload_s": summary["max_overload_s"],
        "reaction_ms": {"p50": rounded(percentile(reactions, 0.50)), "p99": rounded(percentile(reactions, 0.99))},
        "profile_writes_per_evse_hour": rounded((recorder.profile_writes - baseline.profile_writes) / evse_h if evse_h else None),
        "energy_kwh": summary["energy_kwh"],
        "capacity_used_pct": rounded(100.0 * (recorder.short_share_s - baseline.short_share_s) / short_s if short_s else None),
        "sessions": summary["sessions"],
        "fault": run.fault,
        "warm_up_s": round(baseline.elapsed_s, 1),
        "measured_s": round(recorder.elapsed_s - baseline.elapsed_s, 1),
        "reactions": len(reactions),
        "building_steps": summary["building_steps"],
        "circuits": summary["circuits"],
        "decisions": len(run.decisions),
        "dead_man_violations": max((decision["dead_man_violations"] for decision in run.decisions), default=0),
        "turn_ms_p99": rounded(percentile([decision["turn_ms"] for decision in run.decisions], 0.99)),
        "ocpp_violations": run.ocpp_violations,
        "log_troubles": list(run.log_troubles),
        "notes": list(run.notes),
    }
    report["shortfalls"] = shortfalls(report)
    return report


def shortfalls(report: Mapping[str, Any]) -> list[str]:
    """Return where a run did not do what a site is for.

    While something is broken, that is only to hold the fuse and to keep to OCPP. None of the faults is a cause to complain in the log: a
    meter or a station that went silent is told of by entities and repairs.
    """
    found: list[str] = []
    if report["breaker_tripped"]:
        found.append("a breaker tripped")
    if report["ocpp_violations"]:
        found.append(f"the central system broke OCPP {report['ocpp_violations']} times")
    found += [f"the log says: {line}" for line in report["log_troubles"]]
    if report["fault"] != "none":
        return found
    if report["max_overload_s"] > MAX_OVERLOAD_S:
        found.append(f"an overload lasted {report['max_overload_s']:g} s, longer than {MAX_OVERLOAD_S:g} s")
    p99_ms = report["reaction_ms"]["p99"]
    if p99_ms is None or p99_ms > MAX_REACTION_P99_MS:
        found.append(f"99 % of the reactions within {p99_ms} ms, not {MAX_REACTION_P99_MS:g} ms")
    used_pct = report["capacity_used_pct"]
    if used_pct is None or used_pct < MIN_CAPACITY_USED_PCT:
        found.append(f"{used_pct} % of the capacity used, not {MIN_CAPACITY_USED_PCT:g} %")
    return found


def rounded(value: float | None) -> float | None:
    """Round for people."""
    return None if value is None else round(value, 2)
