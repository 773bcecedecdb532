"""The allocation: who charges now, and with how many amps.

Definitions. A **row** is a conductor of a circuit (or the sum of its phases) with the amps left for charging on it; a session
loads every row of its circuit and of all circuits above it, with its current on each of its phases, and with that times the
number of its phases on a row that is a sum. A current is a whole number of the station's **steps**.

Steps. (a) `admit` the sessions at their least current, in order of tier and queue; (b) tier by tier, `fill` what is left so
that weighted shares are max-min fair over the tree; (c) `quantise` to the stations' steps, leaving nothing unused that
someone could take; (d) `reason`: say of each what stops it there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import heapify, heappop, heappush
from itertools import groupby
from math import ceil, floor, inf, isfinite

from .model import Allocation, Headroom, Phase, Reason, ReasonCode, Request
from .rows import Loads, Row, full_at, loads_of, obstacle, put, rows_of

TOLERANCE_STEPS = 1e-9
"""How near to a whole number of steps is one."""


@dataclass(slots=True, eq=False)
class Session:
    """A request, the rows it loads (its own circuit's first) with their coefficients, and its current in steps."""

    request: Request
    loads: Loads
    least: int
    most: int
    current: int = 0
    ideal_a: float = 0.0

    def amps(self, steps: int) -> float:
        """Return the current of so many steps."""
        return steps * self.request.step_a

    def level(self, steps: int) -> float:
        """Return the level of the filling at which the weighted share is so many steps."""
        return self.amps(steps) / self.request.weight

    def surplus_a(self) -> float:
        """Return by how much the current is above the ideal one; rounded, so that equals are ordered by their place in the queue."""
        return round(self.amps(self.current) - self.ideal_a, 6)

    def obstacle(self, steps: int) -> Row | None:
        """Return the first row that has no room for so many steps more, None where they fit."""
        return obstacle(self.loads, self.amps(steps))

    def grow(self, steps: int) -> None:
        """Take so many steps more."""
        self.current += steps
        put(self.loads, self.amps(steps))


def allocate(headrooms: Sequence[Headroom], requests: Sequence[Request]) -> dict[str, Allocation]:
    """Return the allocation of each request by its id.

    Every limit is 0 A or at least the request's `min_a`, a multiple of its `step_a`, and at most its `max_a`; no row carries
    more than its headroom; nobody could be given a step more, nor be admitted beside the others. The result does not depend
    on the order of the arguments. Raises ValueError where they make no sense: an unknown circuit, a cycle of parents, an id
    used twice, a number that is none.
    """
    rows = rows_of(headrooms)
    sessions = sessions_of(requests, rows)
    waiting = admit(sessions)
    for _, tier in groupby((session for session in sessions if session.current), key=lambda session: session.request.tier):
        members = tuple(tier)
        fill(members)
        quantise(members)
    return {
        session.request.request_id: Allocation(
            request_id=session.request.request_id,
            limit_a=round(session.amps(session.current), 9),
            reason=reason(session, waiting.get(session.request.request_id)),
        )
        for session in sessions
    }


# Definitions


def sessions_of(requests: Iterable[Request], rows: Mapping[str, tuple[Row, ...]]) -> list[Session]:
    """Return the requests as sessions without current, in the order of their admission."""
    sessions: list[Session] = []
    loads: dict[tuple[str, tuple[Phase, ...]], Loads] = {}
    for request in sorted(requests, key=lambda request: (request.tier, request.queue_key, request.request_id)):
        check(request, rows)
        place = (request.circuit_id, request.phases)
        if place not in loads:
            loads[place] = loads_of(rows[request.circuit_id], request.phases)
        least = max(1, ceil(request.min_a / request.step_a - TOLERANCE_STEPS))
        most = floor(request.max_a / request.step_a + TOLERANCE_STEPS)
        sessions.append(Session(request, loads[place], least, most))
    if len({session.request.request_id for session in sessions}) < len(sessions):
        raise ValueError("a request id is used twice")
    return sessions


def check(request: Request, rows: Mapping[str, tuple[Row, ...]]) -> None:
    """Raise ValueError for a request that can't be meant."""
    if request.circuit_id not in rows:
        raise ValueError(f"request {request.request_id!r} names the unknown circuit {request.circuit_id!r}")
    if not request.phases or len(set(request.phases)) < len(request.phases):
        raise ValueError(f"request {request.request_id!r} has phases {request.phases}")
    numbers = (request.min_a, request.max_a, request.step_a, request.weight, request.queue_key)
    if not all(isfinite(number) for number in numbers) or request.step_a <= 0 or request.weight <= 0:
        raise ValueError(f"request {request.request_id!r} has a current, step, weight or queue key that is none")


# (a) Admission


def admit(sessions: Iterable[Session]) -> dict[str, Row]:
    """Give each session in turn its least current where that fits; return, for each that waits, the row that is in its way.

    A session that does not fit is passed over: a later one on other conductors, or a smaller one, may still fit.
    """
    waiting: dict[str, Row] = {}
    for session in sessions:
        if session.most < session.least:
            continue
        full = session.obstacle(session.least)
        if full is not None:
            waiting[session.request.request_id] = full
            continue
        session.grow(session.least)
        for row, _ in session.loads:
            row.sessions += 1
    return waiting


# (b) Weighted max-min fairness


class Event(IntEnum):
    """What changes the slope of a row's load while the level rises."""

    START = 0
    """The level reaches a session's least current: it begins to rise."""
    MOST = 1
    """The level reaches a session's most current."""
    FULL = 2
    """A row is full."""


@dataclass(slots=True, eq=False)
class Line:
    """A row's load while the level rises: `fixed_a` + `slope` · level, and the sessions (by index) that make it rise.

    `version` counts the changes: what was foretold before the last one is void.
    """

    row: Row
    fixed_a: complex
    slope: complex = 0.0
    rising: dict[int, None] = field(default_factory=dict)
    version: int = 0

    def full_at(self) -> float:
        """Return the level at which the row is full, as things stand."""
        return full_at(self.fixed_a, self.slope, self.row.limit_a) if self.rising and self.slope else inf


def fill(sessions: Sequence[Session]) -> None:
    """Give each session its `ideal_a`: clip(weight · level, least, most), at the level at which one of its rows is full.

    The level rises from 0 for all at once. Between two events each row's load is a straight line of the level, so the next
    event is known beforehand: exact, and O(n log n) for n sessions on a tree of bounded depth.
    """
    filling = Filling(sessions)
    while filling.events:
        level, event, index, version = heappop(filling.events)
        if event is Event.START:
            filling.start(index)
        elif event is Event.MOST and not sessions[index].ideal_a:
            filling.stop(index, level)
        elif event is Event.FULL and version == filling.lines[index].version:
            for member in tuple(filling.lines[index].rising):
                filling.stop(member, level)
        if not filling.events or filling.events[0][0] > level:
            filling.foretell(level)  # once for all that happens at one level


class Filling:
    """The state of `fill`: the lines of the scarce rows, and a heap of events (level, event, index of session or line, version)."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        """Start at level 0 with every session at its least current."""
        self.sessions = sessions
        self.lines = [Line(row, row.load_a) for row in scarce(sessions)]
        index_of = {line.row: index for index, line in enumerate(self.lines)}
        self.loads = [[(index_of[row], phases) for row, phases in session.loads if row in index_of] for session in sessions]
        self.events = [(session.level(session.least), Event.START, index, 0) for index, session in enumerate(sessions)]
        self.changed: set[int] = set()
        heapify(self.events)

    def start(self, index: int) -> None:
        """Let a session rise from its least current."""
        session = self.sessions[index]
        for number, phases in self.loads[index]:
            line = self.lines[number]
            line.fixed_a -= phases * session.amps(session.least)
            line.slope += phases * session.request.weight
            line.rising[index] = None
            self.changed.add(number)
        heappush(self.events, (session.level(session.most), Event.MOST, index, 0))

    def stop(self, index: int, level: float) -> None:
        """Fix a session at its current at this level."""
        session = self.sessions[index]
        weighted_a = session.request.weight * level
        session.ideal_a = min(max(weighted_a, session.amps(session.least)), session.amps(session.most))
        for number, phases in self.loads[index]:
            line = self.lines[number]
            line.fixed_a += phases * session.ideal_a
            line.slope -= phases * session.request.weight
            del line.rising[index]
            self.changed.add(number)

    def foretell(self, level: float) -> None:
        """Say of each line that changed when it will be full."""
        for number in sorted(self.changed):
            line = self.lines[number]
            line.version += 1
            heappush(self.events, (max(level, line.full_at()), Event.FULL, number, line.version))
        self.changed.clear()


def scarce(sessions: Iterable[Session]) -> list[Row]:
    """Return the rows that could not carry every session at its most: no other row can stop one."""
    wanted_a: dict[Row, float] = {}
    for session in sessions:
        for row, phases in session.loads:
            wanted_a[row] = wanted_a.get(row, abs(row.load_a)) + abs(phases) * session.amps(session.most - session.least)
    return [row for row, load_a in wanted_a.items() if load_a > row.limit_a]


# (c) Steps


def quantise(sessions: Sequence[Session]) -> None:
    """Floor each ideal current to the station's step, then hand what is left round, a step at a time, to the largest residual."""
    for session in sessions:
        steps = floor(session.ideal_a / session.request.step_a) - session.current
        if steps > 0 and session.obstacle(steps) is None:  # an ideal is a float: the rows have the last word
            session.grow(steps)
    residuals = [(session.surplus_a(), index) for index, session in enumerate(sessions)]
    heapify(residuals)
    while residuals:
        _, index = heappop(residuals)
        session = sessions[index]
        if session.current < session.most and session.obstacle(1) is None:
            session.grow(1)
            heappush(residuals, (session.surplus_a(), index))


# (d) Reasons


def reason(session: Session, waits_for: Row | None) -> Reason:
    """Return what stops a session where it is: its own ceiling, the first row that has no room for a step more, or the row it waits for."""
    if waits_for is not None:
        return place(ReasonCode.WAITING, waits_for, others=waits_for.sessions)
    full = session.obstacle(1) if 0 < session.current < session.most else None
    if full is not None:
        return place(ReasonCode.CIRCUIT, full, others=full.sessions - 1)
    return Reason(code=session.request.ceiling)


def place(code: ReasonCode, row: Row, *, others: int) -> Reason:
    """Return a reason that lies in a row, shared with so many other sessions that charge."""
    return Reason(code=code, circuit_id=row.circuit_id, phase=row.phase, others=others)
