"""When a plan is to be made anew."""

from dataclasses import replace
import sys

import pytest

from custom_components.headroom.engine.blocks import PERIOD_S
from custom_components.headroom.engine.model import ALL_PHASES, Headroom, Need, Past, Phase, Request
from custom_components.headroom.engine.share import Policy
from custom_components.headroom.site.planning import AGAIN_S, Basis, made_of, outdated

NEED = Need(energy_wh=10_000.0, departs_at=9000.0)
CAR = Request(request_id="a", circuit_id="main", phases=ALL_PHASES, max_a=16.0, need=NEED)
ROOM = Headroom(circuit_id="main", parent_id=None, available_a=(40.0, 40.0, 40.0))
BEFORE = Basis(policy=Policy.MOST_CARS_READY, headrooms=[ROOM], requests={"a": CAR}, limits_a={"main": (60.0, 60.0, 60.0)}, asked_at=1000.0)


def after(seconds: float, car: Request = CAR, room: Headroom = ROOM) -> Basis:
    """The same site a while later."""
    return replace(BEFORE, asked_at=1000.0 + seconds, requests={"a": car}, headrooms=[room])


def needing(energy_wh: float | None, departs_at: float | None) -> Request:
    """The car with another need."""
    return replace(CAR, need=Need(energy_wh=energy_wh, departs_at=departs_at))


@pytest.mark.parametrize(
    ("now", "because"),
    [
        (replace(after(1), policy=Policy.MOST_ENERGY), "another policy"),
        (replace(after(1), requests={}), "it has left"),
        (replace(after(1), requests={"a": CAR, "b": replace(CAR, request_id="b")}), "another has come"),
        (replace(after(1), limits_a={"main": (30.0, 30.0, 30.0)}), "a limit from outside"),
        (after(1, replace(CAR, past=Past(arrived_at=999.0))), "another has come in its place"),
        (after(1, needing(10_000.0, 7200.0)), "it leaves earlier"),
        (after(1, needing(14_000.0, 9000.0)), "it needs more"),
        (after(1, needing(5_000.0, 9000.0)), "it needs less than it can have charged since"),
        (after(1, needing(None, 9000.0)), "nobody knows any more"),
        (after(1, needing(10_000.0, None)), "nobody knows any more when it leaves"),
        (after(AGAIN_S, room=replace(ROOM, available_a=(40.0, 30.0, 40.0))), "the building takes a quarter of a phase"),
        (after(AGAIN_S, room=replace(ROOM, sum_a=60.0)), "a power limit has come"),
        (after(AGAIN_S, replace(CAR, weight=2.0)), "a rule gives it more weight"),
        (after(AGAIN_S, replace(CAR, guarantee_a=8.0)), "a rule guarantees it something"),
        (after(AGAIN_S, replace(CAR, phases=(Phase.L1,))), "it turns out to charge on one phase"),
        (after(AGAIN_S, replace(CAR, max_a=10.0)), "it takes less"),
        (after(PERIOD_S), "its period is over"),
    ],
)
def test_a_plan_is_made_anew(now: Basis, because: str) -> None:
    assert outdated(BEFORE, now), because


@pytest.mark.parametrize(
    "now",
    [
        after(PERIOD_S - 1),
        after(200, needing(9_500.0, 9000.0)),
        after(AGAIN_S, room=replace(ROOM, available_a=(38.0, 42.0, 35.0))),
        after(AGAIN_S - 1, room=replace(ROOM, available_a=(20.0, 20.0, 20.0))),
        after(100, replace(CAR, past=Past(limit_a=16.0, short_wh=300.0))),
    ],
)
def test_a_plan_holds_while_only_what_it_reckoned_with_happens(now: Basis) -> None:
    assert not outdated(BEFORE, now)


def test_where_there_is_no_optimum_a_plan_is_made_without_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    scarce = replace(BEFORE, headrooms=[replace(ROOM, available_a=(8.0, 8.0, 8.0))])
    made = made_of(scarce)
    assert made.trouble is None and made.planned["a"].target_a == pytest.approx(8.0)
    monkeypatch.setitem(sys.modules, "highspy", None)
    without = made_of(scarce)
    assert without.trouble is not None and without.planned["a"].target_a == pytest.approx(8.0)
