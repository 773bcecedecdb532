"""A central system of the tests' own: a few lines over any transport, so that the station is tested against nobody's idea of it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
import itertools
import json
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from simulator.transport import MemoryTransport, memory_transport

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


class TinyCsms:
    """Answers what stations send by `replies`, keeps it in `heard`, and calls them."""

    def __init__(self, registration: str = "Accepted", interval: int = 300) -> None:
        self.replies: dict[str, Any] = {
            "BootNotification": {"currentTime": NOW.isoformat(), "interval": interval, "status": registration},
            "Heartbeat": {"currentTime": NOW.isoformat()},
            "Authorize": {"idTokenInfo": {"status": "Accepted"}},
            "DataTransfer": {"status": "Accepted"},
            "Get15118EVCertificate": {"status": "Accepted", "exiResponse": "AAAA"},
            "GetCertificateStatus": {"status": "Failed"},
            "NotifyEVChargingNeeds": {"status": "Accepted"},
            "NotifyEVChargingSchedule": {"status": "Accepted"},
            "SignCertificate": {"status": "Accepted"},
        }
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.errors: dict[str, str] = {}
        self.silent_on: set[str] = set()
        self.connections = 0
        self.links: dict[str, Any] = {}
        self._something = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Any]] = {}
        self._ids = itertools.count()
        self._serving: set[asyncio.Task[None]] = set()

    def events(self, kind: str | None = None) -> list[dict[str, Any]]:
        return [payload for action, payload in self.heard if action == "TransactionEvent" and kind in {None, payload["eventType"]}]

    def count(self, action: str) -> int:
        return sum(heard == action for heard, _ in self.heard)

    async def until(self, condition: Any, timeout_s: float = 60.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._something.clear()
                await self._something.wait()

    async def connect(self, identity: str) -> MemoryTransport:
        """The station's way here in memory."""
        station, here = memory_transport(identity)
        task = asyncio.ensure_future(self.serve(identity, here))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        return station

    async def serve(self, identity: str, link: Any) -> None:
        self.connections += 1
        self.links[identity] = link
        self._something.set()
        try:
            while True:
                await self._take(link, json.loads(await link.recv()))
        except ConnectionError, ConnectionClosed:
            return

    async def _take(self, link: Any, frame: list[Any]) -> None:
        if frame[0] == 2:
            _, message_id, action, payload = frame
            self.heard.append((action, payload))
            self._something.set()
            if code := self.errors.get(action):
                await link.send(json.dumps([4, message_id, code, "", {}]))
            elif action not in self.silent_on:
                await link.send(json.dumps([3, message_id, self.replies.get(action, {})]))
        elif (answer := self._answers.pop(frame[1], None)) and not answer.done():
            answer.set_result(frame[2] if frame[0] == 3 else frame)

    async def call(self, identity: str, action: str, payload: dict[str, Any]) -> Any:
        message_id = str(next(self._ids))
        answer = self._answers[message_id] = asyncio.get_running_loop().create_future()
        await self.links[identity].send(json.dumps([2, message_id, action, payload]))
        return await asyncio.wait_for(answer, 20.0)


@asynccontextmanager
async def listening(csms: TinyCsms) -> AsyncGenerator[str]:
    """Serve a TinyCsms on a real socket; gives its URL."""

    async def served(connection: ServerConnection) -> None:
        assert connection.request is not None
        await csms.serve(connection.request.path.rsplit("/", 1)[-1], connection)

    async with serve(served, "127.0.0.1", 0, subprotocols=["ocpp2.0.1"], close_timeout=1) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
