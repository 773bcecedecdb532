"""A small station for tests: raw OCPP-J over a real WebSocket, every frame it gets checked against the official schemas."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from itertools import count
import json
from typing import Any, Self

from jsonschema import Draft6Validator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "Maker", "model": "Post", "serialNumber": "7", "firmwareVersion": "1.2"}}
TRIGGERED_BOOT = BOOT | {"reason": "Triggered"}
SILENCE = object()
"""An answer that never comes."""


class Refusal(Exception):
    """Raised by an answer: a CALLERROR is sent."""


@cache
def schema(name: str) -> Draft6Validator:
    text = resources.files("ocpp").joinpath("v201", "schemas", f"{name}.json").read_text(encoding="utf-8-sig")
    return Draft6Validator(json.loads(text))


def variable(
    component: str, name: str, value: str, *, evse: Mapping[str, int] | None = None, instance: str | None = None
) -> dict[str, Any]:
    item: dict[str, Any] = {"component": {"name": component}, "variable": {"name": name}, "variableAttribute": [{"value": value}]}
    if evse:
        item["component"]["evse"] = evse
    if instance:
        item["variable"]["instance"] = instance
    return item


def set_results(payload: Mapping[str, Any], status: str = "Accepted") -> dict[str, Any]:
    return {
        "setVariableResult": [
            {"attributeStatus": status, "component": item["component"], "variable": item["variable"]} for item in payload["setVariableData"]
        ]
    }


REPORT = [
    variable("EVSE", "SupplyPhases", "3", evse={"id": 1}),
    variable("Connector", "AvailabilityState", "Available", evse={"id": 1, "connectorId": 1}),
    variable("SmartChargingCtrlr", "RateUnit", "A,W"),
    variable("SmartChargingCtrlr", "ProfileStackLevel", "5"),
    variable("SmartChargingCtrlr", "PeriodsPerSchedule", "24"),
    variable("DeviceDataCtrlr", "ItemsPerMessage", "2", instance="SetVariables"),
]

type AnswerTo = Callable[[Mapping[str, Any]], Any] | Mapping[str, Any] | object


class Client:
    """One connection. `answers` says how each request of the central system is answered; `heard` is every request it sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.message_ids: list[str] = []
        """Of those requests."""
        self.invalid: list[str] = []
        self.answers: dict[str, AnswerTo] = {
            "GetBaseReport": self._report,
            "SetVariables": set_results,
            "TriggerMessage": self._trigger,
            "SetChargingProfile": {"status": "Accepted"},
        }
        self.errors: dict[str, str] = {}
        """Codes of CALLERRORs to answer with, by action."""
        self.report = REPORT
        self.boot_when_asked = True
        self.triggered_boot: Mapping[str, Any] = TRIGGERED_BOOT
        self._ids = count(1)
        self._waiting: dict[str, asyncio.Future[list[Any]]] = {}
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._follow_ups: dict[str, Callable[[Any], Awaitable[Any]]] = {}
        self.raw: asyncio.Queue[list[Any]] = asyncio.Queue()
        """Responses to what was sent with `send_raw`."""

    @classmethod
    @asynccontextmanager
    async def on(cls, socket: ClientConnection) -> AsyncIterator[Self]:
        """A station on an open socket; at the end every frame it got must have been valid."""
        client = cls(socket)
        reading = asyncio.create_task(client.run())
        try:
            yield client
        finally:
            reading.cancel()
            for task in list(client._tasks):
                task.cancel()
            assert client.invalid == []

    async def run(self) -> None:
        async for text in self.socket:
            frame = json.loads(text)
            if frame[0] == 2:
                self._later(self._serve(frame))
            elif frame[1] in self._waiting:
                self._waiting.pop(frame[1]).set_result(frame)
            else:
                self.raw.put_nowait(frame)

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def after(self, action: str, follow_up: Callable[[Any], Awaitable[Any]]) -> None:
        """Do something once a request is answered, such as sending the report that was asked for."""
        self._follow_ups[action] = follow_up

    async def _serve(self, frame: list[Any]) -> None:
        with suppress(ConnectionClosed):  # it may end while it is still answered
            await self._answer(frame)
            if (follow_up := self._follow_ups.get(frame[2])) is not None:
                await follow_up(frame[3])

    async def _answer(self, frame: list[Any]) -> None:
        _, message_id, action, payload = frame
        self.invalid += [f"{action}: {error.message}" for error in schema(f"{action}Request").iter_errors(payload)]
        answer = self.answers.get(action)
        async with self._news:
            self.heard.append((action, payload))
            self.message_ids.append(message_id)
            self._news.notify_all()
        if answer is SILENCE:
            return
        if answer is None or action in self.errors:
            await self.socket.send(json.dumps([4, message_id, self.errors.get(action, "NotImplemented"), "", {}]))
            return
        try:
            result = answer(payload) if callable(answer) else answer
        except Refusal as refusal:
            await self.socket.send(json.dumps([4, message_id, str(refusal), "", {}]))
            return
        if asyncio.iscoroutine(result):
            result = await result
        if result is not SILENCE:
            await self.socket.send(json.dumps([3, message_id, result]))

    def _report(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        self._later(self.send_report(payload["requestId"]))
        return {"status": "Accepted"}

    async def send_report(self, request_id: int) -> None:
        half = len(self.report) // 2
        for seq_no, part in enumerate((self.report[:half], self.report[half:])):
            page = {"requestId": request_id, "generatedAt": stamp(), "seqNo": seq_no, "tbc": seq_no == 0, "reportData": part}
            await self.call("NotifyReport", page)

    def _trigger(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        if payload["requestedMessage"] == "BootNotification" and self.boot_when_asked:
            self._later(self.call("BootNotification", self.triggered_boot))
            return {"status": "Accepted"}
        return {"status": "Rejected"}

    async def exchange(self, action: str, payload: Mapping[str, Any]) -> list[Any]:
        message_id = f"s{next(self._ids)}"
        self._waiting[message_id] = asyncio.get_running_loop().create_future()
        await self.socket.send(json.dumps([2, message_id, action, payload]))
        frame = await self._waiting[message_id]
        if frame[0] == 3:
            self.invalid += [f"{action}: {error.message}" for error in schema(f"{action}Response").iter_errors(frame[2])]
        return frame

    async def call(self, action: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        frame = await self.exchange(action, payload)
        assert frame[0] == 3, frame
        return dict(frame[2])

    async def error(self, action: str, payload: Mapping[str, Any]) -> str:
        frame = await self.exchange(action, payload)
        assert frame[0] == 4, frame
        return str(frame[2])

    async def send_raw(self, text: str | bytes) -> list[Any]:
        await self.socket.send(text)
        return await self.raw.get()

    async def until(self, action: str, times: int = 1) -> dict[str, Any]:
        """Wait for the central system's `times`-th request of this kind and return its payload."""
        async with self._news:
            await self._news.wait_for(lambda: sum(heard == action for heard, _ in self.heard) >= times)
        return [payload for heard, payload in self.heard if heard == action][times - 1]

    async def hears(self, action: str, where: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        """Wait until the central system sends a request like this, or has sent one; returns the newest."""

        def found() -> dict[str, Any] | None:
            return next((payload for heard, payload in reversed(self.heard) if heard == action and where(payload)), None)

        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), 10)
            except TimeoutError:
                raise AssertionError(f"no such {action} among {[heard for heard, _ in self.heard]}") from None
        payload = found()
        assert payload is not None
        return payload

    def requests(self, action: str) -> list[dict[str, Any]]:
        return [payload for heard, payload in self.heard if heard == action]


def stamp(at: datetime | None = None) -> str:
    return (at or datetime.now(UTC)).isoformat().replace("+00:00", "Z")


@asynccontextmanager
async def station(port: int, identity: str = "CP1", *, path: str = "/ocpp/", **options: Any) -> Any:
    """Connect a station."""
    url = f"ws://127.0.0.1:{port}{path}{identity}"
    async with (
        connect(url, subprotocols=[Subprotocol("ocpp2.0.1")], ping_interval=None, max_queue=None, **options) as socket,
        Client.on(socket) as client,
    ):
        yield client
