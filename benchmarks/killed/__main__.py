"""Home Assistant is killed at full load, again and again, while the building steps to its worst case: do the leases alone hold the breakers?

The demo's site (`simulator/sites.py`) in real time, its stations over WebSockets and TLS, its meter over Modbus, and a real Home Assistant in
a process of its own, which SIGKILL ends: at any moment, a moment after the meter was read (while a turn is reckoned), or a moment after a
station took a limit (between two writes). From then on the building draws the worst case that was configured, on all phases. Home Assistant
stays away until the last lease has lapsed and every car had the time to follow, then it comes back and the building calms down.

With --check the exit status is 1 where a breaker tripped, or the site was above its limit once all leases had lapsed.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
import logging
import os
from pathlib import Path
import platform
import random
import sys
from tempfile import TemporaryDirectory
import time
from typing import Any

from benchmarks import told
from custom_components.headroom.csms.composite import TX
from simulator.demo import MARGIN_A, Demo, say
from simulator.driver import SiteDriver
from simulator.homeassistant import HomeAssistant, free_port
from simulator.live import live_site
from simulator.sites import DEMO_FUSE_A, demo_building, demo_site

from .building import WorstOnCall
from .watch import CIRCUIT, Watch

LIMIT_A = DEMO_FUSE_A - MARGIN_A
FULL_A = 0.9 * LIMIT_A
KINDS = ("any moment", "turn", "write")
AT_ANY_MOMENT_S = 5.0
IN_A_TURN_S = 0.02
BETWEEN_WRITES_S = 0.03
LOOK_EVERY_S = 0.001
FULL_WITHIN_S = 180.0
LAPSED_WITHIN_S = 400.0
REST_S = 30.0
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Killing:
    """One Home Assistant that is killed time and again."""

    def __init__(self, driver: SiteDriver, building: WorstOnCall, home_assistant: HomeAssistant, seed: int) -> None:
        self._driver, self._building, self._home_assistant = driver, building, home_assistant
        self._dice = random.Random(seed)
        self._watch: Watch | None = None
        self._down = False
        self._stepped = asyncio.Event()
        driver.on_step.append(self._on_step)

    def _on_step(self, _: object) -> None:
        if self._watch is not None:
            self._watch.take(self._driver.step_s, down=self._down)
        self._stepped.set()
        self._stepped = asyncio.Event()

    async def until(self, seen: Callable[[], bool], what: str, within_s: float) -> None:
        """Wait until the site is so. Raises TimeoutError."""
        try:
            async with asyncio.timeout(within_s):
                while not seen():
                    await self._stepped.wait()
        except TimeoutError:
            raise TimeoutError(f"after {within_s:g} s the site was not {what}: {self._driver.site.current_a[CIRCUIT]} A") from None

    def full(self) -> bool:
        """Whether the main fuse is all but full, by cars that all hold a lease."""
        site = self._driver.site
        leases = sum(one.purpose == TX for station in site.stations.values() for one in station.profiles.installed)
        return leases == len(site.spec.visits) and max(site.current_a[CIRCUIT]) >= FULL_A

    async def once(self, kind: str) -> dict[str, Any]:
        """Kill it, see the leases lapse, and bring it back."""
        site = self._driver.site
        await self.until(self.full, "full", FULL_WITHIN_S)
        await self._moment(kind)
        self._building.worst, self._down = True, True
        self._watch = watch = Watch(site=site, kind=kind, fuse_a=DEMO_FUSE_A, limit_a=LIMIT_A)
        await self._home_assistant.kill()
        await self.until(lambda: watch.over, "without leases", LAPSED_WITHIN_S)
        self._down = False
        await self._home_assistant.start()
        self._building.worst = False
        await self.until(self.full, "full", FULL_WITHIN_S)
        self._watch = None
        return watch.document()

    async def _moment(self, kind: str) -> None:
        """Wait for a moment of this kind."""
        meter, dice = self._driver.meter, self._dice
        assert meter is not None
        await asyncio.sleep(dice.uniform(0.0, AT_ANY_MOMENT_S))
        match kind:
            case "turn":
                await self._changed(lambda: meter.reads)
                await asyncio.sleep(dice.uniform(0.0, IN_A_TURN_S))
            case "write":
                await self._changed(lambda: sum(station.profile_writes for station in self._driver.site.stations.values()))
                await asyncio.sleep(dice.uniform(0.0, BETWEEN_WRITES_S))

    async def _changed(self, count: Callable[[], int]) -> None:
        before = count()
        async with asyncio.timeout(FULL_WITHIN_S):
            while count() == before:
                await asyncio.sleep(LOOK_EVERY_S)


def cpu_s(process_id: int) -> float:
    """Return what a process has used of a core so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


async def cores(home_assistant: HomeAssistant, seconds: float) -> float:
    """Return what Home Assistant uses over a while."""
    before, began = cpu_s(home_assistant.process_id), time.perf_counter()
    await asyncio.sleep(seconds)
    return round((cpu_s(home_assistant.process_id) - before) / (time.perf_counter() - began), 4)


async def measured(kills: int, seed: int, rest_s: float) -> dict[str, Any]:
    """Kill it so many times; returns what came of each."""
    building = WorstOnCall(demo_building())
    spec = demo_site(margin_a=MARGIN_A)
    spec = replace(spec, circuits=(replace(spec.circuits[0], load=building),))
    ocpp_port, tls_port = free_port(9000), free_port(9443)
    with TemporaryDirectory(prefix="headroom-killed-") as folder:
        home_assistant = HomeAssistant(Path(folder))
        async with live_site(spec, f"ws://127.0.0.1:{ocpp_port}") as driver:
            killing = Killing(driver, building, home_assistant, seed)
            try:
                await home_assistant.start()
                await asyncio.sleep(rest_s)  # what it does after its start is no rest
                without = await cores(home_assistant, rest_s)
                async with asyncio.TaskGroup() as tasks:
                    living = tasks.create_task(driver.run())
                    await Demo(argparse.Namespace(), driver, home_assistant, ocpp_port, tls_port).set_up()
                    await killing.until(killing.full, "full", FULL_WITHIN_S)
                    await asyncio.sleep(rest_s)
                    loaded = await cores(home_assistant, rest_s)
                    results = []
                    for number in range(kills):
                        results.append(await killing.once(KINDS[number % len(KINDS)]))
                        say(f"Kill {number + 1}: {results[-1]}")
                    living.cancel()
            finally:
                await home_assistant.stop()
            return {
                "kills": results,
                "trips": driver.site.recorder.trips,
                "lost_s": round(driver.lost_s, 1),
                "cpu_cores": {"home_assistant_alone": without, "with_six_cars_charging": loaded, "seconds": rest_s},
            }


def shortcomings(report: dict[str, Any]) -> list[str]:
    """Return what is not as --check asks for."""
    found = [f"{report['trips']} trips of a breaker"] if report["trips"] else []
    found += [f"{report['lost_s']} s were lost by a slow machine: the physics were not real"] if report["lost_s"] else []
    for number, kill in enumerate(report["kills"], 1):
        if kill["over_limit_after_lapse_a"] > 0:
            found.append(f"kill {number}: {kill['over_limit_after_lapse_a']} A above the limit after all leases had lapsed")
        if kill["breaker_endurance_used"] >= 1:
            found.append(f"kill {number}: the breaker had nothing left")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the results as JSON, and return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench killed", description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail where the leases alone do not hold the site")
    parser.add_argument("--json", type=Path, help="write the results there too")
    parser.add_argument("--quick", action="store_true", help="three kills")
    parser.add_argument("--kills", type=int, default=20, help="so many (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    kills, rest_s = (len(KINDS), REST_S / 3) if options.quick else (options.kills, REST_S)
    report = {"benchmark": "killed", "python": platform.python_version(), "seed": options.seed}
    report |= asyncio.run(measured(kills, options.seed, rest_s))
    return told(report, options.json, shortcomings(report) if options.check else ())


if __name__ == "__main__":
    sys.exit(main())
