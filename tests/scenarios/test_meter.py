"""The simulated meter: what it shows while something is wrong with it."""

from proving.meter import MeterFault, SimulatedMeter
from simulator.meter import MeterValues


def test_a_frozen_meter_repeats_to_the_last_digit_what_it_showed_last() -> None:
    meter = SimulatedMeter("main", noise_a=0.05)
    shown = [meter.read(MeterValues(current_a=(8.0, 8.0, 8.0), import_wh=100.0 + second), second) for second in (0.0, 1.0)]
    assert shown[0] is not None and shown[1] is not None and shown[0].current_a != shown[1].current_a
    meter.fault = MeterFault.FROZEN
    for second in (2.0, 3.0):
        frozen = meter.read(MeterValues(current_a=(20.0, 20.0, 20.0), import_wh=100.0 + second), second)
        assert frozen is not None and frozen.taken_at == second
        assert (frozen.current_a, frozen.power_w, frozen.import_wh) == (shown[1].current_a, shown[1].power_w, 101.0)
    meter.fault = None
    healed = meter.read(MeterValues(current_a=(20.0, 20.0, 20.0), import_wh=104.0), 4.0)
    assert healed is not None and abs(healed.current_a[0] - 20.0) <= 0.05


def test_not_every_meter_has_a_register() -> None:
    values = MeterValues(current_a=(8.0, 8.0, 8.0), import_wh=100.0)
    counted, uncounted = (SimulatedMeter("main", has_register=has).read(values, 0.0) for has in (True, False))
    assert counted is not None and counted.import_wh == 100.0
    assert uncounted is not None and uncounted.import_wh is None and uncounted.current_a == counted.current_a
