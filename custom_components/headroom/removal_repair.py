"""The repair of a station or an EVSE that was removed and may let something flow yet: a person says that it is off."""

from typing import Any

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers import issue_registry as ir
import probatio as vol

from .issue import Issue
from .repair_flow import OnePageFlow
from .site.snapshot import LeavingStation, SiteSnapshot

STATION_REMOVED = "station_removed"
EVSE_REMOVED = "evse_removed"


def removal_issues(entry: ConfigEntry, snapshot: SiteSnapshot) -> dict[str, Issue]:
    """Return an issue for each station and EVSE that was removed while it held something, by id."""
    issues = {}
    for leaver, station in snapshot.leaving.items():
        key = STATION_REMOVED if station.evse_id is None else EVSE_REMOVED
        issues[f"{key}_{entry.entry_id}_{leaver}"] = Issue(key, ir.IssueSeverity.WARNING, _placeholders(station), leaver)
    return issues


def _placeholders(station: LeavingStation) -> dict[str, str]:
    of_evse = {} if station.evse_id is None else {"evse_id": str(station.evse_id)}
    current = f"{station.holds_a:g}"
    return {"station": station.name, "identity": station.identity, "circuit": station.circuit, "current": current, **of_evse}


class StationRemovedFlow(OnePageFlow):
    """Let go of what is reserved for a station or an EVSE that was removed."""

    async def page(self, user_input: dict[str, Any] | None) -> RepairsFlowResult:
        """Begin with it."""
        return await self.async_step_confirm(user_input)

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Have a person say that it is off."""
        if (entry := self._running) is None or (station := entry.runtime_data.site.snapshot.leaving.get(self._about)) is None:
            return self.async_abort(reason="gone")
        if user_input is None:
            return self.async_show_form(step_id="confirm", data_schema=vol.Schema({}), description_placeholders=_placeholders(station))
        entry.runtime_data.site.let_go(self._about)
        return self.async_create_entry(data={})
