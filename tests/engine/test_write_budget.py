"""What a station's flash is spared: by arithmetic alone, whatever the building does."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.deadman import LEASE_MAX_S
from custom_components.headroom.engine.write_budget import (
    BRISK,
    BURST,
    CHARGING_PER_S,
    FREE_ABOVE,
    IDLE_PER_S,
    SLOWEST_S,
    THRIFTY_BELOW,
    THRIFTY_UNTIL,
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
    paces = [WriteBudget(left=left).pace() for left in (FREE_ABOVE, 40.0, 20.0, 0.0, -50.0)]
    assert paces[0] == BRISK and paces[-1] == paces[-2] and paces[-1].raise_every_s == pytest.approx(SLOWEST_S)
    for earlier, later in pairwise(paces[:-1]):
        assert later.raise_every_s > earlier.raise_every_s and later.dead_band_a > earlier.dead_band_a
    renewals_per_s = 1 / (0.7 * LEASE_MAX_S)
    assert 2 / SLOWEST_S + renewals_per_s < CHARGING_PER_S, "a cut and a raise in that time, and renewals, are no more than what comes in"


def test_long_leases_are_asked_for_until_there_is_plenty_again() -> None:
    budget = WriteBudget(left=THRIFTY_BELOW - 1, at_s=0.0).on(0.0, charging=True)
    assert budget.thrifty
    hours = (THRIFTY_UNTIL - THRIFTY_BELOW) / CHARGING_PER_S
    assert budget.on(hours * 0.9, charging=True).thrifty and not budget.on(hours * 1.2, charging=True).thrifty
    assert not WriteBudget(left=THRIFTY_BELOW + 1, at_s=0.0).on(0.0, charging=True).thrifty
