"""What can this car take? Learnt from what it draws: the phases it uses, and a ceiling where it leaves current unused.

A ceiling leaves the car a little room, so that it can show that it would take more; then the ceiling rises, and falls away once
the car follows its limit again.
"""

from dataclasses import dataclass, replace
import math

from .model import LEAST_CURRENT_A

DRAWS_A = 1.0
"""A phase that carries less than this is not used."""
SETTLE_S = 10.0
"""A limit must have held for this long before a lower draw says anything: cars ramp."""
START_S = 3.0
"""So long after it began to draw, a car loads all the phases it is going to; one more is believed at once."""
WAKE_S = 60.0
"""As SETTLE_S, for a car that does not draw at all: some wake slowly."""
ROOM_A = 1.0
"""What a car is left above its draw."""
FOLLOWS = 0.96
"""A car that draws this share of its limit would take more."""
LEAVES = 0.90
"""A car that draws less than this share (and half an amp) leaves current unused."""
GROWTH = 1.5
"""By how much a ceiling rises at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What is known of a car: `ceiling_a` None where no ceiling is known; `terminals` the station's terminals it loads, None unknown."""

    ceiling_a: float | None = None
    terminals: frozenset[int] | None = None


def observe(demand: Demand, *, current_a: tuple[float | None, ...], limit_a: float, limit_held_s: float, drawing_s: float) -> Demand:
    """Return what is known after a sample of the currents at the EVSE's terminals.

    The limit has held for `limit_held_s`, and the car has drawn current for `drawing_s`.
    A sample that leaves a terminal out tells nothing of which ones are loaded.
    """
    draw_a = max((current for current in current_a if current is not None), default=0.0)
    loaded = frozenset(index for index, current in enumerate(current_a) if current is not None and current >= DRAWS_A)
    if None in current_a:
        demand = replace(demand, terminals=None)
    elif loaded:
        settled = draw_a >= LEAST_CURRENT_A - 1.0 and drawing_s >= START_S
        known = demand.terminals or frozenset()
        if settled:
            demand = replace(demand, terminals=loaded)
        elif demand.terminals is not None:
            demand = replace(demand, terminals=known | loaded)

    if demand.ceiling_a is not None and limit_a >= LEAST_CURRENT_A and draw_a >= FOLLOWS * demand.ceiling_a:
        # One that follows a lower limit shows nothing: that it takes 16 A of 16 was known of a car that takes 16 of 17.
        return replace(demand, ceiling_a=math.ceil(demand.ceiling_a * GROWTH))
    waited = limit_held_s >= (SETTLE_S if loaded else WAKE_S)
    if waited and limit_a >= LEAST_CURRENT_A and draw_a < LEAVES * limit_a - 0.5:
        return replace(demand, ceiling_a=max(LEAST_CURRENT_A, math.ceil(draw_a + ROOM_A)))
    return demand
