"""Actions on a station's device model and everything else OCPP has a request for, against a real station."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
import json
import logging
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
import probatio as vol
from probatio.humanize import humanize_error
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.actions.guard import PASSED, REQUESTS, VARIABLES
from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.v201.link import SCHEMAS
from custom_components.headroom.diagnostics import async_get_config_entry_diagnostics, async_get_device_diagnostics
from custom_components.headroom.errors import ERROR_CODES
from tests.conformance.messages import FROM_CSMS

from .raw_station import RawStation, now, raw_station
from .test_services import device

USED: Mapping[str, str] = {
    "CancelReservation": "cancel_reservation",
    "CertificateSigned": "sign_certificate",
    "ChangeAvailability": "change_availability",
    "ClearCache": "clear_authorization_cache",
    "ClearChargingProfile": "clear_charging_profile",
    "ClearDisplayMessage": "clear_message",
    "ClearVariableMonitoring": "clear_monitors",
    "CostUpdated": "set_cost",
    "CustomerInformation": "customer_information",
    "DataTransfer": "data_transfer",
    "DeleteCertificate": "delete_certificate",
    "GetBaseReport": "get_report",
    "GetChargingProfiles": "get_charging_profiles",
    "GetCompositeSchedule": "get_composite_schedule",
    "GetDisplayMessages": "get_messages",
    "GetInstalledCertificateIds": "get_installed_certificates",
    "GetLocalListVersion": "call",
    "GetLog": "get_log",
    "GetMonitoringReport": "get_monitors",
    "GetReport": "get_report",
    "GetTransactionStatus": "call",
    "GetVariables": "get_variables",
    "InstallCertificate": "install_certificate",
    "PublishFirmware": "publish_firmware",
    "RequestStartTransaction": "start_charging",
    "RequestStopTransaction": "stop_charging",
    "ReserveNow": "reserve",
    "Reset": "reset",
    "SendLocalList": "send_local_list",
    "SetChargingProfile": "add_charging_profile",
    "SetDisplayMessage": "show_message",
    "SetMonitoringBase": "set_monitoring_base",
    "SetMonitoringLevel": "set_monitoring_level",
    "SetNetworkProfile": "set_network_profile",
    "SetVariableMonitoring": "set_monitors",
    "SetVariables": "set_variables",
    "TriggerMessage": "trigger_message",
    "UnlockConnector": "unlock_connector",
    "UnpublishFirmware": "unpublish_firmware",
    "UpdateFirmware": "update_firmware",
}
"""By which action each request of a central system is used."""


@pytest.fixture
async def left(init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, ready for commands."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.hears("SetChargingProfile")
        yield station


@pytest.fixture
def cp1(hass: HomeAssistant, init_integration: MockConfigEntry) -> str:
    """The left station's device."""
    return device(hass, init_integration, "CP1")


async def ask(hass: HomeAssistant, action: str, device_id: str, **fields: Any) -> Any:
    """Call an action that answers."""
    return await hass.services.async_call(DOMAIN, action, {"device_id": device_id, **fields}, blocking=True, return_response=True)


async def tell(hass: HomeAssistant, action: str, device_id: str, **fields: Any) -> None:
    """Call an action that need not answer."""
    await hass.services.async_call(DOMAIN, action, {"device_id": device_id, **fields}, blocking=True)


@pytest.mark.usefixtures("init_integration")
async def test_each_request_has_an_action(hass: HomeAssistant) -> None:
    """All of the standard's, by its own schemas."""
    assert USED.keys() == FROM_CSMS.keys()
    assert set(USED.values()) <= hass.services.async_services_for_domain(DOMAIN).keys()


def test_the_guard_knows_each_request() -> None:
    """Each is refused, with the action that does it, or passed on knowingly."""
    assert sorted([*REQUESTS, *PASSED]) == sorted(FROM_CSMS)
    assert {name: USED[name] for name in REQUESTS} == REQUESTS


async def test_each_request_of_a_station_has_a_handler(left: RawStation) -> None:
    """None is answered as unknown, whatever is wrong with it."""
    inbound = (SCHEMAS.actions - FROM_CSMS.keys() | {"DataTransfer"}) - {"BootNotification"}
    assert len(SCHEMAS.actions) == 64
    for action in sorted(inbound):
        [answer] = await asyncio.gather(left.call(action, {}), return_exceptions=True)
        assert "NotImplemented" not in str(answer), action


@pytest.mark.parametrize("request_name", sorted(PASSED))
async def test_call(hass: HomeAssistant, cp1: str, left: RawStation, request_name: str) -> None:
    """Any request reaches the station as it was given; a station that has no such function says so in words."""
    payload = dict(FROM_CSMS[request_name][0])
    left.errors[request_name] = "NotImplemented"
    with pytest.raises(HomeAssistantError) as failed:
        await ask(hass, "call", cp1, request=request_name, payload=payload)
    assert failed.value.translation_key == "station_not_implemented"
    assert await left.hears(request_name) == payload


@pytest.mark.parametrize("request_name", sorted(REQUESTS))
async def test_call_names_what_to_use_instead(hass: HomeAssistant, cp1: str, left: RawStation, request_name: str) -> None:
    """A request that changes what is kept account of goes to the station by its own action alone."""
    asked = len(left.heard)
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "call", cp1, request=request_name, payload=dict(FROM_CSMS[request_name][0]))
    assert refused.value.translation_key == "request_guarded"
    assert refused.value.translation_placeholders["request"] == request_name
    assert refused.value.translation_placeholders["action"] == f"headroom.{USED[request_name]}"
    assert request_name not in [action for action, _ in left.heard[asked:]]


@pytest.mark.parametrize("path", ["call", "set_variables"])
@pytest.mark.parametrize("variable", sorted(VARIABLES))
async def test_guarded_variables(hass: HomeAssistant, cp1: str, left: RawStation, variable: tuple[str, str], path: str) -> None:
    """By neither way, in whatever case their names are written."""
    component, name = (part.upper() for part in variable)
    item = {"component": {"name": component}, "variable": {"name": name}, "attributeValue": "1"}
    by_call = {"request": "SetVariables", "payload": {"setVariableData": [item]}}
    fields = by_call if path == "call" else {"values": {f"{component}.{name}": "1"}}
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, path, cp1, **fields)
    placeholders = {"variable": f"{component}.{name}"}
    if (instead := VARIABLES[variable]) is not None:
        placeholders["action"] = f"headroom.{instead}"
        assert hass.services.has_service(DOMAIN, instead)
    assert refused.value.translation_key == ("variable_guarded" if instead is None else "variable_guarded_instead")
    assert refused.value.translation_placeholders == placeholders


async def test_variables_by_call_are_taken_into_the_inventory(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """Whichever way they are set or read: what was taken, what was not, and what waits for a reboot."""

    def item(name: str, **more: str) -> dict[str, Any]:
        return {"component": {"name": "TxCtrlr"}, "variable": {"name": name}, **more}

    left.variable_statuses |= {"EVConnectionTimeOut": "RebootRequired", "TxStartPoint": "Rejected"}
    names = ("StopTxOnEVSideDisconnect", "EVConnectionTimeOut", "TxStartPoint")
    payload = {"setVariableData": [item(name, attributeValue="7") for name in names] + [item("MaxEnergyOnInvalidId", attributeValue="9")]}
    await ask(hass, "call", cp1, request="SetVariables", payload=payload)
    found = await ask(hass, "get_inventory", cp1, component="TxCtrlr")
    values = {name: variable["attributes"][0]["value"] for name, variable in found["variables"].items()}
    assert values == {"TxCtrlr.StopTxOnEVSideDisconnect": "7", "TxCtrlr.MaxEnergyOnInvalidId": "9"}
    assert found["awaiting_reboot"] == ["TxCtrlr.EVConnectionTimeOut"]


async def test_a_network_profile_is_put_first(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """The others stay behind it; a station that does not tell their order is left as it is."""
    left.answers["SetNetworkProfile"] = {"status": "Accepted"}
    priority = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "NetworkConfigurationPriority"}}
    with pytest.raises(HomeAssistantError):
        await tell(hass, "set_network_profile", cp1, slot=3, profile=1, first=True)
    left.variables["NetworkConfigurationPriority"] = "1,3,2"
    await tell(hass, "set_network_profile", cp1, slot=3, profile=1, first=True)
    assert await left.hears("SetVariables", lambda asked: asked["setVariableData"] == [priority | {"attributeValue": "3,1,2"}])


NETWORK = {
    "apn": "internet.example",
    "apn_user": "apn-user-7",
    "apn_password": "apn-password-7",
    "sim_pin": "48151623",
    "preferred_network": "20408",
    "only_preferred_network": True,
    "vpn_type": "IKEv2",
    "vpn_server": "vpn.example",
    "vpn_user": "vpn-user-7",
    "vpn_password": "vpn-password-7",
    "vpn_key": "vpn-key-7",
}
SECRETS = ("apn_user", "apn_password", "sim_pin", "vpn_user", "vpn_password", "vpn_key")


async def test_a_network_profile_says_how_to_reach_the_network(
    hass: HomeAssistant, init_integration: MockConfigEntry, cp1: str, left: RawStation, caplog: pytest.LogCaptureFixture
) -> None:
    """The station is told all of it, and nobody else its secrets: no log of ours, no diagnostics, no frame."""
    caplog.set_level(logging.DEBUG, logger="custom_components.headroom")
    left.answers["SetNetworkProfile"] = {"status": "Accepted"}
    answer = await ask(hass, "set_network_profile", cp1, slot=3, profile=1, interface="Wireless0", **NETWORK)
    assert answer.keys() == {"slot", "url", "profile"}
    data = (await left.hears("SetNetworkProfile"))["connectionData"]
    assert data["apn"] == {
        "apn": "internet.example",
        "apnAuthentication": "AUTO",
        "apnUserName": "apn-user-7",
        "apnPassword": "apn-password-7",
        "simPin": 48151623,
        "preferredNetwork": "20408",
        "useOnlyPreferredNetwork": True,
    }
    assert data["vpn"] == {
        "server": "vpn.example",
        "user": "vpn-user-7",
        "password": "vpn-password-7",
        "key": "vpn-key-7",
        "type": "IKEv2",
    }
    station = dr.async_get(hass).async_get(cp1)
    assert station is not None
    of_station = json.dumps(await async_get_device_diagnostics(hass, init_integration, station))
    assert "internet.example" in of_station  # the frame is there
    told = of_station + json.dumps(await async_get_config_entry_diagnostics(hass, init_integration))
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("custom_components.headroom")]
    for field in SECRETS:
        assert str(NETWORK[field]) not in told
        assert str(NETWORK[field]) not in str(ours)


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"apn_password": "secret"}, "apn_incomplete"),
        ({"vpn_server": "vpn.example", "vpn_user": "somebody"}, "vpn_incomplete"),
    ],
)
async def test_half_a_network_is_refused(hass: HomeAssistant, cp1: str, left: RawStation, fields: dict[str, str], key: str) -> None:
    """OCPP has no half of one."""
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "set_network_profile", cp1, slot=3, profile=1, **fields)
    assert refused.value.translation_key == key
    assert "SetNetworkProfile" not in [action for action, _ in left.heard]


@pytest.mark.parametrize("field", SECRETS)
async def test_an_error_repeats_no_secret(hass: HomeAssistant, cp1: str, left: RawStation, field: str) -> None:
    """One that is too long is refused without being told."""
    secret = "8" * 300
    with pytest.raises(vol.Invalid) as refused:
        await ask(hass, "set_network_profile", cp1, slot=3, profile=1, **NETWORK | {field: secret})
    assert field in str(refused.value) and secret not in humanize_error({field: secret}, refused.value)


async def test_call_returns_the_response(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """As it came."""
    left.answers["GetLocalListVersion"] = {"versionNumber": 7}
    assert await ask(hass, "call", cp1, request="GetLocalListVersion") == {"response": {"versionNumber": 7}}


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
async def test_each_error_code_has_words(hass: HomeAssistant, cp1: str, left: RawStation, code: str) -> None:
    """Each code of OCPP-J."""
    left.errors["Reset"] = code
    with pytest.raises(HomeAssistantError) as failed:
        await tell(hass, "reset", cp1)
    assert failed.value.translation_key == ERROR_CODES[code]


GUARDED = {"component": {"name": "smartchargingctrlr"}, "variable": {"name": "ENABLED"}, "attributeValue": "false"}


NAMED = {"component": {"name": "Odd].Name["}, "variable": {"name": "X"}, "attributeValue": "1"}


@pytest.mark.parametrize(
    ("request_name", "payload", "key"),
    [
        ("SetVariables", {"setVariableData": [GUARDED]}, "variable_guarded"),
        ("SetVariables", {"setVariableData": (GUARDED,)}, "variable_guarded"),  # as a template may write it
        ("SetVariables", {"setVariableData": [NAMED | {"variable": {"name": ["x"]}}]}, "payload_invalid"),
        ("SetVariables", {"setVariableData": [NAMED | {"component": {"name": 5}}]}, "payload_invalid"),
        ("Heartbeat", {}, "request_unknown"),
        ("Nonsense", {}, "request_unknown"),
        ("Reset", {"type": "Softly"}, "payload_invalid"),
    ],
)
async def test_what_call_refuses(
    hass: HomeAssistant, cp1: str, left: RawStation, request_name: str, payload: dict[str, Any], key: str
) -> None:
    """Nothing goes around the allocator, and nothing invalid is sent."""
    asked = len(left.heard)
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "call", cp1, request=request_name, payload=payload)
    assert refused.value.translation_key == key
    assert request_name not in [action for action, _ in left.heard[asked:]]


async def test_variables(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """Each is answered for itself; a no that nobody looks at is an error."""
    response = await ask(hass, "get_variables", cp1, variables=["ClockCtrlr.TimeZone"])
    assert response["variables"]["ClockCtrlr.TimeZone"]["status"] == "UnknownComponent"
    response = await ask(hass, "set_variables", cp1, values={"TxCtrlr.StopTxOnEVSideDisconnect": True})
    assert response["variables"]["TxCtrlr.StopTxOnEVSideDisconnect"]["status"] == "Accepted"
    sent = await left.hears("SetVariables", lambda asked: asked["setVariableData"][0]["component"]["name"] == "TxCtrlr")
    assert sent["setVariableData"][0]["attributeValue"] == "true"
    inventory = await ask(hass, "get_inventory", cp1, component="TxCtrlr")
    assert inventory["variables"]["TxCtrlr.StopTxOnEVSideDisconnect"]["attributes"][0]["value"] == "true"
    for values, key in (({"nonsense": 1}, "not_a_variable"), ({"SmartChargingCtrlr.Enabled": False}, "variable_guarded")):
        with pytest.raises(ServiceValidationError) as refused:
            await tell(hass, "set_variables", cp1, values=values)
        assert refused.value.translation_key == key


async def test_a_report(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """What the station reports is answered, and is in the inventory afterwards."""
    item = {
        "component": {"name": "ClockCtrlr"},
        "variable": {"name": "TimeZone"},
        "variableAttribute": [{"value": "Europe/Berlin", "mutability": "ReadOnly"}],
    }

    async def report(asked: dict[str, Any]) -> None:
        page = {"requestId": asked["requestId"], "generatedAt": "2026-11-23T18:30:00Z", "seqNo": 0, "reportData": [item]}
        await left.call("NotifyReport", page)

    left.answers["GetReport"] = {"status": "Accepted"}
    left.after("GetReport", report)
    response = await ask(hass, "get_report", cp1, variables=["ClockCtrlr"])
    assert response["variables"]["ClockCtrlr.TimeZone"]["attributes"][0]["value"] == "Europe/Berlin"
    assert (await left.hears("GetReport"))["componentVariable"] == [{"component": {"name": "ClockCtrlr"}}]


COMMANDS: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("reset", {"when_idle": True}, "Reset", {"type": "OnIdle"}),
    ("change_availability", {"operative": False}, "ChangeAvailability", {"operationalStatus": "Inoperative"}),
    ("trigger_message", {"message": "Heartbeat"}, "TriggerMessage", {"requestedMessage": "Heartbeat"}),
    ("unlock_connector", {}, "UnlockConnector", {"evseId": 1, "connectorId": 1}),
    ("set_monitoring_base", {"base": "All"}, "SetMonitoringBase", {"monitoringBase": "All"}),
    ("set_monitoring_level", {"severity": 4}, "SetMonitoringLevel", {"severity": 4}),
    ("clear_message", {"id": 3}, "ClearDisplayMessage", {"id": 3}),
    ("data_transfer", {"vendor_id": "org.example", "data": {"a": 1}}, "DataTransfer", {"vendorId": "org.example", "data": {"a": 1}}),
    (
        "show_message",
        {"id": 3, "text": "Hello"},
        "SetDisplayMessage",
        {"message": {"id": 3, "priority": "NormalCycle", "message": {"format": "UTF8", "content": "Hello"}}},
    ),
]


@pytest.mark.parametrize(("action", "fields", "request_name", "payload"), COMMANDS, ids=[row[0] for row in COMMANDS])
async def test_commands(
    hass: HomeAssistant, cp1: str, left: RawStation, action: str, fields: dict[str, Any], request_name: str, payload: dict[str, Any]
) -> None:
    """What is sent, and that a no is told."""
    yes = left.answers.get(request_name, {"status": "Accepted"})
    left.answers[request_name] = yes
    await tell(hass, action, cp1, **fields)
    assert await left.hears(request_name, lambda asked: asked == payload)
    left.errors[request_name] = "InternalError"
    with pytest.raises(HomeAssistantError) as failed:
        await tell(hass, action, cp1, **fields)
    assert failed.value.translation_key == "station_internal_error"


async def test_monitors_and_customers(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """They answer with what the station says."""
    named = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}, "type": "UpperThreshold", "severity": 5}
    left.answers["SetVariableMonitoring"] = {"setMonitoringResult": [named | {"id": 9, "status": "Accepted"}]}
    monitor = {"variable": "EVSE@1.Power", "type": "UpperThreshold", "value": 11000, "severity": 5}
    response = await ask(hass, "set_monitors", cp1, monitors=[monitor])
    assert response["monitors"][0]["id"] == 9
    left.answers["ClearVariableMonitoring"] = {"clearMonitoringResult": [{"id": 9, "status": "Accepted"}]}
    response = await ask(hass, "clear_monitors", cp1, ids=[9])
    assert response["monitors"][0]["status"] == "Accepted"
    left.answers["GetMonitoringReport"] = {"status": "EmptyResultSet"}
    assert await ask(hass, "get_monitors", cp1) == {"monitors": []}
    left.answers["GetDisplayMessages"] = {"status": "Unknown"}
    assert await ask(hass, "get_messages", cp1) == {"messages": []}
    left.answers["CustomerInformation"] = {"status": "Accepted"}
    assert await ask(hass, "customer_information", cp1, id_token="04AB", report=False, clear=True) == {"data": ""}
    with pytest.raises(ServiceValidationError) as refused:
        await ask(hass, "customer_information", cp1)
    assert refused.value.translation_key == "one_customer"


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("set_monitors", {"monitors": [{"variable": "EVSE.Power", "type": "Delta", "value": "nan", "severity": 3}]}),
        ("data_transfer", {"vendor_id": "com.example", "data": {"limit": float("inf")}}),
    ],
)
async def test_what_is_no_json_is_the_callers_mistake(
    hass: HomeAssistant, cp1: str, left: RawStation, action: str, fields: dict[str, Any]
) -> None:
    """A schema does not see it, and nothing is sent."""
    asked = list(left.heard)
    with pytest.raises(ServiceValidationError) as failed:
        await ask(hass, action, cp1, **fields)
    assert failed.value.translation_key == "payload_invalid"
    assert not {action for action, _ in left.heard[len(asked) :]} & {"SetVariableMonitoring", "DataTransfer"}


async def test_the_repair_of_a_monitor_goes_with_the_monitor(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """A station says no more of one that it does not have any more."""
    named = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
    result = named | {"type": "UpperThreshold", "severity": 2, "id": 9, "status": "Accepted"}
    left.answers["SetVariableMonitoring"] = {"setMonitoringResult": [result]}
    await ask(hass, "set_monitors", cp1, monitors=[{"variable": "EVSE@1.Power", "type": "UpperThreshold", "value": 11000, "severity": 2}])
    told = named | {"eventId": 1, "timestamp": now(), "trigger": "Alerting", "actualValue": "12000", "variableMonitoringId": 9}
    event = told | {"eventNotificationType": "CustomMonitor"}
    await left.call("NotifyEvent", {"generatedAt": now(), "seqNo": 0, "eventData": [event]})
    assert [issue.translation_key for _, issue in sorted(ir.async_get(hass).issues.items())] == ["station_monitor"]
    left.answers["ClearVariableMonitoring"] = {"clearMonitoringResult": [{"id": 9, "status": "Accepted"}]}
    await ask(hass, "clear_monitors", cp1, ids=[9])
    assert not ir.async_get(hass).issues


async def test_any_name_reaches_the_station(hass: HomeAssistant, cp1: str, left: RawStation) -> None:
    """Names that the guard can make nothing of are the station's to judge."""
    left.errors["SetVariables"] = "NotSupported"
    with pytest.raises(HomeAssistantError) as failed:
        await ask(hass, "call", cp1, request="SetVariables", payload={"setVariableData": [NAMED]})
    assert failed.value.translation_key == "station_not_supported"
    assert (await left.hears("SetVariables", lambda asked: asked == {"setVariableData": [NAMED]})) is not None
