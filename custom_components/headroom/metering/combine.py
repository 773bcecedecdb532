"""From what a source has, currents or powers, per phase or in all, to signed amps per phase. Pure."""

import math

from ..engine.model import PerPhase


def currents_of_total(total_w: float, *, phases: int, voltage_v: float) -> PerPhase:
    """Return the currents that a total power may mean, in A.

    On three phases nobody can tell which one carries it, so each is taken to carry all of it. Export is credited to no phase, for
    another may import meanwhile: 0 A. What this can't see is one phase's overload behind the others' export; a site with only a
    total needs a margin for that.
    """
    current_a = total_w / voltage_v
    if phases == 1:
        return (current_a, 0.0, 0.0)
    return (max(0.0, current_a),) * 3


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
