"""The ledger's database: blocking, with one writer. `Ledger` calls it in threads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
import json
import logging
import secrets
from typing import Any, NamedTuple, Self

from sqlalchemy import URL, Connection, Engine, Select, case, create_engine, delete, insert, make_url, select, tuple_, update
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, SQLAlchemyError, StatementError

from .records import DecisionRecord, LedgerError, SessionRecord
from .schema import DECISIONS, META, METADATA, SCHEMA_VERSION, SESSIONS

_LOGGER = logging.getLogger(__name__)

_SESSION_FIELDS = tuple(column for column in SESSIONS.c if column.name != "id")


class DecisionRow(NamedTuple):
    """A decision as it is stored; `document` is JSON."""

    at: datetime
    trigger: str
    document: str


class Retention(NamedTuple):
    """Which decisions are kept: those from `since` on, and of them the newest `rows`."""

    since: datetime
    rows: int


class Store:
    """An open database. Every method blocks and raises LedgerError where the database does not do its part."""

    def __init__(self, engine: Engine, id_token_salt: bytes) -> None:
        """Use `Store.open`."""
        self._engine = engine
        self.id_token_salt = id_token_salt

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the database at an SQLAlchemy URL; what is not there yet (the file, the tables) is made."""
        engine = _engine(url)
        try:
            with _as_ledger_error(f"The ledger {engine.url.render_as_string()} can't be opened"):
                if engine.dialect.name == "sqlite":
                    with engine.connect() as connection:
                        # Readers then never wait for the writer, nor the writer for them. The file remembers it.
                        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                with engine.begin() as connection:
                    return cls(engine, bytes.fromhex(_prepare(connection)))
        except LedgerError:
            engine.dispose()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def write(self, sessions: Sequence[SessionRecord], decisions: Sequence[DecisionRow], retention: Retention | None = None) -> None:
        """Write all of it in one transaction, and prune where a retention is given.

        A record that the database refuses for what it holds would be refused for ever: it is left out, and the log says so.
        """
        with _as_ledger_error("The ledger can't be written"):
            try:
                with self._engine.begin() as connection:
                    for session in sessions:
                        _upsert(connection, session)
                    if decisions:
                        _insert(connection, decisions)
                    if retention is not None:
                        _prune(connection, retention)
            except (SQLAlchemyError, ValueError, OverflowError) as error:
                if not _is_refusal(error):
                    raise
                self._write_one_by_one(sessions, decisions)

    def _write_one_by_one(self, sessions: Sequence[SessionRecord], decisions: Sequence[DecisionRow]) -> None:
        """Write each record in a transaction of its own, without those that are refused."""
        for session in sessions:
            with _without_refused(f"session {session.key}"), self._engine.begin() as connection:
                _upsert(connection, session)
        for decision in decisions:
            with _without_refused(f"decision of {decision.at}"), self._engine.begin() as connection:
                _insert(connection, [decision])

    def open_sessions(self) -> list[SessionRecord]:
        """Return the sessions without an end, the oldest first."""
        return self._sessions(_SELECT_SESSIONS.where(SESSIONS.c.ended_at.is_(None)))

    def sessions(self, since: datetime, until: datetime) -> list[SessionRecord]:
        """Return the sessions that started from `since` until just before `until`, the oldest first."""
        return self._sessions(_SELECT_SESSIONS.where(SESSIONS.c.started_at >= since, SESSIONS.c.started_at < until))

    def _sessions(self, query: Select[Any]) -> list[SessionRecord]:
        with _as_ledger_error("The ledger can't be read"), self._engine.connect() as connection:
            return [SessionRecord(**row) for row in connection.execute(query).mappings()]

    def decisions(self, limit: int) -> list[DecisionRecord]:
        """Return the newest decisions, the newest first."""
        query = select(DECISIONS.c.at, DECISIONS.c.trigger, DECISIONS.c.document).order_by(DECISIONS.c.id.desc()).limit(limit)
        with _as_ledger_error("The ledger can't be read"), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [DecisionRecord(at=at, trigger=trigger, document=json.loads(document)) for at, trigger, document in rows]


_SELECT_SESSIONS = select(*_SESSION_FIELDS).order_by(SESSIONS.c.started_at, SESSIONS.c.id)


def _engine(url: str) -> Engine:
    """Return an engine for the URL, connected to nothing yet."""
    try:
        parsed: URL = make_url(url)
    except ArgumentError as error:
        raise LedgerError("The ledger's URL is none that SQLAlchemy understands") from error  # it may hold a password
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise LedgerError("A ledger in memory keeps nothing: name a file")
    try:
        return create_engine(parsed, pool_pre_ping=parsed.get_backend_name() != "sqlite")
    except (SQLAlchemyError, ImportError) as error:
        raise LedgerError(f"The ledger's database {parsed.drivername} can't be used: {error}") from error


def _prepare(connection: Connection) -> str:
    """Make what is missing, and return the salt; raises LedgerError for a schema that isn't ours."""
    METADATA.create_all(connection)
    found: dict[str, str] = dict(connection.execute(select(META.c.key, META.c.value)).tuples().all())
    if not found:
        found = {"schema_version": str(SCHEMA_VERSION), "id_token_salt": secrets.token_hex(16)}
        connection.execute(insert(META), [{"key": key, "value": value} for key, value in found.items()])
    if (version := found.get("schema_version")) != str(SCHEMA_VERSION):
        raise LedgerError(f"The ledger's tables are of version {version}, and this Headroom knows version {SCHEMA_VERSION} only")
    return found["id_token_salt"]


def _upsert(connection: Connection, record: SessionRecord) -> None:
    """Write the session unless the row that is there is newer (`SessionRecord.version`)."""
    values = asdict(record)
    this = (SESSIONS.c.station == record.station) & (SESSIONS.c.transaction_id == record.transaction_id)
    stored_version = tuple_(SESSIONS.c.last_seq_no, case((SESSIONS.c.ended_at.is_not(None), 1), else_=0), SESSIONS.c.updated_at)
    seq_no, ended, updated_at = record.version
    written = connection.execute(update(SESSIONS).where(this, stored_version <= (seq_no, int(ended), updated_at)).values(values))
    if written.rowcount == 0 and connection.execute(select(SESSIONS.c.id).where(this)).first() is None:
        connection.execute(insert(SESSIONS).values(values))


def _insert(connection: Connection, decisions: Sequence[DecisionRow]) -> None:
    """Append the decisions."""
    connection.execute(insert(DECISIONS), [row._asdict() for row in decisions])


def _prune(connection: Connection, retention: Retention) -> None:
    """Delete the decisions that are too old or too many."""
    connection.execute(delete(DECISIONS).where(DECISIONS.c.at < retention.since))
    newest_beyond = select(DECISIONS.c.id).order_by(DECISIONS.c.id.desc()).offset(retention.rows).limit(1).scalar_subquery()
    connection.execute(delete(DECISIONS).where(DECISIONS.c.id <= newest_beyond))


def _is_refusal(error: Exception) -> bool:
    """Tell whether the record is at fault, so that to try again is of no use, and not the database."""
    if isinstance(error, DBAPIError):
        return isinstance(error, (DataError, IntegrityError))
    return isinstance(error, (StatementError, ValueError, OverflowError))


def _cause(error: Exception) -> str:
    """Return what the database said, without the statement and its values."""
    return str(error.orig) if isinstance(error, StatementError) else str(error)


@contextmanager
def _without_refused(name: str) -> Iterator[None]:
    """Log a record that the database refuses, and go on."""
    try:
        yield
    except (SQLAlchemyError, ValueError, OverflowError) as error:
        if not _is_refusal(error):
            raise
        _LOGGER.error("The ledger leaves out the %s, which the database refuses: %s", name, _cause(error))


@contextmanager
def _as_ledger_error(what: str) -> Iterator[None]:
    """Turn a database's errors into LedgerError."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        raise LedgerError(f"{what}: {_cause(error)}") from error
