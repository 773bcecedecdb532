"""The solver of the look-ahead: installed where the machine has a wheel of it, and not missed much where it has none."""

from contextlib import suppress
import logging

from homeassistant.core import HomeAssistant
from homeassistant.requirements import RequirementsNotFound, async_process_requirements
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .engine.programme import available

_LOGGER = logging.getLogger(__name__)

REQUIREMENT = "highspy>=1.11,<2"
"""Not in the manifest: there are no wheels for 32-bit machines, and a site works without."""

SOLVER_MISSING: HassKey[bool] = HassKey(f"{DOMAIN}_solver_missing")
"""That it is missing was said."""


async def async_install_solver(hass: HomeAssistant) -> bool:
    """Install the solver where that can be done; returns whether it is there. May take minutes the first time."""
    with suppress(RequirementsNotFound):
        await async_process_requirements(hass, DOMAIN, [REQUIREMENT], is_built_in=False)
    there = await hass.async_add_executor_job(available)
    if not there and not hass.data.get(SOLVER_MISSING, False):
        _LOGGER.warning("HiGHS is not available on this machine: plans are made without a solver, by departure")
    hass.data[SOLVER_MISSING] = not there
    return there
