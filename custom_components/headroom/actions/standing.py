"""Actions on limits of a person's that stand: for stations, EVSEs, a transaction, or all of a circuit at once, as charging profiles.

Each is one more ceiling for the allocator, and, where it can only restrict, a profile in the station too: it holds there while nobody
leads the station.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
import probatio as vol

from ..coordinator import HeadroomCoordinator
from ..csms.errors import ProfileRefusedError
from ..csms.fields import optional_text, optional_whole
from ..csms.needs import MOST_SCHEDULES
from ..csms.profile_builder import Period
from ..csms.values import Inventory
from ..diagnostics import as_json
from ..engine.tree import path
from ..errors import invalid, profile_refused, translated_errors
from ..persons_profile import PURPOSES, RECURRENCES, WEEKDAYS, Asked, recurring
from ..site.config import EvseKey, Mode
from ..site.standing_limit import StandingLimit, Storing
from ..subjects import CircuitSubject, EvseSubject, SiteSubject, StationSubject
from .action import ATTR_DURATION, DEVICES, DURATION, Action, moment, station_of, subject_of
from .charging import ATTR_LIMIT, ATTR_SCHEDULE, ATTR_START, ATTR_UNIT, check_schedule

ATTR_ALTERNATIVES = "alternatives"
ATTR_BEGINS = "begins"
ATTR_DAYS = "days"
ATTR_ENDS = "ends"
ATTR_IN_STATION = "in_station"
ATTR_KIND = "kind"
ATTR_LEVEL = "level"
ATTR_LIMITS = "limits"
ATTR_MINIMUM_RATE = "minimum_rate"
ATTR_PHASE_TO_USE = "phase_to_use"
ATTR_PHASES = "phases"
ATTR_PROFILE_ID = "profile_id"
ATTR_STACK_LEVEL = "stack_level"
ATTR_STARTS_AT = "starts_at"
ATTR_VALID_FROM = "valid_from"
ATTR_VALID_UNTIL = "valid_until"

KINDS = ("absolute", *RECURRENCES, "relative")
RATE = vol.All(vol.Coerce(float), vol.Range(min=0, max=1_000_000))
PHASES = vol.All(vol.Coerce(int), vol.Range(min=1, max=3))
WHOLE = vol.All(vol.Coerce(int), vol.Range(min=0, max=2**31 - 1))
PERIODS = vol.All(
    cv.ensure_list,
    vol.Length(min=1),
    [
        {
            vol.Required(ATTR_START): cv.positive_time_period,
            vol.Required(ATTR_LIMIT): RATE,
            vol.Optional(ATTR_PHASES): PHASES,
            vol.Optional(ATTR_PHASE_TO_USE): PHASES,
        }
    ],
)


@dataclass(frozen=True, slots=True)
class Target:
    """A station (`evse_id` 0), an EVSE or its transaction, that a limit is about."""

    coordinator: HeadroomCoordinator
    level: str
    station: str
    evse_id: int
    transaction_id: str | None = None

    def __str__(self) -> str:
        return str(EvseKey(self.station, self.evse_id)) if self.evse_id else self.station


def _chosen(call: ServiceCall) -> Iterator[tuple[HeadroomCoordinator, str, Sequence[EvseKey], bool]]:
    """Yield the stations that the chosen devices stand for, with the chosen EVSEs of each, and whether it was an EVSE that was chosen."""
    for device_id in call.data["device_id"]:
        coordinator, subject = subject_of(call, device_id)
        site = coordinator.site.config
        circuits = {circuit.circuit_id: circuit for circuit in site.circuits}
        match subject:
            case EvseSubject(key=key):
                yield coordinator, key.station, [key], True
                continue
            case StationSubject(identity=identity):
                stations = [identity]
            case SiteSubject():
                stations = list(site.stations)
            case CircuitSubject(circuit_id=circuit_id):
                stations = [
                    identity
                    for identity, station in site.stations.items()
                    if circuit_id in {circuit.circuit_id for circuit in path(circuits, station.circuit_id)}
                ]
            case _:
                stations = []
        for identity in stations:
            if identity in site.stations:
                yield coordinator, identity, [EvseKey(identity, evse.evse_id) for evse in site.stations[identity].evses], False


def targets(call: ServiceCall, level: str | None) -> Sequence[Target]:
    """Return what a limit is about: of a level, or of the level that each chosen device has. Raises ServiceValidationError for nothing."""
    found: dict[Target, None] = {}
    for coordinator, station, keys, is_evse in _chosen(call):
        match level or ("evse" if is_evse else "station"):
            case "station":
                found[Target(coordinator, "station", station, 0)] = None
            case "evse":
                found |= {Target(coordinator, "evse", station, key.evse_id): None for key in keys}
            case "transaction":
                charging = [(key, evse.transaction_id) for key in keys if (evse := coordinator.data.evses.get(key)) is not None]
                found |= {Target(coordinator, "transaction", station, key.evse_id, tx): None for key, tx in charging if tx is not None}
    if not found:
        raise invalid("profile_no_transaction" if level == "transaction" else "nothing_to_limit")
    return list(found)


def described(limit: StandingLimit) -> dict[str, Any]:
    """Return a limit as it is told a person."""
    return {
        "station": limit.station,
        "evse_id": limit.evse_id,
        ATTR_PROFILE_ID: limit.profile_id,
        "purpose": optional_text(limit.profile, "chargingProfilePurpose"),
        ATTR_STACK_LEVEL: optional_whole(limit.profile, "stackLevel"),
        "status": "kept" if limit.storing is Storing.REFUSED else str(limit.storing),
        "profile": limit.profile,
    }


async def _set(target: Target, asked: Asked, *, in_station: bool, strict: bool) -> dict[str, Any] | HomeAssistantError:
    """Set a limit on one target; returns what came of it, or why nothing did.

    Unless `strict`, one that its station does not hold is kept all the same, where the loop leads the cars.
    """
    site = target.coordinator.site
    profile = asked.profile(site.standing.free_id(target.station), target.level, target.transaction_id, dt_util.utcnow())
    zone = str(dt_util.get_default_time_zone()) if asked.kind in RECURRENCES else None
    limit = StandingLimit(station=target.station, evse_id=target.evse_id, profile=profile, zone=zone)
    if not in_station:
        if site.mode is not Mode.DYNAMIC:
            return invalid("profile_not_led", target=str(target))
        site.keep_standing(limit)
        return described(limit)
    try:
        with translated_errors(target.station):
            return described(await site.store_standing(limit))
    except ProfileRefusedError as error:
        memory = target.coordinator.central_system.memories.get(target.station)
        inventory = (memory.inventory if memory else None) or Inventory()
        refused: HomeAssistantError = profile_refused(str(target), error, inventory.smart_charging)
    except HomeAssistantError as error:
        refused = error
    if strict or site.mode is not Mode.DYNAMIC:
        return refused
    site.keep_standing(limit)
    return described(limit) | {"reason": str(refused)}


async def _set_all(call: ServiceCall, asked: Sequence[Asked], *, strict: bool) -> ServiceResponse:
    """Set limits on all targets; an error where that came to nothing anywhere, or somewhere and nobody looks at the answer."""
    if any(one.valid_until is not None and one.valid_until <= dt_util.utcnow() for one in asked):
        raise invalid("profile_over")
    if any(one.valid_from is not None and one.valid_until is not None and one.valid_from >= one.valid_until for one in asked):
        raise invalid("profile_never")
    found = targets(call, call.data.get(ATTR_LEVEL))
    if any(target.level == "station" for target in found) and any(one.kind == "relative" for one in asked):
        raise invalid("profile_relative_station")

    async def on(target: Target) -> list[dict[str, Any] | HomeAssistantError]:
        return [await _set(target, one, in_station=call.data[ATTR_IN_STATION], strict=strict) for one in asked]

    answers = [(target, answer) for target, each in zip(found, await asyncio.gather(*map(on, found)), strict=True) for answer in each]
    errors = [answer for _, answer in answers if isinstance(answer, HomeAssistantError)]
    if errors and (len(errors) == len(answers) or not call.return_response):
        raise errors[0]
    told = [
        {"station": target.station, "evse_id": target.evse_id, "status": "refused", "reason": str(answer)}
        if isinstance(answer, HomeAssistantError)
        else answer
        for target, answer in answers
    ]
    return {ATTR_LIMITS: as_json(told)}


async def _add_charging_profile(call: ServiceCall) -> ServiceResponse:
    data = call.data
    schedules = [data[ATTR_SCHEDULE], *data.get(ATTR_ALTERNATIVES, ())]
    duration: timedelta | None = data.get(ATTR_DURATION)
    asked = Asked(
        kind=data[ATTR_KIND],
        schedules=[[_period(period) for period in schedule] for schedule in schedules],
        unit=data[ATTR_UNIT],
        starts_at=moment(call, ATTR_STARTS_AT),
        duration_s=None if duration is None else int(duration.total_seconds()),
        least=data.get(ATTR_MINIMUM_RATE),
        stack_level=data.get(ATTR_STACK_LEVEL),
        valid_from=moment(call, ATTR_VALID_FROM),
        valid_until=moment(call, ATTR_VALID_UNTIL),
    )
    for periods in asked.schedules:
        check_schedule([(period.start_s, period.limit) for period in periods], asked.unit)
        if asked.cycle_s is not None and periods[-1].start_s >= asked.cycle_s:
            raise invalid("schedule_too_long")
    if asked.kind == "relative" and asked.starts_at is not None:
        raise invalid("profile_relative_start")
    return await _set_all(call, [asked], strict=True)


def _period(period: Mapping[str, Any]) -> Period:
    return Period(
        start_s=int(period[ATTR_START].total_seconds()),
        limit=period[ATTR_LIMIT],
        phases=period.get(ATTR_PHASES),
        phase_to_use=period.get(ATTR_PHASE_TO_USE),
    )


async def _set_recurring_limit(call: ServiceCall) -> ServiceResponse:
    data, now = call.data, dt_util.utcnow()
    check_schedule([(0, data[ATTR_LIMIT])], data[ATTR_UNIT])
    asked = recurring(
        data[ATTR_LIMIT],
        begins=data[ATTR_BEGINS],
        ends=data[ATTR_ENDS],
        days=data[ATTR_DAYS],
        now=now,
        phases=data.get(ATTR_PHASES),
        unit=data[ATTR_UNIT],
        least=data.get(ATTR_MINIMUM_RATE),
        valid_from=moment(call, ATTR_VALID_FROM),
        valid_until=moment(call, ATTR_VALID_UNTIL),
    )
    return await _set_all(call, asked, strict=False)


async def _clear_charging_profile(call: ServiceCall) -> ServiceResponse:
    """Take away the schedules and the standing limits of the chosen devices, or the limit of one id."""
    profile_id: int | None = call.data.get(ATTR_PROFILE_ID)
    cleared: list[dict[str, Any]] = []
    seen: set[EvseKey] = set()
    for coordinator, station, keys, is_evse in _chosen(call):
        evse_ids = [key.evse_id for key in keys] if is_evse else [0, *(key.evse_id for key in keys)]
        if profile_id is None:
            for key in set(keys) - seen:
                coordinator.site.clear_profile(key)
            seen |= set(keys)
        for limit in coordinator.site.standing.at(station, profile_id=profile_id):
            if limit.evse_id in evse_ids:
                with translated_errors(station):
                    await coordinator.site.clear_standing(limit)
                cleared.append(described(limit))
    if profile_id is not None and not cleared:
        raise invalid("limit_unknown", id=str(profile_id))
    return {ATTR_LIMITS: as_json(cleared)}


async def _get_charging_profiles(call: ServiceCall) -> ServiceResponse:
    """Return what a station holds, and the standing limits on it, with how it stands with their copies."""
    coordinator, identity, evse_id = station_of(call)
    with translated_errors(identity):
        profiles = await coordinator.station(identity).get_charging_profiles(evse_id)
    limits = [described(limit) for limit in coordinator.site.standing.at(identity, evse_id)]
    return {"profiles": as_json(profiles), ATTR_LIMITS: as_json(limits)}


def _validity() -> dict[vol.Marker, Any]:
    return {vol.Optional(ATTR_VALID_FROM): cv.datetime, vol.Optional(ATTR_VALID_UNTIL): cv.datetime}


ACTIONS: Mapping[str, Action] = {
    "add_charging_profile": Action(
        handler=_add_charging_profile,
        fields=DEVICES
        | {
            vol.Optional(ATTR_LEVEL): vol.In(PURPOSES),
            vol.Optional(ATTR_KIND, default="absolute"): vol.In(KINDS),
            vol.Required(ATTR_SCHEDULE): PERIODS,
            vol.Optional(ATTR_ALTERNATIVES): vol.All(cv.ensure_list, vol.Length(max=MOST_SCHEDULES - 1), [PERIODS]),
            vol.Optional(ATTR_UNIT, default="A"): vol.In(("A", "W")),
            vol.Optional(ATTR_IN_STATION, default=True): cv.boolean,
            vol.Optional(ATTR_STARTS_AT): cv.datetime,
            vol.Optional(ATTR_DURATION): DURATION,
            vol.Optional(ATTR_MINIMUM_RATE): RATE,
            vol.Optional(ATTR_STACK_LEVEL): WHOLE,
        }
        | _validity(),
        response=SupportsResponse.OPTIONAL,
    ),
    "set_recurring_limit": Action(
        handler=_set_recurring_limit,
        fields=DEVICES
        | {
            vol.Required(ATTR_LIMIT): RATE,
            vol.Optional(ATTR_UNIT, default="A"): vol.In(("A", "W")),
            vol.Required(ATTR_BEGINS): cv.time,
            vol.Required(ATTR_ENDS): cv.time,
            vol.Optional(ATTR_DAYS, default=list(WEEKDAYS)): vol.All(cv.ensure_list, [vol.In(WEEKDAYS)], vol.Length(min=1)),
            vol.Optional(ATTR_IN_STATION, default=True): cv.boolean,
            vol.Optional(ATTR_PHASES): PHASES,
            vol.Optional(ATTR_MINIMUM_RATE): RATE,
        }
        | _validity(),
        response=SupportsResponse.OPTIONAL,
    ),
    "get_charging_profiles": Action(handler=_get_charging_profiles, fields={}, response=SupportsResponse.ONLY),
    "clear_charging_profile": Action(
        handler=_clear_charging_profile,
        fields=DEVICES | {vol.Optional(ATTR_PROFILE_ID): WHOLE},
        response=SupportsResponse.OPTIONAL,
    ),
}
