"""From the connection to Ready: stations known and unknown, that boot by themselves, when asked, or not at all."""

import asyncio
from contextlib import AsyncExitStack
import json
from typing import Any

import pytest

from custom_components.headroom.csms.events import Booted, Disconnected, InventoryRead, Ready, TransactionEvent
from custom_components.headroom.csms.memory import Memory
from custom_components.headroom.csms.pace import AT_ONCE
from custom_components.headroom.csms.values import Admission

from .client import BOOT, REPORT, SILENCE, TRIGGERED_BOOT, Client, stamp, station, variable
from .conftest import House, running


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
        await client.socket.send(json.dumps([3, client.message_ids[-1], {"status": "Accepted"}]))
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


async def test_a_known_station_that_boots_is_accepted_at_once_and_read_anew_with_another_firmware(house: House) -> None:
    newer = BOOT | {"chargingStation": BOOT["chargingStation"] | {"firmwareVersion": "1.3"}}
    async with station(house.port) as client:
        await house.boot(client)
        client.report = [*REPORT, variable("EVSE", "SupplyPhases", "1", evse={"id": 2})]
        client.triggered_boot = newer | {"reason": "Triggered"}
        assert (await client.call("BootNotification", BOOT))["status"] == "Accepted"
        await house.until(Ready, times=2)
        assert len(client.requests("GetBaseReport")) == 1
        assert (await client.call("BootNotification", newer))["status"] == "Pending"
        ready = await house.until(Ready, times=3)
        assert ready.inventory.evse_connectors == {1: (1,), 2: (1,)} and ready.info.firmware_version == "1.3"
        assert [event.accepted for event in house.of(Booted)] == [False, True, True, False, True]
        assert (await client.call("BootNotification", TRIGGERED_BOOT))["status"] == "Pending"  # its firmware is back


async def test_what_was_kept_makes_a_station_known_after_a_restart_of_ours(house: House) -> None:
    async with station(house.port) as client:
        before = (await house.boot(client)).inventory
    await house.until(Disconnected)
    kept = json.loads(json.dumps({identity: memory.document() for identity, memory in house.system.memories.items()}))
    async with running(House()) as again:
        again.system._memories |= {identity: Memory.from_document(document) for identity, document in kept.items()}
        async with station(again.port) as client:
            assert (await client.call("BootNotification", BOOT))["status"] == "Accepted"
            ready = await again.until(Ready)
            assert ready.inventory == before and ready.info.vendor == "Maker"
            assert client.requests("GetBaseReport") == []


async def test_at_most_a_few_stations_are_read_at_a_time_and_all_get_their_turn(house: House) -> None:
    reading, most = 0, 0

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(station(house.port, f"CP{number}")) for number in range(AT_ONCE * 3)]
        for client in clients:

            async def read(payload: dict[str, Any], client: Client = client) -> dict[str, Any]:
                nonlocal reading, most
                reading += 1
                most = max(most, reading)
                client._later(finish(client, payload["requestId"]))
                return {"status": "Accepted"}

            async def finish(client: Client, request_id: int) -> None:
                nonlocal reading
                for _ in range(20):
                    await asyncio.sleep(0)
                reading -= 1
                await client.send_report(request_id)

            client.answers["GetBaseReport"] = read
        answers = [await client.call("BootNotification", BOOT) for client in clients]
        assert answers[-1]["interval"] > answers[0]["interval"]
        for number in range(AT_ONCE * 3):
            await house.until(Ready, f"CP{number}")
    assert 1 <= most <= AT_ONCE


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


async def test_a_boot_of_its_own_is_no_answer_to_a_question_that_nobody_waits_for_any_more(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
    await house.until(Disconnected)
    house.admissions["CP1"] = Admission.PENDING
    async with station(house.port) as client:
        client.boot_when_asked = False
        house.admissions["CP1"] = Admission.ACCEPTED
        await house.station().approve()
        await client.until("TriggerMessage")
        await client.call("Heartbeat", {})  # it was there all the time, and is ready by that
        await house.until(Ready, times=2)
        assert client.requests("GetVariables") == []
        await client.call("BootNotification", BOOT)
        await house.until(Ready, times=3)
        await client.until("GetVariables")  # after a boot of its own it is seen whether it holds what it was set to


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
