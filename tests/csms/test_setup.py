"""Reading the inventory and setting measurands, with stations that know less than the standard asks."""

from typing import Any

import pytest

from custom_components.headroom.csms import inventory as device_model
from custom_components.headroom.csms.errors import CallError
from custom_components.headroom.csms.events import InventoryRead, Ready
from custom_components.headroom.csms.variables import AttributeType

from .client import BOOT, REPORT, SILENCE, Refusal, set_results, stamp, station, variable
from .conftest import House

FULL = "Current.Import,Voltage,Power.Active.Import,Energy.Active.Import.Register"
KNOWN = {
    ("SmartChargingCtrlr", "RateUnit", None): "W",
    ("EVSE", "AvailabilityState", 1): "Available",
    ("EVSE", "AvailabilityState", 2): "Available",
    ("Connector", "AvailabilityState", 2): "Available",
    ("EVSE", "SupplyPhases", 1): "1",
}


def known_variables(payload: dict[str, Any]) -> dict[str, Any]:
    results = []
    for item in payload["getVariableData"]:
        component = item["component"]
        value = KNOWN.get((component["name"], item["variable"]["name"], component.get("evse", {}).get("id")))
        results.append(
            item | ({"attributeStatus": "UnknownVariable"} if value is None else {"attributeStatus": "Accepted", "attributeValue": value})
        )
    return {"getVariableResult": results}


@pytest.mark.parametrize("answer", [{"status": "NotSupported"}, {"status": "EmptyResultSet"}, None, {"status": "Accepted"}, SILENCE])
async def test_without_a_report_variables_are_asked_for(impatient: House, answer: Any) -> None:
    async with station(impatient.port) as client:
        client.answers |= {"GetBaseReport": answer, "GetVariables": known_variables}
        found = await impatient.boot(client)
        assert found.inventory.evse_connectors == {1: (1,), 2: (1, 2)}
        assert found.inventory.smart_charging.rate_units == ("W",)
        assert found.inventory.variables["EVSE@1.SupplyPhases"] == "1"
        assert [payload["reportBase"] for payload in client.requests("GetBaseReport")] == ["FullInventory", "SummaryInventory"]


async def test_a_summary_is_taken_where_there_is_no_full_inventory(house: House) -> None:
    async with station(house.port) as client:
        client.answers["GetBaseReport"] = lambda payload: (
            client._report(payload) if payload["reportBase"] == "SummaryInventory" else {"status": "NotSupported"}
        )
        assert (await house.boot(client)).inventory.smart_charging.periods_per_schedule == 24


async def test_a_report_that_breaks_off_counts_as_far_as_it_came(impatient: House) -> None:
    async with station(impatient.port) as client:

        async def one_page(request_id: int) -> None:
            page = {"requestId": request_id, "generatedAt": stamp(), "seqNo": 0, "tbc": True, "reportData": REPORT[:3]}
            await client.call("NotifyReport", page)

        client.answers["GetBaseReport"] = lambda payload: client._later(one_page(payload["requestId"])) or {"status": "Accepted"}
        found = await impatient.boot(client)
        assert found.inventory.smart_charging.rate_units == ("A", "W")


async def test_a_station_that_tells_nothing_is_ready_all_the_same(impatient: House, caplog: pytest.LogCaptureFixture) -> None:
    async with station(impatient.port) as client:
        client.answers |= {"GetBaseReport": None, "GetVariables": None, "SetVariables": SILENCE}
        found = await impatient.boot(client)
        assert found.inventory.evse_connectors == {1: (1,)}
        assert found.inventory.smart_charging.rate_units == ("A",)
    assert "could not be configured" in caplog.text


async def test_measurands_are_reduced_to_what_the_station_takes(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def choosy(payload: dict[str, Any]) -> dict[str, Any]:
        (name,) = {item["variable"]["name"] for item in payload["setVariableData"]} - {"HeartbeatInterval", "TxUpdatedInterval"} or {""}
        value = payload["setVariableData"][0]["attributeValue"]
        status = {
            "TxUpdatedMeasurands": "Rejected" if "Voltage" in value else "Accepted",
            "TxStartedMeasurands": "UnknownVariable",
            "TxEndedMeasurands": "Rejected",
        }
        return set_results(payload, status.get(name, "Accepted"))

    async with station(house.port) as client:
        client.answers["SetVariables"] = choosy
        await house.boot(client)
        tried: dict[str, list[str]] = {}
        for payload in client.requests("SetVariables"):
            for item in payload["setVariableData"]:
                tried.setdefault(item["variable"]["name"], []).append(item["attributeValue"])
        assert tried["TxUpdatedMeasurands"] == [FULL, "Current.Import,Power.Active.Import,Energy.Active.Import.Register"]
        assert tried["TxStartedMeasurands"] == [FULL]
        assert [len(value.split(",")) for value in tried["TxEndedMeasurands"]] == [4, 3, 2, 1]
    assert "does not let these be set: TxStartedMeasurands, TxEndedMeasurands" in caplog.text


async def test_what_is_set_already_is_not_written_again(house: House) -> None:
    async with station(house.port) as client:
        client.report = [
            variable("SampledDataCtrlr", "TxUpdatedInterval", "5"),
            variable("OCPPCommCtrlr", "HeartbeatInterval", "60"),
            variable("SmartChargingCtrlr", "Enabled", "false"),
            *(variable("SampledDataCtrlr", f"Tx{when}Measurands", FULL) for when in ("Started", "Updated", "Ended")),
        ]
        found = await house.boot(client)
        ((item,),) = (payload["setVariableData"] for payload in client.requests("SetVariables"))
        assert (item["component"]["name"], item["variable"]["name"], item["attributeValue"]) == ("SmartChargingCtrlr", "Enabled", "true")
        assert found.inventory.smart_charging.available
        assert found.inventory.evse_connectors == {1: (1,)}


async def test_a_station_whose_smart_charging_stays_off_is_known_to_have_none(house: House) -> None:
    async with station(house.port) as client:
        client.report = [variable("SmartChargingCtrlr", "Enabled", "false"), variable("X", "y", "z")]
        client.answers["SetVariables"] = lambda payload: set_results(payload, "Rejected")
        assert (await house.boot(client)).inventory.smart_charging.available is False


async def test_what_a_station_forgot_over_its_boot_is_set_again(house: House) -> None:
    held: dict[str, str] = {}

    def take(payload: dict[str, Any]) -> dict[str, Any]:
        held.update({item["variable"]["name"]: item["attributeValue"] for item in payload["setVariableData"]})
        return set_results(payload)

    def tell(payload: dict[str, Any]) -> dict[str, Any]:
        return {
            "getVariableResult": [
                item | {"attributeStatus": "Accepted", "attributeValue": held[item["variable"]["name"]]}
                for item in payload["getVariableData"]
            ]
        }

    async with station(house.port) as client:
        client.answers |= {"SetVariables": take, "GetVariables": tell}
        found = await house.boot(client)
        held["TxUpdatedInterval"] = "900"
        written = len(client.requests("SetVariables"))
        assert (await client.call("BootNotification", BOOT))["status"] == "Accepted"
        await client.until("SetVariables", written + 1)
        assert held["TxUpdatedInterval"] == "5" and len(client.requests("SetVariables")) == written + 1
        await found.set_variables({("SampledDataCtrlr", "TxUpdatedInterval"): "30"})  # a person wants it so
        assert (await client.call("BootNotification", BOOT))["status"] == "Accepted"
        await house.until(Ready, times=3)
        await client.until("GetVariables", 2)
        await found.get_variables([("SampledDataCtrlr", "TxUpdatedInterval")])
        assert held["TxUpdatedInterval"] == "30"


async def test_variables_are_kept_with_all_that_is_said_of_them_and_written_through(house: House) -> None:
    full = variable("OCPPCommCtrlr", "RetryBackOffWaitMinimum", "10")
    full["variableAttribute"] = [
        {"type": "Actual", "value": "10", "mutability": "ReadWrite", "persistent": True},
        {"type": "MaxSet", "value": "60"},
    ]
    full["variableCharacteristics"] = {
        "dataType": "integer",
        "unit": "s",
        "minLimit": 1,
        "maxLimit": 90.0,
        "supportsMonitoring": True,
    }
    secret = variable("SecurityCtrlr", "BasicAuthPassword", "never to be told")
    key = ("OCPPCommCtrlr", "RetryBackOffWaitMinimum")
    async with station(house.port) as client:
        client.report = [*REPORT, full, secret]
        found = await house.boot(client)
        told = found.inventory.device[".".join(key)]
        assert told.value == "10" and told.writable and (most := told.attribute(AttributeType.MAX_SET)) and most.value == "60"
        assert told.characteristics is not None and told.characteristics.unit == "s"
        assert (told.characteristics.min_limit, told.characteristics.max_limit, told.characteristics.supports_monitoring) == (1, 90, True)
        assert (await found.set_variables({key: "20"}))[key].taken
        assert found.inventory.variables[".".join(key)] == found.inventory.device[".".join(key)].value == "20"
        await found.set_variables({key: "50"}, AttributeType.MAX_SET)
        assert client.requests("SetVariables")[-1]["setVariableData"][0]["attributeType"] == "MaxSet"
        assert found.inventory.variables[".".join(key)] == "20"
        await found.set_variables({("SecurityCtrlr", "BasicAuthPassword"): "also not"})
        assert "never to be told" not in str(found.inventory) and "also not" not in str(found.inventory)
        client.answers["SetVariables"] = lambda payload: set_results(payload, "RebootRequired")
        await found.set_variables({key: "30"})
        assert house.of(InventoryRead)[-1].inventory.awaiting_reboot == (".".join(key),)
        assert found.inventory.variables[".".join(key)] == "20"
        await client.call("BootNotification", BOOT)
        ready = await house.until(Ready, times=2)
        assert ready.inventory.awaiting_reboot == ()


async def test_a_report_that_nobody_asked_for_tells_what_changed(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        changed = [variable("SmartChargingCtrlr", "ProfileStackLevel", "2"), variable("EVSE", "SupplyPhases", "1", evse={"id": 2})]
        await client.call("NotifyReport", {"requestId": 1, "generatedAt": stamp(), "seqNo": 0, "reportData": changed})
        assert found.inventory.smart_charging.stack_level_max == 2 and found.inventory.smart_charging.periods_per_schedule == 24
        assert found.inventory.evse_connectors == {1: (1,), 2: (1,)}


@pytest.mark.parametrize("text", ["EVSE", "EVSE@1", "Connector@1:2", "Ctrlr[main]", "Ctrlr[main]@3:1"])
def test_names_are_read_as_they_are_written(text: str) -> None:
    assert device_model.name(device_model.reference(text)) == text


def test_report_says_what_it_says() -> None:
    units = variable("SmartChargingCtrlr", "RateUnit", "x") | {"variableAttribute": [{}], "variableCharacteristics": {"valuesList": "W, A"}}
    report = [
        units,
        variable("SmartChargingCtrlr", "ProfileStackLevel", "many"),
        variable("SmartChargingCtrlr", "ACPhaseSwitchingSupported", "true"),
    ]
    report += [variable("SmartChargingCtrlr", "Available", "False"), {"component": "?"}, {}]
    found = device_model.from_report(report)
    smart = found.smart_charging
    assert (smart.rate_units, smart.stack_level_max, smart.phase_switching, smart.available) == (("A", "W"), 10, True, False)
    assert device_model.evse_phases(found, 1) is None
    assert not device_model.is_direct(found, 1)
    assert device_model.is_direct(device_model.build({"EVSE@1.SupplyPhases": "0"}, ()), 1)


def test_ids_that_no_evse_or_connector_can_have_are_let_go() -> None:
    report = [
        variable("Connector", "Available", "true", evse={"id": evse_id, "connectorId": connector_id})
        for evse_id, connector_id in ((-1, 1), (0, 1), (2, -3), (2, 1), (3, -1), (1001, 1))
    ]
    found = device_model.from_report(report)
    assert found.evse_connectors == {2: (1,), 3: (1,)}
    # The fallback of 1001 would have the id of the lease of 1, and take its place.
    assert device_model.with_connector(found, 1001, 1) is None
    kept = device_model.document(found)
    assert device_model.from_document(kept | {"evse_connectors": {"-1": [1], "1001": [1], "2": [1]}}).evse_connectors == {2: (1,)}


async def test_an_answer_that_is_a_callerror_of_two_words_counts(house: House) -> None:
    def refuse(payload: dict[str, Any]) -> Any:
        raise Refusal("NotSupported")

    async with station(house.port) as client:
        client.answers["GetBaseReport"] = refuse
        client.answers["GetVariables"] = known_variables
        assert (await house.boot(client)).inventory.evse_connectors == {1: (1,), 2: (1, 2)}


async def test_a_report_about_something_else_gives_no_station_its_smart_charging_back(house: House) -> None:
    def page(component: str, name: str, value: str) -> dict[str, Any]:
        return {"requestId": 99, "generatedAt": stamp(), "seqNo": 0, "reportData": [variable(component, name, value)]}

    async with station(house.port) as client:
        found = await house.boot(client)
        client.errors["SetChargingProfile"] = "NotImplemented"
        with pytest.raises(CallError):
            await found.install_fallback(1, 6)
        await client.call("NotifyReport", page("Fan", "Speed", "3"))
        assert found.inventory.variables["Fan.Speed"] == "3" and not found.inventory.smart_charging.available
        await client.call("NotifyReport", page("SmartChargingCtrlr", "Enabled", "true"))
        assert found.inventory.smart_charging.available
