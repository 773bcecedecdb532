"""The variables of a station's device model as entities, and taking an EVSE out of service, by a real station."""

from collections.abc import AsyncGenerator
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.actions.guard import check_variables
from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.inventory import key_of
from custom_components.headroom.site.config import AuthorizationPolicy
from custom_components.headroom.variables import NUMBERS, SELECTS, SWITCHES

from .raw_station import Payload, RawStation, now, raw_station, until

TIMEOUT = "number.left_plug_in_timeout"
ZONE = "select.left_time_zone"
DISPLAY = "switch.left_display_messages"
IN_SERVICE = "switch.left_evse_1_in_service"


def told(component: str, variable: str, value: str, mutability: str = "ReadWrite", **characteristics: Any) -> Payload:
    """One variable as a report tells it."""
    return {
        "component": {"name": component},
        "variable": {"name": variable},
        "variableAttribute": [{"value": value, "mutability": mutability}],
        "variableCharacteristics": {"dataType": "string", "supportsMonitoring": False} | characteristics,
    }


REPORT = [
    told("TxCtrlr", "EVConnectionTimeOut", "60", dataType="integer", unit="s", minLimit=10, maxLimit=300),
    told("ClockCtrlr", "TimeZone", "UTC", dataType="OptionList", valuesList="UTC, Europe/Berlin"),
    told("DisplayMessageCtrlr", "Enabled", "False", dataType="boolean"),
    told("MonitoringCtrlr", "Enabled", "true", "ReadOnly", dataType="boolean"),
    told("OCPPCommCtrlr", "PublicKeyWithSignedMeterValue", "Never"),
]


@pytest.fixture
async def left(entity_registry_enabled_by_default: None, init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, which reports a few variables once it is asked."""
    async with raw_station(init_integration, "CP1") as station:

        async def report(asked: Payload) -> None:
            page = {"requestId": asked["requestId"], "generatedAt": now(), "seqNo": 0, "reportData": REPORT}
            await station.call("NotifyReport", page)

        station.answers["GetBaseReport"] = {"status": "Accepted"}
        station.answers["ChangeAvailability"] = {"status": "Accepted"}
        station.after("GetBaseReport", report)
        await station.boot()
        await station.hears("SetChargingProfile")
        yield station


async def act(hass: HomeAssistant, entity_id: str, action: str, **fields: Any) -> None:
    """Call an entity's action."""
    await hass.services.async_call(entity_id.split(".", maxsplit=1)[0], action, {"entity_id": entity_id, **fields}, blocking=True)


def sent(variable: str, value: str) -> Any:
    """What a SetVariables of one variable holds."""
    return lambda asked: [(item["variable"]["name"], item["attributeValue"]) for item in asked["setVariableData"]] == [(variable, value)]


@pytest.mark.usefixtures("left")
async def test_what_the_station_has(hass: HomeAssistant, entity_registry: er.EntityRegistry) -> None:
    """Only what it has and lets be set, within its own limits and lists."""
    await until(hass, TIMEOUT, "60.0")
    attributes = hass.states.get(TIMEOUT).attributes
    assert (attributes["min"], attributes["max"], attributes["unit_of_measurement"]) == (10, 300, "s")
    assert hass.states.get(ZONE).state == "UTC"
    assert hass.states.get(ZONE).attributes["options"] == ["UTC", "Europe/Berlin"]
    assert hass.states.get(DISPLAY).state == "off"
    absent = (
        "switch.left_monitoring",
        "switch.left_sign_readings",
        "select.left_public_key_with_meter_values",
        "number.right_plug_in_timeout",
    )
    assert not [entity_id for entity_id in absent if entity_registry.async_get(entity_id)]


async def test_setting_them(hass: HomeAssistant, left: RawStation) -> None:
    """The station is told in its own words, and what it took is shown."""
    await until(hass, TIMEOUT, "60.0")
    await act(hass, TIMEOUT, "set_value", value=90)
    await left.hears("SetVariables", sent("EVConnectionTimeOut", "90"))
    await until(hass, TIMEOUT, "90.0")
    await act(hass, ZONE, "select_option", option="Europe/Berlin")
    await left.hears("SetVariables", sent("TimeZone", "Europe/Berlin"))
    await until(hass, ZONE, "Europe/Berlin")
    await act(hass, DISPLAY, "turn_on")
    await left.hears("SetVariables", sent("Enabled", "true"))
    await until(hass, DISPLAY, "on")
    await act(hass, DISPLAY, "turn_off")
    await left.hears("SetVariables", sent("Enabled", "false"))
    await until(hass, DISPLAY, "off")
    with pytest.raises(ServiceValidationError):
        await act(hass, TIMEOUT, "set_value", value=301)


async def test_a_no_is_told(hass: HomeAssistant, left: RawStation) -> None:
    """In words, and the value stays."""
    await until(hass, TIMEOUT, "60.0")
    left.variable_statuses["EVConnectionTimeOut"] = "Rejected"
    with pytest.raises(HomeAssistantError) as failed:
        await act(hass, TIMEOUT, "set_value", value=90)
    assert failed.value.translation_key == "station_rejected"
    left.errors["SetVariables"] = "InternalError"
    with pytest.raises(HomeAssistantError) as failed:
        await act(hass, TIMEOUT, "set_value", value=90)
    assert failed.value.translation_key == "station_internal_error"
    assert hass.states.get(TIMEOUT).state == "60.0"


async def test_what_waits_for_a_reboot(hass: HomeAssistant, left: RawStation, issue_registry: ir.IssueRegistry) -> None:
    """The value stays what it is, and a repair says that it waits, until the station has booted."""
    await until(hass, TIMEOUT, "60.0")
    left.variable_statuses["EVConnectionTimeOut"] = "RebootRequired"
    await act(hass, TIMEOUT, "set_value", value=90)
    issue_id = next((issue_id for domain, issue_id in issue_registry.issues if domain == DOMAIN and "reboot" in issue_id), None)
    assert issue_id is not None
    assert issue_registry.async_get_issue(DOMAIN, issue_id).translation_placeholders["variables"] == "TxCtrlr.EVConnectionTimeOut"
    assert hass.states.get(TIMEOUT).state == "60.0"


async def test_in_service(hass: HomeAssistant, left: RawStation) -> None:
    """Out of service and back by what the station says of its connector."""
    await left.status("Available")
    await until(hass, IN_SERVICE, "on")
    await act(hass, IN_SERVICE, "turn_off")
    assert await left.hears("ChangeAvailability") == {"operationalStatus": "Inoperative", "evse": {"id": 1}}
    await left.status("Unavailable")
    await until(hass, IN_SERVICE, "off")
    await act(hass, IN_SERVICE, "turn_on")
    assert await left.hears("ChangeAvailability") == {"operationalStatus": "Operative", "evse": {"id": 1}}
    await left.status("Available")
    await until(hass, IN_SERVICE, "on")
    left.answers["ChangeAvailability"] = {"status": "Rejected"}
    with pytest.raises(HomeAssistantError) as failed:
        await act(hass, IN_SERVICE, "turn_off")
    assert failed.value.translation_key == "station_rejected"
    assert hass.states.get(IN_SERVICE).state == "on"


def test_no_entity_sets_what_no_action_may() -> None:
    """Neither what would switch our limits off nor what follows from the site's tokens."""
    check_variables(
        (key_of(setting.variable) for setting in (*NUMBERS, *SELECTS, *SWITCHES)), policy=AuthorizationPolicy(no_authorization=False)
    )
