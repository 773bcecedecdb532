"""Limits from outside: each with its source, its circuit and its window. The lowest valid one wins.

Pure: times are seconds of the caller's monotonic clock.
"""

from collections.abc import Iterable
from dataclasses import dataclass
import math


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLimit:
    """A ceiling somebody outside sets on a circuit, in amps on each phase, in watts over all phases, or both.

    It holds from `valid_from_s` until just before `valid_to_s`; None is without a beginning or without an end.
    Raises ValueError for a limit or a time that is no finite number, a negative limit, a limit of nothing and an empty window.
    """

    source: str
    circuit_id: str
    limit_a: float | None = None
    limit_w: float | None = None
    valid_from_s: float | None = None
    valid_to_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be meant: a limit that is wrong is worse than none."""
        if self.limit_a is None and self.limit_w is None:
            raise ValueError(f"the limit from {self.source} limits neither amps nor watts")
        for name, limit in (("limit_a", self.limit_a), ("limit_w", self.limit_w)):
            if limit is not None and not (math.isfinite(limit) and limit >= 0):
                raise ValueError(f"{name} from {self.source} must be a number from 0 up, not {limit}")
        for name, time_s in (("valid_from_s", self.valid_from_s), ("valid_to_s", self.valid_to_s)):
            if time_s is not None and not math.isfinite(time_s):
                raise ValueError(f"{name} from {self.source} must be a time or None, not {time_s}")
        if self.valid_from_s is not None and self.valid_to_s is not None and self.valid_to_s <= self.valid_from_s:
            raise ValueError(f"the limit from {self.source} ends at {self.valid_to_s} s, not after it begins at {self.valid_from_s} s")

    def holds_at(self, now_s: float) -> bool:
        """Tell whether `now_s` is inside the window."""
        return (self.valid_from_s is None or self.valid_from_s <= now_s) and (self.valid_to_s is None or now_s < self.valid_to_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """An upper limit in amps, and whose it is."""

    limit_a: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LowestLimits:
    """What the outside allows on a circuit now; None where nobody limits it."""

    per_phase: Ceiling | None = None
    """On each phase conductor."""
    phase_sum: Ceiling | None = None
    """On the sum of the phase currents: the lowest power ceiling divided by the phase voltage."""


class ExternalLimits:
    """The limits in force or to come, one for each source and circuit."""

    def __init__(self) -> None:
        """Start without any."""
        self._limits: dict[tuple[str, str], ExternalLimit] = {}

    def set(self, limit: ExternalLimit) -> None:
        """Take the limit, in place of the one its source set on its circuit before."""
        self._limits[limit.source, limit.circuit_id] = limit

    def clear(self, source: str, circuit_id: str) -> bool:
        """Take the source's limit off the circuit; False where there was none."""
        return self._limits.pop((source, circuit_id), None) is not None

    def lowest(self, circuit_id: str, now_s: float, voltage_v: float) -> LowestLimits:
        """Return the lowest ceilings that hold on the circuit itself at `now_s`; the circuits above it are not looked at.

        Of sources with the same limit, the first by name is given. `voltage_v` is phase to neutral; raises ValueError unless it is positive.
        """
        if not (math.isfinite(voltage_v) and voltage_v > 0):
            raise ValueError(f"voltage_v must be positive, not {voltage_v}")
        held = [limit for limit in self._limits.values() if limit.circuit_id == circuit_id and limit.holds_at(now_s)]
        return LowestLimits(
            per_phase=_lowest((limit.limit_a, limit.source) for limit in held if limit.limit_a is not None),
            phase_sum=_lowest((limit.limit_w / voltage_v, limit.source) for limit in held if limit.limit_w is not None),
        )

    def next_change_s(self, now_s: float) -> float | None:
        """Return when the next window opens or closes after `now_s`, on any circuit; None where none will."""
        edges = (edge for limit in self._limits.values() for edge in (limit.valid_from_s, limit.valid_to_s))
        return min((edge for edge in edges if edge is not None and edge > now_s), default=None)


def _lowest(ceilings: Iterable[tuple[float, str]]) -> Ceiling | None:
    """Return the lowest of (amps, source)."""
    lowest = min(ceilings, default=None)
    return None if lowest is None else Ceiling(limit_a=lowest[0], source=lowest[1])
