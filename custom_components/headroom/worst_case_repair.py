"""The repair of a circuit that was seen to draw more than its worst case: a person may say that it does not come again."""

from typing import TYPE_CHECKING, Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.helpers import issue_registry as ir
import probatio as vol

from .issue import Issue
from .site.snapshot import CircuitSnapshot, SiteSnapshot

if TYPE_CHECKING:  # the coordinator raises these repairs
    from .coordinator import HeadroomConfigEntry

WORST_CASE_EXCEEDED = "worst_case_exceeded"


def worst_case_issues(entry: ConfigEntry, snapshot: SiteSnapshot) -> dict[str, Issue]:
    """Return an issue for each circuit that was seen to draw more than its worst case, by id."""
    return {
        f"{WORST_CASE_EXCEEDED}_{entry.entry_id}_{circuit_id}": Issue(
            WORST_CASE_EXCEEDED, ir.IssueSeverity.WARNING, _placeholders(circuit), circuit_id
        )
        for circuit_id, circuit in snapshot.circuits.items()
        if any(circuit.worst_seen_a)
    }


def _placeholders(circuit: CircuitSnapshot) -> dict[str, str]:
    """Return what was seen and what was said of the phase on which they are furthest apart."""
    seen_a, said_a = max(zip(circuit.worst_seen_a, circuit.worst_said_a, strict=True), key=lambda each: each[0] - each[1])
    return {"circuit": circuit.circuit.name, "seen_a": f"{seen_a:g}", "said_a": f"{said_a:g}"}


class WorstCaseFlow(RepairsFlow):
    """Forget what was seen."""

    def __init__(self, entry: HeadroomConfigEntry | None, circuit_id: str) -> None:
        """Take the site (None: it is gone) and the circuit."""
        self._entry = entry
        self._circuit_id = circuit_id

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Have a person say that it does not come again."""
        entry = self._entry
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="gone")
        if (circuit := entry.runtime_data.site.snapshot.circuits.get(self._circuit_id)) is None:
            return self.async_abort(reason="gone")
        if user_input is None:
            return self.async_show_form(step_id="confirm", data_schema=vol.Schema({}), description_placeholders=_placeholders(circuit))
        entry.runtime_data.site.forget_worst(self._circuit_id)
        return self.async_create_entry(data={})
