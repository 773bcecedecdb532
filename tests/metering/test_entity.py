"""The meter that is made of Home Assistant's entities, in a real Home Assistant."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed

from custom_components.headroom.metering.entity import SETTLES_S, EntityMeter, EntityMeterConfig
from custom_components.headroom.metering.reading import MeterError, Reading

CURRENTS = ("sensor.i1", "sensor.i2", "sensor.i3")
POWERS = ("sensor.p1", "sensor.p2", "sensor.p3")


def say(hass: HomeAssistant, unit: str | None, **states: object) -> None:
    for name, state in states.items():
        hass.states.async_set(f"sensor.{name}", str(state), {} if unit is None else {"unit_of_measurement": unit})


class Heard:
    """What a running meter told, in order."""

    def __init__(self, meter: EntityMeter) -> None:
        self.told: list[Reading | MeterError | None] = []
        self.task = asyncio.create_task(meter.run(self.told.append, self.told.append))

    @property
    def reading(self) -> Reading:
        assert isinstance(self.told[-1], Reading)
        return self.told[-1]


type Run = Callable[[EntityMeterConfig], Heard]


@pytest.fixture
async def run(hass: HomeAssistant) -> AsyncIterator[Run]:
    running: list[Heard] = []

    def start(config: EntityMeterConfig) -> Heard:
        running.append(Heard(EntityMeter(hass, config)))
        return running[-1]

    yield start
    for heard in running:
        heard.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await heard.task


async def probe(hass: HomeAssistant, **config: object) -> Reading:
    return await EntityMeter(hass, EntityMeterConfig(**config)).probe()  # type: ignore[arg-type]


async def turn() -> None:
    """Let the meter's task run."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_currents_take_the_direction_of_their_phases_power(hass: HomeAssistant) -> None:
    say(hass, "A", i1=10, i2=8, i3=-5)
    say(hass, "W", p1=2300, p2=-1840, p3=1150)
    reading = await probe(hass, currents=CURRENTS, powers=POWERS)
    assert reading.current_a == (10.0, -8.0, 5.0)
    assert reading.power_w == 1610.0
    assert (await probe(hass, currents=CURRENTS, powers=POWERS, export_positive=True)).current_a == (-10.0, 8.0, -5.0)


async def test_units_are_converted(hass: HomeAssistant) -> None:
    say(hass, "mA", i1=10_000, i2=8_000, i3=5_000)
    say(hass, "kW", total=5.29)
    say(hass, "kWh", imported=4321)
    say(hass, "MWh", exported=0.321)
    reading = await probe(hass, currents=CURRENTS, total_power="sensor.total", import_wh="sensor.imported", export_wh="sensor.exported")
    assert reading.current_a == pytest.approx((10.0, 8.0, 5.0))
    assert reading.power_w == pytest.approx(5290.0)
    assert (reading.import_wh, reading.export_wh) == pytest.approx((4_321_000.0, 321_000.0))


async def test_currents_alone_are_taken_as_they_are(hass: HomeAssistant) -> None:
    say(hass, "A", i1=10, i2=-8, i3=5)
    reading = await probe(hass, currents=CURRENTS)
    assert reading.current_a == (10.0, -8.0, 5.0)
    assert reading.power_w is None


async def test_currents_alone_never_count_as_export_where_export_is_positive(hass: HomeAssistant) -> None:
    """A magnitude of 30 A looks like 30 A of export there: it would open the site by 60 A."""
    say(hass, "A", i1=30, i2=-8, i3=5)
    say(hass, "W", total=-9890)
    reading = await probe(hass, currents=CURRENTS, total_power="sensor.total", export_positive=True)
    assert reading.current_a == (30.0, 8.0, 5.0)
    assert reading.power_w == 9890.0


async def test_magnitudes_beside_a_total_near_zero_are_a_reading(hass: HomeAssistant) -> None:
    say(hass, "A", i1=10, i2=10, i3=0)
    say(hass, "W", total=3)
    assert (await probe(hass, currents=CURRENTS, total_power="sensor.total")).current_a == (10.0, 10.0, 0.0)


async def test_powers_alone_become_currents(hass: HomeAssistant) -> None:
    say(hass, "W", p1=2300, p2=-1150, p3=0)
    reading = await probe(hass, powers=POWERS)
    assert reading.current_a == pytest.approx((10.0, -5.0, 0.0))
    assert reading.power_w == 1150.0


async def test_a_total_alone_counts_whole_on_each_phase_and_credits_no_export(hass: HomeAssistant) -> None:
    say(hass, "kW", total=4.6)
    assert (await probe(hass, total_power="sensor.total")).current_a == pytest.approx((20.0, 20.0, 20.0))
    say(hass, "kW", total=-4.6)
    reading = await probe(hass, total_power="sensor.total")
    assert reading.current_a == (0.0, 0.0, 0.0)
    assert reading.power_w == -4600.0


async def test_on_one_phase_the_total_is_the_phase(hass: HomeAssistant) -> None:
    say(hass, "W", total=-2300)
    say(hass, "A", i1=10)
    assert (await probe(hass, phases=1, total_power="sensor.total")).current_a == (-10.0, 0.0, 0.0)
    assert (await probe(hass, phases=1, total_power="sensor.total", currents=("sensor.i1",))).current_a == (-10.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("state", "unit", "said"),
    [
        ("unavailable", "A", "sensor.i2 is unavailable"),
        ("unknown", "A", "sensor.i2 is unknown"),
        ("a lot", "A", "sensor.i2 has no number but 'a lot'"),
        ("nan", "A", "sensor.i2 has no number"),
        ("inf", "A", "sensor.i2 has no number"),
        ("8", "kW", "sensor.i2 counts in kW"),
        ("8", None, "sensor.i2 counts in no unit"),
    ],
)
async def test_probe_names_the_entity_without_a_number(hass: HomeAssistant, state: str, unit: str | None, said: str) -> None:
    say(hass, "A", i1=10, i3=5)
    say(hass, unit, i2=state)
    with pytest.raises(MeterError, match=said):
        await probe(hass, currents=CURRENTS)


async def test_probe_names_the_entity_that_does_not_exist(hass: HomeAssistant) -> None:
    say(hass, "A", i1=10, i3=5)
    with pytest.raises(MeterError, match="sensor.i2 does not exist"):
        await probe(hass, currents=CURRENTS)
    with pytest.raises(MeterError, match="sensor.total does not exist"):
        await probe(hass, phases=1, currents=("sensor.i1",), total_power="sensor.total")


@pytest.mark.parametrize(
    "config", [{}, {"currents": CURRENTS[:2]}, {"currents": CURRENTS, "powers": POWERS[:1]}, {"powers": POWERS, "phases": 1}]
)
async def test_entities_that_make_no_reading_are_refused(hass: HomeAssistant, config: dict[str, object]) -> None:
    with pytest.raises(MeterError):
        await probe(hass, **config)


async def test_what_is_not_needed_may_be_missing(hass: HomeAssistant) -> None:
    say(hass, "A", i1=10, i2=8, i3=5)
    reading = await probe(hass, currents=CURRENTS, total_power="sensor.total", import_wh="sensor.imported")
    assert reading.current_a == (10.0, 8.0, 5.0)
    assert (reading.power_w, reading.import_wh) == (None, None)


async def test_mixed_up_units_are_refused(hass: HomeAssistant) -> None:
    say(hass, "A", i1=10, i2=8, i3=5)
    say(hass, "W", p1=2.3, p2=1.84, p3=1.15)
    with pytest.raises(MeterError, match="are the units right"):
        await probe(hass, currents=CURRENTS, powers=POWERS)
    with pytest.raises(MeterError, match="more than the 6 A"):
        await probe(hass, currents=CURRENTS, ceiling_a=6.0)


async def test_a_burst_of_reports_is_one_reading(hass: HomeAssistant, run: Run) -> None:
    say(hass, "A", i1=10, i2=8, i3=5)
    heard = run(EntityMeterConfig(currents=CURRENTS))
    await turn()
    assert len(heard.told) == 1, "the states that are there already make a reading at once"
    say(hass, "A", i1=11, i2=9, i3=6)
    await turn()
    assert len(heard.told) == 2
    assert heard.reading.current_a == (11.0, 9.0, 6.0)


async def test_phases_that_fall_one_after_another_are_one_reading(hass: HomeAssistant, run: Run, freezer: FrozenDateTimeFactory) -> None:
    """What lies in between, L1 of now beside L2 and L3 of then, was never there, and is as old as these."""
    say(hass, "A", i1=20, i2=20, i3=20)
    freezer.tick(timedelta(seconds=10))
    heard = run(EntityMeterConfig(currents=CURRENTS))
    await turn()
    for name in ("i1", "i2"):
        say(hass, "A", **{name: 8})
        await turn()
    assert len(heard.told) == 1
    say(hass, "A", i3=8)
    await turn()
    assert len(heard.told) == 2
    assert heard.reading.current_a == (8.0, 8.0, 8.0)
    assert asyncio.get_running_loop().time() - heard.reading.taken_at == pytest.approx(0.0, abs=0.5)


async def test_a_phase_that_rises_waits_for_no_other(hass: HomeAssistant, run: Run, freezer: FrozenDateTimeFactory) -> None:
    say(hass, "A", i1=20, i2=20, i3=20)
    freezer.tick(timedelta(seconds=10))
    heard = run(EntityMeterConfig(currents=CURRENTS))
    await turn()
    say(hass, "A", i1=8)
    await turn()
    say(hass, "A", i2=30)
    await turn()
    assert heard.reading.current_a == (8.0, 30.0, 20.0)


async def test_a_phase_that_reports_alone_is_told_a_moment_later(hass: HomeAssistant, run: Run, freezer: FrozenDateTimeFactory) -> None:
    say(hass, "A", i1=20, i2=20, i3=20)
    freezer.tick(timedelta(seconds=10))
    heard = run(EntityMeterConfig(currents=CURRENTS))
    await turn()
    for current_a in (8, 7):
        say(hass, "A", i1=current_a)
        await turn()
    assert len(heard.told) == 1
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=SETTLES_S))
    await turn()
    assert len(heard.told) == 2
    assert heard.reading.current_a == (7.0, 20.0, 20.0)


async def test_an_unchanged_value_reported_again_is_fresh(hass: HomeAssistant, run: Run, freezer: FrozenDateTimeFactory) -> None:
    say(hass, "A", i1=10, i2=8, i3=5)
    freezer.tick(timedelta(seconds=20))
    heard = run(EntityMeterConfig(currents=CURRENTS))
    await turn()
    clock = asyncio.get_running_loop().time
    assert clock() - heard.reading.taken_at == pytest.approx(20.0, abs=0.5), "dated when it was reported, not when it was read"
    say(hass, "A", i1=10, i2=8, i3=5)
    await turn()
    assert len(heard.told) == 2
    assert clock() - heard.reading.taken_at == pytest.approx(0.0, abs=0.5)


async def test_the_oldest_entity_dates_the_reading(hass: HomeAssistant, run: Run, freezer: FrozenDateTimeFactory) -> None:
    say(hass, "A", i1=10, i2=8, i3=5)
    say(hass, "kWh", imported=1)
    freezer.tick(timedelta(seconds=12))
    say(hass, "A", i1=11, i3=6)
    heard = run(EntityMeterConfig(currents=CURRENTS, import_wh="sensor.imported"))
    await turn()
    clock = asyncio.get_running_loop().time
    assert clock() - heard.reading.taken_at == pytest.approx(12.0, abs=0.5)
    say(hass, "A", i2=9)
    await turn()
    assert clock() - heard.reading.taken_at == pytest.approx(0.0, abs=0.5), "an old energy does not age it"


async def test_a_wall_clock_set_back_makes_nothing_younger(
    hass: HomeAssistant, run: Run, freezer: FrozenDateTimeFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(hass, "A", i1=10, i2=8, i3=5)
    freezer.tick(timedelta(seconds=12))
    heard = run(EntityMeterConfig(currents=CURRENTS))
    await turn()
    before = heard.reading.taken_at
    an_hour_ago = dt_util.utcnow() - timedelta(hours=1)
    monkeypatch.setattr(dt_util, "utcnow", lambda: an_hour_ago)
    say(hass, "A", i1=10, i2=9)
    await turn()
    assert heard.reading.current_a == (10.0, 9.0, 5.0)
    assert heard.reading.taken_at == before


async def test_lost_and_back_is_told_once_each(hass: HomeAssistant, run: Run) -> None:
    say(hass, "A", i1=10, i2=8, i3=5)
    heard = run(EntityMeterConfig(currents=CURRENTS))
    await turn()
    say(hass, "A", i2="unavailable")
    await turn()
    say(hass, "A", i1=11)
    await turn()
    hass.states.async_remove("sensor.i2")
    await turn()
    assert [type(told) for told in heard.told] == [Reading, MeterError]
    say(hass, "A", i2=9)
    await turn()
    assert [type(told) for told in heard.told[2:]] == [type(None), Reading]
    assert heard.reading.current_a == (11.0, 9.0, 5.0)


async def test_import_and_export_apart_as_a_p1_port_has_them(hass: HomeAssistant) -> None:
    """Magnitudes of current beside consumption and production per phase, in kW: L2 exports."""
    say(hass, "A", i1=10, i2=8, i3=0)
    say(hass, "kW", c1=2.3, c2=0, c3=0, d1=0, d2=1.84, d3=0)
    pair = {"powers": ("sensor.c1", "sensor.c2", "sensor.c3"), "exported_powers": ("sensor.d1", "sensor.d2", "sensor.d3")}
    reading = await probe(hass, currents=CURRENTS, **pair)
    assert reading.current_a == (10.0, -8.0, 0.0)
    assert reading.power_w == pytest.approx(460.0)
    assert (await probe(hass, **pair)).current_a == pytest.approx((10.0, -8.0, 0.0))


async def test_a_total_apart_is_the_difference(hass: HomeAssistant) -> None:
    say(hass, "kW", consumed=0, produced=2.3)
    reading = await probe(hass, phases=1, total_power="sensor.consumed", exported_total="sensor.produced")
    assert (reading.power_w, reading.current_a) == (-2300.0, (-10.0, 0.0, 0.0))
    say(hass, "kW", produced="unavailable")
    with pytest.raises(MeterError, match="sensor.produced is unavailable"):
        await probe(hass, phases=1, total_power="sensor.consumed", exported_total="sensor.produced")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"currents": CURRENTS, "exported_powers": POWERS}, "no imported ones"),
        ({"currents": CURRENTS, "exported_total": "sensor.produced"}, "no imported one"),
        ({"powers": POWERS, "exported_powers": POWERS[:2]}, "2 exported powers"),
    ],
)
async def test_half_a_pair_is_refused(hass: HomeAssistant, config: dict[str, object], said: str) -> None:
    with pytest.raises(MeterError, match=said):
        await probe(hass, **config)


async def test_a_device_that_reports_only_changes_is_as_fresh_as_its_newest_report(
    hass: HomeAssistant, run: Run, freezer: FrozenDateTimeFactory
) -> None:
    """Production is 0 W all night and nobody says so again; consumption changes every second."""
    say(hass, "W", consumed=500, produced=0)
    freezer.tick(timedelta(seconds=600))
    pair = {"total_power": "sensor.consumed", "exported_total": "sensor.produced"}
    strict = run(EntityMeterConfig(phases=1, **pair))  # type: ignore[arg-type]
    heard = run(EntityMeterConfig(phases=1, only_changes=True, **pair))  # type: ignore[arg-type]
    await turn()
    say(hass, "W", consumed=510)
    await turn()
    clock = asyncio.get_running_loop().time
    assert clock() - heard.reading.taken_at == pytest.approx(0.0, abs=0.5)
    assert clock() - strict.reading.taken_at == pytest.approx(600.0, abs=0.5)
    freezer.tick(timedelta(seconds=40))
    say(hass, "W", other=1)
    await turn()
    assert clock() - heard.reading.taken_at == pytest.approx(40.0, abs=0.5), "no report of its own: the last reading grows old"
    say(hass, "W", produced="unavailable")
    await turn()
    assert isinstance(heard.told[-1], MeterError)


async def test_what_is_not_needed_makes_no_reading_of_its_own(hass: HomeAssistant, run: Run, freezer: FrozenDateTimeFactory) -> None:
    """A register that counts each second does not tell old currents again; the next ones bring it along."""
    say(hass, "A", i1=10, i2=8, i3=5)
    say(hass, "kWh", imported=1)
    say(hass, "W", total=5000)
    heard = run(EntityMeterConfig(currents=CURRENTS, total_power="sensor.total", import_wh="sensor.imported"))
    await turn()
    freezer.tick(timedelta(seconds=5))
    say(hass, "kWh", imported=2)
    say(hass, "W", total=5100)
    await turn()
    assert len(heard.told) == 1
    say(hass, "A", i1=11, i2=9, i3=6)
    await turn()
    assert len(heard.told) == 2 and (heard.reading.import_wh, heard.reading.power_w) == (2000.0, 5100.0)


async def test_a_total_that_comes_after_its_currents_mends_what_the_old_one_made_of_them(hass: HomeAssistant, run: Run) -> None:
    say(hass, "A", i1=30, i2=30, i3=30)
    say(hass, "W", total=20_000)
    heard = run(EntityMeterConfig(currents=CURRENTS, total_power="sensor.total"))
    await turn()
    say(hass, "A", i1=1, i2=1, i3=1)
    await turn()
    assert isinstance(heard.told[-1], MeterError), "20 kW are not to be had of 3 A"
    say(hass, "W", total=600)
    await turn()
    assert heard.reading.current_a == (1.0, 1.0, 1.0)
