"""The flow that adds and changes a PV system or a home battery, with its meter. What it stores is applied without a reload."""

from collections.abc import Mapping
from typing import Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, SubentryFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import BooleanSelector, TextSelector
import probatio as vol

from . import fields
from .circuit_tree import circuit_names, circuit_phases, is_fed, wired_phases
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
from .meter_settings import MeterPlace
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
        counted = vol.Required(CONF_COUNTED, default=True)
        return await self._ask(ResourceKind.PV, {counted: BooleanSelector()}, user_input)

    async def async_step_battery(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about a home battery."""
        gives_way, counted = vol.Required(CONF_GIVES_WAY, default=False), vol.Required(CONF_COUNTED, default=False)
        return await self._ask(ResourceKind.BATTERY, {gives_way: BooleanSelector(), counted: BooleanSelector()}, user_input)

    @override
    async def async_step_meter(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask what kind of meter there is: without one nothing could be said of it."""
        return self.async_show_menu(step_id="meter", menu_options=["modbus", "serial", "entities", "rest"])

    async def _ask(
        self, kind: ResourceKind, of_its_kind: dict[vol.Marker, object], user_input: Mapping[str, Any] | None
    ) -> SubentryFlowResult:
        """Ask about it, and go on with what was said; other phases than before need the meter set up anew."""
        entry = self._get_entry()
        before = self._get_reconfigure_subentry() if self.source == SOURCE_RECONFIGURE else None
        errors = {}
        if user_input:
            if is_fed(user_input, circuit_phases(entry, user_input[CONF_CIRCUIT])):
                self._described = {CONF_KIND: str(kind), **user_input}
                suits = before is not None and len(self._phases_of(before.data)) == len(self._phases_of(user_input))
                return self.keep() if suits else await self.async_step_meter()
            errors = {CONF_WIRED_TO: "not_fed"}
        circuit_id = MAIN_CIRCUIT_ID if before is None else before.data[CONF_CIRCUIT]
        schema: dict[vol.Marker, object] = {
            vol.Required(CONF_NAME): TextSelector(),
            **fields.hangs_on(CONF_CIRCUIT, circuit_names(entry), circuit_id),
            **fields.wired_to(entry.data[CONF_PHASES]),
            vol.Required(CONF_MOST_A, default=DEFAULT_RESOURCE_A): fields.amps(1, fields.FUSE_MOST_A),
            **of_its_kind,
        }
        stored = {}
        if before is not None:
            stored = {key: value for key, value in before.data.items() if key != CONF_CIRCUIT} | {CONF_NAME: before.title}
        return self.async_show_form(
            step_id=str(kind),
            data_schema=self.add_suggested_values_to_schema(vol.Schema(schema), user_input or stored),
            errors=errors,
            last_step=before is not None,
        )

    def _phases_of(self, data: Mapping[str, Any]) -> tuple[Any, ...]:
        return wired_phases(data, circuit_phases(self._get_entry(), data[CONF_CIRCUIT]))

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
