"""What is learnt of a car from what it draws."""

from custom_components.headroom.engine.demand import Demand, observe


def after(demand: Demand, current_a: tuple[float, ...], limit_a: float, held_s: float = 30.0, drawing_s: float = 30.0) -> Demand:
    return observe(demand, current_a=current_a, limit_a=limit_a, limit_held_s=held_s, drawing_s=drawing_s)


def test_a_car_that_leaves_current_unused_gets_a_ceiling_just_above_its_draw() -> None:
    assert after(Demand(), (15.8, 15.7, 15.8), 32.0).ceiling_a == 17.0


def test_a_car_that_follows_its_limit_has_no_ceiling() -> None:
    assert after(Demand(), (31.4, 31.4, 31.4), 32.0).ceiling_a is None


def test_a_car_is_given_time_to_ramp_and_more_to_wake() -> None:
    assert after(Demand(), (8.0, 8.0, 8.0), 32.0, held_s=5.0).ceiling_a is None
    assert after(Demand(), (0.0, 0.0, 0.0), 32.0, held_s=30.0).ceiling_a is None
    assert after(Demand(), (0.0, 0.0, 0.0), 32.0, held_s=61.0).ceiling_a == 6.0


def test_an_on_board_limit_stays_put() -> None:
    demand = Demand()
    for _ in range(20):
        demand = after(demand, (15.9, 0.0, 0.0), demand.ceiling_a or 32.0)
    assert demand.ceiling_a == 17.0


def test_a_ceiling_rises_with_a_car_that_wants_more() -> None:
    demand = Demand(ceiling_a=8.0)
    limits = []
    for _ in range(5):
        limit_a = min(32.0, demand.ceiling_a or 32.0)
        limits.append(limit_a)
        demand = after(demand, (0.99 * limit_a,) * 3, limit_a)
    assert limits[-1] == 32.0


def test_a_ceiling_does_not_rise_where_the_site_gives_less() -> None:
    assert after(Demand(ceiling_a=20.0), (9.9, 9.9, 9.9), 10.0) == Demand(ceiling_a=20.0, terminals=frozenset({0, 1, 2}))


def test_a_one_phase_car_on_three_phases_is_found_out_and_a_second_phase_is_believed_at_once() -> None:
    demand = after(Demand(), (16.0, 0.1, 0.0), 16.0)
    assert demand.terminals == frozenset({0})
    assert after(demand, (12.0, 12.0, 0.0), 16.0, held_s=0.0).terminals == frozenset({0, 1})


def test_phases_are_not_judged_while_the_car_ramps() -> None:
    assert after(Demand(), (2.0, 0.0, 0.0), 16.0).terminals is None
    assert after(Demand(), (16.0, 0.0, 0.0), 16.0, drawing_s=1.0).terminals is None


def test_phases_are_learnt_while_the_limit_keeps_changing() -> None:
    assert after(Demand(), (9.8, 0.0, 0.0), 10.0, held_s=0.5, drawing_s=4.0).terminals == frozenset({0})


def test_a_sample_that_leaves_a_terminal_out_tells_nothing_of_phases() -> None:
    assert after(Demand(terminals=frozenset({0})), (16.0, None, None), 16.0).terminals is None


def test_a_car_that_takes_all_of_a_limit_below_its_ceiling_shows_nothing_new() -> None:
    """Its ceiling went up at each limit of 16 A else, and it was told half as much again for as long as it took to see that it does not take that."""
    known = Demand(ceiling_a=17.0, terminals=frozenset({0, 1, 2}))
    for limit_a, draw_a in ((12.0, 11.8), (16.0, 15.7), (17.0, 16.0)):
        assert observe(known, current_a=(draw_a,) * 3, limit_a=limit_a, limit_held_s=60.0, drawing_s=600.0).ceiling_a == 17.0
    more = observe(known, current_a=(16.6,) * 3, limit_a=17.0, limit_held_s=60.0, drawing_s=600.0)
    assert more.ceiling_a is not None and more.ceiling_a > 17.0
