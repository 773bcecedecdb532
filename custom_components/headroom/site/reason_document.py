"""A reason as data: what entities show of it and decisions keep."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from ..engine.model import Reason


def reason_document(reason: Reason, names: Mapping[str, str], wall_clock: Callable[[float], datetime]) -> dict[str, Any]:
    """Return what is known of a reason as JSON-able data, without what is not; `names` are those of the circuits.

    Numbers are rounded to what they are good for and times to the minute, so that they change when there is news.
    """
    filled, outlook = reason.filled, reason.outlook
    document: dict[str, Any] = {
        "circuit": None if reason.circuit_id is None else names.get(reason.circuit_id, reason.circuit_id),
        "phase": None if reason.phase is None else reason.phase.name,
        "against": None if reason.against is None else reason.against.name,
        "others": reason.others if filled is not None or reason.others else None,
        "source": reason.source,
        "tier": reason.tier if reason.tiers > 1 or reason.tier != 1 else None,
        "tiers": reason.tiers if reason.tiers > 1 else None,
        "least": reason.least_a,
        "rises_to": reason.rises_to_a,
        "rounded_from": None if reason.rounded_from_a is None else round(reason.rounded_from_a, 1),
        "next_at": _minute(reason.next_at, wall_clock),
    }
    if filled is not None:
        unit, factor, digits = ("", 1.0, 0) if filled.watts_per_a is None else ("_power", filled.watts_per_a, -2)
        document |= {
            f"limit{unit}": round(filled.limit_a * factor, digits),
            f"unmanaged{unit}": round(filled.unmanaged_a * factor, digits),
            f"reserved{unit}": round(filled.reserved_a * factor, digits),
        }
    if outlook is not None:
        document |= {
            "energy_needed": round(outlook.energy_wh, -2),
            "departs_at": _minute(outlook.departs_at, wall_clock),
            "ready_at": _minute(outlook.ready_at, wall_clock),
        }
    return {key: value for key, value in document.items() if value is not None}


def _minute(at: float | None, wall_clock: Callable[[float], datetime]) -> str | None:
    if at is None:
        return None
    return (wall_clock(at) + timedelta(seconds=30)).replace(second=0, microsecond=0).isoformat()
