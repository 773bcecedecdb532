"""The transactions of one station as far as they were told: each event once, gaps noticed, the EVSE of each known (block E).

Events are numbered within their transaction (E01.FR.07), so which were seen is a few ranges of numbers however long it lasts. Some
stations number every event 0: they are found out, their events are told apart by kind and time, and they are asked for no gaps, for
as long as they go on like that.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .events import TransactionEvent
from .values import TransactionPhase

MOST_TRANSACTIONS = 64
"""Kept for a station, those that ended included: what is repeated late is still known."""
MOST_RANGES = 32
"""Of numbers seen in one transaction; with more gaps than this the oldest count as filled."""
DOUBLED = 3
"""So many numbers given twice show that a station does not number its events; one is a slip."""
IN_ORDER = 16
"""After so many new numbers in a row those are forgotten."""
RECENT = 16
"""Events of a transaction that are remembered by kind and time beside their number."""

LONGEST_ID = 36
"""Of a transaction, as OCPP has it: one that is longer is taken, but no request can name it."""

type SeqRange = tuple[int, int]
"""First and last seqNo of events in a row."""


@dataclass(slots=True, kw_only=True)
class KnownTransaction:
    """One transaction. Times are by the station's clock."""

    transaction_id: str
    evse_id: int | None = None
    connector_id: int | None = None
    started_at: datetime | None = None
    """When it started; None where that was not told."""
    last_at: datetime | None = None
    """The newest of its events' times."""
    ended: bool = False
    denied: bool = False
    """Its end was not told: asked for it, the station knew it no more. It runs again where the station goes on with it all the same."""
    anew: bool = False
    """Another transaction had its id before."""
    energy_start_wh: float | None = None
    """The register at its start, or where it was told first."""
    seen: list[SeqRange] = field(default_factory=list)
    recent: deque[tuple[int, str, datetime]] = field(default_factory=lambda: deque(maxlen=RECENT))
    given_up: list[SeqRange] = field(default_factory=list)
    """Gaps that will not be filled: told as lost, or heard by an earlier life of ours."""
    recalled: bool = False
    """It was read from a document, which may be older than what was heard last, and nothing was told of it since."""

    @property
    def can_be_named(self) -> bool:
        """Whether a request may be about it."""
        return len(self.transaction_id) <= LONGEST_ID

    def has(self, seq_no: int) -> bool:
        """Tell whether an event of this number was seen."""
        return any(first <= seq_no <= last for first, last in self.seen)

    def resume(self, seq_no: int) -> None:
        """Miss nothing before the first event after a restart: what came between was answered, or would come before it (E04)."""
        if self.recalled and self.seen and seq_no > self.seen[-1][1] + 1:
            self.given_up.append((self.seen[-1][1] + 1, seq_no - 1))
        self.recalled = False

    def note(self, seq_no: int) -> None:
        """Remember a number as seen."""
        merged: list[SeqRange] = []
        first, last = seq_no, seq_no
        for low, high in self.seen:
            if high < first - 1 or low > last + 1:
                merged.append((low, high))
            else:
                first, last = min(first, low), max(last, high)
        self.seen = sorted([*merged, (first, last)])
        while len(self.seen) > MOST_RANGES:
            (low, _), (_, high), *rest = self.seen
            self.seen = [(low, high), *rest]

    @property
    def gaps(self) -> tuple[SeqRange, ...]:
        """The numbers missing between those seen, but for those given up. What came before the first seen was told to somebody else."""
        between = zip(self.seen, self.seen[1:], strict=False)
        missing = ((before[1] + 1, after[0] - 1) for before, after in between)
        return tuple((first, last) for first, last in missing if not any(low <= first and last <= high for low, high in self.given_up))

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "id": self.transaction_id,
            "evse_id": self.evse_id,
            "connector_id": self.connector_id,
            "started_at": None if self.started_at is None else self.started_at.isoformat(),
            "last_at": None if self.last_at is None else self.last_at.isoformat(),
            "ended": self.ended,
            "denied": self.denied,
            "anew": self.anew,
            "energy_start_wh": self.energy_start_wh,
            "seen": [list(numbers) for numbers in self.seen],
            "recent": [[seq_no, phase, at.isoformat()] for seq_no, phase, at in self.recent],
            "given_up": [list(numbers) for numbers in self.given_up],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> KnownTransaction:
        """Return what `document` gave. Raises ValueError, KeyError or TypeError for anything else."""
        started_at, last_at = document["started_at"], document["last_at"]
        return cls(
            transaction_id=document["id"],
            evse_id=document["evse_id"],
            connector_id=document["connector_id"],
            started_at=None if started_at is None else datetime.fromisoformat(started_at),
            last_at=None if last_at is None else datetime.fromisoformat(last_at),
            ended=document["ended"],
            denied=document.get("denied", False),
            anew=document.get("anew", False),
            energy_start_wh=document.get("energy_start_wh"),
            seen=[(int(first), int(last)) for first, last in document["seen"]],
            recent=deque(((seq_no, phase, datetime.fromisoformat(at)) for seq_no, phase, at in document["recent"]), RECENT),
            given_up=[(int(first), int(last)) for first, last in document["given_up"]],
            recalled=True,
        )


class KnownTransactions:
    """All that were told of, the one heard of last at the end."""

    def __init__(self) -> None:
        """Know none."""
        self._known: OrderedDict[str, KnownTransaction] = OrderedDict()
        self._doubled = 0
        self._in_order = 0

    @property
    def numbered(self) -> bool:
        """Whether numbers tell events apart: not where the station gives one number to several events of a transaction, again and again."""
        return self._doubled < DOUBLED

    def __iter__(self) -> Iterator[KnownTransaction]:
        """Go through all, those that ended included."""
        return iter(self._known.values())

    def get(self, transaction_id: str) -> KnownTransaction | None:
        """Return a transaction, None where it was not told of."""
        return self._known.get(transaction_id)

    def evse_of(self, transaction_id: str) -> int | None:
        """Return the EVSE of a transaction, None where it is not known: updates may leave it out."""
        known = self._known.get(transaction_id)
        return None if known is None else known.evse_id

    def running(self) -> tuple[KnownTransaction, ...]:
        """Return those whose end was not told."""
        return tuple(known for known in self._known.values() if not known.ended)

    def running_on(self, evse_id: int) -> KnownTransaction | None:
        """Return the newest transaction under way on an EVSE."""
        return next((known for known in reversed(self._known.values()) if known.evse_id == evse_id and not known.ended), None)

    def take(self, event: TransactionEvent) -> bool:
        """Take an event in; False where it was taken before, for a station repeats what it had no answer to (E04.FR.05)."""
        known = self._known.get(event.transaction_id)
        if known is None:
            known = self._known[event.transaction_id] = KnownTransaction(transaction_id=event.transaction_id)
            self._make_room()
        elif _starts_anew(known, event):
            # Some count from 1 again after a reboot. What is repeated of the first one is still known.
            known = self._known[event.transaction_id] = KnownTransaction(
                transaction_id=event.transaction_id, recent=known.recent, anew=True
            )
        elif self._is_repeated(known, event):
            return False
        elif _is_of_former(known, event):
            known.recent.append((event.seq_no, str(event.phase), event.at))
            return True
        self._known.move_to_end(event.transaction_id)
        known.resume(event.seq_no)
        known.recent.append((event.seq_no, str(event.phase), event.at))
        known.note(event.seq_no)
        if known.denied and known.last_at is not None and event.at > known.last_at and not event.offline:
            known.ended = known.denied = False
        known.last_at = event.at if known.last_at is None else max(known.last_at, event.at)
        known.evse_id = known.evse_id if event.evse_id is None else event.evse_id
        known.connector_id = known.connector_id if event.connector_id is None else event.connector_id
        if event.phase is TransactionPhase.STARTED:
            known.started_at = event.at
        energies_wh = [sample.energy_wh for sample in event.samples if sample.energy_wh is not None]
        if energies_wh and (known.energy_start_wh is None or event.phase is TransactionPhase.STARTED):
            known.energy_start_wh = energies_wh[0]
        if event.phase is TransactionPhase.ENDED:
            known.ended = True
        return True

    def is_of_former(self, event: TransactionEvent) -> bool:
        """Tell whether an event is of an earlier transaction that had the id of the one known by it."""
        known = self._known.get(event.transaction_id)
        return known is not None and _is_of_former(known, event)

    def told(self, event: TransactionEvent) -> TransactionEvent:
        """Return an event with what earlier ones told of its transaction."""
        known = self._known.get(event.transaction_id)
        if known is None or _is_of_former(known, event):
            return event
        return replace(event, started_at=known.started_at, energy_start_wh=known.energy_start_wh, given_anew=known.anew)

    def _is_repeated(self, known: KnownTransaction, event: TransactionEvent) -> bool:
        if (event.seq_no, str(event.phase), event.at) in known.recent:
            return True
        if not known.has(event.seq_no):
            self._in_order += 1
            if self._in_order >= IN_ORDER:
                self._doubled = 0
            return False
        phases = {phase for seq_no, phase, _ in known.recent if seq_no == event.seq_no}
        same = not phases or str(event.phase) in phases
        if same and self.numbered and known.last_at is not None and event.at <= known.last_at:
            return True
        if phases:  # one number, two events
            self._doubled = min(DOUBLED, self._doubled + 1)
            self._in_order = 0
        return False

    def _make_room(self) -> None:
        if len(self._known) > MOST_TRANSACTIONS:
            oldest = next((known for known in self._known.values() if known.ended), next(iter(self._known.values())))
            del self._known[oldest.transaction_id]

    def document(self) -> dict[str, Any]:
        """Return them as JSON-able data."""
        return {"numbered": self.numbered, "known": [known.document() for known in self._known.values()]}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> KnownTransactions:
        """Return what `document` gave. Raises ValueError, KeyError or TypeError for anything else."""
        transactions = cls()
        transactions._doubled = 0 if document["numbered"] else DOUBLED
        for item in document["known"][-MOST_TRANSACTIONS:]:
            known = KnownTransaction.from_document(item)
            transactions._known[known.transaction_id] = known
        return transactions


def _starts_anew(known: KnownTransaction, event: TransactionEvent) -> bool:
    """Tell whether an event begins another transaction with the id of one that is over: it ended, or its numbers begin anew."""
    if known.started_at is None or known.last_at is None or event.phase is not TransactionPhase.STARTED:
        return False
    return event.at > known.last_at and (known.ended or known.has(event.seq_no))


def _is_of_former(known: KnownTransaction, event: TransactionEvent) -> bool:
    return known.anew and known.started_at is not None and event.at < known.started_at
