"""The repair of a station that was proven to be wired to other grid phases than somebody said."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.components.repairs import RepairsFlowResult
from homeassistant.helpers import issue_registry as ir
import probatio as vol

from .const import CONF_EVSE_ID, CONF_EVSES, CONF_ROTATION, ROTATION_UNKNOWN, SUBENTRY_STATION
from .engine.model import Phase
from .issue import Issue
from .repair_flow import OnePageFlow
from .site.config import EvseKey
from .site.snapshot import SiteSnapshot
from .site.wiring import PhaseMap
from .station_access import station_subentry

if TYPE_CHECKING:  # the coordinator raises these repairs
    from .coordinator import HeadroomConfigEntry

PHASE_MAP_WRONG = "phase_map_wrong"
ANY = "?"
"""How a conductor is written of which nothing is proven."""


def conductor_names(conductors: tuple[Phase | None, ...]) -> str:
    """Return the conductors behind an EVSE's terminals as a person reads them."""
    return ", ".join(ANY if phase is None else phase.name for phase in conductors)


def right_rotation(phase_map: PhaseMap) -> str:
    """Return what the form should say: what was learnt, if it was learnt whole, else that it is not known; what is learnt counts then."""
    known = [phase.name for phase in phase_map.learnt if phase is not None]
    return "".join(known) if known and len(known) == len(phase_map.learnt) else ROTATION_UNKNOWN


def _wrong(snapshot: SiteSnapshot, identity: str) -> Mapping[EvseKey, PhaseMap]:
    """Return the maps of a station's EVSEs that were proven wrong."""
    return {
        key: evse.phase_map
        for key, evse in snapshot.evses.items()
        if key.station == identity and evse.phase_map is not None and evse.phase_map.contradicted
    }


def _placeholders(name: str, wrong: Mapping[EvseKey, PhaseMap]) -> dict[str, str]:
    lines = (
        f"- EVSE {key.evse_id}: {conductor_names(each.said or ())} → **{conductor_names(each.learnt)}**" for key, each in wrong.items()
    )
    return {"station": name, "evses": "\n".join(lines)}


def phase_map_issues(entry: HeadroomConfigEntry, snapshot: SiteSnapshot) -> dict[str, Issue]:
    """Return an issue for each station that is wired otherwise than somebody said, by id."""
    issues = {}
    names = {station.unique_id: station.title for station in entry.get_subentries_of_type(SUBENTRY_STATION)}
    for identity in dict.fromkeys(key.station for key in snapshot.evses):
        if wrong := _wrong(snapshot, identity):
            placeholders = _placeholders(names.get(identity, identity), wrong)
            issues[f"{PHASE_MAP_WRONG}_{entry.entry_id}_{identity}"] = Issue(
                PHASE_MAP_WRONG, ir.IssueSeverity.WARNING, placeholders, identity
            )
    return issues


class PhaseMapFlow(OnePageFlow):
    """Put right which grid phases are behind a station's terminals."""

    async def page(self, user_input: dict[str, Any] | None) -> RepairsFlowResult:
        """Begin with it."""
        return await self.async_step_confirm(user_input)

    async def async_step_confirm(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Show what is wrong, and store what is right; it holds at once."""
        if (entry := self._running) is None or (subentry := station_subentry(entry, self._about)) is None:
            return self.async_abort(reason="station_gone")
        wrong = _wrong(entry.runtime_data.data, self._about)
        if user_input is None:
            return self.async_show_form(
                step_id="confirm", data_schema=vol.Schema({}), description_placeholders=_placeholders(subentry.title, wrong)
            )
        right = {key.evse_id: right_rotation(phase_map) for key, phase_map in wrong.items()}
        evses = [{**evse, CONF_ROTATION: right.get(evse[CONF_EVSE_ID], evse[CONF_ROTATION])} for evse in subentry.data[CONF_EVSES]]
        self.hass.config_entries.async_update_subentry(entry, subentry, data={**subentry.data, CONF_EVSES: evses})
        entry.runtime_data.async_apply()  # nothing is left to do where the entry's update listener was faster
        return self.async_create_entry(data={})
