"""Is a meter that is heard to be believed? What it shows is held against what cars draw by their own meters, and those of its parts.

- One that shows the very same while cars change, or whose register does not count what it shows, has frozen: as good as silent.
- One that falls as cars rise, or shows the mirror of what it showed a moment ago, counts the wrong way round: as good as silent.
- Cars and sub-circuits can't draw more than the whole, unless something feeds in. Where nothing ever did, the load besides the cars is
  not below zero, and a disagreement that lasts is told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
import math

from ..engine.direction import Direction
from ..engine.model import NONE_A, PerPhase
from ..engine.unmanaged import Unmanaged, add, highest, subtract
from ..metering.agreement import Agreement, Disagreement, Shown, compare
from ..metering.fault import Fault, Trouble
from ..metering.reading import Reading
from ..metering.register import Register, follow
from .evse import EvseState

FEEDS_IN_A = 1.0
"""What flows out by more was generated."""
SAME_A = 0.05
"""No load that is alive leaves a meter with less between two of its readings for long, on all phases at once."""
MOVED_A = 4.0
"""By so much cars have to change, all terminals taken together, for a meter to be seen not to follow."""
FROZEN_S = 15.0
"""So long a meter may take to follow: the slowest that are not stale speak every 10 s."""


@dataclass(slots=True, kw_only=True)
class Credibility:
    """What speaks for and against one circuit's meter."""

    feeds_in: bool = False
    """Something that nobody measures was seen to generate here."""
    undirected: bool = False
    """Its power was seen to flow out while no current of it did: those are magnitudes, and the power alone tells a direction."""
    still: bool = False
    """It has shown the same for too long while cars changed."""
    register: Register | None = None
    direction: Direction = field(default_factory=Direction)
    agreement: Agreement = field(default_factory=Agreement)
    _still_a: PerPhase | None = None
    _still_since: float = 0.0
    _still_draw_a: float | None = None
    """What cars drew while the meter began to show this, once all were measured since."""
    _apart_since: float | None = None

    @property
    def frozen(self) -> bool:
        """Whether it repeats an old answer."""
        return self.still or (self.register is not None and self.register.stuck)

    @property
    def trouble(self) -> Trouble | None:
        """Why what it shows is not believed; None where it is."""
        if self.direction.turned:
            return Trouble(Fault.TURNED, {})
        return Trouble(Fault.FROZEN, {}) if self.frozen else None

    @property
    def disagreement(self) -> Disagreement | None:
        """What parts and whole differ by, once that has lasted."""
        return self.agreement.found

    def take(
        self,
        reading: Reading,
        below: Iterable[EvseState],
        cars: Sequence[EvseState],
        parts: Iterable[Shown],
        given_a: PerPhase,
        voltage_v: float,
        now: float,
    ) -> None:
        """Take in a reading, with all EVSEs below, the cars and meters that are its parts, and the most that known generators give there now."""
        charging = [evse for evse in below if evse.session is not None and evse.ready]
        sure = all(evse.settled(now) and not evse.unanswered_lease_a for evse in charging)
        power_a = reading.power_at(voltage_v) / voltage_v
        least_a = min(reading.current_a)
        self.undirected = least_a >= -FEEDS_IN_A and (self.undirected or (least_a >= 0 and power_a < -FEEDS_IN_A))
        if self.undirected:
            self.direction = Direction()  # it falls when cars take what was fed in
        else:
            # Of one power of all phases the sum is told on each.
            shown_a = (power_a, 0.0, 0.0) if reading.spread else reading.current_a
            self.direction.take(shown_a, reading.taken_at, math.fsum(map(_terminals_a, charging)), sure=sure)
        in_all = reading.spread or self.undirected
        unexplained_a = power_a + math.fsum(given_a) if in_all else min(add(reading.current_a, given_a))
        self.feeds_in = not self.direction.turned and (self.feeds_in or unexplained_a < -FEEDS_IN_A)
        self._watch_stillness(reading, cars, now)
        self.register = follow(self.register, reading, voltage_v)
        measured = [
            Shown(key=str(evse.key), current_a=evse.measured_per_phase(), taken_at=evse.measured_at)
            for evse in cars
            if evse.session is not None and not evse.somewhere and evse.settled(now)
        ]
        whole = Shown(key="", current_a=reading.current_a, taken_at=reading.taken_at)
        self.agreement = compare(self.agreement, whole, [*parts, *measured], now, generation_a=None if self.feeds_in else given_a)

    def _watch_stillness(self, reading: Reading, cars: Sequence[EvseState], now: float) -> None:
        still = self._still_a is not None and all(
            abs(shown - before) <= SAME_A for shown, before in zip(reading.current_a, self._still_a, strict=True)
        )
        draw_a = math.fsum(_terminals_a(evse) for evse in cars)
        if not still:
            self._still_a, self._still_since, self._still_draw_a = reading.current_a, reading.taken_at, None
        if self._still_draw_a is None and all(evse.session is None or evse.measured_at >= self._still_since for evse in cars):
            self._still_draw_a = draw_a
        if self._still_draw_a is None or abs(draw_a - self._still_draw_a) < MOVED_A:
            self.still, self._apart_since = False, None
        elif self._apart_since is None:
            self._apart_since = now
        else:
            self.still = now - self._apart_since >= FROZEN_S

    def believed(self, unmanaged: Unmanaged, given_a: PerPhase) -> Unmanaged:
        """Return what is believed of a load besides the cars: nothing feeds in but known generators, as long as nothing was seen to."""
        if self.feeds_in:
            return unmanaged
        return replace(unmanaged, load_a=highest(unmanaged.load_a, subtract(NONE_A, given_a)))


def _terminals_a(evse: EvseState) -> float:
    return 0.0 if evse.session is None else math.fsum(current for current in evse.current_a if current is not None)
