"""A station that speaks OCPP 2.0.1: from its connection over its boot (blocks A, B) to Ready.

A station that booted is Pending until its inventory is read and its measurands are set, and for as long as nobody approved it (B02);
then it is asked to boot again and accepted (B01). One that comes back without a boot is known already, or is asked for one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto
from functools import partial
import logging
from typing import Any

from ..authorization import IdToken, IdTokenInfo
from ..errors import StationError, StationOfflineError
from ..events import Booted, Ready, StationEvent
from ..fields import record, short_text, written
from ..frames import CallFailure, Payload
from ..memory import Memory, StationClock
from ..pace import Pace
from ..reports import Reports
from ..rpc import Answer, Rpc, Transport
from ..security.desk import StationDesk
from ..validation import PayloadError
from ..values import Inventory, StationInfo
from .authorization import Authorization
from .calls import Calls
from .care import Care
from .certificates import Certificates
from .diagnostics import Diagnostics
from .display import Display
from .firmware import Firmware
from .link import SCHEMAS, Block, Handler, Link
from .provisioning import FROM_CSMS, Provisioning
from .recovery import Recovery
from .smart_charging import SmartCharging
from .timing import Timing
from .transactions import Transactions

_LOGGER = logging.getLogger(__name__)

type Stage = Callable[[], Coroutine[Any, Any, None]]
"""A part of the way from the connection to Ready; the next one takes its place."""


class Standing(Enum):
    """How a connection stands."""

    CONNECTED = auto()
    """No boot was heard on this connection."""
    PENDING = auto()
    ACCEPTED = auto()


class V201Station(Provisioning, Transactions, SmartCharging):
    """One connection of one station: its lifecycle, with what the control loop commands; the other blocks are rooms of their own."""

    def __init__(
        self,
        identity: str,
        transport: Transport,
        *,
        memory: Memory,
        admitted: Callable[[], bool],
        authorize: Callable[[int | None, IdToken], Awaitable[IdTokenInfo]],
        takes_vendor: Callable[[str], bool],
        emit: Callable[[StationEvent], None],
        now: Callable[[], datetime],
        timing: Timing,
        desk: StationDesk,
        pace: Pace,
    ) -> None:
        """Take the connection and what the house knows of the station; nothing is sent or read before `run`."""
        self._rpc = Rpc(transport, SCHEMAS, self._handle, name=identity, call_timeout_s=timing.call_timeout_s, log=memory.frames, now=now)
        link = Link(
            identity=identity,
            calls=Calls(self._rpc),
            memory=memory,
            clock=StationClock(),
            reports=Reports(int(now().timestamp()) % 1_000_000_000, timing.report_idle_s),
            emit=emit,
            now=now,
        )
        self.authorization = Authorization(link, self._authorize_in_time)
        self.certificates = Certificates(link, desk)
        self.diagnostics = Diagnostics(link)
        self.display = Display(link, takes_vendor)
        self.firmware = Firmware(link)
        super().__init__(link, self.authorization.answer)
        self._recovery = Recovery(link, gap_wait_s=timing.gap_wait_s)
        self.on_gap = self._recovery.watch
        self.on_told = self._recovery.told
        self.first_lease = self.remote_start_profile
        rooms: tuple[Block, ...] = (self.authorization, self.certificates, self.diagnostics, self.display, self.firmware)
        self._handlers: dict[str, Handler] = {
            **Provisioning.requests(self),
            **Transactions.requests(self),
            **SmartCharging.requests(self),
            **{action: handler for room in rooms for action, handler in room.requests().items()},
        }
        self._care = Care(link, timing, self.set_variables)
        self.liveness = self._care.liveness
        self._admitted = admitted
        self._authorize = authorize
        self._timing = timing
        self._pace = pace
        self._standing = Standing.CONNECTED
        self._boot_asked = False
        self._boot_heard = asyncio.Event()
        self._heard = asyncio.Event()
        self._stage: asyncio.Task[None] | None = None
        self._violations: set[str] = set()

    @property
    def identity(self) -> str:
        """The last part of the path it connected to."""
        return self._link.identity

    @property
    def ocpp_version(self) -> str:
        """The version this adapter speaks."""
        return "2.0.1"

    @property
    def commands(self) -> Collection[str]:
        """The requests that `call` knows."""
        return FROM_CSMS

    @property
    def info(self) -> StationInfo:
        """What the station said at its last boot."""
        return self._link.memory.info

    @property
    def inventory(self) -> Inventory:
        """What was read of its device model; the standard's defaults before that."""
        return self._link.inventory

    @property
    def ready(self) -> bool:
        """Whether commands may be sent."""
        return self._link.ready

    async def run(self) -> str:
        """Serve the connection until it closes; returns why."""
        self._begin(self._await_boot)
        try:
            return await self._rpc.run()
        finally:
            self._link.ready = False
            self.diagnostics.close()
            self._recovery.close()
            self._care.close()
            if self._stage is not None:
                self._stage.cancel()
                await asyncio.wait((self._stage,))

    async def approve(self) -> None:
        """Have a station that waits for approval boot again at once."""
        if self._link.ready or not self._admitted():
            return
        self._begin(self._ask_for_boot)

    # Requests

    async def _handle(self, action: str, payload: Payload) -> Answer:
        self._check(action, payload)
        if action == "BootNotification":
            return self._boot(payload)
        if self._standing is Standing.CONNECTED and not self._heard.is_set():
            self._came_back()
        if not self._may(action):
            raise CallFailure("SecurityError", "not accepted yet")
        if (handler := self._handlers.get(action)) is None:
            raise CallFailure("NotImplemented", "no such request")
        return Answer(await handler(payload))

    def _check(self, action: str, payload: Payload) -> None:
        """Log a request that breaks its schema, once for each action; whether its meaning is clear is for its handler to say."""
        if action not in SCHEMAS.actions or action in self._violations:
            return
        try:
            SCHEMAS.check_request(action, payload)
        except PayloadError as error:
            self._violations.add(action)
            _LOGGER.info("%s breaks the schema of what it sends: %s", self.identity, error)

    def _may(self, action: str) -> bool:
        # B02.FR.09: before it is accepted, only what it was asked for.
        if action == "NotifyReport":
            return True
        return self._standing is not Standing.PENDING and self._admitted()

    async def _authorize_in_time(self, evse_id: int | None, id_token: IdToken) -> IdTokenInfo:
        async with asyncio.timeout(self._timing.authorize_s):
            return await self._authorize(evse_id, id_token)

    # From the connection to Ready

    def _boot(self, payload: Payload) -> Answer:
        info, memory = _info(payload), self._link.memory
        triggered = self._boot_asked or info.boot_reason == "Triggered"
        if another := self._is_another(info, triggered=triggered):
            # Another firmware or another station in its place may have another device model.
            memory.configured, memory.inventory = None, None
        if not triggered and memory.inventory is not None and memory.inventory.awaiting_reboot:
            memory.inventory = replace(memory.inventory, awaiting_reboot=())
        if memory.learnt.meet((info.vendor, info.model, info.firmware_version or "")):
            _LOGGER.info("%s is another product or firmware now: how it takes limits is learnt anew", self.identity)
        if info != memory.info:
            memory.info = info
            memory.changed()
        self._boot_heard.set()
        self._heard.set()
        self._link.clock.forget()
        known = memory.configured is not None and memory.inventory is not None
        accepted = self._admitted() and (known or (triggered and not another))
        self._boot_asked = False
        repeated = self._standing is Standing.PENDING and not accepted
        self._standing = Standing.ACCEPTED if accepted else Standing.PENDING
        self._link.ready = False
        interval_s = self.liveness.heartbeat_interval_s if accepted else self._timing.pending_interval_s + round(self._pace.wait_s)
        self.liveness.told_s = interval_s
        response = {"currentTime": written(self._link.now()), "interval": interval_s, "status": "Accepted" if accepted else "Pending"}

        def answered() -> None:
            self._link.emit(Booted(info=self.info, accepted=accepted))
            if accepted:
                self._settle(booted=not triggered)
            elif not repeated or self._stage is None or self._stage.done():
                self._begin(self._prepare)

        return Answer(response, answered)

    def _is_another(self, info: StationInfo, *, triggered: bool) -> bool:
        """Tell whether what boots is not what was known; one that never said what it is may say so when asked."""
        known = self._link.memory.info
        if triggered:
            return known != StationInfo() and _product(info) != _product(known)
        # A pending station repeats its boot with the same reason (B02): the model was read since.
        updated = info.boot_reason == "FirmwareUpdate" and self._standing is not Standing.PENDING
        return updated or _product(info) != _product(known)

    def _begin(self, stage: Stage) -> None:
        if self._stage is not None:
            self._stage.cancel()
        self._stage = asyncio.create_task(self._guarded(stage))

    async def _guarded(self, stage: Stage) -> None:
        try:
            await stage()
            await self._care.tune()
        except StationOfflineError:
            _LOGGER.debug("%s went away before it was ready", self.identity)
        except Exception:
            _LOGGER.exception("Getting %s ready failed", self.identity)

    def _came_back(self) -> None:
        """The first message of this connection is no boot: the station was running all the time."""
        self._heard.set()
        if self._admitted() and self._link.memory.configured is not None and self._link.memory.inventory is not None:
            self._become_ready()
            self._begin(self._recovery.refresh)

    async def _await_boot(self) -> None:
        try:
            async with asyncio.timeout(self._timing.boot_wait_s):
                await self._heard.wait()
        except TimeoutError:
            self._came_back()
        if not self._link.ready and not self._boot_heard.is_set():
            await self._ask_for_boot()

    async def _ask_for_boot(self) -> None:
        """Ask for a boot; where none comes, go on without."""
        self._boot_heard.clear()
        self._boot_asked = True
        try:
            await self._link.calls.trigger("BootNotification")
            async with asyncio.timeout(self._timing.boot_wait_s):
                await self._boot_heard.wait()
        except StationOfflineError:
            raise
        except (StationError, TimeoutError) as error:
            _LOGGER.info("%s does not boot when asked: %s", self.identity, error or "no boot came")
        else:
            return  # the boot's own stage takes over
        self._boot_asked = False
        if self._standing is Standing.CONNECTED:
            await self._prepare()

    async def _prepare(self) -> None:
        """Read the inventory; configure an admitted station and have it boot again, or go on with one that never booted."""
        async with self._pace.turn():
            await self._care.read()
            if not self._admitted():
                self._link.inventory_changed()
                return
            await self._care.configure()
        if self._standing is Standing.CONNECTED:
            self._become_ready()
            await self._recovery.refresh()
        else:
            await self._ask_for_boot()

    def _settle(self, *, booted: bool) -> None:
        """The station is accepted: it is ready at once where it is known, else once it is."""
        if self._link.memory.inventory is not None and self._link.memory.configured is not None:
            self._become_ready()
            self._begin(partial(self._look_after, booted=booted))
            return
        self._begin(self._finish)

    async def _finish(self) -> None:
        async with self._pace.turn():
            await self._care.read()
            await self._care.configure()
        self._become_ready()
        await self._recovery.pick_up()

    async def _look_after(self, *, booted: bool) -> None:
        """See to it that a known station that booted holds what was configured, and take its transactions up where they are."""
        async with self._pace.turn():
            if booted:
                await self._care.check()
            await self._recovery.pick_up()

    async def read_inventory(self) -> None:
        """Read the device model anew. Raises StationError where the station went away; else what it tells is taken over."""
        async with self._pace.turn():
            await self._care.read_again()

    def _become_ready(self) -> None:
        self._link.calls.learn(self.inventory)
        self._link.ready = True
        self._link.emit(Ready(info=self.info, inventory=self.inventory))
        self._care.begin()


def _info(payload: Payload) -> StationInfo:
    station: Mapping[str, Any] = record(payload, "chargingStation")
    return StationInfo(
        vendor=short_text(station, "vendorName") or "",
        model=short_text(station, "model") or "",
        serial_number=short_text(station, "serialNumber"),
        firmware_version=short_text(station, "firmwareVersion"),
        boot_reason=short_text(payload, "reason"),
    )


def _product(info: StationInfo) -> tuple[str | None, ...]:
    return (info.vendor, info.model, info.serial_number, info.firmware_version)
