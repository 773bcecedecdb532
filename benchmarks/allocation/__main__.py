"""What each policy makes of a month of charging, in Caltech's simulator, beside Caltech's own algorithms and the optimum.

The simulator, `acnportal`, runs in an interpreter of its own (environment.py, simulated/); Headroom's engine answers it from another
(worker.py). Sessions are Caltech's of March 2019 where ../shared/data or --data has them, else a month drawn by a seed.

With --check the exit status is 1 where a figure falls short of what the project promises.
"""

import argparse
from collections.abc import Sequence
import json
from pathlib import Path
import platform
import sys
from typing import Any

from .environment import REPOSITORY, NotReadyError, interpreter, say
from .jobs import BASELINES, CAPACITIES_KW, OPTIMUM, OUR_OTHERS, OURS, Result, crowds, months, run_all
from .proof import misses
from .report import compared, tables

DATA = REPOSITORY.parent / "shared" / "data" / "acn_caltech_2019_03.csv"
POLICIES = (OPTIMUM, *BASELINES, *OURS)
PARTS = ("caltech", "europe", "taper", "noise", "speed")
QUICK_KW = (30.0,)


def options_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return what was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench allocation", description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail where a figure falls short")
    parser.add_argument("--quick", action="store_true", help="the first five days at 30 kW, and fewer calls to time")
    parser.add_argument("--days", choices=("all", "tune", "score"), help="all days, the five that constants are tuned on, or the others")
    parser.add_argument("--capacity", type=float, nargs="*", metavar="KW", help="only these capacities of Caltech's transformer")
    parser.add_argument("--policy", nargs="*", choices=(*POLICIES, *OUR_OTHERS), help="only these policies")
    parser.add_argument("--part", nargs="*", choices=PARTS, default=PARTS, help="only these tables")
    parser.add_argument("--data", type=Path, help="a file of ACN-Data (default: ../shared/data)")
    parser.add_argument("--generated", action="store_true", help="the month drawn by a seed, also where there are data")
    options = parser.parse_args(arguments)
    options.days = options.days or ("tune" if options.quick else "all")
    options.capacity = options.capacity or (QUICK_KW if options.quick else CAPACITIES_KW)
    options.policy = options.policy or POLICIES
    return options


def told(result: Result) -> None:
    """Say that a job is done."""
    place = f"{result['active']} sessions" if result["active"] else f"{result['capacity_kw']:g} kW" if result["capacity_kw"] else ""
    met = f"{result['met_percent']:.2f} % met" if "met_percent" in result else f"{result['whole']['p50_ms']:.2f} ms"
    say(f"{result['part']:8} {place:12} {result['policy']:16} {met}  ({result['took_s']:.0f} s)")


def measure(options: argparse.Namespace, data: Path | None) -> dict[str, Any]:
    """Return everything that was measured."""
    python = interpreter()
    jobs = months(parts=options.part, policies=options.policy, capacities_kw=options.capacity, days=options.days)
    if "speed" in options.part:
        jobs += crowds(policies=options.policy, quick=options.quick)
    results = run_all(jobs, python, data, told)
    return {
        "benchmark": "allocation",
        "python": platform.python_version(),
        "data": data.name if data else "generated",
        "days": options.days,
        "results": compared([result for result in results if result["part"] != "speed"]),
        "speed": [result for result in results if result["part"] == "speed"],
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table to stderr and JSON to stdout, and return the exit status."""
    options = options_of(arguments)
    data = None if options.generated else options.data or (DATA if DATA.is_file() else None)
    try:
        document = measure(options, data)
    except NotReadyError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 2
    print("\n".join(tables(document["results"], document["speed"])), file=sys.stderr)
    whole_march = data is not None and options.days == "all"
    document["misses"] = misses(document["results"], document["speed"], whole_march=whole_march)
    print(json.dumps(document, indent=2))
    for each in document["misses"] if options.check else ():
        print(each, file=sys.stderr)
    return 1 if options.check and document["misses"] else 0


if __name__ == "__main__":
    sys.exit(main())
