"""What the tests share: real sockets on this machine, a site's config entry, and proof that what a flow shows is translated."""

from collections.abc import AsyncGenerator, Iterable, Mapping
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.config_entries import (
    ConfigEntriesFlowManager,
    ConfigEntryState,
    ConfigSubentryDataWithId,
    ConfigSubentryFlowManager,
    OptionsFlowManager,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowManager, FlowResultType, section
from homeassistant.helpers import config_validation as cv
import hypothesis
import probatio
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import pytest_socket

from custom_components.headroom.const import DOMAIN

TEXTS: Mapping[str, Any] = json.loads(
    (Path(__file__).parents[1] / "custom_components" / DOMAIN / "translations" / "en.json").read_text(encoding="utf-8")
)

# How long an example takes is up to what else the machine does; no test here asks for it.
hypothesis.settings.register_profile("headroom", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("headroom")


@pytest.fixture(autouse=True)
def local_sockets() -> None:
    """Let tests talk over real sockets, but only with this machine."""
    pytest_socket.enable_socket()
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(autouse=True)
def custom_integrations(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant load the component, in tests that have one running."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def meter_data() -> dict[str, Any]:
    """The site's meter: none. A test that needs one overrides this."""
    return {"type": "none"}


@pytest.fixture
def mock_config_entry(unused_tcp_port: int, meter_data: dict[str, Any]) -> MockConfigEntry:
    """A three-phase site with a circuit in the garage and two stations, one of them with two EVSEs."""
    return MockConfigEntry(
        domain=DOMAIN,
        title="Home",
        unique_id=str(unused_tcp_port),
        data={
            "name": "Home",
            "phases": 3,
            "voltage_v": 230,
            "fuse_a": 40.0,
            "margin_a": 2.0,
            "worst_case_a": 20.0,
            "host": "127.0.0.1",
            "port": unused_tcp_port,
            "meter": meter_data,
        },
        options={"free_charging": True, "id_tokens": []},
        subentries_data=[
            ConfigSubentryDataWithId(
                subentry_id="garage",
                subentry_type="circuit",
                title="Garage",
                unique_id=None,
                data={"parent": "main", "fuse_a": 32.0, "margin_a": 1.0, "unmanaged_worst_a": 0.0},
            ),
            ConfigSubentryDataWithId(
                subentry_id="station_one",
                subentry_type="station",
                title="Left",
                unique_id="CP1",
                data={
                    "identity": "CP1",
                    "circuit": "garage",
                    "evses": [{"evse_id": 1, "phases": 3, "rotation": "L2L3L1", "max_a": 32.0}],
                },
            ),
            ConfigSubentryDataWithId(
                subentry_id="station_two",
                subentry_type="station",
                title="Right",
                unique_id="CP2",
                data={
                    "identity": "CP2",
                    "circuit": "main",
                    "evses": [
                        {"evse_id": 1, "phases": 3, "rotation": "unknown", "max_a": 16.0},
                        {"evse_id": 2, "phases": 1, "rotation": "L3", "max_a": 32.0},
                    ],
                },
            ),
        ],
    )


@pytest.fixture
async def init_integration(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> AsyncGenerator[MockConfigEntry]:
    """The real integration, set up and listening for stations on 127.0.0.1."""
    mock_config_entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(mock_config_entry.entry_id)
    await hass.async_block_till_done()
    yield mock_config_entry
    if mock_config_entry.state is ConfigEntryState.LOADED:
        await hass.config_entries.async_unload(mock_config_entry.entry_id)
        await hass.async_block_till_done()


@pytest.fixture(autouse=True)
def translated_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test whose flow shows something that has no English text."""
    handle = FlowManager._async_handle_step

    async def checked(self: FlowManager[Any, Any, Any], flow: Any, step_id: str, user_input: Any) -> Any:
        result = await handle(self, flow, step_id, user_input)
        if (texts := _flow_texts(self, flow)) is not None:
            _check_result(texts, result)
        return result

    monkeypatch.setattr(FlowManager, "_async_handle_step", checked)


def _flow_texts(manager: FlowManager[Any, Any, Any], flow: Any) -> Mapping[str, Any] | None:
    """Return the texts of the flow a manager runs; None where it is not one of this component's."""
    handler = flow.handler
    if isinstance(manager, ConfigSubentryFlowManager):
        entry_id, subentry_type = handler
        entry = flow.hass.config_entries.async_get_entry(entry_id)
        return TEXTS["config_subentries"][subentry_type] if entry and entry.domain == DOMAIN else None
    if isinstance(manager, OptionsFlowManager):
        return TEXTS["options"] if flow.hass.config_entries.async_get_entry(handler).domain == DOMAIN else None
    if handler != DOMAIN:
        return None
    if isinstance(manager, ConfigEntriesFlowManager):
        return TEXTS["config"]
    # The issue may be over while its flow goes on; its id begins with its key.
    issue_id = flow.context["issue_id"]
    return next(
        (texts["fix_flow"] for key, texts in TEXTS["issues"].items() if issue_id.startswith(f"{key}_") and "fix_flow" in texts), None
    )


def _check_result(texts: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    given = set(result.get("description_placeholders") or {})
    match result["type"]:
        case FlowResultType.ABORT if not result.get("translation_domain"):
            _check_text(texts["abort"][result["reason"]], given)
        case FlowResultType.MENU:
            step = texts["step"][result["step_id"]]
            for text in (step["title"], step["description"], *(step["menu_options"][option] for option in result["menu_options"])):
                _check_text(text, given)
        case FlowResultType.FORM:
            _check_form(texts["step"][result["step_id"]], result["data_schema"], given)
            for key in (result.get("errors") or {}).values():
                _check_text(texts["error"][key], given)
        case FlowResultType.SHOW_PROGRESS:
            _check_text(texts["progress"][result["progress_action"]], given)
        case FlowResultType.CREATE_ENTRY if "create_entry" in texts:
            _check_text(texts["create_entry"][result.get("description") or "default"], given)


def _check_form(step: Mapping[str, Any], schema: probatio.Schema, given: set[str]) -> None:
    """A form has all its texts, and can be sent to a browser."""
    json.dumps(probatio.to_field_list(schema, custom_serializer=cv.custom_serializer))
    for text in (step["title"], step.get("description", "")):
        _check_text(text, given)
    for marker, field in schema.schema.items():
        if isinstance(field, section):
            _check_fields(step["sections"][str(marker)], map(str, field.schema.schema), given)
        else:
            _check_fields(step, [str(marker)], given)


def _check_fields(texts: Mapping[str, Any], keys: Iterable[str], given: set[str]) -> None:
    for key in keys:
        _check_text(texts["data"][key], given)
        _check_text(texts["data_description"][key], given)


def _check_text(text: str, given: set[str]) -> None:
    assert set(re.findall(r"\{(\w+)\}", text)) <= given, f"nothing is put into a place of {text!r}"
