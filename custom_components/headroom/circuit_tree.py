"""The tree of circuits as a config entry stores it, and the grid's conductors that everything in it hangs on."""

from collections.abc import Iterator, Mapping
from typing import Any

from homeassistant.config_entries import ConfigEntry

from .const import CONF_CIRCUIT, CONF_PARENT, CONF_PHASES, CONF_WIRED_TO, MAIN_CIRCUIT_ID, SUBENTRY_CIRCUIT
from .engine.model import ALL_PHASES, Phase
from .site.config import GONE_CIRCUIT_ID

WIRINGS: Mapping[str, tuple[Phase, ...]] = {"L1L2L3": ALL_PHASES} | {phase.name: (phase,) for phase in ALL_PHASES}
"""The grid's conductors that something hangs on, by what the forms call them."""


def site_phases(data: Mapping[str, Any]) -> tuple[Phase, ...]:
    """Return the conductors the site's connection has, from a config entry's data."""
    return ALL_PHASES[: int(data[CONF_PHASES])]


def is_fed(data: Mapping[str, Any], fed: tuple[Phase, ...]) -> bool:
    """Tell whether what feeds something has any of the conductors that it is said to hang on."""
    return any(phase in fed for phase in WIRINGS[data.get(CONF_WIRED_TO, "L1L2L3")])


def wired_phases(data: Mapping[str, Any], fed: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """Return the conductors that something hangs on, of those that feed it; all of these where nobody was asked."""
    return tuple(phase for phase in WIRINGS[data.get(CONF_WIRED_TO, "L1L2L3")] if phase in fed) or fed


def circuit_phases(entry: ConfigEntry, circuit_id: str) -> tuple[Phase, ...]:
    """Return the conductors that a circuit has: what it is wired to, of what feeds it."""
    phases, circuit_id = site_phases(entry.data), existing(entry, circuit_id)
    for each in reversed([circuit_id, *_upwards(entry, circuit_id)]):
        if each in entry.subentries:
            phases = wired_phases(entry.subentries[each].data, phases)
    return phases


def unfed(entry: ConfigEntry, circuit_id: str, phases: tuple[Phase, ...]) -> list[str]:
    """Return the names of what hangs on a circuit, however deep, by conductors that it would not have with these."""
    below = {circuit_id, *circuits_below(entry, circuit_id)}
    on_it = (each for each in entry.subentries.values() if {each.data.get(CONF_PARENT), each.data.get(CONF_CIRCUIT)} & below)
    return [each.title for each in on_it if not is_fed(each.data, phases)]


def circuit_names(entry: ConfigEntry) -> dict[str, str]:
    """Return the site's circuits by id, the root first."""
    circuits = entry.get_subentries_of_type(SUBENTRY_CIRCUIT)
    return {MAIN_CIRCUIT_ID: entry.title} | {circuit.subentry_id: circuit.title for circuit in circuits}


def parent_of(entry: ConfigEntry, circuit_id: str) -> str:
    """Return the circuit that a circuit hangs on.

    `GONE_CIRCUIT_ID` takes the place of a circuit that was deleted. The root breaks a ring, should one have come about.
    """
    above = list(_upwards(entry, circuit_id))
    return MAIN_CIRCUIT_ID if above[-1] == circuit_id else above[0]


def circuits_below(entry: ConfigEntry, circuit_id: str) -> set[str]:
    """Return the ids of the circuits that hang on this one, however deep."""
    others = (circuit.subentry_id for circuit in entry.get_subentries_of_type(SUBENTRY_CIRCUIT) if circuit.subentry_id != circuit_id)
    return {other for other in others if circuit_id in _upwards(entry, other)}


def circuits_above(entry: ConfigEntry, circuit_id: str) -> dict[str, str]:
    """Return the circuits that this one may hang on, by id: any but itself and what hangs on it."""
    barred = circuits_below(entry, circuit_id) | {circuit_id}
    return {other: name for other, name in circuit_names(entry).items() if other not in barred}


def _upwards(entry: ConfigEntry, circuit_id: str) -> Iterator[str]:
    """Yield the circuits above this one, the nearest first, up to the root or to one that was met before."""
    met = set()
    while circuit_id != MAIN_CIRCUIT_ID and circuit_id not in met:
        met.add(circuit_id)
        gone = circuit_id == GONE_CIRCUIT_ID
        circuit_id = MAIN_CIRCUIT_ID if gone else existing(entry, entry.subentries[circuit_id].data[CONF_PARENT])
        yield circuit_id


def existing(entry: ConfigEntry, circuit_id: str) -> str:
    """Return a circuit that is named somewhere, or what takes its place where it was deleted."""
    return circuit_id if circuit_id in circuit_names(entry) else GONE_CIRCUIT_ID
