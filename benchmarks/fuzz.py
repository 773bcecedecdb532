"""Frames gone wrong, by the hundred thousand, against a running central system with its control loop, over real sockets.

What it does and what must hold is told in `tests/csms/fuzzing.py`; the suite does a small share of it. The exit status is 1 where
anything did not hold.
"""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict
import json
import platform
import sys
from typing import Any

from tests.csms.fuzzing import Report, fuzz

MOST_GROWTH_MB = 30.0
"""How much this process may grow from a fifth of the messages to the last: caches fill, a leak goes on."""
MOST_WAIT_S = 5.0
"""How long the station that behaves may wait for an answer."""


def document(report: Report) -> dict[str, Any]:
    """Return a report as JSON-able data."""
    found = asdict(report) | {"errors": dict(report.errors), "faults": list(dict.fromkeys(report.faults))[:10]}
    for name in ("wrong", "logged", "unwritable"):
        found[name] = len(found[name])
    return found | {"messages_per_s": round(report.messages / report.seconds), "grown_mb": round(report.rss_mb[-1] - report.rss_mb[1], 1)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz, print the report as JSON, and return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench fuzz", description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=100_000, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other messages (%(default)s)")
    options = parser.parse_args(arguments)
    report = asyncio.run(fuzz(options.messages, options.seed))
    found = document(report)
    print(json.dumps({"benchmark": "fuzz", "python": platform.python_version(), "seed": options.seed} | found, indent=2))
    held = not report.faults and found["grown_mb"] <= MOST_GROWTH_MB and report.good_worst_s <= MOST_WAIT_S
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
