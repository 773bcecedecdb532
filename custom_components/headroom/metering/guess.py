"""What a few live readings say about a meter that was just set up: its sign, its phases, its units. Pure; for people to confirm."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
import math
from statistics import median
from typing import Literal

from .combine import evenly
from .reading import Reading

IDLE_A = 0.1
"""A phase below it carries nothing: meters show some milliamps where no wire is."""
BUSY_A = 0.5
"""A phase above it carries something."""
EXPORT_W = 50.0
"""Less may be a meter's noise."""
OPPOSED_W = 200.0
"""From here on currents and power that say opposite things mean it."""
FROZEN_S = 10.0
"""No load stays the same to the last digit for so long."""


class Finding(StrEnum):
    """What may be wrong, or is good to know."""

    NO_LOAD = "no_load"
    """Nothing flows: nothing can be told. `value`: the greatest current, in A."""
    IDLE_PHASE = "idle_phase"
    """`phase` carries nothing while others do: not connected, or another site's. `value`: the greatest current there, in A."""
    UNEXPECTED_PHASE = "unexpected_phase"
    """`phase` carries something, and the site is said not to have it. `value`: amps there."""
    SAME_ON_ALL_PHASES = "same_on_all_phases"
    """Three phases never show three equal currents: one was chosen three times, or they were made of a total. `value`: amps."""
    FROZEN = "frozen"
    """Every reading is the same. `value`: for how long, in s."""
    EXPORTS_WITHOUT_GENERATION = "exports_without_generation"
    """It exports all the time, and nothing here could: import and export are swapped. `value`: watts, negative."""
    EXPORTS_AT_NIGHT = "exports_at_night"
    """It exports all the time though no sun shines: swapped, unless a battery discharges. `value`: watts, negative."""
    EXPORTS = "exports"
    """It exports all the time, and nobody said whether anything here could: swapped, or it does. `value`: watts, negative."""
    PHASE_EXPORTS = "phase_exports"
    """`phase` exports all the time and others do not, and nobody said whether anything there could. `value`: amps, negative."""
    PHASE_REVERSED = "phase_reversed"
    """`phase` exports and the others import, and nothing here could: its transformer sits the wrong way. `value`: amps, negative."""
    SIGNS_OPPOSED = "signs_opposed"
    """The power says one direction and all the currents the other. `value`: watts."""
    POWER_TOO_SMALL = "power_too_small"
    """The power is a thousandth of what the currents carry: kW taken for W, or mA for A. `value`: watts per volt-ampere."""
    POWER_TOO_GREAT = "power_too_great"
    """The power is a thousand times what the currents carry: W taken for kW, or A for mA. `value`: watts per volt-ampere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One finding, with the number it rests on and the phase (1, 2, 3) it is about, if any."""

    finding: Finding
    value: float
    phase: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """All findings, and what to propose: `invert` to swap import and export (None: cannot be told), the phases that carry something."""

    found: tuple[Found, ...]
    invert: bool | None
    live_phases: tuple[int, ...]


def guess(
    readings: Sequence[Reading],
    *,
    phases: Literal[1, 2, 3] = 3,
    voltage_v: float = 230.0,
    generation: bool | None = None,
    night: bool | None = None,
    total_only: bool = False,
) -> Guess:
    """Return what the readings say, taken as they come, with no inversion set; an ImplausibleError's reading is welcome too.

    `generation`: whether PV or a battery can feed in here; `night`: whether the sun is down. None where nobody knows. `total_only`: the
    meter tells one power of all phases, so that its currents are made up and nothing is learnt of a single phase.
    """
    readings = [reading for reading in readings if all(map(math.isfinite, (*reading.current_a, reading.power_w or 0.0)))]
    if not readings:
        return Guess(found=(), invert=None, live_phases=())
    if total_only:
        spread = [evenly(reading.power_at(voltage_v), phases=phases, voltage_v=voltage_v) for reading in readings]
        readings = [replace(reading, current_a=current_a) for reading, current_a in zip(readings, spread, strict=True)]
    greatest = [max(abs(reading.current_a[phase]) for reading in readings) for phase in range(3)]
    live = tuple(phase + 1 for phase in range(3) if greatest[phase] >= BUSY_A)
    if not live:
        return Guess(found=(Found(finding=Finding.NO_LOAD, value=max(greatest)),), invert=None, live_phases=())
    found = (
        *(() if total_only else _phases(readings, greatest, phases)),
        *_frozen(readings),
        *_units(readings, voltage_v),
        *_signs(readings, voltage_v, generation=generation, night=night),
    )
    return Guess(found=found, invert=_invert(readings, found, voltage_v, generation), live_phases=live)


def _phases(readings: Sequence[Reading], greatest: list[float], phases: int) -> Iterator[Found]:
    for phase in range(3):
        if phase < phases and greatest[phase] < IDLE_A:
            yield Found(finding=Finding.IDLE_PHASE, value=greatest[phase], phase=phase + 1)
        elif phase >= phases and greatest[phase] >= BUSY_A:
            yield Found(finding=Finding.UNEXPECTED_PHASE, value=greatest[phase], phase=phase + 1)
    if phases == 3 and all(len(set(reading.current_a)) == 1 for reading in readings):
        yield Found(finding=Finding.SAME_ON_ALL_PHASES, value=readings[-1].current_a[0])


def _frozen(readings: Sequence[Reading]) -> Iterator[Found]:
    lasted_s = readings[-1].taken_at - readings[0].taken_at
    if lasted_s >= FROZEN_S and len({(reading.current_a, reading.power_w) for reading in readings}) == 1:
        yield Found(finding=Finding.FROZEN, value=lasted_s)


def _units(readings: Sequence[Reading], voltage_v: float) -> Iterator[Found]:
    ratios = [
        abs(reading.power_w) / apparent_va
        for reading in readings
        if reading.power_w is not None and _one_way(reading) and (apparent_va := voltage_v * sum(map(abs, reading.current_a))) > 0
    ]
    if not ratios:
        return
    ratio = median(ratios)
    # A power factor of 0.3 is the least that a whole site has; 1.2 is what voltage and rounding make of 1.
    if 0.3e-3 <= ratio <= 1.2e-3:
        yield Found(finding=Finding.POWER_TOO_SMALL, value=ratio)
    elif 0.3e3 <= ratio <= 1.2e3:
        yield Found(finding=Finding.POWER_TOO_GREAT, value=ratio)


def _signs(readings: Sequence[Reading], voltage_v: float, *, generation: bool | None, night: bool | None) -> Iterator[Found]:
    powers = [reading.power_at(voltage_v) for reading in readings]
    if max(powers) < -EXPORT_W:
        if generation is False:
            yield Found(finding=Finding.EXPORTS_WITHOUT_GENERATION, value=median(powers))
        elif night:
            yield Found(finding=Finding.EXPORTS_AT_NIGHT, value=median(powers))
        elif generation is None and all(sum(reading.current_a) <= 0 for reading in readings):
            yield Found(finding=Finding.EXPORTS, value=median(powers))
    elif (one_phase := _of_one_phase(generation, night)) is not None:
        for phase in range(3):
            if all(reading.current_a[phase] <= -BUSY_A for reading in readings):
                yield Found(finding=one_phase, value=median(reading.current_a[phase] for reading in readings), phase=phase + 1)
    told = [reading.power_w for reading in readings if reading.power_w is not None]
    if (
        len(told) == len(readings)
        and all(abs(power) >= OPPOSED_W for power in told)
        and all(_one_way(reading) and power * sum(reading.current_a) < 0 for reading, power in zip(readings, told, strict=True))
    ):
        yield Found(finding=Finding.SIGNS_OPPOSED, value=median(told))


def _of_one_phase(generation: bool | None, night: bool | None) -> Finding | None:
    """Return what it means that one phase exports while the site does not; None where that is nothing to wonder at."""
    if generation is False or night:
        return Finding.PHASE_REVERSED
    return Finding.PHASE_EXPORTS if generation is None else None


def _invert(readings: Sequence[Reading], found: Sequence[Found], voltage_v: float, generation: bool | None) -> bool | None:
    findings = {one.finding for one in found}
    if findings & {Finding.EXPORTS_WITHOUT_GENERATION, Finding.EXPORTS_AT_NIGHT}:
        return True
    # Import is what a site does that can't do else, and what any site mostly does; a magnitude looks the same, so it proves nothing.
    if generation is False and min(reading.power_at(voltage_v) for reading in readings) > EXPORT_W:
        return False
    return None


def _one_way(reading: Reading) -> bool:
    return all(current >= 0 for current in reading.current_a) or all(current <= 0 for current in reading.current_a)
