"""What the loop knows of one station, beside its EVSEs; and the narrow face of what keeps the records."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from ..csms.values import Inventory, StationInfo
from ..ledger.records import DecisionRecord, SessionRecord
from .config import StationConfig
from .limits import LimitsOverTime


@dataclass(slots=True, kw_only=True)
class StationState:
    """A station that was ever heard of since the start; `config` is None while nobody has approved it."""

    identity: str
    config: StationConfig | None = None
    online: bool = False
    booted: bool = False
    """It has booted since it was ready last."""
    remote: str | None = None
    info: StationInfo = StationInfo()
    inventory: Inventory = Inventory()
    since: datetime | None = None
    last_heard: datetime | None = None
    away_since: datetime | None = None
    """Since when there is no connection, as far as this life of ours knows; None while there is one."""
    external: dict[str, LimitsOverTime] = field(default_factory=dict)
    """Limits somebody else set on the whole station, by source (NotifyChargingLimit)."""
    tokens_outdated: bool = False
    """It could not be told who may charge while it is alone."""


class Journal(Protocol):
    """Where sessions and decisions are kept. Both calls return at once and never fail."""

    def record_session(self, record: SessionRecord) -> None:
        """Keep the newest state of a session."""

    def record_decision(self, record: DecisionRecord) -> None:
        """Keep a decision."""

    def id_token_hash(self, id_token: str) -> str:
        """Return what is kept in place of a token; raises LedgerError where that is not known yet."""
