"""Readings from entities that Home Assistant has already (P1 / DSMR, an inverter, a cloud)."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
import math
from typing import Literal

from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, STATE_UNAVAILABLE, STATE_UNKNOWN, UnitOfElectricCurrent, UnitOfEnergy, UnitOfPower
from homeassistant.core import Event, EventStateChangedData, EventStateReportedData, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_state_change_event, async_track_state_report_event
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import BaseUnitConverter, ElectricCurrentConverter, EnergyConverter, PowerConverter

from ..engine.model import NONE_A, PerPhase
from .combine import Kind, check, needed, reading_of
from .fault import Fault
from .plausibility import CEILING_A
from .reading import MeterError, OnHealth, OnReading, Reading

_UNITS: Mapping[Kind, tuple[type[BaseUnitConverter], str]] = {
    "A": (ElectricCurrentConverter, UnitOfElectricCurrent.AMPERE),
    "W": (PowerConverter, UnitOfPower.WATT),
    "Wh": (EnergyConverter, UnitOfEnergy.WATT_HOUR),
}

SETTLES_S = 0.3
"""So long after one of them has reported, the others of one device may do so yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityMeterConfig:
    """The entities that are the meter; `Sources` says what each is.

    `only_changes`: all of them are one device's, which reports a value only when it has changed. Then the newest report says that
    the others still hold; else the oldest of them dates the reading, so that one that is stuck can't hide behind the rest.
    """

    currents: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()
    total_power: str | None = None
    import_wh: str | None = None
    export_wh: str | None = None
    exported_powers: tuple[str, ...] = ()
    exported_total: str | None = None
    export_positive: bool = False
    only_changes: bool = False
    phases: Literal[1, 2, 3] = 3
    voltage_v: float = 230.0
    ceiling_a: float = CEILING_A


class EntityMeter:
    """Makes one reading of the states of several entities, each time a needed one reports; `currents_of` says how.

    A needed entity without a number means no reading; the oldest of the needed ones dates it. An energy without a number is left out.
    """

    def __init__(self, hass: HomeAssistant, config: EntityMeterConfig) -> None:
        """Raises MeterError where the entities chosen do not make a reading."""
        check(config)
        self._hass = hass
        self._config = config
        self._needed = needed(config)
        self._source = ", ".join(self._needed)
        self._reported_at: dict[str, float] = {}

    async def probe(self) -> Reading:
        """Make a reading of the states as they are; raises MeterError that names the entity at fault."""
        self._note_all()
        return self._take()

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on a reading at once, and after each report of a needed entity, until cancelled. Reports of one moment make one reading.

        Those that come one after another do so, too: of phases of now beside others of then nobody could tell cars from building.
        What is not needed comes along: for its report alone the rest would be handed on again, as old as it is.
        """
        config = self._config
        optional = (config.total_power, config.exported_total, config.import_wh, config.export_wh)
        watched = {*self._needed, *(entity_id for entity_id in optional if entity_id is not None)}
        reported = asyncio.Event()
        broken, told_a = False, NONE_A

        @callback
        def on_report(event: Event[EventStateChangedData] | Event[EventStateReportedData]) -> None:
            if (state := event.data["new_state"]) is not None:
                self._note(state)
            if broken or event.data["entity_id"] in self._needed:  # one that is not needed may be what is wrong
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
                    told_a = reading.current_a
                await reported.wait()
                reported.clear()
                if not broken:
                    await self._wait_for_the_rest(reported, told_a)
        finally:
            for stop in unsubscribe:
                stop()

    async def _wait_for_the_rest(self, reported: asyncio.Event, told_a: PerPhase) -> None:
        """Wait until all that is needed is of one moment, for a moment at most; not with what is wrong, or rises: it may be an overload."""
        with suppress(TimeoutError, MeterError):
            async with asyncio.timeout(SETTLES_S):
                while max(dates := self._dates()) - min(dates) > SETTLES_S and _nowhere_above(self._take().current_a, told_a):
                    await reported.wait()
                    reported.clear()

    def _note(self, state: State) -> None:
        """Note when the state was reported, on the loop's clock: a later jump of the wall clock changes nothing."""
        age_s = max(0.0, (dt_util.utcnow() - state.last_reported).total_seconds())
        self._reported_at[state.entity_id] = asyncio.get_running_loop().time() - age_s

    def _note_all(self) -> None:
        for entity_id in self._needed:
            if (state := self._hass.states.get(entity_id)) is not None:
                self._note(state)

    def _take(self) -> Reading:
        for entity_id in self._needed:
            self._number(entity_id, None)
        dates = self._dates()
        taken_at = max(dates) if self._config.only_changes else min(dates)
        return reading_of(self._config, self._number, taken_at=taken_at, source=self._source)

    def _dates(self) -> list[float]:
        return [self._reported_at[entity_id] for entity_id in self._needed]

    def _number(self, entity_id: str, kind: Kind | None) -> float:
        """Return the entity's number in the kind's unit (None: as it is); raises MeterError that names it."""
        state = self._hass.states.get(entity_id)
        if state is None:
            raise MeterError(Fault.ENTITY_MISSING, entity_id=entity_id)
        if state.state == STATE_UNAVAILABLE:
            raise MeterError(Fault.ENTITY_UNAVAILABLE, entity_id=entity_id)
        if state.state == STATE_UNKNOWN:
            raise MeterError(Fault.ENTITY_UNKNOWN, entity_id=entity_id)
        try:
            number = float(state.state)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise MeterError(Fault.ENTITY_NO_NUMBER, entity_id=entity_id, value=repr(state.state))
        if kind is None:
            return number
        converter, unit = _UNITS[kind]
        own_unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
        if own_unit not in converter.VALID_UNITS:
            if not own_unit:
                raise MeterError(Fault.ENTITY_NO_UNIT, entity_id=entity_id, unit=unit)
            raise MeterError(Fault.ENTITY_OTHER_UNIT, entity_id=entity_id, own_unit=str(own_unit), unit=unit)
        return converter.convert(number, own_unit, unit)


def _nowhere_above(current_a: PerPhase, before_a: PerPhase) -> bool:
    return all(now <= before for now, before in zip(current_a, before_a, strict=True))
