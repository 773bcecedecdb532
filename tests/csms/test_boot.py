"""From the connection to Ready."""

from custom_components.headroom.csms.events import Booted, InventoryRead, Ready
from custom_components.headroom.csms.values import Admission

from .client import BOOT, SILENCE, station
from .conftest import House


async def test_boots_twice_and_is_ready(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        assert house.kinds() == ["Connected", "Booted", "Booted", "Ready"]
        ready = house.of(Ready)[0]
        assert ready.info.vendor == "Maker" and ready.info.firmware_version == "1.2"
        assert ready.inventory.evse_connectors == {1: (1,)}
        assert ready.inventory.smart_charging.periods_per_schedule == 24
        assert [event.accepted for event in house.of(Booted)] == [False, True]
        assert found.ocpp_version == "2.0.1" and found.identity == "CP1"
        written = [item for payload in client.requests("SetVariables") for item in payload["setVariableData"]]
        assert max(len(payload["setVariableData"]) for payload in client.requests("SetVariables")) <= 2
        assert {item["variable"]["name"]: item["attributeValue"] for item in written} == {
            "TxUpdatedInterval": "5",
            "HeartbeatInterval": "60",
            "TxUpdatedMeasurands": "Current.Import,Voltage,Power.Active.Import,Energy.Active.Import.Register",
            "TxStartedMeasurands": "Current.Import,Voltage,Power.Active.Import,Energy.Active.Import.Register",
            "TxEndedMeasurands": "Current.Import,Voltage,Power.Active.Import,Energy.Active.Import.Register",
        }


async def test_unapproved_station_is_read_and_else_not_served(house: House) -> None:
    house.admissions["CP1"] = Admission.PENDING
    async with station(house.port) as client:
        assert (await client.call("BootNotification", BOOT))["status"] == "Pending"
        read = await house.until(InventoryRead)
        assert read.inventory.evse_connectors == {1: (1,)}
        assert await client.error("Heartbeat", {}) == "SecurityError"
        assert client.requests("SetVariables") == []
        house.admissions["CP1"] = Admission.ACCEPTED
        await house.system.approve("CP1")
        await house.until(Ready)
        assert "currentTime" in await client.call("Heartbeat", {})


async def test_an_approved_station_is_not_served_either_until_it_is_accepted(house: House) -> None:
    async with station(house.port) as client:
        client.answers["GetBaseReport"] = SILENCE  # as a station that takes its time
        await client.call("BootNotification", BOOT)
        payload = await client.until("GetBaseReport")
        assert await client.error("Heartbeat", {}) == "SecurityError"  # B02.FR.09
        assert house.of(Ready) == []
        await client.socket.send('[3,"1",{"status":"Accepted"}]')
        await client.send_report(payload["requestId"])
        await house.until(Ready)
        assert "currentTime" in await client.call("Heartbeat", {})


async def test_a_station_that_repeats_its_boot_after_new_firmware_is_accepted_though_it_boots_for_nobody(house: House) -> None:
    updated = BOOT | {"reason": "FirmwareUpdate"}  # a pending station repeats the same boot (B02)
    async with station(house.port) as client:
        client.boot_when_asked = False
        assert (await client.call("BootNotification", updated))["status"] == "Pending"
        await client.until("TriggerMessage")
        for _ in range(2):  # its refusal has arrived
            assert await client.error("Heartbeat", {}) == "SecurityError"
        assert (await client.call("BootNotification", updated))["status"] == "Accepted"
        await house.until(Ready)
