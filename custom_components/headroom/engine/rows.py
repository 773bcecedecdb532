"""The rows of a site: whatever can be full, and what each session puts on it.

A **row** is a conductor of a circuit, or the sum of its conductors, or the difference between two of them. Its load is a phasor,
a complex number of amps: a session adds its current times a **coefficient**, and the row is full where the load's magnitude
reaches the limit. Between conductors and neutral all coefficients are real, and so is the arithmetic.

Between conductors the currents meet at angles. Cars draw at unity power factor, so a branch's current is in phase with its
voltage, and the three voltages L1–L2, L2–L3, L3–L1 are 120° apart. With J₁ for the branch from L1 to L2, and so on round,

    what a conductor carries                    Iₖ = Jₖ − Jₖ₋₁
    what it takes behind a delta-star transformer   Pₖ = (Iₖ − Iₖ₋₁) / √3

where √3 is the winding that leaves a balanced current as it is. In P, what hangs between two conductors may relieve a third.
"""

from cmath import rect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf, isnan, pi, sqrt

from .model import ALL_PHASES, Headroom, Phase, Wiring
from .tree import path

TOLERANCE_A = 1e-7
"""By how much a row may be exceeded, over all its sessions, so that rounding of floats costs nobody a step."""
NO_MORE_A = 1e-9
"""What a row over its limit may rise by: a current that only turns its load round is not in its way."""

TURN = rect(1.0, -2 * pi / 3)
"""From one conductor's angle to the next one's."""


@dataclass(slots=True, eq=False)
class Row:
    """A conductor of a circuit, with `phase` None the sum of all, with `against` the difference of two; and what is on it.

    `load_a` is a float as long as only real coefficients met there. `sessions` counts those that charge.
    """

    circuit_id: str
    wiring: Wiring
    phase: Phase | None
    against: Phase | None
    limit_a: float
    load_a: complex = 0.0
    sessions: int = 0
    raised_only: bool = False
    """Of a difference only what raises it counts."""

    @property
    def relievable(self) -> bool:
        """Tell whether some session's current may lower what another's has raised."""
        return (self.against is not None and not self.raised_only) or (
            self.phase is not None and self.wiring is Wiring.DELTA_BEHIND_TRANSFORMER
        )


type Loads = tuple[tuple[Row, complex], ...]
"""The rows that a session loads, its own circuit's first, each with its coefficient."""


def rows_of(headrooms: Iterable[Headroom]) -> dict[str, tuple[Row, ...]]:
    """Return for each circuit the rows that a session on it may load: its own first, the root's last.

    Raises ValueError for an unknown parent or a cycle of parents, an id used twice, a number that is none, and a limit to the
    imbalance where the current flows between conductors: there, the difference of two magnitudes is not a phasor's.
    """
    circuits: dict[str, Headroom] = {}
    own: dict[str, list[Row]] = {}
    for headroom in headrooms:
        if headroom.circuit_id in circuits:
            raise ValueError(f"circuit {headroom.circuit_id!r} is given twice")
        circuits[headroom.circuit_id] = headroom
        own[headroom.circuit_id] = _own_rows(headroom)
    return {circuit_id: tuple(row for above in path(circuits, circuit_id) for row in own[above.circuit_id]) for circuit_id in circuits}


def _own_rows(headroom: Headroom) -> list[Row]:
    circuit_id, wiring, imbalance = headroom.circuit_id, headroom.wiring, headroom.imbalance
    rows = [Row(circuit_id, wiring, phase, None, headroom.available_a[phase] + TOLERANCE_A) for phase in ALL_PHASES]
    if headroom.sum_a is not None:
        rows.append(Row(circuit_id, wiring, None, None, headroom.sum_a + TOLERANCE_A))
    if imbalance is not None:
        if wiring is not Wiring.STAR or imbalance.limit_a < 0:
            raise ValueError(f"circuit {circuit_id!r} can't have this limit to its imbalance")
        for phase in ALL_PHASES:
            against = ALL_PHASES[phase - 1]
            base_a = imbalance.unmanaged_a[phase] - imbalance.unmanaged_a[against]
            limit_a, alone = imbalance.limit_a + TOLERANCE_A, imbalance.any_absent
            rows.append(Row(circuit_id, wiring, phase, against, limit_a, base_a, raised_only=alone))
            if alone:
                rows.append(Row(circuit_id, wiring, against, phase, limit_a, -base_a, raised_only=True))
    if any(isnan(row.limit_a) or isnan(abs(row.load_a)) for row in rows):
        raise ValueError(f"the headroom of circuit {circuit_id!r} is not a number")
    return rows


def loads_of(rows: Iterable[Row], phases: Sequence[Phase]) -> Loads:
    """Return those of the rows that a session on these conductors loads; ValueError where it has no return conductor."""
    loads = ((row, coefficient(row, phases)) for row in rows)
    return tuple((row, load) for row, load in loads if load)


def coefficient(row: Row, phases: Sequence[Phase]) -> complex:
    """Return what a row carries for each amp that a session draws from each of its conductors."""
    if row.wiring is Wiring.STAR:
        if row.phase is None:
            return len(phases)
        apart = (row.phase in phases) - (row.against in phases)
        return max(0, apart) if row.raised_only else apart
    if len(phases) == 1:
        raise ValueError(f"a session between conductors is on phases {phases}, and circuit {row.circuit_id!r} has no neutral")
    if row.phase is None:
        return sqrt(3) if len(phases) == 2 else 3.0
    carried = _conductors(phases)
    return carried[row.phase] if row.wiring is Wiring.DELTA else _differences(carried)[row.phase] / sqrt(3)


def _conductors(phases: Sequence[Phase]) -> list[complex]:
    """Return the phasors on L1, L2 and L3 of a session of 1 A on two or all three of them."""
    branch_a = 1.0 if len(phases) == 2 else 1 / sqrt(3)
    return _differences([branch_a * TURN**phase if {phase, (phase + 1) % 3} <= {*phases} else 0.0 for phase in ALL_PHASES])


def _differences(phasors: Sequence[complex]) -> list[complex]:
    """Return each phasor less the one before it, going round."""
    return [phasor - phasors[index - 1] for index, phasor in enumerate(phasors)]


def obstacle(loads: Loads, more_a: float) -> Row | None:
    """Return the first row that has no room for so much more and is not relieved by it, None where it fits."""
    for row, load in loads:
        after_a = abs(row.load_a + load * more_a)
        if after_a > row.limit_a and after_a > abs(row.load_a) + NO_MORE_A:
            return row
    return None


def put(loads: Loads, more_a: float) -> None:
    """Load the rows with so much more."""
    for row, load in loads:
        row.load_a += load * more_a


def room_a(loads: Loads) -> float:
    """Return how much more the rows can take; 0 A where one is full."""
    return max(0.0, min((full_at(row.load_a, load, row.limit_a) for row, load in loads), default=inf))


def full_at(load_a: complex, slope: complex, limit_a: float) -> float:
    """Return the x from which |load + slope · x| is above the limit and rising; slope is not 0.

    Seen with the slope turned onto the real axis, the load moves to the right along a chord of the circle of the limit, and is full
    where that ends. A load that passes the circle by is full where it is nearest.
    """
    speed = abs(slope)
    seen = load_a * (slope / speed).conjugate()
    half_chord = sqrt(max(0.0, max(0.0, limit_a) ** 2 - seen.imag**2))
    return (half_chord - seen.real) / speed
