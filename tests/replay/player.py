"""Plays the station's side of a capture over a real WebSocket, and tells where the central system says something else than it did then."""

import asyncio
from contextlib import suppress
import json
from typing import Any

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from custom_components.headroom.csms.authorization import AuthorizationStatus
from custom_components.headroom.csms.errors import StationError
from custom_components.headroom.csms.v201.authorization import ANSWERS
from tests.csms.conftest import House, running

from .capture import CALL, ERROR, Capture, Line, lasting

OF_ITS_OWN_ACCORD = frozenset({"GetBaseReport", "GetReport", "GetTransactionStatus", "GetVariables", "SetVariables", "TriggerMessage"})
"""What a central system asks while it gets to know a station; everything else is commanded by the site, here by the player."""
PATIENCE_S = 5.0
"""How long something may take that came at once when it was captured."""


class Replay:
    """One run. `differences` are sentences for people."""

    def __init__(self, capture: Capture, house: House, socket: Any) -> None:
        self._capture = capture
        self._house = house
        self._socket = socket
        self._asked: list[list[Any]] = []
        """Requests of the central system that no line has claimed yet."""
        self._answers: dict[str, list[Any]] = {}
        self._claimed: dict[str, list[Any]] = {}
        """By the captured message id: the request that stands for it now."""
        self._request_ids: dict[int, int] = {}
        self._commands: list[asyncio.Task[None]] = []
        self._news = asyncio.Condition()
        self.differences: list[str] = []

    async def run(self) -> list[str]:
        listening = asyncio.create_task(self._listen())
        try:
            for line in self._capture.lines:
                await self._play(line)
        finally:
            listening.cancel()
            for command in self._commands:
                command.cancel()
        self.differences += [f"asks for {action} besides: {payload}" for _, _, action, payload in self._asked]
        return self.differences

    async def _listen(self) -> None:
        async for text in self._socket:
            frame = json.loads(text)
            async with self._news:
                if frame[0] == CALL:
                    self._asked.append(frame)
                else:
                    self._answers[frame[1]] = frame
                self._news.notify_all()

    async def _play(self, line: Line) -> None:
        match line.from_station, line.is_call:
            case True, True:
                await self._send(self._of_now(line.frame))
            case True, False:
                if (asked := self._claimed.pop(line.message_id, None)) is not None:
                    await self._send([line.frame[0], asked[1], *line.frame[2:]])
            case False, True:
                await self._claim(line)
            case False, False:
                await self._compare(line)

    async def _send(self, frame: list[Any]) -> None:
        await self._socket.send(json.dumps(frame))

    def _of_now(self, frame: list[Any]) -> list[Any]:
        """Return a request of the station that refers to ours by the ids of this run."""
        payload = frame[3]
        request_id = payload.get("requestId")
        return [*frame[:3], payload | {"requestId": self._request_ids[request_id]}] if request_id in self._request_ids else frame

    async def _claim(self, line: Line) -> None:
        """Find what the central system asks now where it asked something then, or have it asked."""
        _, message_id, action, payload = line.frame
        if self._asking(line) is None and (action not in OF_ITS_OWN_ACCORD or not await self._comes(line)):
            self._commands.append(asyncio.create_task(self._command(action, payload)))
            if not await self._comes(line):
                self.differences.append(f"does not ask for {action}: {payload}")
                await self._turn_away()
                return
        asked = self._asking(line)
        assert asked is not None
        self._asked.remove(asked)
        self._claimed[message_id] = asked
        if isinstance(payload.get("requestId"), int):
            self._request_ids[payload["requestId"]] = asked[3]["requestId"]

    def _asking(self, line: Line) -> list[Any] | None:
        _, _, action, payload = line.frame
        return next((frame for frame in self._asked if frame[2] == action and lasting(frame[3]) == lasting(payload)), None)

    async def _comes(self, line: Line) -> bool:
        async with self._news:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._news.wait_for(lambda: self._asking(line) is not None or self._asked)
            except TimeoutError:
                return False
        return self._asking(line) is not None

    async def _command(self, action: str, payload: dict[str, Any]) -> None:
        station = self._house.system.stations[self._capture.identity]
        with suppress(StationError):  # it was refused then, too: what the station answers is in the capture
            await station.call(action, payload)

    async def _turn_away(self) -> None:
        """Answer what nothing was asked for then, so that the conversation goes on."""
        for _, message_id, action, payload in self._asked:
            self.differences.append(f"asks for {action} instead: {payload}")
            await self._send([ERROR, message_id, "NotImplemented", "", {}])
        self._asked.clear()

    async def _compare(self, line: Line) -> None:
        async with self._news:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._news.wait_for(lambda: line.message_id in self._answers)
            except TimeoutError:
                self.differences.append(f"does not answer {line.message_id}; then it was {line.frame[2:]}")
                return
        now, then = self._answers.pop(line.message_id), line.frame
        same = now[:1] == then[:1] and (now[2] == then[2] if now[0] == ERROR else lasting(now[2]) == lasting(then[2]))
        if not same:
            self.differences.append(f"answers {line.message_id} by {now[2:]}; then it was {then[2:]}")


async def replayed(capture: Capture) -> list[str]:
    """Return where a running central system differs from what it said when the capture was made."""
    words = {word: status for status, word in ANSWERS.items()}
    tokens = {token: words.get(status, AuthorizationStatus.INVALID) for token, status in capture.tokens()}
    async with running(House(tokens=tokens)) as house:
        url = f"ws://127.0.0.1:{house.port}/{capture.identity}"
        async with connect(url, subprotocols=[Subprotocol("ocpp2.0.1")], ping_interval=None) as socket:
            return await Replay(capture, house, socket).run()
