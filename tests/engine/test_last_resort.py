"""Whose sessions are stopped where cuts do not relieve a breaker."""

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.last_resort import GRACE_S, LASTS_S, NOTHING_A, Draw, Excess, due, rank, whom
from custom_components.headroom.engine.model import Circuit, PerPhase
from custom_components.headroom.engine.urgency import Heat, warmed

MAIN = Circuit(circuit_id="main", name="Main", fuse_a=63.0, margin_a=2.0)
HALL = Circuit(circuit_id="hall", name="Hall", parent_id="main", fuse_a=32.0)
YARD = Circuit(circuit_id="yard", name="Yard", parent_id="main", fuse_a=32.0)
CIRCUITS = {circuit.circuit_id: circuit for circuit in (MAIN, HALL, YARD)}


def draw(key: str, amps: float | PerPhase, *, circuit_id: str = "main", obeys: bool = True, tier: int = 0, going: bool = False) -> Draw:
    """Return what a session draws."""
    draw_a = amps if isinstance(amps, tuple) else (amps, amps, amps)
    return Draw(key=key, circuit_id=circuit_id, draw_a=draw_a, rank=rank(obeys=obeys, tier=tier, draw_a=draw_a), going=going)


def over(l1: float, l2: float = 0.0, l3: float = 0.0, circuit_id: str = "main") -> dict[str, PerPhase]:
    """Return by how much a circuit is over its limit."""
    return {circuit_id: (l1, l2, l3)}


@pytest.mark.parametrize(
    ("excess", "draws", "stopped"),
    [
        (over(5), [draw("a", 10), draw("b", 16)], ["b"]),
        (over(5), [draw("a", 10), draw("b", 16, obeys=False)], ["b"]),
        (over(5), [draw("a", 6, obeys=False), draw("b", 16)], ["a"]),
        (over(5), [draw("a", 10, tier=2), draw("b", 16, tier=1)], ["a"]),
        (over(5), [draw("a", 10, tier=2), draw("b", 16, tier=1, obeys=False)], ["b"]),
        (over(12), [draw("a", 10, tier=2), draw("b", 16, tier=1), draw("c", 16)], ["b"]),
        (over(20), [draw("a", 10), draw("b", 16), draw("c", 6)], ["b", "a"]),
        (over(90), [draw("a", 10), draw("b", 16)], ["b", "a"]),
        (over(5), [draw("a", 10, going=True), draw("b", 16)], []),
        (over(12), [draw("a", 10, going=True), draw("b", 16)], ["b"]),
        (over(5), [draw("a", (0, 16, 16)), draw("b", (8, 0, 0))], ["b"]),
        (over(5), [draw("a", NOTHING_A)], []),
        (over(-3, 4), [draw("a", (16, 0, 0)), draw("b", (0, 8, 0))], ["b"]),
        (over(5, circuit_id="hall"), [draw("a", 16, circuit_id="yard"), draw("b", 8, circuit_id="hall"), draw("c", 20)], ["b"]),
        (over(5) | over(5, circuit_id="hall"), [draw("a", 16, circuit_id="yard"), draw("b", 8, circuit_id="hall")], ["b"]),
        ({}, [draw("a", 16)], []),
        ({"main": (-9, -9, -9, 6)}, [draw("a", (16, 0, 0)), draw("b", (0, 12, 0))], ["a"]),
        ({"main": (-9, -9, -9, 20)}, [draw("a", (16, 0, 0)), draw("b", (0, 12, 0))], ["a", "b"]),
        ({"main": (-9, 4, -9, 6)}, [draw("a", (16, 0, 0)), draw("b", (0, 12, 0))], ["b"]),
        ({"main": (-9, -9, -9, 6)}, [draw("a", (16, 0, 0), going=True), draw("b", (0, 12, 0))], []),
    ],
)
def test_whom(excess: dict[str, Excess], draws: list[Draw], stopped: list[str]) -> None:
    assert whom(CIRCUITS, excess, draws) == stopped


amps = st.one_of(st.just(0.0), st.floats(1.0, 32.0))


@given(
    st.tuples(*[st.floats(-10.0, 40.0)] * 3),
    st.lists(
        st.builds(
            lambda l1, l2, l3, circuit, obeys, tier: ((l1, l2, l3), circuit, obeys, tier),
            amps, amps, amps, st.sampled_from(["main", "hall", "yard"]), st.booleans(), st.integers(0, 3),
        ),
        max_size=6,
    ),
)  # fmt: skip
def test_it_is_enough_or_all_there_is_and_nobody_is_stopped_without_need(
    excess_a: PerPhase, cars: list[tuple[PerPhase, str, bool, int]]
) -> None:
    draws = [
        draw(f"{number}", amps_a, circuit_id=circuit_id, obeys=obeys, tier=tier)
        for number, (amps_a, circuit_id, obeys, tier) in enumerate(cars)
    ]
    by_key = {each.key: each for each in draws}
    stopped = whom(CIRCUITS, {"main": excess_a}, draws)

    def left(keys: list[str]) -> list[float]:
        return [excess_a[phase] - sum(by_key[key].draw_a[phase] for key in keys) for phase in range(3)]

    for phase, amps_left in enumerate(left(stopped)):
        assert amps_left <= 0 or all(each.key in stopped or each.draw_a[phase] <= NOTHING_A for each in draws)
    for key in stopped:
        without = left([other for other in stopped if other != key])
        assert any(value > 0 and by_key[key].draw_a[phase] > NOTHING_A for phase, value in enumerate(without)), "nobody in vain"


def heat(*currents_a: float) -> Heat:
    """Return the heat after readings, one a second."""
    found = None
    for number, current_a in enumerate(currents_a):
        found = warmed(found, MAIN, (current_a, 0.0, 0.0), float(number))
    assert found is not None
    return found


def test_it_is_due_when_the_breaker_is_about_to_let_go_and_not_before_a_cut_could_show() -> None:
    hot = heat(61.0, *[90.0] * 12)
    assert due(MAIN, hot, large_s=8.0, above_s=8.0)
    assert not due(MAIN, heat(61.0, 90.0), large_s=8.0, above_s=8.0), "it carries that for a while"
    assert not due(MAIN, hot, large_s=GRACE_S - 0.1, above_s=8.0)
    assert not due(MAIN, heat(61.0, *[90.0] * 12, 60.0), large_s=None, above_s=None), "the cut has shown"
    carried = heat(*[70.0] * 100)
    assert not due(MAIN, carried, large_s=None, above_s=LASTS_S - 1)
    assert due(MAIN, carried, large_s=None, above_s=LASTS_S)
