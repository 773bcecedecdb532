"""How fast a site under control sheds load: from the reading that shows a step to the last station's acknowledgement, at 5, 50 and 500 EVSEs.

The site's central system, control loop, meter and ledger are one process, as they are in Home Assistant; its stations, cars, building and
the meter's server are this one. All of it goes over sockets. The building climbs a stair from the load at which every car has all it can
take to the one that leaves each 8 A, and the next step comes when the site is steady again; then it falls, and all rise. Each stair's
first step is more than the breaker carries for good; of a small one that is given time to pass, that time is not counted.

With --check the exit status is 1 where a reaction's 99th percentile is above what the project promises.
"""

import argparse
import asyncio
from collections.abc import Sequence
import os
from pathlib import Path
import platform
import sys
from typing import Any

from benchmarks import told

from .measure import Plan, measured

MOST_P99_MS = {50: 250.0, 500: 1000.0}
SIZES = (5, 50, 500)
FULL = {5: Plan(steps=54, rest_s=20.0), 50: Plan(steps=54, rest_s=20.0), 500: Plan(steps=18, rest_s=20.0)}
QUICK = {5: Plan(steps=12, rest_s=5.0), 50: Plan(steps=12, rest_s=5.0), 500: Plan(steps=6, rest_s=5.0)}


def shortcomings(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return what is below what --check asks for."""
    found = []
    for result in results:
        evses, p99_ms = result["evses"], result["reaction_ms"]["p99"]
        if result["unanswered"]:
            found.append(f"{evses} EVSEs: {result['unanswered']} steps whose cuts were never all acknowledged")
        if evses in MOST_P99_MS and (p99_ms is None or p99_ms > MOST_P99_MS[evses]):
            found.append(f"{evses} EVSEs: 99 % of the reactions within {p99_ms} ms, not {MOST_P99_MS[evses]:g} ms")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the results as JSON, and return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench control", description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail where a reaction takes too long")
    parser.add_argument("--json", type=Path, help="write the results there too")
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--evses", nargs="*", type=int, choices=SIZES, default=SIZES, help="only these sizes")
    parser.add_argument("--seed", type=int, default=1, help="of the steps and the cars' responses")
    options = parser.parse_args(arguments)
    plans = QUICK if options.quick else FULL
    results = [asyncio.run(measured(evses, plans[evses], options.seed)) for evses in options.evses]
    report = {
        "benchmark": "control",
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 2),
        "seed": options.seed,
        "results": results,
    }
    return told(report, options.json, shortcomings(results) if options.check else ())


if __name__ == "__main__":
    sys.exit(main())
