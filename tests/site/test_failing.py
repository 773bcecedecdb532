"""A turn that fails is a fault of ours: it is told, the leases lapse, and no breaker pays for it."""

import pytest

from custom_components.headroom.site import site as room
from simulator.virtual import run

from .harness import Place, scenario, steps


def test_a_loop_that_fails_is_shown_and_the_leases_lapse(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        decide = room.decide

        def fails(*args: object) -> None:
            raise ZeroDivisionError

        async with scenario(*[Place()] * 2, building=steps((0.0, 8.0), (70.0, 25.0)), over_limit_s=400.0, complains=True) as s:
            await s.until(60)
            assert not s.site.snapshot.failing and min(s.draws_a()) > s.fallback_a(1) + 2
            monkeypatch.setattr(room, "decide", fails)
            shown = s.snapshots
            await s.until(65)
            assert s.site.snapshot.failing and s.snapshots == shown + 1, "it is told once"
            await s.until(430)
            assert all(draw <= s.fallback_a(1) + 0.5 for draw in s.draws_a()), "the leases have lapsed"
            monkeypatch.setattr(room, "decide", decide)
            await s.until(445)
            assert not s.site.snapshot.failing

    run(story())


def test_what_fails_to_show_a_turn_stops_no_turn() -> None:
    async def story() -> None:
        def fails() -> None:
            raise ZeroDivisionError

        async with scenario(*[Place()] * 2, building=steps((0.0, 8.0), (70.0, 20.0)), complains=True) as s:
            await s.until(60)
            turns = s.site.turns
            s.on_turn.append(fails)
            await s.until(120)
            assert s.site.turns > turns + 10 and max(s.main_a()) <= 61
            assert min(s.draws_a()) > 19, "they are led on"
            s.on_turn.remove(fails)
            await s.until(130)
            assert not s.site.snapshot.failing

    run(story())


def test_a_loop_that_can_not_tell_when_its_next_turn_is_due_turns_by_its_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        def fails(*args: object) -> None:
            raise ZeroDivisionError

        async with scenario(Place(), complains=True) as s:
            await s.until(30)
            monkeypatch.setattr(room, "of_circuits", fails)
            turns = s.site.turns
            await s.until(50)
            assert s.site.turns > turns + 3 and s.draw_a(1) > 30
            monkeypatch.undo()
            await s.until(60)

    run(story())
