"""Two questions that Caltech's code asks most, asked in less time: a month is simulated in a fifth of it.

The answers are those of the originals, which are asked too now and then. Where calls are timed, the originals are left in place.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from acnportal.acnsim.interface import InfrastructureInfo
from acnportal.acnsim.models import FiniteRatesEVSE
from acnportal.algorithms import sorted_algorithms
from acnportal.algorithms.utils import infrastructure_constraints_feasible
import numpy as np

COMPARED_EVERY = 500
TOLERANCE_A, RELATIVE_TOLERANCE, RATE_TOLERANCE_A = 1e-5, 1e-7, 1e-3
"""The originals' own."""


def feasible(rates: np.ndarray, infrastructure: InfrastructureInfo) -> bool:
    """Tell whether no limit is exceeded, in one matrix product instead of two for each limit."""
    if not hasattr(infrastructure, "phasors"):
        limits = infrastructure.constraint_limits
        infrastructure.phasors = infrastructure.constraint_matrix * np.exp(1j * np.deg2rad(infrastructure.phases))
        infrastructure.most = limits + np.maximum(TOLERANCE_A, RELATIVE_TOLERANCE * limits)
    return bool((np.abs(infrastructure.phasors @ rates) <= infrastructure.most).all())


def valid_rate(evse: FiniteRatesEVSE, pilot: float) -> bool:
    """Tell whether an EVSE can offer a current, without an array for it."""
    return any(abs(pilot - rate) <= RATE_TOLERANCE_A for rate in evse.allowable_rates)


def compared(short: Callable[..., bool], original: Callable[..., bool]) -> Callable[..., bool]:
    """Return a question that asks the original too now and then; raises AssertionError where that answers otherwise."""
    asked = 0

    def ask(*arguments: object) -> bool:
        nonlocal asked
        asked += 1
        answer = short(*arguments)
        if asked % COMPARED_EVERY == 0 and answer != bool(original(*arguments)):
            raise AssertionError(f"{short.__name__} answers otherwise than acnportal")
        return answer

    return ask


@contextmanager
def shortcuts() -> Iterator[None]:
    """Have Caltech's code take the short ways while this lasts."""
    evse_rate = FiniteRatesEVSE._valid_rate  # noqa: SLF001 - Caltech's code asks through this name, and so it is replaced there
    sorted_algorithms.infrastructure_constraints_feasible = compared(feasible, infrastructure_constraints_feasible)
    FiniteRatesEVSE._valid_rate = compared(valid_rate, evse_rate)  # noqa: SLF001
    try:
        yield
    finally:
        sorted_algorithms.infrastructure_constraints_feasible = infrastructure_constraints_feasible
        FiniteRatesEVSE._valid_rate = evse_rate  # noqa: SLF001
