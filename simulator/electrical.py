"""The words the simulator shares: per-phase currents and how an EVSE is wired to the grid."""

from collections.abc import Iterable, Sequence

type PerPhase = tuple[float, float, float]
"""A quantity on L1, L2 and L3."""

NONE_A: PerPhase = (0.0, 0.0, 0.0)
VOLTAGE_V = 230.0
LEAST_CURRENT_A = 6.0
"""The least current a pilot can offer (IEC 61851-1)."""

ROTATIONS: dict[str, tuple[int, ...]] = {
    "L1L2L3": (0, 1, 2),
    "L2L3L1": (1, 2, 0),
    "L3L1L2": (2, 0, 1),
    "L1L3L2": (0, 2, 1),
    "L3L2L1": (2, 1, 0),
    "L2L1L3": (1, 0, 2),
    "L1L2": (0, 1),
    "L1": (0,),
    "L2": (1,),
    "L3": (2,),
}
"""The grid conductors behind an EVSE's terminals L1, L2, L3, by the name an installer gives it."""


def added(values: Iterable[PerPhase]) -> PerPhase:
    """Return the sum of per-phase quantities."""
    l1 = l2 = l3 = 0.0
    for a, b, c in values:
        l1, l2, l3 = l1 + a, l2 + b, l3 + c
    return (l1, l2, l3)


def on_grid(terminals: Sequence[float], rotation: Sequence[int]) -> PerPhase:
    """Return what currents at an EVSE's terminals are on the grid's conductors."""
    grid = [0.0, 0.0, 0.0]
    for current, conductor in zip(terminals, rotation, strict=False):
        grid[conductor] += current
    return (grid[0], grid[1], grid[2])
