"""A transaction as the loop knows it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ..csms.authorization import IdToken
from ..csms.events import TransactionEvent
from ..csms.needs import EvNeeds
from ..csms.values import ChargingState, TransactionPhase

JUST_NOW = timedelta(seconds=60)
"""What is told with no older time, and not as of a time offline, is told as it happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A transaction as far as it is known. Times of day are by the station's clock."""

    transaction_id: str
    record_id: str
    """What it is called in the records: some stations give one id to several transactions."""
    started_at: datetime
    since: float
    """Monotonic time from which it is known."""
    queued_at: float
    """Monotonic time from which it waits for its turn: what admission goes by."""
    last_at: datetime
    """The time of the newest that was told of it."""
    ended_at: datetime | None = None
    unplugged_at: datetime | None = None
    """When its plug came out, where that was told before its end."""
    stopped_reason: str | None = None
    live: bool = False
    """It was told as it happened, on the connection that is open: nothing that was queued before can come after it."""
    connector_id: int | None = None
    energy_start_wh: float | None = None
    energy_end_wh: float | None = None
    """The newest reading of the register in it."""
    id_token: IdToken | None = None
    remote_start_id: int | None = None
    """Of the start from afar that it began with."""
    seq_no: int = -1
    needs: EvNeeds | None = None
    """What its car said it needs."""
    needs_from_wh: float = 0.0
    """What it had taken when its car said so."""


def record_id(event: TransactionEvent) -> str:
    """Return what an event's transaction is called in the records: its id, with its start where the station gave that id before."""
    if not event.given_anew or event.started_at is None:
        return event.transaction_id
    return f"{event.transaction_id} {event.started_at:%Y-%m-%dT%H:%M:%SZ}"


def begun(event: TransactionEvent, now: float) -> Session:
    """Return the session of a transaction that is told of for the first time."""
    return Session(
        transaction_id=event.transaction_id,
        record_id=record_id(event),
        started_at=event.started_at or event.at,
        since=now,
        queued_at=now,
        last_at=event.at,
    )


def advanced(session: Session, event: TransactionEvent) -> Session:
    """Return a session with what one more of its events says. They may come in any order."""
    newest = is_newest(session, event)
    energies_wh = [sample.energy_wh for sample in event.samples if sample.energy_wh is not None]
    start_wh = event.energy_start_wh
    if start_wh is None:
        start_wh = energies_wh[0] if energies_wh and session.energy_start_wh is None else session.energy_start_wh
    ended = event.phase is TransactionPhase.ENDED
    return replace(
        session,
        started_at=event.started_at or (event.at if event.phase is TransactionPhase.STARTED else session.started_at),
        last_at=event.at if newest else session.last_at,
        ended_at=event.at if ended else session.ended_at,
        stopped_reason=event.stopped_reason if ended else session.stopped_reason,
        live=session.live or not event.offline,
        connector_id=event.connector_id or session.connector_id,
        energy_start_wh=start_wh,
        energy_end_wh=energies_wh[-1] if energies_wh and newest else session.energy_end_wh,
        id_token=event.id_token or session.id_token,
        remote_start_id=session.remote_start_id if event.remote_start_id is None else event.remote_start_id,
        seq_no=max(session.seq_no, event.seq_no),
    )


def is_newest(session: Session, event: TransactionEvent) -> bool:
    """Tell whether an event tells how its session is now; what was not queued does, whatever the station's clock says."""
    return not event.offline or event.at >= session.last_at


def is_of_the_past(
    event: TransactionEvent, running: Session | None, last: Session | None, utcnow: datetime, *, clock_offset_s: float = 0.0
) -> bool:
    """Tell whether an event is a late word of another transaction than the one that runs, or than the last one where none does.

    Such a one was over before the other began, for an EVSE has one transaction at a time. A station whose clock was set back (by
    `clock_offset_s` it differs from ours) begins one before the last one; where one runs, that is not believed for the clock alone.
    """
    by_its_clock = utcnow if running is not None else utcnow + timedelta(seconds=clock_offset_s)
    if not event.offline and min(abs(utcnow - event.at), abs(by_its_clock - event.at)) < JUST_NOW:
        return False
    other = running or last
    if other is None:
        return False
    return event.at < other.started_at or (event.offline and running is not None and running.live)


def is_over(event: TransactionEvent, last: Session) -> bool:
    """Tell whether this is a late word of the last transaction, whose plug is out or whose end was told.

    A car that charges in it afterwards shows that the plug is not out.
    """
    if event.offline or event.charging_state is not ChargingState.CHARGING:
        return True
    return any(over_at is not None and event.at <= over_at for over_at in (last.ended_at, last.unplugged_at))


def energy_of(session: Session, energy_wh: float | None) -> float | None:
    """Return what a session took up to a register of `energy_wh`; None where either end is not known."""
    if session.energy_start_wh is None or energy_wh is None:
        return None
    return max(0.0, energy_wh - session.energy_start_wh)
