"""Which EVSEs can be told a limit that leads, and which are in doubt."""

import math

from .config import Mode
from .evse import EvseState
from .evse_facts import Problem


def listens(evse: EvseState) -> bool:
    """Tell whether what this EVSE is told would be heard and obeyed."""
    return evse.ready and evse.problem is None


def controllable(evse: EvseState, mode: Mode) -> bool:
    """Tell whether a lease on this EVSE would be heard and obeyed."""
    return mode is Mode.DYNAMIC and listens(evse) and evse.session is not None


def led(evse: EvseState, mode: Mode) -> bool:
    """Tell whether an EVSE shares what is left: it can be told a limit, which leads, and its car was not seen above it."""
    return controllable(evse, mode) and not evse.exceeding and not evse.overruled


def doubtful(evse: EvseState) -> bool:
    """Tell whether an EVSE is to be reckoned with what it would draw if it heeds nothing at all."""
    return evse.uncontrolled or evse.problem is Problem.DISOBEDIENT


def lease_most_a(evse: EvseState) -> float:
    """Return the most that a lease may be told, whatever room there is.

    A limit that lasts is its fallback's share at most, for it is one, and so is a lease that nobody has seen to end.
    """
    if evse.unproven:
        return evse.unproven_most_a
    if evse.dialect.holds_leases or evse.wanted_fallback_a is None:
        return math.inf
    return evse.wanted_fallback_a
