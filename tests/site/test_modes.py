"""Following the meter, fixed shares, hands off; and from one to the other while cars charge."""

from dataclasses import replace

import pytest

from custom_components.headroom.engine.model import Circuit
from custom_components.headroom.site.config import Mode
from simulator.virtual import run

from .harness import Place, car, scenario

SHARE_A = 12.0
"""A third of what the main fuse has beside the building's worst case."""


def test_fixed_shares_are_installed_once_and_nothing_is_written_for_an_hour() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, metered=False, over_limit_s=0.0, step_s=1.0) as s:
            await s.until(60)
            written = s.writes()
            for number in (1, 2, 3):
                assert s.fallback_a(number) == SHARE_A and SHARE_A - 1 < s.draw_a(number) <= SHARE_A
                assert len(s.installed(number, "TxDefaultProfile")) == len(s.installed(number, "ChargingStationMaxProfile")) == 1
                assert not s.installed(number, "TxProfile")
                assert s.reason(number) == "static"
            await s.until(1800)
            s.unplug(1)
            s.plug_in(1, car())
            await s.until(3660)
            assert s.writes() == written and s.charges(1)
            with pytest.raises(ValueError, match="meter"):
                s.site.set_mode(Mode.DYNAMIC)

    run(story())


def test_fixed_shares_keep_to_a_contract_in_kilowatts() -> None:
    async def story() -> None:
        row = Circuit(circuit_id="row", name="Row", parent_id="main", fuse_a=63.0, limit_w=11_040.0)
        async with scenario(Place(circuit_id="row"), Place(circuit_id="row"), circuits=[row], metered=False, over_limit_s=0.0) as s:
            await s.until(60)
            assert [s.fallback_a(number) for number in (1, 2)] == [8.0, 8.0], "48 A over the three phases, for two cars"
            s.configure(circuits=(s.config.root, replace(row, limit_w=None)))
            await s.until(90)
            assert [s.fallback_a(number) for number in (1, 2)] == [18.0, 18.0], "what the main fuse leaves"

    run(story())


def test_from_following_the_meter_to_fixed_shares_and_back() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 3, over_limit_s=0.0) as s:
            await s.until(60)
            assert min(s.draws_a()) > 16
            s.site.set_mode(Mode.STATIC)
            await s.until(70)
            assert all(SHARE_A - 1 < draw <= SHARE_A for draw in s.draws_a())
            assert not any(s.installed(number, "TxProfile") for number in (1, 2, 3))
            written = s.writes()
            await s.until(400)
            assert s.writes() == written
            s.site.set_mode(Mode.DYNAMIC)
            await s.until(430)
            assert min(s.draws_a()) > 16

    run(story())


def test_hands_off_writes_no_limit_whatever_happens() -> None:
    async def story() -> None:
        async with scenario(*[Place()] * 2, over_limit_s=0.0) as s:
            await s.until(60)
            s.site.set_mode(Mode.OFF)
            await s.until(70)
            written = s.writes()
            s.site.set_user_max(s.key(1), 8.0)
            await s.until(300)
            s.unplug(2)
            await s.until(400)
            assert s.writes() == written and s.reason(1) == "unmanaged"
            assert s.pilot_a(1) == s.fallback_a(1), "its lease has lapsed into what is installed"
            s.site.set_mode(Mode.DYNAMIC)
            await s.until(430)
            assert 7 < s.draw_a(1) <= 8

    run(story())
