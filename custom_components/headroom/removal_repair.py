"""The repair of a station that was removed and may let something flow yet: a person says that it is off."""

from typing import TYPE_CHECKING, Any

from homeassistant.components.repairs import RepairsFlow, RepairsFlowResult
from homeassistant.config_entries import ConfigEntry, ConfigEntryState
from homeassistant.helpers import issue_registry as ir
import probatio as vol

from .issue import Issue
from .site.snapshot import LeavingStation, SiteSnapshot

if TYPE_CHECKING:  # the coordinator raises these repairs
    from .coordinator import HeadroomConfigEntry

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


class StationRemovedFlow(RepairsFlow):
    """Let go of what is reserved for a station that was removed."""

    def __init__(self, entry: HeadroomConfigEntry | None, identity: str) -> None:
        """Take the site (None: it is gone) and the station's identity."""
        self._entry = entry
        self._identity = identity

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Begin."""
        return await self.async_step_confirm()

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Have a person say that the station is off."""
        entry = self._entry
        if entry is None or entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(reason="gone")
        if (station := entry.runtime_data.site.snapshot.leaving.get(self._identity)) is None:
            return self.async_abort(reason="gone")
        if user_input is None:
            placeholders = _placeholders(self._identity, station)
            return self.async_show_form(step_id="confirm", data_schema=vol.Schema({}), description_placeholders=placeholders)
        entry.runtime_data.site.let_go(self._identity)
        return self.async_create_entry(data={})
