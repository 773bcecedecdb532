"""The form that asks for the quarter-hour's peak."""

from abc import abstractmethod
from typing import Any

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_TYPE, Platform
from homeassistant.helpers.selector import (
    BooleanSelector,
    EntitySelector,
    EntitySelectorConfig,
    EntityWithDeviceFilterSelectorConfig,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)
import probatio as vol

from . import fields
from .const import (
    CONF_METER,
    CONF_PEAK,
    CONF_PEAK_CONTRACT_KW,
    CONF_PEAK_FOLLOWS_MONTH,
    CONF_PEAK_GOAL_KW,
    CONF_PEAK_MONTH,
    CONF_PEAK_WINDOW,
    METER_NONE,
    PEAK_LEAST_KW,
    PEAK_MOST_KW,
    SECTION_ADVANCED,
)


def _kilowatts() -> NumberSelector:
    config = NumberSelectorConfig(min=PEAK_LEAST_KW, max=PEAK_MOST_KW, step=0.1, unit_of_measurement="kW", mode=NumberSelectorMode.BOX)
    return NumberSelector(config)


def _power() -> EntitySelector:
    powers = EntityWithDeviceFilterSelectorConfig(domain=Platform.SENSOR, device_class=SensorDeviceClass.POWER)
    return EntitySelector(EntitySelectorConfig(filter=powers))


PEAK_SCHEMA = vol.Schema(
    {
        vol.Optional(CONF_PEAK_GOAL_KW): _kilowatts(),
        vol.Required(CONF_PEAK_FOLLOWS_MONTH, default=False): BooleanSelector(),
        vol.Required(SECTION_ADVANCED): fields.advanced(
            {
                vol.Optional(CONF_PEAK_CONTRACT_KW): _kilowatts(),
                vol.Optional(CONF_PEAK_WINDOW): _power(),
                vol.Optional(CONF_PEAK_MONTH): _power(),
            }
        ),
    }
)


class PeakSteps(ConfigFlow):
    """Asks for the peak of a site that is there already."""

    @property
    @abstractmethod
    def stored(self) -> dict[str, Any]:
        """The data of the entry that is being changed."""

    @abstractmethod
    def keep(self, **changes: Any) -> ConfigFlowResult:
        """Keep what was changed of the entry's data."""

    async def async_step_peak(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask what no quarter-hour's average is to exceed; with every field empty that is nothing."""
        errors: dict[str, str] = {}
        if user_input is not None:
            peak = fields.flat(user_input)
            wanted = any(peak.get(key) for key in (CONF_PEAK_GOAL_KW, CONF_PEAK_FOLLOWS_MONTH, CONF_PEAK_CONTRACT_KW))
            if not wanted or self.stored[CONF_METER][CONF_TYPE] != METER_NONE:
                return self.keep(**{CONF_PEAK: peak})
            errors = {"base": "peak_needs_meter"}
        kept = self.stored.get(CONF_PEAK, {})
        suggested = user_input or {**kept, SECTION_ADVANCED: kept}
        return self.async_show_form(
            step_id="peak", data_schema=self.add_suggested_values_to_schema(PEAK_SCHEMA, suggested), errors=errors, last_step=True
        )
