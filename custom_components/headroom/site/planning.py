"""The newest plan, and when a new one is made.

A plan is made beside the loop, in a thread, of values that nobody changes; a turn never waits for it and goes by the last one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
import logging
from math import inf

from ..engine.blocks import PERIOD_S
from ..engine.model import Headroom, PerPhase, Request
from ..engine.plan import Planned, watts_per_a
from ..engine.programme import NoOptimumError
from ..engine.share import PLANNED, Policy, look_ahead

_LOGGER = logging.getLogger(__name__)

MOVED = 0.15
"""Room that has changed by so much of itself is other room…"""
MOVED_A = 2.0
"""…but not where it is less than this."""
AGAIN_S = 10.0
"""For what changes all the time there is a new plan at most this often."""
NEED_WH = 200.0
NEED_S = 60.0
"""A car's need that has changed by less than these is the same."""


@dataclass(frozen=True, slots=True)
class Made:
    """A plan, and why it is not an optimum (None: it is)."""

    planned: Mapping[str, Planned]
    trouble: str | None = None


type Work = Callable[[], Made]
type Runner = Callable[[Work], Awaitable[Made]]
"""Has the work done elsewhere, and waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """How a turn shares: the policy and the newest plan. `made_at` None: there is no plan."""

    policy: Policy = Policy.MOST_CARS_READY
    planned: Mapping[str, Planned] = field(default_factory=dict)
    made_at: float | None = None

    def age_s(self, now: float) -> float | None:
        """Return how old the plan is, None where there is none."""
        return None if self.made_at is None else now - self.made_at

    def target_a(self, request_id: str) -> float | None:
        """Return what the plan wants for a session now, None where it does not know it."""
        planned = self.planned.get(request_id)
        return None if planned is None else planned.target_a


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a plan was asked for with. `limits_a` are the circuits' limits, with those from outside."""

    policy: Policy
    headrooms: Sequence[Headroom]
    requests: Mapping[str, Request]
    limits_a: Mapping[str, PerPhase]
    asked_at: float


class Planning:
    """Makes the plans of one site, one at a time."""

    def __init__(self, run: Runner, on_plan: Callable[[], None]) -> None:
        """`run` does the reckoning; `on_plan` is called once there is another plan."""
        self._run = run
        self._on_plan = on_plan
        self._basis: Basis | None = None
        self._newest = Sharing()
        self._task: asyncio.Task[None] | None = None
        self._failing = False

    def sharing(self, policy: Policy) -> Sharing:
        """Return how to share now; a plan that was made for another policy does not count."""
        return self._newest if self._newest.policy is policy else Sharing(policy=policy)

    def look(self, basis: Basis) -> None:
        """Have a new plan made where the last one does not fit what is now, and none is on its way."""
        if self._task is not None or (self._basis is not None and not outdated(self._basis, basis)):
            return
        self._basis = basis
        if basis.policy not in PLANNED or all(request.need.energy_wh is None for request in basis.requests.values()):
            self._newest = Sharing(policy=basis.policy)
            return
        self._task = asyncio.get_running_loop().create_task(self._plan(basis), name="headroom plan")

    async def stop(self) -> None:
        """Make no more plans."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _plan(self, basis: Basis) -> None:
        try:
            made = await self._run(lambda: made_of(basis))
        except Exception:
            if not self._failing:
                _LOGGER.exception("There is no plan: the site is shared fairly without one")
            self._failing, self._newest = True, Sharing(policy=basis.policy)
        else:
            self._failing = self._told(made)
            self._newest = Sharing(policy=basis.policy, planned=made.planned, made_at=basis.asked_at)
        finally:
            self._task = None
        self._on_plan()

    def _told(self, made: Made) -> bool:
        """Say once what is amiss, and once that it is over; returns whether something is."""
        if made.trouble is not None and not self._failing:
            _LOGGER.warning("There is no optimum to plan by (%s): who leaves first comes first", made.trouble)
        elif made.trouble is None and self._failing:
            _LOGGER.info("The site is shared by a plan again")
        return made.trouble is not None


def made_of(basis: Basis) -> Made:
    """Return the plan for a basis: an optimum, or what serves where there is none to be had."""
    requests = list(basis.requests.values())
    try:
        return Made(look_ahead(basis.headrooms, requests, basis.policy, now=basis.asked_at))
    except NoOptimumError as error:
        return Made(look_ahead(basis.headrooms, requests, basis.policy, now=basis.asked_at, solver=False), str(error))


def outdated(before: Basis, now: Basis) -> bool:
    """Tell whether a plan that was asked for before is to be made anew."""
    age_s = now.asked_at - before.asked_at
    if age_s >= PERIOD_S or before.policy is not now.policy or before.limits_a != now.limits_a:
        return True
    if before.requests.keys() != now.requests.keys():
        return True
    if any(before.requests[name].past.arrived_at != request.past.arrived_at for name, request in now.requests.items()):
        return True
    if any(_needs_otherwise(before.requests[name], request, age_s) for name, request in now.requests.items()):
        return True
    return age_s >= AGAIN_S and (_room_moved(before.headrooms, now.headrooms) or _wishes_moved(before.requests, now.requests))


def _needs_otherwise(before: Request, now: Request, age_s: float) -> bool:
    """Tell whether a car says otherwise what it needs; that it has got some of it since is no change."""
    left_wh, need_wh = before.need.energy_wh, now.need.energy_wh
    leaves, departs_at = before.need.departs_at, now.need.departs_at
    if left_wh is None or need_wh is None or leaves is None or departs_at is None:
        return (left_wh is None) != (need_wh is None) or leaves != departs_at
    most_wh = before.max_a * watts_per_a(before) * age_s / 3600
    return abs(departs_at - leaves) > NEED_S or not left_wh - most_wh - NEED_WH <= need_wh <= left_wh + NEED_WH


def _room_moved(before: Sequence[Headroom], now: Sequence[Headroom]) -> bool:
    rooms = {row.circuit_id: row for row in before}
    if rooms.keys() != {row.circuit_id for row in now}:
        return True
    return any(_moved(room_a, then_a) for row in now for room_a, then_a in zip(_limits(row), _limits(rooms[row.circuit_id]), strict=True))


def _limits(row: Headroom) -> tuple[float, ...]:
    return (*row.available_a, inf if row.sum_a is None else row.sum_a)


def _wishes_moved(before: Mapping[str, Request], now: Mapping[str, Request]) -> bool:
    return any(_moved(request.max_a, before[name].max_a) or _wish(request) != _wish(before[name]) for name, request in now.items())


def _wish(request: Request) -> tuple[object, ...]:
    return (request.phases, request.tier, request.weight, request.guarantee_a)


def _moved(now_a: float, then_a: float) -> bool:
    if now_a == then_a:
        return False
    return inf in (now_a, then_a) or abs(now_a - then_a) > max(MOVED_A, MOVED * abs(then_a))
