"""The sessions that policies are scored on: the same ones each time, and cut as the published comparison cuts them."""

from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.allocation.simulated.sessions import CC_POD, MOST_KW, STATIONS, TUNING_DAYS, Visit, crowd, generate, moved, prepare, read
from benchmarks.allocation.simulated.sites import caltech, europe

CALTECH_KW = dict.fromkeys(STATIONS, MOST_KW)


def test_a_seed_draws_the_same_month_each_time() -> None:
    assert generate(seed=1) == generate(seed=1)
    assert generate(seed=1) != generate(seed=2)


def test_the_drawn_month_resembles_caltechs() -> None:
    sessions = prepare(generate(), CALTECH_KW)
    energy_kwh = sum(session.need_kwh for session in sessions)
    in_the_morning = sum(7 * 12 <= session.arrival % 288 < 12 * 12 for session in sessions)
    assert 850 <= len(sessions) <= 1050
    assert 8000 <= energy_kwh <= 9800
    assert 0.5 <= in_the_morning / len(sessions) <= 0.7
    assert {session.station for session in sessions} == {*STATIONS}
    assert all(session.arrival < session.departure <= session.arrival + 144 for session in sessions)


@pytest.mark.parametrize("visits", [generate(), moved(generate(), europe().most_kw())])
def test_no_two_cars_share_a_station(visits: list[Visit]) -> None:
    sessions = prepare(visits, {**CALTECH_KW, **europe().most_kw()})
    for station in {session.station for session in sessions}:
        stays = sorted((session.arrival, session.departure) for session in sessions if session.station == station)
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(stays))


def test_stays_and_requests_are_cut_as_published() -> None:
    visits = [
        Visit(380.0, 460.0, 4.216, "CA-315"),
        Visit(0.0, 2000.0, 500.0, "CA-321"),  # stays twelve hours, and gets what they can deliver
        Visit(301.0, 304.0, 1.0, "CA-319"),  # never sees a whole period
    ]
    short_stay, long_stay = prepare(visits, CALTECH_KW)
    assert (short_stay.arrival, short_stay.departure, short_stay.need_kwh) == (76, 92, 4.216)
    assert (long_stay.arrival, long_stay.departure) == (0, 144)
    assert long_stay.need_kwh == pytest.approx(12 * 6.656)


def test_days_are_split_into_those_to_tune_on_and_those_to_score_on() -> None:
    visits = generate()
    tuned, scored = (prepare(visits, CALTECH_KW, days=days) for days in ("tune", "score"))
    assert [*tuned, *scored] == prepare(visits, CALTECH_KW)
    assert max(session.day for session in tuned) < TUNING_DAYS <= min(session.day for session in scored)


def test_noise_changes_what_is_told_of_a_departure_and_nothing_else() -> None:
    visits = generate(days=3)
    for plain, noisy in zip(prepare(visits, CALTECH_KW), prepare(visits, CALTECH_KW, noise_min=45), strict=True):
        assert (plain.arrival, plain.departure, plain.need_kwh) == (noisy.arrival, noisy.departure, noisy.need_kwh)
        assert plain.expected_departure == plain.departure
        assert noisy.expected_departure > noisy.arrival
        assert abs(noisy.expected_departure - noisy.departure) <= 9
    assert prepare(visits, CALTECH_KW, noise_min=45) == prepare(visits, CALTECH_KW, noise_min=45)


def test_visits_are_read_from_a_file_of_acn_data(tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_text("arrival_min,departure_min,requested_kwh,station,max_kw\n380,460,4.216,CA-315,6.6\n", encoding="utf-8")
    assert read(file) == [Visit(380.0, 460.0, 4.216, "CA-315")]


def test_a_crowd_is_there_all_the_time() -> None:
    stations = [*caltech(50.0, copies=10).stations]
    sessions = crowd(stations, 500, periods=3, seed=1)
    assert len({session.station for session in sessions}) == 500
    assert {(session.arrival, session.departure) for session in sessions} == {(0, 3)}
    assert all(session.need_kwh > 3 * MOST_KW * 5 / 60 and session.expected_departure > 3 for session in sessions)


def test_the_sites_are_the_published_garage_and_a_european_tree() -> None:
    garage, tree = caltech(30.0), europe()
    assert len(garage.stations) == len(STATIONS) == 54
    assert garage.stations[CC_POD[0]].steps_a == [0, 8, 16, 24, 32]
    assert garage.stations["CA-303"].steps_a == [0, *range(6, 33)]
    assert len(tree.stations) == 50
    assert {len(station.phases) for station in tree.stations.values()} == {1, 3}
    assert (tree.most_kw()["E00"], tree.most_kw()["E01"]) == pytest.approx((7.36, 11.04))
