"""How many messages the central system serves, side by side with a bare one of `ocpp` and `websockets`; and 500 stations on one site.

Throughput: each station sends its next request as soon as the last one is answered, the two central systems take turns of a second, so
that whatever else the machine does hits both alike. Beside the wall clock's messages/s stands what a message costs the central system's
process in CPU time, which a busy machine changes less. Stations are in this process, the central systems in one each.

With --check the exit status is 1 where Headroom falls below what a site of 500 stations needs.
"""

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
import json
import platform
import random
from statistics import quantiles
import sys
from time import perf_counter, process_time
from typing import Any

from .central_system.load import FIRST_NUMBER, Request, Station, connected
from .central_system.messages import meter_values, transaction_event
from .central_system.stations import Subject, answering, boot, status, subject

KINDS = ("MeterValues", "TransactionEvent", "SetChargingProfile")
STATIONS = (1, 50, 500)
SITE_STATIONS = 500
METER_INTERVAL_S = 10.0
DRAWN_A = 7.0
"""What each car of the site draws: less than its share of the fuse."""
LOOP_AT_LEAST_EVERY_S = 1.0
"""The site's meter is read once a second, and each reading starts a turn."""
READY_WITHIN_S = 120.0
SETTLING_S = 10.0
"""After a storm, known stations are still asked what they hold."""

LEAST_SPEED_UP = 5.0
MOST_CORES = 0.5
MOST_RSS_MB = 200.0
MOST_STORM_S = 30.0
MOST_TURN_GAP_S = 2 * LOOP_AT_LEAST_EVERY_S
"""A turn that is late by more than the one after it is a turn that was lost."""


@dataclass(slots=True)
class Tally:
    """What was measured of one central system."""

    took_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    server_cpu_s: float = 0.0
    stations_cpu_s: float = 0.0
    refused: int = 0

    def document(self) -> dict[str, float]:
        """Return messages/s, percentiles of the time to the answer, and CPU time."""
        count = len(self.took_s)
        percentiles = quantiles(self.took_s, n=100)
        return {
            "messages": count,
            "messages_per_s": round(count / self.seconds, 1),
            "p50_ms": round(percentiles[49] * 1000, 3),
            "p99_ms": round(percentiles[98] * 1000, 3),
            "server_cpu_us_per_message": round(self.server_cpu_s / count * 1e6, 1),
            "stations_cpu_us_per_message": round(self.stations_cpu_s / count * 1e6, 1),
            "refused": self.refused,
        }


def started(event: dict[str, Any]) -> Request:
    """Return the request with the first event of a transaction, numbered just before those that follow."""
    return Request("TransactionEvent", event, FIRST_NUMBER - 1)


class Flow:
    """Stations that ask as fast as they are answered."""

    def __init__(self, stations: Sequence[Station], kind: str) -> None:
        """Lay each station's requests ready."""
        self._stations = stations
        self._requests = [
            Request(kind, meter_values() if kind == "MeterValues" else transaction_event(f"T-{station.identity}", 1))
            for station in stations
        ]
        for station in stations:
            if kind == "TransactionEvent":
                station.request(started(transaction_event(f"T-{station.identity}", 0)).frame())

    async def run(self, seconds: float, tally: Tally) -> None:
        """Ask for so long, then wait for the last answers."""
        ends = perf_counter() + seconds
        busy = len(self._stations)
        over = asyncio.Event()

        def begin(station: Station, request: Request) -> None:
            def on_answer(body: bytes, took_s: float) -> None:
                nonlocal busy
                tally.took_s.append(took_s)
                if perf_counter() < ends:
                    station.request(request.frame())
                    return
                busy -= 1
                if busy == 0:
                    over.set()

            station.on_answer = on_answer
            station.request(request.frame())

        for station, request in zip(self._stations, self._requests, strict=True):
            begin(station, request)
        await over.wait()
        for station in self._stations:
            station.on_answer = lambda body, took_s: None


async def ready_stations(central: Subject, count: int) -> list[Station]:
    """Return stations that are connected, booted, read and accepted."""
    stations = await connected(central.port, [f"S{number}" for number in range(count)], answering)
    boot(stations)
    await central.until_ready(count, READY_WITHIN_S)
    return stations


async def throughput(kind: str, count: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure one kind of message with so many stations, ours and bare in turns."""
    async with AsyncExitStack() as stack:
        centrals = {name: await stack.enter_async_context(subject(name)) for name in ("ours", "bare")}
        stations = {name: await ready_stations(central, count) for name, central in centrals.items()}
        flows = {} if kind == "SetChargingProfile" else {name: Flow(each, kind) for name, each in stations.items()}
        tallies = {name: Tally() for name in centrals}
        for number in range(rounds + 1):
            for name in (("ours", "bare"), ("bare", "ours"))[number % 2]:
                # The first round warms up.
                await one_round(centrals[name], flows.get(name), seconds if number else 0.3, tallies[name] if number else Tally())
        for name, each in stations.items():
            tallies[name].refused = sum(station.refused for station in each)
            for station in each:
                station.close()
    results = {name: tally.document() for name, tally in tallies.items()}
    ours, bare = results["ours"], results["bare"]
    return {
        "message": kind,
        "stations": count,
        **results,
        "speed_up": round(ours["messages_per_s"] / bare["messages_per_s"], 2),
        "speed_up_by_cpu": round(bare["server_cpu_us_per_message"] / ours["server_cpu_us_per_message"], 2),
    }


async def one_round(central: Subject, flow: Flow | None, seconds: float, tally: Tally) -> None:
    """Add one round to a tally; without a flow the central system sends charging profiles."""
    if flow is None:
        cpu_s = process_time()
        answer = await central.ask("profiles", seconds=seconds)
        tally.stations_cpu_s += process_time() - cpu_s
        tally.took_s += answer["took_s"]
        tally.seconds += answer["seconds"]
        tally.server_cpu_s += answer["cpu_s"]
        return
    before, cpu_s, began = await central.ask("usage"), process_time(), perf_counter()
    await flow.run(seconds, tally)
    tally.seconds += perf_counter() - began
    tally.stations_cpu_s += process_time() - cpu_s
    tally.server_cpu_s += (await central.ask("usage"))["cpu_s"] - before["cpu_s"]


async def metering(stations: Sequence[Station], requests: Sequence[Request]) -> None:
    """Have each station send its values every METER_INTERVAL_S, spread over the time, until cancelled."""
    async with asyncio.TaskGroup() as tasks:
        for number, (station, request) in enumerate(zip(stations, requests, strict=True)):
            tasks.create_task(every(METER_INTERVAL_S, METER_INTERVAL_S * number / len(stations), station, request))


async def every(interval_s: float, delay_s: float, station: Station, request: Request) -> None:
    """Have a station send a request at an interval."""
    loop = asyncio.get_running_loop()
    due = loop.time() + delay_s
    while True:
        await asyncio.sleep(due - loop.time())
        station.request(request.frame())
        due += interval_s


async def usage_over(central: Subject, seconds: float) -> dict[str, float]:
    """Return what a central system uses over a while."""
    await central.ask("reset")
    before, began = await central.ask("usage"), perf_counter()
    await asyncio.sleep(seconds)
    after, took_s = await central.ask("usage"), perf_counter() - began
    return {
        "seconds": round(took_s, 1),
        "cores": round((after["cpu_s"] - before["cpu_s"]) / took_s, 3),
        "rss_mb": round(after["rss_bytes"] / 1e6, 1),
        "turns_per_s": round(after["turns"] / took_s, 2),
        "worst_turn_gap_s": round(after["worst_turn_gap_s"], 3),
        "worst_loop_lag_s": round(after["worst_lag_s"], 3),
    }


async def site_of_500(seconds: float) -> dict[str, Any]:
    """Measure a site with its control loop: idle stations, stations that all charge, and a storm of reconnections."""
    async with subject("ours", site=SITE_STATIONS) as central:
        await central.ask("reset")
        alone = await central.ask("usage")
        began = perf_counter()
        stations = await ready_stations(central, SITE_STATIONS)
        first_ready_s = perf_counter() - began
        for station in stations:
            station.request(Request("StatusNotification", status()).frame())
        await asyncio.sleep(5)
        meters = [Request("MeterValues", meter_values(0.0)) for _ in stations]
        sending = asyncio.create_task(metering(stations, meters))
        idle = await usage_over(central, seconds)
        sending.cancel()
        for station in stations:
            station.request(Request("StatusNotification", status() | {"connectorStatus": "Occupied"}).frame())
            station.request(started(transaction_event(f"T-{station.identity}", 0, DRAWN_A)).frame())
        await asyncio.sleep(15)
        events = [Request("TransactionEvent", transaction_event(f"T-{station.identity}", 1, DRAWN_A)) for station in stations]
        sending = asyncio.create_task(metering(stations, events))
        charging = await usage_over(central, seconds)
        sending.cancel()
        stormed = await storm(central, stations)
        return {
            "stations": SITE_STATIONS,
            "first_ready_s": round(first_ready_s, 2),
            "rss_mb_without_stations": round(alone["rss_bytes"] / 1e6, 1),
            "rss_kb_per_station": kb_per_station(idle, alone),
            "rss_kb_per_charging_station": kb_per_station(charging, alone),
            "meter_values": idle,
            "all_charging": charging,
            "storm": stormed,
        }


def kb_per_station(used: dict[str, float], alone: dict[str, float]) -> float:
    """Return what each station adds to what the central system and its control loop hold without them."""
    return round((used["rss_mb"] - alone["rss_bytes"] / 1e6) * 1000 / SITE_STATIONS, 1)


async def storm(central: Subject, stations: Sequence[Station]) -> dict[str, float]:
    """Cut every connection, have all stations connect and boot at the same time, and wait until all are ready."""
    for station in stations:
        station.close()
    await asyncio.sleep(2)
    await central.ask("reset")
    began = perf_counter()
    again = await connected(central.port, [station.identity for station in stations], answering, at_once=len(stations))
    connected_s = perf_counter() - began
    random.shuffle(again)
    boot(again)
    await central.until_ready(len(again), READY_WITHIN_S)
    ready_s = perf_counter() - began
    await asyncio.sleep(SETTLING_S)
    after = await central.ask("usage")
    for station in again:
        station.close()
    return {
        "connected_s": round(connected_s, 2),
        "ready_s": round(ready_s, 2),
        "settling_s": SETTLING_S,
        "turns": after["turns"],
        "worst_turn_gap_s": round(after["worst_turn_gap_s"], 3),
        "worst_loop_lag_s": round(after["worst_lag_s"], 3),
    }


def shortcomings(results: Sequence[dict[str, Any]], site: dict[str, Any]) -> list[str]:
    """Return what is below what --check asks for."""
    found = [
        f"{result['message']}, {result['stations']} stations: {result['speed_up']} times the bare one, less than {LEAST_SPEED_UP}"
        for result in results
        if result["message"] == "MeterValues" and result["speed_up"] < LEAST_SPEED_UP
    ]
    if not site:
        return found
    for case in ("meter_values", "all_charging"):
        used = site[case]
        if used["cores"] >= MOST_CORES:
            found.append(f"{case}: {used['cores']} cores, not less than {MOST_CORES}")
        if used["rss_mb"] >= MOST_RSS_MB:
            found.append(f"{case}: {used['rss_mb']} MB, not less than {MOST_RSS_MB}")
    if site["storm"]["ready_s"] >= MOST_STORM_S:
        found.append(f"storm: {site['storm']['ready_s']} s, not less than {MOST_STORM_S}")
    found += [
        f"{case}: {site[case]['worst_turn_gap_s']} s between two turns, more than {MOST_TURN_GAP_S}"
        for case in ("meter_values", "all_charging", "storm")
        if site[case]["worst_turn_gap_s"] > MOST_TURN_GAP_S
    ]
    return found


async def measure(options: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Measure everything."""
    rounds, seconds = (2, 0.5) if options.quick else (5, 1.0)
    results = [await throughput(kind, count, rounds, seconds) for kind in options.messages for count in STATIONS]
    site = {} if options.no_site else await site_of_500(10.0 if options.quick else 30.0)
    return results, site


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the results as JSON, and return the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/bench csms", description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="fail where Headroom falls short")
    parser.add_argument("--quick", action="store_true", help="shorter rounds")
    parser.add_argument("--messages", nargs="*", choices=KINDS, default=KINDS, help="only these kinds of message")
    parser.add_argument("--no-site", action="store_true", help="leave the site of 500 stations out")
    options = parser.parse_args(arguments)
    results, site = asyncio.run(measure(options))
    print(json.dumps({"benchmark": "csms", "python": platform.python_version(), "results": results, "site": site}, indent=2))
    found = shortcomings(results, site) if options.check else []
    for each in found:
        print(each, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
