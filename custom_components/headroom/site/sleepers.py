"""Wakes the cars that fell asleep at 0 A, and remembers of each EVSE whether the last one that was paused there woke again."""

from collections.abc import Iterable
import logging
import math

from ..engine.waking import Waking, watch
from .config import Mode
from .evse import EvseState
from .led import led

_LOGGER = logging.getLogger(__name__)

FULL_PCT = 99.0
AWAKE = Waking()


def wake(evses: Iterable[EvseState], mode: Mode, now: float) -> bool:
    """Look after each session's sleep before a turn; returns whether something is to be remembered."""
    news = False
    for evse in evses:
        if evse.session is None or not led(evse, mode):
            evse.waking, evse.waking_most_a = AWAKE, math.inf
            continue
        least_a, before = evse.config.min_a, evse.waking
        evse.waking = watch(
            before,
            limit_a=evse.limit_a(now),
            draw_a=evse.draw_a,
            measured_at=evse.measured_at,
            least_a=least_a,
            full=_full(evse) or not evse.allowed,
            now=now,
        )
        evse.waking_most_a = evse.waking.most_a(least_a)
        if evse.waking.asks(evse.measured_at, now):
            evse.sample_at = min(evse.sample_at, now)
        if evse.waking.tries > before.tries:
            _LOGGER.debug("EVSE %s: its car does not wake; try %d", evse.key, evse.waking.tries)
        did_not_wake = evse.waking.asleep or (evse.did_not_wake and not evse.waking.woke)
        if did_not_wake != evse.did_not_wake:
            evse.did_not_wake, news = did_not_wake, True
            text = "does not wake after a pause" if did_not_wake else "woke after a pause"
            _LOGGER.info("EVSE %s: its car %s", evse.key, text)
    return news


def _full(evse: EvseState) -> bool:
    """Tell whether its car has all it needs, as far as anybody says so."""
    left_wh = evse.needed.need.energy_wh
    return (evse.soc_pct is not None and evse.soc_pct >= FULL_PCT) or (left_wh is not None and left_wh <= 0)
