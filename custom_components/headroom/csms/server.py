"""The central system: a WebSocket server, and one connection for each station (OCPP 2.0.1 Part 4, chapter 3)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
import logging
import ssl
import traceback

from .authorization import IdToken, IdTokenInfo
from .events import Connected, Disconnected, Ready, StationEvent
from .listening import POLICY_VIOLATION, Doors, Listening, Peer
from .liveness import GOING_AWAY, Wire, watched
from .memory import Memory
from .pace import STRANGERS_AT_ONCE, Pace
from .rpc import Transport
from .security.access import Access, Verdict
from .security.desk import CertificateDesk, NoDesk, StationDesk
from .security.events import SecurityEvent, SecurityEventKind
from .security.recognition import NO_AUTHENTICATION
from .station import Station
from .v201.link import SCHEMAS
from .v201.station import V201Station
from .v201.timing import Timing
from .values import Admission

_LOGGER = logging.getLogger(__name__)

REPLACE_PING_S = 3.0
"""How long a live socket has to answer before a second one of the same identity takes its place."""
NORMAL = 1000


@dataclass(frozen=True, slots=True)
class _Session:
    transport: Transport
    station: V201Station
    profile: int
    over: asyncio.Event = field(default_factory=asyncio.Event)


class CentralSystem:
    """Serves stations over WebSockets, and over any transport by `serve`.

    `admit` is asked whenever it matters whether a station is served; `on_event` gets everything stations tell, in their order.
    `now` gives our time in UTC; `takes_vendor` says whether anybody takes the data transfers of a station's vendor (P02).
    `access` decides who may connect before anybody is admitted (without it everyone may), `desk` signs stations' certificates.
    `memories` is what was kept of stations, `on_memory` is told whose memory is worth keeping again.
    """

    def __init__(
        self,
        *,
        admit: Callable[[str], Admission],
        authorize: Callable[[str, int | None, IdToken], Awaitable[IdTokenInfo]],
        on_event: Callable[[str, StationEvent], None],
        now: Callable[[], datetime],
        takes_vendor: Callable[[str, str], bool] = lambda identity, vendor_id: False,
        heartbeat_interval_s: int = 60,
        sample_interval_s: int = 5,
        call_timeout_s: float = 10.0,
        timing: Timing | None = None,
        access: Access | None = None,
        desk: CertificateDesk | None = None,
        memories: Mapping[str, Memory] | None = None,
        on_memory: Callable[[str], None] = lambda identity: None,
    ) -> None:
        """Take the house's callbacks; `timing` overrides the three intervals and all other patience."""
        self._admit = admit
        self._authorize = authorize
        self._on_event = on_event
        self._now = now
        self._takes_vendor = takes_vendor
        self._timing = timing or Timing(
            heartbeat_interval_s=heartbeat_interval_s, sample_interval_s=sample_interval_s, call_timeout_s=call_timeout_s
        )
        self._sessions: dict[str, _Session] = {}
        self._on_memory = on_memory
        self._memories = dict(memories or {})
        self._pace = Pace()
        self._strangers_pace = Pace(STRANGERS_AT_ONCE)
        self._lost: set[str] = set()
        self._failing: dict[tuple[str, str], str] = {}
        """What could not be taken in the last time, by station and kind of event: the error, and where it was raised."""
        self._access = access or Access(monotonic=lambda: asyncio.get_running_loop().time(), sleep=asyncio.sleep)
        self._desk = desk or NoDesk()
        self._doors = Doors(self._access, self._judge, self._serve_peer)
        self._stopping = False

    @property
    def stations(self) -> Mapping[str, Station]:
        """The stations that are connected now, pending ones included."""
        return {identity: session.station for identity, session in self._sessions.items()}

    @property
    def port(self) -> int:
        """The port it listens on, the one in the clear where there are two. Raises RuntimeError where it does not listen."""
        port = self._doors.port("ws") or self._doors.port("wss")
        if port is None:
            raise RuntimeError("not listening")
        return port

    @property
    def tls_port(self) -> int | None:
        """The port it listens on with TLS; None where it does not."""
        return self._doors.port("wss")

    def profile(self, identity: str) -> int | None:
        """Return the security profile of a station's connection; None where it has none."""
        session = self._sessions.get(identity)
        return None if session is None else session.profile

    async def start(self, host: str | None, port: int | None, *, tls_port: int | None = None, tls: ssl.SSLContext | None = None) -> None:
        """Listen, on one port or two. Raises OSError where a port is taken."""
        self._stopping = False
        await asyncio.to_thread(SCHEMAS.warm)
        await self.listen(host, port, tls_port=tls_port, tls=tls)

    async def listen(self, host: str | None, port: int | None, *, tls_port: int | None = None, tls: ssl.SSLContext | None = None) -> None:
        """Listen elsewhere from now on; connections stay. Raises OSError where a port is taken, and listens as before then."""
        await self._doors.listen(Listening(host=host, port=port, tls_port=tls_port, tls=tls))

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        self._stopping = True
        self._doors.close()
        sessions = list(self._sessions.values())
        await asyncio.gather(*(session.transport.close(GOING_AWAY, "the central system stops") for session in sessions))
        await asyncio.gather(*(session.over.wait() for session in sessions))
        await self._doors.wait_closed()

    async def serve(self, identity: str, transport: Transport, profile: int = NO_AUTHENTICATION) -> None:
        """Serve one connection until it closes. `profile` is the security profile on which it was recognised."""
        if not await self._make_room(identity):
            await transport.close(POLICY_VIOLATION, "this identity is connected already")
            return
        station = V201Station(
            identity,
            transport,
            memory=self._memory(identity),
            admitted=lambda: self._accepts(identity),
            authorize=lambda evse_id, id_token: self._authorize(identity, evse_id, id_token),
            takes_vendor=lambda vendor_id: self._takes_vendor(identity, vendor_id),
            emit=lambda event: self._emit(identity, event),
            now=self._now,
            monotonic=self._access.monotonic,
            timing=self._timing,
            desk=StationDesk(self._desk, identity, profile),
            pace=lambda: self._pace if self._accepts(identity) else self._strangers_pace,
        )
        session = self._sessions[identity] = _Session(transport, station, profile)
        self._emit(identity, Connected(remote=transport.remote))
        reason = "the connection failed"
        watching = watched(transport, station.liveness, self._access.monotonic, identity) if isinstance(transport, Wire) else nullcontext()
        try:
            async with watching:
                reason = await station.run()
        finally:
            del self._sessions[identity]
            self._emit(identity, Disconnected(reason=reason))
            if not self._accepts(identity):
                self.forget(identity)  # whoever comes by is not remembered
            session.over.set()

    async def approve(self, identity: str) -> None:
        """Have a connected station that waits for approval boot again at once; nothing where it is not connected."""
        if (session := self._sessions.get(identity)) is not None:
            await session.station.approve()

    async def disconnect(self, identity: str, reason: str) -> None:
        """Close a station's connection; returns once it is gone."""
        if (session := self._sessions.get(identity)) is not None:
            await session.transport.close(NORMAL, reason)
            await session.over.wait()

    @property
    def memories(self) -> Mapping[str, Memory]:
        """What is known of each station that is or was connected; what `memories` gave at the start included."""
        return self._memories

    def forget(self, identity: str) -> None:
        """Let go of what is known of a station that is not served any more."""
        self._memories.pop(identity, None)
        self._lost.discard(identity)
        self._failing = {what: fault for what, fault in self._failing.items() if what[0] != identity}

    def _memory(self, identity: str) -> Memory:
        memory = self._memories.setdefault(identity, Memory())
        memory.on_change = lambda: self._on_memory(identity)
        return memory

    def _accepts(self, identity: str) -> bool:
        return self._admit(identity) is Admission.ACCEPTED

    def _emit(self, identity: str, event: StationEvent) -> None:
        match event:
            case Disconnected(reason=reason) if not self._stopping and identity not in self._lost and self._accepts(identity):
                self._lost.add(identity)
                _LOGGER.info("Station %s is gone: %s", identity, reason)
            case Ready() if identity in self._lost:
                self._lost.discard(identity)
                _LOGGER.info("Station %s is back", identity)
            case _:
                pass
        what = identity, type(event).__name__
        try:
            self._on_event(identity, event)
        except Exception as error:
            frame, line = [*traceback.walk_tb(error.__traceback__)][-1]
            fault = f"{type(error).__name__} at {frame.f_code.co_filename}:{line}"
            if fault not in self._failing.values():
                _LOGGER.exception("Taking in %s of %s failed", what[1], identity)
            self._failing[what] = fault
        else:
            if (healed := self._failing.get(what)) is not None:
                self._failing = {other: fault for other, fault in self._failing.items() if fault != healed}
                _LOGGER.info("%s of %s is taken in again", what[1], identity)

    async def _make_room(self, identity: str) -> bool:
        """Return whether a new connection may take this identity; one that does not answer any more is closed for it."""
        if (session := self._sessions.get(identity)) is None:
            return True
        if not isinstance(session.transport, Wire) or await session.transport.ping(REPLACE_PING_S):
            return identity not in self._sessions  # another one may have taken its place meanwhile
        return await self._replace(identity, session)

    async def _replace(self, identity: str, session: _Session) -> bool:
        await session.transport.close(GOING_AWAY, "replaced by a new connection")
        await session.over.wait()
        return identity not in self._sessions

    async def _judge(self, identity: str, verdict: Verdict) -> tuple[HTTPStatus, str] | None:
        admission = self._admit(identity)
        if admission is Admission.REFUSED:
            return HTTPStatus.FORBIDDEN, "not admitted"
        if admission is Admission.PENDING and identity not in self._sessions and self._unapproved() >= self._access.limits.unapproved:
            return HTTPStatus.SERVICE_UNAVAILABLE, "too many stations wait for approval"
        session = self._sessions.get(identity)
        if session is not None and verdict.profile > NO_AUTHENTICATION and verdict.profile >= session.profile:
            # It has shown who it is, so the other one is its own old socket, or somebody else's: the new one counts.
            self._access.watch.tell(
                SecurityEvent(kind=SecurityEventKind.CONNECTION_REPLACED, identity=identity, remote=session.transport.remote)
            )
            if await self._replace(identity, session):
                return None
        elif await self._make_room(identity):
            return None
        return HTTPStatus.CONFLICT, "this identity is connected already"

    def _unapproved(self) -> int:
        return sum(self._admit(identity) is Admission.PENDING for identity in self._sessions)

    async def _serve_peer(self, identity: str, peer: Peer, verdict: Verdict) -> None:
        if self._accepts(identity) and verdict.stays_s is None:
            await self.serve(identity, peer, verdict.profile)
            return
        sending_away = self._send_away(identity, peer) if verdict.stays_s is None else self._part(identity, peer, verdict.stays_s)
        async with asyncio.TaskGroup() as tasks:
            patience = tasks.create_task(sending_away)
            await self.serve(identity, peer, verdict.profile)
            patience.cancel()

    async def _part(self, identity: str, peer: Peer, stays_s: float) -> None:
        """Close the connection of whoever came without a password that the station took, if it is still due then."""
        await asyncio.sleep(stays_s)
        if (kept := self._access.security(identity)) is not None and kept.password_due:
            await peer.close(POLICY_VIOLATION, "it has not shown the password that it was given")

    async def _send_away(self, identity: str, peer: Peer) -> None:
        """Close the connection of a station that says nothing, or that nobody approves in time."""
        limits = self._access.limits
        await asyncio.sleep(limits.first_message_s)
        if not peer.heard:
            await peer.close(POLICY_VIOLATION, "it said nothing")
            return
        await asyncio.sleep(max(0.0, limits.unapproved_s - limits.first_message_s))
        if not self._accepts(identity):
            await peer.close(POLICY_VIOLATION, "not approved in time")
