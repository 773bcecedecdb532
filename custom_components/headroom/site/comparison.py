"""What shadow mode comes to: what was, beside what would have been. Values only."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

from .taking_up import known_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What was, and what would have been: how long a circuit was over its limit, and the most that its fullest conductor carried."""

    over_limit_s: float = 0.0
    would_over_limit_s: float = 0.0
    highest_a: float = 0.0
    would_highest_a: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What came of a time without control, beside what would have come of it with."""

    since: datetime
    energy_wh: float = 0.0
    """What the cars took."""
    would_energy_wh: float = 0.0
    circuits: Mapping[str, Compared] = field(default_factory=dict)
    """By id of each circuit with a meter, while it is believed."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {**asdict(self), "since": self.since.isoformat()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return what `document` gave."""
        circuits = {circuit_id: Compared(**known_fields(Compared, each)) for circuit_id, each in document["circuits"].items()}
        return cls(**known_fields(cls, document) | {"since": datetime.fromisoformat(document["since"]), "circuits": circuits})
