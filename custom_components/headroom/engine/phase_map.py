"""Which grid conductors are behind an EVSE's terminals? Learnt from steps of its draw and what a meter above it saw meanwhile.

Each way to wire the terminals is a candidate. Of a step, a candidate leaves a rest: by how much each conductor rose and fell besides what the EVSE would
have put on it. A step speaks for the candidates with the smaller rest, all conductors' amps added (a Laplace likelihood over the building's rises and falls).

Rises and falls are not set off against each other. A loop that gives a car what the building let go of makes the building's falls and the car's
rises come together; the meter has seen the fall, though, before the loop could act on it. So a building speaks for a wrong candidate only
where it hides the car's own step in the very second, and makes one of its size on another conductor at about the same time. Several such steps are
asked for, and one says only so much. A load that switches together with the car speaks for nobody.

A car that loads all terminals alike says nothing, and needs nothing known. What a car leaves unused stays unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations, product

from .model import ALL_PHASES, Phase

LEAST_STEP_A = 3.0
"""Smaller steps drown in what a building does."""
MOVES_A = 1.0
"""A terminal that changed by less did not move."""
NOISE_A = 1.0
"""Two meters agree no better than this."""
STEP_SAYS_MOST = 8.0
"""No single step says more, in nats (a factor of 3,000): coincidences happen."""
SPEAKS = 2.0
"""A step that prefers one candidate by so much counts for it."""
PROOF = 16.0
"""By so much, in nats, a candidate has to lie behind to be ruled out (a factor of 10⁷)…"""
PROOF_STEPS = 3
"""…and by so many steps, those that speak for it taken off."""
DOUBT = 10.0
DOUBT_STEPS = 2
"""So far behind, what somebody said is not relied on any more, though it is not proven wrong yet: that costs current for a while, and no fuse."""
KEPT_STEPS = 12
"""So many steps are kept of those that moved the same terminals: an installation that was changed shows after as many."""
MOVERS_MOST = 2
"""With more others that moved at the same time, a step tells nothing."""

type Wired = tuple[Phase, ...]
"""The conductors behind the terminals L1, L2, L3, as far as there are."""
type Learnt = tuple[Phase | None, ...]
"""What is proven of them; None: it may be any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """By how much each terminal of an EVSE, or each conductor, rose and fell in a time, each altogether."""

    risen_a: tuple[float, ...]
    fallen_a: tuple[float, ...]

    @property
    def most_a(self) -> float:
        """The largest of it."""
        return max(*self.risen_a, *self.fallen_a)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How an EVSE's terminals moved, and how the meter above it saw the conductors move meanwhile.

    `others` are the moves of other EVSEs below the meter in the same time, whose wiring is taken as unknown.
    """

    own: Moved
    meter: Moved
    others: tuple[Moved, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """What a step says: for each candidate how far it is behind the best, in nats, and which terminals moved."""

    moved: tuple[bool, ...]
    behind: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The steps of one EVSE with so many terminals, on a grid with these conductors."""

    terminals: int
    conductors: Wired = ALL_PHASES
    steps: tuple[Weighed, ...] = ()

    @property
    def candidates(self) -> tuple[Wired, ...]:
        """Every way to wire the terminals."""
        return candidates(self.terminals, self.conductors)


@lru_cache
def candidates(terminals: int, conductors: Wired) -> tuple[Wired, ...]:
    """Return every way to wire so many terminals, each to a conductor of its own."""
    return tuple(permutations(conductors, terminals))


def weigh(evidence: Evidence, step: Step) -> Evidence:
    """Return the evidence with a step, unchanged where that tells nothing. Raises ValueError for a step of other terminals."""
    if len(step.own.risen_a) != evidence.terminals:
        raise ValueError(f"a step of {len(step.own.risen_a)} terminals, of an EVSE with {evidence.terminals}")
    if step.own.most_a < LEAST_STEP_A or len(step.others) > MOVERS_MOST:
        return evidence
    rests_a = [_rest_a(step, candidate, evidence.conductors) for candidate in evidence.candidates]
    behind = tuple(min(STEP_SAYS_MOST, (rest_a - min(rests_a)) / NOISE_A) for rest_a in rests_a)
    if max(behind) < SPEAKS:
        return evidence
    moved = tuple(max(each) >= MOVES_A for each in zip(step.own.risen_a, step.own.fallen_a, strict=True))
    alike = [each for each in evidence.steps if each.moved == moved]
    others = [each for each in evidence.steps if each.moved != moved]
    kept = (*others, *alike[-(KEPT_STEPS - 1) :], Weighed(moved=moved, behind=behind))
    return Evidence(terminals=evidence.terminals, conductors=evidence.conductors, steps=kept)


def _rest_a(step: Step, candidate: Wired, conductors: Wired) -> float:
    """Return what a candidate can't explain of a step, however the others that moved are wired: the least there may be."""
    wirings = (candidates(min(len(other.risen_a), len(conductors)), conductors) for other in step.others)
    moves = (step.own, *step.others)
    return min(_unexplained_a(step.meter, moves, (candidate, *others)) for others in product(*wirings))


def _unexplained_a(meter: Moved, moves: Sequence[Moved], wirings: Sequence[Wired]) -> float:
    risen_a, fallen_a = [*meter.risen_a], [*meter.fallen_a]
    for moved, wired in zip(moves, wirings, strict=True):
        for phase, up_a, down_a in zip(wired, moved.risen_a, moved.fallen_a, strict=False):
            risen_a[phase] -= up_a
            fallen_a[phase] -= down_a
    return sum(map(abs, (*risen_a, *fallen_a)))


def learnt(evidence: Evidence) -> Learnt:
    """Return the conductor behind each terminal as far as it is proven: where all candidates that are not ruled out agree."""
    if not evidence.steps:
        return (None,) * evidence.terminals
    behind = [sum(step.behind[index] for step in evidence.steps) for index in range(len(evidence.candidates))]
    best = behind.index(min(behind))
    left = [candidate for index, candidate in enumerate(evidence.candidates) if not _ruled_out(evidence, index, best)]
    return tuple(wired[0] if len({*wired}) == 1 else None for wired in zip(*left, strict=True))


def doubted(evidence: Evidence, said: Wired) -> bool:
    """Tell whether steps speak so much against what somebody said that it is not to be relied on."""
    if not evidence.steps or said not in evidence.candidates:
        return False
    index = evidence.candidates.index(said)
    return any(_ruled_out(evidence, index, best, DOUBT, DOUBT_STEPS) for best in range(len(evidence.candidates)))


def _ruled_out(evidence: Evidence, index: int, best: int, proof: float = PROOF, steps: int = PROOF_STEPS) -> bool:
    leads = [step.behind[index] - step.behind[best] for step in evidence.steps]
    speak = sum(lead >= SPEAKS for lead in leads) - sum(lead <= -SPEAKS for lead in leads)
    return sum(leads) >= proof and speak >= steps


def contradicted(said: Wired, shown: Learnt) -> bool:
    """Tell whether what was proven is other than what somebody said."""
    return any(there is not None and there is not where for where, there in zip(said, shown, strict=False))
