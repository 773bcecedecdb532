"""A central system in a process of its own: `python -m benchmarks.central_system.serve ours|bare [--site STATIONS]`.

It prints its port, then answers each line of JSON on its standard input with one on its standard output.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
import gc
import json
import os
from pathlib import Path
import sys
from time import monotonic, perf_counter, process_time
from types import ModuleType
from typing import Any

from .messages import charging_profile

LAG_EVERY_S = 0.02
AMPS_PER_STATION = 10.0
"""Of the main fuse: not all can charge as fast as they like."""
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

type SendProfile = Callable[[str], Awaitable[None]]


class Gauge:
    """What the event loop's own delay and the control loop's turns look like from inside."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self.worst_lag_s = 0.0
        self.turned_at: float | None = None
        self.worst_turn_gap_s = 0.0
        self.turns = 0

    def reset(self) -> None:
        """Begin anew."""
        self.worst_lag_s = self.worst_turn_gap_s = 0.0
        self.turns = 0
        self.turned_at = monotonic()

    def turned(self) -> None:
        """Take note of a turn of the control loop."""
        now = monotonic()
        if self.turned_at is not None:
            self.worst_turn_gap_s = max(self.worst_turn_gap_s, now - self.turned_at)
        self.turned_at = now
        self.turns += 1

    async def watch(self) -> None:
        """Measure how late the event loop is, until cancelled."""
        while True:
            before = monotonic()
            await asyncio.sleep(LAG_EVERY_S)
            self.worst_lag_s = max(self.worst_lag_s, monotonic() - before - LAG_EVERY_S)

    def document(self) -> dict[str, float]:
        """Return what was seen since the last reset; a control loop that does not turn any more counts too."""
        waiting_s = 0.0 if self.turned_at is None else monotonic() - self.turned_at
        return {
            "worst_lag_s": self.worst_lag_s,
            "turns": self.turns,
            "worst_turn_gap_s": max(self.worst_turn_gap_s, waiting_s) if self.turned_at is not None else 0.0,
        }


class Ours:
    """Headroom's central system; with a site, the control loop of so many stations on the same event loop."""

    def __init__(self, gauge: Gauge, stations: int) -> None:
        """Build it; nothing listens yet."""
        from custom_components.headroom.csms.authorization import AuthorizationStatus, IdTokenInfo
        from custom_components.headroom.csms.events import Ready, StationEvent
        from custom_components.headroom.csms.server import CentralSystem
        from custom_components.headroom.csms.values import Admission

        self.ready: set[str] = set()
        self.events = 0
        self.site = site_of(stations, gauge, lambda identity: self.system.stations.get(identity)) if stations else None

        async def accept(*_: object) -> IdTokenInfo:
            return IdTokenInfo(status=AuthorizationStatus.ACCEPTED)

        def on_event(identity: str, event: StationEvent) -> None:
            self.events += 1
            if isinstance(event, Ready):
                self.ready.add(identity)
            if self.site is not None:
                self.site.handle(identity, event)

        self.system = CentralSystem(
            admit=lambda identity: Admission.ACCEPTED, authorize=accept, on_event=on_event, now=lambda: datetime.now(UTC)
        )

    async def start(self) -> int:
        """Listen, and turn; returns the port."""
        await self.system.start("127.0.0.1", 0)
        if self.site is not None:
            self.site.start()
            self._meter = asyncio.create_task(self._read_meter())
        return self.system.port

    async def _read_meter(self) -> None:
        from custom_components.headroom.metering.reading import Reading

        assert self.site is not None
        while True:
            self.site.update_reading("main", Reading(current_a=(20.0, 21.0, 22.0), taken_at=monotonic(), source="benchmark"))
            await asyncio.sleep(1.0)

    async def send_profile(self, identity: str, profile: dict[str, Any]) -> None:
        """Send a charging profile by the way the house's own go."""
        await self.system.stations[identity].call("SetChargingProfile", {"evseId": 1, "chargingProfile": profile})

    @property
    def identities(self) -> list[str]:
        """The stations that may be sent something."""
        return [identity for identity in self.system.stations if identity in self.ready]


class Bare:
    """A central system as the documentation of `ocpp` has one write it: handlers for what is sent, its validation as it comes."""

    def __init__(self) -> None:
        """Build it; nothing listens yet."""
        from ocpp.routing import on
        from ocpp.v201 import ChargePoint, call, call_result

        self.points: dict[str, Any] = {}
        self._call = call

        class Point(ChargePoint):
            """One station."""

            @on("BootNotification")
            def on_boot(self, **_: Any) -> Any:
                return call_result.BootNotification(current_time=datetime.now(UTC).isoformat(), interval=60, status="Accepted")

            @on("Heartbeat")
            def on_heartbeat(self, **_: Any) -> Any:
                return call_result.Heartbeat(current_time=datetime.now(UTC).isoformat())

            @on("StatusNotification")
            def on_status(self, **_: Any) -> Any:
                return call_result.StatusNotification()

            @on("MeterValues")
            def on_meter_values(self, evse_id: int, meter_value: list[Any], **_: Any) -> Any:
                return call_result.MeterValues()

            @on("TransactionEvent")
            def on_transaction_event(self, **_: Any) -> Any:
                return call_result.TransactionEvent()

        self._point = Point

    async def start(self) -> int:
        """Listen; returns the port."""
        from websockets.asyncio.server import ServerConnection, serve
        from websockets.typing import Subprotocol

        async def connected(connection: ServerConnection) -> None:
            assert connection.request is not None
            identity = connection.request.path.rpartition("/")[2]
            point = self.points[identity] = self._point(identity, connection)
            try:
                await point.start()
            finally:
                del self.points[identity]

        self._server = await serve(connected, "127.0.0.1", 0, subprotocols=[Subprotocol("ocpp2.0.1")])
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def send_profile(self, identity: str, profile: dict[str, Any]) -> None:
        """Send a charging profile, checked by the library."""
        request = self._call.SetChargingProfile(evse_id=1, charging_profile=profile)
        answer = await self.points[identity].call(request, suppress=False)
        assert answer.status == "Accepted"

    @property
    def identities(self) -> list[str]:
        """The stations that may be sent something."""
        return list(self.points)


def site_of(stations: int, gauge: Gauge, station: Callable[[str], Any]) -> Any:
    """Return the control loop over so many stations behind one fuse."""
    from custom_components.headroom.engine.model import Circuit
    from custom_components.headroom.site.config import AuthorizationPolicy, EvseConfig, SiteConfig, StationConfig
    from custom_components.headroom.site.site import Site

    fuse_a = AMPS_PER_STATION * stations
    main = Circuit(circuit_id="main", name="Main", fuse_a=fuse_a, unmanaged_worst_a=(40.0, 40.0, 40.0), metered=True)
    config = SiteConfig(
        circuits=(main,),
        stations={
            name: StationConfig(identity=name, name=name, circuit_id="main", evses=(EvseConfig(evse_id=1),))
            for name in (f"S{number}" for number in range(stations))
        },
        authorization=AuthorizationPolicy(free=True),
    )
    return Site(config, station=station, on_turn=lambda snapshot: gauge.turned())


def leave_home_assistant_out() -> None:
    """Have the component's own package import nothing: central system and control loop name no Home Assistant module, so none is measured."""
    package = ModuleType("custom_components.headroom")
    package.__path__ = [str(Path(__file__).parents[2] / "custom_components" / "headroom")]
    sys.modules[package.__name__] = package


def usage() -> dict[str, float]:
    """Return what this process has used: seconds of a core, and the bytes it holds now."""
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {"cpu_s": process_time(), "rss_bytes": resident}


async def send_profiles(system: Ours | Bare, seconds: float) -> dict[str, Any]:
    """Send charging profiles to every station, one after the other at each; returns how long each took until its answer."""
    took_s: list[float] = []
    ends = perf_counter() + seconds

    profile = charging_profile(6.0)

    async def to(identity: str) -> None:
        while perf_counter() < ends:
            before = perf_counter()
            await system.send_profile(identity, profile)
            took_s.append(perf_counter() - before)

    started, cpu_s = perf_counter(), process_time()
    await asyncio.gather(*(to(identity) for identity in system.identities))
    return {"took_s": took_s, "seconds": perf_counter() - started, "cpu_s": process_time() - cpu_s}


async def run(kind: str, stations: int) -> None:
    """Serve until told to quit."""
    gauge = Gauge()
    system: Ours | Bare = Ours(gauge, stations) if kind == "ours" else Bare()
    print(json.dumps({"port": await system.start()}), flush=True)
    watching = asyncio.create_task(gauge.watch())
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        command = json.loads(line)
        match command["do"]:
            case "usage":
                ready = len(system.ready) if isinstance(system, Ours) else len(system.points)
                answer: dict[str, Any] = usage() | gauge.document() | {"ready": ready}
            case "reset":
                gc.collect()
                gauge.reset()
                if isinstance(system, Ours):
                    system.ready.clear()
                answer = {}
            case "profiles":
                answer = await send_profiles(system, command["seconds"])
            case _:
                break
        print(json.dumps(answer), flush=True)
    watching.cancel()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("ours", "bare"))
    parser.add_argument("--site", type=int, default=0, help="stations of a site whose control loop runs beside")
    arguments = parser.parse_args()
    leave_home_assistant_out()
    asyncio.run(run(arguments.kind, arguments.site))


if __name__ == "__main__":
    main()
