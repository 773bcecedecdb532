"""The meters of a site, each read in a task of its own for as long as it is what is configured."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant

from .const import DOMAIN
from .meter_settings import MeterSettings, meter_of
from .metering.reading import Meter, MeterError, Reading

_LOGGER = logging.getLogger(__name__)

ANEW_S = 5.0
"""After so long a meter is read anew over which something of ours failed."""


@dataclass(frozen=True, slots=True)
class _Running:
    settings: MeterSettings
    task: asyncio.Task[None] | None
    """None where no meter can be made of the settings."""


class Meters:
    """Reads what is configured. One that fails tells so and leaves the others alone."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        *,
        on_reading: Callable[[str, Reading], None],
        on_health: Callable[[str, MeterError | None], None],
        on_change: Callable[[str], None],
    ) -> None:
        """Each is told the id of what the meter measures; `on_change` before what a meter with other settings says."""
        self._hass = hass
        self._entry = entry
        self._on_reading = on_reading
        self._on_health = on_health
        self._on_change = on_change
        self._running: dict[str, _Running] = {}

    def async_apply(self, wanted: Mapping[str, MeterSettings]) -> None:
        """Read these; a meter whose settings are the same reads on."""
        for measured in [key for key, running in self._running.items() if wanted.get(key) != running.settings]:
            if (task := self._running.pop(measured).task) is not None:
                task.cancel()
        for measured, settings in wanted.items():
            if measured not in self._running:
                self._on_change(measured)
                self._on_health(measured, None)  # what was wrong with the one before is not its fault
                self._running[measured] = _Running(settings, self._start(measured, settings))

    async def async_stop(self) -> None:
        """Read none any more."""
        tasks = [running.task for running in self._running.values() if running.task is not None]
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, measured: str, settings: MeterSettings) -> asyncio.Task[None] | None:
        try:
            meter = meter_of(self._hass, settings)
        except MeterError as error:
            _LOGGER.error("The meter can't be read as it is configured: %s", error)
            self._on_health(measured, error)
            return None
        return self._entry.async_create_background_task(
            self._hass,
            self._read(measured, meter),
            f"{DOMAIN} meter {measured}",
        )

    async def _read(self, measured: str, meter: Meter) -> None:
        """Read a meter until cancelled; a mistake of ours over one reading, or over its device, is told once and ends nothing."""
        failing = False

        def heard(reading: Reading) -> None:
            nonlocal failing
            self._on_reading(measured, reading)
            if failing:
                failing = False
                _LOGGER.info("The meter of %s is read again", measured)

        while True:
            try:
                await meter.run(heard, lambda error: self._on_health(measured, error))
            except Exception:
                if not failing:
                    _LOGGER.exception("Reading the meter of %s failed", measured)
                failing = True
                await asyncio.sleep(ANEW_S)
