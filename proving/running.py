"""A site that runs: the simulator's world, and the loop and central system that manage it, connected in memory and in simulated time.

The code that manages is the same as in Home Assistant; only what carries frames, readings and time is another.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
import json
from typing import Any

from custom_components.headroom.csms.events import StationEvent
from custom_components.headroom.csms.memory import Memory
from custom_components.headroom.csms.server import CentralSystem
from custom_components.headroom.csms.v201.timing import Timing
from custom_components.headroom.metering.combine import per_phase
from custom_components.headroom.metering.reading import MeterError
from custom_components.headroom.site.config import SiteConfig
from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.planning import Made, Runner, Work
from custom_components.headroom.site.site import Site
from simulator.driver import SiteDriver
from simulator.meter import MeterValues
from simulator.pace import Pace
from simulator.site import SimulatedSite
from simulator.transport import MemoryTransport, memory_transport
from simulator.virtual import wall_clock

from .journal import Records
from .meter import SimulatedMeter

METER_EVERY_S = 1.0


class _Clock:
    """The virtual loop's time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.utcnow = now

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()


class RunningSite:
    """A site at work: the world, and the loop and central system that manage it. `stop` has to follow `start`."""

    def __init__(
        self,
        world: SimulatedSite,
        config: SiteConfig,
        *,
        step_s: float,
        memory: SiteMemory | None = None,
        records: Records | None = None,
        pace: Pace | None = None,
        timing: Timing | None = None,
    ) -> None:
        """Without a pace the physics go in steps of `step_s`. `timing` is what the central system asks stations for."""
        self.world = world
        self.config = config
        self.records = records or Records()
        self._timing = timing
        self.meters = {circuit.circuit_id: SimulatedMeter("simulated") for circuit in config.circuits if circuit.metered}
        self._wired_to = {circuit.circuit_id: circuit.phases for circuit in config.circuits}
        self.meters_silent: set[str] = set()
        self.meter_error_a: Callable[[], float] = lambda: 0.0
        self.on_second: list[Callable[[float], None]] = []
        """Called each second, once its readings are taken in, with the time."""
        self.on_turn: list[Callable[[], None]] = []
        self.reckons: Runner | None = None
        self.driver = SiteDriver(world, self.connect, step_s=step_s, pace=pace)
        self.driver.on_step.append(self._meter)
        self.snapshots = 0
        self._turned_at = 0.0
        self._stored = SiteMemory()
        self._unbelieved: set[str] = set()
        """Circuits whose meter was said to be broken."""
        self._broken: list[tuple[float, int]] = []
        self._metered_at = 0.0
        self._serving: dict[asyncio.Task[None], MemoryTransport] = {}
        self._running: asyncio.Task[None] | None = None
        true_time = wall_clock(world.epoch)
        self.clock_error_s = 0.0
        """How far the clock of the machine is from the true time."""
        self._now = lambda: true_time() + timedelta(seconds=self.clock_error_s)
        self._central_system: CentralSystem | None = None
        self._kept: Mapping[str, Any] = {}
        self.site = self._new_site(memory)

    # The machine under test

    def _new_site(self, memory: SiteMemory | None) -> Site:
        site = Site(
            self.config,
            station=self._station,
            clock=_Clock(self._now),
            memory=memory,
            journal=self.records,
            on_turn=self._turned,
            run_plan=self.reckon,
        )

        def heard(identity: str, event: StationEvent) -> None:
            site.handle(identity, event)

        kept = {identity: Memory.from_document(document) for identity, document in json.loads(json.dumps(self._kept)).items()}
        self._central_system = CentralSystem(
            admit=site.admit, authorize=site.authorize, on_event=heard, now=self._now, memories=kept, timing=self._timing
        )
        return site

    async def reckon(self, work: Work) -> Made:
        """Make a plan as the scenario wants it; at once where it says nothing, for a thread would take its time in the real world."""
        return work() if self.reckons is None else await self.reckons(work)

    @property
    def up(self) -> bool:
        """Whether Home Assistant runs."""
        return self._central_system is not None

    def _station(self, identity: str) -> Any:
        return self._central_system.stations.get(identity) if self._central_system else None

    def _turned(self, _: str) -> None:
        self.snapshots += 1
        self._turned_at = self.time_s
        if broken := self.site.dead_man.violations:
            self._broken.append((self.time_s, len(broken)))
        for listener in self.on_turn:
            listener()

    @property
    def turn_age_s(self) -> float:
        """How long ago the loop turned last."""
        return self.time_s - self._turned_at

    async def connect(self, identity: str) -> MemoryTransport:
        """Open a connection as a station of this identity, or as somebody who says so; raises OSError while nobody listens."""
        if self._central_system is None:
            raise ConnectionRefusedError("nobody listens")
        theirs, ours = memory_transport(identity)
        task = asyncio.create_task(self._central_system.serve(identity, ours))
        self._serving[task] = ours
        task.add_done_callback(lambda done: self._serving.pop(done, None))
        return theirs

    async def start(self) -> None:
        """Switch everything on."""
        self.site.start()
        self._running = asyncio.create_task(self.driver.run())

    async def stop(self) -> None:
        """Switch everything off; raises what went wrong in the simulator."""
        assert self._running is not None
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self.site.stop()
        if self._central_system is not None:
            await self._central_system.stop()

    async def vanish(self) -> None:
        """The computer dies: no goodbye to anybody, nothing answers any more. What is known of stations was stored. The building does not care."""
        if self._central_system is not None:
            self._kept = {identity: memory.document() for identity, memory in self._central_system.memories.items()}
        self._stored = self.site.memory()
        await self.site.stop()
        self._central_system = None
        dying = dict(self._serving)
        for task in dying:
            task.cancel()
        await asyncio.gather(*dying, return_exceptions=True)
        for transport in dying.values():
            await transport.close()  # as the kernel of a rebooting machine resets its connections

    async def come_back(self, memory: SiteMemory | None = None) -> None:
        """A new process starts with what the old one had stored."""
        stored = self._stored if memory is None else memory
        self.site = self._new_site(SiteMemory.from_document(json.loads(json.dumps(stored.document()))))
        self.site.start()

    # The world

    def _meter(self, world: SimulatedSite) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._metered_at < METER_EVERY_S - 1e-6:
            return
        self._metered_at = now
        for circuit_id, meter in self.meters.items():
            if circuit_id not in self.meters_silent:
                self._read(circuit_id, meter, world.meter_values(circuit_id), now)
        for listener in self.on_second:
            listener(now)

    def _read(self, circuit_id: str, meter: SimulatedMeter, values: MeterValues, now: float) -> None:
        """Read a meter as the metering room does: what can't be true is as if nothing had come, and is told once."""
        terminals_a = [values.current_a[phase] + self.meter_error_a() for phase in self._wired_to[circuit_id]]
        try:
            reading = meter.read(replace(values, current_a=per_phase(terminals_a)), now)
        except MeterError as error:
            if circuit_id not in self._unbelieved:
                self._unbelieved.add(circuit_id)
                self.site.meter_health(circuit_id, error)
            return
        if reading is None:
            return
        if circuit_id in self._unbelieved:
            self._unbelieved.discard(circuit_id)
            self.site.meter_health(circuit_id, None)
        self.site.update_reading(circuit_id, reading)

    async def until(self, at_s: float) -> None:
        """Let time pass until `at_s` after the start; raises what the simulator raised."""
        assert self._running is not None
        left_s = at_s - asyncio.get_running_loop().time()
        assert left_s > 0, f"{at_s} s is over already"
        await asyncio.wait((self._running,), timeout=left_s)
        if self._running.done():
            await self._running

    async def wait(self, seconds: float) -> None:
        """Let so much time pass."""
        await self.until(asyncio.get_running_loop().time() + seconds)

    def configure(self, **changes: Any) -> None:
        """Change the site while it runs."""
        self.config = replace(self.config, **changes)
        self.site.configure(self.config)

    @property
    def time_s(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time()

    async def fault(self, name: str, on: bool = True) -> None:
        """Switch a fault, as "offline:CP1"."""
        await self.driver.fault(name, on)

    def dead_man_violations(self, from_s: float) -> list[tuple[float, int]]:
        """When after `from_s` the loop itself found that the dead-man rule does not hold, and on how many phases."""
        return [each for each in self._broken if each[0] >= from_s]
