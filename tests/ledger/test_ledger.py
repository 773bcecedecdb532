"""What is recorded is found again, once, whatever the database does meanwhile. The database is a real file."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
import logging
import math
from pathlib import Path
import sqlite3
from typing import Any

import pytest

from custom_components.headroom.ledger.ledger import Ledger
from custom_components.headroom.ledger.records import DecisionRecord, LedgerError, SessionRecord

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SESSION = SessionRecord(
    station="left",
    transaction_id="t-1",
    evse_id=1,
    started_at=NOON,
    energy_start_wh=1000.0,
    energy_wh=0.0,
    last_seq_no=1,
    updated_at=NOON,
)
LATER = replace(SESSION, energy_wh=500.0, last_seq_no=2, updated_at=NOON + timedelta(minutes=5))
ENDED = replace(
    SESSION,
    ended_at=NOON + timedelta(hours=1),
    energy_end_wh=8000.0,
    energy_wh=7000.0,
    stopped_reason="EVDisconnected",
    last_seq_no=3,
    updated_at=NOON + timedelta(hours=1),
)

type Open = Callable[..., Any]


def decision(number: int, at: datetime = NOON) -> DecisionRecord:
    return DecisionRecord(at=at, trigger="reading", document={"number": number})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
async def open_ledger(path: Path) -> AsyncIterator[Open]:
    """Opens ledgers that write at once; a locked file is waited for 10 ms only."""
    ledgers: list[Ledger] = []

    async def opened(**options: Any) -> Ledger:
        settings: dict[str, Any] = {"gather_s": 0.0, "retry_s": 0.01, "now": lambda: NOON} | options
        ledger = Ledger(f"sqlite:///{path}?timeout=0.01", **settings)
        await ledger.open()
        ledgers.append(ledger)
        return ledger

    yield opened
    for ledger in ledgers:
        await ledger.close()


async def all_sessions(ledger: Ledger) -> list[SessionRecord]:
    await ledger.flush()
    return await ledger.sessions(NOON - timedelta(days=1), NOON + timedelta(days=1))


async def decision_numbers(ledger: Ledger) -> list[int]:
    await ledger.flush()
    return [record.document["number"] for record in await ledger.decisions(1000)]


class Lock:
    """Another program that holds the file for itself."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("BEGIN IMMEDIATE")

    def release(self) -> None:
        self._connection.rollback()
        self._connection.close()


async def test_what_was_recorded_is_there_after_a_restart(open_ledger: Open) -> None:
    ledger = await open_ledger(gather_s=60.0)
    ledger.record_session(ENDED)
    ledger.record_decision(DecisionRecord(at=NOON, trigger="reading", document={"limits": {"main": [16.0, 16.0, 6.5]}, "sent": None}))
    await ledger.close()

    again = await open_ledger()
    assert await again.sessions(NOON, NOON + timedelta(seconds=1)) == [ENDED]
    assert await again.decisions(10) == [
        DecisionRecord(at=NOON, trigger="reading", document={"limits": {"main": [16.0, 16.0, 6.5]}, "sent": None})
    ]


async def test_a_moment_is_the_same_moment_in_every_zone(open_ledger: Open) -> None:
    ledger = await open_ledger()
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))
    ledger.record_session(replace(SESSION, started_at=tokyo))
    ledger.record_session(replace(SESSION, transaction_id="t-0", started_at=NOON - timedelta(seconds=1)))
    ledger.record_session(replace(SESSION, transaction_id="t-2", started_at=NOON + timedelta(seconds=1)))
    await ledger.flush()
    assert [record.transaction_id for record in await ledger.sessions(NOON, NOON + timedelta(seconds=1))] == ["t-1"]
    assert (await all_sessions(ledger))[1].started_at.utcoffset() == timedelta(0)


async def test_a_session_is_kept_once_however_often_it_is_told(open_ledger: Open) -> None:
    ledger = await open_ledger()
    for record in (SESSION, SESSION, LATER, ENDED, ENDED):
        ledger.record_session(record)
        await ledger.flush()
    await ledger.close()
    again = await open_ledger()
    again.record_session(ENDED)
    assert await all_sessions(again) == [ENDED]


async def test_the_same_transaction_id_on_two_stations_is_two_sessions(open_ledger: Open) -> None:
    ledger = await open_ledger()
    right = replace(SESSION, station="right")
    ledger.record_session(SESSION)
    ledger.record_session(right)
    assert await all_sessions(ledger) == [SESSION, right]


@pytest.mark.parametrize("flushed", [True, False], ids=["written", "still waiting"])
async def test_an_older_update_never_overwrites_a_newer_one(open_ledger: Open, flushed: bool, caplog: pytest.LogCaptureFixture) -> None:
    ledger = await open_ledger(gather_s=60.0)
    ledger.record_session(ENDED)
    if flushed:
        await ledger.flush()
    ledger.record_session(replace(LATER, updated_at=NOON + timedelta(days=1)))
    assert await all_sessions(ledger) == [ENDED]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]  # to be late is no fault


@pytest.mark.parametrize("flushed", [True, False], ids=["written", "still waiting"])
async def test_where_a_station_counts_no_events_the_end_stays_the_end(open_ledger: Open, flushed: bool) -> None:
    start, later, end = (replace(record, last_seq_no=0) for record in (SESSION, LATER, ENDED))
    ledger = await open_ledger(gather_s=60.0)
    kept = []
    for record in (start, later, start, end, replace(later, updated_at=end.updated_at + timedelta(minutes=1))):
        ledger.record_session(record)
        if flushed:
            kept += await all_sessions(ledger)
    assert await all_sessions(ledger) == [end]
    assert not flushed or kept == [start, later, later, end, end]


async def test_open_sessions_are_those_without_an_end(open_ledger: Open) -> None:
    ledger = await open_ledger()
    running = replace(LATER, transaction_id="t-2")
    for record in (SESSION, running, ENDED):
        ledger.record_session(record)
    await ledger.close()
    assert await (await open_ledger()).open_sessions() == [running]


async def test_decisions_come_newest_first(open_ledger: Open) -> None:
    ledger = await open_ledger()
    for number in range(5):
        ledger.record_decision(decision(number))
    await ledger.flush()
    assert [record.document["number"] for record in await ledger.decisions(2)] == [4, 3]


async def test_a_decision_is_what_it_was_when_it_was_recorded(open_ledger: Open) -> None:
    ledger = await open_ledger()
    document = {"number": 1, "headroom_a": math.inf}
    ledger.record_decision(DecisionRecord(at=NOON, trigger="reading", document=document))
    document["number"] = 2
    await ledger.flush()
    assert (await ledger.decisions(1))[0].document == {"number": 1, "headroom_a": math.inf}


async def test_what_is_recorded_before_opening_is_written_after(open_ledger: Open, path: Path) -> None:
    ledger = Ledger(f"sqlite:///{path}", gather_s=0.0)
    ledger.record_session(SESSION)
    await ledger.open()
    assert await all_sessions(ledger) == [SESSION]
    await ledger.close()


async def test_a_locked_database_loses_nothing_and_is_told_once(open_ledger: Open, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    health: asyncio.Queue[LedgerError | None] = asyncio.Queue()
    ledger = await open_ledger(on_health=health.put_nowait)
    lock = Lock(path)
    ledger.record_session(SESSION)
    ledger.record_decision(decision(1))
    assert "locked" in str(await health.get())
    for number in (2, 3):  # each waits for one more attempt that fails
        ledger.record_session(replace(LATER, energy_wh=float(number)))
        ledger.record_decision(decision(number))
        with pytest.raises(LedgerError, match="locked"):
            await ledger.flush()
    assert await ledger.sessions(NOON, NOON + timedelta(days=1)) == []
    lock.release()
    assert await health.get() is None
    assert health.empty()
    assert await all_sessions(ledger) == [replace(LATER, energy_wh=3.0)]
    assert await decision_numbers(ledger) == [3, 2, 1]
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


async def test_a_locked_database_heals_without_anyone_asking(open_ledger: Open, path: Path) -> None:
    health: asyncio.Queue[LedgerError | None] = asyncio.Queue()
    ledger = await open_ledger(on_health=health.put_nowait)
    lock = Lock(path)
    ledger.record_session(SESSION)
    assert await health.get() is not None
    lock.release()
    assert await health.get() is None
    assert await ledger.open_sessions() == [SESSION]


async def test_what_comes_during_a_write_that_fails_is_merged(open_ledger: Open, path: Path) -> None:
    ledger = await open_ledger(gather_s=60.0, retry_s=60.0)
    lock = Lock(path)
    right = replace(SESSION, station="right")
    for record in (ENDED, right):
        ledger.record_session(record)
    ledger.record_decision(decision(1))
    failing = asyncio.ensure_future(ledger.flush())
    while ledger._decisions:  # until the writer has taken them
        await asyncio.sleep(0)
    ledger.record_session(LATER)
    ledger.record_session(replace(right, last_seq_no=2))
    ledger.record_decision(decision(2))
    with pytest.raises(LedgerError):
        await failing
    lock.release()
    assert await all_sessions(ledger) == [ENDED, replace(right, last_seq_no=2)]
    assert await decision_numbers(ledger) == [2, 1]


async def test_a_listener_that_fails_does_not_stop_the_writer(open_ledger: Open, path: Path) -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    def fail(_: LedgerError | None) -> None:
        raise RuntimeError("no")

    ledger = await open_ledger(on_health=fail, retry_s=60.0)
    lock = Lock(path)
    ledger.record_session(SESSION)
    with pytest.raises(LedgerError):
        await ledger.flush()
    lock.release()
    assert await all_sessions(ledger) == [SESSION]
    assert len(complaints) == 2


async def test_a_full_disk_loses_nothing_once_there_is_room(open_ledger: Open, path: Path) -> None:
    health: asyncio.Queue[LedgerError | None] = asyncio.Queue()
    ledger = await open_ledger(on_health=health.put_nowait, retry_s=60.0)
    pages = limit_pages(ledger, None)
    limit_pages(ledger, pages)
    ledger.record_decision(DecisionRecord(at=NOON, trigger="reading", document={"number": 1, "much": "x" * 200_000}))
    with pytest.raises(LedgerError, match="full"):
        await ledger.flush()
    assert "full" in str(await health.get())
    limit_pages(ledger, 1_000_000)
    assert await decision_numbers(ledger) == [1]
    assert await health.get() is None


def limit_pages(ledger: Ledger, pages: int | None) -> int:
    """Let the file grow to so many pages only; returns how many it has. The limit is the connection's own, so the pool's is asked."""
    assert ledger._store is not None
    with ledger._store._engine.connect() as connection:
        if pages is not None:
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


async def test_a_full_queue_drops_the_oldest_decisions_and_counts_them(
    open_ledger: Open, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = await open_ledger(queue_limit=4, gather_s=60.0)
    ledger.record_session(SESSION)
    for number in range(10):
        ledger.record_decision(decision(number))
        ledger.record_session(replace(LATER, energy_wh=float(number)))
    assert await decision_numbers(ledger) == [9, 8, 7]
    assert await all_sessions(ledger) == [replace(LATER, energy_wh=9.0)]
    assert (ledger.dropped_decisions, ledger.dropped_sessions) == (7, 0)
    assert len([record for record in caplog.records if "queue is full" in record.message]) == 1


async def test_sessions_are_dropped_only_when_no_decision_is_left_to_drop(open_ledger: Open) -> None:
    ledger = await open_ledger(queue_limit=2, gather_s=60.0)
    ledger.record_decision(decision(1))
    for name in ("a", "b", "c"):
        ledger.record_session(replace(SESSION, transaction_id=name))
    assert [record.transaction_id for record in await all_sessions(ledger)] == ["b", "c"]
    assert (ledger.dropped_decisions, ledger.dropped_sessions) == (1, 1)


async def test_the_queue_keeps_its_bounds_while_writes_fail(open_ledger: Open, path: Path) -> None:
    ledger = await open_ledger(queue_limit=3, gather_s=60.0, retry_s=60.0)
    lock = Lock(path)
    for number in range(6):
        ledger.record_decision(decision(number))
        with pytest.raises(LedgerError):
            await ledger.flush()
    lock.release()
    assert await decision_numbers(ledger) == [5, 4, 3]
    assert ledger.dropped_decisions == 3


@pytest.mark.parametrize(
    "refused",
    [replace(SESSION, transaction_id="bad", last_seq_no=10**30), replace(SESSION, transaction_id="\ud800")],
    ids=["a number beyond the database's", "half a character"],
)
async def test_a_record_no_database_takes_is_left_out_and_the_rest_is_kept(
    open_ledger: Open, refused: SessionRecord, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = await open_ledger()
    ledger.record_session(refused)
    ledger.record_session(SESSION)
    ledger.record_decision(decision(1))
    assert await all_sessions(ledger) == [SESSION]
    assert await decision_numbers(ledger) == [1]
    assert len([record for record in caplog.records if "leaves out" in record.message]) == 1


async def test_old_decisions_are_pruned_and_sessions_are_not(open_ledger: Open) -> None:
    ledger = await open_ledger(prune_every_s=0.0)
    ledger.record_session(replace(SESSION, started_at=NOON - timedelta(days=400)))
    ledger.record_decision(decision(1, NOON - timedelta(days=14, seconds=1)))
    ledger.record_decision(decision(2, NOON - timedelta(days=14)))
    assert await decision_numbers(ledger) == [2]
    assert len(await ledger.open_sessions()) == 1


async def test_of_too_many_decisions_the_newest_stay(open_ledger: Open) -> None:
    ledger = await open_ledger(prune_every_s=0.0, keep_rows=3)
    for number in range(10):
        ledger.record_decision(decision(number))
        await ledger.flush()
    assert await decision_numbers(ledger) == [9, 8, 7]


async def test_the_first_write_after_a_start_prunes(open_ledger: Open) -> None:
    ledger = await open_ledger()
    ledger.record_decision(decision(1))
    await ledger.close()
    again = await open_ledger(now=lambda: NOON + timedelta(days=15))
    again.record_decision(decision(2, NOON + timedelta(days=15)))
    assert await decision_numbers(again) == [2]


async def test_closing_while_locked_tells_what_is_lost(open_ledger: Open, path: Path) -> None:
    ledger = await open_ledger(gather_s=60.0, retry_s=60.0)
    lock = Lock(path)
    ledger.record_session(SESSION)
    ledger.record_decision(decision(1))
    with pytest.raises(LedgerError, match=r"locked.*1 sessions and 1 decisions are not written"):
        await ledger.close()
    lock.release()
    await ledger.open()  # nothing was thrown away
    assert await all_sessions(ledger) == [SESSION]


async def test_a_ledger_that_is_not_open_says_so(path: Path) -> None:
    ledger = Ledger(f"sqlite:///{path}")
    for asked in (ledger.open_sessions, ledger.flush, lambda: ledger.decisions(1)):
        with pytest.raises(LedgerError, match="not open"):
            await asked()
    await ledger.close()


async def test_a_ledger_that_cannot_be_opened_says_why_and_may_be_tried_again(open_ledger: Open, path: Path) -> None:
    path.mkdir()
    with pytest.raises(LedgerError, match=r"can't be opened.*unable to open"):
        await open_ledger()
    path.rmdir()
    assert await (await open_ledger()).open_sessions() == []


async def test_a_file_that_is_no_database_is_left_alone(open_ledger: Open, path: Path) -> None:
    path.write_text("a shopping list, and a long one at that\n" * 100)
    with pytest.raises(LedgerError, match="not a database"):
        await open_ledger()
    assert path.read_text().startswith("a shopping list")


async def test_tables_of_a_newer_version_are_refused(open_ledger: Open, path: Path) -> None:
    await (await open_ledger()).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    with pytest.raises(LedgerError, match="version 99"):
        await open_ledger()


@pytest.mark.parametrize(
    ("url", "complaint"),
    [("sqlite://", "memory"), ("sqlite:///:memory:", "memory"), ("no url", "URL"), ("nosuch://host/db", "nosuch")],
)
async def test_a_url_that_cannot_serve_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(LedgerError, match=complaint):
        await Ledger(url).open()


async def test_a_token_is_known_again_but_not_written(open_ledger: Open, path: Path, tmp_path: Path) -> None:
    ledger = await open_ledger()
    hashed = ledger.id_token_hash("04A2B3C4D5")
    ledger.record_session(replace(SESSION, id_token_hash=hashed))
    await ledger.close()
    assert not any(b"04a2b3c4d5" in file.read_bytes().lower() for file in tmp_path.iterdir())
    again = await open_ledger()
    assert [record.id_token_hash for record in await again.open_sessions()] == [again.id_token_hash("04a2b3c4d5")]
    assert again.id_token_hash("04A2B3C4D6") != hashed
    await again.close()
    path.rename(path.with_suffix(".old"))
    assert (await open_ledger()).id_token_hash("04A2B3C4D5") != hashed  # another ledger, another salt


def test_times_without_a_zone_are_refused() -> None:
    naive = NOON.replace(tzinfo=None)
    for field in ("started_at", "ended_at", "updated_at"):
        with pytest.raises(ValueError, match="time zone"):
            replace(SESSION, **{field: naive})
    with pytest.raises(ValueError, match="time zone"):
        decision(1, naive)


async def test_a_document_json_cannot_hold_is_refused_at_once(path: Path) -> None:
    with pytest.raises(TypeError):
        Ledger(f"sqlite:///{path}").record_decision(DecisionRecord(at=NOON, trigger="reading", document={"at": NOON}))
