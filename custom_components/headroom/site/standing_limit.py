"""One limit that a person set and that stands: a charging profile, how it stands with its copy in the station, and what it says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from ..csms import composite
from ..csms.composite import RECURRENCE, Installed, Transaction
from ..csms.fields import optional_moment, optional_number, optional_text, records, written
from ..csms.frames import Payload
from ..csms.profiles import Placed
from ..csms.reconciliation import same


class Storing(StrEnum):
    """How it stands with a limit's copy in the station."""

    NOT_WANTED = "kept"
    """Headroom alone keeps it."""
    WAITING = "waiting"
    """It is sent as soon as the station takes commands and holds its fallbacks."""
    STORED = "stored"
    REFUSED = "refused"
    """The station, or what the house allows, speaks against it: Headroom alone keeps it."""
    CLEARED = "cleared"
    """It limits nothing any more; its copy goes as soon as the station takes commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingLimit:
    """One limit on one station (`evse_id` 0) or EVSE. `profile` is OCPP's JSON; its level is there once it was sent."""

    station: str
    evse_id: int
    profile: Payload
    storing: Storing = Storing.NOT_WANTED
    zone: str | None = None
    """A recurring one begins at the same time of this zone's clocks, summer and winter."""

    @property
    def profile_id(self) -> int:
        """The id of its profile, one of a station's."""
        return int(self.profile["id"])

    @property
    def key(self) -> tuple[str, int]:
        """What it is known by: the station, and the profile's id."""
        return self.station, self.profile_id

    @property
    def terms(self) -> Installed:
        """The profile as the composite engine reads it."""
        found = composite.installed(self.profile, evse_id=self.evse_id)
        if found is None:
            raise ValueError("a profile that can't be read")
        return found

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "station": self.station,
            "evse_id": self.evse_id,
            "profile": dict(self.profile),
            "storing": str(self.storing),
            "zone": self.zone,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> StandingLimit:
        """Return what `document` gave. Raises ValueError, KeyError or TypeError for what is none."""
        found = cls(
            station=document["station"],
            evse_id=int(document["evse_id"]),
            profile=dict(document["profile"]),
            storing=Storing(document["storing"]),
            zone=document.get("zone"),
        )
        _ = found.terms
        return found


def rebased(limit: StandingLimit, utcnow: datetime) -> StandingLimit:
    """Return a recurring limit with its start at the same local time as it was set, which summer time may have moved."""
    every = RECURRENCE.get(optional_text(limit.profile, "recurrencyKind") or "")
    schedules = records(limit.profile, "chargingSchedule")
    start = optional_moment(schedules[0], "startSchedule") if len(schedules) == 1 else None
    if limit.zone is None or every is None or start is None or utcnow < start:
        return limit
    zone = ZoneInfo(limit.zone)
    local = start.astimezone(zone)
    # Times of one zone are reckoned by its clocks.
    latest = local + every * ((utcnow.astimezone(zone) - local) // every)
    if latest.utcoffset() == local.utcoffset():
        return limit
    schedule = {**schedules[0], "startSchedule": written(latest.astimezone(UTC))}
    return replace(limit, profile={**limit.profile, "chargingSchedule": [schedule]})


def stored_copies(limits: Iterable[StandingLimit], found: Iterable[Placed], utcnow: datetime) -> Sequence[Placed]:
    """Return which of the profiles that a station reports are the copies of limits just as they are kept."""
    wanted = {limit.profile_id: limit for limit in limits if limit.storing in (Storing.STORED, Storing.WAITING)}
    return [
        one
        for one in found
        if (limit := wanted.get(one.profile_id or 0)) is not None and same(Placed(limit.evse_id, limit.profile), one, utcnow)
    ]


def least_a(limit: StandingLimit, at: datetime, transaction: Transaction | None, phases: int, voltage_v: float) -> float:
    """Return the least rate (minChargingRate) of the schedule that runs, in amps per phase; 0 where it names none."""
    terms, found = limit.terms, [0.0]
    for schedule, payload in zip(terms.schedules, records(limit.profile, "chargingSchedule"), strict=True):
        least = optional_number(payload, "minChargingRate")
        alone = composite.said(replace(terms, schedules=(schedule,)), at, transaction, phases=phases, voltage_v=voltage_v)
        if least is not None and alone is not None:
            found.append(least if schedule.unit == "A" else least / (voltage_v * alone.phases))
    return max(found)
