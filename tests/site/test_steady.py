"""Which words ask for no turn: one more sample of a car that goes on as before, and a lease that was renewed with its limit."""

from dataclasses import replace

from custom_components.headroom.csms.events import Metered
from custom_components.headroom.csms.values import MeterSample, TerminalValues
from custom_components.headroom.site.evse_facts import Problem
from simulator.virtual import run

from .harness import Place, Scenario, scenario, steps


def asks_for_a_turn(s: Scenario, current_a: TerminalValues) -> bool:
    """Tell whether a sample asks for one."""
    s.site._woken.clear()
    s.site.handle("CP1", Metered(evse_id=1, samples=(MeterSample(current_a=current_a),)))
    return s.site._woken.is_set()


def test_one_more_sample_of_a_steady_car_asks_for_no_turn_and_is_taken_in() -> None:
    async def story() -> None:
        async with scenario(Place(), building=steps((0.0, 3.0))) as s:
            await s.until(60.2)
            evse = s.evse(1)
            state = next(iter(s.site._evses.values()))
            assert evse.current_a[0] and evse.current_a[0] > 10
            l1, l2, l3 = evse.current_a
            assert l1 is not None and l2 is not None and l3 is not None
            assert not asks_for_a_turn(s, (l1, l2, l3))
            assert not asks_for_a_turn(s, (l1 - 0.1, l2, l3 - 0.1))
            assert (state.current_a, state.measured_at) == ((l1 - 0.1, l2, l3 - 0.1), s.time_s)
            assert asks_for_a_turn(s, (l1 - 2.0, l2, l3)), "it draws otherwise"
            assert asks_for_a_turn(s, (l1, l2, l3))
            assert not asks_for_a_turn(s, (l1, l2, l3))
            state.problem = Problem.DISOBEDIENT
            assert asks_for_a_turn(s, (l1, l2, l3)), "what it draws is what the next step waits for"
            state.problem = None
            s.site._dead_man.health = replace(s.site._dead_man.health, holds=None)
            assert asks_for_a_turn(s, (l1, l2, l3)), "the rule is not known to hold"

    run(story())


def test_a_lease_that_goes_on_asks_for_no_turn_unless_a_raise_waits_for_it() -> None:
    async def story() -> None:
        async with scenario(Place(), building=steps((0.0, 3.0))) as s:
            await s.until(60.2)
            state, turn = next(iter(s.site._evses.values())), s.site._newest
            assert turn is not None
            s.site._woken.clear()
            s.site.renewed(state, 0.1)
            assert not s.site._woken.is_set()
            s.site._newest = replace(turn, leases=replace(turn.leases, tight=True))
            s.site.renewed(state, 0.1)
            assert s.site._woken.is_set()
            s.site._newest = turn
            s.site._woken.clear()
            s.site.confirmed(state, 0.1)
            assert s.site._woken.is_set()

    run(story())
