"""What the loop knows of one circuit: its newest reading, and what it reckons is drawn there besides the cars."""

from dataclasses import dataclass, field
import logging

from ..engine.model import NONE_A, Circuit, PerPhase
from ..engine.unmanaged import Unmanaged, add
from ..metering.fault import Trouble
from ..metering.reading import Reading
from .config import SiteConfig
from .credibility import Credibility
from .snapshot import MeterHealth
from .strain import Strain

_LOGGER = logging.getLogger(__name__)

EARLY_S = 1e-3
"""The loop turns just when an age is reached: a clock's last digits must not put off by a whole turn what follows from it."""


@dataclass(slots=True, kw_only=True)
class CircuitState:
    """One circuit of the site."""

    circuit: Circuit
    since: float
    """When the loop began to look after it: until its meter would count as lost, its silence is only a start."""
    reading: Reading | None = None
    arrived_at: float | None = None
    """When the reading came in; None once a turn has used it."""
    meter_error: Trouble | None = None
    unmanaged: Unmanaged | None = None
    reckon_anew: bool = False
    """What was reckoned of the building rests on a map of phases that does not hold any more."""
    health: MeterHealth = MeterHealth.NONE
    silent: bool = False
    """Whether it was lost and has not been read since."""
    strain: Strain = field(default_factory=Strain)
    credibility: Credibility = field(default_factory=Credibility)
    given_a: PerPhase = NONE_A
    """The most that PV systems and batteries give there now, as far as they are known."""
    reckoned_more_a: PerPhase = NONE_A
    """By how much its load is reckoned otherwise than it is measured, for what its user says of PV systems and batteries (`resources.py`)."""

    def configure(self, circuit: Circuit, now: float) -> None:
        """Take over a changed circuit; where a meter came or went, what was known by the one before goes too."""
        if circuit.metered != self.circuit.metered:
            self.forget_meter(now)
        self.circuit = circuit

    def forget_meter(self, now: float) -> None:
        """Forget all that its meter said."""
        self.since, self.reading, self.arrived_at, self.meter_error, self.unmanaged = now, None, None, None, None
        self.credibility = Credibility()

    def age_s(self, now: float) -> float | None:
        """Return how old the reading is."""
        return None if self.reading is None else max(0.0, now - self.reading.taken_at)

    def judge(self, config: SiteConfig, now: float) -> None:
        """Update how far the meter is to be believed; a lost one takes what was reckoned from it along."""
        age_s = self.age_s(now)
        if not self.circuit.metered:
            self.health = MeterHealth.NONE
        elif self.credibility.trouble is not None or (now - self.since if age_s is None else age_s) > config.meter_lost_after_s - EARLY_S:
            self.health = MeterHealth.LOST
            self.unmanaged = None
        elif age_s is None or age_s > config.meter_stale_after_s - EARLY_S:
            self.health = MeterHealth.STALE
        else:
            self.health = MeterHealth.OK
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

    def unmanaged_a(self) -> PerPhase:
        """Return the load besides the cars that is reckoned with: the worst case where nothing else is known."""
        return self.circuit.unmanaged_worst_a if self.unmanaged is None else add(self.unmanaged.load_a, self.reckoned_more_a)
