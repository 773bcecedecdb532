"""Run the demo site against a CSMS: `python -m simulator --csms ws://127.0.0.1:9000 --meter-port 5020`."""

import argparse
import asyncio
import contextlib
import json
import logging
import math

from .driver import SiteDriver
from .faults import FAULTS, FaultEvent, parsed, verify
from .live import live_site
from .meter import MeterKind
from .site import SimulatedSite
from .sites import demo_site


def _status(driver: SiteDriver, site: SimulatedSite) -> str:
    root = site.spec.root
    flows = " ".join(f"{current:5.1f}" for current in site.current_a[root.circuit_id])
    house = " ".join(f"{current:4.1f}" for current in root.load.current_a(site.time_s)) if root.load else ""
    stations = []
    for identity, station in site.stations.items():
        mark = "" if driver.clients[identity].connected else "!"
        evses = " ".join(f"{evse.pilot_a:4.1f}>{evse.car_state.draw_a:4.1f}" for evse in station.evses.values())
        stations.append(f"{identity}{mark} {evses}")
    power = "" if site.powered(root.circuit_id) else " POWER OFF"
    amiss = f" violations {len(driver.violations)}" if driver.violations else ""
    return f"{site.time_s:7.1f}s | L {flows} A of {root.fuse_a:.0f} | house {house} | {' | '.join(stations)}{power}{amiss}"


def _fault(text: str) -> FaultEvent:
    event = parsed(text)
    try:
        verify(event.name, [station.identity for station in demo_site().stations])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return event


async def _run(arguments: argparse.Namespace) -> None:
    async with live_site(
        demo_site(),
        arguments.csms,
        meter_host=arguments.meter_host,
        meter_port=arguments.meter_port,
        meter_kind=MeterKind(arguments.meter),
        faults=arguments.fault,
    ) as driver:
        shown = 0

        def show(site: SimulatedSite) -> None:
            nonlocal shown
            if int(site.time_s) > shown:
                shown = int(site.time_s)
                print(_status(driver, site), flush=True)

        driver.on_step.append(show)
        try:
            await driver.run(arguments.duration)
        finally:
            print(json.dumps(driver.site.recorder.summary(), indent=2))
            for violation in driver.violations:
                print(f"{violation.at:%H:%M:%S} {violation.station}: {violation.text}")


def main() -> None:
    """Read the command line and run until the time is up or the user stops it."""
    parser = argparse.ArgumentParser(prog="simulator", description="A charging site nobody has to buy: 63 A, six EVSEs, six cars.")
    parser.add_argument("--csms", default="ws://127.0.0.1:9000", help="where the stations connect (default %(default)s)")
    parser.add_argument("--meter-host", default="127.0.0.1", help="where the Modbus meter listens (default %(default)s)")
    parser.add_argument("--meter-port", type=int, default=5020, help="its port (default %(default)s)")
    parser.add_argument("--meter", choices=[str(kind) for kind in MeterKind], default=str(MeterKind.SDM630), help="its kind")
    parser.add_argument("--duration", type=float, default=math.inf, help="seconds to run (default: until stopped)")
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="NAME@T[+FOR]",
        help=f"switch on a fault after T s, for FOR s: {', '.join(FAULTS)}; one of a station is written KIND:STATION",
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
