"""What was learnt of one station by trying: its dialect, what it refused or ignored, and how fast it answers and follows. Kept over restarts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
import math
from typing import Any

from .dialect import Dialect
from .fields import optional_moment, optional_number, optional_record, optional_text, optional_whole, records, written
from .frames import Payload

LATENCIES = 20
SLOW_SHARE = 0.9
START_REFUSALS = 2
"""So many starts in a row refused with a profile and taken without show that the profile is what it will not have."""
ATTEMPTS = 40


class Outcome(StrEnum):
    """What came of telling a station a limit in one dialect."""

    REFUSED_FALLBACK = "refused_fallback"
    REFUSED_LEASE = "refused_lease"
    IGNORED = "ignored"
    """It was accepted, and the car drew on far above it."""
    UNHEEDED = "unheeded"
    """It was accepted, and the fallback alone stayed in force."""
    OUTLASTED = "outlasted"
    """The station reckons with a lease, or was seen to hold it, past its end."""
    OBEYED = "obeyed"
    """The car was above the limit and came down to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A dialect that was tried, and what came of it. `detail` is for people."""

    dialect: Dialect
    outcome: Outcome
    at: datetime
    detail: str = ""


@dataclass(slots=True)
class Latency:
    """How long something took, the last times."""

    seconds: list[float] = field(default_factory=list)
    slow_s: float | None = field(init=False)
    """What nine of ten stayed below; None where nothing was seen. Every turn asks for it, and few samples change it."""

    def __post_init__(self) -> None:
        """Reckon from what was kept."""
        self._reckon()

    def observe(self, elapsed_s: float) -> None:
        """Take one more."""
        self.seconds = [*self.seconds, round(elapsed_s, 3)][-LATENCIES:]
        self._reckon()

    def _reckon(self) -> None:
        ordered = sorted(self.seconds)
        self.slow_s = ordered[math.ceil(SLOW_SHARE * len(ordered)) - 1] if ordered else None


@dataclass(slots=True)
class Learnt:
    """Of one station. `fingerprint` is the vendor, model and firmware it was learnt of: another one is another station."""

    fingerprint: tuple[str, ...] = ()
    dialect: Dialect | None = None
    """The one in use; None: what its quirks and its device model lead to."""
    attempts: list[Attempt] = field(default_factory=list)
    obeyed_by: set[int] = field(default_factory=set)
    """The EVSEs that were seen to come down to a limit told in the present dialect."""
    heeded_by: set[int] = field(default_factory=set)
    """The EVSEs whose cars were seen to draw by a lease in the present dialect, not by the fallback alone."""
    exhausted: bool = False
    """Nothing that could be tried made it obey: it is uncontrolled until it boots or heals."""
    lease_ends: bool | None = None
    """Whether a lease ends at the station as told: by its composite schedule, or as seen; None while nothing shows it."""
    starts_refused: int = 0
    """How often in a row it refused a start from afar with a profile (K05) and took it without."""
    answers_pings: bool | None = None
    """Whether it ever answered a WebSocket ping; False: it spoke on without."""
    acknowledges: Latency = field(default_factory=Latency)
    follows: Latency = field(default_factory=Latency)
    """From the confirmation of a cut to the sample that shows the car at or below it."""

    def meet(self, fingerprint: Sequence[str]) -> bool:
        """Forget all of another make or firmware; returns whether that was so."""
        if tuple(fingerprint) == self.fingerprint:
            return False
        known = bool(self.fingerprint)
        self.fingerprint = tuple(fingerprint)
        self.follows, self.lease_ends, self.dialect, self.answers_pings = Latency(), None, None, None
        self.starts_refused = 0
        self.begin_again()
        return known

    @property
    def starts_with_limit(self) -> bool:
        """Whether it is worth sending a profile along with a start from afar: a single refusal may have been for that moment."""
        return self.starts_refused < START_REFUSALS

    def booted(self) -> None:
        """Let a station that booted be tried once more with what it refused."""
        self.starts_refused = min(self.starts_refused, START_REFUSALS - 1)

    def begin_again(self) -> None:
        """Forget what failed, so that it may be tried once more."""
        self.attempts, self.exhausted = [], False
        self.obeyed_by, self.heeded_by = set(), set()

    def note(self, attempt: Attempt) -> None:
        """Remember an attempt; the same once more takes its place."""
        self.attempts = [one for one in self.attempts if (one.dialect, one.outcome) != (attempt.dialect, attempt.outcome)]
        self.attempts = [*self.attempts, attempt][-ATTEMPTS:]

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "fingerprint": list(self.fingerprint),
            "dialect": None if self.dialect is None else self.dialect.document(),
            "attempts": [
                {"dialect": one.dialect.document(), "outcome": str(one.outcome), "at": written(one.at), "detail": one.detail}
                for one in self.attempts
            ],
            "obeyed_by": sorted(self.obeyed_by),
            "heeded_by": sorted(self.heeded_by),
            "exhausted": self.exhausted,
            "lease_ends": self.lease_ends,
            "starts_refused": self.starts_refused,
            "answers_pings": self.answers_pings,
            "acknowledges_s": list(self.acknowledges.seconds),
            "follows_s": list(self.follows.seconds),
        }

    @classmethod
    def from_document(cls, document: Payload) -> Learnt:
        """Return what `document` gave; what can't be read is learnt anew."""
        dialect = document.get("dialect")
        return cls(
            fingerprint=tuple(str(part) for part in _listed(document, "fingerprint")),
            dialect=_dialect(dialect) if isinstance(dialect, Mapping) else None,
            attempts=[attempt for row in records(document, "attempts") if (attempt := _attempt(row)) is not None],
            obeyed_by={evse_id for evse_id in _listed(document, "obeyed_by") if isinstance(evse_id, int)},
            heeded_by={evse_id for evse_id in _listed(document, "heeded_by") if isinstance(evse_id, int)},
            exhausted=document.get("exhausted") is True,
            lease_ends=ends if isinstance(ends := document.get("lease_ends"), bool) else None,
            starts_refused=max(0, optional_whole(document, "starts_refused") or 0),
            answers_pings=answers if isinstance(answers := document.get("answers_pings"), bool) else None,
            acknowledges=_latency(document, "acknowledges_s"),
            follows=_latency(document, "follows_s"),
        )


def _listed(document: Payload, key: str) -> Sequence[Any]:
    value = document.get(key)
    return value if isinstance(value, list) else []


def _latency(document: Payload, key: str) -> Latency:
    rows = ({"s": value} for value in _listed(document, key))
    return Latency([seconds for row in rows if (seconds := optional_number(row, "s")) is not None and seconds >= 0][-LATENCIES:])


def _dialect(document: Payload) -> Dialect | None:
    try:
        return Dialect.from_document(document)
    except ValueError:
        return None  # a later version of ours knew more


def _attempt(row: Payload) -> Attempt | None:
    dialect, at, outcome = _dialect(optional_record(row, "dialect")), optional_moment(row, "at"), optional_text(row, "outcome")
    if dialect is None or at is None or outcome not in set(Outcome):
        return None
    return Attempt(dialect=dialect, outcome=Outcome(outcome), at=at, detail=optional_text(row, "detail") or "")
