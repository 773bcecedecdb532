"""From a station's connection over its boot to Ready (blocks A, B of OCPP 2.0.1).

A station that booted is Pending until its inventory is read and its measurands are set, and for as long as nobody approved it (B02);
then it is asked to boot again and accepted (B01). One that comes back without a boot is known already, or is asked for one.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from enum import Enum, auto
from functools import partial
import logging
from typing import Any

from ..errors import StationError, StationOfflineError
from ..events import Booted, Ready
from ..fields import record, short_text
from ..frames import Payload
from ..pace import Pace
from ..rpc import Answer
from ..values import StationInfo
from .care import Care
from .link import Link
from .recovery import Recovery
from .timing import Timing

_LOGGER = logging.getLogger(__name__)

type Stage = Callable[[], Coroutine[Any, Any, None]]
"""A part of the way from the connection to Ready; the next one takes its place."""


class Standing(Enum):
    """How a connection stands."""

    CONNECTED = auto()
    """No boot was heard on this connection."""
    PENDING = auto()
    ACCEPTED = auto()


class Startup:
    """How one connection stands, and its way to Ready."""

    def __init__(
        self, link: Link, care: Care, recovery: Recovery, *, admitted: Callable[[], bool], timing: Timing, pace: Callable[[], Pace]
    ) -> None:
        """Take the connection; nothing is sent before `begin`. `admitted` tells whether a person approved the station."""
        self._link = link
        self._care = care
        self._recovery = recovery
        self._admitted = admitted
        self._timing = timing
        self._pace = pace
        self._standing = Standing.CONNECTED
        self._boot_asked = False
        self._boot_heard = asyncio.Event()
        self._heard = asyncio.Event()
        self._stage: asyncio.Task[None] | None = None

    @property
    def pending(self) -> bool:
        """Whether it booted and was not accepted."""
        return self._standing is Standing.PENDING

    def begin(self) -> None:
        """Wait for the station to boot, or to speak without."""
        self._go_on(self._await_boot)

    async def close(self) -> None:
        """End it: the station is gone."""
        if self._stage is not None:
            self._stage.cancel()
            await asyncio.wait((self._stage,))

    def boot_again(self) -> None:
        """Have the station boot again at once."""
        self._go_on(self._ask_for_boot)

    def hear(self) -> None:
        """Take a message that is no boot: the first of a connection is from a station that was running all the time."""
        if self._standing is Standing.CONNECTED and not self._heard.is_set():
            self._came_back()

    def boot(self, payload: Payload) -> Answer:
        """Answer BootNotification, and go on from there."""
        info, memory = _info(payload), self._link.memory
        triggered = self._boot_asked or info.boot_reason == "Triggered"
        if another := self._is_another(info, triggered=triggered):
            # Another firmware or another station in its place may have another device model.
            memory.configured, memory.inventory = None, None
        if not triggered and memory.inventory is not None and memory.inventory.awaiting_reboot:
            memory.inventory = replace(memory.inventory, awaiting_reboot=())
        if memory.learnt.meet((info.vendor, info.model, info.firmware_version or "")):
            _LOGGER.info("%s is another product or firmware now: how it takes limits is learnt anew", self._link.identity)
        if info != memory.info:
            memory.info = info
            memory.changed()
        self._boot_heard.set()
        self._heard.set()
        known = memory.configured is not None and memory.inventory is not None
        accepted = self._admitted() and (known or (triggered and not another))
        self._boot_asked = False
        repeated = self._standing is Standing.PENDING and not accepted
        self._standing = Standing.ACCEPTED if accepted else Standing.PENDING
        self._link.ready = False
        interval_s = self._care.liveness.heartbeat_interval_s if accepted else self._timing.pending_interval_s + round(self._pace().wait_s)
        self._care.liveness.told_s = interval_s
        response = {
            "currentTime": self._link.told_time(at_boot=True),
            "interval": interval_s,
            "status": "Accepted" if accepted else "Pending",
        }

        def answered() -> None:
            self._link.emit(Booted(info=self._link.memory.info, accepted=accepted))
            if accepted:
                self._settle(booted=not triggered)
            elif not repeated or self._stage is None or self._stage.done():
                self._go_on(self._prepare)

        return Answer(response, answered)

    def _is_another(self, info: StationInfo, *, triggered: bool) -> bool:
        """Tell whether what boots is not what was known; one that never said what it is may say so when asked."""
        known = self._link.memory.info
        if triggered:
            return known != StationInfo() and _product(info) != _product(known)
        # A pending station repeats its boot with the same reason (B02): the model was read since.
        updated = info.boot_reason == "FirmwareUpdate" and self._standing is not Standing.PENDING
        return updated or _product(info) != _product(known)

    def _go_on(self, stage: Stage) -> None:
        if self._stage is not None:
            self._stage.cancel()
        self._boot_asked = False  # nobody waits for it any more: a boot that comes now may be one of its own
        self._stage = asyncio.create_task(self._guarded(stage))

    async def _guarded(self, stage: Stage) -> None:
        try:
            await stage()
            await self._care.tune()
        except StationOfflineError:
            _LOGGER.debug("%s went away before it was ready", self._link.identity)
        except Exception:
            _LOGGER.exception("Getting %s ready failed", self._link.identity)

    def _came_back(self) -> None:
        self._heard.set()
        if self._admitted() and self._link.memory.configured is not None and self._link.memory.inventory is not None:
            self._become_ready()
            self._go_on(self._recovery.refresh)

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
            _LOGGER.info("%s does not boot when asked: %s", self._link.identity, error or "no boot came")
        else:
            return  # the boot's own stage takes over
        self._boot_asked = False
        if self._standing is Standing.CONNECTED:
            await self._prepare()

    async def _prepare(self) -> None:
        """Read the inventory; configure an admitted station and have it boot again, or go on with one that never booted."""
        async with self._pace().turn():
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
            self._go_on(partial(self._look_after, booted=booted))
            return
        self._go_on(self._finish)

    async def _finish(self) -> None:
        async with self._pace().turn():
            await self._care.read()
            await self._care.configure()
        self._become_ready()
        await self._recovery.pick_up()

    async def _look_after(self, *, booted: bool) -> None:
        """See to it that a known station that booted holds what was configured, and take its transactions up where they are."""
        async with self._pace().turn():
            if booted:
                await self._care.check()
            await self._recovery.pick_up()

    def _become_ready(self) -> None:
        self._link.calls.learn(self._link.inventory)
        self._link.ready = True
        self._link.emit(Ready(info=self._link.memory.info, inventory=self._link.inventory))
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
