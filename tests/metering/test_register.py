"""A register that stands still under load gives a frozen meter away, and one that is only coarse or rarely read does not."""

from collections.abc import Callable

import pytest

from custom_components.headroom.metering.reading import Reading
from custom_components.headroom.metering.register import Register, follow


def reading(at: float, current_a: float, import_wh: float | None) -> Reading:
    return Reading(current_a=(current_a, current_a, current_a), taken_at=at, source="meter", import_wh=import_wh)


def lived(until: int, current_a: float, *, step_wh: float, every_s: int, register: Register | None = None, start: int = 0) -> Register:
    """A meter that counts in steps and whose register is read so often."""
    shown = 0.0
    for at in range(start, until):
        if at % every_s == 0:
            true_wh = 3 * 230 * current_a * at / 3600
            shown = true_wh - true_wh % step_wh
        register = follow(register, reading(float(at), current_a, shown), 230.0)
        assert register is not None and not register.stuck, at
    assert register is not None
    return register


def frozen_after_s(register: Register, current_a: float, noise_a: float = 0.0) -> float:
    """For how long it repeats itself until that is found."""
    start = register.seen_at
    for second in range(1, 3600):
        shown = current_a + (noise_a if second % 2 else -noise_a)
        following = follow(register, reading(start + second, shown, register.import_wh), 230.0)
        assert following is not None
        register = following
        if register.stuck:
            return float(second)
    return float("inf")


@pytest.mark.parametrize(("step_wh", "every_s", "at_most_s"), [(1.0, 1, 14), (10.0, 1, 15), (100.0, 1, 40), (1.0, 10, 30), (100.0, 10, 45)])
def test_a_full_house_that_freezes_is_found_within_seconds(step_wh: float, every_s: int, at_most_s: float) -> None:
    register = lived(600, 61.0, step_wh=step_wh, every_s=every_s)
    assert frozen_after_s(register, 61.0) <= at_most_s


def test_a_house_at_rest_takes_longer_and_endangers_nobody() -> None:
    register = lived(3600, 1.0, step_wh=10.0, every_s=1)
    assert 60 < frozen_after_s(register, 1.0) < 1200


def test_a_jump_of_the_load_is_no_sign() -> None:
    register = lived(3600, 0.5, step_wh=100.0, every_s=10)
    lived(4200, 250.0, step_wh=100.0, every_s=10, register=register, start=3600)


def test_currents_that_move_are_alive_whatever_the_register_does() -> None:
    register = lived(600, 61.0, step_wh=1.0, every_s=1)
    assert frozen_after_s(register, 61.0, noise_a=0.4) == float("inf")


def test_a_register_that_never_counted_accuses_nobody() -> None:
    register = follow(None, reading(0.0, 61.0, 0.0), 230.0)
    assert register is not None and frozen_after_s(register, 61.0) == float("inf")
    assert follow(register, reading(1.0, 61.0, None), 230.0) is None


def test_a_meter_that_was_changed_begins_anew() -> None:
    register = lived(600, 61.0, step_wh=1.0, every_s=1)
    changed = follow(register, reading(600.0, 61.0, 3.0), 230.0)
    assert changed is not None and (changed.steps, changed.owed_wh) == (0, 0.0)


def counted(until: int, current_a: Callable[[int], float], *, step_wh: float, every_s: int) -> Register:
    """The same under a load that changes: `lived` counts as if what is drawn had been drawn always."""
    register, true_wh, shown_wh = None, 0.0, 0.0
    for at in range(until):
        true_wh += 3 * 230 * current_a(at) / 3600
        if at % every_s == 0:
            shown_wh = true_wh - true_wh % step_wh
        register = follow(register, reading(float(at), current_a(at), shown_wh), 230.0)
        assert register is not None and not register.stuck, at
    assert register is not None
    return register


def test_a_register_that_is_told_once_a_minute_accuses_nobody() -> None:
    """As Shelly's are, whose currents are told every second: a car begins just before it counts, and draws what it draws."""
    register = counted(3600, lambda at: 0.4 if at < 600 else 0.8 if at < 1198 else 16.8, step_wh=0.01, every_s=60)
    assert frozen_after_s(register, 16.8) <= 190


def test_a_coarse_register_that_counts_rarely_at_rest_is_still_read_often() -> None:
    register = counted(3900, lambda at: 0.1 if at < 3600 else 61.0, step_wh=10.0, every_s=1)
    assert frozen_after_s(register, 61.0) <= 40


def test_what_went_by_while_nobody_looked_is_no_step() -> None:
    register = lived(600, 61.0, step_wh=10.0, every_s=1)
    after = follow(register, reading(4200.0, 61.0, register.import_wh + 42_000.0), 230.0)
    assert after is not None and frozen_after_s(after, 61.0) <= 40
