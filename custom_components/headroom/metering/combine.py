"""From what a source has, currents or powers, per phase or in all, to signed amps per phase. Pure."""

from collections.abc import Callable
from dataclasses import replace
import math
from typing import Literal, Protocol

from ..engine.model import PerPhase
from .fault import Fault
from .plausibility import plausible
from .reading import MeterError, Reading


class Sources(Protocol):
    """Where a meter that is made of single numbers has them, by whatever name they go: an entity's id, a path in a document.

    In the order L1, L2, L3: `phases` currents, or `phases` powers, or both, or a total power. `exported_powers` and
    `exported_total` are what goes the other way where the source keeps import and export apart, both positive: the difference
    counts. `export_positive`: the source counts export as positive. `voltage_v` makes amps of watts; by it and by `ceiling_a` a
    reading is judged.
    """

    @property
    def currents(self) -> tuple[str, ...]:
        """The currents."""

    @property
    def powers(self) -> tuple[str, ...]:
        """The powers, or what is imported of them."""

    @property
    def exported_powers(self) -> tuple[str, ...]:
        """The powers that go the other way."""

    @property
    def total_power(self) -> str | None:
        """The power of all phases, or what is imported of it."""

    @property
    def exported_total(self) -> str | None:
        """The total power that goes the other way."""

    @property
    def import_wh(self) -> str | None:
        """The register of what was imported."""

    @property
    def export_wh(self) -> str | None:
        """The register of what was exported."""

    @property
    def export_positive(self) -> bool:
        """Whether export counts as positive."""

    @property
    def phases(self) -> Literal[1, 2, 3]:
        """How many phases there are."""

    @property
    def voltage_v(self) -> float:
        """The nominal voltage between phase and neutral."""

    @property
    def ceiling_a(self) -> float:
        """The most that a conductor may carry here."""


type Kind = Literal["A", "W", "Wh"]
type Number = Callable[[str, Kind], float]
"""Gives a number by its name, in that unit; raises MeterError that names it."""


def check(sources: Sources) -> None:
    """Raise MeterError where what was chosen makes no reading."""
    if not (sources.currents or sources.powers or sources.total_power):
        raise MeterError(Fault.NOTHING_CHOSEN)
    for fault, names in (
        (Fault.CURRENTS_OF_OTHERS, sources.currents),
        (Fault.POWERS_OF_OTHERS, sources.powers),
        (Fault.EXPORTED_POWERS_OF_OTHERS, sources.exported_powers),
    ):
        if names and len(names) != sources.phases:
            raise MeterError(fault, phases=str(sources.phases), count=str(len(names)))
    if sources.exported_powers and not sources.powers:
        raise MeterError(Fault.EXPORTED_POWERS_ALONE)
    if sources.exported_total and not sources.total_power:
        raise MeterError(Fault.EXPORTED_TOTAL_ALONE)


def needed(sources: Sources) -> tuple[str, ...]:
    """Return the names without whose numbers there is no reading."""
    names = sources.currents + sources.powers + sources.exported_powers
    if sources.total_power is not None and not (sources.powers or (sources.currents and sources.phases > 1)):
        names += (sources.total_power, *(() if sources.exported_total is None else (sources.exported_total,)))
    return names


def reading_of(sources: Sources, number: Number, *, taken_at: float, source: str) -> Reading:
    """Make a reading and judge it; raises MeterError. An energy, or a total that is not needed, without a number is left out."""
    sign = -1.0 if sources.export_positive else 1.0
    currents = [number(name, "A") for name in sources.currents]
    powers = [number(name, "W") for name in sources.powers]
    if sources.exported_powers:
        powers = [power - number(name, "W") for power, name in zip(powers, sources.exported_powers, strict=True)]
    powers = [sign * power for power in powers]
    total_w = math.fsum(powers) if powers else _total_w(sources, number, sign)
    reading = Reading(
        current_a=currents_of(
            currents, powers, total_w, phases=sources.phases, voltage_v=sources.voltage_v, export_positive=sources.export_positive
        ),
        taken_at=taken_at,
        source=source,
        power_w=total_w,
        import_wh=_energy_wh(sources.import_wh, number),
        export_wh=_energy_wh(sources.export_wh, number),
        spread=not (currents or powers) and sources.phases > 1,
    )
    # Where the currents were made of the power, the two can't contradict each other.
    judged = reading if currents else replace(reading, power_w=None)
    plausible(judged, voltage_v=sources.voltage_v, ceiling_a=sources.ceiling_a, signed=bool(powers) or sources.phases == 1)
    return reading


def _total_w(sources: Sources, number: Number, sign: float) -> float | None:
    if sources.total_power is None:
        return None
    try:
        total_w = number(sources.total_power, "W")
        return sign * (total_w if sources.exported_total is None else total_w - number(sources.exported_total, "W"))
    except MeterError:
        if sources.total_power in needed(sources):
            raise
        return None


def _energy_wh(name: str | None, number: Number) -> float | None:
    if name is None:
        return None
    try:
        return number(name, "Wh")
    except MeterError:
        return None


def currents_of_total(total_w: float, *, phases: int, voltage_v: float) -> PerPhase:
    """Return the currents that a total power may mean, in A.

    On several phases (two legs) nobody can tell which one carries it, so each is taken to carry all of it. Export is credited to no phase, for
    another may import meanwhile: 0 A. What this can't see is one phase's overload behind the others' export; a site with only a
    total needs a margin for that.
    """
    current_a = total_w / voltage_v
    if phases == 1:
        return (current_a, 0.0, 0.0)
    return per_phase([max(0.0, current_a)] * phases)


def evenly(total_w: float, *, phases: int, voltage_v: float) -> PerPhase:
    """Return a total power as the currents of a device that spreads it evenly over its phases, as an inverter does, in A."""
    return per_phase([total_w / voltage_v / phases] * phases)


def currents_of(
    currents: list[float], powers: list[float], total_w: float | None, *, phases: int, voltage_v: float, export_positive: bool
) -> PerPhase:
    """Return signed amps per phase, import positive; `powers` and `total_w` are signed so already, `currents` are as they came.

    - Currents and powers: the currents, each with its phase's direction. On one phase the total is the phase's power.
    - Currents alone: as they are, so that a magnitude without a direction counts as import. Where the source counts export as
      positive nobody can tell a positive current that is export from one that is a magnitude, so all of them count as import.
    - Powers alone: I = P / V. Reactive current can't be seen.
    - A total alone: `currents_of_total`.
    """
    if not currents and not powers:
        if total_w is None:
            raise ValueError("neither currents nor powers")
        return currents_of_total(total_w, phases=phases, voltage_v=voltage_v)
    if not currents:
        return per_phase([power / voltage_v for power in powers])
    if not powers and phases == 1 and total_w is not None:
        powers = [total_w]
    if not powers:
        return per_phase([abs(current) for current in currents] if export_positive else currents)
    return per_phase([math.copysign(current, -1.0 if power < 0 else 1.0) for current, power in zip(currents, powers, strict=True)])


def per_phase(values: list[float]) -> PerPhase:
    """Return the values, with 0 on the conductors that the site does not have."""
    l1, l2, l3 = [*values, 0.0, 0.0][:3]
    return (l1, l2, l3)
