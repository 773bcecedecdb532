"""Whether the parts of a circuit make up what its own meter shows."""

from collections.abc import Sequence

import pytest

from custom_components.headroom.metering.agreement import Agreement, Disagreement, Shown, Suspicion, compare

type Amps = tuple[float, float, float]


def shown(key: str, *current_a: float, at: float = 0.0) -> Shown:
    l1, l2, l3 = current_a
    return Shown(key=key, current_a=(l1, l2, l3), taken_at=at)


def after(
    seconds: int,
    whole: Amps,
    *parts: Amps,
    before: Agreement | None = None,
    start: float = 0.0,
    generation_a: Amps | None = (0.0, 0.0, 0.0),
    complete: bool = False,
) -> Agreement:
    """Show the same for so long, a turn each second, each meter read half a second ago."""
    state = Agreement() if before is None else before
    for second in range(seconds + 1):
        now = start + second
        state = compare(
            state,
            shown("house", *whole, at=now - 0.5),
            [shown(f"part{number}", *part, at=now - 0.5) for number, part in enumerate(parts, start=1)],
            now,
            generation_a=generation_a,
            complete=complete,
        )
    return state


def found(state: Agreement) -> Disagreement:
    assert state.found is not None
    return state.found


@pytest.mark.parametrize(
    ("whole", "parts"),
    [
        ((30.0, 20.0, 10.0), ((16.0, 16.0, 0.0),)),  # the rest of the house draws besides
        ((16.0, 16.0, 0.0), ((16.0, 16.0, 0.0),)),
        ((31.0, 31.0, 31.0), ((16.0, 16.0, 16.0), (17.0, 17.0, 17.0))),  # accuracies
        ((-20.0, 0.0, 0.0), ((-20.0, 0.0, 0.0),)),  # a part that feeds in
    ],
)
def test_parts_that_make_up_no_more_than_the_whole_agree(whole: Amps, parts: Sequence[Amps]) -> None:
    assert after(600, whole, *parts).found is None


def test_parts_that_draw_more_than_the_whole_disagree_after_a_minute() -> None:
    assert after(59, (10.0, 10.0, 10.0), (16.0, 16.0, 16.0)).found is None
    one = found(after(60, (10.0, 10.0, 8.0), (16.0, 16.0, 16.0)))
    assert (one.phase, one.whole_a, one.parts_a, one.since) == (3, 8.0, 16.0, 0.0)
    assert one.excess_a == pytest.approx(8.0 - 1.5 - 0.1 * 12.0)


def test_a_moments_mismatch_is_none() -> None:
    """A car ramps up, and its own meter is read before the house's."""
    state = after(50, (10.0, 0.0, 0.0), (16.0, 0.0, 0.0))
    state = after(0, (20.0, 0.0, 0.0), (16.0, 0.0, 0.0), before=state, start=51)
    assert after(50, (10.0, 0.0, 0.0), (16.0, 0.0, 0.0), before=state, start=52).found is None


def test_it_is_over_when_they_have_agreed_for_a_minute() -> None:
    state = after(60, (10.0, 0.0, 0.0), (16.0, 0.0, 0.0))
    state = after(59, (20.0, 0.0, 0.0), (16.0, 0.0, 0.0), before=state, start=61)
    assert state.found is not None
    assert after(1, (20.0, 0.0, 0.0), (16.0, 0.0, 0.0), before=state, start=121).found is None


def test_generation_nobody_measures_may_feed_the_parts() -> None:
    assert after(60, (2.0, 0.0, 0.0), (16.0, 0.0, 0.0), generation_a=(16.0, 0.0, 0.0)).found is None
    assert after(60, (2.0, 0.0, 0.0), (16.0, 0.0, 0.0), generation_a=None).found is None
    assert after(60, (0.0, 0.0, 0.0), (32.0, 0.0, 0.0), generation_a=(16.0, 0.0, 0.0)).found is not None


def test_an_old_reading_of_the_whole_compares_nothing() -> None:
    state = after(59, (10.0, 0.0, 0.0), (16.0, 0.0, 0.0))
    stale = compare(state, shown("house", 10.0, 0.0, 0.0, at=40.0), [shown("part1", 16.0, 0.0, 0.0, at=60.0)], 60.0)
    assert (stale.found, stale.apart_since) == (None, None)


def each_so_often(every_s: int, seconds: int, whole: Amps, *parts: Amps, before: Agreement | None = None, start: int = 0) -> Agreement:
    """Show the same for so long, a turn each second: the whole is read each time, and the parts each so often, the first one always."""
    state = Agreement() if before is None else before
    for now in range(start, start + seconds + 1):
        told_at = now - now % every_s
        shows = [shown(f"part{number}", *part, at=told_at if number > 1 else now) for number, part in enumerate(parts, start=1)]
        state = compare(state, shown("house", *whole, at=now), shows, now)
    return state


def test_an_old_reading_of_a_part_keeps_nobody_else_from_accusing() -> None:
    house, car, other = (10.0, 0.0, 0.0), (16.0, 0.0, 0.0), (6.0, 0.0, 0.0)
    state = each_so_often(600, 100, house, car, other)
    assert (found(state).since, found(state).parts_a) == (0.0, 16.0), "the other one was told long ago, and is left out"


def test_parts_that_speak_seldom_accuse_by_what_they_tell_each_time() -> None:
    house, car, seldom = (10.0, 0.0, 0.0), (6.0, 0.0, 0.0), (16.0, 0.0, 0.0)
    assert found(each_so_often(30, 60, house, car, seldom)).since == 0.0
    state = each_so_often(600, 590, house, car, seldom)
    assert state.found is None, "one moment is not enough, and an old reading accuses nobody"


def test_parts_that_speak_seldom_agree_once_all_did_for_as_long() -> None:
    car, seldom = (6.0, 0.0, 0.0), (16.0, 0.0, 0.0)
    state = each_so_often(30, 60, (10.0, 0.0, 0.0), car, seldom)
    assert each_so_often(30, 50, (10.0, 0.0, 0.0), car, seldom, before=state, start=61).found is not None
    state = each_so_often(30, 59, (24.0, 0.0, 0.0), car, seldom, before=state, start=61)
    assert state.found is not None
    assert each_so_often(30, 1, (24.0, 0.0, 0.0), car, seldom, before=state, start=121).found is None


def test_a_part_that_has_fallen_silent_agrees_with_nothing() -> None:
    state = each_so_often(30, 60, (10.0, 0.0, 0.0), (6.0, 0.0, 0.0), (16.0, 0.0, 0.0))
    assert each_so_often(9000, 600, (24.0, 0.0, 0.0), (6.0, 0.0, 0.0), (16.0, 0.0, 0.0), before=state, start=61).found is not None


def test_a_part_that_may_feed_in_is_waited_for() -> None:
    state = Agreement()
    for now in range(300):
        roof = Shown(key="roof", current_a=(-8.0, 0.0, 0.0), taken_at=now - now % 30, feeds_in=True)
        state = compare(state, shown("house", 8.0, 0.0, 0.0, at=now), [shown("car", 16.0, 0.0, 0.0, at=now), roof], now)
    assert state.found is None, "what the car draws came from there"


def test_a_whole_of_nothing_but_its_parts_may_not_show_more_either() -> None:
    assert after(60, (30.0, 0.0, 0.0), (16.0, 0.0, 0.0)).found is None
    one = found(after(60, (30.0, 0.0, 0.0), (16.0, 0.0, 0.0), complete=True))
    assert (one.phase, one.excess_a) == (1, pytest.approx(14.0 - 1.5 - 2.3))


def test_a_part_on_other_phases_is_suspected_of_just_that() -> None:
    one = found(after(60, (4.0, 18.0, 10.0), (16.0, 0.0, 0.0), (0.0, 0.0, 6.0)))
    assert (one.suspect, one.suspicion) == ("part1", Suspicion.ROTATED)


def test_a_part_that_hangs_elsewhere_is_suspected() -> None:
    one = found(after(60, (9.0, 9.0, 9.0), (16.0, 16.0, 16.0), (8.0, 8.0, 8.0)))
    assert (one.suspect, one.suspicion) == ("part1", Suspicion.ELSEWHERE)


def test_pv_that_is_counted_as_a_load_is_suspected_of_its_sign() -> None:
    one = found(after(60, (-12.0, -12.0, -12.0), (16.0, 16.0, 16.0), (4.0, 4.0, 4.0)))
    assert (one.suspect, one.suspicion) == ("part1", Suspicion.INVERTED)


def test_where_two_parts_could_be_it_nobody_is_accused() -> None:
    one = found(after(60, (4.0, 4.0, 4.0), (16.0, 16.0, 16.0), (16.0, 16.0, 16.0)))
    assert (one.suspect, one.suspicion) == (None, None), "one of them absent is not enough: it may be the whole's meter"
    one = found(after(60, (16.0, 16.0, 16.0), (16.0, 16.0, 16.0), (16.0, 16.0, 16.0)))
    assert (one.suspect, one.suspicion) == (None, None)


def test_a_found_one_that_lasts_keeps_its_beginning() -> None:
    state = after(300, (10.0, 0.0, 0.0), (16.0, 0.0, 0.0))
    assert found(state).since == 0.0
