"""A whole site: where its currents flow, what trips, and what the recorder makes of it."""

import asyncio
from datetime import UTC, datetime
import time

import pytest

from simulator.building import StepLoad
from simulator.car import CarSpec
from simulator.client import Backoff
from simulator.driver import SiteDriver
from simulator.evse import token
from simulator.factory import EvseSpec, StationSpec
from simulator.faults import parsed
from simulator.live import live_site
from simulator.recorder import REACTS_S
from simulator.site import CircuitSpec, SimulatedSite, SiteSpec, Visit
from simulator.sites import demo_site
from simulator.virtual import START, run

from .csms import TinyCsms, listening

FREE = {"idToken": "", "type": "NoAuthorization"}


def charging_site(fuse_a: float, *, car: CarSpec, rotation: str = "L1L2L3", house: StepLoad | None = None) -> SimulatedSite:
    """A site whose one car charges without asking anybody."""
    spec = SiteSpec(
        circuits=(
            CircuitSpec(circuit_id="main", fuse_a=100.0, load=house),
            CircuitSpec(circuit_id="garage", parent_id="main", fuse_a=fuse_a),
        ),
        stations=(StationSpec(identity="CP1", circuit_id="garage", evses=(EvseSpec(evse_id=1, rotation=rotation),)),),
        visits=(Visit(comes_s=0.0, station="CP1", evse_id=1, car=car, token=FREE),),
    )
    return SimulatedSite(spec, START)


def stepped(site: SimulatedSite, seconds: float, dt_s: float = 0.1) -> None:
    for _ in range(round(seconds / dt_s)):
        site.step(dt_s)


@pytest.mark.parametrize(
    ("rotation", "phases", "flows"),
    [
        ("L1L2L3", 1, (15.68, 0.0, 0.0)),
        ("L2L3L1", 1, (0.0, 15.68, 0.0)),
        ("L3L1L2", 2, (15.68, 0.0, 15.68)),
        ("L3", 3, (0.0, 0.0, 15.68)),
        ("L3L2L1", 3, (15.68, 15.68, 15.68)),
    ],
)
def test_currents_flow_where_the_rotation_says(rotation: str, phases: int, flows: tuple[float, float, float]) -> None:
    site = charging_site(40.0, car=CarSpec(name="c", phases=phases, max_a=32.0), rotation=rotation)
    site.stations["CP1"].profiles.set_external(1, 16.0, "SO", START)
    stepped(site, 10)
    assert site.current_a["garage"] == pytest.approx(flows)
    assert site.meter_values().power_w == pytest.approx(tuple(230 * current for current in flows))


def test_a_circuit_adds_the_building_to_what_lies_below() -> None:
    site = charging_site(40.0, car=CarSpec(name="c", phases=3, max_a=10.0), house=StepLoad(((0.0, (5.0, 6.0, 7.0)),)))
    stepped(site, 60)
    assert site.current_a["garage"] == pytest.approx((10.0, 10.0, 10.0))
    assert site.current_a["main"] == pytest.approx((15.0, 16.0, 17.0))
    assert site.import_wh == pytest.approx((48.0 * 58 + 18.0 * 2) * 230 / 3600, rel=0.01)


def test_each_circuits_register_counts_what_flows_through_its_own_breaker() -> None:
    site = charging_site(40.0, car=CarSpec(name="c", phases=3, max_a=10.0), house=StepLoad(((0.0, (-15.0, -15.0, -15.0)),)))
    stepped(site, 60)
    main, garage = site.meter_values("main"), site.meter_values("garage")
    assert main.import_wh == 0.0 and main.export_wh == pytest.approx((15.0 * 58 + 45.0 * 2) * 230 / 3600, rel=0.01)
    assert garage.export_wh == 0.0 and garage.import_wh == pytest.approx(30.0 * 58 * 230 / 3600, rel=0.01)


def test_a_breaker_really_trips_and_its_power_is_gone() -> None:
    site = charging_site(16.0, car=CarSpec(name="c", phases=3, max_a=32.0), house=StepLoad(((0.0, (5.0, 5.0, 5.0)),)))
    stepped(site, 30)
    facts = site.recorder.circuits["garage"]
    assert facts.trips == site.recorder.trips == 1
    assert not site.powered("garage") and site.powered("main")
    assert site.current_a == {"garage": (0.0, 0.0, 0.0), "main": (5.0, 5.0, 5.0)}
    assert not site.stations["CP1"].linked
    carried_s = facts.overload_as / (3 * (32.0 * 0.98 - 16.0))
    assert carried_s == pytest.approx(facts.max_overload_s, abs=0.1) and 15.0 < carried_s < 20.0
    stepped(site, 120)
    site.reset_breakers()
    stepped(site, 10)
    assert site.current_a["garage"][0] == pytest.approx(31.36)
    with pytest.raises(ValueError, match="circuits"):
        SimulatedSite(SiteSpec(circuits=(CircuitSpec(circuit_id="m", fuse_a=1),), stations=(StationSpec(identity="x"),)), START)


def test_the_recorder_tells_used_capacity_only_while_somebody_waits() -> None:
    house = StepLoad(((0.0, (10.0, 80.0, 10.0)),))
    site = charging_site(40.0, car=CarSpec(name="c", phases=1, max_a=32.0, response_s=0.0, wake_s=0.0), house=house)
    site.stations["CP1"].profiles.set_external(1, 20.0, "SO", START)
    stepped(site, 60)
    assert site.recorder.capacity_used_pct == pytest.approx(29.6, abs=0.1)  # 10 + 19.6 A on L1; L2 is fuller, but nobody waits for it
    short_s = site.recorder.short_s
    site.stations["CP1"].profiles.set_external(1, None, "SO", START)
    stepped(site, 1)
    stepped(site, 60)
    assert site.recorder.short_s == pytest.approx(short_s, abs=0.25)
    assert site.recorder.sessions[0].unsatisfied_s == pytest.approx(60.0, abs=0.3)
    assert site.recorder.sessions[0].energy_wh == pytest.approx(site.recorder.energy_wh)


def test_the_longest_time_over_the_limit_is_one_without_a_break() -> None:
    levels = ((0.0, (0.0,) * 3), (10.0, (101.0, 0.0, 0.0)), (13.0, (99.0, 0.0, 0.0)), (14.0, (0.0, 105.0, 0.0)), (19.0, (0.0,) * 3))
    spec = SiteSpec(circuits=(CircuitSpec(circuit_id="main", fuse_a=100.0, load=StepLoad(levels)),), stations=())
    site = SimulatedSite(spec, START)
    stepped(site, 30)
    facts = site.recorder.circuits["main"]
    assert facts.max_overload_s == pytest.approx(5.0, abs=0.11)
    assert facts.overload_as == pytest.approx(3 * 1 + 5 * 5, abs=0.7)
    assert facts.highest_a == (101.0, 105.0, 0.0)
    assert len(site.recorder.building_steps) == 4


def test_what_is_switched_at_the_end_of_a_step_did_not_flow_before() -> None:
    site = charging_site(32.0, car=CarSpec(name="none", max_a=0.0), house=StepLoad(((0.0, (10.0,) * 3), (5.0, (120.0,) * 3))))
    site.step(5.0)
    facts = site.recorder.circuits["main"]
    assert site.current_a["main"][0] == site.meter_values().current_a[0] == 120.0, "the meter shows it at once"
    assert (facts.overload_as, facts.max_overload_s) == (0.0, 0.0)
    site.step(1.0)
    assert (facts.overload_as, facts.max_overload_s) == (60.0, 1.0)


def test_an_overload_is_late_once_it_has_lasted_longer_than_a_site_takes_to_react() -> None:
    levels = ((0.0, (0.0,) * 3), (10.0, (102.0, 0.0, 0.0)), (15.0, (0.0,) * 3), (20.0, (103.0, 101.0, 0.0)), (30.0, (0.0,) * 3))
    spec = SiteSpec(circuits=(CircuitSpec(circuit_id="main", fuse_a=100.0, load=StepLoad(levels)),), stations=())
    site = SimulatedSite(spec, START)
    stepped(site, 40)
    assert site.recorder.late_overload_as == pytest.approx((3 + 1) * (10 - REACTS_S), abs=0.9)


def test_the_demo_site_is_short_of_capacity_and_the_same_each_time() -> None:
    async def hour() -> tuple[object, list[str]]:
        csms = TinyCsms()
        driver = SiteDriver(SimulatedSite(demo_site(), START), csms.connect, step_s=0.5, backoff=Backoff(random_s=0.0))
        await driver.run(90.0)
        assert driver.violations == [] and driver.lost_s == 0.0
        return driver.site.recorder.summary(), sorted(client.model.spec.identity for client in driver.clients.values())

    began = time.monotonic()
    first, again = run(hour()), run(hour())
    assert time.monotonic() - began < 20.0
    assert first == again
    summary = first[0]
    assert isinstance(summary, dict)
    assert len(summary["sessions"]) == 6 and all(session["came_s"] < 30 for session in summary["sessions"])
    assert summary["trips"] == 1  # nobody manages it: 112 A on a 63 A fuse


async def test_live_stations_speak_over_sockets_and_the_meter_shows_the_site() -> None:
    csms = TinyCsms()
    async with listening(csms) as url, live_site(demo_site(), url, faults=[parsed("offline:YARD@0.3+0.5")]) as driver:
        assert driver.meter is not None
        await asyncio.sleep(0.2)  # a user takes their time; the stations' clocks are right all the same
        was_away = []
        driver.on_step.append(lambda _: was_away.append(driver.site.stations["YARD"].faults.offline))
        late_s = list[float]()
        driver.on_step.append(lambda site: late_s.append((datetime.now(UTC) - site.stations["YARD"].now).total_seconds()))
        await driver.run(2.5)
        assert {"GARAGE", "CARPORT", "YARD", "GATE"} <= set(csms.links)
        assert True in was_away and was_away[-1] is False
        assert driver.meter.values.current_a == driver.site.current_a["main"] != (0.0, 0.0, 0.0)
        assert driver.site.time_s == pytest.approx(2.5)
        assert min(late_s) < 0.15


def test_faults_are_named_on_the_command_line() -> None:
    assert (parsed("meter-frozen@20").name, parsed("meter-frozen@20").lasts_s) == ("meter-frozen", None)
    assert (parsed("slow:YARD@5+10").at_s, parsed("slow:YARD@5+10").lasts_s) == (5.0, 10.0)
    with pytest.raises(ValueError):
        parsed("meter-frozen")

    async def main() -> None:
        driver = SiteDriver(SimulatedSite(demo_site(), START), TinyCsms().connect)
        for name in ("on fire", "offline", "offline:NOWHERE", "meter-silent:YARD"):
            with pytest.raises(ValueError):
                await driver.fault(name)

    asyncio.run(main())


def test_a_plan_brings_cars_and_takes_them_away() -> None:
    visit = Visit(comes_s=2.0, station="CP1", evse_id=1, car=CarSpec(name="c"), token=token("X"), leaves_s=5.0)
    spec = SiteSpec(circuits=(CircuitSpec(circuit_id="main", fuse_a=63.0),), stations=(StationSpec(identity="CP1"),), visits=(visit,))
    site = SimulatedSite(spec, START)
    stays = []
    for _ in range(80):
        site.step(0.1)
        stays.append(site.stations["CP1"].evses[1].status == "Occupied")
    assert stays.index(True) == pytest.approx(20, abs=1) and sum(stays) == pytest.approx(30, abs=1) and not stays[-1]
    assert site.recorder.sessions[0].left_s == pytest.approx(5.0, abs=0.2)
