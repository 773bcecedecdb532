"""How much a circuit's breaker has to carry, from turn to turn: its heat, since when it is over its limit, and how urgent that is."""

from dataclasses import dataclass
import math

from ..engine import urgency as engine
from ..engine.last_resort import due
from ..engine.model import NONE_A, Circuit, PerPhase
from ..engine.unmanaged import add
from ..engine.urgency import EPSILON_A, PASSES_S, Heat, Urgency, large, warmed
from ..metering.reading import Reading

SLOW_S = 3.0
"""Where cars take longer to follow, a cut can't wait for an overload to pass."""


@dataclass(slots=True)
class Strain:
    """Of one circuit."""

    heat: Heat | None = None
    """None where nobody measures it."""
    urgency: Urgency = Urgency.NONE
    over_since: float | None = None
    """Since when all that may be drawn there has been above its limit."""
    shown_since: float | None = None
    """Since when more was measured than its limit."""
    large_since: float | None = None
    """Since when more is certain to flow than its breaker carries for good…"""
    above_since: float | None = None
    """…and, by when its meter was read, more than its rating."""
    cars_a: PerPhase = NONE_A
    """The most that its cars may draw, by the last turn."""
    _certain: Heat | None = None
    """Its heat by what is certain to flow: that is less than what it is reckoned by where one power of several phases is told."""
    _ours: bool = False
    """…because its cars may draw more than before."""
    _before_a: PerPhase = NONE_A
    """What its cars might draw when it was under its limit last."""

    def take(
        self,
        circuit: Circuit,
        reading: Reading | None,
        unmanaged_a: PerPhase,
        cars_a: PerPhase,
        certain_a: PerPhase | None = None,
        *,
        waits: bool,
        now: float,
    ) -> None:
        """Take in what a turn has read, None where that is not to be believed; `cars_a` is the most that its cars may draw now.

        `certain_a` is what is certain to flow, None where that is what was read. `waits`: its cars follow soon enough for an overload to
        be given time to pass.
        """
        self.cars_a = cars_a
        if reading is None:
            self.heat, self._certain, self.urgency = None, None, Urgency.NONE
            self.over_since = self.shown_since = self.large_since = self.above_since = None
            return
        if self.heat is None or reading.taken_at > self.heat.at:
            self.heat = warmed(self.heat, circuit, reading.current_a, reading.taken_at)
            self._certain = self.heat if certain_a is None else warmed(self._certain, circuit, certain_a, reading.taken_at)
        certain_a = reading.current_a if certain_a is None else certain_a
        self.large_since = _since(self.large_since, large(circuit, certain_a), now)
        # From reading to reading, so that there is one that may show what a cut has done; a large overload has no time for that.
        self.above_since = _since(self.above_since, any(certain_a[phase] > circuit.fuse_a for phase in circuit.phases), self.heat.at)
        raised = any(now_a > before_a + EPSILON_A for now_a, before_a in zip(cars_a, self._before_a, strict=True))
        ours = raised or (self.over_since is not None and self._ours)
        limits_a = circuit.limit_a()
        self.shown_since = _since(self.shown_since, any(reading.current_a[phase] > limits_a[phase] for phase in circuit.phases), now)
        # What was put down to a car first has lasted since it was measured.
        over_s = now - min(each for each in (self.over_since, self.shown_since, now) if each is not None)
        self.urgency = engine.urgency(circuit, self.heat, add(unmanaged_a, cars_a), over_s if waits and not ours else None)
        if self.urgency is Urgency.NONE:
            self._before_a, self.over_since, self._ours = cars_a, None, False
        else:
            self.over_since, self._ours = now if self.over_since is None else self.over_since, ours

    def reserve(self, circuit: Circuit) -> float:
        """Return the share of its breaker's heat reserve that is left, 0 where nobody measures it."""
        return 0.0 if self.heat is None else engine.reserve(self.heat, circuit)

    def due(self, circuit: Circuit, now: float) -> bool:
        """Tell whether sessions have to be stopped there, by what is certain to flow."""
        if self._certain is None:
            return False
        large_s = None if self.large_since is None else now - self.large_since
        above_s = None if self.above_since is None else self._certain.at - self.above_since
        return due(circuit, self._certain, large_s=large_s, above_s=above_s)

    @property
    def next_change(self) -> float:
        """When an overload has had the time to pass by itself (monotonic); infinite where none has to."""
        return self.over_since + PASSES_S if self.over_since is not None and self.urgency is Urgency.PASSING else math.inf


def _since(before: float | None, holds: bool, now: float) -> float | None:
    if not holds:
        return None
    return now if before is None else before
