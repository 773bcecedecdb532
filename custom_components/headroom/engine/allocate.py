"""The allocation: who charges now, and with how many amps.

Definitions. A **row** (rows.py) is a conductor of a circuit, the sum of its conductors or the difference of two, with the amps
left for charging on it; a session loads rows of its circuit and of all circuits above it. A current is a whole number of the
station's **steps**. A **goal** is a current that sessions are raised towards: what they are guaranteed, what a plan wants for
them, and in the end the most they may have.

Steps. (a) `admit` the sessions at their least current, who is held first, then in order of tier and queue; (b) `serve` goal after goal,
tier by tier: `fill` (filling.py) what is left so that weighted shares are max-min fair over the tree, then (c) `hand_round`, in the
stations' steps, leaving nothing unused that someone could take; (d) `reason`: say of each what stops it there.

Where one's current relieves what another's loads (`Row.relievable`) somebody may fit only after others have grown. So nobody who
was refused there is refused for good: (a) to (c) go on until none of them can be admitted or given a step more.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import groupby
from math import ceil, floor, isfinite

from .filling import Share, fill
from .model import Allocation, Headroom, Phase, Reason, ReasonCode, Request
from .rows import Loads, Row, loads_of, obstacle, put, rows_of

TOLERANCE_STEPS = 1e-9
"""How near to a whole number of steps is one."""
TOLERANCE_GOAL_STEPS = 1e-6
"""As TOLERANCE_STEPS, for a goal: a plan's numbers come out of a solver."""


@dataclass(slots=True, eq=False)
class Session:
    """A request, the rows it loads (its own circuit's first) with their coefficients, and its current in steps.

    `goal` is how far it may be raised now, and `ideal_a` its fair current on the way there. `stuck` says that a row which
    nothing relieves has no room for a step more. `waits_for` is the row that was in the way of its admission.
    """

    request: Request
    loads: Loads
    least: int
    most: int
    current: int = 0
    goal: int = 0
    ideal_a: float = 0.0
    stuck: bool = False
    waits_for: Row | None = None

    def amps(self, steps: int) -> float:
        """Return the current of so many steps."""
        return steps * self.request.step_a

    def claim(self) -> tuple[float, int, float, str]:
        """Return what orders who is given a step next: by how much the current is above the ideal one, rounded so that there are equals.

        These go by the queue and not by the place of their admission, which changes as sessions are owed more or less.
        """
        request = self.request
        return (round(self.amps(self.current) - self.ideal_a, 6), request.tier, request.queue_key, request.request_id)

    def obstacle(self, steps: int) -> Row | None:
        """Return the first row that has no room for so many steps more, None where they fit."""
        return obstacle(self.loads, steps * self.request.step_a)

    def grow(self, steps: int) -> None:
        """Take so many steps more."""
        self.current += steps
        put(self.loads, steps * self.request.step_a)


def allocate(headrooms: Sequence[Headroom], requests: Sequence[Request]) -> dict[str, Allocation]:
    """Return the allocation of each request by its id.

    Every limit is 0 A or at least the request's `min_a`, a multiple of its `step_a`, and at most its `max_a`; no row carries
    more than its headroom, or than it carries without any session; nobody could be given a step more, nor be admitted beside the
    others. The result does not depend on the order of the arguments. Raises ValueError where they make no sense: an unknown
    circuit, a cycle of parents, an id used twice, a number that is none, a session that its circuit's wiring has no place for.
    """
    sessions = sessions_of(requests, rows_of(headrooms))
    admit(session for session in sessions if session.request.held and not session.request.pausable)
    admit(session for session in sessions if session.request.held)
    admit(session for session in sessions if not postponed(session))
    for goal_a in (guarantee_a, target_a):
        if any(map(goal_a, sessions)):
            serve(sessions, goal_a)
    admit(sessions)
    serve(sessions, most_a)
    while admit(sessions):
        serve(sessions, most_a)
    return {
        session.request.request_id: Allocation(
            request_id=session.request.request_id, limit_a=round(session.amps(session.current), 9), reason=reason(session)
        )
        for session in sessions
    }


# Definitions


def sessions_of(requests: Iterable[Request], rows: Mapping[str, tuple[Row, ...]]) -> list[Session]:
    """Return the requests as sessions without current, in the order of their admission."""
    sessions: list[Session] = []
    loads: dict[tuple[str, tuple[Phase, ...]], Loads] = {}
    for request in sorted(requests, key=lambda request: (request.tier, request.place, request.queue_key, request.request_id)):
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
    numbers = (
        request.min_a,
        request.max_a,
        request.step_a,
        request.weight,
        request.queue_key,
        request.guarantee_a,
        request.target_a or 0.0,
    )
    if not all(map(isfinite, numbers)) or request.step_a <= 0 or request.weight <= 0:
        raise ValueError(f"request {request.request_id!r} has a current, step, weight or queue key that is none")


def guarantee_a(session: Session) -> float:
    """Return what a session is served before anything is shared."""
    return session.request.guarantee_a


def target_a(session: Session) -> float:
    """Return what a plan wants for a session, 0 A where there is no plan."""
    return session.request.target_a or 0.0


def most_a(session: Session) -> float:
    """Return the most that a session may have."""
    return session.amps(session.most)


def postponed(session: Session) -> bool:
    """Tell whether a plan would rather give a session nothing now: it charges with what the others' targets leave."""
    target = session.request.target_a
    return target is not None and target < session.amps(session.least) * (1 - TOLERANCE_GOAL_STEPS)


# (a) Admission


def admit(sessions: Iterable[Session]) -> bool:
    """Give each session in turn its least current where that fits, and tell whether any was admitted.

    A session that does not fit is passed over: a later one on other conductors, or a smaller one, may still fit. What relieves a
    row may let in an earlier one, which is asked again.
    """
    asking = [
        session
        for session in sessions
        if not session.current and session.most >= session.least and (session.waits_for is None or session.waits_for.relievable)
    ]
    admitted, before = 0, -1
    while admitted > before:
        before, refused = admitted, []
        for session in asking:
            session.waits_for = session.obstacle(session.least)
            if session.waits_for is None:
                session.grow(session.least)
                for row, _ in session.loads:
                    row.sessions += 1
                admitted += 1
            elif session.waits_for.relievable:
                refused.append(session)
        asking = refused
    return admitted > 0


# (b) Goals


def serve(sessions: Iterable[Session], goal_a: Callable[[Session], float]) -> None:
    """Raise the sessions that charge towards a goal: tier by tier, by fair shares of what is left, floored to the stations' steps.

    What one leaves to its step is handed round in its tier; what a later tier relieved, among all.
    """
    raised: list[Session] = []
    for _, tier in groupby((session for session in sessions if session.current), key=lambda session: session.request.tier):
        members: list[Session] = []
        shares: list[Share] = []
        for session in tier:
            low_a, high_a, step_a = session.amps(session.current), min(goal_a(session), session.amps(session.most)), session.request.step_a
            session.goal = ceil(high_a / step_a - TOLERANCE_GOAL_STEPS)
            if session.goal > session.current and not session.stuck:
                members.append(session)
                shares.append(Share(session.loads, session.request.weight, low_a, high_a))
        fill(shares)
        for session, share in zip(members, shares, strict=True):
            session.ideal_a = share.current_a
            steps = floor(share.current_a / session.request.step_a + TOLERANCE_STEPS) - session.current
            if steps > 0 and session.obstacle(steps) is None:  # an ideal is a float: the rows have the last word
                session.grow(steps)
        hand_round(members)
        raised += members
    hand_round(raised)


# (c) Steps


def hand_round(sessions: Sequence[Session]) -> None:
    """Hand what is left round, a step at a time, to the largest residual, until nobody below the goal can take one."""
    asking: Sequence[int] = range(len(sessions))
    grown = True
    while grown and asking:
        queue = [(*sessions[index].claim(), index) for index in asking if not sessions[index].stuck]
        heapify(queue)
        refused: list[int] = []
        grown = False
        while queue:
            *_, index = heappop(queue)
            session = sessions[index]
            if session.current >= session.goal:
                continue
            full = session.obstacle(1)
            if full is None:
                session.grow(1)
                heappush(queue, (*session.claim(), index))
                grown = True
            elif full.relievable:
                refused.append(index)
            else:
                session.stuck = True
        asking = refused


# (d) Reasons


def reason(session: Session) -> Reason:
    """Return what stops a session where it is: its own ceiling, the first row that has no room for a step more, or the row it waits for."""
    if session.waits_for is not None:
        return place(ReasonCode.WAITING, session, session.waits_for, others=session.waits_for.sessions)
    if session.request.ceiling is ReasonCode.RESTING and (full := session.obstacle(session.least)) is not None:
        return place(ReasonCode.WAITING, session, full, others=full.sessions)  # had it rested enough, it would wait
    full = session.obstacle(1) if 0 < session.current < session.most else None
    if full is not None:
        return place(ReasonCode.CIRCUIT if full.against is None else ReasonCode.IMBALANCE, session, full, others=full.sessions - 1)
    return Reason(code=session.request.ceiling)


def place(code: ReasonCode, session: Session, row: Row, *, others: int) -> Reason:
    """Return a reason that lies in a row, shared with so many other sessions that charge."""
    phase, against = row.phase, row.against
    if against in session.request.phases:
        phase, against = against, phase  # the difference that this session would widen
    return Reason(code=code, circuit_id=row.circuit_id, phase=phase, against=against, others=others)
