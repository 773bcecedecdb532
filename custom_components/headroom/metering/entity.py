"""Readings from entities that Home Assistant has already (P1 / DSMR, an inverter, a cloud)."""

import asyncio
from dataclasses import dataclass, replace
import math
from typing import Literal

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN, UnitOfElectricCurrent, UnitOfEnergy, UnitOfPower
from homeassistant.core import Event, EventStateChangedData, EventStateReportedData, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_state_change_event, async_track_state_report_event
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import BaseUnitConverter, ElectricCurrentConverter, EnergyConverter, PowerConverter

from .combine import currents_of
from .plausibility import CEILING_A, plausible
from .reading import MeterError, OnHealth, OnReading, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityMeterConfig:
    """The entities that are the meter, in the order L1, L2, L3: `phases` currents, or `phases` powers, or both, or a total power.

    `export_positive`: these sensors count export as positive.
    `voltage_v` makes amps of watts. A reading is judged by it and by `ceiling_a`.
    """

    currents: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()
    total_power: str | None = None
    import_wh: str | None = None
    export_wh: str | None = None
    export_positive: bool = False
    phases: Literal[1, 3] = 3
    voltage_v: float = 230.0
    ceiling_a: float = CEILING_A


class EntityMeter:
    """Makes one reading of the states of several entities, each time one of them reports; `currents_of` says how.

    A needed entity without a number means no reading; the oldest of the needed ones dates it. An energy without a number is left out.
    """

    def __init__(self, hass: HomeAssistant, config: EntityMeterConfig) -> None:
        """Raises MeterError where the entities chosen do not make a reading."""
        if not (config.currents or config.powers or config.total_power):
            raise MeterError("The meter needs the currents, the powers or the total power")
        for kind, entities in (("currents", config.currents), ("powers", config.powers)):
            if entities and len(entities) != config.phases:
                raise MeterError(f"The site has {config.phases} phase(s), and {len(entities)} {kind} are given")
        self._hass = hass
        self._config = config
        self._needed = config.currents + config.powers
        if config.total_power is not None and not (config.powers or (config.currents and config.phases == 3)):
            self._needed += (config.total_power,)
        self._source = ", ".join(self._needed)
        self._reported_at: dict[str, float] = {}

    async def probe(self) -> Reading:
        """Make a reading of the states as they are; raises MeterError that names the entity at fault."""
        self._note_all()
        return self._take()

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on a reading at once, and after each report, until cancelled. Reports of one moment make one reading."""
        config = self._config
        optional = (config.total_power, config.import_wh, config.export_wh)
        watched = {*self._needed, *(entity_id for entity_id in optional if entity_id is not None)}
        reported = asyncio.Event()
        broken = False

        @callback
        def on_report(event: Event[EventStateChangedData] | Event[EventStateReportedData]) -> None:
            if (state := event.data["new_state"]) is not None:
                self._note(state)
            reported.set()

        self._note_all()
        unsubscribe = (
            async_track_state_change_event(self._hass, watched, on_report),
            async_track_state_report_event(self._hass, watched, on_report),
        )
        try:
            while True:
                try:
                    reading = self._take()
                except MeterError as error:
                    if not broken:
                        broken = True
                        on_health(error)
                else:
                    if broken:
                        broken = False
                        on_health(None)
                    on_reading(reading)
                await reported.wait()
                reported.clear()
        finally:
            for stop in unsubscribe:
                stop()

    def _note(self, state: State) -> None:
        """Note when the state was reported, on the loop's clock: a later jump of the wall clock changes nothing."""
        age_s = max(0.0, (dt_util.utcnow() - state.last_reported).total_seconds())
        self._reported_at[state.entity_id] = asyncio.get_running_loop().time() - age_s

    def _note_all(self) -> None:
        for entity_id in self._needed:
            if (state := self._hass.states.get(entity_id)) is not None:
                self._note(state)

    def _take(self) -> Reading:
        config = self._config
        sign = -1.0 if config.export_positive else 1.0
        currents = [self._number(entity_id, ElectricCurrentConverter, UnitOfElectricCurrent.AMPERE) for entity_id in config.currents]
        powers = [sign * self._number(entity_id, PowerConverter, UnitOfPower.WATT) for entity_id in config.powers]
        total_w = self._total_w(sign, powers)
        reading = Reading(
            current_a=currents_of(
                currents, powers, total_w, phases=config.phases, voltage_v=config.voltage_v, export_positive=config.export_positive
            ),
            taken_at=min(self._reported_at[entity_id] for entity_id in self._needed),
            source=self._source,
            power_w=total_w,
            import_wh=self._energy_wh(config.import_wh),
            export_wh=self._energy_wh(config.export_wh),
        )
        # Where the currents were made of the power, the two can't contradict each other.
        judged = reading if currents else replace(reading, power_w=None)
        plausible(judged, voltage_v=config.voltage_v, ceiling_a=config.ceiling_a, signed=bool(powers) or config.phases == 1)
        return reading

    def _total_w(self, sign: float, powers: list[float]) -> float | None:
        total_power = self._config.total_power
        if powers:
            return math.fsum(powers)
        if total_power is None:
            return None
        try:
            return sign * self._number(total_power, PowerConverter, UnitOfPower.WATT)
        except MeterError:
            if total_power in self._needed:
                raise
            return None

    def _energy_wh(self, entity_id: str | None) -> float | None:
        if entity_id is None:
            return None
        try:
            return self._number(entity_id, EnergyConverter, UnitOfEnergy.WATT_HOUR)
        except MeterError:
            return None

    def _number(self, entity_id: str, converter: type[BaseUnitConverter], unit: str) -> float:
        """Return the entity's number in `unit`; raises MeterError that names it."""
        state = self._hass.states.get(entity_id)
        if state is None:
            raise MeterError(f"{entity_id} does not exist")
        if state.state in (STATE_UNAVAILABLE, STATE_UNKNOWN):
            raise MeterError(f"{entity_id} is {state.state}")
        try:
            number = float(state.state)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise MeterError(f"{entity_id} has no number but {state.state!r}")
        own_unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        if own_unit not in converter.VALID_UNITS:
            raise MeterError(f"{entity_id} counts in {own_unit or 'no unit'}, which can't be turned into {unit}")
        return converter.convert(number, own_unit, unit)
