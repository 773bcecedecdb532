"""Other systems' profiles beside ours on a station: what is done about them next, and which EVSEs they may still lead. Plain functions."""

from collections.abc import Sequence
import math

from ..csms.correction import Step
from ..csms.profiles import LEASE, Role
from ..csms.station import Station
from .evse import EvseState


def next_correction(station: Station, evses: Sequence[EvseState], station_limit_a: float | None) -> Step | None:
    """Return what is to be done next so that ours lead; None: nothing, or something of ours is written first.

    `station_limit_a` is the ceiling that is about to be written.
    """
    if not station.others:
        return None
    alone = [(Role.FALLBACK, evse.key.evse_id) for evse in evses if evse.wanted_one_phase]
    alone += [(Role.LEASE, evse.key.evse_id) for evse in evses if evse.wanted_lease is not None and evse.wanted_lease.one_phase]
    return station.correction(
        {evse.key.evse_id: evse.wanted_fallback_a for evse in evses if evse.fallback_differs and evse.wanted_fallback_a is not None},
        {evse.key.evse_id: (order.transaction_id, order.limit_a) for evse in evses if (order := evse.wanted_lease) is not None},
        station_limit_a,
        one_phase=alone,
    )


def look(station: Station, evses: Sequence[EvseState], now: float) -> Sequence[EvseState]:
    """Take over whether others may lead over an EVSE's fallback, and whether the station keeps them; return whose state changed."""
    changed = []
    for evse in evses:
        ids = station.led_over(evse.key.evse_id)
        kept = [one for one in station.others if one.profile_id in ids and one.profile_id in station.kept]
        # Beside another's TxProfile ours is on the lowest level.
        state = max(ids.values(), default=math.inf), bool(kept), any(one.purpose == LEASE for one in kept)
        if bool(ids) == evse.foreign and state == (evse.foreign_a, evse.keeps_foreign, evse.overruled):
            continue
        before_a = evse.limit_a(now)
        evse.foreign, (evse.foreign_a, evse.keeps_foreign, evse.overruled) = bool(ids), state
        evse.change(before_a, now)
        changed.append(evse)
    return changed
