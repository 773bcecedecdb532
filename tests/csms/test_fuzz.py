"""A share of the fuzzing that `scripts/bench fuzz` does at length, with the same code; and what it has found, each for itself."""

import asyncio
from datetime import UTC, datetime
import json
import logging
from typing import Any

from hypothesis import given, settings, strategies
import orjson
import pytest

from custom_components.headroom.csms import inventory, rpc
from custom_components.headroom.csms.authorization import AuthorizationStatus
from custom_components.headroom.csms.errors import CallRejectedError
from custom_components.headroom.csms.events import Disconnected, Ready, TransactionEvent
from custom_components.headroom.csms.frames import Call, MalformedFrame, parse

from .client import BOOT, stamp, station
from .conftest import House
from .fuzzing import LARGEST_MEMORY_BYTES, fuzz
from .mutation import Mutator, answer_id

SEED = 20260101
MESSAGES = 4000


@pytest.mark.timeout(120)
async def test_stations_that_send_nonsense_are_answered_and_harm_nobody() -> None:
    report = await fuzz(MESSAGES, SEED)
    assert report.faults == []
    assert report.messages >= MESSAGES * 0.9 and report.results > MESSAGES / 5 and report.errors.total() > MESSAGES / 5
    assert report.good_answers > 20 and report.good_worst_s < 5.0


def test_the_mutator_says_the_same_for_the_same_seed_and_reaches_every_way_to_be_wrong() -> None:
    messages = [Mutator(1).message() for _ in range(2)]
    assert messages[0] == messages[1]
    mutator = Mutator(2)
    found: set[str] = set()
    for _ in range(3000):
        try:
            found.add(type(parse(mutator.message().body.decode(errors="replace"))).__name__)
        except MalformedFrame as error:
            found.add(f"{error.code} {error.message_id in (None, '-1')}")
    assert found >= {"Call", "Result", "Failure", "RpcFrameworkError True", "RpcFrameworkError False", "FormatViolation False"}
    assert "MessageTypeNotSupported False" in found


def answered_under(text: str) -> str | None:
    """The id by which a text is answered, None where it is not."""
    try:
        frame = parse(text)
    except MalformedFrame as error:
        return error.message_id
    return frame.message_id if isinstance(frame, Call) else None


@settings(max_examples=300, deadline=None)
@given(
    strategies.recursive(
        strategies.none() | strategies.booleans() | strategies.integers() | strategies.floats() | strategies.text(),
        lambda inner: strategies.lists(inner, max_size=5) | strategies.dictionaries(strategies.text(), inner, max_size=4),
        max_leaves=30,
    )
    | strategies.tuples(strategies.sampled_from([2, 3, 4, 5]), strategies.text(max_size=40), strategies.text(max_size=9), strategies.none())
)
def test_any_json_is_a_frame_or_malformed(value: Any) -> None:
    text = json.dumps(value)
    assert answered_under(text) == answer_id(text.encode())


@settings(max_examples=300, deadline=None)
@given(strategies.text(strategies.characters(codec="utf-8")) | strategies.binary().map(lambda found: found.decode(errors="replace")))
def test_any_text_is_a_frame_or_malformed(text: str) -> None:
    assert answered_under(text) == answer_id(text.encode())


async def test_too_many_levels_are_answered_under_the_requests_own_id(house: House) -> None:
    async with station(house.port) as client:
        for levels in (70, 1100, 100_000):
            tower = '{"a":' * levels + "0" + "}" * levels
            assert (await client.send_raw(f'[2,"deep","DataTransfer",{tower}]'))[:3] == [4, "deep", "FormatViolation"]
            await client.socket.send(f'[3,"1",{tower}]')  # a response has no answer
        assert "currentTime" in await client.call("Heartbeat", {})
        assert client.raw.empty()


async def test_numbers_and_texts_that_nobody_could_write_down_stop_no_store_and_no_download(house: House) -> None:
    event = {"eventType": "Started", "timestamp": stamp(), "triggerReason": "Authorized", "transactionInfo": {"transactionId": "T1"}}
    async with station(house.port) as client:
        await house.boot(client)
        assert await client.error("TransactionEvent", event | {"seqNo": 10**40}) == "TypeConstraintViolation"
        assert await client.error("TransactionEvent", event | {"seqNo": 2**64}) == "TypeConstraintViolation"
        await client.call("TransactionEvent", event | {"seqNo": 0, "customData": {"vendorId": "\ud800", "number": 10**40}})
        model = {"vendorName": "\ud83d", "model": "\udfff"}
        await client.call("BootNotification", BOOT | {"chargingStation": model})
        memory = house.system.memories["CP1"]
        orjson.dumps(memory.document())
        assert len(orjson.dumps(memory.frames.lines())) > 1000


@pytest.mark.parametrize("value", ["9" * 400, "9" * 5000, "-1", "x", "", "١٢"])
def test_a_variable_that_is_no_number_that_anybody_means_counts_for_nothing(value: str) -> None:
    found = inventory.build({"SmartChargingCtrlr.PeriodsPerSchedule": value, "SmartChargingCtrlr.ProfileStackLevel": value}, ())
    assert found.smart_charging.periods_per_schedule in (1, 12)
    orjson.dumps(inventory.document(found))


async def test_a_station_that_tells_ever_new_things_fills_no_memory(house: House) -> None:
    long = "x" * 200_000
    meter = [{"timestamp": stamp(), "sampledValue": [{"value": 1.0}]}]
    async with station(house.port) as client:
        found = await house.boot(client)
        for number in range(1, 400):
            status = {"timestamp": stamp(), "connectorStatus": "Available", "evseId": number, "connectorId": number}
            await client.call("StatusNotification", status)
            await client.call("StatusNotification", status | {"evseId": 1})
            await client.call("MeterValues", {"evseId": number, "meterValue": meter})
            await client.call("NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": f"S{number}"}})
            began = {"eventType": "Started", "timestamp": stamp(), "triggerReason": "CablePluggedIn", "seqNo": 0, "evse": {"id": number}}
            await client.call("TransactionEvent", began | {"transactionInfo": {"transactionId": f"T{number}"}})
        for number in range(5):
            item = {
                "component": {"name": f"{long}{number}"},
                "variable": {"name": long},
                "variableAttribute": [{"value": long}],
                "variableCharacteristics": {"dataType": "OptionList", "valuesList": ",".join(f"{number}-{each}" for each in range(20_000))},
            }
            page = {"requestId": 1, "generatedAt": stamp(), "seqNo": number, "tbc": False, "reportData": [item]}
            await client.call("NotifyReport", page)
            event = {"eventType": "Updated", "timestamp": stamp(), "triggerReason": "Trigger", "seqNo": 1}
            assert await client.error("TransactionEvent", event | {"transactionInfo": {"transactionId": f"{long}{number}"}})
        assert len(found.inventory.evse_connectors) == inventory.MOST_EVSES
        assert len(house.system.memories["CP1"].draws) <= inventory.MOST_EVSES + 1
        await client.call("BootNotification", BOOT | {"chargingStation": {"vendorName": long, "model": long}})
        memory = house.system.memories["CP1"]
        assert len(orjson.dumps(memory.document())) < LARGEST_MEMORY_BYTES
        assert memory.frames.held_bytes < 50_000


async def test_a_transaction_with_an_id_that_no_request_can_name_is_taken_and_keeps_nobody_from_getting_ready(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    event = {"eventType": "Started", "timestamp": stamp(), "triggerReason": "CablePluggedIn", "seqNo": 0, "evse": {"id": 1}}
    event |= {"transactionInfo": {"transactionId": "x" * 40}}
    async with station(house.port) as client:
        await house.boot(client)
        await client.call("TransactionEvent", event)
        await client.call("BootNotification", BOOT)
        await house.until(Ready, times=2)
        with pytest.raises(CallRejectedError, match="too long"):
            await house.station().install_lease(1, "x" * 40, 8.0, datetime.now(UTC))
        await house.station().install_fallback(1, 6.0)
    assert house.of(TransactionEvent)[0].transaction_id == "x" * 40
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_requests_that_wait_are_bounded_by_their_size_too(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "LARGEST_BACKLOG", 100_000)
    house.hold = asyncio.Event()
    house.tokens["A"] = AuthorizationStatus.ACCEPTED
    async with station(house.port) as client:
        await client.socket.send(json.dumps([2, "first", "Authorize", {"idToken": {"idToken": "A", "type": "Central"}}]))
        for number in range(20):
            await client.socket.send(json.dumps([2, f"h{number}", "Heartbeat", {"customData": {"vendorId": "x" * 20_000}}]))
        frame = await client.raw.get()
        assert (frame[0], frame[1], frame[2]) == (4, "h5", "GenericError")
        house.hold.set()
        answered = {frame[1]} | {(await client.raw.get())[1] for _ in range(20)}
        assert answered == {"first", *(f"h{number}" for number in range(20))}


async def test_a_station_that_boots_again_at_once_leaves_nothing_unawaited(house: House, recwarn: pytest.WarningsRecorder) -> None:
    for _ in range(5):
        async with station(house.port) as client:
            for number in range(4):
                await client.socket.send(json.dumps([2, f"b{number}", "BootNotification", BOOT]))
            await client.socket.send(json.dumps([2, "h", "Heartbeat", {}]))
            while (await client.raw.get())[1] != "h":
                pass
        await house.until(Disconnected)
    assert [str(warning.message) for warning in recwarn] == []
