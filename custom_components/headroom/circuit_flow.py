"""The flow that adds and changes a circuit below the main fuse, with a meter of its own. What it stores is applied without a reload."""

from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, SubentryFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import TextSelector
import probatio as vol

from . import fields
from .configuration import circuit_names, circuits_above, parent_of
from .const import (
    CONF_FUSE_A,
    CONF_LIMIT_KW,
    CONF_MARGIN_A,
    CONF_PARENT,
    CONF_PHASES,
    CONF_UNMANAGED_WORST_A,
    DEFAULT_FUSE_A,
    DEFAULT_MARGIN_A,
    MAIN_CIRCUIT_ID,
    SECTION_ADVANCED,
    SUBENTRY_RESOURCE,
)
from .measured_flow import MeasuredFlow
from .meter_settings import MeterPlace

if TYPE_CHECKING:
    from homeassistant.config_entries import ConfigEntry


class CircuitFlow(MeasuredFlow):
    """Add or change a circuit below the site's main fuse."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about a new circuit, then about its meter."""
        return await self._ask(user_input)

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Let a person choose what to change."""
        subentry = self._get_reconfigure_subentry()
        return self.async_show_menu(
            step_id="reconfigure", menu_options=["circuit", "meter"], description_placeholders={"circuit": subentry.title}
        )

    async def async_step_circuit(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask again about a circuit that there is."""
        return await self._ask(user_input)

    async def _ask(self, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        errors = fields.circuit_errors(user_input, CONF_UNMANAGED_WORST_A) if user_input else {}
        if user_input and not errors:
            self._described = {CONF_LIMIT_KW: None} | fields.flat(user_input)
            return self.keep() if self.source == SOURCE_RECONFIGURE else await self.async_step_meter()
        entry = self._get_entry()
        changing = self.source == SOURCE_RECONFIGURE
        return self.async_show_form(
            step_id="circuit" if changing else "user",
            data_schema=self.add_suggested_values_to_schema(self._schema(entry), user_input or self._stored()),
            errors=errors,
            last_step=changing,
        )

    def _schema(self, entry: ConfigEntry) -> vol.Schema:
        """Return the form. A circuit can't hang on itself nor on what hangs on it."""
        circuits, parent_id = circuit_names(entry), MAIN_CIRCUIT_ID
        if self.source == SOURCE_RECONFIGURE:
            parent_id = parent_of(entry, self._reconfigure_subentry_id)
            circuits = circuits_above(entry, self._reconfigure_subentry_id)
        return vol.Schema(
            {
                vol.Required(CONF_NAME): TextSelector(),
                **fields.hangs_on(CONF_PARENT, circuits, parent_id),
                vol.Required(CONF_FUSE_A, default=DEFAULT_FUSE_A): fields.amps(1, fields.FUSE_MOST_A),
                vol.Required(CONF_MARGIN_A, default=DEFAULT_MARGIN_A): fields.amps(0, fields.FUSE_MOST_A),
                vol.Required(CONF_UNMANAGED_WORST_A, default=0): fields.amps(0, fields.FUSE_MOST_A),
                vol.Required(SECTION_ADVANCED): fields.advanced(fields.constraints(entry.data[CONF_PHASES])),
            }
        )

    def _stored(self) -> dict[str, Any]:
        """Return what is to be changed; nothing where a circuit is added."""
        if self.source != SOURCE_RECONFIGURE:
            return {}
        subentry = self._get_reconfigure_subentry()
        described = {key: value for key, value in subentry.data.items() if key != CONF_PARENT}
        return {**described, CONF_NAME: subentry.title, SECTION_ADVANCED: subentry.data}

    @property
    @override
    def meter_place(self) -> MeterPlace:
        """The circuit's fuse."""
        return MeterPlace.of(self._get_entry().data, self.described[CONF_FUSE_A])

    @property
    @override
    def generates(self) -> bool | None:
        """Whether a PV system or battery was added to the site: it may be on this circuit. None without one: nobody may have said so yet."""
        return True if self._get_entry().get_subentries_of_type(SUBENTRY_RESOURCE) else None
