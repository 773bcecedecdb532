"""What outlives a restart of the site as a whole, as JSON-able data and back. Of its EVSEs: `evse_memory.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from ..engine.share import Policy
from .comparison import Comparison
from .config import Mode
from .evse_memory import EvseMemory
from .taking_up import known_fields, taking_up


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMemory:
    """Of the site. `mode` None: nobody chose one."""

    mode: Mode | None = None
    policy: Policy = Policy.MOST_CARS_READY
    evses: Mapping[str, EvseMemory] = field(default_factory=dict)
    stations: Sequence[Mapping[str, Any]] = ()
    """The stations that were reckoned with, as `Leaving.documents` gives them."""
    standing: Sequence[Mapping[str, Any]] = ()
    """As `StandingLimits.documents` gives them."""
    authorization: Mapping[str, Any] = field(default_factory=dict)
    """As `Authorization.document` gives it."""
    visits: Mapping[str, Any] = field(default_factory=dict)
    """As `Visits.document` gives it."""
    last_resort: Mapping[str, Any] = field(default_factory=dict)
    """As `LastResort.document` gives it."""
    shadow: Comparison | None = None
    """What came of shadow mode so far."""
    peak: Mapping[str, Any] = field(default_factory=dict)
    """As `Peak.document` gives it."""
    phase_maps: Mapping[str, Any] = field(default_factory=dict)
    """As `PhaseMaps.document` gives it."""
    outside: Sequence[Mapping[str, Any]] = ()
    """As `OutsideLimits.documents` gives them."""
    writes_today: Mapping[str, Any] = field(default_factory=dict)
    """The day in the site's zone, and what was written to each station."""
    worst: Mapping[str, Any] = field(default_factory=dict)
    """By circuit id, as `Worst.document` gives it."""
    fed_in_at: Mapping[str, float] = field(default_factory=dict)
    """By circuit id, when something was seen to feed in there last (POSIX time)."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "mode": None if self.mode is None else str(self.mode),
            "policy": str(self.policy),
            "evses": {key: asdict(evse) for key, evse in self.evses.items()},
            "stations": list(self.stations),
            "standing": list(self.standing),
            "authorization": dict(self.authorization),
            "visits": dict(self.visits),
            "last_resort": dict(self.last_resort),
            "shadow": None if self.shadow is None else self.shadow.document(),
            "peak": dict(self.peak),
            "phase_maps": dict(self.phase_maps),
            "outside": list(self.outside),
            "writes_today": dict(self.writes_today),
            "worst": dict(self.worst),
            "fed_in_at": dict(self.fed_in_at),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SiteMemory:
        """Return what `document` gave; what is not of its kind is left out."""
        shadow: Comparison | None = None
        with taking_up("shadow mode"):
            shadow = None if (compared := document.get("shadow")) is None else Comparison.from_document(compared)
        return cls(
            mode=_one_of(Mode, document.get("mode")),
            policy=_one_of(Policy, document.get("policy")) or Policy.MOST_CARS_READY,
            evses=_evses(_object(document, "evses")),
            stations=_rows(document, "stations"),
            standing=_rows(document, "standing"),
            authorization=_object(document, "authorization"),
            visits=_object(document, "visits"),
            last_resort=_object(document, "last_resort"),
            shadow=shadow,
            peak=_object(document, "peak"),
            phase_maps=_object(document, "phase_maps"),
            outside=_rows(document, "outside"),
            writes_today=_object(document, "writes_today"),
            worst=_object(document, "worst"),
            fed_in_at=_object(document, "fed_in_at"),
        )


def _one_of[KindT: StrEnum](kinds: type[KindT], kept: Any) -> KindT | None:
    return next((kind for kind in kinds if kind == kept), None)


def _object(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _rows(document: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = document.get(name)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list | tuple) else ()


def _evses(kept: Mapping[str, Any]) -> dict[str, EvseMemory]:
    defaults = {"fallback_a": None, "allowed": True}
    return {
        key: EvseMemory(**defaults | known_fields(EvseMemory, evse))
        for key, evse in kept.items()
        if isinstance(evse, dict) and isinstance(evse.get("user_max_a"), int | float)
    }
