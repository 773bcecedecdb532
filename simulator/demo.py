"""`scripts/demo`: a simulated charging site, a real Home Assistant that keeps it under its fuse, and what came of it."""

import argparse
import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
import json
import logging
from pathlib import Path
import signal
import sys
import time
from typing import Any

from .dashboard import ShownSite
from .decisions import DecisionCollector
from .driver import SiteDriver
from .homeassistant import CHECKOUT, PASSWORD as USER_PASSWORD, USERNAME, HomeAssistant, free_port
from .live import live_site
from .newcomer import (
    EvseAnswers,
    SiteAnswers,
    StationAnswers,
    add_integration,
    approve,
    learn_card,
    raise_security,
    save_dashboard,
    serve_tls,
    shown_site,
    wait_for_state,
)
from .report import Baseline, Run, build_report
from .site import SiteSpec
from .sites import DEMO_CARDS, DEMO_FUSE_A, DEMO_WORST_CASE_A, demo_site
from .yard import yard

MARGIN_A = 2.0
STATION_NAMES = {"GARAGE": "Garage", "CARPORT": "Carport", "YARD": "Yard", "GATE": "Gate"}
PASSWORD = 1
"""The security profile by which every station of the demo comes first."""
TLS_PROFILES = {"CARPORT": 2, "YARD": 3}
"""Those that are brought further, with nobody going there: to a password over TLS, and to a certificate of their own."""
FAULTS = {"meter": "meter-silent", "station": "offline:CARPORT", "home-assistant": None}
"""What each fault of the command line is called in the simulator; Home Assistant is no part of that."""
DOWN_S = 20.0
"""So long Home Assistant stays dead after it was killed."""
FIRST_LIMITS_WITHIN_S = 60.0
"""The warm-up ends at the latest so long after all is set up."""
UNLIMITED = {"not_charging", "offline", "unknown", "unavailable"}
"""Reasons of a limit that is not one for a car yet."""


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--headless", action="store_true", help="run without a spectator for --minutes, then end")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long a headless run lasts once all cars charge (default: 3)")
    parser.add_argument("--report", type=Path, help="write what was measured as JSON")
    parser.add_argument("--fault", choices=("none", *FAULTS), default="none", help="break something for the middle third of a headless run")
    parser.add_argument("--check", action="store_true", help="exit 1 where the site did not do what it is for")
    parser.add_argument("--bare", action="store_true", help="do not set the integration up: do it yourself")
    parser.add_argument("--folder", type=Path, default=CHECKOUT / ".demo" / "config", help="where Home Assistant's configuration goes")
    options = parser.parse_args(argv)
    if options.minutes <= 0:
        parser.error("--minutes must be above 0")
    if options.bare and options.headless:
        parser.error("--bare needs somebody to watch")
    if not options.headless and (options.check or options.report or options.fault != "none"):
        parser.error("--report, --fault and --check go with --headless")
    return options


def say(text: str) -> None:
    """Show progress."""
    print(f"\033[1m==>\033[0m {text}" if sys.stderr.isatty() else f"==> {text}", file=sys.stderr, flush=True)


def station_answers(spec: SiteSpec) -> list[StationAnswers]:
    """Return what a newcomer who wired the site would say of its stations."""
    return [
        StationAnswers(
            identity=station.identity,
            name=STATION_NAMES.get(station.identity, station.identity),
            evses=[EvseAnswers(phases=len(evse.conductors), rotation=evse.rotation, max_a=evse.max_a) for evse in station.evses],
        )
        for station in spec.stations
    ]


class Demo:
    """One demo: a site that lives, and a Home Assistant that is or is not there."""

    def __init__(
        self, options: argparse.Namespace, driver: SiteDriver, home_assistant: HomeAssistant, ocpp_port: int, tls_port: int
    ) -> None:
        """Take what is made already."""
        self.options = options
        self.driver = driver
        self.home_assistant = home_assistant
        self.ocpp_port = ocpp_port
        self.tls_port = tls_port

    async def set_up(self) -> ShownSite:
        """Set the integration up as a newcomer would; returns what the dashboard shows."""
        assert self.driver.meter is not None
        site = SiteAnswers(
            name="Home",
            fuse_a=DEMO_FUSE_A,
            margin_a=MARGIN_A,
            worst_case_a=DEMO_WORST_CASE_A,
            meter_model="eastron_sdm630",
            meter_port=self.driver.meter.port,
            ocpp_port=self.ocpp_port,
            security_profile=PASSWORD,
        )
        client = self.home_assistant.client
        entry_id = await add_integration(client, site)
        stations = station_answers(self.driver.site.spec)
        for station in stations:
            say(f"Approving the charging station {station.identity}")
            shown_once = await approve(client, station)
            self.driver.site.stations[station.identity].network.enter(shown_once.address, shown_once.password)
        shown = await shown_site(client, entry_id, site, stations)
        await self.secure(shown, stations)
        await self.learn_cards(entry_id)
        await save_dashboard(self.home_assistant, shown)
        return shown

    async def secure(self, shown: ShownSite, stations: Sequence[StationAnswers]) -> None:
        """See every station come back with its password, and bring those of `TLS_PROFILES` to TLS from afar."""
        client = self.home_assistant.client
        online = [shown.entity_ids[f"{shown.entry_id}_{station.identity}_online"] for station in stations]
        await wait_for_state(client, online, lambda states: {state["state"] for state in states.values()} == {"on"}, timeout_s=60.0)
        await serve_tls(client, shown.entry_id, security_profile=PASSWORD, port=self.tls_port)
        say(f"Bringing {' and '.join(TLS_PROFILES)} to TLS")
        async with asyncio.TaskGroup() as group:
            for station in stations:
                if profile := TLS_PROFILES.get(station.identity):
                    group.create_task(raise_security(client, shown.entry_id, station, security_profile=profile))

    async def learn_cards(self, entry_id: str) -> None:
        """Add each driver's card once it was turned away at a reader, and have it held there again."""
        say("Learning the drivers' cards")
        for name, visit in zip(DEMO_CARDS, self.driver.site.spec.visits, strict=True):
            assert visit.token is not None
            number, station = visit.token["idToken"], STATION_NAMES[visit.station]
            await learn_card(self.home_assistant.client, entry_id, name=name, station=station, ends_on=number[-2:])
            self.driver.site.stations[visit.station].present(visit.evse_id, visit.token)

    async def warm_up(self, shown: ShownSite) -> None:
        """Wait until every car is plugged in and has its first limit."""
        reasons = [shown.evse_entity(evse, "limit_reason") for evse in shown.evses]
        try:
            await wait_for_state(
                self.home_assistant.client,
                reasons,
                lambda states: not {state["state"] for state in states.values()} & UNLIMITED,
                timeout_s=FIRST_LIMITS_WITHIN_S,
            )
        except TimeoutError:
            say("Some car has no limit of its own yet; measuring all the same")

    async def measure(self, shown: ShownSite) -> dict[str, Any]:
        """Run for the minutes asked for, break what is to be broken, and return the report."""
        options, driver = self.options, self.driver
        await self.warm_up(shown)
        baseline, begun_at = Baseline.of(driver.site.recorder), datetime.now(UTC)
        collector = DecisionCollector(lambda: self.home_assistant.client, shown.entry_id)
        fetching = asyncio.create_task(collector.run())
        third_s = options.minutes * 60.0 / 3.0
        say(f"All cars charge; measuring for {options.minutes:g} min")
        try:
            await asyncio.sleep(third_s)
            if options.fault == "none":
                await asyncio.sleep(third_s)
            else:
                await self.break_for(options.fault, third_s)
            await asyncio.sleep(third_s)
        finally:
            fetching.cancel()
        await collector.fetch()
        notes = [f"OCPP violation by the central system, {violation.station}: {violation.text}" for violation in driver.violations]
        notes += [f"Decisions could not be fetched: {cause}" for cause in collector.refusals]
        if driver.lost_s:
            notes.append(f"The machine was too slow to reckon {driver.lost_s:.1f} s")
        run = Run(
            fault=options.fault,
            recorder=driver.site.recorder,
            baseline=baseline,
            decisions=collector.since(begun_at),
            log_troubles=self.home_assistant.our_troubles(),
            ocpp_violations=len(driver.violations),
            notes=notes,
        )
        return build_report(run)

    async def break_for(self, fault: str, duration_s: float) -> None:
        """Break something and mend it, within `duration_s`."""
        name = FAULTS[fault]
        if name is None:
            say("Home Assistant is killed")
            ends_s = time.monotonic() + duration_s
            await self.home_assistant.kill()
            await asyncio.sleep(DOWN_S)
            await self.home_assistant.start()
            say("Home Assistant is back")
            await asyncio.sleep(max(0.0, ends_s - time.monotonic()))
            return
        say(f"Fault: {name}")
        await self.driver.fault(name)
        await asyncio.sleep(duration_s)
        await self.driver.fault(name, on=False)
        say(f"Fault over: {name}")

    def show_address(self, yard_url: str) -> None:
        """Tell where to look."""
        assert self.driver.meter is not None
        print(f"\n  {self.home_assistant.url}\n  user      {USERNAME}\n  password  {USER_PASSWORD}\n")
        if self.options.bare:
            print("  Add the integration Headroom there, with these:")
            print(f"  main fuse {DEMO_FUSE_A:g} A, worst case {DEMO_WORST_CASE_A:g} A")
            print(f"  meter     Modbus, Eastron SDM630, 127.0.0.1, port {self.driver.meter.port}")
            print(f"  OCPP      port {self.ocpp_port}\n")
        print(f"  At the stations themselves, to enter passwords and hold cards to the readers: {yard_url}\n")
        print("  Ctrl-C ends it.", flush=True)


async def run(options: argparse.Namespace) -> int:
    """Run the demo; returns the exit status."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _cancel, asyncio.current_task())
    begun_s = time.monotonic()
    ocpp_port, tls_port = free_port(9000), free_port(9443)
    home_assistant = HomeAssistant(options.folder)
    csms_url = f"ws://127.0.0.1:{ocpp_port}"
    async with live_site(demo_site(margin_a=MARGIN_A), csms_url) as driver, yard(driver, csms_url) as yard_url:
        demo = Demo(options, driver, home_assistant, ocpp_port, tls_port)
        say(f"Starting Home Assistant on {home_assistant.url}")
        try:
            await home_assistant.start()
            async with asyncio.TaskGroup() as group:
                physics = group.create_task(driver.run())
                report = await _present(demo, begun_s, yard_url)
                physics.cancel()
        finally:
            say("Stopping Home Assistant")
            await home_assistant.stop()
    if report is None:
        return 0
    text = json.dumps(report, indent=2)
    if options.report:
        options.report.write_text(f"{text}\n")
    print(text)
    for shortfall in report["shortfalls"]:
        say(f"Falls short: {shortfall}")
    return 1 if options.check and report["shortfalls"] else 0


async def _present(demo: Demo, begun_s: float, yard_url: str) -> dict[str, Any] | None:
    if demo.options.bare:
        demo.show_address(yard_url)
        await asyncio.Event().wait()
    say("Setting the integration up")
    shown = await demo.set_up()
    say(f"Ready after {time.monotonic() - begun_s:.0f} s")
    if demo.options.headless:
        return await demo.measure(shown)
    demo.show_address(yard_url)
    await asyncio.Event().wait()
    return None


def _cancel(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()


def main() -> None:
    """Run from the command line."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    options = arguments(sys.argv[1:])
    try:
        status = asyncio.run(run(options))
    except KeyboardInterrupt, asyncio.CancelledError:
        status = 0
    sys.exit(status)


if __name__ == "__main__":
    main()
