"""Caltech's question whether currents are feasible, asked in one matrix product: a month is simulated in a third of the time.

The answers are those of the original, which is asked too now and then. Where calls are timed, the original is left in place.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from acnportal.acnsim.interface import InfrastructureInfo
from acnportal.algorithms import sorted_algorithms
from acnportal.algorithms.utils import infrastructure_constraints_feasible as original
import numpy as np

COMPARED_EVERY = 500
TOLERANCE_A, RELATIVE_TOLERANCE = 1e-5, 1e-7
"""The original's own."""


@contextmanager
def in_one_product() -> Iterator[None]:
    """Have Caltech's algorithms ask so while this lasts; raises AssertionError where the original answers otherwise."""
    asked = 0

    def feasible(rates: np.ndarray, infrastructure: InfrastructureInfo) -> bool:
        nonlocal asked
        asked += 1
        if not hasattr(infrastructure, "phasors"):
            limits = infrastructure.constraint_limits
            infrastructure.phasors = infrastructure.constraint_matrix * np.exp(1j * np.deg2rad(infrastructure.phases))
            infrastructure.most = limits + np.maximum(TOLERANCE_A, RELATIVE_TOLERANCE * limits)
        answer = bool((np.abs(infrastructure.phasors @ rates) <= infrastructure.most).all())
        if asked % COMPARED_EVERY == 0 and answer != original(rates, infrastructure):
            raise AssertionError("feasible otherwise than in acnportal")
        return answer

    sorted_algorithms.infrastructure_constraints_feasible = feasible
    try:
        yield
    finally:
        sorted_algorithms.infrastructure_constraints_feasible = original
