"""Is what a meter tells renewed each time it is asked? A gateway that keeps what it has read for seconds tells old values as of now.

Held against newer samples of the cars such a value shows no cut and no raise, and the loop would cut again, or raise again. Where a conductor's
values are found to be kept, the building's load there stays as reckoned until the next one is due. No meter is called slow for a value that
rests because nothing changes: it takes several that were kept for about as long, and one that stayed, to the last digit, while cars changed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
import math

from ..engine.model import ALL_PHASES, PerPhase
from ..engine.unmanaged import NONE_RESTS, Resting, total
from .evse import EvseState

SHORTEST_S = 3.0
"""A value that is kept for less is as good as live: cars take as long to follow."""
LONGEST_S = 15.0
"""One that is kept for longer has frozen (`credibility.py`)."""
REPEATS = 2
"""A kept value is told again so often at least."""
CHANGES = 4
"""So many have to be kept in a row…"""
ALIKE = 2.0
"""…none for more than so many times as long as another."""
LATE = 1.25
"""By so much later than the last ones the next may come."""
LIVE = 3
"""After so many in a row that were not, the meter counts as live again."""
MOVED_A = 2.0
"""So much cars have to change on a conductor."""


@dataclass(slots=True)
class _Value:
    """What is told of one conductor, and how it was renewed so far."""

    current_a: float = math.nan
    since: float = 0.0
    repeats: int = 0
    drawn_a: float | None = None
    """What cars drew when it was new, once all were measured since."""
    kept_s: tuple[float, ...] = ()
    """For how long the last ones were kept."""
    live: int = 0
    """How many in a row were not."""
    proven: bool = False
    """One of them stayed while cars changed."""

    @property
    def renewed_s(self) -> float:
        """Within what time it is renewed; 0 where it is live."""
        alike = len(self.kept_s) == CHANGES and max(self.kept_s) <= ALIKE * min(self.kept_s)
        return max(self.kept_s) if self.proven and alike else 0.0

    def take(self, current_a: float, at_s: float) -> None:
        """Take what is told now."""
        if current_a == self.current_a:
            self.repeats += 1
            return
        kept_s = at_s - self.since
        if self.repeats < REPEATS or kept_s < SHORTEST_S:
            self.live += 1
            if self.live >= LIVE:
                self.kept_s, self.proven = (), False
        elif kept_s <= LONGEST_S:
            self.kept_s, self.live = (*self.kept_s, kept_s)[-CHANGES:], 0
        self.current_a, self.since, self.repeats, self.drawn_a = current_a, at_s, 0, None

    def awaited(self, at_s: float) -> bool:
        """Tell whether its next one may be yet to come: until then it says nothing new. Where it is live it is as of now."""
        return at_s - self.since < min(LONGEST_S, LATE * self.renewed_s)

    def compare(self, drawn_a: float, measured_at: float) -> None:
        """Hold it against what cars draw there, by samples of which the oldest came at `measured_at`."""
        if self.drawn_a is not None:
            self.proven = self.proven or abs(drawn_a - self.drawn_a) >= MOVED_A
        elif measured_at >= self.since:
            self.drawn_a = drawn_a


@dataclass(slots=True)
class Renewal:
    """What is known of how one circuit's meter renews what it tells."""

    rests: Resting = NONE_RESTS
    """Where the newest reading tells what was reckoned with before, and the next value is awaited."""
    _values: Sequence[_Value] = field(default_factory=lambda: [_Value() for _ in ALL_PHASES])
    _reckoned_at: float = -math.inf

    @property
    def renewed_s(self) -> float:
        """How long it may take until a change shows on all conductors; 0 where they are live."""
        return max(value.renewed_s for value in self._values)

    def take(self, shown_a: PerPhase, at_s: float) -> None:
        """Take a reading."""
        for value, current_a in zip(self._values, shown_a, strict=True):
            value.take(current_a, at_s)

    def compare(self, below: Iterable[EvseState], at_s: float) -> None:
        """Hold the newest reading, which was taken at `at_s`, against what cars below draw by their own meters. Now it is reckoned with."""
        cars = [evse for evse in below if evse.session is not None]
        drawn_a, measured_at = total(evse.measured_per_phase() for evse in cars), min((evse.measured_at for evse in cars), default=at_s)
        for value, current_a in zip(self._values, drawn_a, strict=True):
            value.compare(current_a, measured_at)
        l1, l2, l3 = (value.since <= self._reckoned_at and value.awaited(at_s) for value in self._values)
        self.rests, self._reckoned_at = (l1, l2, l3), at_s
