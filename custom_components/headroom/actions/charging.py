"""Actions on transactions and on what limits them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
from homeassistant.util.json import JsonObjectType
import probatio as vol

from ..commands import evse_snapshot, start_charging, stop_charging
from ..diagnostics import as_json
from ..engine.model import LEAST_CURRENT_A
from ..errors import invalid, translated_errors
from .action import AMPS, ATTR_DURATION, DURATION, Action, evse_of
from .authorization import ATTR_GROUP, ATTR_ID_TOKEN, ATTR_ID_TOKEN_TYPE, GROUP, TOKEN, TOKEN_TYPE

ATTR_LIMIT = "limit"
ATTR_SCHEDULE = "schedule"
ATTR_START = "start"
ATTR_UNIT = "unit"

PERIOD = vol.Schema({vol.Required(ATTR_START): vol.All(vol.Coerce(float), vol.Range(min=0)), vol.Required(ATTR_LIMIT): AMPS})


async def _start_charging(call: ServiceCall) -> None:
    coordinator, key = evse_of(call)
    await start_charging(
        coordinator, key, call.data.get(ATTR_ID_TOKEN), kind=call.data.get(ATTR_ID_TOKEN_TYPE), group=call.data.get(ATTR_GROUP)
    )


async def _stop_charging(call: ServiceCall) -> None:
    coordinator, key = evse_of(call)
    await stop_charging(coordinator, key)


async def _set_charging_profile(call: ServiceCall) -> None:
    """Hand a schedule to the allocator, as one more ceiling of the EVSE: it never goes straight to the station."""
    coordinator, key = evse_of(call)
    periods = [(period[ATTR_START], period[ATTR_LIMIT]) for period in call.data[ATTR_SCHEDULE]]
    duration: timedelta | None = call.data.get(ATTR_DURATION)
    check_schedule(periods)
    coordinator.site.set_profile(key, periods, duration.total_seconds() if duration else None)


def check_schedule(periods: Sequence[tuple[float, float]], unit: str = "A") -> None:
    """Raise ServiceValidationError where periods do not start at 0, are out of order, or name a current that no car can draw."""
    starts = [start_s for start_s, _ in periods]
    if starts[0] != 0:
        raise invalid("schedule_start")
    if any(later <= earlier for earlier, later in pairwise(starts)):
        raise invalid("schedule_order")
    if unit == "A" and any(0 < limit < LEAST_CURRENT_A for _, limit in periods):
        raise invalid("limit_undefined", least=f"{LEAST_CURRENT_A:.0f}")


async def _get_composite_schedule(call: ServiceCall) -> ServiceResponse:
    """Return what the station says it will allow, beside what its profiles come to by the standard's merge, and where the two differ."""
    coordinator, key = evse_of(call)
    evse_snapshot(coordinator, key)
    duration: timedelta = call.data[ATTR_DURATION]
    with translated_errors(key.station):
        check = await coordinator.station(key.station).check_composite(key.evse_id, int(duration.total_seconds()), call.data.get(ATTR_UNIT))
    response: JsonObjectType = as_json(check.told)
    return response | {"predicted": as_json(check.predicted.periods), "differences": as_json(check.differences)}


ACTIONS: Mapping[str, Action] = {
    "start_charging": Action(
        handler=_start_charging,
        fields={vol.Optional(ATTR_ID_TOKEN): TOKEN, vol.Optional(ATTR_ID_TOKEN_TYPE): TOKEN_TYPE, vol.Optional(ATTR_GROUP): GROUP},
    ),
    "stop_charging": Action(handler=_stop_charging, fields={}),
    "set_charging_profile": Action(
        handler=_set_charging_profile,
        fields={
            vol.Required(ATTR_SCHEDULE): vol.All(cv.ensure_list, vol.Length(min=1), [PERIOD]),
            vol.Optional(ATTR_DURATION): DURATION,
        },
    ),
    "get_composite_schedule": Action(
        handler=_get_composite_schedule,
        fields={vol.Optional(ATTR_DURATION, default=timedelta(hours=1)): DURATION, vol.Optional(ATTR_UNIT): vol.In(("A", "W"))},
        response=SupportsResponse.ONLY,
    ),
}
