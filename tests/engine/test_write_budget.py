"""What a station's flash is spared: by arithmetic alone, whatever the building does."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.deadman import LEASE_MAX_S, LEASE_MIN_S
from custom_components.headroom.engine.write_budget import (
    BRISK,
    BURST,
    CHARGING_PER_S,
    FREE_ABOVE,
    IDLE_PER_S,
    PLENTY,
    SLOWEST_S,
    SPARING,
    SPARING_LEASE_S,
    SWINGS_FROM,
    SWINGS_TO,
    WRITES_A_DAY,
    WriteBudget,
)

HOUR_S = 3600.0


def test_what_a_day_with_eight_hours_of_charging_gives_is_the_days_budget() -> None:
    assert BURST + 8 * HOUR_S * CHARGING_PER_S + 16 * HOUR_S * IDLE_PER_S <= WRITES_A_DAY


@given(gaps_s=st.lists(st.floats(0.0, 600.0), max_size=60))
def test_nobody_gets_more_than_time_gives(gaps_s: list[float]) -> None:
    budget, now, spent = WriteBudget().on(0.0, charging=True), 0.0, 0
    for gap_s in gaps_s:
        now += gap_s
        budget = budget.on(now, charging=True)
        if budget.left >= 1:
            budget, spent = budget.spend(), spent + 1
    assert spent <= BURST + now * CHARGING_PER_S


def test_raises_are_slower_and_larger_the_less_is_left_and_never_stop() -> None:
    paces = [WriteBudget(left=left).pace() for left in (FREE_ABOVE, 20.0, 10.0, 0.0, -50.0)]
    assert paces[0] == BRISK and paces[-1] == paces[-2] and paces[-1].raise_every_s == pytest.approx(SLOWEST_S)
    for earlier, later in pairwise(paces[:-1]):
        assert later.raise_every_s > earlier.raise_every_s and later.dead_band_a > earlier.dead_band_a
    renewals_per_s = 1 / (0.8 * LEASE_MAX_S)
    assert 2 / SLOWEST_S + renewals_per_s < CHARGING_PER_S, "a cut and a raise in that time, and renewals, are no more than what comes in"


def test_leases_are_for_longer_the_less_is_left() -> None:
    shortest_s = [WriteBudget(left=left).shortest_s for left in (BURST, PLENTY, (PLENTY + SPARING) / 2, SPARING, 0.0)]
    assert shortest_s[:2] == pytest.approx([LEASE_MIN_S] * 2) and shortest_s[-2:] == pytest.approx([SPARING_LEASE_S] * 2)
    assert LEASE_MIN_S < shortest_s[2] < SPARING_LEASE_S


def test_who_takes_what_short_leases_allow_goes_on_for_a_while_and_begins_again_only_with_more() -> None:
    between = WriteBudget(left=(SWINGS_FROM + SWINGS_TO) / 2)
    assert between.swings(swinging=True) and not between.swings(swinging=False)
    assert WriteBudget(left=SWINGS_FROM).swings(swinging=False) and not WriteBudget(left=SWINGS_TO - 1).swings(swinging=True)
