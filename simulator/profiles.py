"""A station's own smart charging: which profiles it takes, keeps and drops (block K of OCPP 2.0.1).

Which profiles it takes is written from the standard's rules alone, independently of the central system's idea of them, so that each
proves the other. What they allow together is the central system's own engine (csms/composite.py), which has an oracle of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from custom_components.headroom.csms import composite
from custom_components.headroom.csms.composite import (
    EXTERNAL,
    RECURRENCE,
    STATION_MAX,
    TX,
    TX_DEFAULT,
    Limit,
    Situation,
    Supply,
    Transaction,
)

from .electrical import VOLTAGE_V
from .timestamps import read, written

LONGEST_SCHEDULE = 1024
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


def installed(evse_id: int, profile: Profile, source: str = "CSO") -> Installed:
    """Return a profile, valid by its schema, as it lies in the station."""
    terms = composite.installed(profile, evse_id=evse_id)
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


class ProfileStore:
    """The profiles of one station, and what they allow."""

    def __init__(self, evse_ids: Collection[int], abilities: Abilities | None = None, voltage_v: float = VOLTAGE_V) -> None:
        """Start with none."""
        self.evse_ids = tuple(evse_ids)
        self.abilities = abilities or Abilities()
        self.voltage_v = voltage_v
        self.installed: list[Installed] = []

    # What comes and goes

    def install(self, evse_id: int, profile: Profile, now: datetime, transactions: Mapping[int, Transaction]) -> None:
        """Take a CSMS's profile, in place of the one with its id (K01.FR.05); raises ProfileRejectedError.

        `transactions` are the ones under way, by EVSE.
        """
        self.expire(now)
        new = installed(evse_id, dict(profile))
        others = self._check(new, transactions)
        self.installed = [*others, new]

    def set_external(self, evse_id: int, limit_a: float | None, source: str, now: datetime) -> None:
        """Put up a limit from elsewhere than the CSMS (K11), or take it away."""
        profile_id = -1000 - evse_id
        self.installed = [one for one in self.installed if one.profile["id"] != profile_id]
        if limit_a is None:
            return
        profile = {
            "id": profile_id,
            "stackLevel": 0,
            "chargingProfilePurpose": EXTERNAL,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [
                {
                    "id": 1,
                    "startSchedule": written(now - timedelta(seconds=1)),
                    "chargingRateUnit": "A",
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
                }
            ],
        }
        self.installed.append(installed(evse_id, profile, source))

    def clear(
        self, *, profile_id: int | None = None, evse_id: int | None = None, purpose: str | None = None, stack_level: int | None = None
    ) -> int:
        """Drop by id, or by every criterion given (K10); returns how many. External constraints stay (K10.FR.06)."""
        gone = [
            one
            for one in self.installed
            if one.purpose != EXTERNAL
            and (
                one.profile["id"] == profile_id
                if profile_id is not None
                else (evse_id is None or one.evse_id == evse_id)
                and (purpose is None or one.purpose == purpose)
                and (stack_level is None or one.stack_level == stack_level)
            )
        ]
        self.installed = [one for one in self.installed if one not in gone]
        return len(gone)

    def matching(self, evse_id: int | None, criteria: Mapping[str, Any]) -> Sequence[Installed]:
        """Return what GetChargingProfiles asks for (K09): `evse_id` 0 is the station, None everything."""
        ids = criteria.get("chargingProfileId")
        sources = criteria.get("chargingLimitSource")
        return [
            one
            for one in self.installed
            if (evse_id is None or one.evse_id == evse_id)
            and (ids is None or one.profile["id"] in ids)
            and (sources is None or one.source in sources)
            and criteria.get("chargingProfilePurpose", one.purpose) == one.purpose
            and criteria.get("stackLevel", one.stack_level) == one.stack_level
        ]

    def expire(self, now: datetime) -> None:
        """Drop what will never be valid again."""
        self.installed = [one for one in self.installed if one.valid_to is None or one.valid_to > now]

    def end_transaction(self, transaction_id: str) -> None:
        """Drop a transaction's own profiles."""
        self.installed = [one for one in self.installed if one.profile.get("transactionId") != transaction_id]

    def reboot(self) -> None:
        """Keep what persists: all but TxProfiles (K01.FR.27)."""
        self.installed = [one for one in self.installed if one.purpose != TX]

    # What it allows

    def evse_limit(self, evse_id: int, at: datetime, transaction: Transaction | None) -> Limit:
        """Return what TxProfile, else TxDefaultProfile, allows an EVSE, under the EVSE's own external constraints."""
        return composite.evse_limit(self._situation({evse_id: transaction} if transaction else {}), evse_id, at)

    def station_limit(self, at: datetime) -> Limit:
        """Return what ChargingStationMaxProfile and external constraints allow the whole station."""
        return composite.station_limit(self._situation({}), at)

    def limit(self, evse_id: int, at: datetime, transaction: Transaction | None) -> Limit:
        """Return the composite limit of one EVSE: the lowest of its own and the station's."""
        return composite.limit(self._situation({evse_id: transaction} if transaction else {}), evse_id, at)

    def composite_schedule(
        self,
        evse_id: int,
        start: datetime,
        duration_s: int,
        unit: str,
        transactions: Mapping[int, Transaction],
        rated_a: Mapping[int, float],
    ) -> dict[str, Any]:
        """Return GetCompositeSchedule's schedule (K08), with startPeriod in whole seconds and one decimal.

        `rated_a` is what each EVSE can give at all, which holds where no profile does.
        """
        schedule = composite.composite_schedule(self._situation(transactions, rated_a), evse_id, start, duration_s, unit)
        at_second = {int(period.start_s): round(period.limit, 1) for period in schedule.periods}
        return {
            "evseId": evse_id,
            "duration": duration_s,
            "scheduleStart": written(start),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [{"startPeriod": second, "limit": limit} for second, limit in at_second.items()],
        }

    def _situation(self, transactions: Mapping[int, Transaction], rated_a: Mapping[int, float] | None = None) -> Situation:
        supplies = {evse_id: Supply() if rated_a is None else Supply(rated_a[evse_id]) for evse_id in self.evse_ids}
        terms = [one.terms for one in self.installed]
        return Situation(installed=terms, transactions=transactions, supplies=supplies, voltage_v=self.voltage_v)

    # The rules

    def check(self, evse_id: int, profile: Profile, now: datetime, transactions: Mapping[int, Transaction]) -> None:
        """Raise ProfileRejectedError where `install` would."""
        self._check(installed(evse_id, profile), transactions)

    def _check(self, new: Installed, transactions: Mapping[int, Transaction]) -> list[Installed]:
        """Return the profiles that stay beside a new one."""
        self._check_purpose(new.evse_id, new.profile, transactions)
        self._check_schedules(new.profile)
        profile_id = new.profile["id"]
        others = [one for one in self.installed if one.profile["id"] != profile_id]
        for other in others:
            _check_conflict(new, other)
        if any(one.purpose == EXTERNAL and one.profile["id"] == profile_id for one in self.installed):
            raise ProfileRejectedError("K01.FR.05", "the id belongs to an external constraint", "DuplicateProfile")
        if len(others) >= self.abilities.entries_max:
            raise ProfileRejectedError("K01.FR.06", f"the station keeps {self.abilities.entries_max} profiles", "TooManyElements")
        return others

    def _check_purpose(self, evse_id: int, profile: Profile, transactions: Mapping[int, Transaction]) -> None:
        purpose, kind = profile["chargingProfilePurpose"], profile["chargingProfileKind"]
        if evse_id not in {0, *self.evse_ids}:
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
            if (transaction := transactions.get(evse_id)) is None:
                raise ProfileRejectedError("K01.FR.09", f"no transaction on EVSE {evse_id}", "TxNotFound")
            if transaction.transaction_id != profile["transactionId"]:
                raise ProfileRejectedError("K01.FR.33", "the transaction is another one", "TxNotFound")
        if not 0 <= profile["stackLevel"] <= self.abilities.stack_level_max:
            raise ProfileRejectedError("K01.FR.06", f"stack levels reach from 0 to {self.abilities.stack_level_max}", "InvalidStackLevel")

    def _check_schedules(self, profile: Profile) -> None:
        kind = profile["chargingProfileKind"]
        if kind == "Recurring" and profile.get("recurrencyKind") not in RECURRENCE:
            raise ProfileRejectedError("K01.FR.40", "a Recurring profile says how often")
        if len(profile["chargingSchedule"]) > 1:
            raise ProfileRejectedError("K01.FR.34", "several schedules only after NotifyEVChargingNeeds")
        for schedule in profile["chargingSchedule"]:
            if kind == "Relative" and "startSchedule" in schedule:
                raise ProfileRejectedError("K01.FR.41", "a Relative schedule has no startSchedule")
            if kind != "Relative" and "startSchedule" not in schedule:
                raise ProfileRejectedError("K01.FR.40", f"a {kind} schedule needs a startSchedule")
            if schedule["chargingRateUnit"] not in self.abilities.rate_units:
                raise ProfileRejectedError("K01.FR.26", f"the unit is one of {self.abilities.rate_units}", "UnsupportedRateUnit")
            self._check_periods(schedule)

    def _check_periods(self, schedule: Mapping[str, Any]) -> None:
        listed = schedule["chargingSchedulePeriod"]
        if len(listed) > min(LONGEST_SCHEDULE, self.abilities.periods_per_schedule):
            raise ProfileRejectedError("K01.FR.35", f"at most {self.abilities.periods_per_schedule} periods", "TooManyElements")
        if listed[0]["startPeriod"] != 0:
            raise ProfileRejectedError("K01.FR.31", "the first period starts at 0")
        if any(later["startPeriod"] <= earlier["startPeriod"] for earlier, later in pairwise(listed)):
            raise ProfileRejectedError("K01.FR.35", "periods follow one another")
        for period in listed:
            if period["limit"] < 0 or abs(period["limit"] * 10 - round(period["limit"] * 10)) > 1e-6:
                raise ProfileRejectedError("K01.FR.26", "a limit is positive, with one decimal at most", "InvalidValue")
            if "phaseToUse" in period and not (self.abilities.phase_switching and period.get("numberPhases") == 1):
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
