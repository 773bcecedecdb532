"""Which charging profiles a station takes (block K of OCPP 2.0.1).

Written from the standard's rules alone, independently of the central system's idea of them, so that each proves the other.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from custom_components.headroom.csms import composite
from custom_components.headroom.csms.composite import EXTERNAL, RECURRENCE, STATION_MAX, TX, TX_DEFAULT, Transaction

from .quirks import NO_QUIRKS, Quirks
from .timestamps import read

LONGEST_SCHEDULE = 1024
MOST_SCHEDULES = 3
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

type Profile = Mapping[str, Any]


class ProfileRejectedError(Exception):
    """A profile breaks a rule. `rule` is its number, as "K01.FR.38"; `reason_code` OCPP's reasonCode for it."""

    def __init__(self, rule: str, text: str, reason_code: str = "InvalidProfile") -> None:
        """Say which rule and why."""
        super().__init__(f"{rule}: {text}")
        self.rule = rule
        self.reason_code = reason_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A profile as it lies in the station. `evse_id` 0: the station, or each of its EVSEs (TxDefaultProfile)."""

    evse_id: int
    profile: Profile
    terms: composite.Installed
    """The same, as the composite schedule is reckoned from."""
    source: str = "CSO"

    @property
    def purpose(self) -> str:
        """The chargingProfilePurpose."""
        return str(self.profile["chargingProfilePurpose"])

    @property
    def stack_level(self) -> int:
        """The stackLevel."""
        return int(self.profile["stackLevel"])

    @property
    def valid_from(self) -> datetime | None:
        """None: at once."""
        return read(self.profile["validFrom"]) if "validFrom" in self.profile else None

    @property
    def valid_to(self) -> datetime | None:
        """None: until it is replaced."""
        return read(self.profile["validTo"]) if "validTo" in self.profile else None


def installed(evse_id: int, profile: Profile, source: str = "CSO", quirks: Quirks = NO_QUIRKS) -> Installed:
    """Return a profile, valid by its schema, as it lies in the station."""
    obeyed = {name: value for name, value in profile.items() if name != "validTo" or not quirks.ignores_valid_to}
    terms = composite.installed(obeyed, evse_id=evse_id)
    if terms is None:
        raise ValueError("no charging profile")
    return Installed(evse_id=evse_id, profile=profile, terms=terms, source=source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What the station's SmartChargingCtrlr says."""

    rate_units: tuple[str, ...] = ("A", "W")
    stack_level_max: int = 3
    periods_per_schedule: int = 24
    entries_max: int = 30
    phase_switching: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a new profile is judged by."""

    evse_ids: Collection[int]
    abilities: Abilities
    quirks: Quirks
    transactions: Mapping[int, Transaction]
    """Those under way, by EVSE."""
    negotiating: Collection[int]
    """EVSEs whose car told what it needs, so that it may choose among several schedules."""
    kept: Collection[Installed]


def beside(new: Installed, situation: Situation) -> list[Installed]:
    """Return the profiles that stay beside a new one; raises ProfileRejectedError where it breaks a rule."""
    _check_purpose(new, situation)
    _check_schedules(new, situation)
    profile_id = new.profile["id"]
    others = [one for one in situation.kept if one.profile["id"] != profile_id]
    for other in others:
        _check_conflict(new, other)
    if any(one.purpose == EXTERNAL and one.profile["id"] == profile_id for one in situation.kept):
        raise ProfileRejectedError("K01.FR.05", "the id belongs to an external constraint", "DuplicateProfile")
    if len(others) >= situation.abilities.entries_max:
        raise ProfileRejectedError("K01.FR.06", f"the station keeps {situation.abilities.entries_max} profiles", "TooManyElements")
    return others


def _check_purpose(new: Installed, situation: Situation) -> None:
    evse_id, profile = new.evse_id, new.profile
    purpose, kind = profile["chargingProfilePurpose"], profile["chargingProfileKind"]
    if evse_id not in {0, *situation.evse_ids}:
        raise ProfileRejectedError("K01.FR.28", f"there is no EVSE {evse_id}", "UnknownEvse")
    if purpose == EXTERNAL:
        raise ProfileRejectedError("K01.FR.22", "external constraints are not set by a CSMS", "InvalidProfile")
    if purpose == STATION_MAX and (evse_id != 0 or kind == "Relative"):
        raise ProfileRejectedError("K01.FR.38", "a station maximum is for EVSE 0 and never Relative")
    if purpose == TX:
        if evse_id == 0:
            raise ProfileRejectedError("K01.FR.16", "a TxProfile is for one EVSE")
        if "transactionId" not in profile:
            raise ProfileRejectedError("K01.FR.03", "a TxProfile names its transaction", "MissingParam")
        if (transaction := situation.transactions.get(evse_id)) is None:
            raise ProfileRejectedError("K01.FR.09", f"no transaction on EVSE {evse_id}", "TxNotFound")
        if transaction.transaction_id != profile["transactionId"]:
            raise ProfileRejectedError("K01.FR.33", "the transaction is another one", "TxNotFound")
    if purpose in situation.quirks.refuses:
        raise ProfileRejectedError("", f"the station takes no {purpose}", "UnsupportedPurpose")
    highest = situation.quirks.highest_stack_level
    highest = situation.abilities.stack_level_max if highest is None else highest
    if not 0 <= new.stack_level <= highest:
        raise ProfileRejectedError("K01.FR.06", f"stack levels reach from 0 to {highest}", "InvalidStackLevel")


def _check_schedules(new: Installed, situation: Situation) -> None:
    profile, kind = new.profile, new.profile["chargingProfileKind"]
    if kind == "Recurring" and profile.get("recurrencyKind") not in RECURRENCE:
        raise ProfileRejectedError("K01.FR.40", "a Recurring profile says how often")
    if len(profile["chargingSchedule"]) > (MOST_SCHEDULES if new.purpose == TX and new.evse_id in situation.negotiating else 1):
        raise ProfileRejectedError("K01.FR.34", "several schedules only after NotifyEVChargingNeeds")
    for schedule in profile["chargingSchedule"]:
        if kind == "Relative" and "startSchedule" in schedule:
            raise ProfileRejectedError("K01.FR.41", "a Relative schedule has no startSchedule")
        if kind != "Relative" and "startSchedule" not in schedule:
            raise ProfileRejectedError("K01.FR.40", f"a {kind} schedule needs a startSchedule")
        if schedule["chargingRateUnit"] not in situation.abilities.rate_units:
            raise ProfileRejectedError("K01.FR.26", f"the unit is one of {situation.abilities.rate_units}", "UnsupportedRateUnit")
        _check_periods(schedule, situation.abilities)
        if situation.quirks.refuses_phases and any(period.get("numberPhases") == 1 for period in schedule["chargingSchedulePeriod"]):
            raise ProfileRejectedError("", "the station takes no limit for one phase", "InvalidSchedule")


def _check_periods(schedule: Mapping[str, Any], abilities: Abilities) -> None:
    listed = schedule["chargingSchedulePeriod"]
    if len(listed) > min(LONGEST_SCHEDULE, abilities.periods_per_schedule):
        raise ProfileRejectedError("K01.FR.35", f"at most {abilities.periods_per_schedule} periods", "TooManyElements")
    if listed[0]["startPeriod"] != 0:
        raise ProfileRejectedError("K01.FR.31", "the first period starts at 0")
    if any(later["startPeriod"] <= earlier["startPeriod"] for earlier, later in pairwise(listed)):
        raise ProfileRejectedError("K01.FR.35", "periods follow one another")
    for period in listed:
        if period["limit"] < 0 or abs(period["limit"] * 10 - round(period["limit"] * 10)) > 1e-6:
            raise ProfileRejectedError("K01.FR.26", "a limit is positive, with one decimal at most", "InvalidValue")
        if "phaseToUse" in period and not (abilities.phase_switching and period.get("numberPhases") == 1):
            raise ProfileRejectedError("K01.FR.19", "phaseToUse goes with one phase, where the station can choose it")


def _check_conflict(new: Installed, other: Installed) -> None:
    if new.purpose != other.purpose or new.stack_level != other.stack_level:
        return
    if new.purpose == TX:
        if new.profile["transactionId"] == other.profile["transactionId"]:
            raise ProfileRejectedError("K01.FR.39", "the transaction has a profile at this level", "DuplicateProfile")
        return
    if (new.valid_from or FIRST) >= (other.valid_to or LAST) or (other.valid_from or FIRST) >= (new.valid_to or LAST):
        return
    if new.evse_id == other.evse_id:
        raise ProfileRejectedError("K01.FR.06", "another profile has this level", "DuplicateProfile")
    if new.purpose == TX_DEFAULT and new.evse_id == 0:
        raise ProfileRejectedError("K01.FR.52", "an EVSE has a profile at this level", "DuplicateProfile")
    if new.purpose == TX_DEFAULT and other.evse_id == 0:
        raise ProfileRejectedError("K01.FR.53", "the station has a profile at this level", "DuplicateProfile")
