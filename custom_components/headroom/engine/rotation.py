"""Whose turn is it, where not everyone can have the least current? The order of admission, and who must go on or rest.

A car that charges goes on while it may not be paused: by its driver's word, for LEAST_ON_S after its start, and once it has been
paused MOST_PAUSES within an hour. Then, where there is a plan, whoever the plan gives enough; it takes less to go on than to
start. What a car is guaranteed counts as planned. Without a plan a car has a turn of TURN_S, and then those come first who are
most urgent, and of these who had least.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import IntEnum
from math import inf

from .model import ReasonCode, Request
from .plan import STARTS

LEAST_ON_S = 300.0
LEAST_OFF_S = 120.0
MOST_PAUSES = 3
"""So many pauses within HOUR_S, and no more."""
HOUR_S = 3600.0
TURN_S = 1800.0
URGENCY_S = 1800.0
"""Laxities are compared in steps of this, so that two cars do not take turns by the minute."""
GOES_ON = 1 / 3
"""The share of the least current that a plan must give a car that charges, for it to go on; `STARTS` of the plan, to start."""


class Turn(IntEnum):
    """In which order the sessions are admitted, inside a tier but for the held."""

    HELD = 0
    """It must not be paused now, whatever its tier."""
    GOES_ON = 1
    """It charges, and the plan or its turn says that it goes on."""
    STARTS = 2
    """The plan says that it charges; or there is none."""
    MAY_GO_ON = 3
    """It charges, and the plan would rather not."""
    MAY_START = 4
    """There is room, or it waits."""


def laxity_s(request: Request, power_w: float, now: float) -> float:
    """Return for how long a session could do nothing and still get what it needs at this power; infinite where nobody knows."""
    need = request.need
    if need.departs_at is None or need.energy_wh is None or power_w <= 0:
        return inf
    return need.departs_at - now - need.energy_wh * 3600 / power_w


def urgency_of(request: Request, power_w: float, now: float) -> float:
    """Return the laxity in steps of URGENCY_S, the most urgent lowest; infinite where nobody knows."""
    lax_s = laxity_s(request, power_w, now)
    return lax_s // URGENCY_S if lax_s < inf else inf


def turn(request: Request, target_a: float | None, now: float) -> Turn:
    """Return when a session is admitted; `target_a` is what a plan gives it, None without a plan."""
    past = request.past
    charging = past.limit_a > 0
    if charging and held(request, now):
        return Turn.HELD
    if target_a is None:
        return Turn.GOES_ON if charging and now - past.changed_at < TURN_S else Turn.STARTS
    target_a = max(target_a, request.guarantee_a)
    if charging:
        return Turn.GOES_ON if target_a >= GOES_ON * request.min_a else Turn.MAY_GO_ON
    return Turn.STARTS if target_a >= STARTS * request.min_a else Turn.MAY_START


def held(request: Request, now: float) -> bool:
    """Tell whether a session that charges must not be paused now."""
    past = request.past
    lately = sum(1 for paused_at in past.pauses_at if now - paused_at < HOUR_S)
    return not request.pausable or now - past.changed_at < LEAST_ON_S or lately >= MOST_PAUSES


def rests(request: Request, now: float) -> bool:
    """Tell whether a session was paused too short a time ago to start again."""
    past = request.past
    return past.limit_a <= 0 and bool(past.pauses_at) and now - past.pauses_at[-1] < LEAST_OFF_S


def line_up(requests: Iterable[Request], targets_a: Mapping[str, float], powers_w: Mapping[str, float], now: float) -> list[Request]:
    """Return the requests with the order of their admission, and with targets that say who charges.

    `targets_a` holds what a plan gives to those that it knows, `powers_w` the most each session may draw. The target of a
    session whose turn it is reaches its least current; that of another does not, so that it gets what is left.
    """
    keyed: list[tuple[tuple[float, float, float, float], Request, float | None]] = []
    for request in requests:
        target_a = targets_a.get(request.request_id)
        turn_now = turn(request, target_a, now)
        if rests(request, now) and request.max_a >= request.min_a:
            request = replace(request, max_a=0.0, ceiling=ReasonCode.RESTING)
        if target_a is not None:
            charges = turn_now <= Turn.STARTS
            target_a = max(target_a, request.min_a, request.guarantee_a) if charges else min(target_a, request.min_a / 2)
            urgency, owed = 0.0, target_a
        else:
            urgency = urgency_of(request, powers_w[request.request_id], now)
            owed = request.past.short_wh
        keyed.append(((turn_now, urgency, -owed, request.queue_key), request, target_a))
    keyed.sort(key=lambda each: (each[0], each[1].request_id))
    return [
        replace(request, target_a=target_a, held=key[0] == Turn.HELD, place=place) for place, (key, request, target_a) in enumerate(keyed)
    ]
