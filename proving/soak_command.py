"""`scripts/soak`: a site by chance with faults by chance, for hours or a year of simulated time; prints JSON."""

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
import json
import logging
import multiprocessing
from pathlib import Path
import sys
import time
from typing import Any

from custom_components.headroom.engine.share import Policy

from .kept import Kept
from .soak import Chosen, shortfalls, soak

SUMMED = (
    "overload_as",
    "late_overload_as",
    "energy_kwh",
    "optimum_kwh",
    "hours",
    "slept_hours",
    "faults",
    "trips",
    "decisions",
    "dead_man_violations",
    "reactions",
    "cars",
    "sessions_ended",
    "overloads",
    "building_steps",
    "ocpp_violations",
    "measured_s",
)
HIGHEST = ("max_overload_s", "overloads_without_fault_s", "turn_ms_p99")
WORST_SHOWN = 10


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="simulated hours from a Monday's midnight on (default: 24)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same run (default: 1)")
    parser.add_argument("--evses", type=int, default=10, help="how many EVSEs, each a station of its own (default: 10)")
    parser.add_argument("--faults-per-hour", type=float, default=0.5, help="in the hours in which people are there (default: 0.5)")
    parser.add_argument("--policy", type=Policy, choices=list(Policy), default=Policy.MOST_CARS_READY, help="what the site is shared for")
    parser.add_argument("--silent", action="store_true", help="no driver says when he leaves and what he needs")
    parser.add_argument("--parts", type=int, default=1, help="split the hours into parts, each a site of its own by the next seed")
    parser.add_argument("--jobs", type=int, default=1, help="so many parts at a time, each in a process of its own")
    parser.add_argument(
        "--keep", type=Path, help="add each part to this file as it ends, and run none anew that it holds: a long run can be interrupted"
    )
    parser.add_argument("--report", type=Path, help="write the JSON into a file, too")
    parser.add_argument("--check", action="store_true", help="exit 1 where the site did not do what it is for")
    options = parser.parse_args(argv)
    if options.hours <= 0 or options.evses < 1 or options.parts < 1 or options.jobs < 1 or options.faults_per_hour < 0:
        parser.error("hours, EVSEs, parts and jobs are above 0")
    return options


def part(chosen: Chosen) -> dict[str, Any]:
    """Run one part."""
    logging.basicConfig(level=logging.CRITICAL)
    report = soak(chosen)
    print(f"==> seed {chosen.seed}: {chosen.hours:g} h in {report['wall_s']:.0f} s", file=sys.stderr, flush=True)
    return report


def parts(chosen: Sequence[Chosen], jobs: int) -> Iterator[tuple[Chosen, dict[str, Any]]]:
    """Run parts, so many at a time, and yield each with its report as it ends; where some fail, raise what the first did in the end."""
    if jobs == 1:
        yield from ((one, part(one)) for one in chosen)
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        running = {pool.submit(part, one): one for one in chosen}
        failures = []
        for ended in as_completed(running):
            if (failure := ended.exception()) is None:
                yield running[ended], ended.result()
            else:
                failures.append(failure)
    if failures:
        raise failures[0]


def merged(reports: Sequence[dict[str, Any]], wall_s: float) -> dict[str, Any]:
    """Return the report of all parts: sums, highest values, and the mean of what is a share."""
    total = {name: value for name, value in reports[0].items() if name != "circuits"}
    for name in SUMMED:
        total[name] = round(sum(report[name] for report in reports), 3)
    for name in HIGHEST:
        total[name] = max((report[name] for report in reports if report[name] is not None), default=None)
    hours = sum(report["hours"] for report in reports)
    for name in ("capacity_used_pct", "profile_writes_per_evse_hour"):
        known = [report for report in reports if report[name] is not None]
        total[name] = round(sum(report[name] * report["hours"] for report in known) / hours, 2) if known else None
    worst = sorted(
        (one | {"seed": report["seed"]} for report in reports for one in report["longest_overloads"]), key=lambda one: -one["lasted_s"]
    )
    total |= {
        "breaker_tripped": total["trips"] > 0,
        "seed": [report["seed"] for report in reports],
        "longest_overloads": worst[:WORST_SHOWN],
        "log_troubles": [line for report in reports for line in report["log_troubles"]][:WORST_SHOWN],
        "notes": [line for report in reports for line in report["notes"]][:WORST_SHOWN],
        "dead_man_broken_at_s": {report["seed"]: report["dead_man_broken_at_s"] for report in reports if report["dead_man_broken_at_s"]},
        "reaction_ms": {
            share: max((report["reaction_ms"][share] for report in reports if report["reaction_ms"][share] is not None), default=None)
            for share in ("p50", "p99")
        },
        "energy_of_optimum_pct": round(100 * total["energy_kwh"] / total["optimum_kwh"], 2) if total["optimum_kwh"] else None,
        "wall_s": round(sum(report["wall_s"] for report in reports), 1),
        "hours_per_wall_s": round(hours / wall_s, 4),
        "code": sorted({report["code"] for report in reports}),
        "python": sorted({report["python"] for report in reports}),
    }
    total["shortfalls"] = shortfalls(total)
    return total


def main(argv: Sequence[str]) -> int:
    """Run from the command line."""
    options, began = arguments(argv), time.perf_counter()
    chosen = [
        Chosen(
            seed=options.seed + number,
            evses=options.evses,
            hours=options.hours / options.parts,
            faults_per_hour=options.faults_per_hour,
            tell=not options.silent,
            policy=options.policy,
        )
        for number in range(options.parts)
    ]
    kept = Kept(options.keep)
    for one, ended in parts([one for one in chosen if one not in kept], options.jobs):
        kept.add(one, ended)
    report = merged([kept[one] for one in chosen], time.perf_counter() - began)
    text = json.dumps(report, indent=2)
    if options.report:
        options.report.write_text(f"{text}\n")
    print(text)
    return 1 if options.check and report["shortfalls"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
