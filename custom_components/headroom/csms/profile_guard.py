"""Whether a person's profile may be sent: it keeps the rules of block K, and at no moment does the station give more with it than without.

So it can only restrict. Nothing it says is trusted to do so: the composite of all that the station holds is reckoned with it and without.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from .composite import Situation
from .errors import ProfileRaisesError, ProfileRefusedError
from .fields import written
from .prediction import raised
from .profiles import Placed

type Rules = Callable[[Mapping[str, Any]], Sequence[str]]
"""Which rules a profile breaks beside what the station holds."""


def restricting(
    wanted: Placed,
    held: Sequence[Placed],
    *,
    rules: Rules,
    situation: Callable[[Sequence[Placed]], Situation],
    now: datetime,
    stack_level_most: int,
) -> Placed:
    """Return the profile as it may be sent: without a stackLevel, on the highest free level on which it only restricts.

    `now` is by the station's clock. Raises ProfileRefusedError for the rules it breaks, ProfileRaisesError where it would allow more;
    where several levels were tried, for the highest that was free.
    """
    if "stackLevel" in wanted.profile:
        return _judged(wanted, held, rules, situation, now)
    refusals: list[ProfileRefusedError] = []
    for level in range(stack_level_most, -1, -1):
        try:
            return _judged(replace(wanted, profile={**wanted.profile, "stackLevel": level}), held, rules, situation, now)
        except ProfileRefusedError as refused:
            refusals.append(refused)
    raise next((refused for refused in refusals if isinstance(refused, ProfileRaisesError)), refusals[0])


def _judged(
    wanted: Placed, held: Sequence[Placed], rules: Rules, situation: Callable[[Sequence[Placed]], Situation], now: datetime
) -> Placed:
    if broken := rules(wanted.profile):
        raise ProfileRefusedError(broken)
    others = [one for one in held if one.profile_id != wanted.profile_id]  # the same id replaces (K01.FR.05)
    if (more := raised(situation(others), situation([*others, wanted]), now)) is not None:
        raise ProfileRaisesError(
            f"it would allow more than the house does, at {written(more.at)}",
            at=more.at,
            evse_id=more.evse_id,
            limit_a=more.before.limit_a,
            phases=more.before.phases,
            raised_to_a=more.after.limit_a,
            raised_to_phases=more.after.phases,
        )
    return wanted


def raising(
    held: Sequence[Placed], ids: Collection[int], *, situation: Callable[[Sequence[Placed]], Situation], now: datetime
) -> Sequence[int]:
    """Return which of the profiles of these ids let a station give more than it would without them: ours may be others than when they came."""
    return [
        profile_id
        for one in held
        if (profile_id := one.profile_id) in ids
        and profile_id is not None
        and raised(situation([other for other in held if other is not one]), situation(held), now) is not None
    ]
