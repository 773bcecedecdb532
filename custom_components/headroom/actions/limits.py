"""Actions on the site itself: limits from outside, and why the loop decided as it did."""

from collections.abc import Mapping
from datetime import timedelta

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
import probatio as vol

from ..diagnostics import as_json
from ..errors import invalid
from ..site.decision import DECISIONS_KEPT
from .action import AMPS, ATTR_DURATION, DURATION, Action, circuit_of, target

ATTR_COUNT = "count"
ATTR_CURRENT = "current"
ATTR_FAILSAFE_CURRENT = "failsafe_current"
ATTR_FAILSAFE_DURATION = "failsafe_duration"
ATTR_FAILSAFE_POWER = "failsafe_power"
ATTR_HEARTBEAT = "heartbeat"
ATTR_POWER = "power"
ATTR_SOURCE = "source"

DEFAULT_SOURCE = "automation"
KILOWATTS = vol.All(vol.Coerce(float), vol.Range(min=0, max=1000))


async def _set_limit(call: ServiceCall) -> None:
    """Set a limit from outside on a circuit; the same source's earlier limit there is replaced, and it counts as heard.

    With a heartbeat and a failsafe it may be without a limit: its source is alive, and limits nothing now.
    """
    coordinator, circuit_id = circuit_of(call)
    limit_a, limit_w = call.data.get(ATTR_CURRENT), _watts(call.data.get(ATTR_POWER))
    failsafe_a, failsafe_w = call.data.get(ATTR_FAILSAFE_CURRENT), _watts(call.data.get(ATTR_FAILSAFE_POWER))
    heartbeat_s, failsafe_s = _seconds(call.data.get(ATTR_HEARTBEAT)), _seconds(call.data.get(ATTR_FAILSAFE_DURATION))
    failsafes = sum(each is not None for each in (failsafe_a, failsafe_w))
    if failsafes != (heartbeat_s is not None) or (failsafe_s is not None and heartbeat_s is None):
        raise invalid("failsafe_incomplete")
    limits = sum(each is not None for each in (limit_a, limit_w))
    if limits > 1 or (limits == 0 and heartbeat_s is None):
        raise invalid("one_limit")
    coordinator.site.set_external_limit(
        call.data[ATTR_SOURCE],
        circuit_id,
        limit_a=limit_a,
        limit_w=limit_w,
        duration_s=_seconds(call.data.get(ATTR_DURATION)),
        silent_after_s=heartbeat_s,
        failsafe_a=failsafe_a,
        failsafe_w=failsafe_w,
        failsafe_s=failsafe_s,
    )


def _watts(kilowatts: float | None) -> float | None:
    return None if kilowatts is None else kilowatts * 1000


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


async def _clear_limit(call: ServiceCall) -> None:
    coordinator, circuit_id = circuit_of(call)
    coordinator.site.clear_external_limit(call.data[ATTR_SOURCE], circuit_id)


async def _get_decisions(call: ServiceCall) -> ServiceResponse:
    """Return the newest decisions of the loop, the oldest of them first."""
    coordinator, _ = target(call)
    return {"decisions": as_json(coordinator.site.documents(call.data[ATTR_COUNT]))}


ACTIONS: Mapping[str, Action] = {
    "set_limit": Action(
        handler=_set_limit,
        fields={
            vol.Optional(ATTR_CURRENT): AMPS,
            vol.Optional(ATTR_POWER): KILOWATTS,
            vol.Optional(ATTR_DURATION): DURATION,
            vol.Optional(ATTR_HEARTBEAT): DURATION,
            vol.Optional(ATTR_FAILSAFE_CURRENT): AMPS,
            vol.Optional(ATTR_FAILSAFE_POWER): KILOWATTS,
            vol.Optional(ATTR_FAILSAFE_DURATION): DURATION,
            vol.Optional(ATTR_SOURCE, default=DEFAULT_SOURCE): cv.string,
        },
    ),
    "clear_limit": Action(handler=_clear_limit, fields={vol.Optional(ATTR_SOURCE, default=DEFAULT_SOURCE): cv.string}),
    "get_decisions": Action(
        handler=_get_decisions,
        fields={vol.Optional(ATTR_COUNT, default=10): vol.All(vol.Coerce(int), vol.Range(min=1, max=DECISIONS_KEPT))},
        response=SupportsResponse.ONLY,
    ),
}
