"""What a session still needs, and when its car leaves: as its driver said, else as the car said, else as is usual."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..csms.needs import EvNeeds
from ..engine.model import Need
from .habits import Usual
from .session import Session
from .wish import Wish

FULL_PCT = 100.0


class Source(StrEnum):
    """Who says so."""

    DRIVER = "driver"
    CAR = "car"
    HABIT = "habit"
    """What this driver, or else whoever comes to this EVSE, usually does."""
    UNKNOWN = "unknown"


WORDS = frozenset({Source.DRIVER, Source.CAR})
"""Who said so: what is usual is no word that could be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What a session needs, and who says so. `departs_at` is by the wall clock, `need.departs_at` by the monotonic one."""

    need: Need = Need()
    energy_source: Source = Source.UNKNOWN
    departs_at: datetime | None = None
    departure_source: Source = Source.UNKNOWN
    pausable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class CarsWord:
    """What a car said it needs, and what its session had taken by then. It says so once in a transaction, so it is kept over a restart."""

    needs: EvNeeds
    from_wh: float

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        departure_at = self.needs.departure_at
        said = asdict(self.needs) | {"departure_at": None if departure_at is None else departure_at.isoformat()}
        return {"needs": said, "from_wh": self.from_wh}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> CarsWord:
        """Return what `document` gave."""
        departure_at = document["needs"].get("departure_at")
        said = document["needs"] | {"departure_at": None if departure_at is None else datetime.fromisoformat(departure_at)}
        return cls(needs=EvNeeds(**said), from_wh=document["from_wh"])


def car_energy_wh(needs: EvNeeds) -> float | None:
    """Return the energy that a car asked for when it told its needs; None where it does not tell."""
    if needs.energy_wh is not None:
        return needs.energy_wh
    if needs.capacity_wh is None or needs.soc_pct is None:
        return None
    full_pct = FULL_PCT if needs.full_soc_pct is None else needs.full_soc_pct
    return max(0.0, full_pct - needs.soc_pct) / 100 * needs.capacity_wh


def cars_word(session: Session | None) -> CarsWord | None:
    """Return what the car of a session said; None where it said nothing."""
    return None if session is None or session.needs is None else CarsWord(needs=session.needs, from_wh=session.needs_from_wh)


def energy_left(wish: Wish | None, session: Session | None, had_wh: float, usual: Usual) -> tuple[float | None, Source]:
    """Return how much energy is still to come of a session that has taken `had_wh`, and who says so.

    A driver's and a car's word count from when it was given. A habit that is served already says nothing more.
    """
    if wish is not None and (left_wh := wish.left_wh(had_wh)) is not None:
        return left_wh, Source.DRIVER
    if session is not None and session.needs is not None and (asked_wh := car_energy_wh(session.needs)) is not None:
        return max(0.0, asked_wh - max(0.0, had_wh - session.needs_from_wh)), Source.CAR
    if usual.energy_wh is not None and had_wh < usual.energy_wh:
        return usual.energy_wh - had_wh, Source.HABIT
    return None, Source.UNKNOWN


def departure(wish: Wish | None, session: Session | None, usual: Usual, utcnow: datetime) -> tuple[datetime | None, Source]:
    """Return when a car leaves, and who says so; a habit that has passed says nothing more, where a word that has passed means now."""
    if wish is not None and wish.departs_at is not None:
        return wish.departs_at, Source.DRIVER
    if session is not None and session.needs is not None and session.needs.departure_at is not None:
        return session.needs.departure_at, Source.CAR
    if usual.departs_at is not None and usual.departs_at > utcnow:
        return usual.departs_at, Source.HABIT
    return None, Source.UNKNOWN


def charge(wish: Wish | None, session: Session | None, measured_pct: float | None) -> float | None:
    """Return the state of charge, 0 to 1: as measured, else as the driver or the car said it last."""
    if measured_pct is not None:
        return measured_pct / 100
    if wish is not None and wish.state_of_charge is not None:
        return wish.state_of_charge
    if session is not None and session.needs is not None and session.needs.soc_pct is not None:
        return session.needs.soc_pct / 100
    return None


def needed(
    *,
    wish: Wish | None,
    session: Session | None,
    had_wh: float,
    soc_pct: float | None,
    usual: Usual,
    errors_s: tuple[float, ...] = (),
    utcnow: datetime,
    now: float,
    before: Needed = Needed(),
) -> Needed:
    """Return what a session needs; `had_wh` is what it has taken, `now` the monotonic time of `utcnow`.

    `errors_s` are quantiles of by how much later cars leave than their drivers or they say.
    What was found `before` makes it steady: two clocks are never read at once, and a moment must not waver by that.
    """
    energy_wh, energy_source = energy_left(wish, session, had_wh, usual)
    departs_at, departure_source = departure(wish, session, usual, utcnow)
    leaves_at = None if departs_at is None else now + (departs_at - utcnow).total_seconds()
    held_at = before.need.departs_at
    if leaves_at is not None and held_at is not None and departs_at == before.departs_at and abs(leaves_at - held_at) < 1:
        leaves_at = held_at
    return Needed(
        need=Need(
            energy_wh=energy_wh,
            departs_at=leaves_at,
            errors_s=errors_s if departure_source in WORDS else (),
            state_of_charge=charge(wish, session, soc_pct),
        ),
        energy_source=energy_source,
        departs_at=departs_at,
        departure_source=departure_source,
        pausable=wish is None or wish.pausable,
    )


def needed_document(needed: Needed) -> dict[str, Any]:
    """Return it as JSON-able data."""
    need = needed.need
    return {
        "energy_wh": None if need.energy_wh is None else round(need.energy_wh),
        "energy_source": str(needed.energy_source),
        "departs_at": None if needed.departs_at is None else needed.departs_at.isoformat(timespec="seconds"),
        "departure_source": str(needed.departure_source),
        "departure_errors_s": [round(error_s) for error_s in need.errors_s],
        "state_of_charge": need.state_of_charge,
        "pausable": needed.pausable,
    }
