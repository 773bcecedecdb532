"""The faults a run can switch on and off by name, as "offline:GARAGE" or "meter-frozen"."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .driver import SiteDriver

SLOW_ANSWER_S = 4.0
SLOW_APPLY_S = 10.0
EXTERNAL_LIMIT_A = 10.0
FIRE_C = 70.0
"""By so much a station gets hotter than its load makes it."""

type Switch = Callable[[SiteDriver, str, bool], Awaitable[None]]
"""Switches a fault on or off, of the station named where it is one of a station."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultEvent:
    """A fault that comes at a time and, with `lasts_s`, goes again."""

    name: str
    at_s: float
    lasts_s: float | None = None


async def _offline(driver: SiteDriver, station: str, on: bool) -> None:
    driver.site.stations[station].faults.offline = on
    driver.site.stations[station].on_change()


async def _slow(driver: SiteDriver, station: str, on: bool) -> None:
    faults = driver.site.stations[station].faults
    faults.answer_after_s, faults.apply_after_s = (SLOW_ANSWER_S, SLOW_APPLY_S) if on else (0.0, 0.0)


async def _rejecting(driver: SiteDriver, station: str, on: bool) -> None:
    driver.site.stations[station].faults.rejecting = on


async def _ignoring(driver: SiteDriver, station: str, on: bool) -> None:
    driver.site.stations[station].faults.ignoring = on


async def _reboot(driver: SiteDriver, station: str, on: bool) -> None:
    if on:
        driver.site.stations[station].reboot("Watchdog")


async def _reboot_ending(driver: SiteDriver, station: str, on: bool) -> None:
    if on:
        driver.site.stations[station].reboot("Watchdog", transactions_go_on=False)


async def _external_limit(driver: SiteDriver, station: str, on: bool) -> None:
    driver.site.stations[station].limit_externally(0, EXTERNAL_LIMIT_A if on else None)


async def _hot(driver: SiteDriver, station: str, on: bool) -> None:
    driver.site.stations[station].sensors.fire_c = FIRE_C if on else 0.0


async def _tampered(driver: SiteDriver, station: str, on: bool) -> None:
    if on:
        driver.site.stations[station].security.tamper()


async def _drop(driver: SiteDriver, station: str, on: bool) -> None:
    if on:
        await driver.clients[station].drop()


async def _meter_silent(driver: SiteDriver, _: str, on: bool) -> None:
    if driver.meter:
        driver.meter.silent = on


async def _meter_frozen(driver: SiteDriver, _: str, on: bool) -> None:
    if driver.meter:
        driver.meter.frozen = on


async def _meter_gone(driver: SiteDriver, _: str, on: bool) -> None:
    if driver.meter:
        await (driver.meter.stop() if on else driver.meter.restart())


FAULTS: Mapping[str, Switch] = {
    "offline": _offline,
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


async def switch(driver: SiteDriver, name: str, on: bool) -> None:
    """Switch a fault by name; raises ValueError as `verify` does."""
    verify(name, driver.site.stations)
    kind, _, station = name.partition(":")
    await FAULTS[kind](driver, station, on)


def parsed(text: str) -> FaultEvent:
    """Read NAME@SECONDS or NAME@SECONDS+FOR; raises ValueError where it is neither."""
    name, _, when = text.rpartition("@")
    at, _, lasts = when.partition("+")
    if not name:
        raise ValueError(f"{text!r} is not NAME@SECONDS")
    return FaultEvent(name=name, at_s=float(at), lasts_s=float(lasts) if lasts else None)
