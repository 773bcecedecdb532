"""The rows: what sessions put on conductors, however those are wired."""

from math import inf, nan, sqrt

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.model import ALL_PHASES, Headroom, Imbalance, Phase, Wiring
from custom_components.headroom.engine.rows import full_at, loads_of, obstacle, put, room_a, rows_of

L1, L2, L3 = Phase
PAIRS = ((L1, L2), (L2, L3), (L3, L1))

amps = st.floats(0.0, 100.0)


def site(wiring: Wiring, sum_a: float | None = None, imbalance: Imbalance | None = None, available_a: float = 100.0) -> Headroom:
    return Headroom(circuit_id="main", parent_id=None, available_a=(available_a,) * 3, sum_a=sum_a, wiring=wiring, imbalance=imbalance)


def carried(headroom: Headroom, *sessions: tuple[tuple[Phase, ...], float]) -> list[float]:
    """Return the magnitudes on the circuit's rows once these sessions load them."""
    rows = rows_of([headroom])["main"]
    for phases, current_a in sessions:
        put(loads_of(rows, phases), current_a)
    return [abs(row.load_a) for row in rows]


def test_in_a_star_currents_of_a_conductor_add_up() -> None:
    assert carried(site(Wiring.STAR, 90), ((L1,), 10), ((L1, L2), 7), (ALL_PHASES, 5)) == [22, 12, 5, 39]


def test_in_a_star_loads_stay_real() -> None:
    rows = rows_of([site(Wiring.STAR, 90, Imbalance(limit_a=20))])["main"]
    put(loads_of(rows, (L3, L1)), 7.5)
    assert all(isinstance(row.load_a, int | float) for row in rows)


@pytest.mark.parametrize("turn", range(3))
def test_a_session_between_two_conductors_loads_those_alone(turn: int) -> None:
    expected = [10.0, 10.0, 0.0]
    assert carried(site(Wiring.DELTA), (PAIRS[turn], 10)) == pytest.approx(expected[-turn:] + expected[:-turn])
    assert carried(site(Wiring.DELTA), (PAIRS[turn][::-1], 10)) == pytest.approx(expected[-turn:] + expected[:-turn])


@given(amps, amps, amps)
def test_in_a_delta_two_branches_meet_at_60_degrees(a: float, b: float, c: float) -> None:
    expected = [sqrt(a * a + c * c + a * c), sqrt(b * b + a * a + b * a), sqrt(c * c + b * b + c * b)]
    assert carried(site(Wiring.DELTA), (PAIRS[0], a), (PAIRS[1], b), (PAIRS[2], c)) == pytest.approx(expected)


@given(amps, amps, amps)
def test_behind_a_transformer_one_conductor_carries_twice_the_branch_across(a: float, b: float, c: float) -> None:
    """Caltech's primary side: |I|² = (a² + b² + 4c² − ab + 2ac + 2bc) / 16 in amps of 480 V for 208 V, which is √3 / 4."""

    def primary_a(a: float, b: float, c: float) -> float:
        return sqrt(a * a + b * b + 4 * c * c - a * b + 2 * a * c + 2 * b * c) / 4 * (4 / sqrt(3))

    expected = [primary_a(a, b, c), primary_a(b, c, a), primary_a(c, a, b)]
    assert carried(site(Wiring.DELTA_BEHIND_TRANSFORMER), (PAIRS[0], a), (PAIRS[1], b), (PAIRS[2], c)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("wiring", Wiring)
@given(current_a=amps)
def test_a_balanced_session_is_its_current_on_each_conductor(wiring: Wiring, current_a: float) -> None:
    assert carried(site(wiring, 300), (ALL_PHASES, current_a)) == pytest.approx([current_a, current_a, current_a, 3 * current_a])


@pytest.mark.parametrize("wiring", [Wiring.DELTA, Wiring.DELTA_BEHIND_TRANSFORMER])
def test_three_equal_branches_are_one_balanced_session(wiring: Wiring) -> None:
    branches = ((phases, 10 / sqrt(3)) for phases in PAIRS)
    assert carried(site(wiring, 300), *branches, ((L2, L3, L1), 5)) == pytest.approx([15, 15, 15, 45])


def test_a_branch_counts_the_power_of_its_line_voltage() -> None:
    assert carried(site(Wiring.DELTA, 90), (PAIRS[1], 10))[3] == pytest.approx(10 * sqrt(3))


def test_imbalance_is_the_difference_of_two_conductors_and_begins_with_the_building() -> None:
    headroom = site(Wiring.STAR, imbalance=Imbalance(limit_a=20, unmanaged_a=(1, 5, 2)))
    rows = rows_of([headroom])["main"][3:]
    assert [(row.phase, row.against, row.load_a) for row in rows] == [(L1, L3, -1), (L2, L1, 4), (L3, L2, -3)]
    put(loads_of(rows, (L1,)), 10)
    put(loads_of(rows, (L1, L3)), 3)
    assert [row.load_a for row in rows] == [9, -9, 0]
    assert loads_of(rows, ALL_PHASES) == ()


def test_only_where_currents_may_oppose_is_a_row_relieved() -> None:
    by_wiring = {wiring: [row.relievable for row in rows_of([site(wiring, 90)])["main"]] for wiring in Wiring}
    assert by_wiring[Wiring.STAR] == by_wiring[Wiring.DELTA] == [False] * 4
    assert by_wiring[Wiring.DELTA_BEHIND_TRANSFORMER] == [True, True, True, False]
    assert [row.relievable for row in rows_of([site(Wiring.STAR, imbalance=Imbalance(limit_a=1))])["main"]] == [False] * 3 + [True] * 3


def test_what_relieves_a_row_over_its_limit_is_not_in_its_way() -> None:
    rows = rows_of([site(Wiring.STAR, imbalance=Imbalance(limit_a=5, unmanaged_a=(20, 0, 20)))])["main"]
    fuller, other = loads_of(rows, (L1,)), loads_of(rows, (L2,))
    assert obstacle(other, 10) is None
    put(other, 10)
    found = obstacle(fuller, 1)
    assert found is rows[4] and (found.phase, found.against) == (L2, L1)
    assert obstacle(loads_of(rows, (L1, L3)), 1) is found


def test_a_row_takes_its_limit_and_not_a_step_more() -> None:
    loads = loads_of(rows_of([site(Wiring.STAR, available_a=32)])["main"], (L2,))
    assert obstacle(loads, 32) is None
    assert obstacle(loads, 32.001) is loads[0][0]


def test_the_room_of_rows_is_that_of_the_fullest_and_never_less_than_none() -> None:
    loads = loads_of(rows_of([site(Wiring.STAR, 40, available_a=32)])["main"], (L1, L2))
    assert room_a(loads) == pytest.approx(20)
    put(loads[:1], 40)
    assert room_a(loads) == 0
    assert room_a(()) == inf


@pytest.mark.parametrize("wiring", [Wiring.DELTA, Wiring.DELTA_BEHIND_TRANSFORMER])
def test_a_session_on_one_conductor_has_no_place_between_conductors(wiring: Wiring) -> None:
    with pytest.raises(ValueError, match="no neutral"):
        loads_of(rows_of([site(wiring)])["main"], (L1,))


@pytest.mark.parametrize(
    ("wiring", "imbalance", "message"),
    [
        (Wiring.DELTA, Imbalance(limit_a=20), "imbalance"),
        (Wiring.DELTA_BEHIND_TRANSFORMER, Imbalance(limit_a=20), "imbalance"),
        (Wiring.STAR, Imbalance(limit_a=-1), "imbalance"),
        (Wiring.STAR, Imbalance(limit_a=nan), "not a number"),
        (Wiring.STAR, Imbalance(limit_a=20, unmanaged_a=(0, nan, 0)), "not a number"),
    ],
)
def test_an_imbalance_that_makes_no_sense_is_refused(wiring: Wiring, imbalance: Imbalance, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rows_of([site(wiring, imbalance=imbalance)])


def test_rows_go_from_the_own_circuit_up_to_the_root() -> None:
    garage = Headroom(circuit_id="garage", parent_id="main", available_a=(32, 32, 32), wiring=Wiring.DELTA)
    rows = rows_of([garage, site(Wiring.DELTA_BEHIND_TRANSFORMER)])["garage"]
    assert [(row.circuit_id, row.phase) for row in rows] == [(name, phase) for name in ("garage", "main") for phase in ALL_PHASES]


# Where a load that grows steadily meets the limit


phasors = st.complex_numbers(max_magnitude=100.0)
slopes = st.complex_numbers(min_magnitude=0.01, max_magnitude=10.0)


@given(load_a=phasors, slope=slopes, limit_a=st.floats(-5.0, 200.0))
def test_beyond_where_it_is_full_a_load_is_over_and_rising(load_a: complex, slope: complex, limit_a: float) -> None:
    full = full_at(load_a, slope, limit_a)
    at, after = abs(load_a + slope * full), abs(load_a + slope * (full + 1.0))
    assert after > at and after > limit_a
    nearest = abs((load_a * (slope / abs(slope)).conjugate()).imag)
    assert at == pytest.approx(max(limit_a, nearest), abs=1e-6)


def test_a_real_load_meets_the_limit_where_arithmetic_says() -> None:
    assert full_at(6.0, 2.0, 32.0) == 13.0
    assert full_at(6.0, -2.0, 32.0) == 19.0
    assert full_at(6.0, 1.0, inf) == inf
    assert full_at(6.0, 1.0, -3.0) == -6.0
