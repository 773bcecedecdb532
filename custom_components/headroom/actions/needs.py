"""Actions on what a driver needs: how much energy, until when."""

from collections.abc import Mapping
from datetime import datetime, time, timedelta

from homeassistant.core import ServiceCall
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
import probatio as vol

from ..commands import set_need
from ..errors import invalid
from .action import Action, evse_of

ATTR_DEPARTURE = "departure"
ATTR_ENERGY = "energy_kwh"
ATTR_PAUSABLE = "pausable"
ATTR_STATE_OF_CHARGE = "state_of_charge"

ENERGY = vol.All(vol.Coerce(float), vol.Range(min=0, max=1000))
PERCENT = vol.All(vol.Coerce(float), vol.Range(min=0, max=100))


def departure_of(said: datetime | time | None) -> datetime | None:
    """Return the moment that is meant, aware: of a time of day, the next one by Home Assistant's clock."""
    if said is None:
        return None
    if isinstance(said, datetime):
        return dt_util.as_utc(said)
    now = dt_util.now()
    at = datetime.combine(now.date(), said, now.tzinfo)
    return dt_util.as_utc(at if at > now else at + timedelta(days=1))


async def _set_need(call: ServiceCall) -> None:
    coordinator, key = evse_of(call)
    fields = (ATTR_ENERGY, ATTR_DEPARTURE, ATTR_STATE_OF_CHARGE, ATTR_PAUSABLE)
    if not any(field in call.data for field in fields):
        raise invalid("need_empty")
    energy_kwh: float | None = call.data.get(ATTR_ENERGY)
    charge_pct: float | None = call.data.get(ATTR_STATE_OF_CHARGE)
    set_need(
        coordinator,
        key,
        energy_wh=None if energy_kwh is None else energy_kwh * 1000,
        departs_at=departure_of(call.data.get(ATTR_DEPARTURE)),
        state_of_charge=None if charge_pct is None else charge_pct / 100,
        pausable=call.data.get(ATTR_PAUSABLE),
    )


async def _clear_need(call: ServiceCall) -> None:
    coordinator, key = evse_of(call)
    coordinator.site.clear_need(key)


ACTIONS: Mapping[str, Action] = {
    "set_need": Action(
        handler=_set_need,
        fields={
            vol.Optional(ATTR_ENERGY): ENERGY,
            vol.Optional(ATTR_DEPARTURE): vol.Any(cv.datetime, cv.time),
            vol.Optional(ATTR_STATE_OF_CHARGE): PERCENT,
            vol.Optional(ATTR_PAUSABLE): cv.boolean,
        },
    ),
    "clear_need": Action(handler=_clear_need, fields={}),
}
