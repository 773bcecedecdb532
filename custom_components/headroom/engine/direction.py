"""Does a meter see its cars, and the right way round? Where it shows import as export, it falls as cars rise, and a loop that believes it runs away.

What all cars below it draw together is laid beside what it shows, from one time at which they stood still to the next. A change that it saw the
other way round, and by the same amount, speaks against it. What one car gave another speaks for neither, nor does a building that rises and
falls meanwhile: its rises and falls are not set off against each other. A change of which it shows no trace, though it is read all the time,
was not seen: what it measures lies beside the cars. A meter that shows, from one reading to the next, the mirror of what it
showed while cars draw was turned as well, unless they stopped, or a roof may give that: no building does.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
import math
from math import fsum
from statistics import median
from typing import NamedTuple

from .model import PerPhase
from .phase_steps import risen_and_fallen

LEAST_A = 6.0
"""Smaller changes of the cars, over all their terminals, say nothing…"""
SAME_A = 1.0
"""…and one that is smaller than this is none."""
LASTS_S = 7.0
"""For so long the cars have to stand still: a meter has followed by then."""
SAMPLE_LAG_S = 10.0
"""So much later than the meter may cars tell of a change."""
CHANGES_S = 60.0
"""A change that takes longer says nothing."""
TURNS_A = 1.5
"""A meter that goes back by less has not turned: that is noise…"""
TURNS_BY_NOISE = 6.0
"""…or by less than so many times what it usually changes from one reading to the next."""
UNEXPLAINED = 0.3
"""A meter saw a change where no more than this share of it is left unexplained."""
CLEARED_BY = 2
"""Where several changes in a row spoke against a meter, so many in a row have to speak for it; where one did, one is enough."""
UNSEEN_S = 20.0
"""For so long a change has to last to have gone unseen: a gateway may answer out of its cache…"""
DENSE_S = 3.0
"""…but where readings lie further apart, something may have made up for the change between two of them."""
MIRRORS_A = 6.0
"""What flows less than this may well turn round from one reading to the next."""
STOPPED = 1.5
"""A fall of no more than so many times what cars drew may be theirs: they stopped."""
MIRRORS_SHARE = 0.1
"""Mirrored is what is the contrary to within so much, or one amp."""
FED_TIMES = 2.0
"""A roof may give up to so many times what it was seen to give, and `MIRRORS_A`: beside it any heater that goes off may make a mirror."""


class _Moment(NamedTuple):
    at_s: float
    shown_a: float
    net_a: float | None
    """Without what PV systems and batteries drew and gave by meters of their own; None where that is not known."""
    drawn_a: float | None
    known_s: float
    """When the car was measured that was measured longest ago…"""
    untold: int
    """…and how many there are of which nothing is told any more, so that they don't count in what is drawn."""
    still: bool


@dataclass(slots=True)
class Direction:
    """What speaks for and against one meter, from reading to reading."""

    against: int = 0
    """How many changes in a row spoke against it…"""
    since: int = 0
    """…and how many for it since."""
    mirrored: bool = False
    """It is only since a mirrored reading that it counts as turned: what it showed before was right."""
    _most_fed_a: float = 0.0
    """The most that was fed in beside the cars, over all conductors, as far as it was seen."""
    _course: deque[_Moment] = field(default_factory=deque)
    _before_a: PerPhase | None = None
    unseen: bool = False
    """Whether a change went unseen, and none was seen the right way round since."""
    _judged_a: float | None = None
    """What cars drew when they stood still last."""

    @property
    def turned(self) -> bool:
        """Whether it is taken to show import as export. One change is enough: a loop runs away in seconds, and its cuts are changes too."""
        return self.against > 0

    def take(
        self,
        shown_a: PerPhase,
        at_s: float,
        drawn_a: float,
        *,
        known_s: float | None = None,
        untold: int = 0,
        resources_a: float | None = 0.0,
        feeds_in: bool = False,
        sure: bool,
    ) -> None:
        """Take a reading, and what cars below drew last over all their terminals; not `sure` while they are on their way.

        `known_s`: each of them was measured then or later (None: just now). `untold` are those that may draw and don't tell it any more.
        `resources_a` is what PV systems and batteries draw (positive) or give by their own meters (None: not known); `feeds_in`: something
        is known to that nobody measures, be it not by how much.
        """
        before_a, self._before_a = self._before_a, shown_a
        lately = bool(self._course) and at_s - self._course[-1].at_s <= SAMPLE_LAG_S
        if before_a is not None and lately and mirrors(before_a, shown_a):
            self._mirrored(fsum(before_a), fsum(shown_a), drawn_a, feeds_in=feeds_in)
        self._course.append(
            _Moment(
                at_s,
                fsum(shown_a),
                None if resources_a is None else fsum(shown_a) - resources_a,
                drawn_a if sure else None,
                at_s if known_s is None else known_s,
                untold,
                sure and self._still(drawn_a, at_s),
            )
        )
        while self._course[0].at_s < at_s - CHANGES_S - SAMPLE_LAG_S:
            self._course.popleft()
        if not self._course[-1].still:
            return
        if not self.turned:
            self._most_fed_a = max(self._most_fed_a, drawn_a - fsum(shown_a))
        if self._judged_a is None or abs(drawn_a - self._judged_a) > SAME_A:
            self._judged_a = drawn_a
            self._judge(drawn_a)
        self.unseen = self.unseen or self._went_unseen(drawn_a)

    def _mirrored(self, before_a: float, shown_a: float, drawn_a: float, *, feeds_in: bool) -> None:
        """Take note of a mirrored reading: it turns a meter back, or round where neither the cars nor a roof could make it."""
        stopped = before_a - shown_a <= STOPPED * drawn_a
        fed_in = drawn_a - shown_a <= (math.inf if feeds_in and self._most_fed_a <= 0 else FED_TIMES * self._most_fed_a + MIRRORS_A)
        if self.turned or (drawn_a >= LEAST_A and not stopped and not fed_in):
            self.mirrored = not self.turned
            self.against, self.since = 0 if self.turned else 1, 0
            self._course.clear()

    def _still(self, drawn_a: float, at_s: float) -> bool:
        if not self._course or self._course[0].at_s > at_s - LASTS_S:
            return False
        for moment in reversed(self._course):
            if moment.drawn_a is None or abs(moment.drawn_a - drawn_a) > SAME_A:
                return False
            if moment.at_s <= at_s - LASTS_S:
                break
        return True

    def _judge(self, drawn_a: float) -> None:
        """Judge the newest change, now that the cars stand still again."""
        moments = [*self._course]
        ended = next((index for index in reversed(range(len(moments))) if _stood(moments[index], drawn_a, SAME_A)), None)
        if ended is None or (before_a := moments[ended].drawn_a) is None:
            return
        began = ended
        while began > 0 and moments[began - 1].still and moments[ended].at_s - moments[began - 1].at_s <= SAMPLE_LAG_S:
            began -= 1
        shown_a, moved_a = [moment.shown_a for moment in moments], drawn_a - before_a
        sure = [(moment.shown_a, moment.drawn_a) for moment in moments[began:] if moment.drawn_a is not None]
        right = saw(shown_a[began:], moved_a, noise_a(shown_a))
        match follows(sure, moved_a) if right is None else right:
            case False:
                self.against, self.since = self.against + 1, 0
                self.mirrored, self._most_fed_a = False, 0.0
            case True if self.turned and self.since + 1 < min(self.against, CLEARED_BY):
                self.since += 1
            case True:
                self.against = self.since = 0
                self.mirrored = self.unseen = False

    def _went_unseen(self, drawn_a: float) -> bool:
        """Tell whether it shows no trace of a change that has lasted, from when the cars were measured last before it."""
        moments = [*self._course]
        lately_s = moments[-1].at_s - UNSEEN_S
        ended = next((each for each in reversed(moments) if each.at_s <= lately_s and _stood(each, drawn_a, LEAST_A)), None)
        if ended is None or ended.drawn_a is None or ended.untold != moments[-1].untold:
            return False
        began_s = min(ended.known_s, ended.at_s - SAMPLE_LAG_S)
        course = [moment for moment in moments if moment.at_s >= began_s]
        if moments[0].at_s > began_s or any(after.at_s - before.at_s > DENSE_S for before, after in pairwise(course)):
            return False
        net_a = [moment.net_a for moment in course if moment.net_a is not None]
        if len(net_a) < len(course):
            return False
        sign = math.copysign(1.0, drawn_a - ended.drawn_a)
        moved_a = min(sign * (each.drawn_a - ended.drawn_a) for each in course if each.at_s > lately_s and each.drawn_a is not None)
        return moved_a >= LEAST_A and all(
            max(course_a) - min(course_a) <= UNEXPLAINED * moved_a for course_a in ([moment.shown_a for moment in course], net_a)
        )


def _stood(moment: _Moment, drawn_a: float, by_a: float) -> bool:
    """Tell whether the cars stood still then, at something else than they draw now by more than `by_a`."""
    return moment.still and moment.drawn_a is not None and abs(moment.drawn_a - drawn_a) > by_a


def noise_a(shown_a: Sequence[float]) -> float:
    """Return by how much a meter has to go back to have turned, for what it usually changes."""
    changes_a = [abs(after - before) for before, after in pairwise(shown_a)]
    return max(TURNS_A, TURNS_BY_NOISE * median(changes_a)) if changes_a else TURNS_A


def saw(shown_a: Sequence[float], moved_a: float, turns_a: float = TURNS_A) -> bool | None:
    """Tell whether a meter that showed this saw cars change by `moved_a`: True as it was, False the other way round, None where it can't be told.

    What it goes back by less than `turns_a` is noise.
    """
    if abs(moved_a) < max(LEAST_A, 2 * turns_a):
        return None
    risen_a, fallen_a = risen_and_fallen(shown_a, turns_a)
    along_a, against_a = (risen_a, fallen_a) if moved_a > 0 else (fallen_a, risen_a)
    for as_it_was, most_a, least_a in ((True, along_a, against_a), (False, against_a, along_a)):
        if max(least_a, abs(most_a - least_a - abs(moved_a))) <= UNEXPLAINED * abs(moved_a):
            return as_it_was
    return None


def follows(moments: Sequence[tuple[float, float]], moved_a: float) -> bool | None:
    """Tell the same from what was shown and drawn whenever both were known, where cars gave to each other while they changed by `moved_a` in all."""
    if abs(moved_a) < LEAST_A:
        return None
    for as_it_was, sign in ((True, 1.0), (False, -1.0)):
        rests_a = [shown_a - sign * drawn_a for shown_a, drawn_a in moments]
        if max(rests_a) - min(rests_a) <= UNEXPLAINED * abs(moved_a):
            return as_it_was
    return None


def mirrors(before_a: PerPhase, after_a: PerPhase) -> bool:
    """Tell whether a reading is the mirror of the one right before it."""
    alike = all(abs(after + before) <= max(1.0, MIRRORS_SHARE * abs(before)) for before, after in zip(before_a, after_a, strict=True))
    return alike and max(map(abs, before_a)) >= MIRRORS_A
