"""The OCPP 2.0.1 client of a simulated station: it carries a StationModel over a connection that it opens again and again.

One call is outstanding each way (OCPP-J 4.1.1). Every frame is checked against its schema: what the CSMS sends amiss is kept in
`violations`; what the station would send amiss is a fault of the simulator and raises.
"""

import asyncio
from collections.abc import Mapping
import contextlib
from dataclasses import dataclass
from datetime import datetime
import logging
import random
from typing import Any
import uuid

from .blocks.block import CallRefusedError
from .frames import Call, Error, Frame, FrameError, Result, check, read, written
from .outbox import Outgoing, Registration
from .quirks import with_floats
from .station import StationModel
from .transport import Connect, Transport

LOGGER = logging.getLogger(__name__)

WHILE_PENDING = frozenset(
    {"GetBaseReport", "GetReport", "GetVariables", "SetVariables", "TriggerMessage", "Reset", "SetNetworkProfile", "DataTransfer"}
)
"""What a CSMS may send to a station it has not accepted yet (B02)."""


@dataclass(frozen=True, slots=True)
class Violation:
    """Something a CSMS must not do, with the frame it did it by."""

    at: datetime
    station: str
    text: str
    frame: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long a station waits before it dials again: doubling from `first_s` to `most_s`, plus up to `random_s`."""

    first_s: float = 1.0
    most_s: float = 30.0
    random_s: float = 1.0

    def wait_s(self, attempts: int, dice: random.Random) -> float:
        """Return the wait after so many failures in a row."""
        return float(min(self.most_s, self.first_s * 2 ** min(attempts, 16)) + dice.uniform(0.0, self.random_s))


class StationClient:
    """Runs one station's OCPP until cancelled."""

    def __init__(
        self, model: StationModel, connect: Connect, *, backoff: Backoff | None = None, call_timeout_s: float = 30.0, seed: int = 1
    ) -> None:
        """Take the station and the way to its CSMS. The seed makes its message ids and back-off repeat."""
        self.model = model
        self.connect = connect
        self.backoff = backoff or Backoff()
        self.call_timeout_s = call_timeout_s
        self.violations: list[Violation] = []
        self.connections = 0
        self.calls_answered = 0
        self._wake = asyncio.Event()
        self._dice = random.Random(f"{seed}/{model.spec.identity}")
        self._transport: Transport | None = None
        self._waiting: tuple[str, asyncio.Future[Frame]] | None = None
        self._answering: set[str] = set()
        self._babbles = False
        """It has said what it does not know of: answers to that are no one's fault."""
        model.on_change = self._wake.set

    @property
    def connected(self) -> bool:
        """Whether a connection is open."""
        return self._transport is not None

    @property
    def idle(self) -> bool:
        """Whether it is connected, and neither side waits for the other."""
        quiet = self._waiting is None and not self._answering
        return self.connected and quiet and self.model.outbox.next(self.model.now) is None

    async def run(self) -> None:
        """Connect, talk, and connect again until cancelled."""
        attempts = 0
        while True:
            await self._until_linked()
            try:
                self._transport = await self.connect(self.model.spec.identity)
            except (OSError, TimeoutError) as error:
                LOGGER.debug("%s can't connect: %s", self.model.spec.identity, error)
                await asyncio.sleep(self.backoff.wait_s(attempts, self._dice))
                attempts += 1
                continue
            attempts = 0
            self.connections += 1
            try:
                await self._talk(self._transport)
            finally:
                await self._hang_up(self._transport)
            await asyncio.sleep(self.backoff.wait_s(0, self._dice))

    async def drop(self) -> None:
        """Cut the connection as a broken network does; the station dials again after its back-off."""
        if self._transport:
            await self._transport.close(1001, "dropped")

    async def say_raw(self, text: str) -> None:
        """Send a text as it is, whatever it is; nothing while there is no connection. What is answered to it is taken for nothing."""
        if self._transport:
            self._babbles = True
            with contextlib.suppress(ConnectionError):
                await self._transport.send(text)

    async def _until_linked(self) -> None:
        while not self.model.linked:
            self._wake.clear()
            await self._wake.wait()

    async def _talk(self, transport: Transport) -> None:
        """Say and answer until the connection or the wish for it is gone."""
        self.model.connected()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(transport, group))
                group.create_task(self._say(transport))
        except* ConnectionError as errors:
            LOGGER.debug("%s: %s", self.model.spec.identity, errors.exceptions)

    async def _hang_up(self, transport: Transport) -> None:
        self._transport, self._waiting = None, None
        self._answering.clear()
        self.model.disconnected()
        with contextlib.suppress(ConnectionError):
            await transport.close(1000, "")

    async def _say(self, transport: Transport) -> None:
        """Send what the station has to say, one call at a time; raises ConnectionError once it may or will not hold the connection."""
        while self.model.linked and not self.model.redial:
            message = None if self.model.faults.silent else self.model.outbox.next(self.model.now)
            if message is None:
                self._wake.clear()
                await self._wake.wait()
                continue
            await self._call(transport, message)
        raise ConnectionError("the station hangs up")

    async def _call(self, transport: Transport, message: Outgoing) -> None:
        if message.action == "BootNotification":
            message.payload = self._boot_payload()
        if message.action == "Heartbeat":
            self.model.schedule_heartbeat()
        check(f"{message.action}Request", message.payload)
        message_id = str(uuid.UUID(int=self._dice.getrandbits(128), version=4))
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting = message_id, answer
        payload = with_floats(message.payload) if self.model.spec.quirks.integral_floats else message.payload
        await transport.send(written(Call(message_id, message.action, payload)))
        try:
            async with asyncio.timeout(self.call_timeout_s):
                reply = await answer
        except TimeoutError:
            LOGGER.debug("%s: no answer to %s", self.model.spec.identity, message.action)
            self.model.outbox.failed(message, self.model.now, None)
            return
        finally:
            self._waiting = None
        if isinstance(reply, Error):
            LOGGER.warning("%s: %s was answered with %s %s", self.model.spec.identity, message.action, reply.code, reply.description)
            self.model.outbox.failed(message, self.model.now, reply.code)
            return
        assert isinstance(reply, Result)
        self._take(message, reply)

    def _take(self, message: Outgoing, reply: Result) -> None:
        try:
            check(f"{message.action}Response", reply.payload)
        except FrameError as error:
            self._complain(str(error), written(reply))
            self.model.outbox.failed(message, self.model.now, error.code)
            return
        self.model.outbox.done(message)
        if message.action == "BootNotification":
            self.model.take_boot_reply(reply.payload)
        elif message.on_reply:
            message.on_reply(reply.payload)

    def _boot_payload(self) -> dict[str, Any]:
        spec = self.model.spec
        station = {"model": spec.model, "vendorName": spec.vendor, "firmwareVersion": self.model.firmware.version}
        if spec.serial_number:
            station["serialNumber"] = spec.serial_number
        return {"chargingStation": station, "reason": self.model.outbox.boot_reason}

    async def _listen(self, transport: Transport, group: asyncio.TaskGroup) -> None:
        while True:
            text = await transport.recv()
            if self.model.faults.silent:
                continue
            try:
                frame = read(text)
            except FrameError as error:
                self._complain(str(error), text)
                await transport.send(written(Error(error.message_id or "-1", error.code, str(error))))
                continue
            if not isinstance(frame, Call):
                self._match(frame, text)
                continue
            if self._answering and not self.model.faults.answer_after_s:
                self._complain(f"{frame.action} was sent before the last call was answered (OCPP-J 4.1.1)", text)
            self._answering.add(frame.message_id)
            group.create_task(self._answer(transport, frame, text))

    def _match(self, frame: Result | Error, text: str) -> None:
        if self._waiting is None or self._waiting[0] != frame.message_id:
            if not self._babbles:
                self._complain("an answer to nothing that was asked", text)
        elif not self._waiting[1].done():
            self._waiting[1].set_result(frame)

    async def _answer(self, transport: Transport, call: Call, text: str) -> None:
        registration = self.model.outbox.registration
        if registration is not Registration.ACCEPTED and (registration is not Registration.PENDING or call.action not in WHILE_PENDING):
            self._complain(f"{call.action} was sent to a station whose registration is {registration}", text)
        if self.model.faults.answer_after_s:
            await asyncio.sleep(self.model.faults.answer_after_s)
        try:
            check(f"{call.action}Request", call.payload)
            payload = self.model.handle(call.action, call.payload)
        except FrameError as error:
            self._complain(str(error), text)
            reply: Frame = Error(call.message_id, error.code, str(error))
        except CallRefusedError as error:
            reply = Error(call.message_id, error.code, error.description)
        else:
            if not self.model.spec.quirks.fractional_start_period:
                check(f"{call.action}Response", payload)
            reply = Result(call.message_id, payload)
            self.calls_answered += 1
        self._answering.discard(call.message_id)
        if self.model.faults.hangs_up and call.action == "SetChargingProfile":
            await transport.close(1001, "dropped")
        await transport.send(written(reply))

    def _complain(self, text: str, frame: str) -> None:
        LOGGER.error("The CSMS broke OCPP at %s: %s in %s", self.model.spec.identity, text, frame[:500])
        self.violations.append(Violation(self.model.now, self.model.spec.identity, text, frame))


def violations(clients: Mapping[str, StationClient]) -> list[Violation]:
    """Return what the CSMS did amiss at any of the stations, in order of time."""
    return sorted((one for client in clients.values() for one in client.violations), key=lambda one: one.at)
