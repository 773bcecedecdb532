"""A site by chance: where it charges, who comes when, what the building draws, and what breaks. The same seed gives the same."""

from collections.abc import Mapping
from dataclasses import dataclass
import random
from typing import Any

from custom_components.headroom.engine.model import Circuit
from simulator.building import StepLoad
from simulator.car import CarSpec
from simulator.electrical import PerPhase
from simulator.evse import token
from simulator.site import Visit

from .place import Place
from .setting import Setting, main_fuse
from .story import Told

DAY_S = 86_400.0
EVSES_BELOW_ONE = 10
"""So many EVSEs share a sub-distribution."""
MARGIN_A = 2.0
MODELS = (
    CarSpec(name="3-phase 16 A", battery_kwh=64, phases=3, max_a=16.0),
    CarSpec(name="3-phase 32 A", battery_kwh=82, phases=3, max_a=32.0, response_s=2.5),
    CarSpec(name="1-phase 32 A", battery_kwh=40, phases=1, max_a=32.0),
    CarSpec(name="1-phase 16 A", battery_kwh=13, phases=1, max_a=16.0),
    CarSpec(name="2-phase 16 A", battery_kwh=58, phases=2, max_a=16.0, wake_s=20.0),
)
STATION_FAULTS = (
    "station offline",
    "station silent",
    "connection drops",
    "station hangs up when told a limit",
    "station slow",
    "station rejects limits",
    "station ignores limits",
    "station reboots",
    "station reboots and ends its transaction",
    "somebody else limits the station",
    "station sends garbage",
)
METER_FAULTS = ("meter lost", "meter spike", "meter not a number", "meter sign flipped", "meter wrong unit")
SITE_FAULTS = ("Home Assistant killed", "every station reconnects", "stranger sends garbage", "clock jumps")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A site by chance, and what breaks there. Times are seconds from a Monday's midnight; nobody stays over night."""

    setting: Setting
    events: tuple[Told, ...]


def plan(*, seed: int, evses: int, hours: float, faults_per_hour: float) -> Plan:
    """Return a workplace of so many EVSEs for so long, with so many faults in an hour in which people are there.

    The fuse carries about 6 A for each EVSE beside the building, so that on a full day not everybody can charge at once.
    """
    dice = random.Random(seed)
    fuse_a = float(max(40, 10 * round(0.75 * evses)))
    worst_a = round(0.35 * fuse_a)
    groups = -(-evses // EVSES_BELOW_ONE)
    group_fuse_a = 100.0 if groups > 1 else fuse_a
    circuits = [main_fuse(fuse_a=fuse_a, margin_a=MARGIN_A, worst_case_a=worst_a, metered=True)]
    if groups > 1:
        circuits += [
            Circuit(circuit_id=f"D{group + 1}", name=f"D{group + 1}", parent_id="main", fuse_a=group_fuse_a, margin_a=MARGIN_A)
            for group in range(groups)
        ]
    rotations = ("L1L2L3", "L2L3L1", "L3L1L2")
    places = {
        f"CP{number + 1}": Place(
            car=None, rotation=rotations[number % 3], circuit_id=f"D{number // EVSES_BELOW_ONE + 1}" if groups > 1 else "main"
        )
        for number in range(evses)
    }
    days = -(-int(hours * 3600) // int(DAY_S))
    visits = tuple(visit for day in range(days) for visit in _visits(dice, list(places), day))
    setting = Setting(
        circuits=circuits, places=places, loads={"main": _building(dice, days, float(worst_a))}, visits=visits, tolerance_a=0.5
    )
    return Plan(setting=setting, events=_events(dice, list(places), days, faults_per_hour))


def _visits(dice: random.Random, identities: list[str], day: int) -> list[Visit]:
    """Return a day's cars: most come in the morning, some at noon or in the evening; few at a weekend."""
    weekend = day % 7 >= 5
    found = []
    for identity in identities:
        comes_s = dice.gauss(8.3, 1.0) * 3600
        stays_s = dice.uniform(2.5, 9.0) * 3600
        if dice.random() < (0.15 if weekend else 0.85):
            found.append((identity, comes_s, comes_s + stays_s))
        again_s = comes_s + stays_s + dice.uniform(600, 5400)
        if dice.random() < 0.3 and again_s < 19.0 * 3600:
            found.append((identity, again_s, again_s + dice.uniform(0.7, 3.0) * 3600))
    return [
        Visit(
            comes_s=day * DAY_S + comes_s,
            leaves_s=day * DAY_S + min(leaves_s, 22.5 * 3600),
            station=identity,
            evse_id=1,
            car=dice.choice(MODELS),
            token=token("CARD"),
            soc=dice.uniform(0.1, 0.8),
        )
        for identity, comes_s, leaves_s in found
    ]


def _building(dice: random.Random, days: int, worst_a: float) -> StepLoad:
    """Return a building that draws little at night and much by day, changes some ten times an hour, and now and then nears its worst."""
    levels: list[tuple[float, PerPhase]] = []
    for day in range(days):
        at_s = 0.0
        while at_s < DAY_S:
            by_day = 6.0 < at_s / 3600 < 20.0
            base = 0.45 if by_day else 0.15
            high = dice.random() < (0.05 if by_day else 0.0)
            l1, l2, l3 = (worst_a * (dice.uniform(0.85, 1.0) if high else base * dice.uniform(0.4, 1.5)) for _ in range(3))
            levels.append((day * DAY_S + at_s, (l1, l2, l3)))
            at_s += dice.expovariate(1 / (420.0 if by_day else 3600.0)) + 5.0
    return StepLoad(tuple(levels))


def _events(dice: random.Random, identities: list[str], days: int, faults_per_hour: float) -> tuple[Told, ...]:
    found = []
    for day in range(days):
        at_h = 7.0
        while faults_per_hour and (at_h := at_h + dice.expovariate(faults_per_hour)) < 19.0:
            found.append(_fault(dice, identities, day * DAY_S + at_h * 3600))
    return tuple(found)


def _fault(dice: random.Random, identities: list[str], at_s: float) -> Told:
    lasts_s = min(900.0, 10.0 + dice.expovariate(1 / 120.0))
    chance = dice.random()
    if chance < 0.25:
        return Told(at_s=at_s, what=dice.choice(METER_FAULTS), of="main", lasts_s=lasts_s)
    if chance < 0.4:
        return Told(at_s=at_s, what=(what := dice.choice(SITE_FAULTS)), lasts_s=lasts_s, more=_more(dice, what))
    what = "car overdraws" if chance < 0.45 else dice.choice(STATION_FAULTS)
    return Told(at_s=at_s, what=what, of=dice.choice(identities), lasts_s=lasts_s, more=_more(dice, what))


def _more(dice: random.Random, what: str) -> Mapping[str, Any]:
    """Return what else belongs to a fault."""
    match what:
        case "clock jumps":
            return {"by": dice.choice((-3600.0, -30.0, 30.0, 3600.0))}
        case "stranger sends garbage":
            return {"as": "STRANGER"}
        case "car overdraws":
            return {"times": dice.uniform(1.05, 1.3)}
        case "station slow":
            return {"answers_after": dice.uniform(0.5, 5.0), "follows_after": dice.uniform(0.0, 10.0)}
        case _:
            return {}
