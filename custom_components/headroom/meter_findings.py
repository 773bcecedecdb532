"""What a meter's readings say about how it was set up, in words, in Home Assistant's language."""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

from .const import DOMAIN
from .meter_settings import Conductors
from .metering.guess import Found, Guess, guess
from .metering.reading import Reading
from .site.resource import ResourceKind

DRAWS_W = 50.0
"""A PV system draws less, at night."""
TRANSLATION_KEY = "meter_finding"


class OwnFinding(StrEnum):
    """What a guess at any meter does not know."""

    PV_DRAWS = "pv_draws"
    """A PV system that draws: what it gives is counted as positive."""
    TOTAL_ONLY = "total_only"
    """One power of all phases is told, of a connection whose phases may differ."""
    ALL_WELL = "all_well"


def look_at(
    readings: Sequence[Reading],
    *,
    phases: Conductors,
    voltage_v: float,
    generation: bool | None,
    night: bool | None,
    of: ResourceKind | None,
    total_only: bool = False,
) -> tuple[list[Found | OwnFinding], bool]:
    """Return what is to be said of these readings, and whether import and export seem to be swapped.

    `of` is what the meter measures where that is no connection of loads: its sign is told by that alone. `total_only`: it tells one
    power of all phases.
    """
    guessed: Guess = guess(
        readings,
        phases=phases,
        voltage_v=voltage_v,
        generation=True if of else generation,
        night=None if of else night,
        total_only=total_only,
    )
    said: list[Found | OwnFinding] = list(guessed.found)
    swapped = guessed.invert is True
    if of is ResourceKind.PV and readings and min(reading.power_at(voltage_v) for reading in readings) > DRAWS_W:
        said.append(OwnFinding.PV_DRAWS)
        swapped = True
    if total_only and of is None and phases > 1:
        said.append(OwnFinding.TOTAL_ONLY)
    return said or [OwnFinding.ALL_WELL], swapped


async def async_words(hass: HomeAssistant, said: Iterable[Found | OwnFinding]) -> str:
    """Return it as a list, a line each."""
    texts = await async_get_translations(hass, hass.config.language, "selector", {DOMAIN})

    def words(one: Found | OwnFinding) -> str:
        key = one.finding if isinstance(one, Found) else one
        text = texts.get(f"component.{DOMAIN}.selector.{TRANSLATION_KEY}.options.{key}", str(key))
        if isinstance(one, Found):
            text = text.replace("%phase", f"L{one.phase}").replace("%value", f"{one.value:.1f}")
        return f"- {text}"

    return "\n".join(words(one) for one in said)
