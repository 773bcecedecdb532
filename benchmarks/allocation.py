"""How long one allocation takes, with 5, 50 and 500 sessions on a European site.

The site: floors of 50 EVSEs with distribution boards of 10, everything three-phase, 4 A a session at the main fuse so that not
all fit; three cars in ten charge on one phase, rotated, one on two. Each call sees another building load and other ceilings.

With --check the exit status is 1 where the 99th percentile is above the time that a control loop can spare.
"""

import argparse
from collections.abc import Sequence
import json
import platform
from random import Random
from statistics import quantiles
import sys
from time import perf_counter

from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.model import ALL_PHASES, Headroom, PerPhase, Phase, Request

MOST_P99_MS = {5: 10.0, 50: 50.0, 500: 500.0}
"""Sessions → the most milliseconds that --check allows."""


def headrooms(sessions: int, random: Random) -> list[Headroom]:
    """Return what is left on the main fuse, the floors and the boards."""

    def about(amps: float) -> PerPhase:
        return (amps * random.uniform(0.6, 1.0), amps * random.uniform(0.6, 1.0), amps * random.uniform(0.6, 1.0))

    main_a = max(32.0, 4.0 * sessions)
    return [
        Headroom(circuit_id="main", parent_id=None, available_a=about(main_a), sum_a=2.5 * main_a),
        *(Headroom(circuit_id=f"floor{floor}", parent_id="main", available_a=about(250.0)) for floor in range(-(-sessions // 50))),
        *(
            Headroom(circuit_id=f"board{board}", parent_id=f"floor{board // 5}", available_a=about(63.0))
            for board in range(-(-sessions // 10))
        ),
    ]


def requests(sessions: int, random: Random) -> list[Request]:
    """Return the sessions' requests."""
    found: list[Request] = []
    for index in range(sessions):
        conductors = random.choices((3, 1, 2), (6, 3, 1))[0]
        rotated = (*ALL_PHASES[index % 3 :], *ALL_PHASES[: index % 3])
        phases: tuple[Phase, ...] = rotated[:conductors]
        found.append(
            Request(
                request_id=f"s{index}",
                circuit_id=f"board{index // 10}",
                phases=phases,
                max_a=random.choice((16.0, 16.0, 20.0, 32.0, random.uniform(6.0, 16.0))),
                step_a=random.choice((1.0, 0.1)),
                weight=random.choice((1.0, 1.0, 2.0)),
                tier=random.choice((0, 1, 1, 1)),
                queue_key=random.random(),
            )
        )
    return found


def measure(sessions: int, calls: int) -> dict[str, float]:
    """Return the milliseconds a call takes, and how many of the sessions charge on average."""
    random = Random(sessions)
    took_ms: list[float] = []
    charging = 0
    for _ in range(calls):
        site, wanted = headrooms(sessions, random), requests(sessions, random)
        started = perf_counter()
        allocations = allocate(site, wanted)
        took_ms.append((perf_counter() - started) * 1000)
        charging += sum(allocation.limit_a > 0 for allocation in allocations.values())
    percentiles = quantiles(took_ms, n=100)
    return {
        "sessions": sessions,
        "charging_mean": round(charging / calls, 1),
        "calls": calls,
        "p50_ms": round(percentiles[49], 3),
        "p99_ms": round(percentiles[98], 3),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the results as JSON, and return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench allocation", description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail where a call takes too long")
    parser.add_argument("--calls", type=int, default=300, help="calls for each number of sessions (%(default)s)")
    options = parser.parse_args(arguments)
    results = [measure(sessions, options.calls) for sessions in MOST_P99_MS]
    print(json.dumps({"benchmark": "allocation", "python": platform.python_version(), "results": results}, indent=2))
    late = [result for result in results if result["p99_ms"] > MOST_P99_MS[int(result["sessions"])]]
    for result in late if options.check else ():
        print(f"{result['sessions']} sessions: {result['p99_ms']} ms, more than {MOST_P99_MS[int(result['sessions'])]}", file=sys.stderr)
    return 1 if options.check and late else 0


if __name__ == "__main__":
    sys.exit(main())
