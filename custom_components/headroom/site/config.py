"""What the user said the site is. Values only; a change is a new value handed to `Site.configure`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple

from ..engine.model import ALL_PHASES, LEAST_CURRENT_A, Circuit, Phase
from ..engine.peak_demand import PeakLimits
from ..engine.priority import Priority, Rule
from .resource import Resource


class EvseKey(NamedTuple):
    """Names one EVSE of the site."""

    station: str
    evse_id: int

    def __str__(self) -> str:
        """Return the form used in requests, unique ids and logs."""
        return f"{self.station}/{self.evse_id}"


class Mode(StrEnum):
    """What the loop does with the site."""

    DYNAMIC = "dynamic"
    """Follow the meter: leases on every transaction."""
    STATIC = "static"
    """Share a fixed capacity, installed on the stations once."""
    SHADOW = "shadow"
    """Follow the meter on paper: reckon, show and compare, and send no limit. What is installed stays."""
    OFF = "off"
    """Send nothing. What is installed stays."""

    @property
    def silent(self) -> bool:
        """Whether no limit is sent."""
        return self in (Mode.SHADOW, Mode.OFF)

    @property
    def follows(self) -> bool:
        """Whether there has to be a meter to follow."""
        return self in (Mode.DYNAMIC, Mode.SHADOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseConfig:
    """One EVSE. `grid_phases` are the grid conductors behind its terminals L1, L2, L3 in that order (one for a 1-phase EVSE).

    `rotation_known` False: nobody said which conductor is behind which terminal; until it is learnt, each car counts on all `conductors` of the site.
    `between_legs`: cars hang between the two conductors, which carry the same, whatever terminals the station speaks of (240 V in North America).
    """

    evse_id: int
    grid_phases: tuple[Phase, ...] = ALL_PHASES
    rotation_known: bool = True
    max_a: float = 32.0
    min_a: float = LEAST_CURRENT_A
    conductors: tuple[Phase, ...] = ALL_PHASES
    between_legs: bool = False
    switches_phases: bool = False
    """It may be switched from three phases to one and back, where its station can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationConfig:
    """An approved station, the circuit it hangs on and its EVSEs."""

    identity: str
    name: str
    circuit_id: str
    evses: tuple[EvseConfig, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownToken:
    """A card, fob or other token as the site knows it. Its value is a secret."""

    value: str = field(repr=False)
    type: str | None = None
    """OCPP's IdTokenEnumType; None: whatever a reader calls it."""
    name: str = ""
    """Whose it is."""
    group: str | None = None
    """Tokens of one group may end each other's transactions (C09)."""
    valid_until: datetime | None = None
    stations: frozenset[str] = frozenset()
    """Where it is good for, by identity; with `evses` empty too: everywhere."""
    evses: frozenset[EvseKey] = frozenset()
    """Single EVSEs it is good for beside those stations."""
    blocked: bool = False
    master: bool = False
    """It ends anybody's transaction and starts none (C16)."""
    concurrent: bool = False
    """Whether it may charge several cars at once."""
    keeps_phases: bool = False
    """Its car is never to be switched between three phases and one."""
    priority: Priority | None = None
    """Where its car stands among the others, wherever it charges; None: where the EVSE's does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationPolicy:
    """Who may charge: by default nobody but whom `tokens` names."""

    free: bool = False
    """Every token may, but for the blocked ones."""
    tokens: tuple[KnownToken, ...] = ()
    no_authorization: bool | None = None
    """Whether a car may charge without any token (C02.FR.02); None: where charging is free."""
    unknown_offline: bool = False
    """Whether a station may let tokens start that it doesn't know while it can't ask (C15)."""

    @property
    def without_token(self) -> bool:
        """Whether a car may charge without any token."""
        return self.free if self.no_authorization is None else self.no_authorization


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteConfig:
    """The whole site. `circuits` form one tree; the root is the circuit without a parent (the main fuse)."""

    circuits: tuple[Circuit, ...]
    stations: Mapping[str, StationConfig] = field(default_factory=dict)
    voltage_v: float = 230.0
    zone: tzinfo = UTC
    """By whose clocks people come and go there, and its times of day are told."""
    meter_stale_after_s: float = 10.0
    """Older readings allow no increase."""
    meter_lost_after_s: float = 30.0
    """Older readings are not believed: the circuit's `unmanaged_worst_a` holds."""
    authorization: AuthorizationPolicy = AuthorizationPolicy()
    resources: tuple[Resource, ...] = ()
    """PV systems and home batteries. `circuits` reckon with them in their worst cases already (`worst_with`)."""
    rules: tuple[Rule, ...] = ()
    """Who comes first and who gets more, the weightiest rule first."""
    spares_flash: bool = True
    """Whether what is written to stations in a day is kept to what cheap flash bears (`engine/write_budget.py`)."""
    peak: PeakLimits = PeakLimits()
    """What no quarter-hour's average import is to exceed."""

    @property
    def root(self) -> Circuit:
        """The main fuse."""
        return next(circuit for circuit in self.circuits if circuit.parent_id is None)


GONE_CIRCUIT_ID = "gone"


def gone_circuit(root: Circuit) -> Circuit:
    """Return where everything hangs whose circuit was deleted, until a person says where it does hang.

    The fuse that feeds it is as it was, and nobody knows it any more: nothing may be drawn there. Where a name is told, it is the root's,
    which bears what flows there, too.
    """
    return Circuit(
        circuit_id=GONE_CIRCUIT_ID,
        name=root.name,
        parent_id=root.circuit_id,
        phases=root.phases,
        fuse_a=root.fuse_a,
        margin_a=root.fuse_a,
        wiring=root.wiring,
    )
