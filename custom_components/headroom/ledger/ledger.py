"""The ledger: records are taken at once and written soon, by one task, whatever the database does meanwhile."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
import hashlib
import json
import logging

from .records import DecisionRecord, LedgerError, SessionRecord
from .store import DecisionRow, Retention, Store

_LOGGER = logging.getLogger(__name__)

LONGEST_RETRY_S = 60.0

type OnHealth = Callable[[LedgerError | None], None]
"""Called with the error once when the ledger can't be written any more, and with None once when it can again."""


class Ledger:
    """Keeps sessions and decisions in a database (an SQLAlchemy URL; `sqlite:////a/file.db` is made where it is missing).

    Who records never waits and never fails: up to `queue_limit` records wait in memory, in which a session counts once. Beyond
    that the oldest decisions are dropped, then the oldest sessions, and counted. Before `open` and after `close` records wait too.
    Writes are gathered for `gather_s` and tried again after `retry_s`, doubled up to a minute. Decisions older than `keep_for`
    or beyond the newest `keep_rows` are deleted every `prune_every_s`; sessions stay.
    """

    def __init__(
        self,
        url: str,
        *,
        on_health: OnHealth | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        queue_limit: int = 2000,
        gather_s: float = 1.0,
        retry_s: float = 1.0,
        keep_for: timedelta = timedelta(days=14),
        keep_rows: int = 100_000,
        prune_every_s: float = 3600.0,
    ) -> None:
        """Touch nothing yet."""
        self._url = url
        self._on_health = on_health
        self._now = now
        self._queue_limit = queue_limit
        self._gather_s = gather_s
        self._retry_s = retry_s
        self._keep_for = keep_for
        self._keep_rows = keep_rows
        self._prune_every_s = prune_every_s
        self._store: Store | None = None
        self._writer: asyncio.Task[None] | None = None
        self._sessions: dict[tuple[str, str], SessionRecord] = {}
        self._decisions: deque[DecisionRow] = deque()
        self._recorded = asyncio.Event()
        self._hurry = asyncio.Event()
        self._closing = False
        self._flushes: list[asyncio.Future[None]] = []
        self._prune_at_s = 0.0
        self._error: LedgerError | None = None
        self._dropping = False
        self.dropped_sessions = 0
        """Sessions given up since the start because the queue was full."""
        self.dropped_decisions = 0
        """Decisions given up since the start because the queue was full."""

    async def open(self) -> None:
        """Open the database and start to write; raises LedgerError, after which it may be tried again."""
        if self._store is not None:
            raise LedgerError("The ledger is open already")
        self._store = await asyncio.to_thread(Store.open, self._url)
        self._closing = False
        self._prune_at_s = asyncio.get_running_loop().time()
        self._writer = asyncio.create_task(self._write_for_ever(self._store), name="headroom ledger")

    async def close(self) -> None:
        """Write what waits and let the database go; raises LedgerError where the last write failed, with what is lost."""
        store, writer = self._store, self._writer
        if store is None or writer is None or self._closing:
            return
        self._closing = True
        self._hurry.set()
        self._recorded.set()
        try:
            await writer
        finally:
            self._store = self._writer = None
            await asyncio.to_thread(store.close)
        if self._error is not None:
            raise LedgerError(
                f"{self._error}; {len(self._sessions)} sessions and {len(self._decisions)} decisions are not written"
            ) from self._error

    def record_session(self, record: SessionRecord) -> None:
        """Keep the session as it now is. Exactly once by station and transaction; what is older than what is kept changes nothing."""
        waiting = self._sessions.get(record.key)
        if waiting is None or waiting.version <= record.version:
            self._sessions[record.key] = record
        self._notice()

    def record_decision(self, record: DecisionRecord) -> None:
        """Keep the decision; raises TypeError for a document that JSON can't hold."""
        self._decisions.append(DecisionRow(at=record.at, trigger=record.trigger, document=json.dumps(dict(record.document))))
        self._notice()

    async def flush(self) -> None:
        """Return once all that is recorded by now is written; raises LedgerError where that fails (it is tried again all the same)."""
        if self._writer is None or self._writer.done() or self._closing:
            raise LedgerError("The ledger is not open")
        flush: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._flushes.append(flush)
        self._hurry.set()
        self._recorded.set()
        await flush

    async def open_sessions(self) -> list[SessionRecord]:
        """Return the written sessions without an end, the oldest first; raises LedgerError."""
        return await asyncio.to_thread(self._opened().open_sessions)

    async def sessions(self, since: datetime, until: datetime) -> list[SessionRecord]:
        """Return the written sessions that started from `since` until just before `until`, the oldest first; raises LedgerError."""
        return await asyncio.to_thread(self._opened().sessions, since, until)

    async def decisions(self, limit: int) -> list[DecisionRecord]:
        """Return the `limit` newest written decisions, the newest first; raises LedgerError."""
        return await asyncio.to_thread(self._opened().decisions, limit)

    def id_token_hash(self, id_token: str) -> str:
        """Return the SHA-256 of this ledger's salt and the token, whose case does not count (OCPP 2.0.1, IdTokenType.idToken).

        It tells sessions of one token from those of another. It does not hide a short token from one who has the file, salt included.
        Raises LedgerError while the ledger is not open.
        """
        return hashlib.sha256(self._opened().id_token_salt + id_token.casefold().encode(errors="surrogatepass")).hexdigest()

    def _opened(self) -> Store:
        if self._store is None:
            raise LedgerError("The ledger is not open")
        return self._store

    def _notice(self) -> None:
        """Keep the queue in its bounds and wake the writer."""
        while len(self._sessions) + len(self._decisions) > self._queue_limit:
            if self._decisions:
                self._decisions.popleft()
                self.dropped_decisions += 1
            else:
                del self._sessions[next(iter(self._sessions))]
                self.dropped_sessions += 1
            if not self._dropping:
                self._dropping = True
                _LOGGER.warning("The ledger's queue is full (%d records): the oldest are dropped", self._queue_limit)
        self._recorded.set()

    async def _write_for_ever(self, store: Store) -> None:
        """Write what is recorded until closed."""
        failures = 0
        try:
            while not self._closing or (failures == 0 and (self._sessions or self._decisions)):
                await self._recorded.wait()
                pause_s = self._gather_s if failures == 0 else min(self._retry_s * 2 ** (failures - 1), LONGEST_RETRY_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._hurry.wait()
                if not self._closing:
                    self._hurry.clear()
                    self._recorded.clear()
                flushes, self._flushes = self._flushes, []
                error = await self._write(store)
                failures = 0 if error is None else failures + 1
                _answer(flushes, error)
        finally:
            _answer(self._flushes, LedgerError("The ledger was closed"))
            self._flushes = []

    async def _write(self, store: Store) -> LedgerError | None:
        """Write all that waits, once; where that fails it waits again, beside what came meanwhile."""
        sessions, self._sessions = self._sessions, {}
        decisions, self._decisions = self._decisions, deque()
        if not sessions and not decisions:
            return None
        time_s = asyncio.get_running_loop().time()
        prune = time_s >= self._prune_at_s
        retention = Retention(since=self._now() - self._keep_for, rows=self._keep_rows) if prune else None
        try:
            await asyncio.to_thread(store.write, tuple(sessions.values()), tuple(decisions), retention)
        except LedgerError as error:
            newer, self._sessions = self._sessions, sessions
            decisions.extend(self._decisions)
            self._decisions = decisions
            for record in newer.values():
                self.record_session(record)
            self._notice()
            self._set_health(error)
            return error
        if prune:
            self._prune_at_s = time_s + self._prune_every_s
        self._set_health(None)
        return None

    def _set_health(self, error: LedgerError | None) -> None:
        """Say it once when writing breaks and once when it heals."""
        was, self._error = self._error, error
        if error is None:
            self._dropping = False
        if (was is None) == (error is None):
            return
        if error is not None:
            _LOGGER.error("%s; records wait in memory", error)
        else:
            _LOGGER.info(
                "The ledger is written again; dropped since the start: %d sessions, %d decisions",
                self.dropped_sessions,
                self.dropped_decisions,
            )
        if self._on_health is not None:
            asyncio.get_running_loop().call_soon(self._on_health, error)  # whatever goes wrong in there, the writer goes on


def _answer(flushes: list[asyncio.Future[None]], error: LedgerError | None) -> None:
    """Tell those who wait for a flush how it went."""
    for flush in flushes:
        if flush.done():  # who waited was cancelled
            continue
        if error is None:
            flush.set_result(None)
        else:
            flush.set_exception(error)
