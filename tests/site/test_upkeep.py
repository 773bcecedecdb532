"""What goes on beside the currents: records, writes to the stations' flash, changes of the site while it runs."""

from dataclasses import replace

import pytest

from simulator.virtual import run

from .harness import Place, car, scenario


def test_sessions_that_went_on_offline_are_recorded_exactly_once() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            for number in (1, 2):
                await s.fault(f"offline:CP{number}")
            await s.until(100)
            for number in (1, 2):
                s.unplug(number)
            await s.until(110)
            for number in (1, 2):
                s.plug_in(number, car())
            await s.until(200)
            assert s.charges(1) and s.charges(2), "the stations know the card"
            for number in (1, 2):
                await s.fault(f"offline:CP{number}", on=False)
            await s.until(260)
            newest = s.records.newest()
            assert len(newest) == 4 and sum(record.ended_at is not None for record in newest.values()) == 2
            for number in (1, 2):
                s.unplug(number)
            await s.until(280)
            newest = s.records.newest()
            assert len(newest) == 4 and all(record.ended_at is not None for record in newest.values())
            for station in ("CP1", "CP2"):
                told = sorted((record for record in newest.values() if record.station == station), key=lambda record: record.started_at)
                true = [session for session in s.world.recorder.sessions if session.station == station]
                assert len(told) == len(true) == 2
                assert told[0].energy_wh == pytest.approx(true[0].energy_wh, rel=0.01), "the one that ended offline"

    run(story())


def test_at_rest_a_station_is_written_to_only_to_renew_its_lease() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), Place(car=None), over_limit_s=0.0, step_s=0.5) as s:
            await s.until(120)
            before, lease_s = s.writes(), s.lease_s()
            await s.until(120 + 1200)
            written = [after - start for after, start in zip(s.writes(), before, strict=True)]
            assert written[2] == 0
            assert max(written) <= 1200 / (0.7 * lease_s) * 1.1 + 1, f"{written} at leases of {lease_s} s"

    run(story())


def test_a_station_is_added_and_a_fuse_changed_without_dropping_anybody() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), Place(approved=False), over_limit_s=0.0, dead_man_from_s=None) as s:
            await s.until(60)
            before = s.transaction_ids()
            assert "CP3" in s.site.snapshot.pending and before[2] is None and s.draw_a(1) > 24
            await s.approve(3)
            await s.until(120)
            assert "CP3" not in s.site.snapshot.pending and s.transaction_ids()[:2] == before[:2]
            assert max(s.draws_a()) - min(s.draws_a()) <= 1.1 and s.charges(3)
            broken = s.dead_man_violations(120)
            s.configure(circuits=tuple(replace(circuit, fuse_a=50.0) for circuit in s.config.circuits))
            await s.until(126)
            assert max(s.main_a()) <= 48
            await s.until(150)
            s.configure(stations={identity: station for identity, station in s.config.stations.items() if identity != "CP3"})
            await s.until(180)
            assert s.transaction_ids()[:2] == before[:2]
            assert [client.connections for client in s.driver.clients.values()][:2] == [1, 1]
            assert not broken

    run(story())


def test_a_broken_connection_does_not_touch_charging() -> None:
    async def story() -> None:
        async with scenario(Place(), Place(), over_limit_s=0.0) as s:
            await s.until(60)
            before = s.transaction_ids()
            for _ in range(3):
                await s.fault("drop:CP1")
                await s.fault("drop:CP2")
                await s.wait(20)
            assert s.transaction_ids() == before
            assert all(min(moment.draws_a) > 15 for moment in s.between(60, s.time_s))
            assert len(s.records.newest()) == 2

    run(story())
