"""The site under control, with a stop-watch: from the reading that shows a step of the building to the last station's acknowledgement."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
import gc
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any, override

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdTokenInfo
from custom_components.headroom.csms.events import Ready, StationEvent
from custom_components.headroom.csms.server import CentralSystem
from custom_components.headroom.csms.station import Station
from custom_components.headroom.csms.values import Admission
from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.engine.urgency import PASSES_S, Urgency
from custom_components.headroom.ledger.ledger import Ledger
from custom_components.headroom.metering.line import TcpLine
from custom_components.headroom.metering.modbus import ModbusMeter, ModbusMeterConfig
from custom_components.headroom.metering.reading import MeterError, Reading
from custom_components.headroom.site.config import AuthorizationPolicy, EvseConfig, EvseKey, SiteConfig, StationConfig
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.site import Site

from ..central_system.serve import usage
from .sizes import FEEDER_OF, feeder_fuse_a, fuse_a, worst_case_a

REACTION_WITHIN_S = 30.0


class Step:
    """A step of the building that is waited for: what came of it."""

    def __init__(self, above_a: float, room_a: float) -> None:
        self.above_a = above_a
        """A reading above this shows it."""
        self.room_a = room_a
        """What is left for the cars."""
        self.arrived_at: float | None = None
        self.turned_at: float | None = None
        self.smoothed = False
        """It was small enough to be given time to pass; what counts is from the end of that time."""
        self.cut: set[EvseKey] = set()
        """Cars whose cut is not acknowledged yet, of those that the reading had cut."""
        self.cuts = 0
        self.reaction_s: float | None = None
        self.inside_s: float | None = None
        self.over = asyncio.Event()


class MeasuredSite(Site):
    """The site, with a stop-watch."""

    def __init__(self, config: SiteConfig, **more: Any) -> None:
        self.step: Step | None = None
        self.turn_s: list[float] = []
        self.told_a: dict[EvseKey, float] = {}
        super().__init__(config, **more)

    @override
    def update_reading(self, circuit_id: str, reading: Reading) -> None:
        """Take in a reading, which may be the first that shows the step."""
        step = self.step
        if step is not None and step.arrived_at is None and reading.current_a[0] > step.above_a:
            step.arrived_at = monotonic()
            now = self._clock.monotonic()
            self.told_a = {key: evse.limit_a(now) for key, evse in self._evses.items()}
        super().update_reading(circuit_id, reading)

    @override
    def _turn(self, trigger: str) -> None:
        started = perf_counter()
        super()._turn(trigger)
        self.turn_s.append(perf_counter() - started)
        step = self.step
        if step is not None and step.arrived_at is not None and step.turned_at is None:
            if self._circuits["main"].strain.urgency is Urgency.PASSING:
                step.smoothed = True
                step.arrived_at = self._clock.monotonic() + PASSES_S
                return
            step.turned_at = monotonic()
            step.cut = {evse.key for evse in self._urgent()}
            step.cuts = len(step.cut)

    def _urgent(self) -> Iterator[EvseState]:
        return (evse for evse in self._evses.values() if evse.wanted_lease is not None and evse.wanted_lease.urgent)

    @override
    def confirmed(self, evse: EvseState, latency_s: float) -> None:
        """Take note of a confirmed limit."""
        super().confirmed(evse, latency_s)
        step = self.step
        if step is None or step.arrived_at is None or step.over.is_set():
            return
        self.told_a[evse.key] = evse.limit_a(self._clock.monotonic())
        if step.turned_at is None:
            return
        took_s = monotonic() - step.arrived_at
        if evse.key in step.cut:
            step.cut.remove(evse.key)
            if not step.cut:
                step.reaction_s = took_s
        if step.inside_s is None and sum(self.told_a.values()) <= step.room_a and not any(self._urgent()):
            step.inside_s = took_s
        if step.reaction_s is not None and step.inside_s is not None:
            step.over.set()


def config_of(stations: int) -> SiteConfig:
    """Return a tree of one main fuse, feeders of 25 stations each, and a station for each car."""
    worst_a = worst_case_a(stations)
    main = Circuit(circuit_id="main", name="Main", fuse_a=fuse_a(stations), unmanaged_worst_a=(worst_a, worst_a, worst_a), metered=True)
    feeders = [
        Circuit(circuit_id=f"feeder{number}", name=f"Feeder {number}", parent_id="main", fuse_a=feeder_fuse_a())
        for number in range(-(-stations // FEEDER_OF))
    ]
    return SiteConfig(
        circuits=(main, *feeders),
        stations={
            f"S{number}": StationConfig(
                identity=f"S{number}", name=f"S{number}", circuit_id=f"feeder{number // FEEDER_OF}", evses=(EvseConfig(evse_id=1),)
            )
            for number in range(stations)
        },
        authorization=AuthorizationPolicy(free=True),
        spares_flash=False,  # a stair in a minute, all day, is what the raises are spared from; cuts are the same
    )


class Served:
    """Central system, control loop, meter and ledger on one event loop."""

    def __init__(self, stations: int, meter_port: int, folder: Path) -> None:
        self.ready: set[str] = set()
        self._ledger = Ledger(f"sqlite:///{folder / 'ledger.db'}")
        self._meter = ModbusMeter(
            ModbusMeterConfig(
                line=TcpLine(host="127.0.0.1", port=meter_port), model="eastron_sdm630", interval_s=1.0, ceiling_a=10 * fuse_a(stations)
            )
        )

        async def accept(*_: object) -> IdTokenInfo:
            return IdTokenInfo(status=AuthorizationStatus.ACCEPTED)

        def on_event(identity: str, event: StationEvent) -> None:
            if isinstance(event, Ready):
                self.ready.add(identity)
            self.site.handle(identity, event)

        def station(identity: str) -> Station | None:
            return self.system.stations.get(identity)

        self.site = MeasuredSite(config_of(stations), station=station, journal=self._ledger)
        self.system = CentralSystem(
            admit=lambda identity: Admission.ACCEPTED, authorize=accept, on_event=on_event, now=lambda: datetime.now(UTC)
        )

    async def start(self) -> int:
        """Listen, turn and read the meter; returns the port."""
        await self._ledger.open()
        await self.system.start("127.0.0.1", 0)
        self.site.start()
        self._reading = asyncio.create_task(self._meter.run(self._on_reading, self._on_health))
        return self.system.port

    def _on_reading(self, reading: Reading) -> None:
        self.site.update_reading("main", reading)

    def _on_health(self, error: MeterError | None) -> None:
        self.site.meter_health("main", error)

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked for."""
        site = self.site
        match command["do"]:
            case "usage":
                return usage() | {"ready": len(self.ready), "turns": site.turns}
            case "reset":
                gc.collect()
                site.turn_s.clear()
                return {}
            case "turns":
                return {"took_s": site.turn_s}
            case "step":
                site.step = Step(command["above_a"], command["room_a"])
                return {}
            case "reaction":
                step = site.step
                assert step is not None
                try:
                    async with asyncio.timeout(REACTION_WITHIN_S):
                        await step.over.wait()
                except TimeoutError:
                    step.over.set()
                return {"reaction_s": step.reaction_s, "inside_s": step.inside_s, "cuts": step.cuts, "smoothed": step.smoothed}
            case _:
                raise ValueError(f"there is no command {command['do']!r}")
