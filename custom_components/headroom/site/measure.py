"""What was done to an EVSE to relieve a breaker, as the last resort, or because its car drew more than it may. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

OUT = timedelta(minutes=5)
"""So long an EVSE is out of service the first time, and twice as long each time after, until it has been quiet for a day."""
MOST_DOUBLED = 6


class Stage(StrEnum):
    """How far it came."""

    STOPPED = "stopped"
    """Its session was stopped."""
    OUT = "out_of_service"
    """It is out of service."""
    BACK = "back_in_service"
    """It is in service again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What was done to an EVSE, when last, how often it had to be put out of service, for which circuit, and what it drew.

    Where its car drew more than it may, and no circuit was overloaded, `limit_a` is what it was told.
    """

    stage: Stage
    at: datetime
    times: int = 0
    circuit_id: str = ""
    draw_a: float = 0.0
    limit_a: float | None = None

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "stage": str(self.stage),
            "at": self.at.isoformat(),
            "times": self.times,
            "circuit": self.circuit_id,
            "draw_a": self.draw_a,
            "limit_a": self.limit_a,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Measure:
        """Return what `document` gave."""
        return cls(
            stage=Stage(document["stage"]),
            at=datetime.fromisoformat(document["at"]),
            times=document.get("times", 0),
            circuit_id=document.get("circuit", ""),
            draw_a=document.get("draw_a", 0.0),
            limit_a=document.get("limit_a"),
        )

    @property
    def back_at(self) -> datetime:
        """When an EVSE that is out of service may come back."""
        doublings: int = min(MOST_DOUBLED, max(0, self.times - 1))
        return self.at + OUT * (1 << doublings)
