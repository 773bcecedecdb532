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
ATTR_POWER = "power"
ATTR_SOURCE = "source"

DEFAULT_SOURCE = "automation"
KILOWATTS = vol.All(vol.Coerce(float), vol.Range(min=0, max=1000))


async def _set_limit(call: ServiceCall) -> None:
    """Set a limit from outside on a circuit; the same source's earlier limit there is replaced."""
    coordinator, circuit_id = circuit_of(call)
    limit_a: float | None = call.data.get(ATTR_CURRENT)
    limit_kw: float | None = call.data.get(ATTR_POWER)
    if (limit_a is None) == (limit_kw is None):
        raise invalid("one_limit")
    duration: timedelta | None = call.data.get(ATTR_DURATION)
    coordinator.site.set_external_limit(
        call.data[ATTR_SOURCE],
        circuit_id,
        limit_a=limit_a,
        limit_w=None if limit_kw is None else limit_kw * 1000,
        duration_s=duration.total_seconds() if duration else None,
    )


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
