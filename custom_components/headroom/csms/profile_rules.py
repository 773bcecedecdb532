"""The rules of block K that a charging profile must keep beyond its schema, each by its number."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from .correction import conflict
from .fields import optional_moment, optional_number, optional_text, optional_whole, records
from .frames import Payload
from .profiles import EXTERNAL, FALLBACK, LEASE, STATION_LIMIT, Placed
from .values import SmartCharging

LONGEST_SCHEDULE = 1024
MOST_SCHEDULES = 3


def problems(
    evse_id: int,
    profile: Payload,
    smart_charging: SmartCharging,
    *,
    transactions: Mapping[int, str] | None = None,
    held: Sequence[Placed] = (),
    direct: bool = False,
    after_needs: bool = False,
    entries_most: int | None = None,
) -> Sequence[str]:
    """Return which rules of block K a profile breaks, beyond what the schema says; none: it may be sent.

    `transactions` are those under way, by EVSE (None: not known), `held` what the station holds already, `direct` whether the EVSE
    gives direct current, `after_needs` whether its EV told what it needs (NotifyEVChargingNeeds). That AC without numberPhases means
    three (K01.FR.49) is no rule to break: who reckons with it must know.
    """
    purpose, kind = optional_text(profile, "chargingProfilePurpose"), optional_text(profile, "chargingProfileKind")
    schedules, level = records(profile, "chargingSchedule"), optional_whole(profile, "stackLevel") or 0
    transaction_id = optional_text(profile, "transactionId")
    begins, ends = optional_moment(profile, "validFrom"), optional_moment(profile, "validTo")
    found = [
        ("K01.FR.22: ChargingStationExternalConstraints are not set by a central system", purpose == EXTERNAL),
        ("K01.FR.38: ChargingStationMaxProfile is for EVSE 0", purpose == STATION_LIMIT and evse_id != 0),
        ("K01.FR.38: ChargingStationMaxProfile is never Relative", purpose == STATION_LIMIT and kind == "Relative"),
        ("K01.FR.16: TxProfile is for one EVSE", purpose == LEASE and evse_id <= 0),
        ("K01.FR.03: TxProfile names its transaction", purpose == LEASE and not transaction_id),
        ("K01.FR.34: several schedules only in a TxProfile", purpose != LEASE and len(schedules) > 1),
        ("K01.FR.34: several schedules only after NotifyEVChargingNeeds", purpose == LEASE and len(schedules) > 1 and not after_needs),
        (f"K01.FR.34: at most {MOST_SCHEDULES} schedules", len(schedules) > MOST_SCHEDULES),
        (f"the stack level lies between 0 and {smart_charging.stack_level_max}", not 0 <= level <= smart_charging.stack_level_max),
        ("Recurring needs a recurrencyKind", kind == "Recurring" and "recurrencyKind" not in profile),
        ("validTo comes after validFrom", begins is not None and ends is not None and begins >= ends),
    ]
    if transactions is not None and purpose == LEASE and evse_id > 0 and transaction_id:
        running = transactions.get(evse_id)
        found += [
            ("K01.FR.09: TxProfile is for a transaction under way", running is None),
            ("K01.FR.33: the transaction is another one", running is not None and running != transaction_id),
        ]
    placed = Placed(evse_id, profile)
    if placed.profile_id is not None:
        found += _problems_beside(placed, held, entries_most)
    for schedule in schedules:
        found += _schedule_problems(schedule, kind, smart_charging, direct=direct)
    return [text for text, broken in found if broken]


def _problems_beside(placed: Placed, held: Sequence[Placed], entries_most: int | None) -> list[tuple[str, bool]]:
    others = [one for one in held if one.profile_id is not None]
    in_place = [one for one in others if one.purpose != EXTERNAL and conflict(placed, one)]
    all_evses = [one for one in in_place if placed.purpose == FALLBACK and one.evse_id != placed.evse_id]
    count = len({one.profile_id for one in others} | {placed.profile_id})
    return [
        (
            "K01.FR.05: the id is an external constraint's",
            any(one.purpose == EXTERNAL and one.profile_id == placed.profile_id for one in others),
        ),
        ("K01.FR.39: its transaction has a profile of this level", placed.purpose == LEASE and bool(in_place)),
        ("K01.FR.52: an EVSE has a TxDefaultProfile of this level", placed.evse_id == 0 and bool(all_evses)),
        ("K01.FR.53: all EVSEs have a TxDefaultProfile of this level", placed.evse_id != 0 and bool(all_evses)),
        ("K01.FR.06: another profile has this purpose and level", placed.purpose != LEASE and len(in_place) > len(all_evses)),
        (f"the station keeps {entries_most} profiles", entries_most is not None and count > max(entries_most, len(others))),
    ]


def _schedule_problems(schedule: Payload, kind: str | None, smart_charging: SmartCharging, *, direct: bool) -> list[tuple[str, bool]]:
    periods = records(schedule, "chargingSchedulePeriod")
    starts = [optional_whole(period, "startPeriod") or 0 for period in periods]
    limits = [optional_number(period, "limit") for period in periods] + [optional_number(schedule, "minChargingRate")]
    most = min(LONGEST_SCHEDULE, max(1, smart_charging.periods_per_schedule))
    chosen = [period for period in periods if "phaseToUse" in period]
    return [
        ("K01.FR.40: Absolute and Recurring need a startSchedule", kind != "Relative" and "startSchedule" not in schedule),
        ("K01.FR.41: Relative has no startSchedule", kind == "Relative" and "startSchedule" in schedule),
        (f"K01.FR.26: the unit is one of {smart_charging.rate_units}", schedule.get("chargingRateUnit") not in smart_charging.rate_units),
        (f"the station takes at most {most} periods", len(periods) > most),
        ("K01.FR.31: the first period starts at 0", bool(starts) and starts[0] != 0),
        ("K01.FR.35: periods start one after the other", any(later <= earlier for earlier, later in pairwise(starts))),
        ("a limit is not negative", any(limit is not None and limit < 0 for limit in limits)),
        ("a limit has at most one decimal", any(limit is not None and abs(limit * 10 - round(limit * 10)) > 1e-6 for limit in limits)),
        ("K01.FR.19: phaseToUse needs numberPhases 1", any(period.get("numberPhases") != 1 for period in chosen)),
        ("K01.FR.20, FR.48: phaseToUse needs ACPhaseSwitchingSupported", bool(chosen) and not smart_charging.phase_switching),
        ("K01.FR.44: direct current has no phases", direct and any({"numberPhases", "phaseToUse"} & set(period) for period in periods)),
    ]
