"""What each session asks for: the lowest of its ceilings, the conductors it loads, its need, its past, and what rules give it."""

from collections.abc import Iterable
from dataclasses import replace
import math
from operator import itemgetter

from ..engine.model import LEAST_CURRENT_A, Past, ReasonCode, Request
from ..engine.plan import watts_per_a
from ..engine.priority import LAST_TIER, prioritise
from .config import SiteConfig
from .evse import EvseState
from .led import lease_most_a
from .room import station_row


def request(evse: EvseState, config: SiteConfig, now: float) -> Request:
    """Return what an EVSE's session asks for: the lowest of its own ceilings, and the conductors its car loads."""
    # A car that is offered nothing can't show what it would take, but that it took nothing is not forgotten at once.
    dozes = evse.dozes(now)
    offered = dozes or evse.limit_a(now) >= evse.config.min_a
    ceilings = [
        (0.0 if not evse.allowed else math.inf, ReasonCode.PAUSED),
        # A resume waits as a raise does after any other cut; the others need not make way before.
        (0.0 if now - evse.paused_at < evse.budget.pace().raise_every_s else math.inf, ReasonCode.RESTING),
        (0.0 if evse.phase_switch.pausing else math.inf, ReasonCode.SWITCHING),
        (evse.config.min_a if evse.phase_switch.untried else math.inf, ReasonCode.SWITCHING),
        (evse.rated_a, ReasonCode.STATION),
        *ceilings_set(evse, now),
        (lease_most_a(evse), ReasonCode.FALLBACK),
        (evse.waking_most_a, ReasonCode.WAKING),
        (_needed_a(evse), ReasonCode.CAR),
        (evse.demand.ceiling_a if evse.demand.ceiling_a is not None and offered else math.inf, ReasonCode.CAR),
    ]
    max_a, ceiling = min(ceilings, key=itemgetter(0))
    idle = ceiling is ReasonCode.CAR and max_a <= LEAST_CURRENT_A and (dozes or evse.sleeps(now))
    return Request(
        request_id=str(evse.key),
        circuit_id=station_row(evse.key.station) if evse.station_external_a(now)[0] < math.inf else evse.circuit_id,
        phases=evse.grid_phases(),
        max_a=max_a,
        ceiling=ceiling,
        min_a=max(evse.config.min_a, evse.standing_least_a),
        tier=LAST_TIER if idle else evse.priority_now.tier,
        queue_key=evse.session.queued_at if evse.session is not None else 0.0,
        voltage_v=config.voltage_v,
        pausable=evse.needed.pausable and not evse.never_pause,
        need=replace(evse.needed.need, energy_wh=None) if idle else evse.needed.need,  # it takes no more, whatever was asked for
        past=_past(evse, idle=idle),
    )


def ceilings_set(evse: EvseState, now: float) -> list[tuple[float, ReasonCode]]:
    """Return the limits that persons and other systems set on an EVSE; infinite where they say nothing now."""
    return [
        (evse.user_max_a, ReasonCode.USER),
        (math.inf if evse.profile is None else evse.profile.limit_a(now), ReasonCode.USER),
        (evse.standing_a(now), ReasonCode.USER),
        (evse.external_a(now)[0], ReasonCode.EXTERNAL),
    ]


def _past(evse: EvseState, *, idle: bool) -> Past:
    """Return what an EVSE's session has had; one that takes nothing of what it is offered can't be paused, and is not held."""
    past, arrived_at = evse.past, 0.0 if evse.session is None else evse.session.since
    limit_a = 0.0 if idle else past.limit_a
    same = past.arrived_at == arrived_at and past.limit_a == limit_a
    return past if same else replace(past, arrived_at=arrived_at, limit_a=limit_a)


def _needed_a(evse: EvseState) -> float:
    """Return the most a car said it can take; infinite where it did not, or said what can't be."""
    needs = None if evse.session is None else evse.session.needs
    if needs is None or needs.most_a is None or not needs.phases or needs.most_a < evse.config.min_a:
        return math.inf
    return needs.most_a


def by_the_rules(requests: Iterable[Request], config: SiteConfig, now: float) -> dict[str, Request]:
    """Return the requests by their ids, with what the site's rules give them."""
    asked = list(requests)
    powers_w = {each.request_id: each.max_a * watts_per_a(each) for each in asked}
    return {each.request_id: each for each in prioritise(asked, config.rules, powers_w, now=now)}
