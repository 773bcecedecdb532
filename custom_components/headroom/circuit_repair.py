"""The repair of what hung on a circuit that was deleted: a person says where it hangs."""

from collections.abc import Mapping
from typing import Any

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers import issue_registry as ir
import probatio as vol

from . import fields
from .circuit_tree import circuit_names, circuit_phases, circuits_above, is_fed
from .const import CONF_CIRCUIT, CONF_PARENT, SUBENTRY_CIRCUIT, SUBENTRY_RESOURCE, SUBENTRY_STATION
from .issue import Issue
from .repair_flow import OnePageFlow

CIRCUIT_GONE = "circuit_gone"
NAMED_AS: Mapping[str, str] = {SUBENTRY_STATION: CONF_CIRCUIT, SUBENTRY_RESOURCE: CONF_CIRCUIT, SUBENTRY_CIRCUIT: CONF_PARENT}
"""How what hangs on a circuit names it, by the type of its subentry."""


def circuit_issues(entry: ConfigEntry) -> dict[str, Issue]:
    """Return an issue for all that names a circuit which was deleted, by id."""
    circuits = circuit_names(entry)
    return {
        f"{CIRCUIT_GONE}_{entry.entry_id}_{subentry_id}": Issue(CIRCUIT_GONE, ir.IssueSeverity.ERROR, {"name": subentry.title}, subentry_id)
        for subentry_id, subentry in entry.subentries.items()
        if (named_as := NAMED_AS.get(subentry.subentry_type)) is not None and subentry.data[named_as] not in circuits
    }


class CircuitGoneFlow(OnePageFlow):
    """Put what hung on a circuit that was deleted on another one."""

    async def page(self, user_input: dict[str, Any] | None) -> RepairsFlowResult:
        """Begin with it."""
        return await self.async_step_circuit(user_input)

    async def async_step_circuit(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask where it hangs, and store that; it holds at once."""
        if (entry := self._running) is None or (subentry := entry.subentries.get(self._about)) is None:
            return self.async_abort(reason="gone")
        named_as = NAMED_AS[subentry.subentry_type]
        if user_input is None:
            below_another = subentry.subentry_type == SUBENTRY_CIRCUIT
            circuits = circuits_above(entry, self._about) if below_another else circuit_names(entry)
            feeding = {
                circuit_id: name for circuit_id, name in circuits.items() if is_fed(subentry.data, circuit_phases(entry, circuit_id))
            }
            return self.async_show_form(
                step_id="circuit",
                data_schema=vol.Schema({vol.Required(CONF_CIRCUIT): fields.choice(feeding)}),
                description_placeholders={"name": subentry.title},
            )
        self.hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, named_as: user_input[CONF_CIRCUIT]})
        entry.runtime_data.async_apply()  # nothing is left to do where the entry's update listener was faster
        return self.async_create_entry(data={})
