"""What the site shows to the world after each turn. Values only; Home Assistant's entities are rows over these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from ..csms.needs import EvNeeds
from ..csms.values import ChargingState, ConnectorStatus, Inventory, StationInfo, TerminalValues
from ..engine.deadman import Violation
from ..engine.model import ALL_PHASES, NONE_A, Circuit, PerPhase, Phase, Reason
from ..engine.peak_demand import PeakLimits
from ..engine.priority import Priority
from ..engine.share import Policy
from ..metering.agreement import Disagreement
from ..metering.fault import Trouble
from .comparison import Compared, Comparison
from .config import EvseKey, Mode
from .measure import Measure
from .needs import Needed
from .wiring import PhaseMap
from .wish import Wish

UNMENDED_S = 120.0
"""The loop has mended by then what it can: by cuts, shorter leases and other fallbacks, each of them sent anew where it failed."""


class MeterHealth(StrEnum):
    """How far a circuit's meter is to be believed."""

    NONE = "none"
    """The circuit has no meter."""
    OK = "ok"
    STALE = "stale"
    """Too old to raise a limit on."""
    LOST = "lost"
    """Too old to believe: the worst case is assumed."""


class EvseStatus(StrEnum):
    """What a person would say the EVSE is doing."""

    AVAILABLE = "available"
    PREPARING = "preparing"
    """A car is plugged in; no transaction, or it does not ask for energy yet."""
    CHARGING = "charging"
    SUSPENDED_EV = "suspended_ev"
    SUSPENDED_EVSE = "suspended_evse"
    FINISHING = "finishing"
    """The transaction has ended; the car is still plugged in."""
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSnapshot:
    """One circuit. `current_a` is what the meter said last; without a meter, what the managed cars draw."""

    circuit: Circuit
    limit_a: PerPhase
    current_a: PerPhase = NONE_A
    power_w: float | None = None
    import_wh: float | None = None
    export_wh: float | None = None
    unmanaged_a: PerPhase = NONE_A
    """What the loop reckons everything but the managed cars draws."""
    worst_seen_a: PerPhase = NONE_A
    """What that was seen to be for long on a phase where it was more than the worst that a person said; 0 elsewhere."""
    worst_said_a: PerPhase = NONE_A
    """The worst that a person said."""
    headroom_a: PerPhase = NONE_A
    """Left for charging, cars included."""
    charging_a: PerPhase = NONE_A
    """What the managed cars draw, as measured."""
    meter: MeterHealth = MeterHealth.NONE
    meter_age_s: float | None = None
    meter_source: str | None = None
    meter_error: Trouble | None = None
    disagreement: Disagreement | None = None
    """Cars and circuits below were seen to draw more than it shows, for long."""
    compared: Compared | None = None
    """How it was without control, and how it would have been with it, in shadow mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSnapshot:
    """A PV system or home battery. `current_a` and `power_w` are positive for what it draws, as its meter said last."""

    resource_id: str
    name: str
    phases: tuple[Phase, ...] = ALL_PHASES
    current_a: PerPhase = NONE_A
    power_w: float | None = None
    meter: MeterHealth = MeterHealth.STALE
    meter_age_s: float | None = None
    meter_error: Trouble | None = None
    in_the_way: bool = False
    """It was counted upon to give way to cars and did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeying:
    """How a station is told its limits, what was tried and seen, and why: for whoever looks for the cause of a trouble."""

    dialect: str = ""
    """In words."""
    why: tuple[str, ...] = ()
    """What is known of its kind."""
    attempts: tuple[str, ...] = ()
    """What was tried and what came of it, the oldest first."""
    searching: bool = False
    """A way to be obeyed is being looked for."""
    exhausted: bool = False
    """Nothing that could be tried was obeyed."""
    lease_ends: bool | None = None
    """Whether it lets a lease end as told; None: nothing has shown it."""
    acknowledges_s: float | None = None
    follows_s: float | None = None
    """Nine of ten times it acknowledged, and its cars followed, within these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSnapshot:
    """One approved station."""

    identity: str
    online: bool
    ready: bool = False
    """Accepted and read: commands may be sent."""
    remote: str | None = None
    ocpp_version: str | None = None
    info: StationInfo = StationInfo()
    inventory: Inventory = Inventory()
    last_heard: datetime | None = None
    away_since: datetime | None = None
    """Since when it is not connected, None while it is."""
    ack_latency_s: float | None = None
    """How long the station took to acknowledge its last limit."""
    profile_writes_today: int = 0
    obeying: Obeying = Obeying()
    problem: str | None = None
    """Key of what is wrong with it ("rejects_profiles", "disobedient", "keeps_other_profile"), None where nothing is."""
    tokens_outdated: bool = False
    """It could not be told who may charge while it is alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadManHealth:
    """Whether no breaker trips if this program vanishes now.

    `holds` None: what an earlier life of ours left is not known yet, or what the breaker of a deleted circuit bears.
    """

    holds: bool | None = None
    violations: tuple[Violation, ...] = ()
    broken_s: float = 0.0
    """How long it has not held without a break."""

    @property
    def lasts(self) -> bool:
        """Whether the loop has not been able to mend it."""
        return bool(self.violations) and self.broken_s >= UNMENDED_S


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingStation:
    """A station that asked to be served and that nobody approved yet."""

    identity: str
    remote: str | None
    info: StationInfo
    inventory: Inventory
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseSnapshot:
    """One EVSE. requested, confirmed and measured are three different numbers."""

    key: EvseKey
    status: EvseStatus | None = None
    """None while nothing is known."""
    connector_status: ConnectorStatus | None = None
    charging_state: ChargingState | None = None
    vehicle_connected: bool | None = None
    charging: bool | None = None
    fault: bool | None = None
    transaction_id: str | None = None
    session_start: datetime | None = None
    session_energy_wh: float | None = None
    requested_a: float | None = None
    """What the loop wants."""
    limit_a: float | None = None
    """What the station confirmed and holds now."""
    fallback_a: float | None = None
    """What holds there once we are gone."""
    target_a: float | None = None
    """What the plan wants for its session now, None where it knows none."""
    reason: Reason | None = None
    reason_text: str = ""
    circumstances: Mapping[str, Any] = field(default_factory=dict)
    """What belongs to the reason, as `reason_document` gives it."""
    current_a: TerminalValues = (None, None, None)
    voltage_v: TerminalValues = (None, None, None)
    power_w: float | None = None
    energy_wh: float | None = None
    soc_pct: float | None = None
    needs: EvNeeds | None = None
    """What its car said it needs (ISO 15118), None where it says nothing."""
    driver: str | None = None
    """Who charges, as far as the site knows; never a token."""
    reserved_until: datetime | None = None
    """Until when it is kept free for somebody."""
    allowed: bool = True
    """The switch "allow charging"."""
    user_max_a: float = 32.0
    """The number "maximum current"."""
    wish: Wish | None = None
    """What a driver said of its session, or of the next one."""
    needed: Needed = Needed()
    """What its session needs, and who says so."""
    phase_map: PhaseMap | None = None
    """How it is wired to the grid, None where there is only one way."""
    never_pause: bool = False
    """The switch "never pause"."""
    priority: Priority = Priority.NORMAL
    """The selection "priority"."""
    phase_switch_failed: bool = False
    """Its station took a limit for one phase, and charged on more."""
    did_not_wake: bool = False
    """The last car that had to be woken after a pause slept on."""
    overdraws: bool = False
    """Its car draws more than it may, for longer than a car takes to follow."""
    measure: Measure | None = None
    """What was done to it as a last resort, to relieve a breaker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakSnapshot:
    """The running quarter-hour and the month, in watts of import."""

    limits: PeakLimits
    """What a person set."""
    goal_w: float | None
    """What no window is to exceed; None where nobody set it."""
    window_w: float
    """What was drawn in the running window so far, as an average over its whole 15 minutes."""
    left_w: float | None
    """What the site may draw from now on."""
    month_w: float
    """The highest window of this month so far."""
    ends_at: datetime
    assumed: bool
    """Part of the window was not measured and is assumed at worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A source of limits from outside that has not spoken for longer than it said it would. `failsafe_holds` False: nothing of it does."""

    source: str
    circuit_id: str
    failsafe_holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeavingStation:
    """A station that was removed, or an EVSE that its station goes on without, and is told nothing any more, or does not heed it.

    What it holds is reserved on its circuit.
    """

    identity: str
    name: str
    """The station's."""
    evse_id: int | None
    """None: it is the whole station."""
    circuit: str
    holds_a: float
    """The most that may flow there, all its EVSEs together: for good, or by a lease that runs yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSnapshot:
    """The whole site after a turn."""

    at: datetime
    mode: Mode
    root_id: str
    circuits: Mapping[str, CircuitSnapshot]
    policy: Policy = Policy.MOST_CARS_READY
    plan_age_s: float | None = None
    """How old the plan is that it is shared by, None where it is shared without one."""
    stations: Mapping[str, StationSnapshot] = field(default_factory=dict)
    pending: Mapping[str, PendingStation] = field(default_factory=dict)
    evses: Mapping[EvseKey, EvseSnapshot] = field(default_factory=dict)
    peak: PeakSnapshot | None = None
    """None where the site has no meter."""
    resources: Mapping[str, ResourceSnapshot] = field(default_factory=dict)
    """PV systems and home batteries."""
    leaving: Mapping[str, LeavingStation] = field(default_factory=dict)
    """Stations and EVSEs that are removed and may let something flow yet, by identity or the key's string."""
    silences: Sequence[Silence] = ()
    charging_power_w: float = 0.0
    dead_man: DeadManHealth = DeadManHealth()
    """Whether no breaker trips if this program vanishes now."""
    reaction_s: float | None = None
    """From the last reading that made a cut necessary to the last station's acknowledgement."""
    departure_error_s: float | None = None
    """By how much cars leave sooner or later than was said, in the median; None where too few have left to tell."""
    shadow: Comparison | None = None
    """What was, beside what would have been, in shadow mode."""
    failing: bool = False
    """The turns after this one failed: what is shown is of the last that did not."""
    trigger: str = ""
    """What started the turn, as a decision tells it."""
