"""The traps of the `ocpp` library, one after the other: what happens there is in each name's opposite, what must happen here is tested."""

import asyncio
from collections.abc import Awaitable, Callable
import json
import logging
from typing import Any

import pytest

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdTokenInfo
from custom_components.headroom.csms.errors import CallError, CallTimeoutError
from custom_components.headroom.csms.events import Metered
from custom_components.headroom.csms.frames import Payload
from custom_components.headroom.csms.rpc import Answer, Rpc
from custom_components.headroom.csms.upkeep import DataTransfer
from custom_components.headroom.csms.v201.link import SCHEMAS
from custom_components.headroom.csms.validation import PayloadError
from tests.conformance.messages import AT, FROM_CSMS, FROM_STATION, TOKEN, event, profile

from .client import SILENCE, Client, set_results, station
from .conftest import House
from .test_connection import Pair

type Handle = Callable[[str, Payload], Awaitable[Answer]]


async def served(handle: Callable[[Rpc], Handle], *frames: Any, answers: int = 1) -> list[Any]:
    """What a connection sends whose requests go to `handle`, when a station sends these frames and hangs up after so many answers."""
    transport, obeyed = Pair(), set[str]()
    rpc: Rpc
    rpc = Rpc(transport, SCHEMAS, lambda action, payload: handle(rpc)(action, payload), name="CP1", call_timeout_s=30)
    running = asyncio.create_task(rpc.run())
    for frame in frames:
        transport.incoming.put_nowait(json.dumps(frame))
    async with asyncio.timeout(20):
        while sum(json.loads(text)[0] != 2 for text in transport.sent) < answers:
            await asyncio.sleep(0)
            for text in transport.sent:
                kind, message_id, *_ = json.loads(text)
                if kind == 2 and message_id not in obeyed:
                    obeyed.add(message_id)
                    transport.incoming.put_nowait(json.dumps([3, message_id, {"status": "Accepted"}]))
    transport.incoming.put_nowait(None)
    await running
    return [json.loads(text) for text in transport.sent]


async def test_a_handler_may_wait_for_a_call_of_its_own() -> None:
    """There: a deadlock until the timeout."""

    def handle(rpc: Rpc) -> Handle:
        async def answer(action: str, payload: Payload) -> Answer:
            assert (await rpc.call("ClearCache", {}))["status"] == "Accepted"
            return Answer({"currentTime": AT})

        return answer

    sent = await served(handle, [2, "a", "Heartbeat", {}], [2, "b", "Heartbeat", {}], answers=2)
    first, second = (frame[1] for frame in sent if frame[0] == 2)
    assert [(frame[0], frame[1]) for frame in sent] == [(2, first), (3, "a"), (2, second), (3, "b")] and first != second


async def test_what_follows_an_answer_may_raise(caplog: pytest.LogCaptureFixture) -> None:
    """There: a synchronous @after that raises ends the connection."""

    def handle(rpc: Rpc) -> Handle:
        def fail() -> None:
            raise RuntimeError("broken")

        async def answer(action: str, payload: Payload) -> Answer:
            return Answer({"currentTime": AT}, fail)

        return answer

    sent = await served(handle, [2, "a", "Heartbeat", {}], [2, "b", "Heartbeat", {}], answers=2)
    assert [frame[1] for frame in sent] == ["a", "b"]
    assert [record.levelno for record in caplog.records if "What follows Heartbeat of CP1 failed" in record.message] == [logging.ERROR] * 2


@pytest.mark.parametrize(
    "response",
    [{}, {"currentTime": "soon"}, {"currentTime": "2026-01-01T00:00:00"}, {"currentTime": AT, "surprise": 1}, {"currentTime": 5}],
)
async def test_an_invalid_response_of_ours_never_leaves(response: Payload, caplog: pytest.LogCaptureFixture) -> None:
    def handle(rpc: Rpc) -> Handle:
        async def answer(action: str, payload: Payload) -> Answer:
            return Answer(response)

        return answer

    sent = await served(handle, [2, "a", "Heartbeat", {}])
    assert sent == [[4, "a", "InternalError", "", {}]]
    assert any(record.levelno == logging.ERROR and "Heartbeat of CP1" in record.message for record in caplog.records)


async def test_an_answer_to_a_token_that_breaks_its_schema_is_an_internal_error(house: House) -> None:
    async def authorize(identity: str, evse_id: int | None, token: Any) -> IdTokenInfo:
        return IdTokenInfo(status=AuthorizationStatus.ACCEPTED, evse_ids=("one",))  # type: ignore[arg-type]

    house.authorize = authorize  # type: ignore[method-assign]
    await house.system.stop()
    await house.build().start("127.0.0.1", 0)
    async with station(house.port) as client:
        assert await client.error("Authorize", {"idToken": TOKEN}) == "InternalError"
        assert "currentTime" in await client.call("Heartbeat", {})


async def test_integers_written_as_fractions_are_taken(house: House) -> None:
    """There: "integer" refuses 20000.0, so the needs of many a car are lost."""
    (needs,) = FROM_STATION["NotifyEVChargingNeeds"]
    text = json.dumps([2, "needs", "NotifyEVChargingNeeds", needs]).replace("20000", "20000.0").replace('"evseId": 1', '"evseId": 1.0')
    async with station(house.port) as client:
        await house.boot(client)
        await client.call("TransactionEvent", event("Started", 0, "CablePluggedIn"))
        assert await client.send_raw(text) == [3, "needs", {"status": "Accepted"}]
        meter = {"evseId": 1.0, "meterValue": [{"timestamp": AT, "sampledValue": [{"value": 1}]}]}
        assert await client.call("MeterValues", meter) == {}
        assert house.of(Metered)[0].evse_id == 1


@pytest.mark.parametrize("action", [5, None, True, [], {}, 1.5, "", "heartbeat", "x" * 400, "Reset", "CostUpdated", "__init__"])
async def test_any_action_is_answered(house: House, action: Any) -> None:
    """There: one that is no string ends the connection, one that nobody handles is not answered under 2.1."""
    async with station(house.port) as client:
        kind, message_id, code, *_ = await client.send_raw(json.dumps([2, "a", action, {}]))
        assert (kind, message_id, code) == (4, "a", "NotImplemented" if isinstance(action, str) else "RpcFrameworkError")
        assert "currentTime" in await client.call("Heartbeat", {})


@pytest.mark.parametrize(
    "text", ["", "{", "nonsense", '[2,"a"', "[2]", '[2,"a"]', '[2,"a","Heartbeat"]', '[5,"a","Heartbeat",{}]', "[]", "7"]
)
async def test_what_is_no_frame_is_answered(house: House, text: str) -> None:
    """There: silence."""
    async with station(house.port) as client:
        kind, message_id, *_ = await client.send_raw(text)
        assert (kind, message_id) == (4, "a" if text.startswith(('[2,"a"]', '[2,"a",', "[5")) else "-1")
        assert "currentTime" in await client.call("Heartbeat", {})


async def answering(client: Client, frame: Callable[[str], Any]) -> None:
    """Have a station answer ClearCache with a frame of its own making."""

    async def answer(payload: Payload) -> Any:
        await client.socket.send(json.dumps(frame(client.message_ids[-1])))
        return SILENCE

    client.answers["ClearCache"] = answer


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ([], "GenericError"),
        (["Busy"], "Busy"),
        (["Busy", "later"], "Busy"),
        (["Busy", None, None], "Busy"),
        ([None, "later", {}], "GenericError"),
        (["Busy", "later", {"a": 1}, "more"], "Busy"),
    ],
)
async def test_an_error_that_leaves_parts_out_ends_its_call(house: House, rest: list[Any], code: str) -> None:
    """There: it is dropped, and the caller waits for the timeout; or gets None."""
    async with station(house.port) as client:
        found = await house.boot(client)
        await answering(client, lambda message_id: [4, message_id, *rest])
        with pytest.raises(CallError) as error:
            await found.call("ClearCache", {})
        assert error.value.code == code


async def test_an_answer_that_comes_twice_or_to_nothing_changes_nothing(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        await answering(client, lambda message_id: [3, message_id, {"status": "Accepted"}])
        for _ in range(3):
            await client.socket.send(json.dumps([3, "99", {"status": "Rejected"}]))
            assert await found.call("ClearCache", {}) == {"status": "Accepted"}
            await client.socket.send(json.dumps([3, client.message_ids[-1], {"status": "Rejected"}]))


@pytest.mark.parametrize("message_id", ["1", "é" * 36, " ", "-1", "x" * 36])
async def test_an_id_that_is_used_again_is_answered_again(house: House, message_id: str) -> None:
    async with station(house.port) as client:
        for _ in range(2):
            await client.socket.send(json.dumps([2, message_id, "Heartbeat", {}]))
        frames = [await client.raw.get() for _ in range(2)]
        assert [frame[:2] for frame in frames] == [[3, message_id]] * 2


@pytest.mark.parametrize("message_id", [7, None, True, 1.5, [], {}, "", "x" * 37])
async def test_an_id_that_is_none_is_answered_as_unreadable(house: House, message_id: Any) -> None:
    async with station(house.port) as client:
        assert (await client.send_raw(json.dumps([2, message_id, "Heartbeat", {}])))[:3] == [4, "-1", "RpcFrameworkError"]


KEYS = {"camelCase": {"snake_case": 1, "SoC": [{"Kebab-Case": None}], "V2X": 2.5, "url": "x"}, "evse_id": 1, "ocppCSMSURL": "y"}


async def test_the_keys_of_data_and_custom_data_stay_as_they_are(house: House) -> None:
    """There: rewritten from camel to snake and back, either way."""
    async with station(house.port) as client:
        found = await house.boot(client)
        await client.call("DataTransfer", {"vendorId": "org.example", "data": KEYS})
        assert house.of(DataTransfer)[0].data == KEYS
        client.answers["DataTransfer"] = lambda payload: {"status": "Accepted", "data": payload["data"]}
        custom = {"vendorId": "org.example", **KEYS}
        answer = await found.call("DataTransfer", {"vendorId": "org.example", "data": KEYS, "customData": custom})
        assert answer["data"] == KEYS
        assert client.requests("DataTransfer") == [{"vendorId": "org.example", "data": KEYS, "customData": custom}]


def scheduled(**more: Any) -> dict[str, Any]:
    """A TxDefaultProfile whose first period has other values."""
    found = profile("TxDefaultProfile")
    found["chargingSchedule"][0]["chargingSchedulePeriod"][0] |= more
    return found


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": profile("TxDefaultProfile", stackLevel=-1)}),
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": scheduled(limit=6.25)}),
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": scheduled(limit=0.1 + 0.2)}),
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": scheduled(limit=-1.0)}),
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": scheduled(limit="6")}),
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": profile("TxDefaultProfile", validTo="tomorrow")}),
        ("SetChargingProfile", {"evseId": 1, "chargingProfile": profile("TxDefaultProfile", validTo="2026-01-01T00:00:00")}),
        ("RequestStartTransaction", {"idToken": TOKEN, "remoteStartId": 1, "chargingProfile": scheduled(limit=6.25)}),
        ("ReserveNow", {"id": 1, "expiryDateTime": "2026-02-30T00:00:00Z", "idToken": TOKEN}),
        ("ReserveNow", {"id": 1, "expiryDateTime": "2026-01-01 00:00:00Z", "idToken": TOKEN}),
        ("Reset", {"type": "Later"}),
        ("Reset", {"type": "Immediate", "surprise": 1}),
        ("Reset", {}),
        ("ClearDisplayMessage", {"id": True}),
        ("DataTransfer", {"vendorId": "v", "data": float("nan")}),
    ],
)
async def test_an_invalid_request_of_ours_never_leaves(house: House, action: str, payload: Payload) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        before = len(client.heard)
        with pytest.raises(ValueError) as error:
            await found.call(action, payload)
        assert action == "DataTransfer" or isinstance(error.value, PayloadError)
        client.answers["ClearCache"] = {"status": "Accepted"}
        assert await found.call("ClearCache", {}) == {"status": "Accepted"}
        assert [action for action, _ in client.heard[before:]] == ["ClearCache"]


def test_what_is_valid_is_not_refused() -> None:
    for action, payloads in FROM_CSMS.items():
        for payload in payloads:
            SCHEMAS.check_request(action, payload)
    for limit in (0, 0.0, 6.1, 16, 31.9, 11040.0, 22080.3):
        SCHEMAS.check_request("SetChargingProfile", {"evseId": 1, "chargingProfile": scheduled(limit=limit)})


async def test_a_call_that_is_not_answered_lets_the_next_one_go(impatient: House) -> None:
    async with station(impatient.port) as client:
        found = await impatient.boot(client)
        client.answers |= {"ClearCache": SILENCE, "SetVariables": set_results}
        with pytest.raises(CallTimeoutError):
            await found.call("ClearCache", {})
        assert (await found.set_variables({("AuthCtrlr", "Enabled"): "true"}))["AuthCtrlr", "Enabled"].taken
