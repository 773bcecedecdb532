"""Home Assistant's public API, as a browser or an app uses it: REST for flows, a WebSocket for all else."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
import contextlib
import itertools
from typing import Any, Self

import aiohttp

type Answer = Mapping[str, Any]
type Answers = Mapping[str, Answer | Sequence[Answer]]
"""What to fill in on a flow's steps, by step id; a sequence for a step that comes several times. A menu wants `{"next_step_id": …}`."""

CONFIG_FLOW = "/api/config/config_entries/flow"
REPAIR_FLOW = "/api/repairs/issues/fix"


class ApiError(Exception):
    """Home Assistant understood the request and refused it."""


class HomeAssistantGoneError(ConnectionError):
    """The connection to Home Assistant is lost."""


class Client:
    """A logged-in user's connection. Use `Client.connect`, and `close` in the end."""

    def __init__(self, url: str, session: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Take an authenticated socket over; `connect` makes one."""
        self.url = url
        self._session = session
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._subscriptions: dict[int, Callable[[Mapping[str, Any]], None]] = {}
        self._reader = asyncio.create_task(self._read(), name="home assistant's websocket")

    @classmethod
    async def connect(cls, url: str, token: str) -> Self:
        """Connect and authenticate; raises HomeAssistantGoneError where nobody answers and ApiError where the token is refused."""
        session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})
        try:
            socket = await session.ws_connect(f"{url}/api/websocket", max_msg_size=0, heartbeat=30)
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": token})
            answer = await socket.receive_json()
        except (aiohttp.ClientError, TypeError) as error:
            await session.close()
            raise HomeAssistantGoneError(f"{url} does not answer: {error}") from error
        if answer["type"] != "auth_ok":
            await session.close()
            raise ApiError(answer.get("message", "authentication failed"))
        return cls(url, session, socket)

    async def close(self) -> None:
        """Disconnect; safe to call twice."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._socket.close()
        await self._session.close()

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                answer = message.json()
                if answer["type"] == "event" and (listener := self._subscriptions.get(answer["id"])):
                    listener(answer["event"])
                elif answer["type"] == "result" and (future := self._waiting.pop(answer["id"], None)) and not future.done():
                    if answer["success"]:
                        future.set_result(answer["result"])
                    else:
                        future.set_exception(ApiError(answer["error"].get("message", str(answer["error"]))))
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(HomeAssistantGoneError("Home Assistant closed the connection"))
            self._waiting.clear()

    async def _send(self, number: int, message: Mapping[str, Any], timeout_s: float) -> Any:
        if self._reader.done():
            raise HomeAssistantGoneError("Home Assistant closed the connection")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self._socket.send_json({"id": number, **message})
        except (ConnectionError, aiohttp.ClientError) as error:
            self._waiting.pop(number, None)
            raise HomeAssistantGoneError(str(error)) from error
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError as error:
            raise HomeAssistantGoneError(f"No answer to {message['type']} within {timeout_s:g} s") from error
        finally:
            self._waiting.pop(number, None)

    async def command(self, command: str, *, timeout_s: float = 30.0, **fields: Any) -> Any:
        """Send a WebSocket command and return its result."""
        return await self._send(next(self._ids), {"type": command, **fields}, timeout_s)

    async def subscribe(self, listener: Callable[[Mapping[str, Any]], None], command: str, **fields: Any) -> None:
        """Send a subscribing command; `listener` gets each event until the connection ends."""
        number = next(self._ids)
        self._subscriptions[number] = listener
        await self._send(number, {"type": command, **fields}, 30.0)

    async def states(self) -> dict[str, Mapping[str, Any]]:
        """Return every entity's state object by entity id."""
        return {state["entity_id"]: state for state in await self.command("get_states")}

    async def call_action(
        self, domain: str, action: str, data: Mapping[str, Any], *, target: Mapping[str, Any] | None = None, response: bool = False
    ) -> Any:
        """Perform an action; returns its response where it was asked for."""
        fields: dict[str, Any] = {"domain": domain, "service": action, "service_data": data, "return_response": response}
        if target:
            fields["target"] = target
        return (await self.command("call_service", **fields)).get("response")

    async def run_flow(self, flow: str, start: Mapping[str, Any], answers: Answers) -> Mapping[str, Any]:
        """Walk through a flow (CONFIG_FLOW or REPAIR_FLOW) and return its last result.

        What a form does not ask for is left out of its answer. Raises ApiError where a step has no answer (left) or refuses it, or the flow aborts.
        """
        left: dict[str, Iterator[Answer]] = {
            step: iter([answer] if isinstance(answer, Mapping) else answer) for step, answer in answers.items()
        }
        result = await self._post(flow, start)
        while result["type"] in {"form", "menu"}:
            step = result["step_id"]
            if result.get("errors"):
                raise ApiError(f"{flow}, step {step}: {result['errors']} {result.get('description_placeholders') or ''}".rstrip())
            answer = next(left.get(step, iter(())), None)
            if answer is None:
                raise ApiError(f"{flow} asks for {step}: {[field.get('name') for field in result.get('data_schema') or []]}")
            if result["type"] == "form":
                asked = {field["name"] for field in result["data_schema"]}
                answer = {name: value for name, value in answer.items() if name in asked}
            result = await self._post(f"{flow}/{result['flow_id']}", answer)
        if result["type"] == "abort":
            raise ApiError(f"{flow} was aborted: {result['reason']}")
        return result

    async def _post(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        async with self._session.post(f"{self.url}{path}", json=payload) as response:
            body = await response.text()
            if response.status >= 400:
                raise ApiError(f"POST {path}: {response.status} {body}")
            return dict(await response.json())
