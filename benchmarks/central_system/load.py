"""Stations that cost next to nothing: WebSocket frames laid ready, so that the central system is what is measured.

A client masks its frames (RFC 6455, 5.3); the masking key here is 0, which leaves the bytes as they are. The server unmasks all the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import count
import json
from time import perf_counter
from typing import Any, override

HANDSHAKE = (
    "GET /ocpp/{identity} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n"
)
"""Compression is not offered, so neither central system spends time on it."""
NO_MASK = bytes(4)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
FIRST_NUMBER = 100_000_000
"""Message ids count up from here: all are as long, so that a frame's header never changes."""

BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "Maker", "model": "Post", "serialNumber": "7", "firmwareVersion": "1.2"}}


def now() -> str:
    """Return the time as OCPP writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def masked(opcode: int, payload: bytes) -> bytes:
    """Return a client's frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size)) + NO_MASK + payload
    if size < 1 << 16:
        return bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2) + NO_MASK + payload
    return bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8) + NO_MASK + payload


class Request:
    """A request laid ready: only its message id is new each time, and, where it has one, its seqNo, which is the same number."""

    def __init__(self, action: str, payload: Mapping[str, Any], first: int = FIRST_NUMBER) -> None:
        """Write it once."""
        numbered = {"seqNo": first} if "seqNo" in payload and action == "TransactionEvent" else {}
        text = json.dumps([2, str(first), action, {**payload, **numbered}], separators=(",", ":")).encode()
        self._parts = masked(TEXT, text).split(str(first).encode())
        assert len(self._parts) == 2 + len(numbered), "the number stands elsewhere too"
        self._numbers = count(first)

    def frame(self) -> bytes:
        """Return its next frame."""
        return str(next(self._numbers)).encode().join(self._parts)


type Answering = Callable[[Station, str, str, Mapping[str, Any]], None]
"""Called with the station, the message id, the action and the payload of a request of the central system."""


class Station(asyncio.Protocol):
    """One connection. A request that is answered calls `on_answer` with the seconds it took."""

    def __init__(self, identity: str, port: int, answering: Answering) -> None:
        """Connect by `loop.create_connection`."""
        self.identity = identity
        self._port = port
        self._answering = answering
        self.on_answer: Callable[[bytes, float], None] = lambda body, took_s: None
        self.ready = asyncio.get_running_loop().create_future()
        self.lost = False
        self.refused = 0
        """CALLERRORs that were had for an answer."""
        self._buffer = b""
        self._sent_at = 0.0
        self._outstanding = False
        self._waiting: deque[bytes] = deque()
        self._transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(HANDSHAKE.format(identity=self.identity, port=self._port).encode())

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError(f"{self.identity} was turned away"))

    @override
    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self.ready.done():
            head, found, buffer = buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = head
                return
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self.ready.set_exception(ConnectionError(head.split(b"\r\n", 1)[0].decode()))
                return
            self.ready.set_result(None)
        while (size := len(buffer)) >= 2:
            length, start = buffer[1] & 127, 2
            if length == 126:
                length, start = int.from_bytes(buffer[2:4]), 4
            elif length == 127:
                length, start = int.from_bytes(buffer[2:10]), 10
            if size < start or size < start + length:
                break
            self._frame(buffer[0], buffer[start : start + length])
            buffer = buffer[start + length :]
        self._buffer = buffer

    def _frame(self, first: int, body: bytes) -> None:
        opcode = first & 15
        if opcode == TEXT:
            if body.startswith(b"[2"):
                _, message_id, action, payload = json.loads(body)
                self._answering(self, message_id, action, payload)
                return
            took_s = perf_counter() - self._sent_at
            self.refused += body.startswith(b"[4")
            self._outstanding = False
            if self._waiting:
                self._send_request(self._waiting.popleft())
            self.on_answer(body, took_s)
        elif opcode == PING:
            self.write(masked(PONG, body))
        elif opcode == CLOSE:
            self.close()

    def request(self, frame: bytes) -> None:
        """Send a request, after those that wait."""
        if self._outstanding:
            self._waiting.append(frame)
        else:
            self._send_request(frame)

    def _send_request(self, frame: bytes) -> None:
        self._outstanding = True
        self._sent_at = perf_counter()
        self.write(frame)

    def answer(self, message_id: str, payload: Mapping[str, Any]) -> None:
        """Answer a request."""
        self.write(masked(TEXT, json.dumps([3, message_id, payload], separators=(",", ":")).encode()))

    def refuse(self, message_id: str) -> None:
        """Answer a request of a kind this station does not know."""
        self.write(masked(TEXT, json.dumps([4, message_id, "NotImplemented", "", {}]).encode()))

    def write(self, data: bytes) -> None:
        """Write to the socket; nothing once it is closed."""
        if self._transport is not None and not self.lost:
            self._transport.write(data)

    def close(self) -> None:
        """Hang up without a word."""
        if self._transport is not None:
            self._transport.close()


async def connected(port: int, identities: Sequence[str], answering: Answering, at_once: int = 50) -> list[Station]:
    """Return connected stations."""
    loop = asyncio.get_running_loop()
    stations = [Station(identity, port, answering) for identity in identities]
    room = asyncio.Semaphore(at_once)

    async def one(station: Station) -> None:
        async with room:
            await loop.create_connection(lambda: station, "127.0.0.1", port)
            await station.ready

    await asyncio.gather(*(one(station) for station in stations))
    return stations
