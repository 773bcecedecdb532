"""The most that a building was seen to draw, where that is more than a person said it ever does: then this is its worst case."""

from collections.abc import Mapping
from dataclasses import dataclass, field
import math
from typing import Any

from ..engine.model import NONE_A, PerPhase
from ..engine.unmanaged import highest, lowest

LASTS_S = 60.0
"""What is over sooner a breaker carries beside the fallbacks, and it may be a car that is still taken for the building."""
SURELY_A = 1.0
SURELY = 0.05
"""By so much, and by this share of all that flows, may the meters of a circuit and of its cars be apart."""
KEPT_S = 7 * 86_400.0
"""So long it is reckoned with after it was seen last."""


@dataclass(slots=True, kw_only=True)
class Worst:
    """The worst case of one circuit's load besides the cars."""

    said_a: PerPhase
    """What a person said."""
    seen_a: PerPhase = NONE_A
    """What was seen to last where it was more, in whole amperes; 0 elsewhere."""
    seen_at: float = 0.0
    """POSIX time at which that was seen last."""
    _above: list[tuple[float, float] | None] = field(default_factory=lambda: [None, None, None])
    """On each phase: since when (monotonic time) there is more, and the least of it since."""

    @property
    def worst_a(self) -> PerPhase:
        """What to reckon with."""
        return highest(self.said_a, self.seen_a)

    def take(self, load_a: PerPhase, flows_a: PerPhase, limit_a: PerPhase, now: float, posix_s: float) -> bool:
        """Take in the load besides the cars, with all that flows; returns whether the worst case is another one now.

        What is more than the circuit's limit no fallback can mend: nothing is left for them at the limit.
        """
        before_a = self.seen_a
        if posix_s - self.seen_at > KEPT_S:
            self.seen_a = NONE_A
        l1, l2, l3 = (self._lasting_a(phase, load_a[phase], abs(flows_a[phase]), now) for phase in range(3))
        if l1 or l2 or l3:
            self.seen_a, self.seen_at = highest(self.seen_a, lowest((l1, l2, l3), limit_a)), posix_s
        return self.seen_a != before_a

    def _lasting_a(self, phase: int, load_a: float, flows_a: float, now: float) -> float:
        """Return what has been there for long enough on a phase; 0 where nothing has."""
        if load_a <= self.said_a[phase] + SURELY_A + SURELY * flows_a:
            self._above[phase] = None
            return 0.0
        since, least_a = self._above[phase] or (now, load_a)
        least_a = min(least_a, load_a)
        lasts = now - since >= LASTS_S
        self._above[phase] = (now, load_a) if lasts else (since, least_a)
        return float(math.ceil(least_a)) if lasts else 0.0

    def document(self) -> dict[str, Any]:
        """Return what outlives a restart as JSON-able data."""
        return {"said_a": list(self.said_a), "seen_a": list(self.seen_a), "seen_at": self.seen_at}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Worst:
        """Return what `document` gave."""
        said_l1, said_l2, said_l3 = (float(each) for each in document["said_a"])
        l1, l2, l3 = (float(each) for each in document["seen_a"])
        return cls(said_a=(said_l1, said_l2, said_l3), seen_a=(l1, l2, l3), seen_at=float(document["seen_at"]))
