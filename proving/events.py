"""What may happen in a story, by name: faults of meters, stations, cars and machines, and what people do."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import voluptuous as vol

from custom_components.headroom.site.config import EvseKey
from simulator.evse import Evse, token
from simulator.faults import SLOW_ANSWER_S, SLOW_APPLY_S
from simulator.site import Visit

from .journal import FiledRecords
from .meter import MeterFault
from .place import car
from .running import RunningSite
from .setting import Setting
from .story import Told
from .words import number, seconds, share

LOCKED, DISK_FULL = "database locked", "disk full"
OF_THE_FILE = frozenset({LOCKED, DISK_FULL})
"""What befalls the file that the ledger writes."""
GARBAGE = (
    "",
    "no JSON",
    "{}",
    "[]",
    '[2,"1"]',
    '[2,"2","Nonsense",{}]',
    '[2,"3","BootNotification",{"reason":7}]',
    '[2,"4","TransactionEvent",{}]',
    '[3,"nobody asked",{}]',
    '[4,"nobody asked","","",{}]',
    '[9,"5",{}]',
    '["2",[[[[]]]]]',
)

type Happen = Callable[[RunningSite, Told, bool], Awaitable[None]]
"""Lets an event begin, or end."""


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of event. `of`: "station", "circuit" or "site"; `more` is a schema of what else may be said of it."""

    of: str
    happen: Happen
    more: Mapping[Any, Any] = field(default_factory=dict)


def subject_kind(name: str, setting: Setting) -> str | None:
    """Return what a name is of in a site; None where it is of nothing."""
    if name == "site":
        return "site"
    if name in setting.places:
        return "station"
    return "circuit" if any(circuit.circuit_id == name for circuit in setting.circuits) else None


def _meter(fault: MeterFault) -> Event:
    async def happen(running: RunningSite, told: Told, on: bool) -> None:
        running.meters[str(told.of)].fault = fault if on else None

    return Event("circuit", happen)


def _station(name: str) -> Event:
    async def happen(running: RunningSite, told: Told, on: bool) -> None:
        await running.fault(f"{name}:{told.of}", on)

    return Event("station", happen)


def _evse(running: RunningSite, told: Told) -> Evse:
    return running.world.stations[str(told.of)].evses[1]


async def _slow(running: RunningSite, told: Told, on: bool) -> None:
    faults = running.world.stations[str(told.of)].faults
    faults.answer_after_s = told.more["answers_after"] if on else 0.0
    faults.apply_after_s = told.more["follows_after"] if on else 0.0


async def _overdraws(running: RunningSite, told: Told, on: bool) -> None:
    evse = _evse(running, told)
    if evse.car is not None:
        evse.car = replace(evse.car, draw_fraction=told.more["times"] if on else 0.98)


async def _switches_phases(running: RunningSite, told: Told, on: bool) -> None:
    evse = _evse(running, told)
    if evse.car is not None and on:
        evse.car = replace(evse.car, phases=told.more["phases"])


async def _plugs_in(running: RunningSite, told: Told, on: bool) -> None:
    if on:
        spec = car(f"car at {told.of}", phases=told.more["phases"], max_a=told.more["max_a"])
        running.world.plug_in(
            Visit(comes_s=0.0, station=str(told.of), evse_id=1, car=spec, token=token(told.more["card"]), soc=told.more["soc"])
        )
    else:
        running.world.unplug(str(told.of), 1)


async def _leaves(running: RunningSite, told: Told, on: bool) -> None:
    if on:
        running.world.unplug(str(told.of), 1)


async def _may_not_charge(running: RunningSite, told: Told, on: bool) -> None:
    running.site.set_allowed(EvseKey(str(told.of), 1), not on)


async def _killed(running: RunningSite, told: Told, on: bool) -> None:
    if on:
        await running.vanish()
    else:
        await running.come_back()


async def _clock(running: RunningSite, told: Told, on: bool) -> None:
    running.clock_error_s += told.more["by"] if on else -told.more["by"]


async def _everybody(running: RunningSite, told: Told, on: bool) -> None:
    if on:
        for client in running.driver.clients.values():
            await client.drop()


async def _outside(running: RunningSite, told: Told, on: bool) -> None:
    if on:
        running.site.set_external_limit(
            "utility",
            str(told.of),
            limit_a=told.more.get("amps"),
            limit_w=told.more.get("watts"),
            duration_s=told.more.get("holds_for"),
            silent_after_s=told.more.get("silent_after"),
            failsafe_a=told.more.get("failsafe_amps"),
            failsafe_w=told.more.get("failsafe_watts"),
            failsafe_s=told.more.get("failsafe_for"),
        )
    else:
        running.site.clear_external_limit("utility", str(told.of))


async def _garbage(running: RunningSite, told: Told, on: bool) -> None:
    if not on:
        return
    transport = await running.connect(told.more["as"])
    try:
        for text in GARBAGE:
            await transport.send(text)
    except ConnectionError:
        pass  # it was hung up on, which is as good an answer
    else:
        await transport.close()


async def _station_garbage(running: RunningSite, told: Told, on: bool) -> None:
    if on:
        for text in GARBAGE:
            await running.driver.clients[str(told.of)].say_raw(text)


async def _locked(running: RunningSite, told: Told, on: bool) -> None:
    assert isinstance(running.records, FiledRecords)
    running.records.lock(locked=on)


async def _disk_full(running: RunningSite, told: Told, on: bool) -> None:
    assert isinstance(running.records, FiledRecords)
    running.records.fill(full=on)


EVENTS: Mapping[str, Event] = {
    **{str(fault): _meter(fault) for fault in MeterFault},
    "station offline": _station("offline"),
    "station silent": _station("silent"),
    "connection drops": _station("drop"),
    "station hangs up when told a limit": _station("hangs-up"),
    "station slow": Event(
        "station",
        _slow,
        {vol.Optional("answers_after", default=SLOW_ANSWER_S): seconds, vol.Optional("follows_after", default=SLOW_APPLY_S): seconds},
    ),
    "station rejects limits": _station("rejecting"),
    "station ignores limits": _station("ignoring"),
    "station reboots": _station("reboot"),
    "station reboots and ends its transaction": _station("reboot-ending"),
    "somebody else limits the station": _station("external-limit"),
    "car overdraws": Event("station", _overdraws, {vol.Required("times"): number}),
    "car switches phases": Event("station", _switches_phases, {vol.Required("phases"): vol.In([1, 2, 3])}),
    "car comes": Event(
        "station",
        _plugs_in,
        {
            vol.Optional("phases", default=3): vol.In([1, 2, 3]),
            vol.Optional("max_a", default=32): number,
            vol.Optional("card", default="CARD"): str,
            vol.Optional("soc", default=0.2): share,
        },
    ),
    "car leaves": Event("station", _leaves),
    "charging not allowed": Event("station", _may_not_charge),
    "station sends garbage": Event("station", _station_garbage),
    "limit from outside": Event(
        "circuit",
        _outside,
        {
            **{vol.Optional(name): number for name in ("amps", "watts", "failsafe_amps", "failsafe_watts")},
            **{vol.Optional(name): seconds for name in ("holds_for", "silent_after", "failsafe_for")},
        },
    ),
    "Home Assistant killed": Event("site", _killed),
    "clock jumps": Event("site", _clock, {vol.Required("by"): vol.Coerce(float)}),
    "every station reconnects": Event("site", _everybody),
    "stranger sends garbage": Event("site", _garbage, {vol.Optional("as", default="STRANGER"): str}),
    LOCKED: Event("site", _locked),
    DISK_FULL: Event("site", _disk_full),
}


async def happen(running: RunningSite, told: Told, on: bool) -> None:
    """Let an event begin, or end."""
    running.driver.touch()
    await EVENTS[told.what].happen(running, told, on)
