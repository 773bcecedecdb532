"""A central system with its control loop under fire: stations that send what `mutation.py` makes of the standard's messages.

What must hold: each message that is a request gets exactly one answer, under its own id where it has a readable one; responses get none;
a station that behaves is served meanwhile; nothing is logged with a traceback; no task is left over; what is kept stays small and can be
written down.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
import gc
import json
import logging
import os
from pathlib import Path
from time import perf_counter
from typing import Any, override
import warnings

import orjson

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdToken, IdTokenInfo
from custom_components.headroom.csms.events import StationEvent
from custom_components.headroom.csms.memory import Memory
from custom_components.headroom.csms.server import CentralSystem
from custom_components.headroom.csms.v201.timing import Timing
from custom_components.headroom.csms.values import Admission
from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.metering.reading import Reading
from custom_components.headroom.site.config import EvseConfig, SiteConfig, StationConfig
from custom_components.headroom.site.site import Site
from tests.conformance.payloads import least

from .client import BOOT, station
from .mutation import CLOSE, TEXT, Mutator, Sent

HANDSHAKE = (
    "GET /ocpp/{identity} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n\r\n"
)
PAGE = "page"
"""The id of what follows an answer of the station; when that comes is nobody's to say, so its answers are not counted."""
GOOD, STRANGER = "GOOD", "STRANGER"
IMPATIENT = Timing(
    call_timeout_s=0.2, boot_wait_s=0.3, report_idle_s=0.2, inventory_s=1.0, authorize_s=1.0, gap_wait_s=0.2, pending_interval_s=1
)
"""Stations under fire leave much unanswered."""
WINDOW = 40
"""Messages that are sent without waiting for their answers."""
ANSWER_S = 20.0
"""Within this everything must be answered, on however busy a machine."""
LARGEST_MEMORY_BYTES = 256 * 1024
"""What may be kept of one station, written down."""


class Hung(AssertionError):
    """Something was not answered."""


@dataclass(slots=True)
class Report:
    """What happened."""

    messages: int = 0
    illegal: int = 0
    answers: int = 0
    results: int = 0
    """Of the answers: CALLRESULTs."""
    errors: Counter[str] = field(default_factory=Counter)
    """CALLERRORs by their code."""
    connections: int = 0
    requests: int = 0
    """What the central system asked its stations meanwhile."""
    good_answers: int = 0
    good_worst_s: float = 0.0
    wrong: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    """Records with a traceback, or worse than a warning; Python's own warnings."""
    tasks_left: int = 0
    largest_memory_bytes: int = 0
    unwritable: list[str] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    """After each tenth of the messages."""
    seconds: float = 0.0

    @property
    def faults(self) -> list[str]:
        """What must not have happened."""
        found = [*self.wrong, *self.logged, *self.unwritable]
        if self.tasks_left:
            found.append(f"{self.tasks_left} tasks are left")
        if self.largest_memory_bytes > LARGEST_MEMORY_BYTES:
            found.append(f"{self.largest_memory_bytes} bytes are kept of one station")
        return found


class _Watch(logging.Handler):
    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info or record.levelno >= logging.ERROR:
            self._report.logged.append(self.format(record))


class _Fuzzer:
    """One station under a name, through as many connections as its messages end."""

    def __init__(self, system: CentralSystem, identity: str, mutator: Mutator, report: Report) -> None:
        self._system, self._identity, self._mutator, self._report = system, identity, mutator, report
        self._random = mutator.random
        self._answers: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._closed = False
        self._closed_with = ""
        self._writer: asyncio.StreamWriter | None = None

    async def run(self, messages: int) -> None:
        while messages > 0:
            if self._identity != STRANGER and self._random.random() < 0.8:
                await _introduce(self._system, self._identity)
            reading = await self._connect()
            try:
                messages -= await self._converse(messages)
            finally:
                if self._writer is not None:
                    self._writer.transport.abort()
                await asyncio.wait((reading,))
                reading.result()

    async def _connect(self) -> asyncio.Task[None]:
        async with asyncio.timeout(ANSWER_S):
            while True:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._system.port)
                writer.write(HANDSHAKE.format(identity=self._identity).encode())
                head = await reader.readuntil(b"\r\n\r\n")
                if b" 101 " in head:
                    break
                writer.transport.abort()  # the old connection is not gone yet
                await asyncio.sleep(0.05)
        self._writer, self._closed = writer, False
        self._answers.clear()
        self._report.connections += 1
        return asyncio.create_task(self._read(reader))

    async def _converse(self, most: int) -> int:
        """Send until the connection ends or is ended; returns how many messages went out."""
        sent = 0
        lasting = min(most, self._random.choice((WINDOW, 5 * WINDOW)))
        if self._random.random() < 0.7:
            self._send(Sent(TEXT, json.dumps([2, "boot", "BootNotification", BOOT]).encode(), "boot"))
            await self._answered(Counter({"boot": 1}), [])
        while sent < lasting and not self._closed:
            expected: Counter[str] = Counter()
            window: list[Sent] = []
            for _ in range(min(WINDOW, lasting - sent)):
                message = self._mutator.message()
                self._send(message)
                window.append(message)
                if message.answer_id is not None:
                    expected[message.answer_id] += 1
                sent += 1
            last = f"last{sent}"
            expected[last] += 1
            self._send(Sent(TEXT, json.dumps([2, last, "Heartbeat", {}]).encode(), last))
            await self._answered(expected, window)
        self._report.messages += sent
        if self._random.random() < 0.5 and not self._closed:
            self._report.illegal += 1
            message = self._mutator.illegal()
            frame = self._framed(message.opcode, message.body)
            # Cut short or whole; whichever, the connection is gone after it.
            self._write(frame[: self._random.randrange(1, len(frame))] if self._random.random() < 0.5 else frame)
        return sent

    def _send(self, message: Sent) -> None:
        body = message.body
        if self._random.random() < 0.05 and len(body) > 2:
            at = self._random.randrange(1, len(body))
            self._write(self._framed(message.opcode, body[:at], last=False))
            if self._random.random() < 0.5:
                self._write(self._framed(9, b"between"))
            self._write(self._framed(0, body[at:]))
        else:
            self._write(self._framed(message.opcode, body))

    def _framed(self, opcode: int, body: bytes, *, last: bool = True) -> bytes:
        size = len(body)
        if size < 126:
            length = bytes((0x80 | size,))
        elif size < 1 << 16:
            length = bytes((0x80 | 126,)) + size.to_bytes(2)
        else:
            length = bytes((0x80 | 127,)) + size.to_bytes(8)
        # A masking key of zeros leaves the bytes as they are; RFC 6455 does not forbid it.
        return bytes(((0x80 if last else 0) | opcode,)) + length + bytes(4) + body

    def _write(self, data: bytes) -> None:
        if self._writer is not None and not self._closed:
            self._writer.write(data)

    async def _answered(self, expected: Counter[str], window: Sequence[Sent]) -> None:
        """Wait for these answers; no other may come."""
        try:
            async with asyncio.timeout(ANSWER_S):
                while not self._closed and expected - self._answers:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            missing = expected - self._answers
            sent = [message.body[:500] for message in window if message.answer_id in missing]
            raise Hung(f"{self._identity}: no answer to {missing}: {sent}; answered too often: {self._answers - expected}") from None
        if self._closed:
            self._report.wrong.append(f"{self._identity}: the connection was closed though nothing was illegal: {self._closed_with!r}")
        elif surplus := self._answers - expected:
            self._report.wrong.append(f"{self._identity}: answered {dict(surplus)} too often")
        self._report.answers += self._answers.total()
        self._answers.clear()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                first, second = await reader.readexactly(2)
                length = second & 127
                if length > 125:
                    length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
                body = await reader.readexactly(length)
                if first & 15 == CLOSE:
                    self._closed_with = body.decode(errors="replace")
                if first & 15 == TEXT:
                    self._hear(json.loads(body))
        except asyncio.IncompleteReadError, ConnectionError:
            pass
        finally:
            self._closed = True
            self._news.set()

    def _hear(self, frame: list[Any]) -> None:
        if frame[0] == 2:
            self._report.requests += 1
            self._answer(frame[1], frame[2], frame[3])
            return
        if frame[0] == 3:
            self._report.results += 1
        else:
            self._report.errors[frame[2]] += 1
        if frame[1] == PAGE:
            return
        self._answers[frame[1]] += 1
        self._news.set()

    def _answer(self, message_id: str, action: str, asked: dict[str, Any]) -> None:
        """Answer a request of the central system: well, badly, twice or not at all."""
        proper = least(f"{action}Response")
        if "requestId" in asked and self._random.random() < 0.7:
            page = {"requestId": asked["requestId"], "generatedAt": "2026-01-01T00:00:00Z", "seqNo": 0, "tbc": False}
            data = [{"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "X"}, "variableAttribute": [{"value": "3"}]}]
            self._say([2, PAGE, "NotifyReport", page | {"reportData": self._mutator.changed(data)}])
        match self._random.randrange(6):
            case 0 | 1 | 2:
                self._say([3, message_id, proper])
            case 3:
                self._say([3, message_id, self._mutator.changed(proper)])
                self._say([3, message_id, proper])
            case 4:
                self._say([4, message_id, *self._random.choice(([], ["Busy"], ["NotImplemented", "", {}], [5, None], [{}, []]))])
            case _:
                pass

    def _say(self, frame: list[Any]) -> None:
        self._write(self._framed(TEXT, json.dumps(frame).encode()))


async def _introduce(system: CentralSystem, identity: str) -> None:
    """Take a station through a proper boot, so that it is served."""
    async with station(system.port, identity) as client, asyncio.timeout(ANSWER_S):
        await client.call("BootNotification", BOOT)
        while not (identity in system.stations and system.stations[identity].ready):
            await asyncio.sleep(0.02)


async def _behave(port: int, report: Report, over: asyncio.Event) -> None:
    """A station that does everything right, and looks at its watch."""
    meter = {"evseId": 1, "meterValue": [{"timestamp": "2026-01-01T00:00:00Z", "sampledValue": [{"value": 1.0}]}]}
    async with station(port, GOOD) as client:
        await client.call("BootNotification", BOOT)
        while not over.is_set():
            for action, payload in (("Heartbeat", {}), ("MeterValues", meter)):
                before = perf_counter()
                await client.exchange(action, payload)  # refused until it is accepted, which is an answer too
                report.good_answers += 1
                report.good_worst_s = max(report.good_worst_s, perf_counter() - before)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def under_fire(report: Report, identities: list[str]) -> AsyncIterator[CentralSystem]:
    """A central system with a control loop; what it logs and keeps goes into the report."""
    main = Circuit(circuit_id="main", name="Main", fuse_a=63.0, unmanaged_worst_a=(40.0, 40.0, 40.0), metered=True)
    stations = {
        name: StationConfig(identity=name, name=name, circuit_id="main", evses=(EvseConfig(evse_id=1),)) for name in (*identities, GOOD)
    }
    site = Site(SiteConfig(circuits=(main,), stations=stations), station=lambda identity: system.stations.get(identity))

    async def accept(identity: str, evse_id: int | None, token: IdToken) -> IdTokenInfo:
        return IdTokenInfo(status=AuthorizationStatus.ACCEPTED, group="g")

    def on_event(identity: str, event: StationEvent) -> None:
        site.handle(identity, event)

    system = CentralSystem(
        admit=lambda identity: Admission.PENDING if identity == STRANGER else Admission.ACCEPTED,
        authorize=accept,
        on_event=on_event,
        now=lambda: datetime.now(UTC),
        takes_vendor=lambda identity, vendor_id: True,
        timing=IMPATIENT,
    )

    async def meter() -> None:
        while True:
            now = asyncio.get_running_loop().time()
            site.update_reading("main", Reading(current_a=(20.0, 21.0, 22.0), taken_at=now, source="fuzz"))
            await asyncio.sleep(1.0)

    watch = _Watch(report)
    logging.getLogger().addHandler(watch)
    before = asyncio.all_tasks()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", RuntimeWarning)  # a coroutine that nobody awaited
        await system.start("127.0.0.1", 0)
        site.start()
        metering = asyncio.create_task(meter())
        try:
            yield system
        finally:
            metering.cancel()
            await asyncio.wait((metering,))
            await system.stop()
            await site.stop()
            for identity, memory in system.memories.items():
                _look_at(identity, memory, report)
            gc.collect()  # a task that failed unheard says so when it is collected
            await asyncio.sleep(0)
            report.tasks_left = len(asyncio.all_tasks() - before)
            logging.getLogger().removeHandler(watch)
            report.logged += [str(warning.message) for warning in warned]


def _look_at(identity: str, memory: Memory, report: Report) -> None:
    """See that what is kept of a station can be written down and read again, and shown."""
    try:
        document = memory.document()
        written = orjson.dumps(document)
        orjson.dumps(memory.frames.lines())
        assert orjson.dumps(Memory.from_document(orjson.loads(written)).document()) == written
    except (TypeError, ValueError, KeyError, AssertionError) as error:
        report.unwritable.append(f"what is kept of {identity} can't be written and read: {error!r}")
    else:
        report.largest_memory_bytes = max(report.largest_memory_bytes, len(written))


def rss_mb() -> float:
    """What this process holds now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def fuzz(messages: int, seed: int, *, fuzzers: int = 4) -> Report:
    """Send so many messages, spread over some stations, one of them not approved."""
    report, began, over = Report(), perf_counter(), asyncio.Event()
    identities = [STRANGER, *(f"FUZZ{number}" for number in range(1, fuzzers))]
    mutators = [Mutator(seed * 1000 + number) for number in range(fuzzers)]
    async with under_fire(report, identities[1:]) as system:
        behaving = asyncio.create_task(_behave(system.port, report, over))
        try:
            for _ in range(10):
                async with asyncio.TaskGroup() as tasks:
                    for identity, mutator in zip(identities, mutators, strict=True):
                        tasks.create_task(_Fuzzer(system, identity, mutator, report).run(messages // fuzzers // 10))
                report.rss_mb.append(rss_mb())
        finally:
            over.set()
            await asyncio.wait((behaving,), timeout=ANSWER_S)
        behaving.result()
    report.seconds = perf_counter() - began
    return report
