"""The repair of a station that was removed and may let something flow yet: a person says that it is off."""

from typing import Any

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.config_entries import ConfigEntry
from homeassistant.helpers import issue_registry as ir
import probatio as vol

from .issue import Issue
from .repair_flow import OnePageFlow
from .site.snapshot import LeavingStation, SiteSnapshot

STATION_REMOVED = "station_removed"


def removal_issues(entry: ConfigEntry, snapshot: SiteSnapshot) -> dict[str, Issue]:
    """Return an issue for each station that was removed while it held something, by id."""
    return {
        f"{STATION_REMOVED}_{entry.entry_id}_{identity}": Issue(
            STATION_REMOVED, ir.IssueSeverity.WARNING, _placeholders(identity, station), identity
        )
        for identity, station in snapshot.leaving.items()
    }


def _placeholders(identity: str, station: LeavingStation) -> dict[str, str]:
    return {"station": station.name, "identity": identity, "circuit": station.circuit, "current": f"{station.holds_a:g}"}


class StationRemovedFlow(OnePageFlow):
    """Let go of what is reserved for a station that was removed."""

    async def page(self, user_input: dict[str, Any] | None) -> RepairsFlowResult:
        """Begin with it."""
        return await self.async_step_confirm(user_input)

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Have a person say that the station is off."""
        if (entry := self._running) is None or (station := entry.runtime_data.site.snapshot.leaving.get(self._about)) is None:
            return self.async_abort(reason="gone")
        if user_input is None:
            placeholders = _placeholders(self._about, station)
            return self.async_show_form(step_id="confirm", data_schema=vol.Schema({}), description_placeholders=placeholders)
        entry.runtime_data.site.let_go(self._about)
        return self.async_create_entry(data={})
