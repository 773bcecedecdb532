"""Malformed and hostile frames: the right CALLERROR, and the connection lives on."""

import asyncio
import json
import logging

import pytest

from custom_components.headroom.csms.authorization import AuthorizationStatus
from custom_components.headroom.csms.errors import CallError
from custom_components.headroom.csms.events import Metered, StationEvent, StatusChanged
from custom_components.headroom.csms.frames import Failure, MalformedFrame, Result, parse

from .client import station
from .conftest import House

STATUS = {"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
TRANSACTION = {
    "eventType": "Started",
    "timestamp": "2026-01-01T00:00:00Z",
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "t"},
}


@pytest.mark.parametrize(
    ("text", "message_id", "code"),
    [
        ("no json", "-1", "RpcFrameworkError"),
        ("{}", "-1", "RpcFrameworkError"),
        ("[]", "-1", "RpcFrameworkError"),
        ("null", "-1", "RpcFrameworkError"),
        pytest.param("[" * 100_000, "-1", "RpcFrameworkError", id="brackets"),
        ('[2,"a","Heartbeat",{"x":NaN}]', "-1", "RpcFrameworkError"),
        ('[2,"a","Heartbeat",{"x":1e999}]', "-1", "RpcFrameworkError"),
        ("[2]", "-1", "RpcFrameworkError"),
        ('[2,7,"Heartbeat",{}]', "-1", "RpcFrameworkError"),
        (f'[2,"{"x" * 37}","Heartbeat",{{}}]', "-1", "RpcFrameworkError"),
        ('[2,"a"]', "a", "RpcFrameworkError"),
        ('[2,"a","Heartbeat"]', "a", "RpcFrameworkError"),
        ('[2,"a",5,{}]', "a", "RpcFrameworkError"),
        ('[2,"a","Heartbeat",[]]', "a", "FormatViolation"),
        ('[2,"a","Heartbeat",null]', "a", "FormatViolation"),
        ('[5,"a","Heartbeat",{}]', "a", "MessageTypeNotSupported"),
        ('["2","a","Heartbeat",{}]', "a", "MessageTypeNotSupported"),
        ("[true]", "-1", "MessageTypeNotSupported"),
        ('[2,"a","Nonsense",{}]', "a", "NotImplemented"),
        ('[2,"a","Reset",{"type":"Immediate"}]', "a", "NotImplemented"),
        (b'[2,"\xff","Heartbeat"', "-1", "RpcFrameworkError"),
    ],
)
async def test_malformed_frame_is_answered_and_survived(house: House, text: str | bytes, message_id: str, code: str) -> None:
    async with station(house.port) as client:
        kind, answered_id, answered_code, description, details = await client.send_raw(text)
        assert (kind, answered_id, answered_code) == (4, message_id, code)
        assert isinstance(description, str) and details == {}
        assert "currentTime" in await client.call("Heartbeat", {})


def test_responses_are_read_as_far_as_they_go() -> None:
    assert parse('[3,"a"]') == Result(message_id="a", payload=None)
    assert parse('[4,"a"]') == Failure(message_id="a")
    assert parse('[4,"a","Busy"]') == Failure(message_id="a", code="Busy")
    assert parse('[4,"a",5,"text",{}]') == Failure(message_id="a", code="GenericError", description="text")


def test_integers_written_as_fractions_are_integers() -> None:
    found = parse('[3,"a",{"whole":20000.0,"part":1.5,"exact":1e15,"huge":1e300}]')
    assert isinstance(found, Result)
    assert [type(number) for number in found.payload.values()] == [int, float, int, float]
    assert list(found.payload.values()) == [20000, 1.5, 10**15, 1e300]


@pytest.mark.parametrize("text", ["[3]", "[3,5,{}]", "[4,null]"])
async def test_a_malformed_response_is_never_answered(house: House, text: str) -> None:
    with pytest.raises(MalformedFrame) as error:
        parse(text)
    assert error.value.message_id is None
    async with station(house.port) as client:
        await client.socket.send(text)
        await client.socket.send('[3,"not asked",{}]')
        assert "currentTime" in await client.call("Heartbeat", {})
        assert client.raw.empty()


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("BootNotification", {"reason": "PowerUp"}, "OccurrenceConstraintViolation"),
        ("BootNotification", {"reason": "PowerUp", "chargingStation": "x"}, "TypeConstraintViolation"),
        ("StatusNotification", STATUS | {"connectorStatus": "Charging"}, "PropertyConstraintViolation"),
        ("StatusNotification", STATUS | {"evseId": "one"}, "TypeConstraintViolation"),
        ("StatusNotification", {key: value for key, value in STATUS.items() if key != "connectorId"}, "OccurrenceConstraintViolation"),
        ("TransactionEvent", TRANSACTION | {"timestamp": "yesterday"}, "PropertyConstraintViolation"),
        ("TransactionEvent", TRANSACTION | {"eventType": "Paused"}, "PropertyConstraintViolation"),
        ("TransactionEvent", TRANSACTION | {"transactionInfo": {"transactionId": 5}}, "TypeConstraintViolation"),
        ("TransactionEvent", {key: value for key, value in TRANSACTION.items() if key != "timestamp"}, "OccurrenceConstraintViolation"),
        ("TransactionEvent", TRANSACTION | {"seqNo": True}, "TypeConstraintViolation"),
        ("Authorize", {}, "OccurrenceConstraintViolation"),
    ],
)
async def test_a_request_without_its_meaning_is_refused_with_the_right_code(
    house: House, action: str, payload: dict[str, object], code: str
) -> None:
    async with station(house.port) as client:
        assert await client.error(action, payload) == code
        assert "currentTime" in await client.call("Heartbeat", {})
        assert house.of(StatusChanged) == []


@pytest.mark.parametrize(
    "payload",
    [
        STATUS | {"evseId": 1.0},
        STATUS | {"evseId": "1"},
        STATUS | {"vendorExtension": True},
        {key: value for key, value in STATUS.items() if key != "timestamp"},
        STATUS | {"evseId": 0, "connectorId": 0},
    ],
)
async def test_a_violation_that_leaves_the_meaning_clear_is_served(house: House, payload: dict[str, object]) -> None:
    async with station(house.port) as client:
        assert await client.call("StatusNotification", payload) == {}
        assert house.of(StatusChanged)[0].status == "available"


async def test_a_fault_of_ours_is_an_internal_error_and_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with station(house.port) as client:
        token = {"idToken": "SECRET-TOKEN", "type": "Central"}  # the test's house raises KeyError for tokens it was not told of
        assert await client.error("Authorize", {"idToken": token}) == "InternalError"
        assert "currentTime" in await client.call("Heartbeat", {})
    assert any(record.levelno == logging.ERROR and "Authorize of CP1" in record.message for record in caplog.records)


async def test_an_authorization_that_takes_too_long_is_given_up(impatient: House) -> None:
    impatient.hold = asyncio.Event()
    async with station(impatient.port) as client:
        assert await client.error("Authorize", {"idToken": {"idToken": "A", "type": "Central"}}) == "InternalError"


async def test_a_flood_of_requests_is_bounded(house: House) -> None:
    house.hold = asyncio.Event()
    async with station(house.port) as client:
        await client.socket.send(json.dumps([2, "first", "Authorize", {"idToken": {"idToken": "A", "type": "Central"}}]))
        for number in range(400):
            await client.socket.send(json.dumps([2, f"h{number}", "Heartbeat", {}]))
        frame = await client.raw.get()
        assert (frame[0], frame[2]) == (4, "GenericError")
        house.tokens["A"] = AuthorizationStatus.ACCEPTED
        house.hold.set()
        while frame[1] != "first":
            frame = await client.raw.get()
        assert frame[2] == {"idTokenInfo": {"status": "Accepted"}}


async def test_a_listener_that_raises_does_not_harm_the_connection(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with station(house.port) as client:
        house.listener_error = RuntimeError("broken")
        assert await client.call("StatusNotification", STATUS) == {}
        assert await client.call("MeterValues", {"evseId": 1, "meterValue": []}) == {}
        house.listener_error = None
        assert await client.call("StatusNotification", STATUS) == {}
        assert await client.call("MeterValues", {"evseId": 1, "meterValue": []}) == {}
        assert len(house.of(StatusChanged)) == 2 and len(house.of(Metered)) == 2
    assert sum("failed" in record.message for record in caplog.records) == 1  # once, not for each event
    assert sum("taken in again" in record.message for record in caplog.records) == 1


async def test_a_listener_that_raises_over_one_stations_samples_alone_is_told_of_once(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = house.on_event

    def on_event(identity: str, event: StationEvent) -> None:
        house.listener_error = RuntimeError("broken") if (identity, type(event)) == ("CP1", Metered) else None
        hear(identity, event)

    monkeypatch.setattr(house.system, "_on_event", on_event)
    async with station(house.port) as client, station(house.port, "CP2") as other:
        for _ in range(3):
            assert await client.call("MeterValues", {"evseId": 1, "meterValue": []}) == {}
            assert await client.call("StatusNotification", STATUS) == {}
            assert await other.call("MeterValues", {"evseId": 1, "meterValue": []}) == {}
    assert sum("failed" in record.message for record in caplog.records) == 1
    assert not any("taken in again" in record.message for record in caplog.records)


async def test_a_handler_that_fails_each_time_is_told_of_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    async with station(house.port) as client:
        token = {"idToken": {"idToken": "A", "type": "Central"}}
        for _ in range(3):
            assert await client.error("Authorize", token) == "InternalError"
            assert "currentTime" in await client.call("Heartbeat", {})
        house.tokens["A"] = AuthorizationStatus.ACCEPTED
        for _ in range(2):
            assert (await client.call("Authorize", token))["idTokenInfo"]["status"] == "Accepted"
    assert sum("Authorize of CP1 failed" in record.message for record in caplog.records) == 1
    assert sum("Authorize of CP1 is handled again" in record.message for record in caplog.records) == 1


async def test_a_response_that_is_no_object_is_an_error_of_the_call(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        client.answers["ClearCache"] = lambda payload: "Accepted"
        with pytest.raises(CallError, match="not an object"):
            await found.call("ClearCache", {})
