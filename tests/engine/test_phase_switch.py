"""When a car goes from three phases to one and back: only where it has to, only without current, and seldom."""

from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.allocate import allocate
from custom_components.headroom.engine.model import ALL_PHASES, Headroom, Phase, Request
from custom_components.headroom.engine.phase_switch import LEAST_S, PAUSE_S, ROOMY_S, SHORT_S, PhaseSwitch, advanced, considered, fits


def short(switch: PhaseSwitch, now: float) -> PhaseSwitch:
    return considered(switch, may=True, fits_three=False, fits_one=True, now=now)


def test_it_takes_a_while_of_shortage_a_pause_and_a_confirmation() -> None:
    switch = short(PhaseSwitch(), 0.0)
    assert short(switch, SHORT_S - 1).goal is None
    switch = short(switch, SHORT_S)
    assert switch.goal is True and switch.pausing and not switch.tells_one(SHORT_S)
    switch = advanced(switch, flows=True, confirmed_one=False, now=100.0)
    switch = advanced(switch, flows=False, confirmed_one=False, now=105.0)
    assert not switch.tells_one(105 + PAUSE_S - 0.1) and switch.tells_one(105 + PAUSE_S)
    assert advanced(switch, flows=False, confirmed_one=False, now=130.0).pausing, "not before its station has said yes"
    broken = advanced(advanced(switch, flows=True, confirmed_one=False, now=110.0), flows=False, confirmed_one=False, now=112.0)
    assert not broken.tells_one(116.0), "the pause begins anew where current flowed"
    done = advanced(switch, flows=False, confirmed_one=True, now=130.0)
    assert (done.on_one, done.pausing, done.switched_at) == (True, False, 130.0)


@pytest.mark.parametrize(
    ("may", "fits_three", "fits_one"), [(False, False, True), (True, True, True), (True, False, False), (True, True, False)]
)
def test_who_fits_on_three_or_not_on_one_either_or_may_not_stays(may: bool, fits_three: bool, fits_one: bool) -> None:
    switch = PhaseSwitch()
    for now in range(0, 3000, 5):
        switch = considered(switch, may=may, fits_three=fits_three, fits_one=fits_one, now=float(now))
    assert switch == PhaseSwitch()


def test_back_goes_who_has_had_room_for_long_and_who_may_not_be_on_one_any_more() -> None:
    for may, fits_three in ((True, True), (False, False)):
        switch = considered(PhaseSwitch(on_one=True), may=may, fits_three=fits_three, fits_one=True, now=0.0)
        assert considered(switch, may=may, fits_three=fits_three, fits_one=True, now=ROOMY_S - 1).goal is None
        assert considered(switch, may=may, fits_three=fits_three, fits_one=True, now=ROOMY_S).goal is False
    gone = considered(switch, may=True, fits_three=False, fits_one=True, now=100.0)
    assert gone.wants_since is None, "a moment without room begins it anew"


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.booleans()), min_size=50, max_size=400))
def test_whatever_happens_switches_are_rare_and_without_current(story: list[tuple[bool, bool, bool, bool]]) -> None:
    switch, told, still_s, at = PhaseSwitch(), False, 0.0, []
    for turn, (may, fits_three, fits_one, restless) in enumerate(story):
        now = turn * 7.0
        flows = restless and (switch.goal is None or switch.tells_one(now) != switch.goal)
        still_s = 0.0 if flows else still_s + 7.0
        switch = considered(switch, may=may, fits_three=fits_three, fits_one=fits_one, now=now)
        before = switch
        if switch.tells_one(now) != told:
            assert still_s >= PAUSE_S or told != switch.on_one, "it is told after the pause"
        told = switch.tells_one(now)
        switch = advanced(switch, flows=flows, confirmed_one=told, now=now)
        if switch.on_one != before.on_one:
            assert still_s >= PAUSE_S
            at.append(now)
    assert all(after - earlier >= LEAST_S for earlier, after in pairwise(at))


def test_its_least_fits_beside_the_least_of_those_that_charge() -> None:
    room = Headroom(circuit_id="main", parent_id=None, available_a=(20.0, 4.0, 20.0))
    mine = Request(request_id="mine", circuit_id="main", phases=ALL_PHASES, max_a=16.0)
    other = Request(request_id="other", circuit_id="main", phases=(Phase.L1,), max_a=32.0)
    allocations = allocate([room], [mine, other])
    assert allocations["mine"].limit_a == 0 and allocations["other"].limit_a == 20, "the other has all there is of L1"
    assert not fits([room], [mine, other], allocations, mine, ALL_PHASES), "L2 has 4 A"
    assert fits([room], [mine, other], allocations, mine, (Phase.L1,)), "the other can do with 6 A"
    assert not fits(
        [Headroom(circuit_id="main", parent_id=None, available_a=(11.0, 4.0, 20.0))], [mine, other], allocations, mine, (Phase.L1,)
    )
    power = Headroom(circuit_id="main", parent_id=None, available_a=(20.0, 20.0, 20.0), sum_a=13.0)
    alone = allocate([power], [mine])
    assert not fits([power], [mine], alone, mine, ALL_PHASES) and fits([power], [mine], alone, mine, (Phase.L3,))
