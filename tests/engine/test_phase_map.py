"""What steps show of the conductors behind an EVSE's terminals: right within a handful of them, and wrong in none of many seeds."""

from itertools import permutations

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.model import ALL_PHASES, PerPhase, Phase
from custom_components.headroom.engine.phase_map import KEPT_STEPS, Evidence, Moved, Step, Wired, contradicted, doubted, learnt, weigh

L1, L2, L3 = ALL_PHASES
ROTATIONS = tuple(permutations(ALL_PHASES))


def moves(*changes_a: tuple[float, ...]) -> Moved:
    """What changes come to that are seen one after the other."""
    by_place = [*zip(*changes_a, strict=True)]
    return Moved(
        risen_a=tuple(sum(max(0.0, change) for change in place) for place in by_place),
        fallen_a=tuple(sum(max(0.0, -change) for change in place) for place in by_place),
    )


def step(wired: Wired, terminals_a: tuple[float, ...], *loads_a: PerPhase, others_a: tuple[tuple[float, ...], ...] = ()) -> Step:
    """A step as the meter sees it, with what the building does at about the same time."""
    own = [0.0, 0.0, 0.0]
    for current_a, phase in zip(terminals_a, wired, strict=True):
        own[phase] += current_a
    return Step(own=moves(terminals_a), meter=moves((own[0], own[1], own[2]), *loads_a), others=tuple(moves(each) for each in others_a))


def after(wired: Wired, *steps_a: tuple[float, ...], building_a: PerPhase = (0.0, 0.0, 0.0)) -> Evidence:
    """What is known after some steps."""
    evidence = Evidence(terminals=len(wired))
    for terminals_a in steps_a:
        evidence = weigh(evidence, step(wired, terminals_a, building_a))
    return evidence


@pytest.mark.parametrize("wired", ROTATIONS)
def test_a_car_on_one_phase_shows_its_terminal_and_leaves_the_others_open(wired: Wired) -> None:
    steps_a = [(10.0, 0.0, 0.0), (-4.0, 0.0, 0.0), (6.0, 0.0, 0.0)]
    assert learnt(after(wired, *steps_a)) == (wired[0], None, None)
    assert learnt(after(wired, *steps_a[:2])) == (None, None, None), "two steps may be a coincidence"


@pytest.mark.parametrize("wired", ROTATIONS)
def test_a_car_on_two_phases_shows_the_third_too_where_it_draws_unevenly_or_somebody_else_came_on_one(wired: Wired) -> None:
    on_two = after(wired, (10.0, 10.0, 0.0), (-6.0, -6.0, 0.0), (8.0, 8.0, 0.0))
    assert learnt(on_two) == (None, None, wired[2])
    for _ in range(3):
        on_two = weigh(on_two, step(wired, (16.0, 0.0, 0.0)))
    assert learnt(on_two) == wired


def test_a_car_that_loads_all_alike_tells_nothing() -> None:
    assert after((L2, L3, L1), *[(10.0, 10.0, 10.0)] * 20).steps == ()


@pytest.mark.parametrize("phase", ALL_PHASES)
def test_an_evse_with_one_terminal_is_found(phase: Phase) -> None:
    assert learnt(after((phase,), (16.0,), (-16.0,), (9.0,))) == (phase,)


def test_two_legs_of_a_split_phase_supply_are_told_apart() -> None:
    evidence = Evidence(terminals=1, conductors=(L1, L2))
    for current_a in (12.0, -12.0, 8.0):
        evidence = weigh(evidence, step((L2,), (current_a,)))
    assert learnt(evidence) == (L2,)


def test_what_was_said_is_contradicted_only_by_what_is_proven() -> None:
    assert contradicted((L1, L2, L3), (L2, None, None))
    assert not contradicted((L1, L2, L3), (L1, None, None))
    assert not contradicted((L1, L2, L3), (None, None, None))


def test_a_load_that_switches_with_the_car_speaks_for_no_wrong_map() -> None:
    for boiler_a in ((16.0, 16.0, 16.0), (16.0, 16.0, 0.0), (0.0, 16.0, 0.0), (0.0, 16.0, 16.0), (0.0, 40.0, 0.0)):
        shown = learnt(after((L1, L2, L3), *[(16.0, 0.0, 0.0), (-16.0, 0.0, 0.0)] * 6, building_a=boiler_a))
        assert not contradicted((L1, L2, L3), shown), boiler_a


def test_a_battery_that_takes_back_what_the_car_draws_speaks_for_no_wrong_map() -> None:
    evidence = Evidence(terminals=3)
    for current_a in (12.0, -12.0) * 6:
        share_a = -current_a / 3
        evidence = weigh(evidence, step((L1, L2, L3), (current_a, 0.0, 0.0), (share_a, share_a, share_a)))
    assert learnt(evidence)[0] in (L1, None)


def test_cars_that_always_move_together_speak_for_no_wrong_map() -> None:
    """One goes up, one on its conductor goes down as much, and a third goes up elsewhere: to the meter the first is where the third is."""
    evidence = Evidence(terminals=1)
    for _ in range(20):
        # In the same second, so that nothing of the two shows on their conductor.
        evidence = weigh(evidence, step((L2,), (6.0,), others_a=((-6.0,), (6.0,))))
    assert learnt(evidence) == (None,)
    assert weigh(evidence, step((L2,), (6.0,), others_a=((1.0,),) * 3)) is evidence


def test_a_car_that_moves_together_with_another_one_of_its_own_size_each_time_is_still_found() -> None:
    evidence = Evidence(terminals=1)
    for own_a, other_a in ((6.0, -11.0), (-5.0, 16.0), (9.0, -4.0), (10.0, -6.0)):
        evidence = weigh(evidence, step((L2,), (own_a,), (other_a, 0.0, 0.0), others_a=((other_a,),)))
    assert learnt(evidence) == (L2,)


def test_an_installation_that_was_changed_is_found_anew_and_on_the_way_nothing_is_claimed() -> None:
    evidence, shown = after((L1,), *[(10.0,), (-10.0,)] * 10), []
    for current_a in (10.0, -10.0) * KEPT_STEPS:
        evidence = weigh(evidence, step((L3,), (current_a,)))
        shown.append(learnt(evidence)[0])
    assert shown[-1] is L3 and L2 not in shown
    assert shown.index(L3) <= KEPT_STEPS


def test_what_a_car_on_two_phases_showed_outlasts_years_of_one_on_one_phase() -> None:
    evidence = after((L2, L3, L1), *[(10.0, 10.0, 0.0)] * 3, *[(10.0, 0.0, 0.0)] * 100)
    assert learnt(evidence) == (L2, L3, L1)
    assert len(evidence.steps) == 3 + KEPT_STEPS


def test_a_car_that_was_cut_off_again_after_seconds_has_shown_where_it_is() -> None:
    """As it goes where a wrong map has the loop take the car for the building."""
    evidence = Evidence(terminals=3)
    short = moves((29.0, 0.0, 0.0), (-29.0, 0.0, 0.0))
    for _ in range(3):
        evidence = weigh(evidence, Step(own=short, meter=moves((0.0, 29.0, 0.0), (0.0, -29.0, 0.0))))
    assert learnt(evidence) == (L2, None, None)


def test_a_step_of_another_evse_is_refused() -> None:
    with pytest.raises(ValueError, match="a step of 1 terminals"):
        weigh(Evidence(terminals=3), step((L1,), (6.0,)))


currents = st.floats(-40, 40)
building = st.tuples(currents, currents, currents)


@given(
    st.permutations(ALL_PHASES),
    st.lists(st.tuples(st.sampled_from([-16.0, -10.0, 10.0, 16.0]), st.integers(1, 3)), min_size=1, max_size=12),
)
def test_without_a_building_no_step_speaks_against_the_truth(wired: list[Phase], steps: list[tuple[float, int]]) -> None:
    truth = (wired[0], wired[1], wired[2])
    evidence = after(truth, *[(size, size * (used > 1), size * (used > 2)) for size, used in steps])
    at = evidence.candidates.index(truth)
    assert all(each.behind[at] <= 1e-9 for each in evidence.steps)
    assert not contradicted(truth, learnt(evidence))


@given(st.permutations(ALL_PHASES), st.lists(st.tuples(st.sampled_from([-9.0, 6.0, 16.0]), building, building), min_size=1, max_size=12))
def test_a_building_that_does_not_hide_the_step_never_speaks_against_the_truth(
    wired: list[Phase], steps: list[tuple[float, PerPhase, PerPhase]]
) -> None:
    truth = (wired[0], wired[1], wired[2])
    evidence = Evidence(terminals=3)
    for size, *loads_a in steps:
        evidence = weigh(evidence, step(truth, (size, 0.0, 0.0), *loads_a))
    assert not contradicted(truth, learnt(evidence))
    at = evidence.candidates.index(truth)
    assert all(each.behind[at] <= 1e-9 for each in evidence.steps)


def test_what_a_loop_gives_a_car_of_what_the_building_let_go_of_speaks_for_nobody() -> None:
    """The building falls on the car's conductor, the car rises by it, and something else goes on elsewhere: seen one after the other."""
    fallen, elsewhere = (-10.0, 0.0, 0.0), (0.0, 10.0, 0.0)
    evidence = Evidence(terminals=1)
    for _ in range(20):
        evidence = weigh(evidence, step((L1,), (10.0,), fallen, elsewhere))
    assert learnt(evidence) in ((None,), (L1,))


def test_what_was_said_is_not_relied_on_before_it_is_proven_wrong() -> None:
    steps_a = [(10.0, 0.0, 0.0), (-8.0, 0.0, 0.0)]
    assert not doubted(after((L2, L3, L1), *steps_a[:1]), (L1, L2, L3)), "one step may be a coincidence"
    assert doubted(after((L2, L3, L1), *steps_a), (L1, L2, L3))
    assert not doubted(after((L2, L3, L1), *steps_a * 5), (L2, L3, L1))
