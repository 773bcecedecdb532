"""What charging profiles allow at one second, read off the standard's definitions: slow, and of nothing but JSON and integers.

It shares no line with the engine: no merge of functions, no change points; each second is judged anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any

DAY = 86_400
CYCLE = {"Daily": DAY, "Weekly": 7 * DAY}
NOTHING = 10.0**9

type Entry = tuple[int, dict[str, Any]]
"""An EVSE, and a profile whose times are whole seconds since some epoch."""


def active_period(profile: Mapping[str, Any], now: int, started: int | None) -> Mapping[str, Any] | None:
    """Walk through the seconds of the running cycle until now; None where nothing runs."""
    if now < profile.get("validFrom", now) or now >= profile.get("validTo", now + 1):
        return None
    (schedule,) = profile["chargingSchedule"]
    begin = started if profile["chargingProfileKind"] == "Relative" else schedule["startSchedule"]
    if begin is None or now < begin:
        return None
    if profile["chargingProfileKind"] == "Recurring":
        while begin + CYCLE[profile["recurrencyKind"]] <= now:
            begin += CYCLE[profile["recurrencyKind"]]
    if "duration" in schedule and now >= begin + schedule["duration"]:
        return None
    running = None
    for period in schedule["chargingSchedulePeriod"]:
        if begin + period["startPeriod"] <= now:
            running = period
    return running


def amps(profile: Mapping[str, Any], now: int, started: int | None, wires: int) -> tuple[float, int] | None:
    period = active_period(profile, now, started)
    if period is None:
        return None
    phases = min(period.get("numberPhases", 3), wires)
    if profile["chargingSchedule"][0]["chargingRateUnit"] == "W":
        return period["limit"] / 230.0 / phases, phases
    return period["limit"], phases


def purpose_at(entries: Sequence[Entry], purpose: str, evse_ids: Sequence[int], now: int, started: int | None, wires: int) -> Any:
    """Ask the stack from its highest level down."""
    for level in range(10, -1, -1):
        for evse_id in evse_ids:
            for where, profile in entries:
                if (where, profile["chargingProfilePurpose"], profile["stackLevel"]) == (evse_id, purpose, level):
                    found = amps(profile, now, started, wires)
                    if found is not None:
                        return found
    return None


def evse_at(entries: Sequence[Entry], evse_id: int, now: int, transaction: tuple[str, int] | None, rated_a: float, wires: int) -> Any:
    started = None if transaction is None else transaction[1]
    mine = [entry for entry in entries if transaction is not None and entry[1].get("transactionId") == transaction[0]]
    own = purpose_at(mine, "TxProfile", [evse_id], now, started, wires)
    if own is None:
        own = purpose_at(entries, "TxDefaultProfile", [evse_id, 0], now, started, wires)
    outside = purpose_at(entries, "ChargingStationExternalConstraints", [evse_id], now, started, wires)
    found = [one for one in (own, outside) if one is not None] + [(rated_a, wires)]
    return min(one[0] for one in found), min(one[1] for one in found)


def station_at(entries: Sequence[Entry], now: int, wires: int) -> Any:
    found = [
        purpose_at(entries, purpose, [0], now, None, wires)
        for purpose in ("ChargingStationMaxProfile", "ChargingStationExternalConstraints")
    ]
    told = [one for one in found if one is not None] + [(NOTHING, wires)]
    return min(one[0] for one in told), min(one[1] for one in told)


def composite_at(
    entries: Sequence[Entry],
    evse_id: int,
    now: int,
    transactions: Mapping[int, tuple[str, int]],
    supplies: Mapping[int, tuple[float, int]],
    unit: str,
) -> float:
    """Return the composite limit of a second."""
    top_a, top_phases = station_at(entries, now, max(wires for _, wires in supplies.values()))
    each = {one: evse_at(entries, one, now, transactions.get(one), *supplies[one]) for one in supplies}
    if evse_id:
        own_a, own_phases = each[evse_id]
        limit_a, phases = min(own_a, top_a), min(own_phases, top_phases)
        return limit_a if unit == "A" else limit_a * phases * 230.0
    if unit == "A":
        return min(top_a, sum(limit_a for limit_a, _ in each.values()))
    return min(top_a * top_phases * 230.0, sum(limit_a * phases * 230.0 for limit_a, phases in each.values()))
