"""A transaction as the loop knows it."""

from dataclasses import dataclass
from datetime import datetime

from ..csms.authorization import IdToken
from ..csms.needs import EvNeeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A transaction as far as it is known."""

    transaction_id: str
    started_at: datetime
    since: float
    """Monotonic time from which it is known."""
    queued_at: float
    """Monotonic time from which it waits for its turn: what admission goes by."""
    connector_id: int | None = None
    energy_start_wh: float | None = None
    id_token: IdToken | None = None
    seq_no: int = -1
    needs: EvNeeds | None = None
    """What its car said it needs."""


def energy_of(session: Session, energy_wh: float | None) -> float | None:
    """Return what a session took up to a register of `energy_wh`; None where either end is not known."""
    if session.energy_start_wh is None or energy_wh is None:
        return None
    return max(0.0, energy_wh - session.energy_start_wh)
