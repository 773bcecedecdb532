"""Who comes first, and who gets more: tier, weight and guarantee from rules.

A **rule** says whom it is about and what it gives them. Of the rules that match a session, the first that speaks of a tier gives
the tier, the first that speaks of a weight the weight, and so on: a rule for one car stands before a rule for all, and neither
has to repeat the other.

A car that charges gains charge and keeps its slack, so it passes the threshold of a rule once and does not go to and fro.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite

from .model import Request
from .rotation import laxity_s

MOST_TIERS = 100
"""A rule puts a session at most so many tiers behind the others, or before them."""
LAST_TIER = 10 * MOST_TIERS
"""Behind all of those: for who asks for current and seems to need none."""


class Priority(StrEnum):
    """Where a person puts a session among the others."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def tier(self) -> int:
        """The tier it is in before any rule speaks; the lowest is served first."""
        return TIERS[self]


TIERS = {Priority.HIGH: -1, Priority.NORMAL: 0, Priority.LOW: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whom a rule is about, by all that is not None, and what it gives them; None there leaves it to later rules.

    `below_state_of_charge` is a share, 0 to 1, and `below_laxity_s` the slack under which a session counts as urgent. Neither
    matches a session of which it is not known. `leaves_within_s` goes by the departure alone.
    `tiers_behind` is by how many tiers it comes after those that no rule speaks of; below 0, before them. `times_weight` is a factor.
    Raises ValueError for numbers that can't be meant.
    """

    requests: frozenset[str] | None = None
    circuits: frozenset[str] | None = None
    """Those that sessions hang on themselves, not those above."""
    below_state_of_charge: float | None = None
    below_laxity_s: float | None = None
    leaves_within_s: float | None = None
    tiers_behind: int | None = None
    times_weight: float | None = None
    guarantee_a: float | None = None
    pausable: bool | None = None

    def __post_init__(self) -> None:
        """Refuse a rule that no allocation could go by."""
        if self.times_weight is not None and not (isfinite(self.times_weight) and self.times_weight > 0):
            raise ValueError(f"a weight can't be multiplied by {self.times_weight}")
        if self.guarantee_a is not None and not (isfinite(self.guarantee_a) and self.guarantee_a >= 0):
            raise ValueError(f"{self.guarantee_a} A can't be guaranteed")
        if self.tiers_behind is not None and abs(self.tiers_behind) > MOST_TIERS:
            raise ValueError(f"there are no {self.tiers_behind} tiers")


def prioritise(requests: Iterable[Request], rules: Sequence[Rule], powers_w: Mapping[str, float], *, now: float) -> list[Request]:
    """Return the requests with what the rules give them; `powers_w` holds the most that each may draw, by its id."""
    return [_given(request, [rule for rule in rules if matches(rule, request, powers_w[request.request_id], now)]) for request in requests]


def matches(rule: Rule, request: Request, power_w: float, now: float) -> bool:
    """Tell whether a rule is about a session, which may draw at most `power_w`."""
    need = request.need
    return (
        (rule.requests is None or request.request_id in rule.requests)
        and (rule.circuits is None or request.circuit_id in rule.circuits)
        and (rule.below_state_of_charge is None or (need.state_of_charge is not None and need.state_of_charge < rule.below_state_of_charge))
        and (rule.below_laxity_s is None or laxity_s(request, power_w, now) < rule.below_laxity_s)
        and (rule.leaves_within_s is None or (need.departs_at is not None and need.departs_at - now < rule.leaves_within_s))
    )


def _given(request: Request, rules: Sequence[Rule]) -> Request:
    """Return a request with what the rules that match it give, each thing by the first that speaks of it."""
    if not rules:
        return request
    return replace(
        request,
        tier=request.tier + _first(rules, lambda rule: rule.tiers_behind, 0),
        weight=request.weight * _first(rules, lambda rule: rule.times_weight, 1.0),
        guarantee_a=_first(rules, lambda rule: rule.guarantee_a, request.guarantee_a),
        pausable=_first(rules, lambda rule: rule.pausable, request.pausable),
    )


def _first[Given](rules: Iterable[Rule], of: Callable[[Rule], Given | None], otherwise: Given) -> Given:
    return next((given for rule in rules if (given := of(rule)) is not None), otherwise)
