"""The steps that ask for a meter and read it before it is kept, wherever they are walked: for the site, a circuit, or what else is measured."""

from abc import abstractmethod
import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from homeassistant.const import CONF_MODEL, CONF_TYPE
from homeassistant.data_entry_flow import FlowContext, FlowHandler, FlowResult
from homeassistant.helpers import entity_registry as er
import probatio as vol

from . import fields
from .const import (
    CONF_INVERT,
    CONF_METER,
    CONF_PHASE_ORDER,
    CONF_UNIT_ID,
    DOMAIN,
    METER_ENTITIES,
    METER_MODBUS,
    METER_REST,
    METER_SERIAL,
    MODEL_AUTO,
)
from .engine.model import ALL_PHASES, Phase
from .meter_faults import in_words
from .meter_findings import async_words, look_at
from .meter_forms import kept, meter_schema, suggested, unmeasured
from .meter_settings import NO_METER, PHASES_IN_ORDER, MeterPlace, MeterSettings, ceiling_a, line_of, meter_of, tells_one_power
from .metering.combine import evenly
from .metering.detection import Candidate, detect
from .metering.maps import METERS
from .metering.reading import ImplausibleError, MeterError, Reading
from .site.resource import ResourceKind

PROBE_TIMEOUT_S = 15.0
DETECT_TIMEOUT_S = 25.0
READINGS_KEPT = 5
"""So many looks at a meter are shown and judged, the newest ones."""
CONF_CANDIDATE = "candidate"


class MeterSteps[ContextT: FlowContext, ResultT: FlowResult[Any, Any], HandlerT](FlowHandler[ContextT, ResultT, HandlerT]):
    """Asks for a meter, a new one or one that is changed."""

    _candidate: Mapping[str, Any] = MappingProxyType({})
    """The meter that is being tried."""
    _found: Sequence[Candidate] = ()
    """The models that it may be."""
    _readings: tuple[Reading, ...] = ()
    """What it said, the newest last."""

    @property
    @abstractmethod
    def meter_place(self) -> MeterPlace:
        """Where the meter is."""

    @property
    @abstractmethod
    def stored_meter(self) -> Mapping[str, Any]:
        """The meter that there is so far."""

    @property
    def measures(self) -> ResourceKind | None:
        """What is measured, where it is no connection of loads."""
        return None

    @property
    def generates(self) -> bool | None:
        """Whether something behind the meter gives power; None where nobody said."""
        return None

    @abstractmethod
    async def async_keep_meter(self, meter: dict[str, Any]) -> ResultT:
        """Keep the meter that was chosen."""

    async def async_step_meter(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask what kind of meter there is."""
        return self.async_show_menu(step_id="meter", menu_options=["modbus", "serial", "entities", "rest", "no_meter"])

    async def async_step_modbus(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask about a meter that speaks Modbus over the network."""
        return await self._ask_meter(METER_MODBUS, user_input)

    async def async_step_serial(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask about a meter that speaks Modbus on a serial line."""
        return await self._ask_meter(METER_SERIAL, user_input)

    async def async_step_entities(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask for the entities that are the meter."""
        return await self._ask_meter(METER_ENTITIES, user_input)

    async def async_step_rest(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask for the document that is the meter."""
        return await self._ask_meter(METER_REST, user_input)

    async def async_step_no_meter(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Go on without a meter: the worst case is reckoned with always."""
        self._candidate = NO_METER
        return await self.async_step_meter_accept()

    async def _ask_meter(self, kind: str, user_input: Mapping[str, Any] | None) -> ResultT:
        if not user_input:
            return self._meter_form(kind)
        known = self._known(kind)
        order = {CONF_PHASE_ORDER: known[CONF_PHASE_ORDER]} if CONF_PHASE_ORDER in known else {}
        self._candidate, self._readings = {CONF_TYPE: kind, **order, **kept(kind, user_input, known)}, ()
        if errors := unmeasured(kind, self._candidate, self.meter_place.phases) or self._own(kind):
            return self._meter_form(kind, errors)
        if self._candidate.get(CONF_MODEL) == MODEL_AUTO:
            return await self._detect(kind)
        return await self.async_step_meter_live()

    def _own(self, kind: str) -> dict[str, str]:
        """Return that an entity is this integration's own, by field: it is written anew each turn, and never looks old."""
        registry = er.async_get(self.hass)
        chosen = [registry.async_get(one) for one in self._candidate.values() if isinstance(one, str)] if kind == METER_ENTITIES else []
        return {"base": "own_entity"} if any(one is not None and one.platform == DOMAIN for one in chosen) else {}

    async def _detect(self, kind: str) -> ResultT:
        """Find out which meter it is."""
        place = self.meter_place
        try:
            self._found = await detect(
                line_of(self._candidate),
                device_ids=(self._candidate[CONF_UNIT_ID],),
                phases=place.phases,
                voltage_v=place.voltage_v,
                ceiling_a=ceiling_a(place),
                time_limit_s=DETECT_TIMEOUT_S,
            )
        except MeterError as error:
            return self._meter_form(kind, {"base": "meter_failed"}, cause=in_words(self.hass, error.trouble))
        self._found = [one for one in self._found if not unmeasured(kind, {**self._candidate, CONF_MODEL: one.model}, place.phases)]
        if not self._found:
            return self._meter_form(kind, {CONF_MODEL: "model_unknown"})
        return await self.async_step_meter_found()

    async def async_step_meter_found(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Let a person say which of the models that fit it is."""
        if user_input:
            self._candidate = {**self._candidate, CONF_MODEL: user_input[CONF_CANDIDATE]}
            return await self.async_step_meter_live()
        labels = {one.model: self._in_words(one) for one in self._found}
        schema = vol.Schema({vol.Required(CONF_CANDIDATE, default=next(iter(labels))): fields.choice(labels, listed=True)})
        return self.async_show_form(step_id="meter_found", data_schema=schema, last_step=False)

    def _in_words(self, one: Candidate) -> str:
        """Return a model that fits in a line: what it is, what it calls itself, what it says."""
        shown = [METERS[one.model].name, one.said, in_words(self.hass, one.error) if one.reading is None else self._currents(one.reading)]
        return " · ".join(text for text in shown if text)

    async def async_step_meter_live(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Read the meter now and show what it said, what it said before, and what that tells."""
        kind = self._candidate[CONF_TYPE]
        try:
            reading = await self._probe()
        except TimeoutError:
            return self._meter_form(kind, {"base": "meter_silent"})
        except ImplausibleError as error:
            said, _ = self._judged((error.reading,))
            return self._meter_form(
                kind, {"base": "meter_implausible"}, cause=in_words(self.hass, error.trouble), said=await async_words(self.hass, said)
            )
        except MeterError as error:
            return self._meter_form(kind, {"base": "meter_failed"}, cause=in_words(self.hass, error.trouble))
        before = self._readings
        self._readings = (*before, reading)[-READINGS_KEPT:]
        said, swapped = self._judged(self._readings)
        power = "–" if reading.power_w is None else f"{reading.power_w:.0f} W"
        # What seems to be wrong is put right by the first button.
        fix, accept = ("meter_invert", "meter_accept") if swapped else ("meter_accept", "meter_invert")
        order = ["meter_order"] if self.meter_place.phases == len(ALL_PHASES) and not self._total_only else []
        return self.async_show_menu(
            step_id="meter_live",
            menu_options=[fix, "meter_live", accept, *order, kind],
            description_placeholders={
                "source": reading.source,
                "currents": self._currents(reading),
                "power": power,
                "before": "; ".join(self._currents(each) for each in reversed(before)) or "–",
                "said": await async_words(self.hass, said),
            },
        )

    async def async_step_meter_invert(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Swap import and export, and look again."""
        self._candidate, self._readings = {**self._candidate, CONF_INVERT: not self._candidate[CONF_INVERT]}, ()
        return await self.async_step_meter_live()

    async def async_step_meter_order(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Ask on which conductor each of the meter's phases is, and look again."""
        if user_input:
            self._candidate, self._readings = {**self._candidate, **user_input}, ()
            return await self.async_step_meter_live()
        order = vol.Required(CONF_PHASE_ORDER, default=self._candidate.get(CONF_PHASE_ORDER, PHASES_IN_ORDER))
        return self.async_show_form(step_id="meter_order", data_schema=vol.Schema({order: fields.phase_order()}), last_step=False)

    async def async_step_meter_accept(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Keep the meter."""
        return await self.async_keep_meter(dict(self._candidate))

    @property
    def _phases(self) -> Sequence[Phase]:
        return ALL_PHASES[: self.meter_place.phases]

    def _currents(self, reading: Reading) -> str:
        """Return the currents as they are reckoned with; a PV system's or battery's total is spread evenly."""
        place, current_a = self.meter_place, reading.current_a
        if self.measures and self._total_only and reading.power_w is not None:
            current_a = evenly(reading.power_w, phases=place.phases, voltage_v=place.voltage_v)
        return ", ".join(f"{phase.name} {current_a[phase]:.1f} A" for phase in self._phases)

    @property
    def _total_only(self) -> bool:
        return tells_one_power({CONF_METER: self._candidate})

    def _judged(self, readings: Sequence[Reading]) -> tuple[Any, bool]:
        place, sun = self.meter_place, self.hass.states.get("sun.sun")
        return look_at(
            readings,
            phases=place.phases,
            voltage_v=place.voltage_v,
            generation=self.generates,
            night=None if sun is None else sun.state == "below_horizon",
            of=self.measures,
            total_only=self._total_only,
        )

    async def _probe(self) -> Reading:
        """Return a reading of the meter that is being tried."""
        meter = meter_of(self.hass, MeterSettings(stored=self._candidate, place=self.meter_place))
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            return await meter.probe()

    def _known(self, kind: str) -> Mapping[str, Any]:
        """Return what is known of a meter of this kind: what was entered last, or is stored."""
        return next((meter for meter in (self._candidate, self.stored_meter) if meter.get(CONF_TYPE) == kind), {})

    def _meter_form(self, kind: str, errors: dict[str, str] | None = None, *, cause: str = "", said: str = "") -> ResultT:
        """Show a meter's form with what was entered last or is stored."""
        schema = meter_schema(kind, self.meter_place.phases)
        return self.async_show_form(
            step_id=kind,
            data_schema=self.add_suggested_values_to_schema(schema, suggested(self._known(kind))),
            errors=errors or {},
            description_placeholders={"cause": cause, "said": said},
            last_step=False,
        )
