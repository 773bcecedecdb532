"""The ledger's tables. A change here is a new SCHEMA_VERSION and a step in `Store` that leads to it."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

SCHEMA_VERSION = 1


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC whatever its zone was, so that the database orders moments rightly; SQLite itself knows no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn to UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Give the zone back where the database lost it."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


METADATA = MetaData()

META = Table("meta", METADATA, Column("key", String, primary_key=True), Column("value", String, nullable=False))
"""`schema_version` and `id_token_salt`."""

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("station", String, nullable=False),
    Column("transaction_id", String, nullable=False),
    Column("evse_id", Integer),
    Column("started_at", UtcDateTime, nullable=False, index=True),
    Column("ended_at", UtcDateTime),
    Column("energy_start_wh", Double),
    Column("energy_end_wh", Double),
    Column("energy_wh", Double),
    Column("stopped_reason", String),
    Column("last_seq_no", BigInteger, nullable=False),
    Column("id_token_hash", String),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("station", "transaction_id"),
)
Index("ix_sessions_open", SESSIONS.c.started_at, sqlite_where=SESSIONS.c.ended_at.is_(None), postgresql_where=SESSIONS.c.ended_at.is_(None))

DECISIONS = Table(
    "decisions",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("trigger", String, nullable=False),
    # Text, not the database's JSON: Python's JSON writes NaN and Infinity, which not every database takes, and reads them back.
    Column("document", Text, nullable=False),
)
