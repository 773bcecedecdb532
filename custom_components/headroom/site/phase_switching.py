"""Switches charging points between three phases and one, where their station can and nobody minds: decides, pauses, tells, and believes."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
import logging

from ..csms.dialect import Handle
from ..csms.values import Inventory
from ..engine.model import ALL_PHASES, LEAST_CURRENT_A
from ..engine.phase_switch import PhaseSwitch, advanced, considered, fits
from .config import EvseKey, Mode
from .evse import EvseState
from .evse_facts import IDLE_A
from .led import led
from .turn import Turn

_LOGGER = logging.getLogger(__name__)


def able(evse: EvseState, inventory: Inventory) -> bool:
    """Tell whether a charging point can be switched to a conductor that is known, and told so in a lease that ends."""
    known = len(evse.config.grid_phases) == len(ALL_PHASES) and evse.wired[0] is not None
    tells = evse.dialect.handle is Handle.TRANSACTION and evse.dialect.holds_leases and not evse.config.between_legs
    return evse.config.switches_phases and inventory.smart_charging.phase_switching and known and tells


def switch_phases(
    evses: Iterable[EvseState],
    turn: Turn,
    inventory_of: Callable[[str], Inventory],
    vetoed: Callable[[EvseKey], bool],
    mode: Mode,
    now: float,
) -> None:
    """Take each charging point's switch on by a step; what follows is asked for, and told, from the next turn on.

    Until current was seen, one that was told one phase counts on the conductor it was told, and one that was told three on all three.
    Where no lease holds, the fallback says on how many it is: none is switched but in its pause, with the lease.
    """
    for evse in evses:
        if evse.phase_switch.disproved and not evse.config.switches_phases:
            evse.phase_switch = replace(evse.phase_switch, disproved=False)  # a person may have it tried anew
        switch = evse.phase_switch
        if evse.session is None:
            if evse.ready and evse.heard:  # else one may run that is not told yet
                # A transaction begins on three phases.
                evse.phase_switch = _on_three(switch.switched_at, switch.disproved)
            continue
        by_fallback, fallback_one = _by_its_fallback(evse, now), evse.fallback_one_phase is True
        if by_fallback and (switch.on_one != fallback_one or (switch.pausing and mode is not Mode.DYNAMIC)):
            evse.phase_switch = PhaseSwitch(on_one=fallback_one, switched_at=now, disproved=switch.disproved)
            evse.demand = replace(evse.demand, terminals=None)
            continue
        request = turn.requests.get(str(evse.key))
        may = able(evse, inventory_of(evse.key.station))
        if request is None or not led(evse, mode) or not (may or switch.on_one or switch.pausing):
            continue
        requests, allocations = turn.requests.values(), turn.allocations
        first = evse.wired[0]
        if request.pausable or evse.draw_a < IDLE_A:  # a switch is a pause
            switch = considered(
                switch,
                may=may and evse.allowed and not vetoed(evse.key),
                fits_three=fits(turn.headrooms, requests, allocations, request, evse.rated_phases),
                fits_one=first is not None and fits(turn.headrooms, requests, allocations, request, (first,)),
                now=now,
            )
        flows = evse.reserved_a(now) > 0 or evse.draw_a >= IDLE_A
        confirmed_one = evse.lease is not None and evse.lease.one_phase
        both = confirmed_one if confirmed_one is evse.fallback_one_phase else None
        evse.phase_switch = advanced(switch, flows=flows, confirmed_one=both, now=now)
        if evse.phase_switch.on_one != switch.on_one:
            evse.demand = replace(evse.demand, terminals=None)
        if evse.phase_switch.on_one and confirmed_one and evse.demand.terminals is None:
            evse.demand = replace(evse.demand, terminals=frozenset({0}))
        evse.phase_switch = _seen(evse)


@lru_cache(maxsize=1024)
def _on_three(switched_at: float, disproved: bool) -> PhaseSwitch:
    """Return how an EVSE without a session stands: one value from turn to turn."""
    return PhaseSwitch(switched_at=switched_at, disproved=disproved)


def _by_its_fallback(evse: EvseState, now: float) -> bool:
    """Tell whether no lease holds for sure: it lapsed, or was taken away while another mode ruled."""
    if evse.lease is not None:
        return now >= evse.lease.expires_at
    return not evse.unanswered_lease_a and not evse.inherited_a


def _seen(evse: EvseState) -> PhaseSwitch:
    """Return what a sample since the switch to one phase shows of it."""
    switch, terminals = evse.phase_switch, evse.demand.terminals
    if not switch.on_one or switch.pausing or evse.measured_at <= switch.switched_at or evse.draw_a < LEAST_CURRENT_A - 1 or not terminals:
        return switch
    if len(terminals) > 1 and not switch.disproved:
        _LOGGER.warning("Station %s took a limit for one phase and charges on %d", evse.key.station, len(terminals))
    return replace(switch, seen=len(terminals) == 1, disproved=switch.disproved or len(terminals) > 1)
