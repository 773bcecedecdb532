"""The ladder: which dialect to try next with a station that refuses its limits or does not follow them. Plain functions.

Resend, then another unit, purpose, kind or level, then limits that last, then the station maximum; after that nothing is left and the
station is uncontrolled. What is known of a vendor is only where the ladder stands (`csms/quirks.py`); what was tried leads from there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from ..csms.abilities import Abilities, fitted, unit_of
from ..csms.dialect import Dialect, Handle, Kind, LeaseEnd
from ..csms.learnt import Attempt, Outcome

MOST_COST = 6.5
"""Dialects farther from the start are not tried: a station that takes none of the nearer ones takes none."""
MOST_REFUSALS = 16


def next_dialect(start: Dialect, can: Abilities, attempts: Sequence[Attempt]) -> Dialect | None:
    """Return the nearest dialect to `start` that nothing tried so far speaks against; None where none is left.

    Where the station took the fallback and refused only the lease, or goes by the fallback alone, its words are right: another purpose
    is nearer than another unit.
    """
    refusals = [one for one in attempts if one.outcome in (Outcome.REFUSED_LEASE, Outcome.REFUSED_FALLBACK)]
    if len(refusals) >= MOST_REFUSALS:
        return None
    unheeded = any(one.outcome is Outcome.UNHEEDED for one in attempts)
    worded = unheeded or (bool(refusals) and all(one.outcome is Outcome.REFUSED_LEASE for one in refusals))
    outlasted = any(one.outcome is Outcome.OUTLASTED for one in attempts)
    candidates = [
        (cost, number, dialect)
        for number, dialect in enumerate(_candidates(start, can, periods=outlasted))
        if (cost := _cost(start, dialect, can, worded=worded)) <= MOST_COST
        and not any(_speaks_against(one, dialect, can) for one in attempts)
    ]
    return min(candidates, key=lambda each: each[:2], default=(0.0, 0, None))[2]


def _candidates(start: Dialect, can: Abilities, *, periods: bool) -> Iterable[Dialect]:
    units = [start.unit, *(unit for unit in can.units if unit != unit_of(start, can))]
    kinds: list[Kind] = [start.kind, "Relative" if start.kind == "Absolute" else "Absolute"]
    levels = [start.stack_level, *(level for level in (0, 1) if level != start.stack_level)]
    for handle, end, unit, kind, level, phases_sent in product(Handle, LeaseEnd, units, kinds, levels, (start.phases_sent, False)):
        dialect = replace(start, handle=handle, lease_end=end, unit=unit, kind=kind, stack_level=level, phases_sent=phases_sent)
        if end is LeaseEnd.PERIOD and not periods:
            continue
        if phases_sent != start.phases_sent and unit_of(dialect, can) == "A":
            continue  # amps are told without numberPhases anyway
        if fitted(dialect, can) == dialect:
            yield dialect


def _cost(start: Dialect, other: Dialect, can: Abilities, *, worded: bool) -> float:
    """Return how far a dialect is from the start: the more it changes, or takes from us, the farther."""
    extra = 3.0 if worded else 0.0
    changes = [
        (1.0 + extra, unit_of(other, can) != unit_of(start, can)),
        (1.2, other.handle is not start.handle and other.handle is not Handle.STATION),
        (1.5 + extra, other.phases_sent != start.phases_sent),
        (2.0 + extra, other.kind != start.kind),
        (2.5 + extra, other.stack_level != start.stack_level),
        (3.0, other.handle is not start.handle and other.handle is Handle.STATION),
        (0.5, other.lease_end is LeaseEnd.PERIOD and start.lease_end is not LeaseEnd.PERIOD),
        (2.6, not other.holds_leases and start.holds_leases),
    ]
    return sum(cost for cost, changed in changes if changed)


def _speaks_against(attempt: Attempt, dialect: Dialect, can: Abilities) -> bool:
    tried = attempt.dialect
    match attempt.outcome:
        case Outcome.REFUSED_FALLBACK:
            return fallback_words(tried, can) == fallback_words(dialect, can)
        case Outcome.REFUSED_LEASE:
            return _lease_words(tried, can) == _lease_words(dialect, can)
        case Outcome.IGNORED:
            # It was understood, so its words are right but for the unit; it is the profile that does nothing.
            return _effect(tried, can) == _effect(dialect, can)
        case Outcome.UNHEEDED:
            return (tried.handle, tried.holds_leases) == (dialect.handle, dialect.holds_leases)
        case Outcome.OUTLASTED:
            # What has a second period has a validTo as well.
            return tried.lease_end is dialect.lease_end or (tried.lease_end is LeaseEnd.PERIOD and dialect.lease_end is LeaseEnd.VALID_TO)
        case Outcome.OBEYED:
            return False


def fallback_words(dialect: Dialect, can: Abilities) -> tuple[object, ...]:
    """Return what the fallback's profile looks like in a dialect: where it is the same, it need not be told again."""
    station = dialect.handle is Handle.STATION
    kind = "Absolute" if station else dialect.kind
    return (station, unit_of(dialect, can), kind, dialect.stack_level, dialect.phases_sent)


def _lease_words(dialect: Dialect, can: Abilities) -> tuple[object, ...]:
    kind = "Absolute" if dialect.handle is Handle.STATION else dialect.kind
    return (dialect.handle, dialect.lease_end, unit_of(dialect, can), kind, dialect.lease_level, dialect.phases_sent)


def _effect(dialect: Dialect, can: Abilities) -> tuple[object, ...]:
    return (dialect.handle, dialect.holds_leases, unit_of(dialect, can))


def described(dialect: Dialect, can: Abilities) -> str:
    """Return a dialect in words for the log and the diagnostics."""
    kind = "Absolute" if dialect.handle is Handle.STATION else dialect.kind
    ends = {LeaseEnd.VALID_TO: "ending by validTo", LeaseEnd.PERIOD: "ending by a second period", LeaseEnd.NEVER: "that last"}
    phases = "" if dialect.phases_sent else " without numberPhases"
    unit = unit_of(dialect, can)
    return f"limits in {unit}{phases} {ends[dialect.lease_end]}, as {kind} {dialect.handle} of level {dialect.lease_level}"
