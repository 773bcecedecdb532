"""What to send so that a station holds what it should: the fewest writes, never a gap, and at no moment more than before or after.

Another id of the same purpose and level is rejected (K01.FR.06), and the same id replaces (K01.FR.05). So where somebody else's
profile is in the place of one of ours it is not cleared, for nothing would hold then: it is first overwritten by what ours says, on a
level that is free, and cleared once ours is in. Only where a station has no free level, or does not let the other's be overwritten,
there is a gap, of one answer's time.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
import math

from .composite import NOMINAL_VOLTAGE_V
from .fields import optional_moment, optional_number, optional_text, records
from .profiles import FALLBACK, LEASE, STATION_LIMIT, Placed, Role, ours
from .reconciliation import same

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
ORDER = {LEASE: 0, FALLBACK: 1, STATION_LIMIT: 2}
MOST_TRIES = 50
"""How many moves are tried for a way on which nothing is allowed more. A handful is what it takes; they bound the time, where there is no such way."""


@dataclass(frozen=True, slots=True)
class Put:
    """Set a profile, in place of the one with its id."""

    placed: Placed


@dataclass(frozen=True, slots=True)
class Drop:
    """Clear the profile of an id."""

    profile_id: int


type Step = Put | Drop


class Aside(Enum):
    """To which of the free levels somebody else's profile goes to make room for ours."""

    UP = "the highest"
    DOWN = "the lowest"


@dataclass(slots=True)
class Others:
    """What is known of profiles that are not ours, by their ids."""

    set_here: set[int] = field(default_factory=set)
    """A person set them through us to restrict: they go only where they would allow more."""
    raising: set[int] = field(default_factory=set)
    """Of those, what would allow more than ours once they are written, by the composite schedule."""
    immovable: set[int] = field(default_factory=set)
    """The station does not let them be overwritten."""
    kept: set[int] = field(default_factory=set)
    """The station does not let them be cleared: they stay where they are."""

    denied: set[int] = field(default_factory=set)
    """The station says that there are none such."""

    def surveyed(self, found: Collection[int]) -> None:
        """Forget what the station refused, for it may think better of it, and whoever is gone; what it denied and holds it keeps."""
        self.set_here.intersection_update(found)
        self.denied.intersection_update(found)
        self.immovable.clear()
        self.kept = set(self.denied)


def corrections(
    held: Sequence[Placed],
    wanted: Sequence[Placed],
    now: datetime,
    *,
    stack_level_most: int,
    entries_most: int | None = None,
    others: Others | None = None,
) -> Sequence[Step]:
    """Return what to send, in this order, to a station that holds some profiles and should hold others; nothing where it does.

    `held` is all there is but external constraints. Of it goes what is ours and has a successor among the wanted, and what is not
    ours and would lead over them, or once a lease ends; what can only restrict them further stays. `now` is by the station's clock.
    `entries_most` is how many profiles it keeps (SmartChargingCtrlr.Entries).
    """
    shelf = _Shelf(
        held={placed.profile_id: placed for placed in held if placed.profile_id is not None},
        wanted=wanted,
        stack_level_most=stack_level_most,
        entries_most=entries_most,
        others=others or Others(),
    )
    shelf.pending = sorted(
        (one for one in wanted if (known := shelf.held.get(_id(one))) is None or not same(one, known, now)),
        key=lambda one: (ORDER.get(one.purpose, 0), -one.stack_level),
    )
    start_a, end_a = shelf.allowed_a(), replace(shelf, held={_id(one): one for one in wanted}).allowed_a()
    most_a = {evse_id: max(limit_a, end_a.get(evse_id, math.inf)) for evse_id, limit_a in start_a.items()}
    return (_within(shelf, most_a, iter(range(MOST_TRIES))) or _soonest(shelf)).steps


def _within(shelf: _Shelf, most_a: Mapping[int, float], tries: Iterator[int]) -> _Shelf | None:
    """Return the shelf after all is done, no EVSE ever having been allowed more than its most; None where no way to that was found.

    What raises nothing comes first; then a lease before the fallback beneath it, and the ceiling.
    """
    if not (moves := shelf.moves()):
        return shelf
    if next(tries, None) is None:
        return None
    now_a, afters = shelf.allowed_a(), [shelf.moved(move, aside) for move in moves for aside in shelf.ways(move)]
    for after in sorted(afters, key=lambda after: not after.was_within(now_a)):
        if after.was_within(most_a) and (done := _within(after, most_a, tries)) is not None:
            return done
    return None


def _soonest(shelf: _Shelf) -> _Shelf:
    """Return the shelf after all is done, the moves that raise nothing first."""
    while moves := shelf.moves():
        now_a, afters = shelf.allowed_a(), [shelf.moved(move) for move in moves]
        shelf = next((after for after in afters if after.was_within(now_a)), afters[0])
    return shelf


def about_others(steps: Sequence[Step]) -> Step | None:
    """Return the first of some corrections where it is about somebody else's profile; None where one of ours is to be written first."""
    first = next(iter(steps), None)
    return None if isinstance(first, Put) and ours(first.placed) is not None else first


def _id(placed: Placed) -> int:
    if (profile_id := placed.profile_id) is None:
        raise ValueError("a profile without an id")
    return profile_id


def _limit_a(placed: Placed) -> float:
    """The most a profile allows, near enough to set two beside each other."""
    found = [
        limit / (3 * NOMINAL_VOLTAGE_V) if optional_text(schedule, "chargingRateUnit") == "W" else limit
        for schedule in records(placed.profile, "chargingSchedule")
        for period in records(schedule, "chargingSchedulePeriod")
        if (limit := optional_number(period, "limit")) is not None
    ]
    return max(found, default=math.inf)


def most_a(placed: Placed) -> float:
    """Return the most a profile allows on each phase; infinite where it is told in watts, which may all flow on one."""
    in_watts = any(optional_text(schedule, "chargingRateUnit") == "W" for schedule in records(placed.profile, "chargingSchedule"))
    return math.inf if in_watts else _limit_a(placed)


def _meets(one: Placed, other: Placed) -> bool:
    """Whether two profiles are of one purpose and about the same EVSE: then the level says which leads."""
    if one.purpose != other.purpose:
        return False
    if one.purpose == LEASE:
        return one.evse_id == other.evse_id and one.profile.get("transactionId") == other.profile.get("transactionId")
    return one.evse_id == other.evse_id or (one.purpose == FALLBACK and 0 in (one.evse_id, other.evse_id))


def conflict(one: Placed, other: Placed) -> bool:
    """Whether a station may not hold both (K01.FR.06, FR.39, FR.52, FR.53)."""
    if _id(one) == _id(other) or one.stack_level != other.stack_level or not _meets(one, other):
        return False
    if one.purpose == LEASE:
        return True
    begins, ends = zip(*(_validity(each) for each in (one, other)), strict=True)
    return bool(max(begins) < min(ends))


def leads_over(other: Placed, ours: Placed) -> bool:
    """Whether a profile of another leads over one of ours and allows more."""
    above = _meets(other, ours) and other.stack_level >= ours.stack_level and _id(other) != _id(ours)
    replaces = other.purpose == LEASE and ours.purpose == FALLBACK and other.evse_id == ours.evse_id
    return (above or replaces) and _limit_a(other) > _limit_a(ours)


def _validity(placed: Placed) -> tuple[datetime, datetime]:
    return optional_moment(placed.profile, "validFrom") or FIRST, optional_moment(placed.profile, "validTo") or LAST


@dataclass(slots=True, kw_only=True)
class _Shelf:
    """What the station holds after the steps so far."""

    held: dict[int, Placed]
    wanted: Sequence[Placed]
    stack_level_most: int
    entries_most: int | None
    others: Others
    pending: list[Placed] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    highest_a: dict[int, float] = field(default_factory=dict)
    """The most that each EVSE (0: the station) was allowed since this move began."""

    def moves(self) -> Sequence[Step]:
        """Return what may be done next."""
        moves: list[Step] = [Put(one) for one in self.pending]
        going = self.going()
        waiting = {_id(one): one for one in going if any(_succeeds(each, one) for each in self.pending)}
        moves += [Drop(_id(one)) for one in going if _id(one) not in waiting]
        return moves + [Put(said) for one in waiting.values() if (said := self.said_by(one)) is not None]

    def ways(self, move: Step) -> Sequence[Aside]:
        """Return how a move may be made: it matters only where somebody is in its way."""
        return tuple(Aside) if isinstance(move, Put) and self.conflicts(move.placed) else (Aside.UP,)

    def moved(self, move: Step, aside: Aside = Aside.UP) -> _Shelf:
        """Return the shelf after a move, which may be several steps."""
        after = replace(self, held=dict(self.held), pending=list(self.pending), steps=list(self.steps), highest_a={})
        match move:
            case Drop(profile_id):
                after.drop(after.held[profile_id])
            case Put(one):
                for other in after.conflicts(one):
                    after.step_aside(other, aside)
                if after.entries_most is not None and _id(one) not in after.held and len(after.held) >= after.entries_most:
                    after.make_room()
                after.put(one)
                after.pending = [other for other in after.pending if _id(other) != _id(one)]
        return after

    def was_within(self, most_a: Mapping[int, float]) -> bool:
        """Tell whether nobody was allowed more than this during the last move."""
        return all(self.highest_a[evse_id] <= limit_a for evse_id, limit_a in most_a.items())

    def allowed_a(self) -> dict[int, float]:
        """Return what each EVSE is allowed under the station's maximum, and that under 0."""
        evse_ids = {one.evse_id for one in (*self.held.values(), *self.wanted)} - {0}

        def leading(purpose: str, *evse_ids: int) -> float | None:
            found = [one for one in self.held.values() if one.purpose == purpose and one.evse_id in evse_ids]
            level = max((one.stack_level for one in found), default=0)
            return max((_limit_a(one) for one in found if one.stack_level == level), default=None)

        def first(*found: float | None) -> float:
            return next((limit_a for limit_a in found if limit_a is not None), math.inf)

        station_a = first(leading(STATION_LIMIT, 0))
        own = {evse_id: first(leading(LEASE, evse_id), leading(FALLBACK, 0, evse_id)) for evse_id in evse_ids}
        return {0: station_a} | {evse_id: min(limit_a, station_a) for evse_id, limit_a in own.items()}

    def _note(self) -> None:
        self.highest_a = {evse_id: max(limit_a, self.highest_a.get(evse_id, 0.0)) for evse_id, limit_a in self.allowed_a().items()}

    def said_by(self, other: Placed) -> Placed | None:
        """Return what somebody else's profile is to say where it is, until ours are in; None where it does, or can't be told."""
        if ours(other) is not None or _id(other) in self.others.immovable or not (meeting := self._meeting(other)):
            return None
        said = self._saying(meeting, other, other.stack_level)
        return None if said.profile == other.profile else said

    def _meeting(self, other: Placed) -> Sequence[Placed]:
        return [one for one in self.wanted if _meets(one, other)]

    def _saying(self, meeting: Sequence[Placed], other: Placed, level: int) -> Placed:
        """A profile under another's id and on a level of its own that says the lowest that ours do."""
        return Placed(other.evse_id, {**min(meeting, key=_limit_a).profile, "id": _id(other), "stackLevel": level})

    def put(self, placed: Placed) -> None:
        self.held[_id(placed)] = placed
        self.steps.append(Put(placed))
        self._note()

    def drop(self, placed: Placed) -> None:
        del self.held[_id(placed)]
        self.steps.append(Drop(_id(placed)))
        self._note()

    def conflicts(self, one: Placed) -> Sequence[Placed]:
        return [other for held_id, other in self.held.items() if held_id not in self.others.kept and conflict(one, other)]

    def stale(self) -> Iterator[Placed]:
        ids = {_id(one) for one in self.wanted}
        return (one for held_id, one in self.held.items() if held_id not in ids)

    def step_aside(self, other: Placed, aside: Aside) -> None:
        """Have the profile in the place of one of ours say the lowest that ours do, on a level of its own."""
        if _id(other) in self.others.immovable:
            self.drop(other)
            return
        meeting = self._meeting(other)

        def at(level: int) -> Placed:
            return self._saying(meeting, other, level)

        def free_level() -> int | None:
            others = [*self.held.values(), *self.pending]
            levels = range(self.stack_level_most + 1)
            return next(
                (
                    level
                    for level in (reversed(levels) if aside is Aside.UP else levels)
                    if not any(conflict(at(level), one) for one in others)
                ),
                None,
            )

        level = free_level()
        beneath = [one for one in self.stale() if one is not other and _meets(one, other) and one.stack_level < other.stack_level]
        hidden = [one for one in beneath if level is None or one.stack_level > level]
        if hidden or level is None:
            # What would come to light beneath it goes first, while ours is said in its place.
            if (said := self.said_by(other)) is not None:
                self.put(said)
            for one in sorted(hidden, key=lambda one: one.stack_level):
                self.drop(one)
            level = free_level()
        if level is None:
            self.drop(other)
        else:
            self.put(at(level))

    def make_room(self) -> None:
        """Let go early of what is going anyway, if there is any: rather what others lead over."""
        going = sorted(
            self.going(),
            key=lambda one: not any(_meets(one, other) and other.stack_level > one.stack_level for other in self.held.values()),
        )
        if going:
            self.drop(going[0])

    def going(self) -> Sequence[Placed]:
        """What is to go, in an order in which nothing that goes comes to light: the hidden first, TxProfiles last."""
        going = [one for one in self.stale() if self._must_go(one)]
        return sorted(going, key=lambda one: (one.purpose == LEASE, one.stack_level))

    def _must_go(self, one: Placed) -> bool:
        what, roles = ours(one), [found for each in self.wanted if (found := ours(each)) is not None]
        if what is not None and what.role is Role.LEASE:
            return any(found.evse_id == what.evse_id for found in roles)
        if what is not None and what.role is Role.FALLBACK:
            return any((found.role, found.evse_id) == (what.role, what.evse_id) for found in roles)
        if _id(one) in self.others.kept:
            return False
        if _id(one) in self.others.set_here:
            return _id(one) in self.others.raising or any(leads_over(one, each) for each in self.wanted)
        if one.purpose == LEASE:
            return any(each.purpose in (LEASE, FALLBACK) and each.evse_id in (0, one.evse_id) for each in self.wanted)
        return any(one.purpose == each.purpose and _overlap(one, each) and one.stack_level >= each.stack_level for each in self.wanted)


def _overlap(one: Placed, other: Placed) -> bool:
    return one.evse_id == other.evse_id or 0 in (one.evse_id, other.evse_id)


def _succeeds(wanted: Placed, stale: Placed) -> bool:
    if stale.purpose == LEASE:
        return wanted.purpose in (LEASE, FALLBACK) and _overlap(wanted, stale)
    return wanted.purpose == stale.purpose and _overlap(wanted, stale)
