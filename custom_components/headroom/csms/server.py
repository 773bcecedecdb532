"""The central system: a WebSocket server, and one connection for each station (OCPP 2.0.1 Part 4, chapter 3)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
import logging
import re
from typing import Protocol, runtime_checkable
from urllib.parse import unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from .memory import Memory
from .rpc import Transport
from .station import Admission, AuthorizationStatus, Connected, Disconnected, IdToken, Ready, Station, StationEvent
from .transport import WebSocketTransport
from .v201.link import SCHEMAS
from .v201.station import Timing, V201Station

_LOGGER = logging.getLogger(__name__)

SUBPROTOCOLS = (Subprotocol("ocpp2.0.1"),)
IDENTITY = re.compile(r"[A-Za-z0-9*\-_=:+|@.]{1,48}")
"""OCPP's identifierString, as long as BasicAuth's user name may be (Part 4, 3.1.1)."""
LARGEST_FRAME_BYTES = 1 << 20
PING_INTERVAL_S = 20
PING_TIMEOUT_S = 20
CLOSE_TIMEOUT_S = 2
MOST_UNAPPROVED = 20
REPLACE_PING_S = 3.0
"""How long a live socket has to answer before a second one of the same identity takes its place."""
GOING_AWAY, POLICY_VIOLATION, NORMAL = 1001, 1008, 1000


@runtime_checkable
class _Pingable(Protocol):
    async def ping(self, timeout_s: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Session:
    transport: Transport
    station: V201Station
    over: asyncio.Event = field(default_factory=asyncio.Event)


class CentralSystem:
    """Serves stations over WebSockets, and over any transport by `serve`.

    `admit` is asked whenever it matters whether a station is served; `on_event` gets everything stations tell, in their order.
    `now` gives our time in UTC.
    """

    def __init__(
        self,
        *,
        admit: Callable[[str], Admission],
        authorize: Callable[[str, int | None, IdToken], Awaitable[AuthorizationStatus]],
        on_event: Callable[[str, StationEvent], None],
        now: Callable[[], datetime],
        heartbeat_interval_s: int = 60,
        sample_interval_s: int = 5,
        call_timeout_s: float = 10.0,
        timing: Timing | None = None,
    ) -> None:
        """Take the house's callbacks; `timing` overrides the three intervals and all other patience."""
        self._admit = admit
        self._authorize = authorize
        self._on_event = on_event
        self._now = now
        self._timing = timing or Timing(
            heartbeat_interval_s=heartbeat_interval_s, sample_interval_s=sample_interval_s, call_timeout_s=call_timeout_s
        )
        self._sessions: dict[str, _Session] = {}
        self._memories: dict[str, Memory] = {}
        self._lost: set[str] = set()
        self._listener_failing = False
        self._server: Server | None = None
        self._stopping = False

    @property
    def stations(self) -> Mapping[str, Station]:
        """The stations that are connected now, pending ones included."""
        return {identity: session.station for identity, session in self._sessions.items()}

    @property
    def port(self) -> int:
        """The port it listens on. Raises RuntimeError where it does not listen."""
        if self._server is None:
            raise RuntimeError("not listening")
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def start(self, host: str | None, port: int) -> None:
        """Listen. Raises OSError where the port is taken."""
        self._stopping = False
        await asyncio.to_thread(SCHEMAS.warm)
        self._server = await serve(
            self._serve_websocket,
            host,
            port,
            subprotocols=SUBPROTOCOLS,
            process_request=self._check_request,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=LARGEST_FRAME_BYTES,
            logger=_QUIET,
        )

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        self._stopping = True
        if self._server is not None:
            self._server.close(close_connections=False)
        sessions = list(self._sessions.values())
        await asyncio.gather(*(session.transport.close(GOING_AWAY, "the central system stops") for session in sessions))
        await asyncio.gather(*(session.over.wait() for session in sessions))
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def serve(self, identity: str, transport: Transport) -> None:
        """Serve one connection until it closes."""
        if not await self._make_room(identity):
            await transport.close(POLICY_VIOLATION, "this identity is connected already")
            return
        station = V201Station(
            identity,
            transport,
            memory=self._memories.setdefault(identity, Memory()),
            admitted=lambda: self._accepts(identity),
            authorize=lambda evse_id, id_token: self._authorize(identity, evse_id, id_token),
            emit=lambda event: self._emit(identity, event),
            now=self._now,
            timing=self._timing,
        )
        session = self._sessions[identity] = _Session(transport, station)
        self._emit(identity, Connected(remote=transport.remote))
        reason = "the connection failed"
        try:
            reason = await station.run()
        finally:
            del self._sessions[identity]
            self._emit(identity, Disconnected(reason=reason))
            if not self._accepts(identity):
                del self._memories[identity]  # whoever comes by is not remembered
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
        try:
            self._on_event(identity, event)
        except Exception:
            if not self._listener_failing:
                _LOGGER.exception("Taking in %s of %s failed", type(event).__name__, identity)
            self._listener_failing = True
        else:
            if self._listener_failing:
                _LOGGER.info("Events are taken in again")
            self._listener_failing = False

    async def _make_room(self, identity: str) -> bool:
        """Return whether a new connection may take this identity; one that does not answer any more is closed for it."""
        if (session := self._sessions.get(identity)) is None:
            return True
        if not isinstance(session.transport, _Pingable) or await session.transport.ping(REPLACE_PING_S):
            return session.over.is_set()
        await session.transport.close(GOING_AWAY, "replaced by a new connection")
        await session.over.wait()
        return identity not in self._sessions

    async def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        identity = _identity(request.path)
        if identity is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "the path ends with no station's identity\n")
        admission = self._admit(identity)
        if admission is Admission.REFUSED:
            return connection.respond(HTTPStatus.FORBIDDEN, "not admitted\n")
        if admission is Admission.PENDING and identity not in self._sessions and self._unapproved() >= MOST_UNAPPROVED:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many stations wait for approval\n")
        if not await self._make_room(identity):
            return connection.respond(HTTPStatus.CONFLICT, "this identity is connected already\n")
        return None

    def _unapproved(self) -> int:
        return sum(self._admit(identity) is Admission.PENDING for identity in self._sessions)

    async def _serve_websocket(self, connection: ServerConnection) -> None:
        request = connection.request
        identity = None if request is None else _identity(request.path)
        if identity is not None:
            await self.serve(identity, WebSocketTransport(connection))


def _identity(path: str) -> str | None:
    """Return the station's identity in a request's path, None where there is none that OCPP allows."""
    identity = unquote(urlsplit(path).path.rpartition("/")[2])
    return identity if IDENTITY.fullmatch(identity) else None


_QUIET = logging.getLogger(f"{__name__}.websockets")
"""The library logs a traceback for each handshake that fails: port scans would fill the log."""
_QUIET.setLevel(logging.CRITICAL)
