"""What a session has had so far."""

from hypothesis import given, strategies as st
import pytest

from custom_components.headroom.engine.model import Past
from custom_components.headroom.engine.past import after, shortfalls_wh


def test_a_pause_is_from_current_to_none_while_the_car_wants_it() -> None:
    charging = after(Past(), 6.0, refused=True, now=10.0)
    assert (charging.limit_a, charging.changed_at, charging.pauses_at) == (6.0, 10.0, ())
    more = after(charging, 9.0, refused=True, now=20.0)
    assert (more.limit_a, more.changed_at) == (9.0, 10.0)
    paused = after(more, 0.0, refused=True, now=30.0)
    assert (paused.limit_a, paused.changed_at, paused.pauses_at) == (0.0, 30.0, (30.0,))
    assert after(paused, 0.0, refused=True, now=40.0) == paused


def test_what_a_person_switches_off_or_a_car_leaves_is_no_pause() -> None:
    assert after(Past(limit_a=6.0, changed_at=1.0), 0.0, refused=False, now=2.0).pauses_at == ()


def test_pauses_are_forgotten_after_an_hour() -> None:
    assert after(Past(limit_a=6.0, pauses_at=(0.0, 3000.0)), 0.0, refused=True, now=3601.0).pauses_at == (3000.0, 3601.0)


def test_what_one_has_less_than_the_mean_it_is_owed() -> None:
    assert shortfalls_wh({"a": 6000.0, "b": 0.0, "c": 3000.0}, 1800.0) == pytest.approx({"a": -1500.0, "b": 1500.0, "c": 0.0})
    assert shortfalls_wh({}, 5.0) == {}


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 22_000), min_size=1), st.floats(0, 600))
def test_what_some_are_owed_the_others_had(powers_w: dict[str, float], elapsed_s: float) -> None:
    assert sum(shortfalls_wh(powers_w, elapsed_s).values()) == pytest.approx(0.0, abs=1e-6)
