"""Circuits below the main fuse are added and changed by hand, each with a meter of its own or without."""

from typing import Any

from homeassistant.config_entries import SubentryFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.configuration import site_config
from custom_components.headroom.engine.model import Phase

from .flows import measured, sdm630
from .subentry_flows import answer, change, choose, default, offered, start

CIRCUIT = {"name": "Row", "parent": "garage", "fuse_a": 25.0, "margin_a": 1.0, "unmanaged_worst_a": 3.0, "advanced": {}}


async def to_meter(hass: HomeAssistant, entry: MockConfigEntry, kind: str) -> SubentryFlowResult:
    return await choose(hass, await answer(hass, await start(hass, entry, "circuit"), **CIRCUIT), kind)


async def add(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await to_meter(hass, entry, "no_meter")


async def test_add_a_circuit(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await start(hass, entry, "circuit")
    assert offered(form, "parent") == ["main", "garage"]
    result = await choose(hass, await answer(hass, form, **CIRCUIT), "no_meter")
    assert result["type"] is FlowResultType.CREATE_ENTRY
    row = next(circuit for circuit in site_config(entry).circuits if circuit.name == "Row")
    assert (row.parent_id, row.fuse_a, row.margin_a, row.unmanaged_worst_a) == ("garage", 25.0, 1.0, (3.0, 3.0, 3.0))


@pytest.mark.parametrize(
    ("wrong", "errors"),
    [
        ({"margin_a": 25.0}, {"margin_a": "margin_reaches_fuse"}),
        ({"unmanaged_worst_a": 25.0}, {"unmanaged_worst_a": "worst_case_reaches_fuse"}),
        (
            {"fuse_a": 1.0, "margin_a": 2.0},
            {"margin_a": "margin_reaches_fuse", "unmanaged_worst_a": "worst_case_reaches_fuse"},
        ),
    ],
)
async def test_a_circuit_without_room_is_explained(
    hass: HomeAssistant, entry: MockConfigEntry, wrong: dict[str, float], errors: dict[str, str]
) -> None:
    form = await answer(hass, await start(hass, entry, "circuit"), **CIRCUIT | wrong)
    assert (form["type"], form["errors"]) == (FlowResultType.FORM, errors)
    assert default(form, "name") == "Row"  # what was typed is still there
    assert (await answer(hass, form, **CIRCUIT))["step_id"] == "meter"


async def test_change_a_circuit(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    await add(hass, entry)
    form = await change(hass, entry, "garage", "circuit")
    assert (default(form, "name"), default(form, "fuse_a")) == ("Garage", 32.0)
    assert offered(form, "parent") == ["main"]  # neither itself nor what hangs on it
    with pytest.raises(InvalidData):
        await answer(hass, form, **CIRCUIT | {"parent": "garage"})
    result = await answer(hass, form, name="Barn", parent="main", fuse_a=20.0, margin_a=0.0, unmanaged_worst_a=0.0, advanced={})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    assert (entry.subentries["garage"].title, entry.subentries["garage"].data["fuse_a"]) == ("Barn", 20.0)
    assert "name" not in entry.subentries["garage"].data


async def test_where_a_circuit_was_deleted_no_other_one_is_proposed_in_its_place(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """What hung there could be moved to the main fuse unseen."""
    await add(hass, entry)
    hass.config_entries.async_remove_subentry(entry, "garage")
    (row,) = entry.get_subentries_of_type("circuit")
    for subentry_id, step, key in ((row.subentry_id, "circuit", "parent"), ("station_one", "station", "circuit")):
        form = await change(hass, entry, subentry_id, step)
        assert "main" in offered(form, key)
        with pytest.raises(TypeError):
            default(form, key)  # there is none


async def test_a_circuit_has_a_meter_of_its_own(hass: HomeAssistant, entry: MockConfigEntry, meter_port: int) -> None:
    live = await answer(hass, await to_meter(hass, entry, "modbus"), **sdm630(meter_port))
    assert live["step_id"] == "meter_live"
    assert live["description_placeholders"]["currents"] == "L1 4.2 A, L2 5.0 A, L3 6.0 A"
    result = await choose(hass, live, "meter_accept")
    assert (result["type"], result["title"]) == (FlowResultType.CREATE_ENTRY, "Row")
    meter = {
        "type": "modbus",
        "model": "eastron_sdm630",
        "host": "127.0.0.1",
        "port": meter_port,
        "unit_id": 1,
        "framing": "tcp",
        "invert": False,
    }
    row = next(subentry for subentry in entry.get_subentries_of_type("circuit") if subentry.title == "Row")
    described = {key: value for key, value in CIRCUIT.items() if key not in ("name", "advanced")}
    assert row.data == described | {"wired_to": "L1L2L3", "limit_kw": None, "imbalance": "off", "meter": meter}
    assert next(circuit for circuit in site_config(entry).circuits if circuit.name == "Row").metered


@pytest.mark.parametrize(("change_of_meter", "error"), [({"port": 1}, "meter_failed"), ({"model": "eastron_sdm230"}, "too_few_phases")])
async def test_a_circuits_meter_that_can_not_be_is_explained(
    hass: HomeAssistant, entry: MockConfigEntry, meter_port: int, change_of_meter: dict[str, Any], error: str
) -> None:
    form = await answer(hass, await to_meter(hass, entry, "modbus"), **sdm630(meter_port) | change_of_meter)
    assert error in form["errors"].values()
    assert (await answer(hass, form, **sdm630(meter_port)))["step_id"] == "meter_live"


async def test_a_circuits_meter_that_does_not_answer(
    hass: HomeAssistant, entry: MockConfigEntry, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.headroom.meter_flow.PROBE_TIMEOUT_S", 0.05)
    form = await answer(hass, await to_meter(hass, entry, "modbus"), **sdm630(taken_port))
    assert form["errors"] == {"base": "meter_silent"}


async def test_change_a_circuits_meter(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    before = dict(entry.subentries["garage"].data)
    entities = measured(hass)
    form = await change(hass, entry, "garage", "meter")
    form = await choose(hass, form, "entities")
    refused = await answer(hass, form, current_l1="sensor.current_1", advanced={})
    assert refused["errors"] == {"base": "entities_incomplete"}
    result = await choose(hass, await answer(hass, refused, **entities, advanced={}), "meter_accept")
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reconfigure_successful")
    meter = {"type": "entities", "invert": False, "only_changes": False} | entities
    assert (entry.subentries["garage"].title, entry.subentries["garage"].data) == ("Garage", before | {"meter": meter})
    form = await choose(hass, await change(hass, entry, "garage", "meter"), "entities")
    assert default(form, "current_l2") == "sensor.current_2"

    form = await change(hass, entry, "garage", "circuit")  # what else is changed leaves the meter alone
    await answer(hass, form, name="Barn", parent="main", fuse_a=20.0, margin_a=0.0, unmanaged_worst_a=0.0, advanced={})
    assert entry.subentries["garage"].data["meter"] == meter
    await choose(hass, await change(hass, entry, "garage", "meter"), "no_meter")
    assert not any(circuit.metered for circuit in site_config(entry).circuits)


async def test_a_circuit_is_kept_within_more_than_its_fuse(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await answer(hass, await start(hass, entry, "circuit"), **CIRCUIT | {"advanced": {"limit_kw": 11.0, "imbalance": "16"}})
    await choose(hass, form, "no_meter")
    row = next(circuit for circuit in site_config(entry).circuits if circuit.name == "Row")
    assert (row.limit_w, row.imbalance_a) == (11_000.0, 16.0)
    (row_entry,) = (each for each in entry.get_subentries_of_type("circuit") if each.title == "Row")
    form = await change(hass, entry, row_entry.subentry_id, "circuit")
    assert (default(form, "limit_kw"), default(form, "imbalance")) == (11.0, "16")
    await answer(hass, form, **CIRCUIT)
    row = next(circuit for circuit in site_config(entry).circuits if circuit.name == "Row")
    assert (row.limit_w, row.imbalance_a) == (None, None), "what was taken out of the form is gone"


async def test_one_phase_has_nothing_to_be_apart_from(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "phases": 1})
    form = await start(hass, entry, "circuit")
    assert form["data_schema"] is not None
    assert [str(key) for key in form["data_schema"].schema["advanced"].schema.schema] == ["limit_kw"]


async def test_a_circuit_on_one_phase_with_a_meter_of_one(hass: HomeAssistant, entry: MockConfigEntry, meter_port: int) -> None:
    form = await start(hass, entry, "circuit")
    assert (offered(form, "wired_to"), default(form, "wired_to")) == (["L1L2L3", "L1", "L2", "L3"], "L1L2L3")
    menu = await answer(hass, form, **CIRCUIT | {"wired_to": "L2"})
    live = await answer(hass, await choose(hass, menu, "modbus"), **sdm630(meter_port, model="eastron_sdm230"))
    assert live["description_placeholders"] is not None
    assert live["description_placeholders"]["currents"] == "L1 4.2 A", "its meter's own L1"
    assert "meter_order" not in (live["menu_options"] or {})
    await choose(hass, live, "meter_accept")
    row = next(circuit for circuit in site_config(entry).circuits if circuit.name == "Row")
    assert (row.phases, row.metered, row.unmanaged_worst_a) == ((Phase.L2,), True, (0.0, 3.0, 0.0))

    (row_entry,) = (each for each in entry.get_subentries_of_type("circuit") if each.title == "Row")
    form = await change(hass, entry, row_entry.subentry_id, "circuit")
    assert default(form, "wired_to") == "L2"
    result = await answer(hass, form, **CIRCUIT | {"wired_to": "L3"})
    assert result["type"] is FlowResultType.ABORT, "its meter of one phase goes with another one"
    menu = await answer(hass, await change(hass, entry, row_entry.subentry_id, "circuit"), **CIRCUIT | {"wired_to": "L1L2L3"})
    assert menu["step_id"] == "meter", "it does not go with three"


async def test_a_circuit_is_fed_by_what_has_its_phase(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    form = await answer(hass, await start(hass, entry, "circuit"), **CIRCUIT | {"wired_to": "L2"})
    await choose(hass, form, "no_meter")
    (row,) = (each for each in entry.get_subentries_of_type("circuit") if each.title == "Row")
    socket = CIRCUIT | {"name": "Socket", "parent": row.subentry_id, "wired_to": "L1"}
    form = await answer(hass, await start(hass, entry, "circuit"), **socket)
    assert form["errors"] == {"wired_to": "not_fed"}
    assert (await answer(hass, form, **socket | {"wired_to": "L2"}))["step_id"] == "meter"

    garage = {"name": "Garage", "parent": "main", "fuse_a": 32.0, "margin_a": 0.0, "unmanaged_worst_a": 0.0, "advanced": {}}
    form = await answer(hass, await change(hass, entry, "garage", "circuit"), **garage | {"wired_to": "L1"})
    assert form["errors"] == {"wired_to": "others_not_fed"}
    assert form["description_placeholders"] == {"others": "Row"}
    assert default(form, "wired_to") == "L1", "what was typed is still there"


async def test_on_a_single_phase_site_nobody_is_asked_for_phases(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    hass.config_entries.async_update_entry(entry, data={**entry.data, "phases": 1})
    form = await start(hass, entry, "circuit")
    assert form["data_schema"] is not None
    assert "wired_to" not in [str(key) for key in form["data_schema"].schema]
