"""What a run writes down: the sessions and decisions of the loop, and what the component complains of."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
import json
import logging
from pathlib import Path
import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

from custom_components.headroom.ledger.ledger import Ledger
from custom_components.headroom.ledger.records import DecisionRecord, LedgerError, SessionRecord

ROOM_PAGES = 1_000_000
"""More than a run writes."""


class Records:
    """A journal in lists."""

    def __init__(self) -> None:
        self.sessions: list[SessionRecord] = []
        self.decisions: list[DecisionRecord] = []

    def record_session(self, record: SessionRecord) -> None:
        """Keep it."""
        self.sessions.append(record)

    def record_decision(self, record: DecisionRecord) -> None:
        """Keep it."""
        json.dumps(record.document)
        self.decisions.append(record)

    def id_token_hash(self, id_token: str) -> str:
        """Return something that is not the token."""
        return f"#{len(id_token)}"

    def newest(self) -> Mapping[tuple[str, str], SessionRecord]:
        """Return what a ledger would hold: the newest record of each session."""
        kept: dict[tuple[str, str], SessionRecord] = {}
        for record in self.sessions:
            if record.key not in kept or record.version >= kept[record.key].version:
                kept[record.key] = record
        return kept


class FiledRecords(Records):
    """A journal in lists and, beside it, in a real ledger; another program may hold its file. A thread's work is done at once (`AtOnce`)."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        super().__init__()
        self.error: LedgerError | None = None
        self._path = path
        self._ledger = Ledger(f"sqlite:///{path}?timeout=0.01", on_health=self._hear, now=now)
        self._lock: sqlite3.Connection | None = None
        self._full = False

    def _hear(self, error: LedgerError | None) -> None:
        self.error = error

    async def open(self) -> None:
        """Open the ledger."""
        asyncio.get_running_loop().set_default_executor(AtOnce())
        event.listen(Pool, "checkout", self._checked_out)
        await self._ledger.open()

    async def close(self) -> None:
        """Write what waits; raises LedgerError where that can't be."""
        try:
            await self._ledger.close()
        finally:
            event.remove(Pool, "checkout", self._checked_out)

    async def written(self) -> int:
        """Return how many decisions the file holds; raises LedgerError where it can't be read."""
        return len(await self._ledger.decisions(1_000_000))

    def record_session(self, record: SessionRecord) -> None:
        """Keep it."""
        super().record_session(record)
        self._ledger.record_session(record)

    def record_decision(self, record: DecisionRecord) -> None:
        """Keep it."""
        super().record_decision(record)
        self._ledger.record_decision(record)

    def lock(self, *, locked: bool) -> None:
        """Let another program hold the file, or let go of it."""
        if locked:
            self._lock = sqlite3.connect(self._path, isolation_level=None)
            self._lock.execute("BEGIN IMMEDIATE")
        elif self._lock is not None:
            self._lock.rollback()
            self._lock.close()

    def fill(self, *, full: bool) -> None:
        """Leave the file no room to grow, or enough, as the disk it lies on would."""
        self._full = full

    def _checked_out(self, connection: Any, *_: Any) -> None:
        """Tell a connection to the file how far that may grow: it is the connection that SQLite minds this for."""
        (_, _, path), *_ = connection.execute("PRAGMA database_list").fetchall()
        if Path(path) == self._path:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count={pages if self._full else ROOM_PAGES}")


class AtOnce(ThreadPoolExecutor):
    """Threads that take no time: in simulated time nobody may be waited for."""

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it now."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - it is the caller's, who waits for it
            future.set_exception(error)
        return future


class Complaints(logging.Handler):
    """Keeps what the component logs as an error: a turn that failed, a listener that raised."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it with its traceback."""
        self.texts.append(logging.Formatter().format(record))
