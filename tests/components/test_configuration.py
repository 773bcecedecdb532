"""What the forms stored becomes the site."""

from types import MappingProxyType
from typing import Any

from homeassistant.config_entries import ConfigSubentry
from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.circuit_tree import circuits_below
from custom_components.headroom.configuration import ROTATIONS, rotation_phases, site_config
from custom_components.headroom.engine.model import ALL_PHASES, Phase
from custom_components.headroom.site.config import AuthorizationPolicy, KnownToken


def circuit(subentry_id: str, parent: str, **more: Any) -> ConfigSubentry:
    data = {"parent": parent, "fuse_a": 16, "margin_a": 0, "unmanaged_worst_a": 4, **more}
    return ConfigSubentry(
        data=MappingProxyType(data), subentry_id=subentry_id, subentry_type="circuit", title=subentry_id.title(), unique_id=None
    )


def changed(entry: MockConfigEntry, **data: Any) -> MockConfigEntry:
    object.__setattr__(entry, "data", MappingProxyType({**entry.data, **data}))
    return entry


def test_the_main_fuse_is_the_root(mock_config_entry: MockConfigEntry) -> None:
    root = site_config(mock_config_entry).root
    assert (root.circuit_id, root.name, root.phases) == ("main", "Home", ALL_PHASES)
    assert root.limit_a() == (38.0, 38.0, 38.0)
    assert root.unmanaged_worst_a == (20.0, 20.0, 20.0)
    assert not root.metered


@pytest.mark.parametrize("kind", ["modbus", "entities"])
def test_a_site_with_a_meter_is_metered(mock_config_entry: MockConfigEntry, kind: str) -> None:
    assert site_config(changed(mock_config_entry, meter={"type": kind})).root.metered


def test_circuits_and_stations_hang_where_they_were_put(mock_config_entry: MockConfigEntry) -> None:
    site = site_config(mock_config_entry)
    assert [(circuit.circuit_id, circuit.parent_id) for circuit in site.circuits] == [("main", None), ("garage", "main")]
    assert site.stations["CP1"].circuit_id == "garage"
    assert site.stations["CP2"].circuit_id == "main"
    assert site.stations["CP2"].name == "Right"


def test_terminals_are_mapped_to_the_grid(mock_config_entry: MockConfigEntry) -> None:
    site = site_config(mock_config_entry)
    (rotated,) = site.stations["CP1"].evses
    unknown, single = site.stations["CP2"].evses
    assert (rotated.grid_phases, rotated.rotation_known) == ((Phase.L2, Phase.L3, Phase.L1), True)
    assert (unknown.rotation_known, unknown.max_a) == (False, 16.0)
    assert (single.evse_id, single.grid_phases, single.rotation_known) == (2, (Phase.L3,), True)


@pytest.mark.parametrize(("phases", "rotation"), [(phases, rotation) for phases, known in ROTATIONS.items() for rotation in known])
def test_every_rotation_names_each_conductor_once(phases: int, rotation: str) -> None:
    conductors = rotation_phases(rotation, phases)
    assert len(set(conductors)) == len(conductors) == phases
    if rotation != "unknown":
        assert "".join(phase.name for phase in conductors) == rotation


def test_a_single_phase_site_has_one_conductor(mock_config_entry: MockConfigEntry) -> None:
    site = site_config(changed(mock_config_entry, phases=1))
    assert all(circuit.phases == (Phase.L1,) for circuit in site.circuits)
    assert site.root.unmanaged_worst_a == (20.0, 0.0, 0.0)
    evses = [evse for station in site.stations.values() for evse in station.evses]
    assert all(evse.grid_phases == (Phase.L1,) and evse.rotation_known for evse in evses)


def test_a_circuit_has_the_phases_it_is_wired_to_and_so_has_what_hangs_on_it(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry
) -> None:
    mock_config_entry.add_to_hass(hass)
    hass.config_entries.async_add_subentry(mock_config_entry, circuit("garage_l2", "main", wired_to="L2"))
    hass.config_entries.async_add_subentry(mock_config_entry, circuit("socket", "garage_l2", wired_to="L1L2L3"))
    left = next(each for each in mock_config_entry.subentries.values() if each.data.get("identity") == "CP1")
    hass.config_entries.async_update_subentry(mock_config_entry, left, data={**left.data, "circuit": "socket"})
    site = site_config(mock_config_entry)
    circuits = {each.circuit_id: each for each in site.circuits}
    assert circuits["main"].phases == ALL_PHASES
    assert circuits["garage_l2"].phases == circuits["socket"].phases == (Phase.L2,)
    assert circuits["socket"].limit_a() == (0.0, 16.0, 0.0)
    assert circuits["socket"].unmanaged_worst_a == (0.0, 4.0, 0.0)
    (evse,) = site.stations["CP1"].evses
    assert (evse.grid_phases, evse.rotation_known, evse.conductors) == ((Phase.L2,), True, (Phase.L2,)), "said to be on three"


def test_what_hung_on_a_deleted_circuit_may_draw_nothing(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    """Its fuse is there still, and nobody knows it any more; that of one that is drawn in its place may be the same."""
    mock_config_entry.add_to_hass(hass)
    assert "gone" not in {circuit.circuit_id for circuit in site_config(mock_config_entry).circuits}
    hass.config_entries.async_add_subentry(mock_config_entry, circuit("wallbox", "garage"))
    hass.config_entries.async_remove_subentry(mock_config_entry, "garage")
    hass.config_entries.async_add_subentry(mock_config_entry, circuit("anew", "main"))
    site = site_config(mock_config_entry)
    parents = {circuit.circuit_id: circuit.parent_id for circuit in site.circuits}
    assert parents == {"main": None, "wallbox": "gone", "anew": "main", "gone": "main"}
    assert site.stations["CP1"].circuit_id == "gone"
    assert next(circuit for circuit in site.circuits if circuit.circuit_id == "gone").limit_a() == (0.0, 0.0, 0.0)
    assert circuits_below(mock_config_entry, "main") == {"wallbox", "anew"}


def test_a_ring_of_circuits_is_broken(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    mock_config_entry.add_to_hass(hass)
    for subentry_id, parent in (("a", "b"), ("b", "a"), ("c", "a"), ("self", "self")):
        hass.config_entries.async_add_subentry(mock_config_entry, circuit(subentry_id, parent))
    parents = {circuit.circuit_id: circuit.parent_id for circuit in site_config(mock_config_entry).circuits}
    assert parents == {"main": None, "garage": "main", "a": "main", "b": "main", "c": "a", "self": "main"}


def test_what_is_below_a_circuit(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> None:
    mock_config_entry.add_to_hass(hass)
    for subentry_id, parent in (("row", "garage"), ("socket", "row"), ("shed", "main")):
        hass.config_entries.async_add_subentry(mock_config_entry, circuit(subentry_id, parent))
    assert circuits_below(mock_config_entry, "garage") == {"row", "socket"}
    assert circuits_below(mock_config_entry, "main") == {"garage", "row", "socket", "shed"}
    assert circuits_below(mock_config_entry, "socket") == set()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, AuthorizationPolicy(free=False)),
        ({"free_charging": True, "id_tokens": []}, AuthorizationPolicy(free=True)),
        (
            {"free_charging": False, "id_tokens": ["A", "B"]},
            AuthorizationPolicy(tokens=(KnownToken(value="A", concurrent=True), KnownToken(value="B", concurrent=True))),
        ),
    ],
)
def test_who_may_charge(mock_config_entry: MockConfigEntry, options: dict[str, Any], expected: AuthorizationPolicy) -> None:
    object.__setattr__(mock_config_entry, "options", MappingProxyType(options))
    assert site_config(mock_config_entry).authorization == expected


@pytest.mark.parametrize(("named", "name"), [({"name": "Ann"}, "Ann's card"), ({}, "")])
def test_a_driver_is_called_as_the_token_is_now(
    hass: HomeAssistant, mock_config_entry: MockConfigEntry, named: dict[str, str], name: str
) -> None:
    """Home Assistant lets it be renamed beside the form; one that nobody named is nobody's."""
    mock_config_entry.add_to_hass(hass)
    data = {"id_token": "AA11BB22", "type": "any", **named}
    token = ConfigSubentry(data=MappingProxyType(data), subentry_type="id_token", title="Ann's card", unique_id="x")
    hass.config_entries.async_add_subentry(mock_config_entry, token)
    (known,) = site_config(mock_config_entry).authorization.tokens
    assert known.name == name
