"""The flow that adds and changes a circuit below the main fuse, with a meter of its own. What it stores is applied without a reload."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import SOURCE_RECONFIGURE, SubentryFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import TextSelector
import probatio as vol

from . import fields
from .circuit_tree import circuit_names, circuit_phases, circuits_above, is_fed, parent_of, unfed, wired_phases
from .const import (
    CONF_FUSE_A,
    CONF_LIMIT_KW,
    CONF_MARGIN_A,
    CONF_PARENT,
    CONF_PHASES,
    CONF_UNMANAGED_WORST_A,
    CONF_WIRED_TO,
    DEFAULT_FUSE_A,
    DEFAULT_MARGIN_A,
    MAIN_CIRCUIT_ID,
    SECTION_ADVANCED,
    SUBENTRY_RESOURCE,
)
from .engine.model import Phase
from .measured_flow import MeasuredFlow
from .meter_settings import NO_METER, MeterPlace

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
        entry, changing = self._get_entry(), self.source == SOURCE_RECONFIGURE
        errors: dict[str, str] = {}
        others: list[str] = []
        if user_input:
            phases = self._phases_of(user_input)
            errors = fields.circuit_errors(user_input, CONF_UNMANAGED_WORST_A)
            others = unfed(entry, self._reconfigure_subentry_id, phases) if changing else []
            if not is_fed(user_input, circuit_phases(entry, user_input[CONF_PARENT])):
                errors[CONF_WIRED_TO] = "not_fed"
            elif others:
                errors[CONF_WIRED_TO] = "others_not_fed"
            if not errors:
                self._described = {CONF_LIMIT_KW: None} | fields.flat(user_input)
                return self.keep() if changing and self._suits_meter(phases) else await self.async_step_meter()
        return self.async_show_form(
            step_id="circuit" if changing else "user",
            data_schema=self.add_suggested_values_to_schema(self._schema(entry), user_input or self._stored()),
            errors=errors,
            description_placeholders={"others": ", ".join(others)},
            last_step=changing,
        )

    def _phases_of(self, data: Mapping[str, Any]) -> tuple[Phase, ...]:
        return wired_phases(data, circuit_phases(self._get_entry(), data[CONF_PARENT]))

    def _suits_meter(self, phases: tuple[Phase, ...]) -> bool:
        """Tell whether the circuit's meter goes with these conductors: it need not be set up anew."""
        return self.stored_meter == NO_METER or len(phases) == len(circuit_phases(self._get_entry(), self._reconfigure_subentry_id))

    def _schema(self, entry: ConfigEntry) -> vol.Schema:
        """Return the form. A circuit can't hang on itself nor on what hangs on it."""
        circuits, parent_id = circuit_names(entry), MAIN_CIRCUIT_ID
        if self.source == SOURCE_RECONFIGURE:
            parent_id = parent_of(entry, self._reconfigure_subentry_id)
            circuits = circuits_above(entry, self._reconfigure_subentry_id)
        conductors = entry.data[CONF_PHASES]
        return vol.Schema(
            {
                vol.Required(CONF_NAME): TextSelector(),
                **fields.hangs_on(CONF_PARENT, circuits, parent_id),
                **fields.wired_to(conductors),
                vol.Required(CONF_FUSE_A, default=DEFAULT_FUSE_A): fields.amps(1, fields.FUSE_MOST_A),
                vol.Required(CONF_MARGIN_A, default=DEFAULT_MARGIN_A): fields.amps(0, fields.FUSE_MOST_A),
                vol.Required(CONF_UNMANAGED_WORST_A, default=0): fields.amps(0, fields.FUSE_MOST_A),
                vol.Required(SECTION_ADVANCED): fields.advanced(fields.constraints(conductors)),
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
        return MeterPlace.of(self._get_entry().data, self.described[CONF_FUSE_A], phases=len(self._phases_of(self.described)))

    @property
    @override
    def generates(self) -> bool | None:
        """Whether a PV system or battery was added to the site: it may be on this circuit. None without one: nobody may have said so yet."""
        return True if self._get_entry().get_subentries_of_type(SUBENTRY_RESOURCE) else None
