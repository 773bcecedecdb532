"""The connection loop of OCPP-J: requests answered in their order, one request of ours outstanding (Part 4, 4.1.1)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
import logging
from typing import Any, Protocol

from .frames import Call, CallFailure, Failure, MalformedFrame, Payload, Result, call_text, error_text, parse, result_text
from .station import CallError, CallTimeoutError, StationError, StationOfflineError
from .validation import Schemas

_LOGGER = logging.getLogger(__name__)

LONGEST_BACKLOG = 256
"""Requests of a station that wait for their turn; it is to wait for each answer, so a longer queue is a fault."""
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


@dataclass(frozen=True, slots=True)
class _Outgoing:
    message_id: str
    action: str
    text: str
    timeout_s: float
    answer: asyncio.Future[Payload]


class Rpc:
    """One connection. `handle` answers a station's request or raises CallFailure; it may wait for calls of ours."""

    def __init__(
        self,
        transport: Transport,
        schemas: Schemas,
        handle: Callable[[str, Payload], Awaitable[Answer]],
        *,
        name: str,
        call_timeout_s: float,
    ) -> None:
        """Take the connection; nothing is read before `run`."""
        self._transport = transport
        self._schemas = schemas
        self._handle = handle
        self._name = name
        self._call_timeout_s = call_timeout_s
        self._incoming: asyncio.Queue[Call] = asyncio.Queue(LONGEST_BACKLOG)
        self._outgoing: asyncio.Queue[_Outgoing] = asyncio.Queue()
        self._outstanding: tuple[str, asyncio.Future[Payload | Failure]] | None = None
        self._unsent: set[asyncio.Future[Payload]] = set()
        self._ids = count(1)
        self._closed = False

    async def run(self) -> str:
        """Serve until the connection closes; returns why it did."""
        async with asyncio.TaskGroup() as tasks:
            answering = tasks.create_task(self._answer_calls())
            calling = tasks.create_task(self._send_calls())
            try:
                reason = await self._receive()
            finally:
                self._go_offline()
                calling.cancel()
                self._incoming.shutdown()
            # The last words of a station that hung up count too.
            done, _ = await asyncio.wait((answering,), timeout=DRAIN_S)
            if not done:
                answering.cancel()
        return reason

    async def call(self, action: str, payload: Payload, *, timeout_s: float | None = None) -> Payload:
        """Send a request and return the response's payload, which is an object; its schema is the caller's business.

        Raises PayloadError where the request violates its schema (nothing is sent then), CallError for a CALLERROR, CallTimeoutError
        and StationOfflineError. A caller that is cancelled leaves an outstanding call outstanding: the next one waits for it.
        """
        self._schemas.check_request(action, payload)
        if self._closed:
            raise StationOfflineError(f"{self._name} is not connected")
        answer: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
        message_id = str(next(self._ids))
        self._unsent.add(answer)
        answer.add_done_callback(self._unsent.discard)
        timeout_s = self._call_timeout_s if timeout_s is None else timeout_s
        self._outgoing.put_nowait(_Outgoing(message_id, action, call_text(message_id, action, payload), timeout_s, answer))
        return await answer

    def _go_offline(self) -> None:
        self._closed = True
        for answer in list(self._unsent):
            if not answer.done():
                answer.set_exception(StationOfflineError(f"{self._name} went away"))

    async def _receive(self) -> str:
        while True:
            try:
                text = await self._transport.recv()
            except ConnectionError as error:
                return str(error) or "connection lost"
            try:
                match parse(text):
                    case Call() as call:
                        await self._take(call)
                    case Result() as result:
                        self._resolve(result.message_id, result.payload)
                    case Failure() as failure:
                        self._resolve(failure.message_id, failure)
            except MalformedFrame as error:
                _LOGGER.debug("%s sent a malformed frame: %s", self._name, error)
                if error.message_id is not None:
                    await self._send(error_text(error.message_id, error.code, error.description))

    async def _take(self, call: Call) -> None:
        try:
            self._incoming.put_nowait(call)
        except asyncio.QueueFull:
            await self._send(error_text(call.message_id, "GenericError", "too many requests are waiting"))

    def _resolve(self, message_id: str, payload: Any) -> None:
        if self._outstanding is None or self._outstanding[0] != message_id or self._outstanding[1].done():
            _LOGGER.debug("%s answered a request that is not outstanding", self._name)
            return
        self._outstanding[1].set_result(payload)

    async def _answer_calls(self) -> None:
        while True:
            try:
                call = await self._incoming.get()
            except asyncio.QueueShutDown:
                return
            then: Callable[[], None] | None = None
            try:
                answer = await self._handle(call.action, call.payload)
                self._schemas.check_response(call.action, answer.payload)
                text, then = result_text(call.message_id, answer.payload), answer.then
            except CallFailure as failure:
                text = error_text(call.message_id, failure.code, failure.description)
            except Exception:
                _LOGGER.exception("Handling %s of %s failed", call.action, self._name)
                text = error_text(call.message_id, "InternalError")
            await self._send(text)
            if then is not None and not self._closed:
                then()

    async def _send(self, text: str) -> None:
        try:
            await self._transport.send(text)
        except ConnectionError as error:
            # The receiving side ends the connection; the station will repeat what was not answered.
            _LOGGER.debug("%s could not be answered: %s", self._name, error)

    async def _send_calls(self) -> None:
        while True:
            outgoing = await self._outgoing.get()
            if outgoing.answer.done():
                continue  # its caller has given up before it was sent
            try:
                payload = await self._exchange(outgoing)
            except StationError as error:
                if not outgoing.answer.done():
                    outgoing.answer.set_exception(error)
            else:
                if not outgoing.answer.done():
                    outgoing.answer.set_result(payload)

    async def _exchange(self, outgoing: _Outgoing) -> Payload:
        response: asyncio.Future[Payload | Failure] = asyncio.get_running_loop().create_future()
        self._outstanding = (outgoing.message_id, response)
        try:
            async with asyncio.timeout(outgoing.timeout_s):
                await self._transport.send(outgoing.text)
                payload = await response
        except TimeoutError:
            raise CallTimeoutError(f"{outgoing.action}: no answer within {outgoing.timeout_s:g} s") from None
        except ConnectionError as error:
            raise StationOfflineError(f"{self._name} went away") from error
        finally:
            self._outstanding = None
        if isinstance(payload, Failure):
            raise CallError(outgoing.action, payload.code, payload.description)
        if not isinstance(payload, dict):
            raise CallError(outgoing.action, "FormatViolation", "the response is not an object")
        return payload
