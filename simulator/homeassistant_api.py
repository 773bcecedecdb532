"""Home Assistant's public API, as a browser or an app uses it: REST for flows, a WebSocket for all else."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
import contextlib
import itertools
from typing import Any, Self

import aiohttp

type Shown = Mapping[str, Any]
"""What a step of a flow shows."""
type Answer = Mapping[str, Any] | Callable[[Shown], Mapping[str, Any]]
"""What to fill in on a step, or how to find that out from what the step shows. A menu wants `{"next_step_id": …}`."""
type Answers = Mapping[str, Answer | Sequence[Answer]]
"""What to fill in on a flow's steps, by step id; a sequence for a step that comes several times."""

CONFIG_FLOW = "/api/config/config_entries/flow"
SUBENTRY_FLOW = "/api/config/config_entries/subentries/flow"
REPAIR_FLOW = "/api/repairs/issues/fix"
FLOW_PROGRESSED = "data_entry_flow_progressed"


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

    async def subscribe(self, listener: Callable[[Mapping[str, Any]], None], command: str, **fields: Any) -> int:
        """Send a subscribing command; `listener` gets each event until `unsubscribe` gets the number this returns, or the connection ends."""
        number = next(self._ids)
        self._subscriptions[number] = listener
        await self._send(number, {"type": command, **fields}, 30.0)
        return number

    async def unsubscribe(self, number: int) -> None:
        """End a subscription; one that ended with its connection is no error."""
        self._subscriptions.pop(number, None)
        with contextlib.suppress(HomeAssistantGoneError):
            await self.command("unsubscribe_events", subscription=number)

    async def wait_for[FoundT](
        self,
        event: str,
        look: Callable[[], Awaitable[FoundT | None]],
        *,
        timeout_s: float,
        about: Callable[[Mapping[str, Any]], bool] = lambda data: True,
    ) -> FoundT:
        """Look now, and again after each of Home Assistant's events of a type whose data are `about` it, until something is found.

        Raises TimeoutError.
        """
        happened = asyncio.Event()

        def hear(message: Mapping[str, Any]) -> None:
            if about(message["data"]):
                happened.set()

        async with asyncio.timeout(timeout_s):
            number = await self.subscribe(hear, "subscribe_events", event_type=event)
            try:
                while (found := await look()) is None:
                    await happened.wait()
                    happened.clear()
            finally:
                await self.unsubscribe(number)
        return found

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

    async def run_flow(self, flow: str, start: Mapping[str, Any], answers: Answers, *, ends: Collection[str] = ()) -> Shown:
        """Walk through a flow (its path) and return its last result.

        What a form does not ask for is left out of its answer. `ends`: the reasons to abort that are an end as wished, as that a change was
        made. Raises ApiError where a step has no answer (left) or refuses it, or the flow aborts for another reason.
        """
        left: dict[str, Iterator[Answer]] = {
            step: iter(answer if isinstance(answer, Sequence) else [answer]) for step, answer in answers.items()
        }
        shown = await self.begin_flow(flow, start)
        while shown["type"] in {"form", "menu"}:
            step = shown["step_id"]
            if shown.get("errors"):
                raise ApiError(f"{flow}, step {step}: {shown['errors']} {shown.get('description_placeholders') or ''}".rstrip())
            answer = next(left.get(step, iter(())), None)
            if answer is None:
                raise ApiError(f"{flow} asks for {step}: {[field.get('name') for field in shown.get('data_schema') or []]}")
            shown = await self.answer_flow(flow, shown, answer(shown) if callable(answer) else answer)
        if shown["type"] == "abort" and shown["reason"] not in ends:
            raise ApiError(f"{flow} was aborted: {shown['reason']}")
        return shown

    async def begin_flow(self, flow: str, start: Mapping[str, Any]) -> Shown:
        """Begin a flow; returns its first step."""
        return await self._progressed(flow, await self._request("POST", flow, start))

    async def answer_flow(self, flow: str, shown: Shown, answer: Mapping[str, Any]) -> Shown:
        """Answer a flow's step; returns the next one."""
        if shown["type"] == "form":
            asked = {field["name"] for field in shown["data_schema"]}
            answer = {name: value for name, value in answer.items() if name in asked}
        return await self._progressed(flow, await self._request("POST", f"{flow}/{shown['flow_id']}", answer))

    async def end_flow(self, flow: str, shown: Shown) -> None:
        """Close a flow's window."""
        await self._request("DELETE", f"{flow}/{shown['flow_id']}")

    async def _progressed(self, flow: str, shown: Shown, *, timeout_s: float = 330.0) -> Shown:
        """Wait while a flow shows that it is busy; returns what it shows then."""
        if shown["type"] != "progress":
            return shown
        flow_id = shown["flow_id"]

        async def look() -> Shown | None:
            now = await self._request("GET", f"{flow}/{flow_id}")
            return None if now["type"] == "progress" else now

        return await self.wait_for(FLOW_PROGRESSED, look, timeout_s=timeout_s, about=lambda data: data["flow_id"] == flow_id)

    async def _request(self, method: str, path: str, payload: Mapping[str, Any] | None = None) -> dict[str, Any]:
        async with self._session.request(method, f"{self.url}{path}", json=payload) as response:
            body = await response.text()
            if response.status >= 400:
                raise ApiError(f"{method} {path}: {response.status} {body}")
            return dict(await response.json())
