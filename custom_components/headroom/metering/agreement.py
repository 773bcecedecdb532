"""Do the parts make up the whole? Pure.

What a circuit's meter shows is what the meters below it show, and what nobody measures. Where nothing generates unseen, that rest can
only draw: on no phase do the parts draw more than the whole. When they do for long, one of the meters is wrong.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ..engine.model import ALL_PHASES, PerPhase, Phase

LASTING_S = 60.0
"""Parts and whole are read at different moments; only what lasts is a contradiction."""
FRESH_S = 10.0
"""Older readings accuse nobody."""
TOLERANCE_A = 1.5
"""Classes of accuracy, rounding, and magnitudes of different power factors added up."""
TOLERANCE_SHARE = 0.1


class Suspicion(StrEnum):
    """What would explain it, if it were so."""

    ROTATED = "rotated"
    """The part's phases are the whole's in another order."""
    ELSEWHERE = "elsewhere"
    """The part does not hang on this circuit."""
    INVERTED = "inverted"
    """The part counts import as export, or export as import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What one meter shows: signed amps per phase, import positive, and when that was true on the caller's clock, in seconds."""

    key: str
    current_a: PerPhase
    taken_at: float
    feeds_in: bool = False
    """Something may generate there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """The phase (1, 2, 3) where it is worst, by how much beyond what is tolerated, and since when.

    `suspect` is the part that alone explains it, if it is as `suspicion` says; None where none does, or several do: then it may as
    well be the whole's meter.
    """

    phase: int
    whole_a: float
    parts_a: float
    excess_a: float
    since: float
    suspect: str | None = None
    suspicion: Suspicion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What is remembered from turn to turn: since when it has been as it is, and what was found, until that is over as long."""

    apart: bool = False
    """Whether the whole does not show now what the parts showed last: that need not last, nor be wrong."""
    apart_since: float | None = None
    together_since: float | None = None
    found: Disagreement | None = None


def compare(
    before: Agreement,
    whole: Shown,
    parts: Sequence[Shown],
    now: float,
    *,
    generation_a: PerPhase | None = (0.0, 0.0, 0.0),
    complete: bool = False,
    lasting_s: float = LASTING_S,
    over_s: float = LASTING_S,
    phases: Sequence[Phase] = ALL_PHASES,
) -> Agreement:
    """Return what is known of these phases after this turn; `found` is set while a disagreement has lasted and until agreement has (`over_s`).

    `parts` may leave out what nobody knows the phases of: that only makes the judgement milder. Without any nothing is compared.
    One that was not read lately is left out too, or waited for if it may feed in; the whole agrees only with all, by what each showed last.
    `generation_a` is the most that may be fed in unmeasured on each phase; None, nobody knows: nothing is judged. `complete`: there is
    nothing besides the parts, so the whole may not show more than they do either; a part left out then accuses wrongly.
    """
    if generation_a is None:
        return Agreement()
    lately = [part for part in parts if now - part.taken_at <= LASTING_S]
    if now - whole.taken_at > FRESH_S or not lately:
        return Agreement(found=before.found)
    apart = _worst(whole, lately, generation_a, phases, complete=complete)[1] > 0
    fresh = [part for part in lately if now - part.taken_at <= FRESH_S]
    if not fresh or any(now - part.taken_at > FRESH_S and (complete or part.feeds_in) for part in parts):
        return replace(before, apart=apart)
    phase, excess_a = _worst(whole, fresh, generation_a, phases, complete=complete)
    if excess_a <= 0:
        if apart or len(lately) < len(parts):
            return replace(before, apart=apart, together_since=None)
        since = now if before.together_since is None else before.together_since
        over = before.found is None or now - since >= over_s
        return Agreement(together_since=since, found=None if over else before.found)
    since = now if before.apart_since is None else before.apart_since
    if now - since < lasting_s:
        return Agreement(apart=True, apart_since=since, found=before.found)
    suspect, suspicion = _suspect(whole, fresh, generation_a, phases, complete=complete)
    found = Disagreement(
        phase=phase + 1,
        whole_a=whole.current_a[phase],
        parts_a=_sum(fresh)[phase],
        excess_a=excess_a,
        since=since if before.found is None else before.found.since,
        suspect=suspect,
        suspicion=suspicion,
    )
    return Agreement(apart=True, apart_since=since, found=found)


def _sum(parts: Sequence[Shown]) -> PerPhase:
    l1, l2, l3 = (sum(part.current_a[phase] for part in parts) for phase in range(3))
    return (l1, l2, l3)


def _worst(whole: Shown, parts: Sequence[Shown], generation_a: PerPhase, phases: Sequence[Phase], *, complete: bool) -> tuple[Phase, float]:
    """Return the phase where parts and whole are furthest apart, and by how much beyond what is tolerated, in A."""
    apart: list[tuple[float, Phase]] = []
    for phase in phases:
        drawn = sum(part.current_a[phase] for part in parts)
        flowing = abs(whole.current_a[phase]) + sum(abs(part.current_a[phase]) for part in parts)
        tolerated = TOLERANCE_A + TOLERANCE_SHARE * flowing / 2
        too_little = drawn - whole.current_a[phase] - generation_a[phase]
        too_much = whole.current_a[phase] - drawn if complete else 0.0
        apart.append((max(too_little, too_much) - tolerated, phase))
    excess_a, phase = max(apart)
    return phase, excess_a


def _suspect(
    whole: Shown, parts: Sequence[Shown], generation_a: PerPhase, phases: Sequence[Phase], *, complete: bool
) -> tuple[str, Suspicion] | tuple[None, None]:
    """Return the one part that explains it by the smallest change that explains anything; nobody where several parts could."""
    for suspicion, changes in _EXPLANATIONS:
        explained: set[str] = set()
        for index, part in enumerate(parts):
            for change in changes:
                other = replace(part, current_a=change(part.current_a))
                supposed = [*parts[:index], other, *parts[index + 1 :]]
                if other != part and _worst(whole, supposed, generation_a, phases, complete=complete)[1] <= 0:
                    explained.add(part.key)
        if explained:
            return (explained.pop(), suspicion) if len(explained) == 1 else (None, None)
    return None, None


type _Change = Callable[[PerPhase], PerPhase]

_EXPLANATIONS: Iterable[tuple[Suspicion, tuple[_Change, ...]]] = (
    (Suspicion.ROTATED, (lambda a: (a[1], a[2], a[0]), lambda a: (a[2], a[0], a[1]))),
    (Suspicion.ELSEWHERE, (lambda _: (0.0, 0.0, 0.0),)),
    (Suspicion.INVERTED, (lambda a: (-a[0], -a[1], -a[2]),)),
)
"""The smallest change first: a later one explains nearly all that an earlier one does."""
