"""What a driver said of a session: how much energy, until when. It holds for the session that runs, or else for the next one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a driver said; what was not said is None."""

    energy_wh: float | None = None
    from_wh: float = 0.0
    """What the session had taken when that energy was asked for: it comes on top."""
    departs_at: datetime | None = None
    state_of_charge: float | None = None
    """A share, 0 to 1."""
    pausable: bool = True
    """False: the car must not be paused once it charges."""
    session: str | None = None
    """The session it is for, by its name in the records; None: the next one."""

    def left_wh(self, had_wh: float) -> float | None:
        """Return how much is still to come once a session has taken so much; None where no energy was asked for."""
        return None if self.energy_wh is None else max(0.0, self.energy_wh - max(0.0, had_wh - self.from_wh))

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "energy_wh": self.energy_wh,
            "from_wh": self.from_wh,
            "departs_at": None if self.departs_at is None else self.departs_at.isoformat(),
            "state_of_charge": self.state_of_charge,
            "pausable": self.pausable,
            "session": self.session,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Wish:
        """Return what `document` gave."""
        departs_at = document.get("departs_at")
        return cls(
            energy_wh=document.get("energy_wh"),
            from_wh=document.get("from_wh", 0.0),
            departs_at=None if departs_at is None else datetime.fromisoformat(departs_at),
            state_of_charge=document.get("state_of_charge"),
            pausable=document.get("pausable", True),
            session=document.get("session"),
        )


def kept(wish: Wish | None, session: str | None, *, over: bool, utcnow: datetime) -> Wish | None:
    """Return what is left of a wish now that `session` runs (None: none does); `over`: it is known that none does.

    It ends with its session. One for the next session goes over to that when it begins; a departure that passes before
    was meant for a car that did not come.
    """
    if wish is None or (session is not None and wish.session == session):
        return wish
    if wish.session is not None:
        return None if over or session is not None else wish
    if wish.departs_at is not None and wish.departs_at <= utcnow:
        wish = replace(wish, departs_at=None)
    return wish if session is None else replace(wish, session=session)
