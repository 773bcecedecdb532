"""Limits from outside: each with its source, its circuit and its window. The lowest valid one wins.

A source may have said how often it speaks, and what is to hold once it does not: the last limit first, then the failsafe, then nothing.

Pure: times are seconds of the caller's monotonic clock.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
import math

type Amounts = tuple[float | None, float | None]
"""A ceiling in amps on each phase, and one in watts over all; None where there is none."""
NOTHING: Amounts = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failsafe:
    """What holds in place of a source's limit from `from_s`, when it has been silent for too long, until just before `to_s`.

    None is until the source is heard again. Raises ValueError as `ExternalLimit` does.
    """

    from_s: float
    to_s: float | None = None
    limit_a: float | None = None
    limit_w: float | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be meant."""
        _check("a failsafe", self.limit_a, self.limit_w, self.from_s, self.to_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLimit:
    """A ceiling somebody outside sets on a circuit, in amps on each phase, in watts over all phases, or both.

    It holds from `valid_from_s` until just before `valid_to_s`; None is without a beginning or without an end. With a failsafe it holds
    until that takes its place, and may be of nothing before. Raises ValueError for a limit or a time that is no finite number, a negative
    limit, a limit of nothing and an empty window.
    """

    source: str
    circuit_id: str
    limit_a: float | None = None
    limit_w: float | None = None
    valid_from_s: float | None = None
    valid_to_s: float | None = None
    failsafe: Failsafe | None = None

    def __post_init__(self) -> None:
        """Refuse what can't be meant: a limit that is wrong is worse than none."""
        if self.failsafe is None or (self.limit_a, self.limit_w) != NOTHING:
            _check(self.source, self.limit_a, self.limit_w, self.valid_from_s, self.valid_to_s)

    def silent_at(self, now_s: float) -> bool:
        """Tell whether its source has been silent for too long."""
        return self.failsafe is not None and now_s >= self.failsafe.from_s

    def over_at(self, now_s: float) -> bool:
        """Tell whether nothing can hold of it any more."""
        ends_s = self.valid_to_s if self.failsafe is None else self.failsafe.to_s
        return ends_s is not None and now_s >= ends_s

    def amounts_at(self, now_s: float) -> Amounts:
        """Return what of it holds at a time."""
        if self.over_at(now_s):
            return NOTHING
        if self.failsafe is not None and self.silent_at(now_s):
            return (self.failsafe.limit_a, self.failsafe.limit_w)
        inside = (self.valid_from_s is None or self.valid_from_s <= now_s) and (self.valid_to_s is None or now_s < self.valid_to_s)
        return (self.limit_a, self.limit_w) if inside else NOTHING

    @property
    def edges_s(self) -> list[float]:
        """The times at which another amount may hold."""
        failsafe = () if self.failsafe is None else (self.failsafe.from_s, self.failsafe.to_s)
        return [edge for edge in (self.valid_from_s, self.valid_to_s, *failsafe) if edge is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """An upper limit in amps, and whose it is. `failsafe`: because that source is silent."""

    limit_a: float
    source: str
    failsafe: bool = False

    def __str__(self) -> str:
        """Return whose it is, in words."""
        return f"{self.source}, which is silent" if self.failsafe else self.source


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
        of_circuit = [limit for limit in self._limits.values() if limit.circuit_id == circuit_id]
        held = [(limit.amounts_at(now_s), limit.source, limit.silent_at(now_s)) for limit in of_circuit]
        return LowestLimits(
            per_phase=_lowest((limit_a, source, silent) for (limit_a, _), source, silent in held if limit_a is not None),
            phase_sum=_lowest((limit_w / voltage_v, source, silent) for (_, limit_w), source, silent in held if limit_w is not None),
        )

    def next_change_s(self, now_s: float) -> float | None:
        """Return when the next window opens or closes after `now_s`, on any circuit; None where none will."""
        return min((edge for limit in self._limits.values() for edge in limit.edges_s if edge > now_s), default=None)

    def __iter__(self) -> Iterator[ExternalLimit]:
        """Go through them all."""
        return iter(list(self._limits.values()))


def _lowest(ceilings: Iterable[tuple[float, str, bool]]) -> Ceiling | None:
    """Return the lowest of (amps, source, whether it is a failsafe)."""
    lowest = min(ceilings, default=None)
    return None if lowest is None else Ceiling(limit_a=lowest[0], source=lowest[1], failsafe=lowest[2])


def _check(source: str, limit_a: float | None, limit_w: float | None, from_s: float | None, to_s: float | None) -> None:
    if limit_a is None and limit_w is None:
        raise ValueError(f"the limit from {source} limits neither amps nor watts")
    for name, limit in (("limit_a", limit_a), ("limit_w", limit_w)):
        if limit is not None and not (math.isfinite(limit) and limit >= 0):
            raise ValueError(f"{name} from {source} must be a number from 0 up, not {limit}")
    for name, time_s in (("valid_from_s", from_s), ("valid_to_s", to_s)):
        if time_s is not None and not math.isfinite(time_s):
            raise ValueError(f"{name} from {source} must be a time or None, not {time_s}")
    if from_s is not None and to_s is not None and to_s <= from_s:
        raise ValueError(f"the limit from {source} ends at {to_s} s, not after it begins at {from_s} s")
