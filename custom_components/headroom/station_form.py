"""What is asked of a person about a charging station, wherever it is asked: in the subentry flow and in the repair."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_NAME
from homeassistant.helpers.selector import BooleanSelector, TextSelector
import probatio as vol

from . import fields
from .circuit_tree import circuit_names, circuit_phases
from .configuration import ROTATIONS, evse_rotations
from .const import (
    CONF_CIRCUIT,
    CONF_EVSE_COUNT,
    CONF_EVSE_ID,
    CONF_EVSES,
    CONF_IDENTITY,
    CONF_MAX_A,
    CONF_PHASES,
    CONF_ROTATION,
    CONF_SWITCHES_PHASES,
    DEFAULT_EVSE_A,
    EVSE_LEAST_A,
    EVSE_MOST_A,
    MAIN_CIRCUIT_ID,
    ROTATION_UNKNOWN,
    SPLIT_PHASE,
    SUBENTRY_STATION,
)
from .csms.listening import IDENTITY
from .engine.model import ALL_PHASES
from .site.snapshot import PendingStation

if TYPE_CHECKING:  # the coordinator raises the repairs, and they are made of these forms
    from .coordinator import HeadroomConfigEntry

EVSES_MOST = 32


def pending_stations(entry: HeadroomConfigEntry) -> Mapping[str, PendingStation]:
    """Return the stations that wait for approval; none while the site is not running."""
    return entry.runtime_data.data.pending if entry.state is ConfigEntryState.LOADED else {}


def evse_ids_told(entry: HeadroomConfigEntry, identity: str) -> tuple[int, ...]:
    """Return the ids of the EVSEs that a station reported; none where it has not said yet."""
    if entry.state is not ConfigEntryState.LOADED:
        return ()
    snapshot = entry.runtime_data.data
    station = snapshot.pending.get(identity) or snapshot.stations.get(identity)
    return tuple(sorted(evse_id for evse_id in station.inventory.evse_connectors if evse_id > 0)) if station else ()


@dataclass(slots=True)
class StationDraft:
    """A station while it is being described: first the station, then one EVSE after the other.

    `identity` is empty as long as a person has to choose it. `before` is the data of the subentry that is being changed.
    """

    entry: HeadroomConfigEntry
    identity: str = ""
    name: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    _circuit: str = MAIN_CIRCUIT_ID
    _told: tuple[int, ...] = ()
    _evse_ids: tuple[int, ...] = ()
    _evses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def data(self) -> dict[str, Any]:
        """The station subentry's data."""
        return {CONF_IDENTITY: self.identity, CONF_CIRCUIT: self._circuit, CONF_EVSES: self._evses}

    @property
    def complete(self) -> bool:
        """Whether every EVSE is described."""
        return len(self._evses) == len(self._evse_ids) > 0

    def station_schema(self) -> vol.Schema:
        """Return the form about the station itself."""
        schema: dict[vol.Marker, object] = {}
        if not self.identity:
            waiting = {
                identity: " ".join((identity, *(part for part in (pending.info.vendor, pending.info.model) if part)))
                for identity, pending in pending_stations(self.entry).items()
            }
            first = {"default": next(iter(waiting))} if waiting else {}
            schema[vol.Required(CONF_IDENTITY, **first)] = fields.choice(waiting, custom=True)
        suggested = {"suggested_value": self.name or self.identity}
        schema[vol.Optional(CONF_NAME, description=suggested)] = TextSelector()
        schema |= fields.hangs_on(CONF_CIRCUIT, circuit_names(self.entry), self.before.get(CONF_CIRCUIT, MAIN_CIRCUIT_ID))
        self._told = evse_ids_told(self.entry, self.identity)
        if not self._told:
            schema[vol.Required(CONF_EVSE_COUNT, default=len(self.before.get(CONF_EVSES, ())) or 1)] = fields.whole(1, EVSES_MOST)
        return vol.Schema(schema)

    def submit_station(self, user_input: Mapping[str, Any]) -> dict[str, str]:
        """Take the answers about the station; returns the errors by field."""
        identity = self.identity or user_input[CONF_IDENTITY].strip()
        if not self.identity:
            if not IDENTITY.fullmatch(identity):
                return {CONF_IDENTITY: "invalid_identity"}
            if any(identity == station.unique_id for station in self.entry.get_subentries_of_type(SUBENTRY_STATION)):
                return {CONF_IDENTITY: "identity_taken"}
        self.identity = identity
        self.name = user_input.get(CONF_NAME, "").strip() or identity
        self._circuit = user_input[CONF_CIRCUIT]
        # A station that told its EVSEs when the form was shown may be gone by now.
        self._evse_ids = evse_ids_told(self.entry, identity) or self._told or self._numbered(user_input[CONF_EVSE_COUNT])
        self._evses = []
        return {}

    def _numbered(self, count: int) -> tuple[int, ...]:
        """Return the ids of so many EVSEs: those there were before, then the next numbers (OCPP counts EVSEs from 1 without gaps)."""
        before = [evse[CONF_EVSE_ID] for evse in self.before.get(CONF_EVSES, ())][:count]
        highest = max(before, default=0)
        return (*before, *range(highest + 1, highest + 1 + count - len(before)))

    def evse_schema(self) -> vol.Schema:
        """Return the form about the next EVSE. Where the site has one conductor, only its current is open; on two legs its place says its phases."""
        before: Mapping[str, Any] = next((evse for evse in self.before.get(CONF_EVSES, ()) if evse[CONF_EVSE_ID] == self._evse_id), {})
        schema: dict[vol.Marker, object] = {}
        if self._three_phases:
            schema[vol.Required(CONF_PHASES, default=str(before.get(CONF_PHASES, 3)))] = fields.phases()
        if rotations := evse_rotations(self._conductors):
            rotation = before.get(CONF_ROTATION, ROTATION_UNKNOWN if self._three_phases else rotations[0])
            schema[vol.Required(CONF_ROTATION, default=rotation if rotation in rotations else rotations[0])] = fields.rotation(
                self._conductors
            )
        schema[vol.Required(CONF_MAX_A, default=before.get(CONF_MAX_A, DEFAULT_EVSE_A))] = fields.amps(EVSE_LEAST_A, EVSE_MOST_A, 1)
        if self._three_phases:
            schema[vol.Required(CONF_SWITCHES_PHASES, default=before.get(CONF_SWITCHES_PHASES, False))] = BooleanSelector()
        return vol.Schema(schema)

    def evse_placeholders(self) -> dict[str, str]:
        """Name the EVSE that is asked about."""
        return {"station": self.name, "evse_id": str(self._evse_id), "number": str(len(self._evses) + 1), "count": str(len(self._evse_ids))}

    def submit_evse(self, user_input: Mapping[str, Any]) -> dict[str, str]:
        """Take the answers about the next EVSE; returns the errors by field."""
        rotation = user_input[CONF_ROTATION] if self._conductors > 1 else ROTATION_UNKNOWN
        phases = int(user_input[CONF_PHASES]) if self._three_phases else SPLIT_PHASE if rotation in ROTATIONS[SPLIT_PHASE] else 1
        if rotation not in ROTATIONS[phases]:
            return {CONF_ROTATION: "rotation_mismatch"}
        evse = {CONF_EVSE_ID: self._evse_id, CONF_PHASES: phases, CONF_ROTATION: rotation, CONF_MAX_A: user_input[CONF_MAX_A]}
        if phases == 3 and user_input.get(CONF_SWITCHES_PHASES):
            evse[CONF_SWITCHES_PHASES] = True
        self._evses.append(evse)
        return {}

    @property
    def _evse_id(self) -> int:
        return self._evse_ids[len(self._evses)]

    @property
    def _conductors(self) -> int:
        return len(circuit_phases(self.entry, self._circuit))

    @property
    def _three_phases(self) -> bool:
        return self._conductors == len(ALL_PHASES)
