"""Why an EVSE has the limit it has: what the loop knows beside the allocation's own reason."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from ..engine.model import Allocation, Reason, ReasonCode
from .config import Mode
from .evse import EvseState
from .evse_facts import Problem
from .room import station_row
from .standing import SOURCE

PROBLEMS = {Problem.DISOBEDIENT: ReasonCode.DISOBEDIENT, Problem.UNANSWERED: ReasonCode.UNANSWERED}


@cache
def _plain(code: ReasonCode) -> Reason:
    """Return a reason that says all by its code."""
    return Reason(code=code)


def reason_of(
    evse: EvseState,
    mode: Mode,
    allocation: Allocation | None,
    told_a: float | None,
    lost: set[str],
    outside: Mapping[str, str],
    gone: set[str],
    now: float,
) -> Reason:
    """Return the reason to show.

    `lost` are the circuits whose meter is silent, `outside` those that a limit from outside holds, with whose it is, `gone` those that
    hang on a deleted one.
    """
    if mode is Mode.OFF:
        return _plain(ReasonCode.UNMANAGED)
    if not evse.ready:
        return _plain(ReasonCode.OFFLINE)
    if evse.problem is not None:
        return _plain(PROBLEMS.get(evse.problem, ReasonCode.FALLBACK))
    if not evse.allowed:
        return _plain(ReasonCode.PAUSED)
    if evse.exceeding:
        return _plain(ReasonCode.DISOBEDIENT)
    if evse.session is None:
        return _plain(ReasonCode.OTHER_SYSTEM if evse.keeps_foreign else ReasonCode.NOT_CHARGING)
    if evse.overruled:
        return _plain(ReasonCode.OTHER_SYSTEM)
    if evse.circuit_id in gone:
        return _plain(ReasonCode.CIRCUIT_GONE)
    if allocation is None or (told_a is None and mode is not Mode.STATIC):
        return _plain(ReasonCode.FALLBACK)
    reason = allocation.reason
    if reason.circuit_id == station_row(evse.key.station):
        _, source = evse.station_external_a(now)
        return _plain(ReasonCode.USER) if source == SOURCE else Reason(code=ReasonCode.EXTERNAL, source=source)
    if reason.code is ReasonCode.EXTERNAL:
        return Reason(code=ReasonCode.EXTERNAL, source=evse.external_a(now)[1])
    if mode is not Mode.STATIC and reason.code is not ReasonCode.RESTING and reason.circuit_id in lost:
        return Reason(code=ReasonCode.METER_LOST, circuit_id=reason.circuit_id)
    if reason.code in (ReasonCode.CIRCUIT, ReasonCode.WAITING, ReasonCode.POSTPONED) and (whose := outside.get(reason.circuit_id or "")):
        return replace(reason, code=ReasonCode.EXTERNAL, source=whose)
    if told_a is None:
        return reason if reason.code is ReasonCode.USER else Reason(code=ReasonCode.STATIC, filled=reason.filled)
    if told_a < allocation.limit_a:
        return replace(reason, code=ReasonCode.RAMP, rises_to_a=allocation.limit_a)
    return reason
