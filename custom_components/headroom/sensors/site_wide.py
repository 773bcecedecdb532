"""The sensors of a site."""

from collections.abc import Callable

from homeassistant.const import EntityCategory, UnitOfTime

from ..site.comparison import Comparison
from ..site.snapshot import PeakSnapshot, SiteSnapshot
from .rows import DurationRow, EnergyRow, PowerRow, SensorRow


def _compared_wh(energy_fn: Callable[[Comparison], float]) -> Callable[[SiteSnapshot], float | None]:
    """Show an energy of shadow mode in steps of 10 Wh: each is written to the recorder."""
    return lambda site: None if site.shadow is None else round(energy_fn(site.shadow), -1)


def _peak(site: SiteSnapshot) -> PeakSnapshot | None:
    """Return the running quarter-hour, where there is something to keep it under."""
    return None if site.peak is None or site.peak.goal_w is None else site.peak


def _peak_w(power_w: Callable[[PeakSnapshot], float | None]) -> Callable[[SiteSnapshot], float | None]:
    """Return what shows a power of the running quarter-hour, in steps of 10 W: it goes on all the time, and each is written to the recorder."""

    def shown(site: SiteSnapshot) -> float | None:
        peak = _peak(site)
        told_w = None if peak is None else power_w(peak)
        return None if told_w is None else round(told_w, -1)

    return shown


SITE: tuple[SensorRow[SiteSnapshot], ...] = (
    PowerRow(key="charging_power", translation_key="charging_power", value_fn=lambda site: site.charging_power_w),
    PowerRow(
        key="quarter_hour_demand",
        translation_key="quarter_hour_demand",
        has_fn=lambda site: _peak(site) is not None,
        value_fn=_peak_w(lambda peak: peak.window_w),
    ),
    PowerRow(
        key="quarter_hour_left",
        translation_key="quarter_hour_left",
        has_fn=lambda site: _peak(site) is not None,
        value_fn=_peak_w(lambda peak: peak.left_w),
    ),
    PowerRow(
        key="month_peak",
        translation_key="month_peak",
        has_fn=lambda site: _peak(site) is not None,
        value_fn=_peak_w(lambda peak: peak.month_w),
    ),
    DurationRow(
        key="reaction_time",
        translation_key="reaction_time",
        entity_registry_enabled_default=False,
        suggested_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
        value_fn=lambda site: site.reaction_s,
    ),
    DurationRow(
        key="departure_error",
        translation_key="departure_error",
        suggested_unit_of_measurement=UnitOfTime.MINUTES,
        suggested_display_precision=0,
        value_fn=lambda site: site.departure_error_s,
    ),
    EnergyRow(
        key="shadow_energy",
        translation_key="shadow_energy",
        entity_category=EntityCategory.DIAGNOSTIC,
        has_fn=lambda site: site.shadow is not None,
        value_fn=_compared_wh(lambda shadow: shadow.energy_wh),
    ),
    EnergyRow(
        key="shadow_would_energy",
        translation_key="shadow_would_energy",
        entity_category=EntityCategory.DIAGNOSTIC,
        has_fn=lambda site: site.shadow is not None,
        value_fn=_compared_wh(lambda shadow: shadow.would_energy_wh),
    ),
)
