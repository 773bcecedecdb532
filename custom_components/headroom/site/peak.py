"""Follows the quarter-hours: what the main meter saw of the running one, the month's highest, and what that leaves for the cars."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import fsum
from typing import Any

from ..engine.model import Circuit
from ..engine.peak_demand import WINDOW_S, PeakLimits, Window, ceiling_w, count, held, opened, smoothed
from ..metering.reading import Reading
from .circuit import CircuitState
from .config import SiteConfig
from .evse import EvseState
from .snapshot import PeakSnapshot
from .voltage import of_cars

REGISTER_STEP_WH = 100.0
"""The coarsest step of the energy registers that meters are read by."""
KEPT_EVERY_S = 120.0
"""A window's progress is stored this often: what is lost with a crash is assumed at worst."""
TOLD_SINCE_S = 30.0
"""What a meter tells of its running window may be of the one before until its clock and ours agree on the new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakCeiling:
    """What the running window allows: `site_w` over all phases for everything, `cars_a` for the sum of the cars' phase currents at `voltage_v`."""

    site_w: float
    cars_a: float
    voltage_v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What the meter showed last, at a POSIX time."""

    at: float
    import_w: float
    import_wh: float | None


class Peak:
    """The windows of one site. Counts whether there is a goal or not, so that one that is set has something to go by."""

    def __init__(self) -> None:
        """Know nothing: the time of the running window that nobody saw is assumed at worst."""
        self.ceiling: PeakCeiling | None = None
        """What the running window allowed at the last turn; None where nobody set a goal."""
        self._window: Window | None = None
        self._month: str | None = None
        self._month_peak_w = 0.0
        self._seen: _Seen | None = None
        self._excess_w = 0.0
        """What the meter's power is below its currents' at the configured voltage."""
        self._building_w: float | None = None
        self._building_at = 0.0
        self._cars_w: float | None = None
        self._stored_at = 0.0
        self._told_wh: tuple[float, float] | None = None
        """What the meter itself tells of its running window, and when."""
        self._told_month: tuple[str, float] | None = None

    # What meters say.

    def read(self, reading: Reading, config: SiteConfig, now: float, posix_zero_s: float) -> None:
        """Take in a reading of the main meter; what came before it is known, unless it came too long before."""
        signed_w = reading.power_w if reading.power_w is not None else fsum(reading.current_a) * config.voltage_v
        self._excess_w = 0.0 if reading.spread else fsum(reading.current_a) * config.voltage_v - signed_w
        seen = _Seen(at=posix_zero_s + min(now, reading.taken_at), import_w=max(0.0, signed_w), import_wh=reading.import_wh)
        before = self._seen
        if before is not None and 0 <= seen.at - before.at <= config.meter_lost_after_s:
            self._count(seen.at, (before.import_w + seen.import_w) / 2, config, known=True)
        elif before is None or seen.at > before.at:
            self._bridge(before, seen, config)
        self._seen = seen

    def tell(self, *, window_average_w: float | None, month_peak_w: float | None, utcnow: datetime, zone: tzinfo) -> None:
        """Take in what the meter itself says of its running window (energy so far over 15 minutes) and of the month's highest one."""
        if window_average_w is not None:
            self._told_wh = (utcnow.timestamp(), window_average_w * WINDOW_S / 3600)
        if month_peak_w is not None:
            # Before the first window of a month is over and told, a meter still has the highest one of the month before.
            self._told_month = (_month(utcnow.timestamp() - WINDOW_S - TOLD_SINCE_S, zone), month_peak_w)

    def _bridge(self, before: _Seen | None, seen: _Seen, config: SiteConfig) -> None:
        """Count a time in which nobody measured: at worst, or by what the register went on meanwhile."""
        worst_w = _worst_w(config.root, config.voltage_v)
        since = opened(seen.at).until if self._window is None else max(self._window.until, opened(seen.at).starts_at)
        gap_s = seen.at - since
        if gap_s > 0 and before is not None and before.import_wh is not None and seen.import_wh is not None:
            went_wh = seen.import_wh - before.import_wh
            if went_wh >= 0:
                worst_w = min(worst_w, (went_wh + REGISTER_STEP_WH) * 3600 / gap_s)
        self._count(seen.at, worst_w, config, known=False)

    def _count(self, to: float, power_w: float, config: SiteConfig, *, known: bool) -> None:
        self._window, ended = count(self._window, to, power_w, known=known)
        for window in ended:
            self._in_month(_month(window.starts_at, config.zone), window.known_average_w)
            self._cars_w, self._stored_at = None, 0.0
        self._in_month(_month(self._window.starts_at, config.zone), self._window.known_average_w)

    def _in_month(self, month: str, average_w: float) -> None:
        if month != self._month:
            self._month, self._month_peak_w = month, 0.0
        # Only what is known counts: an assumption must not raise what is paid for.
        self._month_peak_w = max(self._month_peak_w, average_w)

    # What follows.

    def month_peak_w(self, now: float, zone: tzinfo) -> float:
        """Return the highest window of the month so far, in watts."""
        month = _month(now, zone)
        own_w = self._month_peak_w if self._month == month else 0.0
        return max(own_w, self._told_month[1]) if self._told_month is not None and self._told_month[0] == month else own_w

    def running(self, now: float, config: SiteConfig) -> Window:
        """Return the running window with what has probably been drawn since the last reading, or at worst."""
        known = self._seen is not None and now - self._seen.at <= config.meter_lost_after_s
        power_w = self._seen.import_w if known and self._seen is not None else _worst_w(config.root, config.voltage_v)
        window, _ = count(self._window, now, power_w, known=known)
        if self._told_wh is not None:
            at, told_wh = self._told_wh
            if window.starts_at + TOLD_SINCE_S <= at <= now and (window.assumed_wh or told_wh > window.known_wh):
                told = Window(starts_at=window.starts_at, until=at, known_wh=told_wh)
                window = told if at == now else count(told, now, power_w, known=known)[0]
        return window

    def turn(self, state: CircuitState, evses: Iterable[EvseState], config: SiteConfig, now: float) -> PeakCeiling | None:
        """Return what the running window allows now (POSIX time); None where nobody set a goal."""
        window = self.running(now, config)
        building_w = state.unmanaged_total_a() * config.voltage_v
        if state.unmanaged is None:
            self._building_w = None  # that is its worst case, which is no part of any mean
        else:
            building_w = smoothed(self._building_w, building_w - self._excess_w, now - self._building_at, window.ends_at - now)
            self._building_w, self._building_at = building_w, now
        goal_w = config.peak.goal(self.month_peak_w(now, config.zone))
        if goal_w is None:
            self._cars_w = self.ceiling = None
            return None
        site_w = ceiling_w(goal_w, window)
        self._cars_w = held(self._cars_w, site_w - building_w, goal_w)
        voltage_v = of_cars(evses, config.voltage_v) or config.voltage_v
        self.ceiling = PeakCeiling(site_w=site_w, cars_a=self._cars_w / voltage_v, voltage_v=voltage_v)
        return self.ceiling

    def snapshot(self, config: SiteConfig, now: float) -> PeakSnapshot:
        """Return what people are shown, at a POSIX time."""
        window = self.running(now, config)
        month_w = self.month_peak_w(now, config.zone)
        goal_w = config.peak.goal(month_w)
        return PeakSnapshot(
            limits=config.peak,
            goal_w=goal_w,
            window_w=window.used_wh * 3600 / WINDOW_S,
            left_w=None if goal_w is None else ceiling_w(goal_w, window),
            month_w=month_w,
            ends_at=datetime.fromtimestamp(window.ends_at, UTC),
            assumed=window.assumed_wh > 0,
        )

    # What is kept.

    def to_keep(self, now: float, limits: PeakLimits) -> bool:
        """Tell, each time it is due, that what is counted is worth storing; never where nobody goes by it."""
        if limits == PeakLimits() or 0 <= now - self._stored_at < KEPT_EVERY_S:
            return False
        self._stored_at = now
        return True

    def document(self) -> dict[str, Any]:
        """Return what outlives a restart, as JSON-able data."""
        window, seen = self._window, self._seen
        return {
            "month": self._month,
            "month_peak_w": self._month_peak_w,
            "window": None if window is None else [window.starts_at, window.until, window.known_wh, window.assumed_wh],
            "seen": None if seen is None else [seen.at, seen.import_w, seen.import_wh],
        }

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take over what `document` gave."""
        self._month, self._month_peak_w = document.get("month"), document.get("month_peak_w", 0.0)
        if (window := document.get("window")) is not None:
            starts_at, until, known_wh, assumed_wh = window
            self._window = Window(starts_at=starts_at, until=until, known_wh=known_wh, assumed_wh=assumed_wh)
        if (seen := document.get("seen")) is not None:
            at, import_w, import_wh = seen
            self._seen = _Seen(at=at, import_w=import_w, import_wh=import_wh)


def _month(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m}"


def _worst_w(root: Circuit, voltage_v: float) -> float:
    """Return the most that may flow while nobody looks: the loop keeps the main fuse's limit, by leases, even then."""
    return fsum(root.limit_a()) * voltage_v
