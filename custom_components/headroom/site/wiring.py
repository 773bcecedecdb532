"""What is known of how an EVSE is wired to the grid, as it is shown: what was said, what was learnt, what is reckoned with."""

from dataclasses import dataclass
from enum import StrEnum

from ..engine.model import ALL_PHASES, Phase
from ..engine.phase_map import Learnt
from .evse_conductors import EvseConductors


class Wiring(StrEnum):
    """How well it is known which conductors are behind an EVSE's terminals."""

    CONFIGURED = "configured"
    """As somebody said; no step has shown it."""
    CONFIRMED = "confirmed"
    """As somebody said, and steps of its cars' draw have shown some of it."""
    CONTRADICTED = "contradicted"
    """Steps have shown that it is otherwise than somebody said: each car counts on all conductors."""
    LEARNT = "learnt"
    """Nobody said; all of it was learnt."""
    PARTLY_LEARNT = "partly_learnt"
    """Nobody said; some of it was learnt."""
    UNKNOWN = "unknown"
    """Nobody said, and nothing was learnt: each car counts on all conductors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseMap:
    """The conductors behind an EVSE's terminals, in the terminals' order.

    `said` is None where nobody said; `learnt` is empty where nothing was, and rests on `steps`; None in `learnt` and `reckoned`: it may be any.
    """

    said: tuple[Phase, ...] | None = ALL_PHASES
    learnt: Learnt = ()
    reckoned: Learnt = ALL_PHASES
    steps: int = 0
    contradicted: bool = False

    @property
    def state(self) -> Wiring:
        """How well it is known."""
        if self.contradicted:
            return Wiring.CONTRADICTED
        if self.said is not None:
            return Wiring.CONFIRMED if self.learnt else Wiring.CONFIGURED
        if not self.learnt:
            return Wiring.UNKNOWN
        return Wiring.PARTLY_LEARNT if None in self.learnt else Wiring.LEARNT


def phase_map_of(evse: EvseConductors) -> PhaseMap | None:
    """Return what is known of an EVSE; None where there is nothing to be known, for only one way to wire it."""
    if not evse.learns_wiring:
        return None
    return PhaseMap(
        said=evse.config.grid_phases if evse.config.rotation_known else None,
        learnt=evse.learnt,
        reckoned=evse.wired,
        steps=evse.learnt_steps,
        contradicted=evse.contradicted,
    )
