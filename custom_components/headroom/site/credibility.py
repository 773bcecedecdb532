"""Is a meter that is heard to be believed? What it shows is held against what cars draw by their own meters, and those of its parts.

- One that shows the very same while cars change, or whose register does not count what it shows, has frozen: as good as silent.
- One that falls as cars rise, or shows the mirror of what it showed a moment ago while they draw, counts the wrong way round: as good as silent.
- One that shows no trace of what cars change measures something beside them: as good as silent.
- Cars and sub-circuits can't draw more than the whole, unless something feeds in. Where nothing did for a week, the load besides the cars is
  not below zero; on a phase where they go on drawing more it is taken for the worst, and a disagreement that lasts is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import math

from ..csms.values import UNKNOWN, ChargingState
from ..engine.direction import Direction
from ..engine.model import ALL_PHASES, NONE_A, PerPhase
from ..engine.unmanaged import Unmanaged, add, highest, subtract
from ..metering.agreement import LASTING_S, Agreement, Disagreement, Shown, compare
from ..metering.fault import Fault, Trouble
from ..metering.reading import Reading
from ..metering.register import Register, follow
from .config import EvseKey
from .evse import EvseState
from .evse_facts import IDLE_A

FEEDS_IN_A = 1.0
"""What flows out by more was generated."""
FED_IN_S = 7 * 86_400.0
"""So long after it was seen last something may feed in, over restarts too: cars may take all of it meanwhile."""
SAME_A = 0.05
"""No load that is alive leaves a meter with less between two of its readings for long, on all phases at once."""
MOVED_A = 4.0
"""By so much cars have to change, all terminals taken together, for a meter to be seen not to follow."""
FROZEN_S = 15.0
"""So long a meter may take to follow: the slowest that are not stale speak every 10 s."""
SHORT_S = 12.0
"""A phase that shows less than what hangs on it draws is not believed after this: by then all that is compared was measured anew."""
LONG_S = 300.0
"""…and is again after they agreed for so long: one that does not see the cars agrees while they draw little, and they are raised upon that…"""
LONGEST_S = 4 * 3600.0
"""…or twice as long as before, up to this, where it had not been believed for as long since: each time may stop a car."""


@dataclass(slots=True, kw_only=True)
class Credibility:
    """What speaks for and against one circuit's meter."""

    fed_in_at: float = -math.inf
    """When something that nobody measures was seen to generate here last."""
    feeds_in: bool = False
    """Whether it may still do so."""
    undirected: bool = False
    """Its power was seen to flow out while no current of it did: those are magnitudes, and the power alone tells a direction."""
    still: bool = False
    """It has shown the same for too long while cars changed."""
    register: Register | None = None
    direction: Direction = field(default_factory=Direction)
    agreement: Agreement = field(default_factory=Agreement)
    disagreement: Disagreement | None = None
    """What parts and whole differ by, once that has lasted, and as long as a phase is taken for the worst over it."""
    _short: tuple[Agreement, ...] = (Agreement(),) * len(ALL_PHASES)
    """How parts and whole agree on each phase…"""
    _doubted_s: float = LONG_S
    """…and for how long they have to, to be believed again…"""
    _believed_at: float = -math.inf
    """…as they were then."""
    _still_a: PerPhase | None = None
    _still_since: float = 0.0
    _draws_a: Mapping[EvseKey, float] = field(default_factory=dict)
    """What each car told last of its draw."""
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
        if self.frozen:
            return Trouble(Fault.FROZEN, {})
        return Trouble(Fault.UNSEEN, {}) if self.direction.unseen else None

    @property
    def short(self) -> bool:
        """Whether it shows less than what hangs on it draws, on some phase."""
        return any(each.found is not None for each in self._short)

    def at_worst(self, load_a: PerPhase, worst_a: PerPhase) -> PerPhase:
        """Return a load besides the cars with the worst case where it shows less than what hangs on it draws: it may be any."""
        l1, l2, l3 = (
            load if each.found is None else max(load, worst) for load, worst, each in zip(load_a, worst_a, self._short, strict=True)
        )
        return (l1, l2, l3)

    def forget_short(self) -> None:
        """Forget on which phases it showed less: what hangs there is another than was thought."""
        self._short = (Agreement(),) * len(ALL_PHASES)
        self._believed_at = -math.inf

    def take(
        self,
        reading: Reading,
        below: Iterable[EvseState],
        cars: Sequence[EvseState],
        parts: Iterable[Shown],
        given_a: PerPhase,
        resources_a: float | None,
        voltage_v: float,
        now: float,
    ) -> None:
        """Take in a reading, with all EVSEs below, the cars and meters that are its parts, and the most that known generators give there now.

        `resources_a` is what PV systems and batteries draw in all, over all conductors, as `Direction.take` wants it.
        """
        below = list(below)
        charging = [evse for evse in below if evse.session is not None and evse.ready]
        # A car that wants nothing tells so at once when it does: what it draws meanwhile is known.
        drawing = [evse for evse in charging if evse.charging_state is not ChargingState.SUSPENDED_EV or evse.draw_a >= IDLE_A]
        sure = not self.frozen and all(evse.settled(now) and not evse.unanswered_lease_a for evse in drawing)
        power_a = reading.power_at(voltage_v) / voltage_v
        least_a = min(reading.current_a)
        self.undirected = least_a >= -FEEDS_IN_A and (self.undirected or (least_a >= 0 and power_a < -FEEDS_IN_A))
        if self.undirected:
            self.direction = Direction()  # it falls when cars take what was fed in
        else:
            # Of one power of all phases the sum is told on each.
            shown_a = (power_a, 0.0, 0.0) if reading.spread else reading.current_a
            known_s = min((max(evse.measured_at, evse.session.since) for evse in drawing if evse.session), default=None)
            drawn_a, untold = math.fsum(map(_terminals_a, charging)), sum(map(_tells_no_more, below))
            self.direction.take(
                shown_a,
                reading.taken_at,
                drawn_a,
                known_s=known_s,
                untold=untold,
                resources_a=resources_a,
                feeds_in=self.feeds_in,
                sure=sure,
            )
        in_all = reading.spread or self.undirected
        unexplained_a = power_a + math.fsum(given_a) if in_all else min(add(reading.current_a, given_a))
        if self.direction.turned and not self.direction.mirrored:
            self.fed_in_at = -math.inf
        elif not self.direction.turned and unexplained_a < -FEEDS_IN_A:
            self.fed_in_at = now
        self.feeds_in = now - self.fed_in_at <= FED_IN_S
        self._watch_stillness(reading, cars, now)
        self.register = follow(self.register, reading, voltage_v)
        measured = [
            Shown(key=str(evse.key), current_a=evse.least_per_phase(now), taken_at=evse.measured_at)
            for evse in cars
            if evse.session is not None
            and evse.ready
            and evse.measured_at >= evse.session.since
            and evse.terminals_told
            and not evse.somewhere
        ]
        whole, shown = Shown(key="", current_a=reading.current_a, taken_at=reading.taken_at), [*parts, *measured]
        judged = not self.feeds_in and (shown or any(evse.session is not None for evse in cars))
        generation_a = given_a if judged else None
        self.agreement = compare(self.agreement, whole, shown, now, generation_a=generation_a)
        judged_by_a = generation_a if self.trouble is None else None  # one that is not believed at all is at its worst already
        was_short = self.short
        self._short = tuple(
            compare(each, whole, shown, now, generation_a=judged_by_a, lasting_s=SHORT_S, over_s=self._doubted_s, phases=(phase,))
            for phase, each in zip(ALL_PHASES, self._short, strict=True)
        )
        if self.short and not was_short:
            again = now - self._believed_at < self._doubted_s
            self._doubted_s = min(2 * self._doubted_s, LONGEST_S) if again else LONG_S
        elif was_short and not self.short:
            self._believed_at = now
        lasting = (each.found for each in self._short if each.found is not None and now - each.found.since >= LASTING_S)
        self.disagreement = self.agreement.found or next((replace(each, suspect=None, suspicion=None) for each in lasting), None)

    def _watch_stillness(self, reading: Reading, cars: Sequence[EvseState], now: float) -> None:
        still = self._still_a is not None and all(
            abs(shown - before) <= SAME_A for shown, before in zip(reading.current_a, self._still_a, strict=True)
        )
        self._draws_a = {evse.key: self._draws_a.get(evse.key, 0.0) if _tells_no_more(evse) else _terminals_a(evse) for evse in cars}
        draw_a = math.fsum(self._draws_a.values())
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

    def believed(self, unmanaged: Unmanaged, before: Unmanaged | None, given_a: PerPhase) -> Unmanaged:
        """Return what is believed of a load besides the cars: nothing feeds in but known generators, as long as nothing was seen to.

        Nor has it fallen on a phase that shows less than what was drawn there last, before it is known who is wrong.
        """
        if self.feeds_in:
            return unmanaged
        load_a = highest(unmanaged.load_a, subtract(NONE_A, given_a))
        before_a = load_a if before is None else before.load_a
        l1, l2, l3 = (
            max(load, was) if each.apart and each.found is None else load
            for load, was, each in zip(load_a, before_a, self._short, strict=True)
        )
        return replace(unmanaged, load_a=(l1, l2, l3))


def _tells_no_more(evse: EvseState) -> bool:
    """Tell whether a car is there of which it is not known any more what it draws."""
    return evse.session is not None and (not evse.ready or (evse.current_a == UNKNOWN and evse.measured_at >= evse.session.since))


def _terminals_a(evse: EvseState) -> float:
    return 0.0 if evse.session is None else math.fsum(current for current in evse.current_a if current is not None)
