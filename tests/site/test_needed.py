"""Whose word counts of what a session needs: the driver's, else the car's, else what is usual, energy and departure each by themselves."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.csms.needs import EvNeeds
from custom_components.headroom.site.habits import Usual
from custom_components.headroom.site.needs import Needed, Source, car_energy_wh, needed
from custom_components.headroom.site.session import Session
from custom_components.headroom.site.wish import Wish, kept

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)
NOW_S = 1000.0


def hours(number: float) -> datetime:
    return NOW + timedelta(hours=number)


def session(needs: EvNeeds | None = None, needs_from_wh: float = 0.0) -> Session:
    return Session(
        transaction_id="tx",
        record_id="tx",
        started_at=NOW,
        since=NOW_S,
        queued_at=NOW_S,
        last_at=NOW,
        needs=needs,
        needs_from_wh=needs_from_wh,
    )


def car(**said: object) -> EvNeeds:
    return EvNeeds(evse_id=1, transaction_id="tx", mode="DC", **said)  # type: ignore[arg-type]


def found(
    *, wish: Wish | None = None, of: Session | None = None, had_wh: float = 0.0, soc_pct: float | None = None, usual: Usual = Usual()
) -> Needed:
    return needed(wish=wish, session=of or session(), had_wh=had_wh, soc_pct=soc_pct, usual=usual, utcnow=NOW, now=NOW_S)


@pytest.mark.parametrize(
    ("needs", "wanted_wh"),
    [
        (car(), None),
        (car(energy_wh=9000.0), 9000),
        (car(energy_wh=9000.0, capacity_wh=60_000.0, soc_pct=10.0), 9000),
        (car(capacity_wh=60_000.0, soc_pct=40.0), 36_000),
        (car(capacity_wh=60_000.0, soc_pct=40.0, full_soc_pct=80.0), 24_000),
        (car(capacity_wh=60_000.0, soc_pct=90.0, full_soc_pct=80.0), 0),
        (car(capacity_wh=60_000.0), None),
        (car(soc_pct=40.0), None),
    ],
)
def test_what_a_car_wants_is_told_by_its_energy_or_by_its_battery(needs: EvNeeds, wanted_wh: float | None) -> None:
    assert car_energy_wh(needs) == (None if wanted_wh is None else pytest.approx(wanted_wh))


def test_each_word_counts_for_what_it_says() -> None:
    usual = Usual(departs_at=hours(9), energy_wh=20_000.0)
    said = found(wish=Wish(departs_at=hours(3)), of=session(car(energy_wh=7000.0)), usual=usual)
    assert (said.need.energy_wh, said.energy_source) == (7000, Source.CAR)
    assert (said.need.departs_at, said.departure_source) == (NOW_S + 3 * 3600, Source.DRIVER)
    said = found(wish=Wish(energy_wh=1000.0), of=session(car(departure_at=hours(2))), usual=usual)
    assert (said.need.energy_wh, said.energy_source) == (1000, Source.DRIVER)
    assert (said.need.departs_at, said.departure_source) == (NOW_S + 2 * 3600, Source.CAR)
    said = found(usual=usual, had_wh=5000.0)
    assert (said.need.energy_wh, said.energy_source) == (15_000, Source.HABIT)
    assert (said.need.departs_at, said.departure_source) == (NOW_S + 9 * 3600, Source.HABIT)
    assert found() == Needed()


def test_a_word_that_has_passed_means_now_and_a_habit_that_has_passed_means_nothing() -> None:
    assert found(wish=Wish(departs_at=hours(-1))).need.departs_at == NOW_S - 3600
    assert found(of=session(car(departure_at=hours(-1)))).need.departs_at == NOW_S - 3600
    assert found(usual=Usual(departs_at=hours(-1))).need.departs_at is None
    assert found(wish=Wish(energy_wh=100.0), had_wh=200.0).need.energy_wh == 0
    assert found(usual=Usual(energy_wh=100.0), had_wh=200.0).need.energy_wh is None


def test_a_measured_state_of_charge_is_newer_than_a_word() -> None:
    wish, of = Wish(state_of_charge=0.5), session(car(soc_pct=30.0))
    assert found(wish=wish, of=of, soc_pct=61.0).need.state_of_charge == 0.61
    assert found(wish=wish, of=of).need.state_of_charge == 0.5
    assert found(of=of).need.state_of_charge == 0.3


energy = st.floats(0, 200_000)


@given(wanted_wh=energy, from_wh=energy, had_wh=energy, more_wh=energy, by_car=st.booleans())
def test_what_is_still_to_come_only_falls_and_never_below_nothing(
    wanted_wh: float, from_wh: float, had_wh: float, more_wh: float, by_car: bool
) -> None:
    wish = None if by_car else Wish(energy_wh=wanted_wh, from_wh=from_wh)
    of = session(car(energy_wh=wanted_wh), from_wh) if by_car else session()
    before, after = (found(wish=wish, of=of, had_wh=taken_wh).need.energy_wh for taken_wh in (had_wh, had_wh + more_wh))
    assert before is not None and after is not None
    assert 0 <= after <= before <= wanted_wh
    assert found(wish=wish, of=of, had_wh=from_wh).need.energy_wh == wanted_wh, "it counts from when it was said"


@given(lag_s=st.floats(-0.9, 0.9), said_h=st.floats(-5, 20))
def test_the_moment_of_departure_does_not_waver_with_the_clocks_but_follows_a_jump(lag_s: float, said_h: float) -> None:
    first = found(wish=Wish(departs_at=hours(said_h)))
    later = needed(
        wish=Wish(departs_at=hours(said_h)),
        session=session(),
        had_wh=0,
        soc_pct=None,
        usual=Usual(),
        utcnow=NOW + timedelta(seconds=60),
        now=NOW_S + 60 + lag_s,
        before=first,
    )
    assert later.need.departs_at == first.need.departs_at
    jumped = needed(
        wish=Wish(departs_at=hours(said_h)),
        session=session(),
        had_wh=0,
        soc_pct=None,
        usual=Usual(),
        utcnow=NOW + timedelta(hours=1),
        now=NOW_S,
        before=first,
    )
    assert jumped.need.departs_at == pytest.approx((first.need.departs_at or 0) - 3600)


@pytest.mark.parametrize(
    ("wish", "runs", "over", "left"),
    [
        (Wish(energy_wh=1.0), None, True, Wish(energy_wh=1.0)),
        (Wish(energy_wh=1.0), "tx", False, Wish(energy_wh=1.0, session="tx")),
        (Wish(energy_wh=1.0, session="tx"), "tx", False, Wish(energy_wh=1.0, session="tx")),
        (Wish(energy_wh=1.0, session="tx"), "other", False, None),
        (Wish(energy_wh=1.0, session="tx"), None, True, None),
        (Wish(energy_wh=1.0, session="tx"), None, False, Wish(energy_wh=1.0, session="tx")),
        (Wish(energy_wh=1.0, departs_at=hours(-1)), None, True, Wish(energy_wh=1.0)),
        (Wish(energy_wh=1.0, departs_at=hours(-1), session="tx"), "tx", False, Wish(energy_wh=1.0, departs_at=hours(-1), session="tx")),
        (None, "tx", False, None),
    ],
)
def test_a_wish_is_for_one_session(wish: Wish | None, runs: str | None, over: bool, left: Wish | None) -> None:
    assert kept(wish, runs, over=over, utcnow=NOW) == left
    if wish is not None:
        assert Wish.from_document(wish.document()) == wish
