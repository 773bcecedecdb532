"""One size of site, measured: a stair of steps, and what came of each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
import json
from pathlib import Path
import random
import sys
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from simulator.decisions import percentile

from ..central_system.stations import Subject
from .car_park import CAR_MAX_A, CarPark
from .sizes import busy_a, calm_a, fuse_a

FIRST_SHARE = (0.75, 0.85)
"""A stair's first step, as a share of its height: more than the breaker carries for good, so that nothing may hold up the cuts."""
SMALL_STEPS = 2
"""So many follow it, before the building falls again."""
READY_WITHIN_S = 120.0
STEADY_WITHIN_S = 90.0
STEADY_S = 2.5
"""So long nothing has changed: the meter was read twice and every limit stood."""
SHED_WITHIN_S = 60.0
FULL_SHARE = 0.95
"""The cars have all they can take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many steps are measured, and how long the site is watched at rest before."""

    steps: int
    rest_s: float


@dataclass(slots=True)
class Tally:
    """What was measured, in seconds."""

    reaction_s: list[float] = field(default_factory=list)
    inside_s: list[float] = field(default_factory=list)
    shed_s: list[float] = field(default_factory=list)
    cuts: int = 0
    smoothed: int = 0
    unanswered: int = 0

    def add(self, answer: dict[str, Any], shed_s: float) -> None:
        """Add a step."""
        if answer["reaction_s"] is None or answer["inside_s"] is None:
            self.unanswered += 1
            return
        self.reaction_s.append(answer["reaction_s"])
        self.inside_s.append(answer["inside_s"])
        self.shed_s.append(shed_s)
        self.cuts += answer["cuts"]
        self.smoothed += answer["smoothed"]


def summary(values_s: list[float], unit_s: float = 0.001) -> dict[str, float | None]:
    """Return percentiles, by default in milliseconds."""
    row = {"p50": percentile(values_s, 0.5), "p99": percentile(values_s, 0.99), "most": max(values_s, default=None)}
    return {name: None if value is None else round(value / unit_s, 2) for name, value in row.items()}


def stairs(evses: int, seed: int) -> Iterator[list[float]]:
    """Yield the building's loads on each stair, for ever: one large step and small ones, of sizes that the seed decides."""
    dice, height_a = random.Random(seed), busy_a(evses) - calm_a(evses)
    while True:
        shares = [dice.uniform(*FIRST_SHARE), *(1.0 - dice.uniform(0.0, 0.15) for _ in range(SMALL_STEPS - 1)), 1.0]
        yield [calm_a(evses) + height_a * share for share in sorted(shares)]


@asynccontextmanager
async def served(evses: int, meter_port: int) -> AsyncIterator[Subject]:
    """Start the site in its process; it is gone at the end."""
    with TemporaryDirectory(prefix="headroom-control-") as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.control.serve",
            str(evses),
            str(meter_port),
            folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 26,
            cwd=Path(__file__).parents[2],
        )
        try:
            assert process.stdout is not None
            yield Subject(process, json.loads(await process.stdout.readline())["port"])
        finally:
            process.kill()
            await process.wait()


async def measured(evses: int, plan: Plan, seed: int) -> dict[str, Any]:
    """Measure a site of so many EVSEs, each a station of its own."""
    park = CarPark(evses, seed)
    park.building_a = calm_a(evses)
    park.show()
    await park.meter.start()
    try:
        async with served(evses, park.meter.port) as site:
            began = perf_counter()
            await park.connect(site.port)
            await site.until_ready(evses, READY_WITHIN_S)
            ready_s = perf_counter() - began
            park.begin()
            async with asyncio.TaskGroup() as tasks:
                living = tasks.create_task(park.run())
                await until(park, lambda: park.cars_a >= FULL_SHARE * CAR_MAX_A * evses, "have all they can take")
                await steady(park)
                rest = await at_rest(site, plan.rest_s)
                await site.ask("reset")
                tally = await climb(park, site, plan.steps, seed)
                turns_s = (await site.ask("turns"))["took_s"]
                living.cancel()
            for place in park.places:
                assert place.station is not None
                place.station.close()
    finally:
        await park.meter.stop()
    return {
        "evses": evses,
        "ready_s": round(ready_s, 2),
        "steps": len(tally.reaction_s),
        "smoothed": tally.smoothed,
        "unanswered": tally.unanswered,
        "cuts_per_step": round(tally.cuts / max(1, len(tally.reaction_s)), 1),
        "reaction_ms": summary(tally.reaction_s),
        "limits_inside_ms": summary(tally.inside_s),
        "shed_s": summary(tally.shed_s, 1.0),
        "turn_ms": summary(turns_s) | {"turns": len(turns_s)},
        "at_rest": rest,
    }


async def at_rest(site: Subject, seconds: float) -> dict[str, float]:
    """Return what the site's process uses while every car charges steadily and the meter is read once a second."""
    before, began = await site.ask("usage"), perf_counter()
    await asyncio.sleep(seconds)
    after, took_s = await site.ask("usage"), perf_counter() - began
    return {
        "seconds": round(took_s, 1),
        "cores": round((after["cpu_s"] - before["cpu_s"]) / took_s, 3),
        "rss_mb": round(after["rss_bytes"] / 1e6, 1),
        "turns_per_s": round((after["turns"] - before["turns"]) / took_s, 2),
    }


async def climb(park: CarPark, site: Subject, steps: int, seed: int) -> Tally:
    """Take so many steps up, stair by stair."""
    evses, tally = len(park.places), Tally()
    dice = random.Random(f"{seed}/moments")
    for levels in stairs(evses, seed):
        for building_a in levels:
            if steps == 0:
                return tally
            steps -= 1
            await asyncio.sleep(dice.uniform(0.0, 1.0))  # the meter is read at any moment after a step
            await one_step(park, site, building_a, tally)
            await steady(park)
        park.building_a = calm_a(evses)
        await until(park, lambda: park.cars_a >= FULL_SHARE * CAR_MAX_A * evses, "have all they can take")
        await steady(park)
    return tally


async def one_step(park: CarPark, site: Subject, building_a: float, tally: Tally) -> None:
    """Take a step and see what comes of it."""
    fuse = fuse_a(len(park.places))
    step_a = building_a - park.building_a
    await site.ask("step", above_a=park.total_a + step_a / 2, room_a=fuse - building_a)
    park.building_a, began = building_a, perf_counter()
    park.show()
    answer = asyncio.create_task(site.ask("reaction"))
    async with asyncio.timeout(SHED_WITHIN_S):
        while park.total_a > fuse:
            await park.stepped.wait()
    tally.add(await answer, perf_counter() - began)


async def until(park: CarPark, seen: Callable[[], bool], what: str) -> None:
    """Wait for something to be so. Raises TimeoutError."""
    try:
        async with asyncio.timeout(STEADY_WITHIN_S):
            while not seen():
                await park.stepped.wait()
    except TimeoutError:
        raise TimeoutError(f"after {STEADY_WITHIN_S:g} s the cars did not {what}: {park.cars_a:.0f} A") from None


async def steady(park: CarPark) -> None:
    """Wait until no limit has changed for a while and every car draws by its own."""
    pilots_a, since = [place.pilot_a for place in park.places], perf_counter()

    def still() -> bool:
        nonlocal pilots_a, since
        now_a = [place.pilot_a for place in park.places]
        if now_a != pilots_a or not park.followed:
            pilots_a, since = now_a, perf_counter()
        return perf_counter() - since >= STEADY_S

    await until(park, still, "come to rest")
