"""What is known of one EVSE: what was said, what was measured, what is installed, what is wanted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
import math

from ..csms.dialect import Dialect, Handle
from ..csms.values import UNKNOWN, ChargingState, ConnectorStatus, TerminalValues
from ..engine.deadman import RESPONSE_S
from ..engine.demand import Demand
from ..engine.model import Past
from ..engine.phase_map import Learnt
from ..engine.phase_switch import PhaseSwitch
from ..engine.priority import Priority
from ..engine.waking import Waking
from ..engine.write_budget import WriteBudget
from .config import EvseConfig, EvseKey
from .limits import FirstLease, Lease, LeaseOrder, LimitsOverTime, lowest
from .needs import CarsWord, Needed
from .session import Session, energy_of
from .wish import Wish

IDLE_A = 1.0
"""A car that draws less does not charge."""
UNSEEN_S = 30.0
"""A car that nobody measures counts as having followed a cut after this."""


class Problem(StrEnum):
    """Why an EVSE is not led as the others are: what it draws or holds is reserved, and nothing else is reckoned with."""

    REJECTS = "rejects_profiles"
    UNANSWERED = "unanswered"
    DISOBEDIENT = "disobedient"


@dataclass(slots=True, kw_only=True)
class EvseFacts:
    """One EVSE of an approved station, as it is known."""

    key: EvseKey
    config: EvseConfig
    circuit_id: str
    ready: bool = False
    """Its station is accepted and takes commands."""
    new: bool = False
    """It was added while its station was away, which has not come since: nobody knows whether there is such an EVSE at all."""
    gone_at: float = -math.inf
    """When its station went away last."""
    idle_at: float = -math.inf
    """When its station last went away while no transaction ran here."""
    connectors: dict[int, ConnectorStatus] = field(default_factory=dict)
    connectors_heard: set[int] = field(default_factory=set)
    """Those that have told their state since the station was ready."""
    heard: bool = False
    """Since its station was ready it has told of its transaction, or that it has none."""
    transaction_unknown: bool = False
    """It has told of a car that is plugged in and not whether a transaction runs: it is to be asked."""
    heard_at: float = math.inf
    """It was asked: what it has not told by then there is not."""
    charging_state: ChargingState | None = None
    session: Session | None = None
    last_session: Session | None = None
    """The one before: what is still told of it does not start it anew."""
    past: Past = Past()
    """What its session has had so far."""

    current_a: TerminalValues = UNKNOWN
    voltage_v: TerminalValues = UNKNOWN
    power_w: float | None = None
    energy_wh: float | None = None
    soc_pct: float | None = None
    measured_at: float = -math.inf
    drawing_since: float | None = None
    demand: Demand = Demand()
    phase_switch: PhaseSwitch = PhaseSwitch()
    learnt: Learnt = ()
    """What steps of its draw proved of the conductors behind its terminals (`phase_maps.py`); () where nothing can be."""
    doubted: bool = False
    """Steps speak against what somebody said of its wiring, and do not prove it wrong yet."""
    learnt_steps: int = 0
    """…and how many steps that rests on."""

    fallback_a: float | None = None
    """Confirmed; None while nobody knows: then the rating is reckoned with."""
    fallback_current: bool = False
    """The fallback was confirmed since the station last booted."""
    fallback_one_phase: bool | None = False
    """It is for the first terminal alone, as confirmed; None: it was told otherwise, and that was not answered."""
    lease: Lease | None = None
    unanswered_lease_a: float = 0.0
    """A lease that may hold beside the confirmed one: sent and not answered, or left over a reboot."""
    unanswered_until: float = -math.inf
    """…and the time at which the last of such leases lapses."""
    first_lease: FirstLease | None = None
    """One that went along with a start from afar, until its transaction begins."""
    coming: int = 0
    """So many transactions are about to be asked for: the others make way for its fallback."""
    inherited_a: float = 0.0
    """A lease of an earlier life of ours that may still hold; it was made to obey the dead-man rule then, and lapses by itself."""
    in_flight_a: float | None = None
    """The limit of a lease that is being sent right now."""
    unanswered_fallback_a: float = 0.0
    """A fallback that was sent and not answered."""
    budget: WriteBudget = WriteBudget()
    """How many leases its station may still be told before they have to become fewer."""
    previous_a: float = 0.0
    """The limit before the last change."""
    left: tuple[tuple[float, float], ...] = ()
    """The limits that its car may still be on its way down from, each with when it was left."""
    cut_since: float = math.inf
    """Since when it may draw more than it is told (`lateness.py`)."""
    changed_at: float = -math.inf
    """When the limit in force last changed."""
    roomy_since: float = -math.inf
    """Since when its share has been above its limit without a break; infinite while it is not, for ever before that is seen."""
    swinging: bool = False
    """Its lease is one of the few that are short (`steadiness.py`)."""
    held_steady: bool = False
    """It has too few writes left to take more than long leases allow."""
    overdraw_since: float | None = None
    slept_at: float = -math.inf
    """When its car was offered current last and took none, as it does once it is full."""
    excess_a: float = 0.0
    """So much above its limit its car was seen to draw last, once it had followed; no more than is borne with (`holdings.py`)."""
    exceeding: bool = False
    """By the last reading its car draws more than its limits explain: the others are led beside what it draws."""
    followed: bool = True
    """Since the last cut its car was seen at or below its limit."""
    peak_a: float = 0.0
    """The most its car was seen to draw in this transaction."""
    problem: Problem | None = None

    # What its station's obedience comes to (`obedience.py`).
    uncontrolled: bool = False
    """Nothing makes it obey: it is reckoned with what it would draw without us, its fallback included."""
    dialect: Dialect = Dialect()
    """How its station is told its limits."""
    unproven: bool = False
    """Nobody has seen yet that its leases end: they are reckoned with as if they never did."""
    proving: bool = False
    """…and it is being found out: its station is to be asked, or a lease is to lapse."""
    just_proven: bool = False
    """That they end was seen just now: what held its lease down is gone, and it need not wait for its next raise."""
    lapses: bool = False
    """Its lease is not to be renewed: whether it ends is to be seen."""
    answers_s: float = 0.0
    """How long its station may take to confirm a limit, as far as it was seen to."""
    follows_s: float = 0.0
    """So long its car may take to follow a limit, as learnt."""
    followed_s: float | None = None
    """How long its car took to follow the last cut, until that is learnt."""
    clock_set_back_s: float = 0.0
    """By so much its station's clock was set back since the start, all times together."""
    resend: bool = False
    """Its limit is to be told again, changed or not."""
    resumed_at: float | None = None
    """When it last went on after a suspension."""
    former: Lease | None = None
    """A lease told by a handle that is no longer in use: it may hold beside the present one until it is withdrawn or lapses."""
    recalled: Lease | None = None
    """A lease of before a restart, as it was kept: it may hold until its station has told what it holds. It is reserved where no meter shows what flows.
    Or what one that has ended leads to yet by its second period."""
    withdraw: list[tuple[Handle, bool]] = field(default_factory=list)
    """What a former dialect left and is to be taken away: the lease told by a handle, or (True) the fallback."""

    # What a survey of its station showed.
    told: bool = False
    """Since its station was asked what it holds it was told something, or took up what it was told before: the answer may not show that."""
    found_lease: Lease | None = None
    """A lease of ours whose transaction was not told yet."""
    foreign: bool = False
    """Somebody else's profile may lead over its fallback…"""
    foreign_a: float = math.inf
    """…and let so much flow: infinite where it is another system's, what it says where a person set it through us."""
    keeps_foreign: bool = False
    """…and its station does not let it be cleared."""
    overruled: bool = False
    """…which is a TxProfile: no lease of ours leads."""

    wish: Wish | None = None
    """What a driver said of the session that runs, or of the next one."""
    word: CarsWord | None = None
    """What its car said before a restart, of a transaction that was not told since."""
    needed: Needed = Needed()
    """What its session needs, as of the last turn."""

    never_pause: bool = False
    """A person says that cars here must not be paused once they charge."""
    priority: Priority = Priority.NORMAL
    """Where a person puts cars here among the others…"""
    drivers_priority: Priority | None = None
    """…but this one, by the token its session charges on."""
    waking: Waking = Waking()
    """What is known of its car's sleep after a pause."""
    waking_most_a: float = math.inf
    """The most that it may be offered while it is being woken."""
    did_not_wake: bool = False
    """The last car that had to be woken here slept on."""

    allowed: bool = True
    paused_at: float = -math.inf
    """When a person last had it charge no more."""
    user_max_a: float = math.inf
    profile: LimitsOverTime | None = None
    standing: LimitsOverTime | None = None
    """What the limits of persons that stand on it come to (`standing.py`), until the next change."""
    standing_least_a: float = 0.0
    """Below this they have it charge not at all."""
    standing_stored: bool = False
    """Its station holds copies of all that stand on the EVSE itself."""
    stored_limit: bool = False
    """Its station holds such a limit, be it of the whole station."""
    external: dict[str, LimitsOverTime] = field(default_factory=dict)
    """Limits somebody else set on this EVSE, by source (NotifyChargingLimit)."""
    station_external: Mapping[str, LimitsOverTime] = field(default_factory=dict)
    """Those on its whole station, all EVSEs together."""

    wanted_fallback_a: float | None = None
    awaited_fallback_a: float = 0.0
    """A higher one that waits until the leases that run bear it."""
    wanted_one_phase: bool = False
    """The fallback is to be for the first terminal alone."""
    wanted_lease: LeaseOrder | None = None
    wanted_clear: bool = False
    sample_at: float = math.inf
    """When the loop wants to be told what the car draws."""
    asked_at: float = -math.inf
    """When it was asked that last because the meter saw something new."""
    status_unknown: bool = False
    """Its connector's state may have changed while nobody listened: it is to be asked."""
    finished: bool = False
    """The transaction has ended and the car is still plugged in."""
    finished_energy_wh: float | None = None
    """What that transaction took."""

    @property
    def may_swing(self) -> bool:
        """Whether it has the writes for short leases, or to go on with them."""
        return self.budget.swings(swinging=self.swinging)

    @property
    def connector_status(self) -> ConnectorStatus | None:
        """The state of its connectors taken together; None while none is known."""
        for status in (ConnectorStatus.OCCUPIED, ConnectorStatus.AVAILABLE, ConnectorStatus.RESERVED):
            if status in self.connectors.values():
                return status
        return next(iter(self.connectors.values()), None)

    @property
    def priority_now(self) -> Priority:
        """Where its session stands among the others."""
        return self.priority if self.drivers_priority is None else self.drivers_priority

    @property
    def draws_unevenly(self) -> bool:
        """Its car does not load all three terminals."""
        return any(current is None or current < IDLE_A for current in self.current_a)

    @property
    def response_s(self) -> float:
        """So long after a change its car may still draw by the limit before."""
        return RESPONSE_S if self.follows_s <= RESPONSE_S else min(self.follows_s, UNSEEN_S)

    @property
    def rated_a(self) -> float:
        """The EVSE's rating."""
        return self.config.max_a

    @property
    def draw_a(self) -> float:
        """The highest current on any terminal, as measured last."""
        l1, l2, l3 = self.current_a
        if l1 is not None and l2 is not None and l3 is not None:
            return max(l1, l2, l3)
        return max((current for current in self.current_a if current is not None), default=0.0)

    def drawn_w(self, voltage_v: float) -> float | None:
        """Return what its car draws: as its station tells, else what its currents carry at its voltages, or this one. None: nothing is known."""
        if self.power_w is not None:
            return self.power_w
        if self.config.between_legs and self.current_a != UNKNOWN:
            return 2 * voltage_v * self.draw_a  # the current of both legs is one
        told = [(current, volts or voltage_v) for current, volts in zip(self.current_a, self.voltage_v, strict=True) if current is not None]
        return sum(current * volts for current, volts in told) if told else None

    @property
    def session_energy_wh(self) -> float | None:
        """What the running transaction has taken so far, None where that is not known."""
        return None if self.session is None else energy_of(self.session, self.energy_wh)

    def external_a(self, now: float) -> tuple[float, str | None]:
        """Return the lowest limit that somebody else set on it, and whose it is."""
        return lowest(self.external, now) if self.external else (math.inf, None)

    def standing_a(self, now: float) -> float:
        """Return the lowest limit of persons' that stands on it."""
        return math.inf if self.standing is None else self.standing.limit_a(now)

    def station_external_a(self, now: float) -> tuple[float, str | None]:
        """Return the lowest limit that somebody else set on its whole station, and whose it is."""
        return lowest(self.station_external, now) if self.station_external else (math.inf, None)
