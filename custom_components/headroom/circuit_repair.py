"""The repair of what hung on a circuit that was deleted: a person says where it hangs."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.helpers import issue_registry as ir
import probatio as vol

from . import fields
from .configuration import circuit_names, circuits_above
from .const import CONF_CIRCUIT, CONF_PARENT, SUBENTRY_CIRCUIT, SUBENTRY_RESOURCE, SUBENTRY_STATION
from .issue import Issue

if TYPE_CHECKING:  # the coordinator raises these repairs
    from .coordinator import HeadroomConfigEntry

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


class CircuitGoneFlow(RepairsFlow):
    """Put what hung on a circuit that was deleted on another one."""

    def __init__(self, entry: HeadroomConfigEntry | None, subentry_id: str) -> None:
        """Take the site (None: it is gone) and the subentry of what hangs nowhere."""
        self._entry = entry
        self._subentry_id = subentry_id

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_circuit()

    async def async_step_circuit(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Ask where it hangs, and store that; it holds at once."""
        entry = self._entry
        if entry is None or entry.state is not ConfigEntryState.LOADED or (subentry := entry.subentries.get(self._subentry_id)) is None:
            return self.async_abort(reason="gone")
        named_as = NAMED_AS[subentry.subentry_type]
        if user_input is None:
            below_another = subentry.subentry_type == SUBENTRY_CIRCUIT
            circuits = circuits_above(entry, self._subentry_id) if below_another else circuit_names(entry)
            return self.async_show_form(
                step_id="circuit",
                data_schema=vol.Schema({vol.Required(CONF_CIRCUIT): fields.choice(circuits)}),
                description_placeholders={"name": subentry.title},
            )
        self.hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, named_as: user_input[CONF_CIRCUIT]})
        entry.runtime_data.async_apply()  # nothing is left to do where the entry's update listener was faster
        return self.async_create_entry(data={})
