"""Which phases a car uses: seen from its currents, and never taken for fewer than it may use."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from custom_components.headroom.csms.values import MeterSample, TerminalValues
from custom_components.headroom.engine.model import ALL_PHASES, NONE_A, Phase
from custom_components.headroom.engine.phase_map import Learnt
from custom_components.headroom.engine.phase_switch import PhaseSwitch
from custom_components.headroom.site.config import EvseConfig, EvseKey
from custom_components.headroom.site.dead_man import installed
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.room import _draw
from custom_components.headroom.site.session import Session
from simulator.virtual import run

from .harness import Place, car, scenario, steps

L1, L2, L3 = ALL_PHASES
BEGAN = datetime(2026, 10, 1, tzinfo=UTC)


def test_a_car_that_begins_on_one_phase_and_goes_on_with_three_is_inside_every_fuse_within_seconds() -> None:
    """Row 16 the other way round: what was one conductor's is three conductors' load from one second to the next."""

    async def story() -> None:
        building = steps((0.0, (4.0, 18.0, 18.0)))
        async with scenario(
            Place(car=car(phases=1)), Place(car=None), fuse_a=32.0, margin_a=2.0, worst_case_a=18.0, building=building, over_limit_s=6.0
        ) as s:
            await s.until(60)
            assert s.draw_a(1) > 13
            one = s.model(1).evses[1]
            assert one.car is not None
            one.car = replace(one.car, phases=3)
            await s.wait(6)
            assert max(s.main_a()) <= 30.0
            # What its station has not told yet is the building's: it is paused for it, and comes back after its rest.
            await s.wait(200)
            assert 5.8 < s.draw_a(1) <= 12.0 and max(s.main_a()) <= 30.0

    run(story())


def test_a_car_that_leaves_two_of_its_phases_frees_them_and_the_third_is_kept_below_the_fuse() -> None:
    async def story() -> None:
        building = steps((0.0, (12.0, 4.0, 4.0)))
        async with scenario(
            Place(), Place(comes_s=20.0), fuse_a=32.0, margin_a=2.0, worst_case_a=18.0, building=building, over_limit_s=6.0
        ) as s:
            await s.until(90)
            one = s.model(1).evses[1]
            assert one.car is not None
            one.car = replace(one.car, phases=1)
            await s.wait(60)
            assert max(s.main_a()) <= 30.0
            assert s.main_a()[0] > 28.0

    run(story())


def charging(current_a: TerminalValues, learnt: Learnt = (), **config: object) -> EvseState:
    """An EVSE whose car has drawn this for a minute."""
    evse = EvseState(
        key=EvseKey("CP1", 1),
        config=EvseConfig(evse_id=1, **config),  # type: ignore[arg-type]
        circuit_id="main",
        ready=True,
        heard=True,
        fallback_a=16.0,
        session=Session(transaction_id="1", record_id="1", started_at=BEGAN, since=0.0, queued_at=0.0, last_at=BEGAN),
        learnt=learnt,
    )
    for now in (10.0, 60.0):
        evse.measure(MeterSample(current_a=current_a), now)
    return evse


ROTATED = (L2, L3, L1)


@pytest.mark.parametrize(
    ("current_a", "conductors", "measured_a"),
    [
        ((16.0, 0.0, 0.0), (L2,), (0.0, 16.0, 0.0)),
        ((16.0, 15.0, 0.0), (L2, L3), (0.0, 16.0, 15.0)),
        ((0.0, 0.0, 16.0), (L1,), (16.0, 0.0, 0.0)),
        ((16.0, 15.0, 14.0), (L1, L2, L3), (14.0, 16.0, 15.0)),
        ((16.0, None, None), (L1, L2, L3), (16.0, 16.0, 16.0)),
        ((None, None, None), (L1, L2, L3), (0.0, 0.0, 0.0)),
    ],
)
def test_terminals_are_put_on_the_conductors_behind_them(
    current_a: TerminalValues, conductors: tuple[Phase, ...], measured_a: tuple[float, float, float]
) -> None:
    evse = charging(current_a, grid_phases=ROTATED)
    assert {*evse.grid_phases()} == {*conductors}
    assert evse.measured_per_phase() == measured_a


@pytest.mark.parametrize(
    ("learnt", "current_a", "conductors", "measured_a"),
    [
        ((), (16.0, 0.0, 0.0), (L1, L2, L3), (16.0, 16.0, 16.0)),
        ((L2, None, None), (16.0, 0.0, 0.0), (L2,), (0.0, 16.0, 0.0)),
        # What the second terminal carries is on one of the others, not on the first one's.
        ((L2, None, None), (16.0, 15.0, 0.0), (L1, L2, L3), (15.0, 16.0, 15.0)),
        ((None, None, L3), (16.0, 15.0, 0.0), (L1, L2), (16.0, 16.0, 0.0)),
        ((L2, L3, L1), (16.0, 15.0, 0.0), (L2, L3), (0.0, 16.0, 15.0)),
    ],
)
def test_where_nobody_said_what_is_learnt_counts_and_the_rest_is_anywhere(
    learnt: Learnt, current_a: TerminalValues, conductors: tuple[Phase, ...], measured_a: tuple[float, float, float]
) -> None:
    evse = charging(current_a, learnt, rotation_known=False)
    assert {*evse.grid_phases()} == {*conductors}
    assert evse.measured_per_phase() == measured_a
    assert {*evse.rated_phases} == {L1, L2, L3}, "any car may come"


def test_a_map_that_was_proven_wrong_counts_for_nothing() -> None:
    evse = charging((16.0, 0.0, 0.0), (L3, None, None), grid_phases=ROTATED)
    assert evse.contradicted
    assert {*evse.grid_phases()} == {*evse.rated_phases} == {L1, L2, L3}
    assert evse.measured_per_phase() == (16.0, 16.0, 16.0)
    draw = _draw(evse, 60.0)
    assert draw is not None and draw.low_a == NONE_A, "any conductor may be free of it"


def test_one_terminal_of_which_nobody_knows_counts_everywhere_until_it_is_learnt() -> None:
    assert {*charging((16.0, None, None), grid_phases=(L1,), rotation_known=False).rated_phases} == {L1, L2, L3}
    learnt = charging((16.0, None, None), (L3,), grid_phases=(L1,), rotation_known=False)
    assert learnt.rated_phases == learnt.grid_phases() == (L3,)
    assert learnt.measured_per_phase() == (0.0, 0.0, 16.0)


@pytest.mark.parametrize("current_a", [(32.0, None, None), (32.0, 0.0, 0.0), (32.0, 32.0, 0.0)])
def test_a_car_between_two_legs_loads_both_whatever_its_station_calls_them(current_a: TerminalValues) -> None:
    evse = charging(current_a, grid_phases=(L1, L2), conductors=(L1, L2), between_legs=True)
    assert evse.grid_phases() == evse.rated_phases == (L1, L2)
    assert evse.measured_per_phase() == (32.0, 32.0, 0.0)
    assert not evse.learns_wiring


def test_a_car_falls_back_on_the_conductors_it_was_seen_on_and_one_that_was_switched_on_all() -> None:
    async def story() -> None:
        async with scenario(Place(car=car(phases=1)), Place()) as s:
            await s.until(60)
            evse = s.site._evses[EvseKey("CP1", 1)]
            held = installed(evse, s.time_s)
            fallback_a = max(held.fallback_a)
            assert fallback_a >= 6.0 and held.fallback_a == (fallback_a,) * 3, "whoever comes next may load all three"
            assert held.lapsed_a == (fallback_a, 0.0, 0.0)
            evse.phase_switch = PhaseSwitch(on_one=True)
            assert installed(evse, s.time_s).lapsed_a is None, "the lease alone keeps it on one"

    run(story())
