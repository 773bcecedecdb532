"""Reading the inventory and setting measurands, with stations that know less than the standard asks."""

from typing import Any

import pytest

from custom_components.headroom.csms import inventory as device_model
from custom_components.headroom.csms.station import Admission, Booted, Disconnected, InventoryRead, Ready, TransactionEvent

from .client import BOOT, REPORT, SILENCE, TRIGGERED_BOOT, Refusal, set_results, stamp, station, variable
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


async def test_a_station_that_boots_by_itself_after_the_interval_is_accepted(house: House) -> None:
    async with station(house.port) as client:
        client.answers["TriggerMessage"] = None
        answer = await client.call("BootNotification", BOOT)
        assert answer["status"] == "Pending" and answer["interval"] > 0
        assert (await client.call("BootNotification", BOOT))["status"] == "Pending"  # not prepared yet
        await client.until("TriggerMessage")
        while (await client.call("BootNotification", BOOT))["status"] != "Accepted":
            pass
        await house.until(Ready)
        assert len(client.requests("GetBaseReport")) == 1


async def test_a_station_that_boots_anew_is_read_anew(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        client.report = [*REPORT, variable("EVSE", "SupplyPhases", "1", evse={"id": 2})]
        found = await house.boot(client)
        assert found.inventory.evse_connectors == {1: (1,), 2: (1,)}
        assert [event.accepted for event in house.of(Booted)] == [False, True, False, True]
        assert (await client.call("BootNotification", TRIGGERED_BOOT))["status"] == "Accepted"
        await house.until(Ready, times=3)


async def test_a_known_station_that_comes_back_without_a_boot_is_ready_at_once(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
    await house.until(Disconnected)
    async with station(house.port) as client:
        assert "currentTime" in await client.call("Heartbeat", {})
        await house.until(Ready, times=2)
        assert house.of(Ready)[1] == house.of(Ready)[0]
        await client.until("TriggerMessage", 2)
        triggered = [payload["requestedMessage"] for payload in client.requests("TriggerMessage")]
        assert triggered == ["TransactionEvent", "StatusNotification"]  # what it would have told after a boot
        assert client.requests("GetBaseReport") == []


async def test_a_known_station_that_comes_back_and_says_nothing_is_ready_too(impatient: House) -> None:
    async with station(impatient.port) as client:
        await impatient.boot(client)
    await impatient.until(Disconnected)
    async with station(impatient.port):
        await impatient.until(Ready, times=2)


async def test_an_unknown_station_without_a_boot_is_asked_for_one(house: House) -> None:
    updated = {
        "eventType": "Updated",
        "timestamp": stamp(),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 8,
        "transactionInfo": {"transactionId": "T"},
        "evse": {"id": 1},
    }
    async with station(house.port) as client:
        await client.call("TransactionEvent", updated)  # it is charging all the while
        await house.until(Ready)
        assert [event.accepted for event in house.of(Booted)] == [True]
        assert len(house.of(TransactionEvent)) == 1


@pytest.mark.parametrize("answer", [None, {"status": "Rejected"}, {"status": "Accepted"}, SILENCE])
async def test_an_unknown_station_that_does_not_boot_when_asked_becomes_ready_without(impatient: House, answer: Any) -> None:
    async with station(impatient.port) as client:
        client.answers["TriggerMessage"] = answer
        await client.call("Heartbeat", {})
        await impatient.until(Ready)
        assert impatient.of(Booted) == []
        assert impatient.station().inventory.smart_charging.periods_per_schedule == 24


async def test_an_unapproved_station_without_a_boot_is_read_and_approved(house: House) -> None:
    house.admissions["CP1"] = Admission.PENDING
    async with station(house.port) as client:
        client.boot_when_asked = False
        assert await client.error("Heartbeat", {}) == "SecurityError"
        await house.until(InventoryRead)
        await house.system.approve("CP1")  # nothing is approved yet: nothing happens
        house.admissions["CP1"] = Admission.ACCEPTED
        await house.system.approve("CP1")
        await house.until(Ready)
        await house.system.approve("CP1")  # it is: nothing happens
        await house.system.approve("nobody")
        assert len(client.requests("GetBaseReport")) == 1


async def test_a_boot_that_was_asked_for_is_no_approval(house: House) -> None:
    house.admissions["CP1"] = Admission.PENDING
    async with station(house.port) as client:
        assert await client.error("Heartbeat", {}) == "SecurityError"
        await house.until(InventoryRead)  # it was asked for a boot, and booted
        assert [event.accepted for event in house.of(Booted)] == [False]
        assert await client.error("Heartbeat", {}) == "SecurityError"


async def test_an_approved_station_that_says_it_was_switched_on_is_accepted_too(house: House) -> None:
    house.admissions["CP1"] = Admission.PENDING
    async with station(house.port) as client:
        client.answers["TriggerMessage"] = lambda payload: client._later(client.call("BootNotification", BOOT)) or {"status": "Accepted"}
        await client.call("BootNotification", BOOT)
        await house.until(InventoryRead)
        house.admissions["CP1"] = Admission.ACCEPTED
        await house.system.approve("CP1")
        await house.until(Ready)
        assert len(client.requests("SetVariables")) > 0


async def test_a_station_that_hangs_up_while_it_is_read_is_no_fault(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with station(house.port) as client:
        client.answers["GetBaseReport"] = SILENCE
        await client.call("BootNotification", BOOT)
        await client.until("GetBaseReport")
    await house.until(Disconnected)
    async with station(house.port) as client:
        client.answers["SetVariables"] = SILENCE
        await client.call("BootNotification", BOOT)
        await client.until("SetVariables")
    await house.until(Disconnected, times=2)
    assert house.of(Ready) == []
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


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


async def test_an_answer_that_is_a_callerror_of_two_words_counts(house: House) -> None:
    def refuse(payload: dict[str, Any]) -> Any:
        raise Refusal("NotSupported")

    async with station(house.port) as client:
        client.answers["GetBaseReport"] = refuse
        client.answers["GetVariables"] = known_variables
        assert (await house.boot(client)).inventory.evse_connectors == {1: (1,), 2: (1, 2)}
