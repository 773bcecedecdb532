"""A station that speaks OCPP 2.0.1: one connection, its requests and its commands."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
import logging

from ..authorization import IdToken, IdTokenInfo
from ..events import StationEvent
from ..frames import CallFailure, Payload
from ..memory import Memory
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
from .startup import Startup
from .timing import Timing
from .transactions import Transactions

_LOGGER = logging.getLogger(__name__)


class V201Station(Provisioning, Transactions, SmartCharging):
    """One connection of one station, with what the control loop commands; the other blocks are rooms of their own."""

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
        monotonic: Callable[[], float],
        timing: Timing,
        desk: StationDesk,
        pace: Callable[[], Pace],
    ) -> None:
        """Take the connection and what the house knows of the station; nothing is sent or read before `run`."""
        self._rpc = Rpc(transport, SCHEMAS, self._handle, name=identity, call_timeout_s=timing.call_timeout_s, log=memory.frames, now=now)
        link = Link(
            identity=identity,
            calls=Calls(self._rpc),
            memory=memory,
            reports=Reports(int(now().timestamp()) % 1_000_000_000, timing.report_idle_s),
            emit=emit,
            now=now,
            monotonic=monotonic,
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
        self._startup = Startup(link, self._care, self._recovery, admitted=admitted, timing=timing, pace=pace)
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
        self._startup.begin()
        try:
            return await self._rpc.run()
        finally:
            self._link.ready = False
            self.certificates.close()
            self.diagnostics.close()
            self._recovery.close()
            self._care.close()
            await self._startup.close()

    async def approve(self) -> None:
        """Have a station that waits for approval boot again at once."""
        if not self._link.ready and self._admitted():
            self._startup.boot_again()

    async def read_inventory(self) -> None:
        """Read the device model anew. Raises StationError where the station went away; else what it tells is taken over."""
        async with self._pace().turn():
            await self._care.read_again()

    # Requests

    async def _handle(self, action: str, payload: Payload) -> Answer:
        self._check(action, payload)
        if action == "BootNotification":
            return self._startup.boot(payload)
        self._startup.hear()
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
        return not self._startup.pending and self._admitted()

    async def _authorize_in_time(self, evse_id: int | None, id_token: IdToken) -> IdTokenInfo:
        async with asyncio.timeout(self._timing.authorize_s):
            return await self._authorize(evse_id, id_token)
