"""The connection loop of OCPP-J: requests answered in their order, one request of ours outstanding (Part 4, 4.1.1)."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
import logging
import secrets
from typing import Any, Protocol

from .errors import CallError, CallTimeoutError, StationError, StationOfflineError
from .frame_log import RECEIVED, SENT, FrameLog
from .frames import Call, CallFailure, Failure, MalformedFrame, Payload, Result, call_text, error_text, parse, result_text
from .patience import Patience
from .validation import PayloadError, Schemas

_LOGGER = logging.getLogger(__name__)

LONGEST_BACKLOG = 256
LARGEST_BACKLOG = 1 << 20
"""Requests of a station that wait for their turn, and their characters; it is to wait for each answer, so a longer queue is a fault."""
MOST_WAITING = 128
"""Requests of ours that wait for their turn; whoever comes beyond is told so at once."""
MOST_AT_ONCE = 16
"""After so many frames the other stations have a turn, however many this one has sent in one go."""
MOST_GIVEN_UP = 8
"""Of so many requests that were given up an answer may yet come that tells how late it is."""
DRAIN_S = 5.0
"""How long requests that came before the connection closed may still be handled."""


class Transport(Protocol):
    """A connection that carries text messages: a WebSocket, or two queues in a test."""

    @property
    def subprotocol(self) -> str | None:
        """The negotiated subprotocol, e.g. "ocpp2.0.1"."""

    @property
    def remote(self) -> str:
        """Where the peer is, for people."""

    async def send(self, text: str) -> None:
        """Send one message. Raises ConnectionError when closed."""

    async def recv(self) -> str:
        """Return the next message. Raises ConnectionError when closed."""

    async def close(self, code: int, reason: str) -> None:
        """Close; closing twice is no error."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and what is to happen once it is sent."""

    payload: Payload
    then: Callable[[], None] | None = None


type Over = Callable[[Payload | StationError | None], None]
"""Hears what became of a request, also where its caller is gone: the response, what went wrong, or None where it was never sent."""


@dataclass(frozen=True, slots=True)
class _Outgoing:
    message_id: str
    action: str
    text: str
    timeout_s: float | None
    """None: as long as its station is given for such a request."""
    answer: asyncio.Future[Payload]
    over: Over | None

    def settle(self, outcome: Payload | StationError | None) -> None:
        """Tell whoever waits for it."""
        if self.over is not None:
            self.over(outcome)
        if self.answer.done() or outcome is None:
            return
        if isinstance(outcome, StationError):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Rpc:
    """One connection. `handle` answers a station's request or raises CallFailure; it may wait for calls of ours.

    A request is handled at once, within the turn of the event loop that read it, unless one before it still waits for something.
    """

    def __init__(
        self,
        transport: Transport,
        schemas: Schemas,
        handle: Callable[[str, Payload], Awaitable[Answer]],
        *,
        name: str,
        call_timeout_s: float,
        log: FrameLog | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take the connection; nothing is read before `run`. `log` keeps the frames that pass, by the time `now` tells."""
        self._transport = transport
        self._schemas = schemas
        self._handle = handle
        self._name = name
        self._patience = Patience(call_timeout_s)
        self._log = FrameLog() if log is None else log
        self._now = now
        self._incoming: deque[tuple[Call, int]] = deque()
        self._incoming_characters = 0
        self._answering: asyncio.Task[None] | None = None
        self._outgoing: deque[_Outgoing] = deque()
        self._outstanding: tuple[_Outgoing, asyncio.TimerHandle] | None = None
        self._sent_at = 0.0
        """When the outstanding one was sent, by the event loop's clock."""
        self._given_up: dict[str, tuple[str, float]] = {}
        """The action of each of the last requests that were given up, and when it was sent."""
        self._sending: set[asyncio.Task[None]] = set()
        self._life = secrets.token_hex(4)
        """No message id is used twice for a station, whatever connection it comes by (Part 4, 4.1.4): a late answer finds nobody else's."""
        self._ids = count(1)
        self._failing: set[str] = set()
        """Actions of requests whose handling failed the last time."""
        self._closed = False

    async def run(self) -> str:
        """Serve until the connection closes; returns why it did."""
        drain_s = 0.0
        try:
            reason = await self._receive()
            drain_s = DRAIN_S
        finally:
            self._go_offline()
            for sending in self._sending:
                sending.cancel()
            # The last words of a station that hung up count too.
            if self._answering is not None:
                await asyncio.wait((self._answering,), timeout=drain_s)
            if self._answering is not None:
                self._answering.cancel()
                await asyncio.wait((self._answering,))
        return reason

    async def call(self, action: str, payload: Payload, *, timeout_s: float | None = None, over: Over | None = None) -> Payload:
        """Send a request and return the response's payload, which is an object; its schema is the caller's business.

        Raises PayloadError where the request violates its schema or is no JSON (nothing is sent then), CallError for a CALLERROR,
        CallTimeoutError, StationOfflineError, and StationError where too many wait already. Without `timeout_s` a station whose answers to
        such requests came late is given longer than others (`patience.py`). A caller that is cancelled leaves an
        outstanding call outstanding: the next one waits for it. `over` hears once of every call for which nothing was raised at once.
        """
        self._schemas.check_request(action, payload)
        if self._closed:
            raise StationOfflineError(f"{self._name} is not connected")
        if len(self._outgoing) >= MOST_WAITING:
            self._drop_abandoned()
        if len(self._outgoing) >= MOST_WAITING:
            raise StationError(f"{action}: too many requests wait for {self._name} already")
        message_id = f"{self._life}-{next(self._ids)}"
        try:
            text = call_text(message_id, action, payload)
        except (TypeError, ValueError) as error:  # a NaN, say: no schema looks for that
            raise PayloadError(f"{action}Request", "FormatViolation", "the payload") from error
        outgoing = _Outgoing(
            message_id,
            action,
            text,
            timeout_s,
            asyncio.get_running_loop().create_future(),
            over,
        )
        self._outgoing.append(outgoing)
        self._send_next()
        return await outgoing.answer

    # What the station says

    async def _receive(self) -> str:
        taken = 0
        while True:
            try:
                text = await self._transport.recv()
            except ConnectionError as error:
                return str(error) or "connection lost"
            self._log.add(self._now(), RECEIVED, text)
            try:
                match parse(text):
                    case Call() as call:
                        await self._take(call, len(text))
                    case Result() as result:
                        self._resolve(result.message_id, result.payload)
                    case Failure() as failure:
                        self._resolve(failure.message_id, failure)
            except MalformedFrame as error:
                _LOGGER.debug("%s sent a malformed frame: %s", self._name, error)
                if error.message_id is not None:
                    await self._send(error_text(error.message_id, error.code, error.description))
            taken += 1
            if taken % MOST_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _take(self, call: Call, characters: int) -> None:
        if self._answering is None:
            answering = asyncio.create_task(self._answer_from(call), eager_start=True)
            if not answering.done():
                self._answering = answering
        elif len(self._incoming) < LONGEST_BACKLOG and self._incoming_characters < LARGEST_BACKLOG:
            self._incoming.append((call, characters))
            self._incoming_characters += characters
        else:
            await self._send(error_text(call.message_id, "GenericError", "too many requests are waiting"))

    async def _answer_from(self, call: Call) -> None:
        """Answer a request, and those that came meanwhile."""
        try:
            await self._answer(call)
            while self._incoming:
                call, characters = self._incoming.popleft()
                self._incoming_characters -= characters
                await self._answer(call)
        finally:
            self._answering = None

    async def _answer(self, call: Call) -> None:
        then: Callable[[], None] | None = None
        try:
            answer = await self._handle(call.action, call.payload)
            self._schemas.check_response(call.action, answer.payload)
            text, then = result_text(call.message_id, answer.payload), answer.then
        except CallFailure as failure:
            text = error_text(call.message_id, failure.code, failure.description)
        except Exception:
            if call.action not in self._failing:
                _LOGGER.exception("Handling %s of %s failed", call.action, self._name)
            self._failing.add(call.action)
            text = error_text(call.message_id, "InternalError")
        else:
            if call.action in self._failing:
                _LOGGER.info("%s of %s is handled again", call.action, self._name)
                self._failing.discard(call.action)
        await self._send(text)
        if then is None or self._closed:
            return
        try:
            then()
        except Exception:
            _LOGGER.exception("What follows %s of %s failed", call.action, self._name)

    async def _send(self, text: str) -> None:
        self._log.add(self._now(), SENT, text)
        try:
            await self._transport.send(text)
        except ConnectionError as error:
            # The receiving side ends the connection; the station will repeat what was not answered.
            _LOGGER.debug("%s could not be answered: %s", self._name, error)

    # What we ask

    def _send_next(self) -> None:
        while self._outstanding is None and self._outgoing:
            outgoing = self._outgoing.popleft()
            if outgoing.answer.done():  # its caller has given up before it was sent
                outgoing.settle(None)
                continue
            self._sent_at = asyncio.get_running_loop().time()
            self._outstanding = outgoing, self._timer(outgoing)
            sending = asyncio.create_task(self._send_call(outgoing), eager_start=True)
            if not sending.done():
                self._sending.add(sending)
                sending.add_done_callback(self._sent)

    def _timeout_s(self, outgoing: _Outgoing) -> float:
        return self._patience.given_s(outgoing.action) if outgoing.timeout_s is None else outgoing.timeout_s

    def _timer(self, outgoing: _Outgoing) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_at(self._sent_at + self._timeout_s(outgoing), self._give_up, outgoing)

    def _drop_abandoned(self) -> None:
        waiting = list(self._outgoing)
        self._outgoing = deque(one for one in waiting if not one.answer.done())
        for outgoing in waiting:
            if outgoing.answer.done():
                outgoing.settle(None)

    def _sent(self, sending: asyncio.Task[None]) -> None:
        self._sending.discard(sending)
        self._send_next()

    async def _send_call(self, outgoing: _Outgoing) -> None:
        self._log.add(self._now(), SENT, outgoing.text)
        try:
            await self._transport.send(outgoing.text)
        except ConnectionError:
            self._conclude(outgoing, StationOfflineError(f"{self._name} went away"))

    def _give_up(self, outgoing: _Outgoing) -> None:
        self._given_up[outgoing.message_id] = (outgoing.action, self._sent_at)
        if len(self._given_up) > MOST_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]
        self._conclude(outgoing, CallTimeoutError(f"{outgoing.action}: no answer within {self._timeout_s(outgoing):g} s"))
        self._send_next()

    def _resolve(self, message_id: str, payload: Any) -> None:
        if self._outstanding is None or self._outstanding[0].message_id != message_id:
            if (given_up := self._given_up.pop(message_id, None)) is not None:
                self._came_late(*given_up)
            else:
                _LOGGER.debug("%s answered a request that is not outstanding", self._name)
            return
        outgoing, _ = self._outstanding
        self._patience.learn(outgoing.action, asyncio.get_running_loop().time() - self._sent_at)
        match payload:
            case Failure(code=code, description=description):
                self._conclude(outgoing, CallError(outgoing.action, code, description))
            case dict():
                self._conclude(outgoing, payload)
            case _:
                self._conclude(outgoing, CallError(outgoing.action, "FormatViolation", "the response is not an object"))
        self._send_next()

    def _came_late(self, action: str, sent_at: float) -> None:
        """Give a station longer whose answer came after it was given up, for what is outstanding too."""
        took_s = asyncio.get_running_loop().time() - sent_at
        self._patience.learn(action, took_s)
        _LOGGER.debug("%s answered %s after %.1f s", self._name, action, took_s)
        if self._outstanding is not None and self._outstanding[0].action == action:
            outgoing, timer = self._outstanding
            timer.cancel()
            self._outstanding = outgoing, self._timer(outgoing)

    def _conclude(self, outgoing: _Outgoing, outcome: Payload | StationError) -> None:
        if self._outstanding is None or self._outstanding[0] is not outgoing:
            return
        self._outstanding[1].cancel()
        self._outstanding = None
        outgoing.settle(outcome)

    def _go_offline(self) -> None:
        self._closed = True
        gone = list(self._outgoing)
        self._outgoing.clear()
        if self._outstanding is not None:
            self._conclude(self._outstanding[0], StationOfflineError(f"{self._name} went away"))
        for outgoing in gone:
            outgoing.settle(StationOfflineError(f"{self._name} went away"))
