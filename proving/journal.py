"""What a run writes down: the sessions and decisions of the loop, and what the component complains of."""

from collections.abc import Mapping
import json
import logging

from custom_components.headroom.ledger.records import DecisionRecord, SessionRecord


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


class Complaints(logging.Handler):
    """Keeps what the component logs as an error: a turn that failed, a listener that raised."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it with its traceback."""
        self.texts.append(logging.Formatter().format(record))
