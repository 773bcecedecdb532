"""Whether a station is still there: by its answers to pings; where it gives none, by what it says. A lost one is noticed within a minute."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
import logging
import math
from typing import Protocol, runtime_checkable

from .memory import Memory
from .quirks import known_of

_LOGGER = logging.getLogger(__name__)

HEARTBEAT, OWN_PINGS = ("OCPPCommCtrlr", "HeartbeatInterval"), ("OCPPCommCtrlr", "WebSocketPingInterval")
SHORT_HEARTBEAT_S = 20
"""For a station that shows no other sign of life: with MISSED of them, its silence is noticed within a minute."""
MISSED = 2
SLACK_S = 5.0
VAIN_PING_MOST_S = 3600.0
"""Pings that were never answered are tried ever more seldom, up to this: the library remembers each."""
GOING_AWAY = 1001
ANEW_S = 20.0
"""After so long a watch that failed is begun anew."""


@runtime_checkable
class Wire(Protocol):
    """A connection that can be pinged."""

    @property
    def heard_at_s(self) -> float:
        """When anything came last, be it a ping of the station's own; monotonic."""

    async def ping(self, timeout_s: float) -> bool:
        """Return whether the peer answers a ping in time."""

    async def close(self, code: int, reason: str) -> None:
        """Close with a code and a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """How a connection is found alive or gone; in seconds."""

    ping_interval_s: float
    """Infinite: it is never pinged."""
    ping_timeout_s: float
    silence_s: float
    """How long it may stay silent when it answers no ping."""
    by_messages: bool
    """It is known to answer none, so only its silence tells."""


class Liveness:
    """How one station shows that it is there, by its quirks, its device model, and what was learnt of it."""

    def __init__(
        self,
        memory: Memory,
        *,
        heartbeat_interval_s: int,
        ping_interval_s: float,
        ping_timeout_s: float,
        on_unanswered: Callable[[], None] = lambda: None,
    ) -> None:
        """Take what suits a station of which nothing is known. `on_unanswered` is called when it is found to answer no pings."""
        self._memory = memory
        self._heartbeat_interval_s = heartbeat_interval_s
        self._ping_interval_s = ping_interval_s
        self._ping_timeout_s = ping_timeout_s
        self._on_unanswered = on_unanswered
        self.told_s: float | None = None
        """The interval in the last answer to a boot on this connection."""

    @property
    def suitable_heartbeat_s(self) -> int:
        """The heartbeat that suits it: short where nothing else shows soon enough that it is there."""
        habits = known_of(self._memory.info).habits
        if habits.heartbeat_interval_s is not None:
            return habits.heartbeat_interval_s
        if self._by_messages and not self._own_pings_s <= SHORT_HEARTBEAT_S:
            return min(SHORT_HEARTBEAT_S, self._heartbeat_interval_s)
        return self._heartbeat_interval_s

    @property
    def heartbeat_interval_s(self) -> int:
        """What a person set, else what suits the station."""
        return self._configured_s or self.suitable_heartbeat_s

    @property
    def too_long(self) -> bool:
        """Whether the heartbeat that was set when no more was known is longer than what suits it; what a person set is as it should be."""
        return self._configured_s == self._heartbeat_interval_s > self.suitable_heartbeat_s

    @property
    def pulse(self) -> Pulse:
        """How to watch it."""
        ping_s = known_of(self._memory.info).habits.ping_interval_s
        speaks_s = min(self._configured_s or self.told_s or self._heartbeat_interval_s, self._own_pings_s)
        return Pulse(
            ping_interval_s=self._ping_interval_s if ping_s is None else ping_s or math.inf,
            ping_timeout_s=self._ping_timeout_s,
            silence_s=max(MISSED * speaks_s + SLACK_S, self._ping_timeout_s) if self._by_messages else self._ping_timeout_s,
            by_messages=self._by_messages,
        )

    def observe(self, *, answered: bool, spoke: bool) -> None:
        """Take what came of a ping, and whether the station said anything meanwhile. One that ever answered is not doubted again."""
        learnt = self._memory.learnt
        if answered and learnt.answers_pings is not True:
            learnt.answers_pings = True
            self._memory.changed()
        elif spoke and not answered and learnt.answers_pings is None:
            learnt.answers_pings = False
            self._memory.changed()
            self._on_unanswered()

    @property
    def _by_messages(self) -> bool:
        return self._memory.learnt.answers_pings is False or known_of(self._memory.info).habits.ping_interval_s == 0

    @property
    def _configured_s(self) -> int:
        set_s = (self._memory.configured or {}).get(".".join(HEARTBEAT), "")
        return int(set_s) if set_s.isdecimal() else 0

    @property
    def _own_pings_s(self) -> float:
        """How often the station pings by itself; 0 in its device model means never."""
        told = "" if self._memory.inventory is None else self._memory.inventory.variables.get(".".join(OWN_PINGS), "")
        return float(told) if told.isdecimal() and int(told) > 0 else math.inf


@asynccontextmanager
async def watched(wire: Wire, liveness: Liveness, monotonic: Callable[[], float], name: str) -> AsyncIterator[None]:
    """Keep a connection alive or have it closed for as long as the block lasts; a mistake of ours leaves nobody unwatched."""

    async def watch() -> None:
        failing = False
        while True:
            try:
                await keep_alive(wire, liveness, monotonic)
            except Exception:
                if not failing:
                    _LOGGER.exception("Watching over %s failed", name)
                failing = True
                await asyncio.sleep(ANEW_S)
            else:
                return

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait((watching,))


async def keep_alive(wire: Wire, liveness: Liveness, monotonic: Callable[[], float]) -> None:
    """Ping, and close the connection once its station is gone; returns only then, or when it is cancelled."""
    due_s, vain = monotonic(), 0
    while True:
        pulse = liveness.pulse
        ends_s = wire.heard_at_s + pulse.silence_s
        if pulse.by_messages and monotonic() >= ends_s:
            break
        if math.isfinite(pulse.ping_interval_s) and (sent_s := monotonic()) >= due_s:
            patience_s = min(pulse.ping_timeout_s, ends_s - sent_s) if pulse.by_messages else pulse.ping_timeout_s
            answered = await wire.ping(patience_s)
            liveness.observe(answered=answered, spoke=wire.heard_at_s > sent_s)
            pulse = liveness.pulse
            ends_s = wire.heard_at_s + pulse.silence_s
            if not answered and monotonic() >= ends_s:
                break
            vain = 0 if answered else vain + 1
            pause_s = min(VAIN_PING_MOST_S, pulse.ping_interval_s * 2**vain) if pulse.by_messages else pulse.ping_interval_s
            due_s = monotonic() + (pause_s if answered or pulse.by_messages else min(pause_s, max(0.0, ends_s - monotonic())))
        next_s = ends_s if not math.isfinite(pulse.ping_interval_s) else min(due_s, ends_s) if pulse.by_messages else due_s
        await asyncio.sleep(max(0.0, next_s - monotonic()))
    await wire.close(GOING_AWAY, "it answers no ping and says nothing")
