"""What outlives a restart: people's settings, and what is installed on the stations. As JSON-able data and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ..engine.share import Policy
from .comparison import Comparison
from .config import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseMemory:
    """Of one EVSE. `fallback_a` is what its station confirmed last, None where it never did."""

    fallback_a: float | None
    allowed: bool
    user_max_a: float
    first_lease_a: float = 0.0
    """What a start from afar took along whose transaction had not begun."""
    first_lease_until: float = 0.0
    """…and until when it holds (POSIX time)."""
    lease_a: float = 0.0
    """The most that a lease of its transaction lets it draw, one that was not answered included…"""
    lease_until: float | None = 0.0
    """…and until when (POSIX time); None: until something takes its place."""
    one_phase: bool = False
    """Its station was told one phase."""
    fallback_one_phase: bool = False
    """Its fallback is for one phase, or may be."""
    phase_switch_failed: bool = False
    """It refused that, or took it and charged on more."""
    never_pause: bool = False
    did_not_wake: bool = False
    wish: Mapping[str, Any] | None = None
    """What a driver said, as `Wish.document` gives it."""
    word: Mapping[str, Any] | None = None
    """What the car of the session said it needs, as `CarsWord.document` gives it."""
    profile: Mapping[str, Any] | None = None
    """What a person lets it have over time, as `LimitsOverTime.document` gives it."""
    writes: Mapping[str, float] | None = None
    """What is left for its station's flash, as `WriteBudget.document` gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteMemory:
    """Of the site. `mode` None: nobody chose one."""

    mode: Mode | None = None
    policy: Policy = Policy.MOST_CARS_READY
    evses: Mapping[str, EvseMemory] = field(default_factory=dict)
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

    def document(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        return {
            "mode": None if self.mode is None else str(self.mode),
            "policy": str(self.policy),
            "evses": {key: asdict(evse) for key, evse in self.evses.items()},
            "standing": list(self.standing),
            "authorization": dict(self.authorization),
            "visits": dict(self.visits),
            "last_resort": dict(self.last_resort),
            "shadow": None if self.shadow is None else self.shadow.document(),
            "peak": dict(self.peak),
            "phase_maps": dict(self.phase_maps),
            "outside": list(self.outside),
            "writes_today": dict(self.writes_today),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SiteMemory:
        """Return what `document` gave."""
        mode, policy = document.get("mode"), document.get("policy")
        return cls(
            mode=Mode(mode) if mode in set(Mode) else None,
            policy=Policy(policy) if policy in set(Policy) else Policy.MOST_CARS_READY,
            evses={
                key: EvseMemory(
                    fallback_a=evse.get("fallback_a"),
                    allowed=evse.get("allowed", True),
                    user_max_a=evse["user_max_a"],
                    first_lease_a=evse.get("first_lease_a", 0.0),
                    first_lease_until=evse.get("first_lease_until", 0.0),
                    lease_a=evse.get("lease_a", 0.0),
                    lease_until=evse.get("lease_until", 0.0),
                    one_phase=evse.get("one_phase", False),
                    fallback_one_phase=evse.get("fallback_one_phase", False),
                    phase_switch_failed=evse.get("phase_switch_failed", False),
                    never_pause=evse.get("never_pause", False),
                    did_not_wake=evse.get("did_not_wake", False),
                    wish=evse.get("wish"),
                    word=evse.get("word"),
                    profile=evse.get("profile"),
                    writes=evse.get("writes"),
                )
                for key, evse in document.get("evses", {}).items()
                if "user_max_a" in evse
            },
            standing=document.get("standing", ()),
            authorization=document.get("authorization", {}),
            visits=document.get("visits", {}),
            last_resort=document.get("last_resort", {}),
            shadow=None if document.get("shadow") is None else Comparison.from_document(document["shadow"]),
            peak=document.get("peak", {}),
            phase_maps=document.get("phase_maps", {}),
            outside=document.get("outside", ()),
            writes_today=document.get("writes_today", {}),
        )
