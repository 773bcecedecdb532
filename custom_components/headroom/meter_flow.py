"""The steps that ask for a meter and read it before it is kept, wherever they are walked: for the site, a circuit, or what else is measured."""

from abc import abstractmethod
import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from homeassistant.const import CONF_HOST, CONF_MODEL, CONF_PORT, CONF_TYPE
from homeassistant.data_entry_flow import FlowContext, FlowHandler, FlowResult
from homeassistant.helpers.selector import BooleanSelector, EntitySelector, EntitySelectorConfig, TextSelector
import probatio as vol

from . import fields
from .const import (
    CONF_CURRENT,
    CONF_EXPORT_ENERGY,
    CONF_IMPORT_ENERGY,
    CONF_INVERT,
    CONF_POWER,
    CONF_POWER_TOTAL,
    CONF_UNIT_ID,
    DEFAULT_MODBUS_PORT,
    DEFAULT_UNIT_ID,
    METER_ENTITIES,
    METER_MODBUS,
    SECTION_ADVANCED,
)
from .engine.model import ALL_PHASES, Phase
from .meter_settings import NO_METER, MeterPlace, MeterSettings, meter_of
from .metering.maps import METERS
from .metering.reading import MeterError, Reading

PROBE_TIMEOUT_S = 15.0


def modbus_schema() -> vol.Schema:
    """Return the form about a meter that speaks Modbus TCP."""
    models = {key: meter.name for key, meter in METERS.items()}
    return vol.Schema(
        {
            vol.Required(CONF_MODEL, default=next(iter(models))): fields.choice(models),
            vol.Required(CONF_HOST): TextSelector(),
            vol.Required(CONF_PORT, default=DEFAULT_MODBUS_PORT): fields.whole(1, 65535),
            vol.Required(CONF_UNIT_ID, default=DEFAULT_UNIT_ID): fields.whole(0, 255),
            vol.Required(SECTION_ADVANCED): fields.advanced({vol.Required(CONF_INVERT, default=False): BooleanSelector()}),
        }
    )


def entities_schema(phases: int) -> vol.Schema:
    """Return the form about the entities that measure a connection with so many phases."""
    current = EntitySelector(EntitySelectorConfig(filter={"domain": "sensor", "device_class": "current"}))
    power = EntitySelector(EntitySelectorConfig(filter={"domain": "sensor", "device_class": "power"}))
    schema: dict[vol.Marker, object] = {}
    for key, entity in ((CONF_CURRENT, current), (CONF_POWER, power)):
        schema |= {vol.Optional(f"{key}{phase}"): entity for phase in range(1, phases + 1)}
    schema[vol.Optional(CONF_POWER_TOTAL)] = power
    energy = EntitySelector(EntitySelectorConfig(filter={"domain": "sensor", "device_class": "energy"}))
    schema[vol.Required(SECTION_ADVANCED)] = fields.advanced(
        {
            vol.Required(CONF_INVERT, default=False): BooleanSelector(),
            vol.Optional(CONF_IMPORT_ENERGY): energy,
            vol.Optional(CONF_EXPORT_ENERGY): energy,
        }
    )
    return vol.Schema(schema)


class MeterSteps[ContextT: FlowContext, ResultT: FlowResult[Any, Any], HandlerT](FlowHandler[ContextT, ResultT, HandlerT]):
    """Asks for a meter, a new one or one that is changed."""

    _candidate: Mapping[str, Any] = MappingProxyType({})
    """The meter that is being tried."""

    @property
    @abstractmethod
    def meter_place(self) -> MeterPlace:
        """Where the meter is."""

    @property
    @abstractmethod
    def stored_meter(self) -> Mapping[str, Any]:
        """The meter that there is so far."""

    @abstractmethod
    async def async_keep_meter(self, meter: dict[str, Any]) -> ResultT:
        """Keep the meter that was chosen."""

    async def async_step_meter(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask what kind of meter there is."""
        return self.async_show_menu(step_id="meter", menu_options=["modbus", "entities", "no_meter"])

    async def async_step_modbus(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask about a meter that speaks Modbus TCP."""
        if user_input:
            self._candidate = {CONF_TYPE: METER_MODBUS, **fields.flat(user_input)}
            layout = METERS[user_input[CONF_MODEL]]
            if 0 < max(len(layout.current.addresses), len(layout.power.addresses)) < self.meter_place.phases:
                return self._meter_form(METER_MODBUS, field=CONF_MODEL, error="too_few_phases")
            return await self.async_step_meter_live()
        return self._meter_form(METER_MODBUS)

    async def async_step_entities(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask for the entities that are the meter."""
        if user_input:
            self._candidate = {CONF_TYPE: METER_ENTITIES, **fields.flat(user_input)}
            given = [sum(key.startswith(prefix) for key in user_input) for prefix in (CONF_CURRENT, CONF_POWER)]
            if not {*given} <= {0, self.meter_place.phases} or not (any(given) or CONF_POWER_TOTAL in user_input):
                return self._meter_form(METER_ENTITIES, error="entities_incomplete")
            return await self.async_step_meter_live()
        return self._meter_form(METER_ENTITIES)

    async def async_step_no_meter(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Go on without a meter: the worst case is reckoned with always."""
        self._candidate = NO_METER
        return await self.async_step_meter_accept()

    async def async_step_meter_live(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Read the meter now and show what it said."""
        kind = self._candidate[CONF_TYPE]
        try:
            reading = await self._probe()
        except TimeoutError:
            return self._meter_form(kind, error="meter_silent")
        except MeterError as error:
            return self._meter_form(kind, error="meter_failed", cause=str(error))
        power = "–" if reading.power_w is None else f"{reading.power_w:.0f} W"
        currents = ", ".join(f"{phase.name} {reading.current_a[phase]:.1f} A" for phase in self._phases)
        return self.async_show_menu(
            step_id="meter_live",
            menu_options=["meter_accept", "meter_live", kind],
            description_placeholders={"source": reading.source, "currents": currents, "power": power},
        )

    async def async_step_meter_accept(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Keep the meter."""
        return await self.async_keep_meter(dict(self._candidate))

    @property
    def _phases(self) -> Sequence[Phase]:
        return ALL_PHASES[: self.meter_place.phases]

    async def _probe(self) -> Reading:
        """Return a reading of the meter that is being tried."""
        meter = meter_of(self.hass, MeterSettings(stored=self._candidate, place=self.meter_place))
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await meter.probe()

    def _meter_form(self, kind: str, *, field: str = "base", error: str | None = None, cause: str = "") -> ResultT:
        """Show a meter's form with what was entered last or is stored."""
        known = next((meter for meter in (self._candidate, self.stored_meter) if meter.get(CONF_TYPE) == kind), {})
        schema = modbus_schema() if kind == METER_MODBUS else entities_schema(self.meter_place.phases)
        suggested = {**known, SECTION_ADVANCED: known} if known else None
        return self.async_show_form(
            step_id=kind,
            data_schema=self.add_suggested_values_to_schema(schema, suggested),
            errors={field: error} if error else {},
            description_placeholders={"cause": cause},
            last_step=False,
        )
