"""What a station senses of itself: the power of each EVSE, its temperature, whether something is wrong."""

from typing import TYPE_CHECKING, override

from ..device_model import Key
from .block import Block

if TYPE_CHECKING:
    from ..station import StationModel

SENSED_EVERY_S = 1.0
AMBIENT_C = 20.0
FULL_LOAD_WARMS_BY_C = 25.0
WARMS_IN_S = 300.0
"""The time constant of the housing."""
TOO_HOT_C = 85.0
SAME_C = 0.05
"""Less than it tells."""
TEMPERATURE = Key("TemperatureSensor", "Temperature")
PROBLEM = Key("ChargingStation", "Problem")


class Sensors(Block):
    """Keeps the device model's measured variables true."""

    def __init__(self, station: StationModel) -> None:
        """Start cold."""
        super().__init__(station)
        self.temperature_c = AMBIENT_C
        self.fire_c = 0.0
        """What a fault adds to the temperature."""
        self._unsensed_s = SENSED_EVERY_S
        self._sensed_a: list[float] = []
        self._sensed_fire_c = 0.0

    @override
    def step(self, dt_s: float) -> None:
        self._unsensed_s += dt_s
        if self._unsensed_s < SENSED_EVERY_S:
            return
        draws_a = [evse.car_state.draw_a for evse in self.station.evses.values()]
        if (
            not any(draws_a)
            and draws_a == self._sensed_a
            and self.temperature_c - AMBIENT_C < SAME_C
            and self.fire_c == self._sensed_fire_c
        ):
            return  # as before: cold, and nothing flows
        self._sensed_a, self._sensed_fire_c = draws_a, self.fire_c
        passed_s, self._unsensed_s = self._unsensed_s, 0.0
        station, load = self.station, 0.0
        for evse_id, evse in station.evses.items():
            station.device.update(Key("EVSE", "Power", evse_id=evse_id), f"{sum(evse.terminals_a) * station.voltage_v:.1f}")
            load += (evse.car_state.draw_a / evse.spec.max_a) ** 2 / len(station.evses)
        aim_c = AMBIENT_C + FULL_LOAD_WARMS_BY_C * load
        self.temperature_c += (aim_c - self.temperature_c) * min(1.0, passed_s / WARMS_IN_S)
        felt_c = self.temperature_c + self.fire_c
        station.device.update(TEMPERATURE, f"{felt_c:.1f}")
        station.device.update(PROBLEM, "true" if felt_c > TOO_HOT_C else "false")
