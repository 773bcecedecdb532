"""What a person says of the quarter-hour's peak, as the forms and the entities store it, and what the meter's own entities tell of it."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfPower
from homeassistant.core import Event, EventStateChangedData, EventStateReportedData, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_state_change_event, async_track_state_report_event
from homeassistant.util.unit_conversion import PowerConverter

from .const import CONF_PEAK, CONF_PEAK_CONTRACT_KW, CONF_PEAK_FOLLOWS_MONTH, CONF_PEAK_GOAL_KW, CONF_PEAK_MONTH, CONF_PEAK_WINDOW
from .engine.peak_demand import PeakLimits


def peak_limits(data: Mapping[str, Any]) -> PeakLimits:
    """Return the limits that a config entry's data hold."""
    peak = data.get(CONF_PEAK, {})
    return PeakLimits(
        goal_w=_watts(peak.get(CONF_PEAK_GOAL_KW)),
        follows_month=bool(peak.get(CONF_PEAK_FOLLOWS_MONTH, False)),
        contract_w=_watts(peak.get(CONF_PEAK_CONTRACT_KW)),
    )


def _watts(kilowatts: float | None) -> float | None:
    return None if kilowatts is None else float(kilowatts) * 1000


@callback
def async_set_peak(hass: HomeAssistant, entry: ConfigEntry, **changes: float | bool) -> None:
    """Store a change that was made at an entity, where the form shows it too; the entry's update listener applies it."""
    hass.config_entries.async_update_entry(entry, data={**entry.data, CONF_PEAK: {**entry.data.get(CONF_PEAK, {}), **changes}})


def peak_entities(data: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return the entities with the running quarter-hour's average and the month's highest one, where the meter has them."""
    peak = data.get(CONF_PEAK, {})
    return peak.get(CONF_PEAK_WINDOW), peak.get(CONF_PEAK_MONTH)


@callback
def async_follow_peak(
    hass: HomeAssistant, data: Mapping[str, Any], on_told: Callable[[float | None, float | None], None]
) -> Callable[[], None]:
    """Call `on_told` with the running quarter-hour's average and the month's highest, in watts, None for what was not told now.

    Returns how to end that.
    """
    window, month = peak_entities(data)
    watched = {entity_id for entity_id in (window, month) if entity_id is not None}
    if not watched:
        return lambda: None

    @callback
    def take(state: State | None) -> None:
        if state is not None and (power_w := _power_w(state)) is not None:
            on_told(power_w if state.entity_id == window else None, power_w if state.entity_id == month else None)

    @callback
    def on_report(event: Event[EventStateChangedData] | Event[EventStateReportedData]) -> None:
        take(event.data["new_state"])

    if month is not None:
        take(hass.states.get(month))  # the other one may be of a quarter-hour that is over
    unsubscribe = (
        async_track_state_change_event(hass, watched, on_report),
        async_track_state_report_event(hass, watched, on_report),
    )

    def end() -> None:
        for stop in unsubscribe:
            stop()

    return end


def _power_w(state: State) -> float | None:
    """Return a state in watts; None where it is no power."""
    try:
        number = float(state.state)
    except ValueError:
        return None
    unit = state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)
    if not isfinite(number) or number < 0 or unit not in PowerConverter.VALID_UNITS:
        return None
    return PowerConverter.convert(number, unit, UnitOfPower.WATT)
