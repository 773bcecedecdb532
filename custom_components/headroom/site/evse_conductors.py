"""Which of the grid's conductors an EVSE is wired to and its car loads, by what was said, learnt and measured."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from ..csms.values import UNKNOWN
from ..engine.model import ALL_PHASES, NONE_A, PerPhase, Phase
from ..engine.phase_map import Learnt, contradicted
from .evse_facts import IDLE_A, EvseFacts


@dataclass(slots=True, kw_only=True)
class EvseConductors(EvseFacts):
    """An EVSE with the conductors behind its terminals."""

    @property
    def learns_wiring(self) -> bool:
        """There is something to be found out of how it is wired."""
        return len(self.config.conductors) > 1 and not self.config.between_legs

    @property
    def contradicted(self) -> bool:
        """Its cars were proven to load other conductors than somebody said."""
        return bool(self.learnt) and self.config.rotation_known and contradicted(self.config.grid_phases, self.learnt)

    @property
    def wired(self) -> Learnt:
        """The conductors behind its terminals, as they are reckoned with: as said, as learnt where nobody said; None: it may be any."""
        said = self.config.grid_phases
        if self.config.rotation_known and not self.doubted and not (self.learnt and self.contradicted):
            return said
        if self.config.rotation_known or len(self.learnt) != len(said):
            return (None,) * len(said)
        return self.learnt

    @property
    def rated_phases(self) -> tuple[Phase, ...]:
        """The grid's conductors it is wired to, whatever car comes; all where nobody knows."""
        if self.config.rotation_known and not self.learnt and not self.doubted:
            return self.config.grid_phases  # as it nearly always is
        return self._conductors(range(len(self.config.grid_phases)))

    def _conductors(self, terminals: Iterable[int]) -> tuple[Phase, ...]:
        """Return the conductors that may be behind some of its terminals."""
        return _behind(self.wired, self.config.conductors, tuple(terminals))

    @property
    def somewhere(self) -> bool:
        """Its car loads some of the conductors only, and nobody knows which."""
        wired = self.wired
        if None not in wired or not self.draws_unevenly or self.config.between_legs:
            return False
        return any(current is None or current >= IDLE_A for current, phase in zip(self.current_a, wired, strict=False) if phase is None)

    @property
    def terminals_told(self) -> bool:
        """Whether its meter tells what its car draws on each of its terminals, or on one where that is the current of all."""
        if self.config.between_legs:
            return self.current_a != UNKNOWN
        return None not in self.current_a[: len(self.config.grid_phases)]

    def grid_phases(self) -> tuple[Phase, ...]:
        """Return the grid's conductors its car loads, as measured; all of the EVSE's where that is not known."""
        if self.demand.terminals is None or self.config.between_legs:
            return self.rated_phases
        return _loaded(self.wired, self.config.conductors, self.demand.terminals) or self.rated_phases

    def per_phase(self, current_a: float) -> PerPhase:
        """Return a current of this car as the grid's conductors see it."""
        return NONE_A if current_a == 0.0 else _on(self.grid_phases(), current_a)

    def rated_per_phase(self, current_a: float) -> PerPhase:
        """Return a current on every conductor the EVSE is wired to, whatever car comes."""
        return NONE_A if current_a == 0.0 else _on(self.rated_phases, current_a)

    def measured_per_phase(self) -> PerPhase:
        """Return the measured currents on the grid's conductors."""
        if self.session is None:
            return NONE_A
        if self.config.between_legs:
            return self.per_phase(self.draw_a)
        wired = self.wired
        # Unknown is not zero: a terminal left out may carry as much as the others.
        told_a = [self.draw_a if current is None else current for current in self.current_a]
        result = [0.0, 0.0, 0.0]
        for phase, current_a in zip(wired, told_a, strict=False):
            for conductor in self._anywhere if phase is None else (phase,):
                result[conductor] = max(result[conductor], current_a)
        return (result[0], result[1], result[2])

    @property
    def _anywhere(self) -> tuple[Phase, ...]:
        """The conductors behind those of its terminals of which nobody knows."""
        return self._conductors(index for index, phase in enumerate(self.wired) if phase is None)


@lru_cache(maxsize=256)
def _behind(wired: Learnt, conductors: tuple[Phase, ...], terminals: tuple[int, ...]) -> tuple[Phase, ...]:
    """Return the conductors that may be behind some terminals of an EVSE wired so."""
    behind = [wired[terminal] for terminal in terminals]
    known = [phase for phase in behind if phase is not None]
    any_of = [] if None not in behind else [phase for phase in conductors if phase not in wired]
    return tuple(dict.fromkeys((*known, *any_of)))


@lru_cache(maxsize=256)
def _loaded(wired: Learnt, conductors: tuple[Phase, ...], terminals: frozenset[int]) -> tuple[Phase, ...]:
    """Return, in the grid's order, the conductors that a car may load which draws at these terminals."""
    used = tuple(terminal for terminal in sorted(terminals) if terminal < len(wired))
    return tuple(sorted(_behind(wired, conductors, used)))


def _on(phases: Collection[Phase], current_a: float) -> PerPhase:
    if phases == ALL_PHASES:
        return (current_a, current_a, current_a)
    return (
        current_a if Phase.L1 in phases else 0.0,
        current_a if Phase.L2 in phases else 0.0,
        current_a if Phase.L3 in phases else 0.0,
    )
