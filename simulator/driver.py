"""Lets a site run by the event loop's clock: real time on an ordinary loop, simulated time on a `VirtualLoop`."""

import asyncio
from collections.abc import Callable, Iterable
import contextlib
from datetime import datetime, timedelta
import math

from .client import Backoff, StationClient, Violation, violations
from .faults import Breakable, FaultEvent, switch, verify
from .meter import MeterServer
from .pace import Pace
from .site import SimulatedSite
from .transport import Connect

STEP_S = 0.1
LONGEST_CATCH_UP_S = 5.0


class SiteDriver:
    """Steps a site at an even pace, runs its stations' clients, keeps its meter's values new and switches faults in time."""

    def __init__(
        self,
        site: SimulatedSite,
        connect: Connect,
        *,
        meter: MeterServer | None = None,
        step_s: float = STEP_S,
        backoff: Backoff | None = None,
        faults: Iterable[FaultEvent] = (),
        seed: int = 1,
        clock: Callable[[], datetime] | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Take a site and the way its stations reach their CSMS; raises ValueError where there is no such fault.

        With a pace the steps are as long as that says, and end where a station is told something. `clock` shows the true time, which the site's is set by when it starts to run; without one it keeps its epoch.
        """
        self.site = site
        self.meter = meter
        self.step_s = step_s
        self.pace = pace
        self._stepped_at_s = 0.0
        self._touched = asyncio.Event()
        self.clients = {
            identity: StationClient(station, connect, backoff=backoff, seed=seed) for identity, station in site.stations.items()
        }
        self.on_step: list[Callable[[SimulatedSite], None]] = []
        """Called after each step."""
        self.lost_s = 0.0
        """Time that was skipped because the machine was too slow to reckon it."""
        self._clock = clock
        self._faults = list(faults)
        for event in self._faults:
            verify(event.name, site.stations)

    @property
    def violations(self) -> list[Violation]:
        """What the CSMS did amiss so far."""
        return violations(self.clients)

    async def fault(self, name: str, on: bool = True) -> None:
        """Switch a fault on or off now; raises ValueError where there is none of that name."""
        self.touch()
        await switch(Breakable(self.site, self.clients, self.meter), name, on)

    def touch(self, *, lightly: bool = False) -> None:
        """Something is about to be changed from without: what was, was so up to now. Nothing where the steps are even.

        `lightly`: it may be that nothing moves for it, as where a limit is renewed.
        """
        if self.pace is None:
            return
        now_s = asyncio.get_running_loop().time()
        if now_s - self._stepped_at_s > 1e-6:
            self._step(now_s - self._stepped_at_s)
        self.pace.stir(now_s, 2 * self.pace.fine_s if lightly else None)
        self._touched.set()

    async def run(self, duration_s: float = math.inf) -> None:
        """Run for so long, or until cancelled. Raises what a client or the physics raise."""
        if self._clock:
            self.site.epoch = self._clock() - timedelta(seconds=self.site.time_s)
        async with asyncio.TaskGroup() as group:
            clients = [group.create_task(client.run()) for client in self.clients.values()]
            faults = [group.create_task(self._fault(event)) for event in self._faults]
            await (self._keep_stepping(duration_s) if self.pace is None else self._keep_pace(self.pace, duration_s))
            for task in (*clients, *faults):
                task.cancel()

    async def _fault(self, event: FaultEvent) -> None:
        await asyncio.sleep(event.at_s)
        await self.fault(event.name)
        if event.lasts_s is not None:
            await asyncio.sleep(event.lasts_s)
            await self.fault(event.name, on=False)

    async def _keep_stepping(self, duration_s: float) -> None:
        loop = asyncio.get_running_loop()
        due_s, end_s = loop.time(), loop.time() + duration_s
        while due_s < end_s - self.step_s / 2:
            due_s += self.step_s
            if (wait_s := due_s - loop.time()) > 0:
                await asyncio.sleep(wait_s)
            elif -wait_s > LONGEST_CATCH_UP_S:
                self.lost_s -= wait_s
                self.site.epoch -= timedelta(seconds=wait_s)  # the true time went on
                due_s = loop.time()
            else:
                await asyncio.sleep(0)
            self._step(self.step_s)

    async def _keep_pace(self, pace: Pace, duration_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._stepped_at_s, end_s = loop.time(), loop.time() + duration_s
        for station in self.site.stations.values():
            station.on_touch = lambda: self.touch(lightly=True)
        while loop.time() < end_s - 1e-6:
            wait_s = self._stepped_at_s + pace.next_s(self.site, self._stepped_at_s) - loop.time()
            self._touched.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, wait_s)):
                    await self._touched.wait()
                continue
            if (dt_s := loop.time() - self._stepped_at_s) > 1e-6:
                self._step(dt_s)

    def _step(self, dt_s: float) -> None:
        self._stepped_at_s += dt_s
        self.site.step(dt_s)
        if self.meter:
            self.meter.values = self.site.meter_values()
        for listener in self.on_step:
            listener(self.site)
