"""Shadow mode: the loop reckons as if it were obeyed, sends nothing, and says what would have come of it."""

from datetime import UTC, datetime
import math

import pytest

from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.site.config import EvseConfig, EvseKey, Mode, SiteConfig
from custom_components.headroom.site.evse import EvseState
from custom_components.headroom.site.lateness import late
from custom_components.headroom.site.limits import Lease
from custom_components.headroom.site.memory import SiteMemory
from custom_components.headroom.site.session import Session
from custom_components.headroom.site.shadow import _follow
from simulator.virtual import run

from .harness import Place, Scenario, car, scenario, steps

FUSE_A = 100.0
LIMIT_A = 60.0
"""Far below the fuse, so that cars nobody holds back trip nothing."""


def _written(s: Scenario) -> int:
    return sum(len(s.installed(number, purpose)) for number in (1, 2) for purpose in ("TxProfile", "TxDefaultProfile"))


def test_nothing_is_sent_and_the_overload_that_was_is_told_beside_what_would_have_been() -> None:
    async def story() -> None:
        building = steps((0.0, 10.0), (600.0, 30.0))
        places = [Place(car=car(max_a=20.0)), Place(car=car(max_a=20.0))]
        async with scenario(
            *places,
            fuse_a=FUSE_A,
            margin_a=FUSE_A - LIMIT_A,
            mode=Mode.SHADOW,
            building=building,
            over_limit_s=4000.0,
            dead_man_from_s=None,
        ) as s:
            await s.until(590)
            assert [round(draw) for draw in s.draws_a()] == [20, 20]
            assert [s.site.snapshot.evses[s.key(number)].requested_a for number in (1, 2)] == pytest.approx([20.0, 20.0], abs=2.0)
            await s.until(1200)
            assert sum(s.writes()) == _written(s) == 0
            assert [round(draw) for draw in s.draws_a()] == [20, 20], "nobody holds the cars back"
            told = sum(s.site.snapshot.evses[s.key(number)].requested_a or 0.0 for number in (1, 2))
            assert 25 <= told <= 30, "60 A less 30 A of the building"
            text = s.site.snapshot.evses[s.key(1)].reason_text
            assert text.startswith("Shadow mode, nothing is sent. It would be 1") and "Main" in text

            comparison = s.site.snapshot.shadow
            assert comparison is not None
            main = comparison.circuits["main"]
            assert 590 < main.over_limit_s <= 601, "it was at 70 A from the building's step on"
            assert main.would_over_limit_s < 10, "and would have been for a few seconds"
            assert main.highest_a == pytest.approx(70, abs=1)
            took_wh = s.world.recorder.energy_wh
            assert comparison.energy_wh == pytest.approx(took_wh, rel=0.03)
            assert 0.7 * took_wh < comparison.would_energy_wh < 0.92 * took_wh
            assert any(record.document["evses"]["CP1/1"]["told_a"] < 20 for record in s.records.decisions)

    run(story())


def test_a_car_that_would_have_had_less_would_have_gone_on_for_longer() -> None:
    async def story() -> None:
        hour_kwh = 20.0 * 3 * 230 / 1000
        small = car(max_a=20.0, battery_kwh=hour_kwh)
        async with scenario(
            Place(car=small, soc=0.5),
            fuse_a=FUSE_A,
            margin_a=FUSE_A - LIMIT_A,
            mode=Mode.SHADOW,
            building=steps((0.0, 50.0)),
            over_limit_s=8000.0,
            dead_man_from_s=None,
            paced=True,
        ) as s:
            await s.until(2000)
            early = s.site.snapshot.shadow
            assert early is not None and early.would_energy_wh < 0.7 * early.energy_wh, "on paper it had 10 A of its 20"
            await s.until(7000)
            late = s.site.snapshot.shadow
            assert late is not None and late.energy_wh == pytest.approx(s.world.recorder.energy_wh, rel=0.03)
            assert late.would_energy_wh == pytest.approx(late.energy_wh, rel=0.1), "it would have it all by now"

    run(story())


def test_a_cut_that_is_late_in_truth_is_not_late_on_paper() -> None:
    """What was told before shadow mode began may hold at a slow station; the paper one obeys at once."""
    real = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", ready=True, heard=True)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    real.session = Session(transaction_id="1", record_id="1", started_at=at, since=0.0, queued_at=0.0, last_at=at)
    real.cut_since = 10.0
    config = SiteConfig(circuits=(Circuit(circuit_id="main", name="Main", fuse_a=63.0),))
    paper = _follow(None, real, config, 1.0, 100.0)
    assert not late(paper.evse, 100.0)
    paper.evse.cut_since = 99.0
    assert _follow(paper, real, config, 1.0, 101.0).evse.cut_since == 99.0


def test_who_holds_a_short_lease_or_a_steady_share_on_paper_goes_on_with_it_there() -> None:
    """The real one holds neither in shadow mode, so that who is chosen would be chosen anew in each turn."""
    real = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", ready=True, heard=True)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    real.session = Session(transaction_id="1", record_id="1", started_at=at, since=0.0, queued_at=0.0, last_at=at)
    config = SiteConfig(circuits=(Circuit(circuit_id="main", name="Main", fuse_a=63.0),))
    paper = _follow(None, real, config, 1.0, 100.0)
    paper.evse.swinging = paper.evse.held_steady = True
    then = _follow(paper, real, config, 1.0, 101.0).evse
    assert (then.swinging, then.held_steady) == (True, True)


def test_what_a_station_may_hold_from_before_a_restart_holds_nothing_on_paper() -> None:
    real = EvseState(key=EvseKey("CP1", 1), config=EvseConfig(evse_id=1, max_a=32.0), circuit_id="main", ready=True, heard=True)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    real.session = Session(transaction_id="1", record_id="1", started_at=at, since=0.0, queued_at=0.0, last_at=at)
    real.fallback_a = 6.0
    real.recalled = real.found_lease = Lease(transaction_id="1", limit_a=20.0, expires_at=400.0, falls_to_a=16.0)
    paper = _follow(None, real, SiteConfig(circuits=(Circuit(circuit_id="main", name="Main", fuse_a=63.0),)), 1.0, 100.0).evse
    assert (paper.lasting_a, paper.limit_a(100.0), paper.held(100.0)) == (6.0, 6.0, [(6.0, math.inf)])


def test_what_was_compared_outlives_a_restart_and_begins_anew_with_the_mode() -> None:
    async def story() -> None:
        async with scenario(Place(), fuse_a=FUSE_A, mode=Mode.SHADOW, over_limit_s=400.0, dead_man_from_s=None) as s:
            await s.until(200)
            before = s.site.snapshot.shadow
            kept = s.memory()
            assert before is not None and before.energy_wh > 0
            assert SiteMemory.from_document(kept.document()).shadow == kept.shadow
            await s.vanish()
            await s.come_back(kept)
            await s.until(260)
            after = s.site.snapshot.shadow
            assert after is not None and after.since == before.since and after.energy_wh > before.energy_wh
            s.site.set_mode(Mode.DYNAMIC)
            await s.until(300)
            assert s.site.snapshot.shadow is None and s.installed(1, "TxProfile")
            s.site.set_mode(Mode.SHADOW)
            await s.until(320)
            anew = s.site.snapshot.shadow
            assert anew is not None and anew.since > before.since

    run(story())
