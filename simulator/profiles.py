"""A station's own smart charging: which profiles it keeps and drops, and what they allow (block K of OCPP 2.0.1).

What they allow together is the central system's own engine (csms/composite.py), which has an oracle of its own.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from custom_components.headroom.csms import composite
from custom_components.headroom.csms.composite import EXTERNAL, TX, Limit, Situation, Supply, Transaction

from . import profile_rules
from .electrical import VOLTAGE_V
from .profile_rules import Abilities, Installed, Profile, installed
from .quirks import NO_QUIRKS, Quirks
from .timestamps import written

LOOKS_AHEAD_S = 3600.0
"""So far ahead it is looked when a limit changes next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reckoned:
    """A limit, which holds from `since` up to `until` by all that it was reckoned from. A list of profiles is never changed, but replaced."""

    installed: Sequence[Installed]
    forgotten: frozenset[int]
    transaction: Transaction | None
    since: datetime
    until: datetime
    limit: Limit

    def holds(self, installed: Sequence[Installed], forgotten: frozenset[int], transaction: Transaction | None, at: datetime) -> bool:
        """Tell whether it is the limit at a moment."""
        same = installed is self.installed and forgotten is self.forgotten and transaction == self.transaction
        return same and self.since <= at < self.until


class ProfileStore:
    """The profiles of one station, and what they allow."""

    def __init__(
        self,
        evse_ids: Collection[int],
        abilities: Abilities | None = None,
        voltage_v: float = VOLTAGE_V,
        quirks: Quirks = NO_QUIRKS,
    ) -> None:
        """Start with none."""
        self.quirks = quirks
        self.evse_ids = tuple(evse_ids)
        self._unrated = dict.fromkeys(self.evse_ids, Supply())
        self.abilities = abilities or Abilities()
        self.voltage_v = voltage_v
        self.installed: list[Installed] = []
        self.negotiating: set[int] = set()
        """EVSEs whose car told what it needs."""
        self._forgotten: frozenset[int] = frozenset()
        """EVSEs whose limit was forgotten (Quirks.forgets_when_suspended)."""
        self._reckoned: dict[int, _Reckoned] = {}
        """What each EVSE may give, and for 0 the station: the physics ask at every step, and it seldom changes."""

    # What comes and goes

    def install(self, evse_id: int, profile: Profile, now: datetime, transactions: Mapping[int, Transaction]) -> None:
        """Take a CSMS's profile, in place of the one with its id (K01.FR.05); raises ProfileRejectedError.

        `transactions` are the ones under way, by EVSE.
        """
        self.expire(now)
        new = installed(evse_id, dict(profile), quirks=self.quirks)
        self.installed = [*self._beside(new, transactions), new]
        self._forgotten -= frozenset(self.evse_ids if evse_id == 0 else (evse_id,))

    def says_already(self, payload: Mapping[str, Any]) -> bool:
        """Tell whether SetChargingProfile brings nothing but another end: a profile of a single limit that is in force, said anew."""
        new = payload["chargingProfile"]
        held = next((one.profile for one in self.installed if one.profile["id"] == new["id"] and one.evse_id == payload["evseId"]), None)
        return held is not None and _limits_at_once(new) is not None and _limits_at_once(new) == _limits_at_once(held)

    def check(self, evse_id: int, profile: Profile, now: datetime, transactions: Mapping[int, Transaction]) -> None:
        """Raise ProfileRejectedError where `install` would."""
        self.expire(now)
        self._beside(installed(evse_id, profile), transactions)

    def _beside(self, new: Installed, transactions: Mapping[int, Transaction]) -> list[Installed]:
        situation = profile_rules.Situation(
            evse_ids=self.evse_ids,
            abilities=self.abilities,
            quirks=self.quirks,
            transactions=transactions,
            negotiating=self.negotiating,
            kept=self.installed,
        )
        return profile_rules.beside(new, situation)

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
        self.installed = [*self.installed, installed(evse_id, profile, source)]

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
        if self.quirks.ignores_valid_to:
            return
        if any(one.terms.valid_to is not None and one.terms.valid_to <= now for one in self.installed):
            self.installed = [one for one in self.installed if one.terms.valid_to is None or one.terms.valid_to > now]

    def end_transaction(self, transaction_id: str) -> None:
        """Drop a transaction's own profiles."""
        self.installed = [one for one in self.installed if one.profile.get("transactionId") != transaction_id]

    def resumed(self, evse_id: int) -> None:
        """Let a car go on after a suspension, which some stations do without a limit."""
        if self.quirks.forgets_when_suspended:
            self._forgotten |= {evse_id}

    def reboot(self) -> None:
        """Keep what persists: all but TxProfiles (K01.FR.27)."""
        self.installed = [one for one in self.installed if one.purpose != TX]

    # What it allows

    def evse_limit(self, evse_id: int, at: datetime, transaction: Transaction | None) -> Limit:
        """Return what TxProfile, else TxDefaultProfile, allows an EVSE, under the EVSE's own external constraints."""
        return self._limit(evse_id, transaction, at)

    def station_limit(self, at: datetime) -> Limit:
        """Return what ChargingStationMaxProfile and external constraints allow the whole station."""
        return self._limit(0, None, at)

    def _limit(self, evse_id: int, transaction: Transaction | None, at: datetime) -> Limit:
        """Return the limit of an EVSE, or for 0 the station's: reckoned anew once a profile came or went, or may say something else."""
        known = self._reckoned.get(evse_id)
        if known is None or not known.holds(self.installed, self._forgotten, transaction, at):
            situation = self._situation({evse_id: transaction} if transaction else {})
            changes = composite.change_points(situation, at, LOOKS_AHEAD_S)
            known = self._reckoned[evse_id] = _Reckoned(
                installed=self.installed,
                forgotten=self._forgotten,
                transaction=transaction,
                since=at,
                until=changes[1] if len(changes) > 1 else at + timedelta(seconds=LOOKS_AHEAD_S),
                limit=composite.evse_limit(situation, evse_id, at) if evse_id else composite.station_limit(situation, at),
            )
        return known.limit

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
        supplies = self._unrated if rated_a is None else {evse_id: Supply(rated_a[evse_id]) for evse_id in self.evse_ids}
        terms = [
            one.terms
            for one in self.installed
            if one.purpose in self.quirks.honours and (one.purpose == EXTERNAL or one.evse_id not in self._forgotten)
        ]
        return Situation(installed=terms, transactions=transactions, supplies=supplies, voltage_v=self.voltage_v)


def _limits_at_once(profile: Profile) -> tuple[Any, ...] | None:
    """Return what a profile of one schedule with one period says, whenever it began; None for any other."""
    if len(schedules := profile["chargingSchedule"]) != 1 or len(periods := schedules[0]["chargingSchedulePeriod"]) != 1:
        return None
    place = (profile["chargingProfilePurpose"], profile["stackLevel"], profile.get("transactionId"))
    return *place, schedules[0]["chargingRateUnit"], *sorted(periods[0].items())
