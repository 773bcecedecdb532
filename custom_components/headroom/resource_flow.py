"""The flow that adds and changes a PV system or a home battery, with its meter. What it stores is applied without a reload."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, SubentryFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import BooleanSelector, TextSelector
import probatio as vol

from . import fields
from .configuration import circuit_names
from .const import (
    CONF_CIRCUIT,
    CONF_COUNTED,
    CONF_GIVES_WAY,
    CONF_KIND,
    CONF_MOST_A,
    CONF_PHASES,
    CONF_WIRED_TO,
    DEFAULT_RESOURCE_A,
    MAIN_CIRCUIT_ID,
)
from .measured_flow import MeasuredFlow
from .meter_settings import MeterPlace, resource_phases
from .site.resource import ResourceKind


class ResourceFlow(MeasuredFlow):
    """Add or change a PV system or a home battery."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask which of the two it is."""
        return self.async_show_menu(step_id="user", menu_options=["pv", "battery"])

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Let a person choose what to change."""
        subentry = self._get_reconfigure_subentry()
        battery = subentry.data[CONF_KIND] == ResourceKind.BATTERY
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=["battery" if battery else "pv", "meter"],
            description_placeholders={"name": subentry.title},
        )

    async def async_step_pv(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about a PV system."""
        if user_input:
            return await self._go_on(ResourceKind.PV, user_input)
        counted = vol.Required(CONF_COUNTED, default=True)
        return self._form("pv", {counted: BooleanSelector()})

    async def async_step_battery(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about a home battery."""
        if user_input:
            return await self._go_on(ResourceKind.BATTERY, user_input)
        gives_way, counted = vol.Required(CONF_GIVES_WAY, default=False), vol.Required(CONF_COUNTED, default=False)
        return self._form("battery", {gives_way: BooleanSelector(), counted: BooleanSelector()})

    @override
    async def async_step_meter(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what kind of meter there is: without one nothing could be said of it."""
        return self.async_show_menu(step_id="meter", menu_options=["modbus", "serial", "entities", "rest"])

    def _form(self, step_id: str, of_its_kind: dict[vol.Marker, object]) -> SubentryFlowResult:
        entry = self._get_entry()
        changing = self.source == SOURCE_RECONFIGURE
        before = self._get_reconfigure_subentry() if changing else None
        circuit_id = MAIN_CIRCUIT_ID if before is None else before.data[CONF_CIRCUIT]
        schema: dict[vol.Marker, object] = {
            vol.Required(CONF_NAME): TextSelector(),
            **fields.hangs_on(CONF_CIRCUIT, circuit_names(entry), circuit_id),
        }
        if entry.data[CONF_PHASES] != 1:
            schema[vol.Required(CONF_WIRED_TO, default="L1L2L3")] = fields.wired_to(entry.data[CONF_PHASES])
        schema |= {vol.Required(CONF_MOST_A, default=DEFAULT_RESOURCE_A): fields.amps(1, fields.FUSE_MOST_A), **of_its_kind}
        stored = {}
        if before is not None:
            stored = {key: value for key, value in before.data.items() if key != CONF_CIRCUIT} | {CONF_NAME: before.title}
        return self.async_show_form(
            step_id=step_id, data_schema=self.add_suggested_values_to_schema(vol.Schema(schema), stored), last_step=changing
        )

    async def _go_on(self, kind: ResourceKind, user_input: Mapping[str, Any]) -> SubentryFlowResult:
        """Go on with what was said; other phases than before need the meter set up anew."""
        before = self._get_reconfigure_subentry().data if self.source == SOURCE_RECONFIGURE else None
        self._described = {CONF_KIND: str(kind), **user_input}
        if before is None or len(self._phases_of(before)) != len(self._phases_of(self._described)):
            return await self.async_step_meter()
        return self.keep()

    def _phases_of(self, data: Mapping[str, Any]) -> tuple[Any, ...]:
        return resource_phases(data, self._get_entry().data)

    @property
    @override
    def measures(self) -> ResourceKind:
        """What is measured."""
        return ResourceKind(self.described[CONF_KIND])

    @property
    @override
    def meter_place(self) -> MeterPlace:
        """Between it and its circuit."""
        return MeterPlace.of(self._get_entry().data, self.described[CONF_MOST_A], phases=len(self._phases_of(self.described)))
