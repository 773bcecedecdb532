"""The repair of a circuit that was seen to draw more than its worst case: a person may say that it does not come again."""

from typing import Any

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers import issue_registry as ir
import probatio as vol

from .issue import Issue
from .repair_flow import OnePageFlow
from .site.snapshot import CircuitSnapshot, SiteSnapshot

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


class WorstCaseFlow(OnePageFlow):
    """Forget what was seen."""

    async def page(self, user_input: dict[str, Any] | None) -> RepairsFlowResult:
        """Begin with it."""
        return await self.async_step_confirm(user_input)

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Have a person say that it does not come again."""
        if (entry := self._running) is None or (circuit := entry.runtime_data.site.snapshot.circuits.get(self._about)) is None:
            return self.async_abort(reason="gone")
        if user_input is None:
            return self.async_show_form(step_id="confirm", data_schema=vol.Schema({}), description_placeholders=_placeholders(circuit))
        entry.runtime_data.site.forget_worst(self._about)
        return self.async_create_entry(data={})
