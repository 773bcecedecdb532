"""What a month was worth, on cases small enough to reckon by hand."""

import pytest

from benchmarks.allocation.simulated.metrics import Record, jain, overload_as, percentile, summary, times
from benchmarks.allocation.simulated.sessions import Session

NEED_KWH = 1.0


def record(told_a: list[float], drawn_kwh: list[float], need_kwh: float = NEED_KWH) -> Record:
    return Record(Session("s", "E", 0, len(told_a), need_kwh, len(told_a)), told_a, drawn_kwh)


@pytest.mark.parametrize(
    ("told_a", "writes"),
    [([6.0], 1), ([6.0, 6.0, 6.0], 1), ([0.0, 6.0, 6.0, 8.0, 0.0], 4), ([0.0, 0.0], 1)],
)
def test_every_change_is_a_write_and_so_is_the_first(told_a: list[float], writes: int) -> None:
    assert record(told_a, [0.0] * len(told_a)).writes() == writes


def test_a_pause_is_0_a_after_more_while_energy_lacks() -> None:
    assert record([6.0, 0.0, 6.0, 0.0], [0.1, 0.0, 0.1, 0.0]).pauses() == 2
    assert record([0.0, 0.0, 6.0], [0.0, 0.0, 0.1]).pauses() == 0, "waiting is none"
    assert record([6.0, 6.0, 0.0], [0.5, 0.45, 0.0]).pauses() == 0, "what has all but 0.1 kWh is done"
    assert record([6.0, 6.0, 0.0], [0.5, 0.35, 0.0]).pauses() == 1


def test_short_is_what_lacks_more_than_a_tenth_of_a_kwh() -> None:
    assert not record([6.0], [0.91]).short
    assert record([6.0], [0.89]).short


def test_jains_index_is_1_for_equals_and_1_in_n_where_one_has_all() -> None:
    assert jain([0.5, 0.5, 0.5]) == pytest.approx(1.0)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)
    assert jain([0.0, 0.0]) == 1.0


def test_overload_is_counted_in_ampere_seconds() -> None:
    assert overload_as([[0.0, 2.0], [1.0, 0.0]]) == 3.0 * 300
    assert overload_as([]) == 0


def test_percentiles_are_by_nearest_rank() -> None:
    values = [float(value) for value in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile([3.0], 99), percentile([], 50)) == (50.0, 99.0, 3.0, 0.0)


def test_times_are_told_in_all_and_by_tens_of_sessions() -> None:
    found = times([(3, 0.001), (9, 0.003), (12, 0.010)])
    assert found["p50_ms"] == 3.0
    assert found["by_active"] == {
        "0": {"calls": 2, "p50_ms": 1.0, "p99_ms": 3.0},
        "10": {"calls": 1, "p50_ms": 10.0, "p99_ms": 10.0},
    }


def test_a_month_is_the_sum_of_its_sessions() -> None:
    full, half = record([6.0, 6.0], [0.5, 0.5]), record([6.0, 0.0, 6.0], [1.0, 0.0, 0.5], need_kwh=3.0)
    assert summary([full, half]) == {
        "sessions": 2,
        "need_kwh": 4.0,
        "delivered_kwh": 2.5,
        "met_percent": 62.5,
        "short": 1,
        "jain": 0.9,
        "pauses_per_session": 0.5,
        "writes_per_session": 2.0,
    }
