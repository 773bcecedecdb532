"""The faults a run can switch on and off by name, as "offline:GARAGE" or "meter-frozen"."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from .client import StationClient
from .meter import MeterServer
from .site import SimulatedSite

SLOW_ANSWER_S = 4.0
SLOW_APPLY_S = 10.0
EXTERNAL_LIMIT_A = 10.0
FIRE_C = 70.0
"""By so much a station gets hotter than its load makes it."""


@dataclass(frozen=True, slots=True)
class Breakable:
    """What may break of a site that runs: its stations and their clients, and its meter where it has one."""

    site: SimulatedSite
    clients: Mapping[str, StationClient]
    meter: MeterServer | None


type Switch = Callable[[Breakable, str, bool], Awaitable[None]]
"""Switches a fault on or off, of the station named where it is one of a station."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """A fault that comes at a time and, with `lasts_s`, goes again."""

    name: str
    at_s: float
    lasts_s: float | None = None


async def _offline(running: Breakable, station: str, on: bool) -> None:
    running.site.stations[station].faults.offline = on
    running.site.stations[station].on_change()


async def _silent(running: Breakable, station: str, on: bool) -> None:
    running.site.stations[station].faults.silent = on
    running.site.stations[station].on_change()


async def _hangs_up(running: Breakable, station: str, on: bool) -> None:
    running.site.stations[station].faults.hangs_up = on


async def _slow(running: Breakable, station: str, on: bool) -> None:
    faults = running.site.stations[station].faults
    faults.answer_after_s, faults.apply_after_s = (SLOW_ANSWER_S, SLOW_APPLY_S) if on else (0.0, 0.0)


async def _rejecting(running: Breakable, station: str, on: bool) -> None:
    running.site.stations[station].faults.rejecting = on


async def _ignoring(running: Breakable, station: str, on: bool) -> None:
    running.site.stations[station].faults.ignoring = on


async def _reboot(running: Breakable, station: str, on: bool) -> None:
    if on:
        running.site.stations[station].reboot("Watchdog")


async def _reboot_ending(running: Breakable, station: str, on: bool) -> None:
    if on:
        running.site.stations[station].reboot("Watchdog", transactions_go_on=False)


async def _external_limit(running: Breakable, station: str, on: bool) -> None:
    running.site.stations[station].limit_externally(0, EXTERNAL_LIMIT_A if on else None)


async def _hot(running: Breakable, station: str, on: bool) -> None:
    running.site.stations[station].sensors.fire_c = FIRE_C if on else 0.0


async def _tampered(running: Breakable, station: str, on: bool) -> None:
    if on:
        running.site.stations[station].security.tamper()


async def _drop(running: Breakable, station: str, on: bool) -> None:
    if on:
        await running.clients[station].drop()


async def _meter_silent(running: Breakable, _: str, on: bool) -> None:
    if running.meter:
        running.meter.silent = on


async def _meter_frozen(running: Breakable, _: str, on: bool) -> None:
    if running.meter:
        running.meter.frozen = on


async def _meter_gone(running: Breakable, _: str, on: bool) -> None:
    if running.meter:
        await (running.meter.stop() if on else running.meter.restart())


FAULTS: Mapping[str, Switch] = {
    "offline": _offline,
    "silent": _silent,
    "hangs-up": _hangs_up,
    "slow": _slow,
    "rejecting": _rejecting,
    "ignoring": _ignoring,
    "reboot": _reboot,
    "reboot-ending": _reboot_ending,
    "external-limit": _external_limit,
    "hot": _hot,
    "tampered": _tampered,
    "drop": _drop,
    "meter-silent": _meter_silent,
    "meter-frozen": _meter_frozen,
    "meter-gone": _meter_gone,
}


def verify(name: str, stations: Collection[str]) -> None:
    """Raise ValueError where there is no such fault, or no such station."""
    kind, _, station = name.partition(":")
    if kind not in FAULTS:
        raise ValueError(f"there is no fault {kind!r}; there are {', '.join(FAULTS)}")
    if kind.startswith("meter") == bool(station) or (station and station not in stations):
        raise ValueError(f"{name!r}: a fault of a station is written KIND:STATION, of {', '.join(stations)}")


async def switch(running: Breakable, name: str, on: bool) -> None:
    """Switch a fault by name; raises ValueError as `verify` does."""
    verify(name, running.site.stations)
    kind, _, station = name.partition(":")
    await FAULTS[kind](running, station, on)


def parsed(text: str) -> FaultEvent:
    """Read NAME@SECONDS or NAME@SECONDS+FOR; raises ValueError where it is neither."""
    name, _, when = text.rpartition("@")
    at, _, lasts = when.partition("+")
    if not name:
        raise ValueError(f"{text!r} is not NAME@SECONDS")
    return FaultEvent(name=name, at_s=float(at), lasts_s=float(lasts) if lasts else None)
