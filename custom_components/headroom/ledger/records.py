"""What the ledger keeps: values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class LedgerError(Exception):
    """The ledger could not be opened, read or written; the message is one a person understands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """One transaction as far as it is known. (`station`, `transaction_id`) names it; times have a time zone.

    `energy_start_wh` and `energy_end_wh` are readings of the EVSE's import register, `energy_wh` is what the session took.
    `last_seq_no` is the seqNo of the newest TransactionEvent in it (0 where the station counts none), `updated_at` when it last changed.
    `id_token_hash` is what `Ledger.id_token_hash` gives, never the token.
    """

    station: str
    transaction_id: str
    started_at: datetime
    updated_at: datetime
    last_seq_no: int = 0
    evse_id: int | None = None
    ended_at: datetime | None = None
    energy_start_wh: float | None = None
    energy_end_wh: float | None = None
    energy_wh: float | None = None
    stopped_reason: str | None = None
    id_token_hash: str | None = None

    def __post_init__(self) -> None:
        """Refuse times without a zone (ValueError): nobody can tell later which moment they were."""
        for at in (self.started_at, self.updated_at, self.ended_at):
            if at is not None and at.tzinfo is None:
                raise ValueError(f"a session's time needs a time zone: {at}")

    @property
    def key(self) -> tuple[str, str]:
        """Station and transaction."""
        return (self.station, self.transaction_id)

    @property
    def version(self) -> tuple[int, bool, datetime]:
        """Orders the records of one session: the higher is the newer.

        Some stations number every event 0; with those an end outranks what comes late, and else the time decides.
        """
        return (self.last_seq_no, self.ended_at is not None, self.updated_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRecord:
    """One turn of the control loop. `at` has a time zone, `trigger` says what started it, `document` is what JSON can hold."""

    at: datetime
    trigger: str
    document: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse a time without a zone (ValueError)."""
        if self.at.tzinfo is None:
            raise ValueError(f"a decision's time needs a time zone: {self.at}")
