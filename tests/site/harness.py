"""A site under control, told as a user's story: cars come, the building draws, things break; then its physics are asked.

The real loop, the real central system and the simulator's stations talk over memory transports in simulated time. Every scenario
ends with what always holds: no breaker let go, no conductor stayed over its limit, we broke no rule of OCPP, no turn failed, and
the dead-man rule held from when the stations were ready.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
import json
import logging
from typing import Any

from custom_components.headroom.csms.events import StationEvent
from custom_components.headroom.csms.memory import Memory
from custom_components.headroom.csms.server import CentralSystem
from custom_components.headroom.engine.model import Circuit, Phase
from custom_components.headroom.ledger.records import DecisionRecord, SessionRecord
from custom_components.headroom.metering.reading import Reading
from custom_components.headroom.site.config import AuthorizationPolicy, EvseConfig, EvseKey, Mode, SiteConfig, StationConfig
from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.planning import Made, Runner, Work
from custom_components.headroom.site.site import Site
from custom_components.headroom.site.snapshot import EvseSnapshot, SiteSnapshot
from simulator.building import Load, StepLoad
from simulator.car import CarSpec
from simulator.driver import SiteDriver
from simulator.electrical import ROTATIONS, PerPhase
from simulator.evse import Token, token
from simulator.factory import EvseSpec, StationSpec
from simulator.faults import SLOW_ANSWER_S
from simulator.quirks import NO_QUIRKS, Quirks
from simulator.site import CircuitSpec, SimulatedSite, SiteSpec, Visit
from simulator.station import StationModel
from simulator.transport import MemoryTransport, memory_transport
from simulator.virtual import START, wall_clock

READY_S = 5.0
"""By then every station of a scenario is ready and has its fallback."""
CARS_COME_S = 10.0
METER_EVERY_S = 1.0


def car(name: str = "car", **more: Any) -> CarSpec:
    """A big car that takes all it is offered for hours, unless told otherwise."""
    return CarSpec(**{"name": name, "battery_kwh": 500.0, "max_a": 32.0, **more})


def steps(*levels: tuple[float, PerPhase | float]) -> StepLoad:
    """A building by (from when, amps on each phase)."""
    return StepLoad(tuple((at, level if isinstance(level, tuple) else (level, level, level)) for at, level in levels))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A parking place: a station with one EVSE, and the car that comes there (None: none does); `beside` are those of further EVSEs."""

    car: CarSpec | None = field(default_factory=car)
    comes_s: float = CARS_COME_S
    leaves_s: float | None = None
    token: Token | None = field(default_factory=lambda: token("CARD"))
    rotation: str = "L1L2L3"
    rotation_known: bool = True
    max_a: float = 32.0
    circuit_id: str = "main"
    soc: float = 0.2
    approved: bool = True
    """The user has added the station to the site."""
    quirks: Quirks = NO_QUIRKS
    beside: tuple[CarSpec | None, ...] = ()

    @property
    def evse_ids(self) -> range:
        """Its EVSEs."""
        return range(1, 2 + len(self.beside))

    def config(self, identity: str) -> StationConfig:
        """What the user said of it."""
        grid_phases = tuple(Phase(conductor) for conductor in ROTATIONS[self.rotation])
        evses = tuple(
            EvseConfig(evse_id=evse_id, grid_phases=grid_phases, rotation_known=self.rotation_known, max_a=self.max_a)
            for evse_id in self.evse_ids
        )
        return StationConfig(identity=identity, name=identity, circuit_id=self.circuit_id, evses=evses)

    def spec(self, identity: str) -> StationSpec:
        """What really stands there."""
        return StationSpec(
            identity=identity,
            circuit_id=self.circuit_id,
            evses=tuple(EvseSpec(evse_id=evse_id, max_a=self.max_a, rotation=self.rotation) for evse_id in self.evse_ids),
            quirks=self.quirks,
        )

    def visits(self, identity: str) -> tuple[Visit, ...]:
        """Who comes."""
        return tuple(
            Visit(comes_s=self.comes_s, leaves_s=self.leaves_s, station=identity, evse_id=evse_id, car=spec, token=self.token, soc=self.soc)
            for evse_id, spec in enumerate((self.car, *self.beside), 1)
            if spec is not None
        )


class Records:
    """A journal in lists."""

    def __init__(self) -> None:
        self.sessions: list[SessionRecord] = []
        self.decisions: list[DecisionRecord] = []

    def record_session(self, record: SessionRecord) -> None:
        """Keep it."""
        self.sessions.append(record)

    def record_decision(self, record: DecisionRecord) -> None:
        """Keep it."""
        json.dumps(record.document)
        self.decisions.append(record)

    def id_token_hash(self, id_token: str) -> str:
        """Return something that is not the token."""
        return f"#{len(id_token)}"

    def newest(self) -> Mapping[tuple[str, str], SessionRecord]:
        """Return what a ledger would hold: the newest record of each session."""
        kept: dict[tuple[str, str], SessionRecord] = {}
        for record in self.sessions:
            if record.key not in kept or record.version >= kept[record.key].version:
                kept[record.key] = record
        return kept


class _Clock:
    """The virtual loop's time."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.utcnow = now

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()


class _Complaints(logging.Handler):
    """Keeps what the component logs as an error: a turn that failed, a listener that raised."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it with its traceback."""
        self.texts.append(logging.Formatter().format(record))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What physics and the loop looked like at a second. `limits_a` and `draws_a` by station, in the order of the places."""

    at_s: float
    main_a: PerPhase
    draws_a: tuple[float, ...]
    pilots_a: tuple[float, ...]
    limits_a: tuple[float | None, ...]


class Scenario:
    """A site at work. Stations are counted from 1: number 1 is "CP1"."""

    def __init__(
        self,
        world: SimulatedSite,
        config: SiteConfig,
        *,
        step_s: float,
        memory: SiteMemory | None = None,
        places: Sequence[Place] = (),
    ) -> None:
        self.world = world
        self.config = config
        self.places = places
        self.records = Records()
        self.moments: list[Moment] = []
        self.meters_silent: set[str] = set()
        self.meter_error_a: Callable[[], float] = lambda: 0.0
        self.reckons: Runner | None = None
        self.driver = SiteDriver(world, self._connect, step_s=step_s)
        self.driver.on_step.append(self._each_step)
        self.snapshots = 0
        self._metered_at = 0.0
        self._serving: dict[asyncio.Task[None], MemoryTransport] = {}
        self._running: asyncio.Task[None] | None = None
        self._now = wall_clock(START)
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
        self._central_system = CentralSystem(admit=site.admit, authorize=site.authorize, on_event=heard, now=self._now, memories=kept)
        return site

    async def reckon(self, work: Work) -> Made:
        """Make a plan as the scenario wants it; at once where it says nothing, for a thread would take its time in the real world."""
        return work() if self.reckons is None else await self.reckons(work)

    def _station(self, identity: str) -> Any:
        return self._central_system.stations.get(identity) if self._central_system else None

    def _turned(self, snapshot: SiteSnapshot) -> None:
        self.snapshots += 1

    async def _connect(self, identity: str) -> MemoryTransport:
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
        await self.site.stop()
        self._central_system = None
        dying = dict(self._serving)
        for task in dying:
            task.cancel()
        await asyncio.gather(*dying, return_exceptions=True)
        for transport in dying.values():
            await transport.close()  # as the kernel of a rebooting machine resets its connections

    async def come_back(self, memory: SiteMemory) -> None:
        """A new process starts with what the old one had stored."""
        self.site = self._new_site(SiteMemory.from_document(json.loads(json.dumps(memory.document()))))
        self.site.start()

    # The world

    def _each_step(self, world: SimulatedSite) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._metered_at < METER_EVERY_S - 1e-6:
            return
        self._metered_at = now
        for circuit in self.config.circuits:
            if circuit.metered and circuit.circuit_id not in self.meters_silent:
                l1, l2, l3 = (current + self.meter_error_a() for current in world.meter_values(circuit.circuit_id).current_a)
                self.site.update_reading(circuit.circuit_id, Reading(current_a=(l1, l2, l3), taken_at=now, source="simulated"))
        evses = self.site.snapshot.evses
        keys = [EvseKey(identity, 1) for identity in world.stations]
        self.moments.append(
            Moment(
                at_s=now,
                main_a=world.current_a["main"],
                draws_a=tuple(station.evses[1].car_state.draw_a for station in world.stations.values()),
                pilots_a=tuple(station.evses[1].pilot_a for station in world.stations.values()),
                limits_a=tuple(evses[key].limit_a if key in evses else None for key in keys),
            )
        )

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

    async def approve(self, number: int) -> None:
        """The user adds a station that is waiting."""
        identity = f"CP{number}"
        self.configure(stations={**self.config.stations, identity: self.places[number - 1].config(identity)})
        assert self._central_system is not None
        await self._central_system.approve(identity)

    async def until_true(self, condition: Callable[[], bool], within_s: float) -> float:
        """Let time pass until something holds; returns how long it took, and fails where it takes longer."""
        began = asyncio.get_running_loop().time()
        while not condition():
            waited_s = asyncio.get_running_loop().time() - began
            assert waited_s < within_s, f"not within {within_s} s: {self.story()}"
            await self.wait(self.driver.step_s)
        return asyncio.get_running_loop().time() - began

    @property
    def time_s(self) -> float:
        """Seconds since the start."""
        return asyncio.get_running_loop().time()

    async def fault(self, name: str, on: bool = True) -> None:
        """Switch a fault, as "offline:CP1"."""
        await self.driver.fault(name, on)

    def slow(self, number: int, answers_s: float = SLOW_ANSWER_S, applies_s: float = 10.0) -> None:
        """Make a station slow."""
        faults = self.model(number).faults
        faults.answer_after_s, faults.apply_after_s = answers_s, applies_s

    def plug_in(self, number: int, spec: CarSpec, card: str | None = "CARD", evse_id: int = 1) -> None:
        """Let a car come now; without a card it waits for a start from afar."""
        shown = None if card is None else token(card)
        self.world.plug_in(Visit(comes_s=0.0, station=f"CP{number}", evse_id=evse_id, car=spec, token=shown, soc=0.2))

    def unplug(self, number: int, evse_id: int = 1) -> None:
        """Let it leave now."""
        self.world.unplug(f"CP{number}", evse_id)

    # What can be seen

    def model(self, number: int) -> StationModel:
        """The station itself."""
        return self.world.stations[f"CP{number}"]

    def key(self, number: int, evse_id: int = 1) -> EvseKey:
        """Its EVSE's name."""
        return EvseKey(f"CP{number}", evse_id)

    def evse(self, number: int, evse_id: int = 1) -> EvseSnapshot:
        """What the loop shows of it."""
        return self.site.snapshot.evses[self.key(number, evse_id)]

    def problem(self, number: int) -> str | None:
        """What the loop shows to be wrong with it."""
        return self.site.snapshot.stations[f"CP{number}"].problem

    def reason(self, number: int, evse_id: int = 1) -> str | None:
        """Why its limit is what it is."""
        reason = self.evse(number, evse_id).reason
        return None if reason is None else str(reason.code)

    def draw_a(self, number: int, evse_id: int = 1) -> float:
        """What its car really draws on each of its phases."""
        return self.model(number).evses[evse_id].car_state.draw_a

    def pilot_a(self, number: int, evse_id: int = 1) -> float:
        """What it really offers."""
        return self.model(number).evses[evse_id].pilot_a

    def draws_a(self) -> list[float]:
        """What all cars draw."""
        return [self.draw_a(number + 1) for number in range(len(self.world.stations))]

    def charges(self, number: int) -> bool:
        """Whether energy flows."""
        return self.draw_a(number) > 1.0

    def installed(self, number: int, purpose: str) -> list[Mapping[str, Any]]:
        """The profiles of a purpose that a station holds."""
        return [one.profile for one in self.model(number).profiles.installed if one.purpose == purpose]

    def fallback_a(self, number: int) -> float | None:
        """The TxDefaultProfile a station holds, as the station has it; None where it has none."""
        limits = [
            period["limit"]
            for profile in self.installed(number, "TxDefaultProfile")
            for schedule in profile["chargingSchedule"]
            for period in schedule["chargingSchedulePeriod"]
        ]
        return max(limits, default=None)

    def lease_s(self) -> float:
        """How long leases run now."""
        return float(self.records.decisions[-1].document["lease_s"])

    def transaction_ids(self) -> list[str | None]:
        """The transactions under way, as the stations know them."""
        found = [station.evses[1].transaction for station in self.world.stations.values()]
        return [None if transaction is None else transaction.transaction_id for transaction in found]

    def writes(self) -> list[int]:
        """How many profiles each station has taken."""
        return [station.profile_writes for station in self.world.stations.values()]

    def main_a(self) -> PerPhase:
        """What flows through the main fuse."""
        return self.world.current_a["main"]

    def between(self, from_s: float, to_s: float) -> list[Moment]:
        """The seconds of a time."""
        return [moment for moment in self.moments if from_s <= moment.at_s <= to_s]

    def memory(self) -> SiteMemory:
        """What is stored now."""
        return self.site.memory()

    def story(self) -> str:
        """The state in a line, for when a test fails."""
        shown = ", ".join(
            f"{key.station} {evse.limit_a} A {None if evse.reason is None else evse.reason.code}"
            for key, evse in self.site.snapshot.evses.items()
        )
        return f"at {self.time_s:.1f} s main {[round(a, 1) for a in self.main_a()]}, cars {[round(a, 1) for a in self.draws_a()]}, {shown}"

    def dead_man_violations(self, from_s: float) -> list[tuple[float, int]]:
        """When after `from_s` the loop itself found that the dead-man rule does not hold, and on how many phases."""
        return [
            ((record.at - START).total_seconds(), record.document["dead_man_violations"])
            for record in self.records.decisions
            if record.document["dead_man_violations"] and (record.at - START).total_seconds() >= from_s
        ]


@asynccontextmanager
async def scenario(
    *places: Place,
    fuse_a: float = 63.0,
    margin_a: float = 2.0,
    worst_case_a: float = 25.0,
    imbalance_a: float | None = None,
    building: Load | None = None,
    circuits: Sequence[Circuit] = (),
    visits: Sequence[Visit] = (),
    metered: bool = True,
    policy: AuthorizationPolicy = AuthorizationPolicy(free=True),
    mode: Mode | None = None,
    over_limit_s: float = 6.0,
    tolerance_a: float = 0.0,
    dead_man_from_s: float | None = READY_S,
    step_s: float = 0.2,
    complains: bool = False,
) -> AsyncIterator[Scenario]:
    """Run a site with these parking places, and hold it to what always holds.

    `over_limit_s`: no conductor may be over its limit (fuse − margin) for longer; `tolerance_a` above it do not count. `dead_man_from_s`: from then on the dead-man rule
    holds (None: the scenario breaks what it rests on). `complains`: something is to be logged as an error. `circuits` hang below the main fuse; `visits` are cars besides the places' own.
    """
    main = Circuit(
        circuit_id="main",
        name="Main",
        fuse_a=fuse_a,
        margin_a=margin_a,
        unmanaged_worst_a=(worst_case_a, worst_case_a, worst_case_a),
        metered=metered,
        imbalance_a=imbalance_a,
    )
    stations = {f"CP{number}": place for number, place in enumerate(places, 1)}
    tree = (main, *circuits)
    config = SiteConfig(
        circuits=tree,
        stations={identity: place.config(identity) for identity, place in stations.items() if place.approved},
        authorization=policy,
    )
    spec = SiteSpec(
        circuits=tuple(
            CircuitSpec(
                circuit_id=circuit.circuit_id,
                parent_id=circuit.parent_id,
                fuse_a=circuit.fuse_a,
                limit_a=max(circuit.limit_a()) + tolerance_a,
                load=(building or steps((0.0, 8.0))) if circuit is main else None,
            )
            for circuit in tree
        ),
        stations=tuple(place.spec(identity) for identity, place in stations.items()),
        visits=(*visits, *(visit for identity, place in stations.items() for visit in place.visits(identity))),
    )
    memory = None if mode is None else SiteMemory(mode=mode)
    complaints = _Complaints()
    logger = logging.getLogger("custom_components.headroom")
    logger.addHandler(complaints)
    story = Scenario(SimulatedSite(spec, START), config, step_s=step_s, memory=memory, places=places)
    try:
        await story.start()
        yield story
    finally:
        await story.stop()
        logger.removeHandler(complaints)
    recorder = story.world.recorder
    assert recorder.trips == 0, "a breaker let go"
    assert recorder.max_overload_s <= over_limit_s + 1e-6, f"a conductor was over its limit for {recorder.max_overload_s:.1f} s"
    assert not story.driver.violations, [violation.text for violation in story.driver.violations]
    assert complains or not complaints.texts, complaints.texts
    if dead_man_from_s is not None:
        assert not (broken := story.dead_man_violations(dead_man_from_s)), f"the dead-man rule did not hold: {broken[:10]}"
