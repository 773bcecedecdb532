"""How large the site of `scripts/bench control` is, in amps on each conductor; every figure grows with the number of stations."""

FEEDER_OF = 25
"""So many stations hang on one feeder below the main fuse."""


def fuse_a(stations: int) -> float:
    """Return the main fuse, large enough for the dead-man rule to leave every car its most."""
    return 40.0 * stations


def calm_a(stations: int) -> float:
    """Return what the building draws while every car has all it can take: the fuse is all but full."""
    return 23.5 * stations


def busy_a(stations: int) -> float:
    """Return the building's most, which leaves each car 8 A."""
    return 32.0 * stations


def worst_case_a(stations: int) -> float:
    """Return what is configured as the building's worst case: the fallbacks fit beside it."""
    return 33.5 * stations


def feeder_fuse_a() -> float:
    """Return a feeder's fuse, which carries all its cars at once."""
    return 20.0 * FEEDER_OF
