"""The flows that add and change circuits and charging stations. What they store is applied without a reload."""

from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import SOURCE_RECONFIGURE, ConfigSubentryFlow, SubentryFlowResult
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import TextSelector
import probatio as vol

from . import fields
from .configuration import circuit_names, circuits_below, parent_of
from .const import (
    CONF_FUSE_A,
    CONF_IDENTITY,
    CONF_MARGIN_A,
    CONF_PARENT,
    CONF_UNMANAGED_WORST_A,
    DEFAULT_FUSE_A,
    DEFAULT_MARGIN_A,
    MAIN_CIRCUIT_ID,
)
from .station_form import StationDraft

if TYPE_CHECKING:
    from homeassistant.config_entries import ConfigEntry


class CircuitFlow(ConfigSubentryFlow):
    """Add or change a circuit below the site's main fuse."""

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about the circuit."""
        entry = self._get_entry()
        changing = self.source == SOURCE_RECONFIGURE
        errors = fields.circuit_errors(user_input, CONF_UNMANAGED_WORST_A) if user_input else {}
        if user_input and not errors:
            data = dict(user_input)
            name = data.pop(CONF_NAME)
            if changing:
                return self.async_update_and_abort(entry, self._get_reconfigure_subentry(), title=name, data=data)
            return self.async_create_entry(title=name, data=data)
        return self.async_show_form(
            step_id="reconfigure" if changing else "user",
            data_schema=self.add_suggested_values_to_schema(self._schema(entry), user_input or self._stored(entry)),
            errors=errors,
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask again."""
        return await self.async_step_user(user_input)

    def _schema(self, entry: ConfigEntry) -> vol.Schema:
        """Return the form. A circuit can't hang on itself nor on what hangs on it."""
        circuits = circuit_names(entry)
        if self.source == SOURCE_RECONFIGURE:
            circuit_id = self._reconfigure_subentry_id
            barred = circuits_below(entry, circuit_id) | {circuit_id}
            circuits = {other: name for other, name in circuits.items() if other not in barred}
        return vol.Schema(
            {
                vol.Required(CONF_NAME): TextSelector(),
                vol.Required(CONF_PARENT, default=MAIN_CIRCUIT_ID): fields.choice(circuits),
                vol.Required(CONF_FUSE_A, default=DEFAULT_FUSE_A): fields.amps(1, fields.FUSE_MOST_A),
                vol.Required(CONF_MARGIN_A, default=DEFAULT_MARGIN_A): fields.amps(0, fields.FUSE_MOST_A),
                vol.Required(CONF_UNMANAGED_WORST_A, default=0): fields.amps(0, fields.FUSE_MOST_A),
            }
        )

    def _stored(self, entry: ConfigEntry) -> dict[str, Any]:
        """Return what is to be changed; nothing where a circuit is added."""
        if self.source != SOURCE_RECONFIGURE:
            return {}
        subentry = self._get_reconfigure_subentry()
        return {**subentry.data, CONF_NAME: subentry.title, CONF_PARENT: parent_of(entry, subentry.subentry_id)}


class StationFlow(ConfigSubentryFlow):
    """Add or change a charging station and its EVSEs."""

    _draft: StationDraft | None = None

    @property
    def draft(self) -> StationDraft:
        """The station as described so far."""
        if self._draft is None:
            self._draft = StationDraft(self._get_entry())
            if self.source == SOURCE_RECONFIGURE:
                subentry = self._get_reconfigure_subentry()
                self._draft = StationDraft(self._get_entry(), subentry.data[CONF_IDENTITY], subentry.title, subentry.data)
        return self._draft

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about the station."""
        schema = self.draft.station_schema()
        errors = self.draft.submit_station(user_input) if user_input else {}
        if user_input and not errors:
            return await self.async_step_evse()
        changing = self.source == SOURCE_RECONFIGURE
        return self.async_show_form(
            step_id="reconfigure" if changing else "user",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders={"identity": self.draft.identity} if changing else None,
            last_step=False,
        )

    async def async_step_reconfigure(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask again."""
        return await self.async_step_user(user_input)

    async def async_step_evse(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask about one EVSE after the other."""
        errors = self.draft.submit_evse(user_input) if user_input else {}
        if self.draft.complete:
            return self._finish()
        return self.async_show_form(
            step_id="evse",
            data_schema=self.add_suggested_values_to_schema(self.draft.evse_schema(), user_input if errors else None),
            errors=errors,
            description_placeholders=self.draft.evse_placeholders(),
        )

    def _finish(self) -> SubentryFlowResult:
        draft = self.draft
        if self.source == SOURCE_RECONFIGURE:
            return self.async_update_and_abort(draft.entry, self._get_reconfigure_subentry(), title=draft.name, data=draft.data)
        return self.async_create_entry(title=draft.name, data=draft.data, unique_id=draft.identity)
