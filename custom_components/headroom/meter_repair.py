"""The repair of a meter that was seen to count the wrong way round, or not to see the cars: a person may say that it was put right."""

from collections.abc import Mapping
from typing import Any

from homeassistant.components.repairs import RepairsFlowResult
import probatio as vol

from .metering.fault import Fault
from .repair_flow import OnePageFlow
from .site.snapshot import CircuitSnapshot

METER_TURNED = "meter_turned"
METER_UNSEEN = "meter_unseen"
METER_SEEN_AS: Mapping[Fault, str] = {Fault.TURNED: METER_TURNED, Fault.UNSEEN: METER_UNSEEN}
"""The issue's translation key for what was seen of a meter that is heard and not believed."""


def meter_placeholders(circuit: CircuitSnapshot) -> dict[str, str]:
    """Return which circuit it is, and what is reckoned with there meanwhile."""
    return {"circuit": circuit.circuit.name, "worst_case_a": f"{max(circuit.circuit.unmanaged_worst_a):g}"}


class MeterSeenFlow(OnePageFlow):
    """Believe the meter again."""

    async def page(self, user_input: dict[str, Any] | None) -> RepairsFlowResult:
        """Begin with it."""
        return await self.async_step_confirm(user_input)

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Have a person say that it was put right; the next cars show whether it is so."""
        if (entry := self._running) is None or (circuit := entry.runtime_data.site.snapshot.circuits.get(self._about)) is None:
            return self.async_abort(reason="gone")
        if user_input is None:
            return self.async_show_form(step_id="confirm", data_schema=vol.Schema({}), description_placeholders=meter_placeholders(circuit))
        entry.runtime_data.site.meter_changed(self._about)
        return self.async_create_entry(data={})
