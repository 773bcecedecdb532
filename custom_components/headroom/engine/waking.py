"""Cars that fall asleep at 0 A: noticed, and woken by taking the offer away and making it again, small first. Counted and limited.

Only a car that charged before it was paused is woken: one that takes nothing from the beginning, or tapered off, may just be full.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
import math

AWAKE_A = 1.0
"""A car that draws so much is awake."""
CHARGED = 0.8
"""So much of the least current a car must have drawn before its pause to be missed after it."""
WAIT_S = 90.0
"""So long an offer may stand until it is doubted, and twice as long each time after: some cars take a minute."""
OFF_S = 10.0
"""For so long the offer is taken away, once it is seen to be."""
LEAST_S = 20.0
"""For so long the least current is offered then…"""
GIVES_UP_S = 120.0
"""…or not at all, where there is no room for it."""
MOST_TRIES = 3


class Step(IntEnum):
    """What is being done."""

    NONE = 0
    OFF = 1
    """Its offer is taken away."""
    LEAST = 2
    """It is offered the least current."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waking:
    """What is known of one session's sleep. Times are monotonic seconds."""

    drew_a: float = 0.0
    """What it drew when it charged last."""
    paused: bool = False
    """It has been offered nothing since."""
    offered_since: float | None = None
    tries: int = 0
    step: Step = Step.NONE
    since: float = -math.inf
    """When the step took effect; infinite before."""
    begun_at: float = -math.inf
    asleep: bool = False
    """All was tried, and it sleeps on."""
    woke: bool = False
    """It charged again after its last pause."""

    def most_a(self, least_a: float) -> float:
        """Return the most that it may be offered now; infinite while nothing is done."""
        return {Step.NONE: math.inf, Step.OFF: 0.0, Step.LEAST: least_a}[self.step]

    def asks(self, measured_at: float, now: float) -> bool:
        """Tell whether it takes a sample to know whether it sleeps."""
        due = self.offered_since is not None and self.step is Step.NONE and now >= self.offered_since + _wait_s(self)
        return due and self.offered_since is not None and measured_at <= self.offered_since


def watch(before: Waking, *, limit_a: float, draw_a: float, measured_at: float, least_a: float, full: bool, now: float) -> Waking:
    """Return what is known after a turn; `limit_a` is the limit in force, `draw_a` what was measured last, `full` what the car says."""
    offered = limit_a >= least_a
    if offered and draw_a >= AWAKE_A and (not before.paused or (before.offered_since is not None and measured_at > before.offered_since)):
        return _awake(draw_a, before.paused or before.woke)
    match before.step:
        case Step.OFF:
            return _off(before, offered=offered, now=now)
        case Step.LEAST:
            return _least(before, offered=offered, now=now)
    if not offered:
        missed = before.paused or before.drew_a >= CHARGED * least_a
        return replace(before, paused=missed, offered_since=None)
    if not before.paused or full:
        return before
    if before.offered_since is None:
        return replace(before, offered_since=now)
    if before.asleep or now < before.offered_since + _wait_s(before) or measured_at <= before.offered_since:
        return before
    if before.tries >= MOST_TRIES:
        return replace(before, asleep=True)
    return replace(before, step=Step.OFF, since=math.inf, begun_at=now, tries=before.tries + 1)


@lru_cache(maxsize=256)
def _awake(drew_a: float, woke: bool) -> Waking:
    """Return what is known of a car that draws: from turn to turn it is the same."""
    return Waking(drew_a=drew_a, woke=woke)


def _off(before: Waking, *, offered: bool, now: float) -> Waking:
    if offered:
        return before if now < before.begun_at + GIVES_UP_S else replace(before, step=Step.NONE, offered_since=now)
    if math.isinf(before.since):
        return replace(before, since=now)
    return before if now < before.since + OFF_S else replace(before, step=Step.LEAST, since=math.inf, begun_at=now, offered_since=None)


def _least(before: Waking, *, offered: bool, now: float) -> Waking:
    if not offered:
        return before if now < before.begun_at + GIVES_UP_S else replace(before, step=Step.NONE, offered_since=None)
    if math.isinf(before.since):
        return replace(before, since=now, offered_since=now)
    return before if now < before.since + LEAST_S else replace(before, step=Step.NONE)


def _wait_s(waking: Waking) -> float:
    return WAIT_S * (1 << waking.tries)
