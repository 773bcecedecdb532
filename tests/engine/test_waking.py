"""When a car is taken for asleep, and how often it is woken."""

from dataclasses import replace
import math

from hypothesis import given, strategies as st

from custom_components.headroom.engine.waking import GIVES_UP_S, MOST_TRIES, WAIT_S, Step, Waking, watch

LEAST_A = 6.0


class Car:
    """A car that is looked at once a second; it is offered what is wanted, as far as the waking lets it."""

    def __init__(self, *, sleeps: bool = True, room: bool = True) -> None:
        self.waking = Waking()
        self.sleeps, self.room = sleeps, room
        self.now = 0.0
        self.offs = 0
        self.limit_a = 0.0

    def live(self, seconds: float, wanted_a: float, draw_a: float, *, full: bool = False, measured: bool = True) -> None:
        """Let time pass with a limit wanted, and a draw where it is offered."""
        for _ in range(int(seconds)):
            before = self.waking.step
            self.limit_a = min(wanted_a, self.waking.most_a(LEAST_A))
            self.limit_a = 0.0 if self.waking.step is Step.LEAST and not self.room else self.limit_a
            self.now += 1.0
            self.waking = watch(
                self.waking,
                limit_a=self.limit_a,
                draw_a=draw_a if self.limit_a >= LEAST_A else 0.0,
                measured_at=self.now if measured else 0.0,
                least_a=LEAST_A,
                full=full,
                now=self.now,
            )
            self.offs += before is Step.NONE and self.waking.step is Step.OFF


def paused(**more: bool) -> Car:
    """Return a car that charged and was paused."""
    car = Car(**more)
    car.live(60, 16.0, 15.0)
    car.live(60, 0.0, 0.0)
    return car


def test_it_is_woken_so_often_and_then_let_be() -> None:
    car = paused()
    car.live(WAIT_S - 2, 16.0, 0.0)
    assert car.offs == 0
    car.live(10, 16.0, 0.0)
    assert car.offs == 1 and car.limit_a == 0
    car.live(3000, 16.0, 0.0)
    assert car.offs == MOST_TRIES and car.waking.asleep and car.limit_a == 16.0
    car.live(3000, 16.0, 0.0)
    assert car.offs == MOST_TRIES
    car.live(5, 16.0, 15.0)
    assert not car.waking.asleep and car.waking.woke and car.waking.tries == 0


def test_one_that_is_full_or_never_charged_or_tapered_off_is_let_be() -> None:
    full = paused()
    full.live(3000, 16.0, 0.0, full=True)
    new = Car()
    new.live(60, 0.0, 0.0)
    new.live(3000, 16.0, 0.0)
    tapered = Car()
    tapered.live(60, 16.0, 3.0)
    tapered.live(60, 0.0, 0.0)
    tapered.live(3000, 16.0, 0.0)
    assert (full.offs, new.offs, tapered.offs) == (0, 0, 0)


def test_one_that_stops_by_itself_is_let_be() -> None:
    car = Car()
    car.live(60, 16.0, 15.0)
    car.live(3000, 16.0, 0.0)
    assert car.offs == 0 and not car.waking.asleep


def test_nothing_is_done_unseen() -> None:
    car = paused()
    car.live(3000, 16.0, 0.0, measured=False)
    assert car.offs == 0
    assert car.waking.asks(0.0, car.now) and not Waking().asks(0.0, 100.0)


def test_where_there_is_no_room_for_it_afterwards_it_waits_as_others_do() -> None:
    car = paused(room=False)
    car.live(WAIT_S + 60, 16.0, 0.0)
    assert car.waking.step is Step.LEAST
    car.live(GIVES_UP_S, 16.0, 0.0)
    assert car.waking.step is Step.NONE and math.isinf(car.waking.most_a(LEAST_A))


@given(st.lists(st.tuples(st.sampled_from([0.0, 6.0, 16.0]), st.sampled_from([0.0, 3.0, 15.0]), st.integers(1, 300)), max_size=20))
def test_it_is_never_woken_more_often_than_that_between_two_times_it_charges(spells: list[tuple[float, float, int]]) -> None:
    car = Car()
    offs_before = 0
    for limit_a, draw_a, seconds in spells:
        for _ in range(seconds):
            car.live(1, limit_a, draw_a)
            if car.waking == replace(Waking(), drew_a=car.waking.drew_a, woke=car.waking.woke):
                offs_before = car.offs
            assert car.offs - offs_before <= MOST_TRIES
