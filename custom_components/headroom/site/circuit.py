"""What the loop knows of one circuit: its newest reading, and what it reckons is drawn there besides the cars."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
import logging
import math
from typing import Any

from ..engine.last_resort import Excess
from ..engine.model import NONE_A, Circuit, PerPhase
from ..engine.unmanaged import Unmanaged, add, highest, subtract
from ..metering.fault import Trouble
from ..metering.reading import Reading
from .config import EvseKey, SiteConfig
from .credibility import Credibility
from .renewal import Renewal
from .snapshot import MeterHealth
from .spread import Certain
from .strain import Strain
from .voltage import Voltage
from .worst import Worst

_LOGGER = logging.getLogger(__name__)

EARLY_S = 1e-3
"""The loop turns just when an age is reached: a clock's last digits must not put off by a whole turn what follows from it."""
EVERY_SLACK = 1.2
"""A meter that is read every so often may be late by a fifth of that."""
EVERY_EASES = 0.98
"""By so much less counts a long time between two readings with each that follows sooner."""


@dataclass(slots=True, kw_only=True)
class CircuitState:
    """One circuit of the site."""

    circuit: Circuit
    """As a person set it up, but with a worst case that is never below what was seen."""
    since: float
    """When the loop began to look after it: until its meter would count as lost, its silence is only a start."""
    reading: Reading | None = None
    arrived_at: float | None = None
    """When the reading came in; None once a turn has used it."""
    every_s: float = 0.0
    """How far apart its readings come."""
    bears_s: float = math.inf
    """So long its breaker carries the building's worst beside what the cars may draw: no older may a reading be that they are led by."""
    meter_error: Trouble | None = None
    unmanaged: Unmanaged | None = None
    certain: Certain | None = None
    """What is certain to flow, where its meter tells one power of several phases: its reading then has what may flow on each."""
    unseen_a: Mapping[EvseKey, float] = field(default_factory=dict)
    """What was reserved for cars that nobody could measure when the building was reckoned last: part of its load may hide in there."""
    reckon_anew: bool = False
    """What was reckoned of the building rests on a map of phases that does not hold any more."""
    health: MeterHealth = MeterHealth.NONE
    silent: bool = False
    """Whether it was lost and has not been read since."""
    strain: Strain = field(default_factory=Strain)
    credibility: Credibility = field(default_factory=Credibility)
    renewal: Renewal = field(default_factory=Renewal)
    voltage: Voltage = field(default_factory=Voltage)
    given_a: PerPhase = NONE_A
    """The most that PV systems and batteries give there now, as far as they are known."""
    resources_a: float | None = 0.0
    """What those draw (positive) or give in all by their own meters, over all conductors; None where one of them is not known."""
    reckoned_more_a: PerPhase = NONE_A
    """By how much its load is reckoned otherwise than it is measured, for what its user says of PV systems and batteries (`resources.py`)."""
    last_a: PerPhase = NONE_A
    """What was reckoned of the building when its meter went silent."""
    worst: Worst = field(init=False)

    def __post_init__(self) -> None:
        """Know of no more than what was said."""
        self.worst = Worst(said_a=self.circuit.unmanaged_worst_a)

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take up what was kept of its worst case over a restart, where the same is said of it as then."""
        if (worst := Worst.from_document(document)).said_a == self.worst.said_a:
            self.worst = worst

    def configure(self, circuit: Circuit, now: float) -> None:
        """Take over a changed circuit; where a meter came or went, or sits on other conductors, what was known before goes too."""
        if (circuit.metered, circuit.phases) != (self.circuit.metered, self.circuit.phases):
            self.forget_meter(now)
        if circuit.unmanaged_worst_a != self.worst.said_a:
            self.worst = Worst(said_a=circuit.unmanaged_worst_a)
        self.circuit = replace(circuit, unmanaged_worst_a=self.worst.worst_a)

    def learn_worst(self, unmeasured_a: PerPhase, now: float, posix_s: float) -> bool:
        """Take over what its building draws above the worst that was said; returns whether the worst case is another one now.

        What cars may draw beyond what is reserved for them while nobody measures them (`unmeasured_a`) is no building's, and currents
        without a direction beside a power that goes out are none that are drawn.
        """
        if self.health is not MeterHealth.OK or self.unmanaged is None or self.reading is None or (self.reading.power_w or 0.0) < 0:
            return False
        load_a = subtract(self._certain_a(self.unmanaged), unmeasured_a)
        changed = self.worst.take(load_a, self.reading.current_a, self.circuit.limit_a(), now, posix_s)
        if changed:
            self.circuit = replace(self.circuit, unmanaged_worst_a=self.worst.worst_a)
        return changed

    def take(self, reading: Reading, config: SiteConfig, now: float) -> None:
        """Take in a reading; one of no later time that shows the same load is an old one told again, with newer registers at most."""
        if self.reading is not None and reading.taken_at <= self.reading.taken_at and _same_load(reading, self.reading):
            self.reading = replace(reading, current_a=self.reading.current_a)
            self.meter_error = None
            return
        if self.reading is not None and (apart_s := reading.taken_at - self.reading.taken_at) <= config.meter_lost_after_s:
            self.every_s = max(apart_s, EVERY_EASES * self.every_s)
        self.renewal.take((reading.power_w or 0.0,) * 3 if reading.spread else reading.current_a, reading.taken_at)
        if reading.spread and self.reading is not None and self.reading.spread:
            reading = replace(reading, current_a=self.reading.current_a)  # until the next turn tells what flows where
        self.reading, self.meter_error, self.arrived_at = reading, None, now
        self.voltage.take(reading, config.voltage_v)

    def forget_meter(self, now: float) -> None:
        """Forget all that its meter said."""
        self.every_s = 0.0
        self.since, self.reading, self.arrived_at, self.meter_error, self.unmanaged = now, None, None, None, None
        self.certain, self.last_a = None, NONE_A
        self.forget_worst()
        self.credibility, self.renewal, self.voltage = Credibility(), Renewal(), Voltage()

    def forget_worst(self) -> None:
        """Forget what its building was seen to draw at most: some of it was something else."""
        self.worst = Worst(said_a=self.worst.said_a)
        self.circuit = replace(self.circuit, unmanaged_worst_a=self.worst.said_a)

    def age_s(self, now: float) -> float | None:
        """Return how old the reading is."""
        return None if self.reading is None else max(0.0, now - self.reading.taken_at)

    @property
    def may_be_blind_s(self) -> float:
        """How long its meter may be silent between two readings as it is, for which its breaker has to carry whatever comes."""
        return EVERY_SLACK * max(self.every_s, self.renewal.renewed_s)

    def lost_after_s(self, config: SiteConfig) -> float:
        """Return how old its reading may be before its meter counts as lost: as long as its breaker bears that, if that is shorter."""
        return min(config.meter_lost_after_s, max(config.meter_stale_after_s, self.bears_s))

    def bears(self, bears_s: float) -> None:
        """Take over how long its breaker bears what cars may draw now; of a lost one nothing new until it is read again."""
        if self.health is not MeterHealth.LOST:
            self.bears_s = bears_s

    def judge(self, config: SiteConfig, now: float) -> None:
        """Update how far the meter is to be believed; a lost one takes what was reckoned from it along."""
        age_s = self.age_s(now)
        if not self.circuit.metered:
            self.health = MeterHealth.NONE
        elif self.credibility.trouble is not None or (now - self.since if age_s is None else age_s) > self.lost_after_s(config) - EARLY_S:
            self.health = MeterHealth.LOST
            if self.unmanaged is not None and self.credibility.trouble is None:
                self.last_a = self._certain_a(self.unmanaged)
            self.unmanaged = None
        elif age_s is None or age_s > config.meter_stale_after_s - EARLY_S:
            self.health = MeterHealth.STALE
        else:
            self.health, self.last_a = MeterHealth.OK, NONE_A
        self._tell()

    def _tell(self) -> None:
        """Log once that the meter is lost, and once that it is back."""
        if self.health is MeterHealth.LOST and not self.silent:
            _LOGGER.info("The meter of %s is silent (%s): its worst case is reckoned with", self.circuit.name, self.trouble or "no reading")
        elif self.health is MeterHealth.OK and self.silent:
            _LOGGER.info("The meter of %s is read again", self.circuit.name)
        self.silent = self.health is MeterHealth.LOST or (self.silent and self.health is MeterHealth.STALE)

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong with its meter."""
        return self.credibility.trouble or self.meter_error

    @property
    def believed(self) -> Reading | None:
        """The newest reading, None where it is not to be believed."""
        return None if self.health in (MeterHealth.NONE, MeterHealth.LOST) else self.reading

    @property
    def may_feed_in(self) -> bool:
        """Whether something generates there, as far as that is known."""
        return self.credibility.feeds_in or max(self.given_a) > 0

    @property
    def least_a(self) -> PerPhase | None:
        """What flows at least, for nobody is to be stopped over what only may flow; None where that is what was read."""
        return None if self.certain is None else self.certain.least_a(self.circuit)

    def excess_a(self) -> Excess:
        """Return by how much it is certain to be above its limit."""
        if self.reading is None:
            return NONE_A
        if self.certain is not None:
            return self.certain.excess_a(self.circuit)
        return subtract(self.reading.current_a, self.circuit.limit_a())

    def unmanaged_a(self) -> PerPhase:
        """Return the load besides the cars that is reckoned with: the worst case where nothing is known of now, or what was there last."""
        if self.unmanaged is None:
            return highest(self.circuit.unmanaged_worst_a, self.last_a)
        return self.credibility.at_worst(add(self.unmanaged.load_a, self.reckoned_more_a), self.circuit.unmanaged_worst_a)

    def _certain_a(self, unmanaged: Unmanaged) -> PerPhase:
        """Return what flows besides the cars at least, as far as its phases are told: what may be on each of them is there once."""
        if self.reading is None or not self.reading.spread:
            return unmanaged.load_a
        l1, l2, l3 = (load_a / len(self.circuit.phases) for load_a in unmanaged.load_a)
        return (l1, l2, l3)

    def voltage_v(self, config: SiteConfig) -> float:
        """Return the voltage to neutral by which a limit in watts is made amps."""
        return config.voltage_v if self.voltage.held_v is None else self.voltage.held_v

    def unmanaged_total_a(self) -> float:
        """Return the same over all phases together: what may be on each of them is there once."""
        if self.unmanaged is None or self.reading is None or not self.reading.spread or self.credibility.short:
            return sum(self.unmanaged_a())
        return max(self.unmanaged.load_a) + sum(self.reckoned_more_a)


def _same_load(a: Reading, b: Reading) -> bool:
    """Tell whether two readings show the very same; of one power of several phases the currents are only reckoned."""
    return a.power_w == b.power_w if a.spread and b.spread else a.current_a == b.current_a
