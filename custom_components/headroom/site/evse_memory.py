"""What outlives a restart of an EVSE: what people set, what was said, and what is installed on its station."""

from collections.abc import Mapping
from dataclasses import dataclass
import math
from typing import Any

from ..engine.phase_switch import PhaseSwitch
from ..engine.priority import Priority
from ..engine.write_budget import WriteBudget
from .evse import EvseState
from .led import doubtful
from .limits import FirstLease, Lease, LimitsOverTime
from .needs import CarsWord, cars_word
from .taking_up import taking_up
from .wish import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseMemory:
    """JSON-able. `fallback_a` is what its station confirmed last, None where it never did or does not heed it."""

    fallback_a: float | None
    allowed: bool
    user_max_a: float
    new: bool = False
    """It was added and its station has not come since."""
    first_lease_a: float = 0.0
    """What a start from afar took along whose transaction had not begun."""
    first_lease_until: float = 0.0
    """…and until when it holds (POSIX time)."""
    first_lease_falls_to_a: float = 0.0
    """What a second period of its own leads to then; 0 where it has none."""
    lease_a: float = 0.0
    """The most that a lease of its transaction lets it draw, one that was not answered included…"""
    lease_until: float | None = 0.0
    """…and until when (POSIX time); None: until something takes its place."""
    lease_falls_to_a: float = 0.0
    """The most that a second period of one of them leads to then; 0 where they have none."""
    one_phase: bool = False
    """Its station was told one phase."""
    fallback_one_phase: bool = False
    """Its fallback is for one phase, or may be."""
    phase_switch_failed: bool = False
    """It refused that, or took it and charged on more."""
    phase_switched_at: float = 0.0
    """When it was switched last (POSIX time); 0: never."""
    never_pause: bool = False
    priority: str = Priority.NORMAL
    did_not_wake: bool = False
    wish: Mapping[str, Any] | None = None
    """What a driver said, as `Wish.document` gives it."""
    word: Mapping[str, Any] | None = None
    """What the car of the session said it needs, as `CarsWord.document` gives it."""
    profile: Mapping[str, Any] | None = None
    """What a person lets it have over time, as `LimitsOverTime.document` gives it."""
    writes: Mapping[str, float] | None = None
    """What is left for its station's flash, as `WriteBudget.document` gives it."""


def remembered(evse: EvseState, posix_zero_s: float) -> EvseMemory:
    """Return what is to be kept of an EVSE; `posix_zero_s` is the POSIX time of the clock's zero."""
    leased, word = evse.leased(), cars_word(evse.session) or evse.word
    return EvseMemory(
        fallback_a=None if doubtful(evse) else evse.fallback_a,
        allowed=evse.allowed,
        user_max_a=evse.user_max_a,
        new=evse.new,
        first_lease_a=evse.first_a,
        first_lease_until=0.0 if evse.first_lease is None else evse.first_lease.expires_at + posix_zero_s,
        first_lease_falls_to_a=0.0 if evse.first_lease is None else evse.first_lease.falls_to_a,
        lease_a=0.0 if leased is None else leased.limit_a,
        lease_until=0.0 if leased is None else None if leased.lasts else leased.expires_at + posix_zero_s,
        lease_falls_to_a=0.0 if leased is None else leased.falls_to_a,
        one_phase=evse.phase_switch.on_one,
        fallback_one_phase=evse.fallback_one_phase is not False,
        phase_switch_failed=evse.phase_switch.disproved,
        phase_switched_at=max(0.0, evse.phase_switch.switched_at + posix_zero_s),
        never_pause=evse.never_pause,
        priority=evse.priority,
        did_not_wake=evse.did_not_wake,
        wish=None if evse.wish is None else evse.wish.document(),
        word=None if word is None else word.document(),
        profile=None if evse.profile is None else evse.profile.document(posix_zero_s),
        writes=evse.budget.document(posix_zero_s),
    )


def recall(evse: EvseState, kept: EvseMemory, now: float, posix_zero_s: float) -> None:
    """Take up what was kept of an EVSE, each part by itself."""
    with taking_up(f"what {evse.key} holds"):
        _recall_limits(evse, kept, now, posix_zero_s)
    with taking_up(f"the priority of {evse.key}"):
        evse.priority = Priority(kept.priority)
    with taking_up(f"what was said of {evse.key}"):
        evse.wish = None if kept.wish is None else Wish.from_document(kept.wish)
    with taking_up(f"what the car at {evse.key} said"):
        evse.word = None if kept.word is None else CarsWord.from_document(kept.word)
    with taking_up(f"the schedule of {evse.key}"):
        evse.profile = None if kept.profile is None else LimitsOverTime.from_document(kept.profile, posix_zero_s)
    with taking_up(f"the flash of {evse.key}"):
        if kept.writes is not None:
            evse.budget = WriteBudget.from_document(kept.writes, posix_zero_s)


def _recall_limits(evse: EvseState, kept: EvseMemory, now: float, posix_zero_s: float) -> None:
    evse.fallback_a, evse.allowed = kept.fallback_a, kept.allowed
    evse.fallback_one_phase = kept.fallback_one_phase
    evse.user_max_a, evse.new = kept.user_max_a, kept.new
    # By a clock that was set back it may be yet to come.
    switched_at = min(now, kept.phase_switched_at - posix_zero_s)
    evse.phase_switch = PhaseSwitch(on_one=kept.one_phase, switched_at=switched_at, disproved=kept.phase_switch_failed)
    evse.never_pause, evse.did_not_wake = kept.never_pause, kept.did_not_wake
    if kept.lease_a > 0 or kept.lease_falls_to_a > 0:
        # It may hold beside what has begun meanwhile.
        ends_at = math.inf if kept.lease_until is None else kept.lease_until - posix_zero_s
        evse.recalled = Lease(transaction_id="", limit_a=kept.lease_a, expires_at=ends_at, falls_to_a=kept.lease_falls_to_a)
    if kept.first_lease_a > 0 or kept.first_lease_falls_to_a > 0:
        # Whether the next transaction begins with it is not known any more: it is a doubt until it lapses.
        ends_at = kept.first_lease_until - posix_zero_s
        evse.first_lease = FirstLease(
            remote_start_id=None, limit_a=kept.first_lease_a, expires_at=ends_at, falls_to_a=kept.first_lease_falls_to_a
        )
