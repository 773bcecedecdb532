"""How much may still be drawn in this quarter-hour? Demand is billed by the average of fixed 15-minute clock windows, never rolling.

What counts is import over all phases together: in one moment one phase's export makes up for another's import, and a moment's net
export counts as nothing drawn, for a meter's import register does not go backwards (Belgium's digital meters, and most others).
Times are POSIX seconds.
"""

from dataclasses import dataclass, replace
from math import exp2

WINDOW_S = 900.0
FLOOR_W = 2500.0
"""The least monthly peak that is billed in Flanders: below it there is nothing to save."""
RESERVE = 0.01
"""The share of a goal that is left alone: what cars are late by, and the last moments' surprises, fit in."""
CALM_S = 60.0
"""What is ahead or behind is made up for over at least this long."""
LATE_S = 10.0
"""A limit takes about so long to show: what the end of a window lacks can't be made up for in less."""
CATCH_UP = 0.5
"""By which share more than its pace a whole window may be drawn to make up for what was left; towards the end this goes to nothing."""
BAND = 0.05
"""The share of the goal by which what is left for cars has to change before it is told anew."""
SMOOTH_S = 60.0
"""The building's jumps are averaged over this long, or over less where less than ten times it is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakLimits:
    """What a person set. A goal that follows the month's peak is never below `FLOOR_W`; a contract is never exceeded."""

    goal_w: float | None = None
    follows_month: bool = False
    """Whether the goal rises to the highest window of the month: what is paid for already may be used."""
    contract_w: float | None = None

    def goal(self, month_peak_w: float) -> float | None:
        """Return the average in watts that no window is to exceed; None where nothing was set. `month_peak_w` is the month's highest so far."""
        goals = [] if self.goal_w is None else [self.goal_w]
        if self.follows_month:
            goals = [max(FLOOR_W, month_peak_w, *goals)]
        return min((*goals, *(() if self.contract_w is None else (self.contract_w,))), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was drawn in a window up to `until`: what is known, and what is assumed of the time in which nobody measured."""

    starts_at: float
    until: float
    known_wh: float = 0.0
    assumed_wh: float = 0.0

    @property
    def used_wh(self) -> float:
        """What has to be reckoned with."""
        return self.known_wh + self.assumed_wh

    @property
    def ends_at(self) -> float:
        """When the next window starts."""
        return self.starts_at + WINDOW_S

    @property
    def known_average_w(self) -> float:
        """The least that its average over the whole 15 minutes can be; this is what a meter shows of the running window."""
        return self.known_wh * 3600 / WINDOW_S


def opened(at: float) -> Window:
    """Return the window in which a moment lies, with nothing counted yet.

    Every zone's quarter-hours start with those of UTC: offsets, and shifts to and from summer time, are multiples of 15 minutes.
    """
    starts_at = at - at % WINDOW_S
    return Window(starts_at=starts_at, until=starts_at)


def count(window: Window | None, to: float, power_w: float, *, known: bool) -> tuple[Window, tuple[Window, ...]]:
    """Count a power from where `window` ends up to `to`; returns the window in which `to` lies, and the one that ended on the way.

    Without a window, and where whole ones were missed or the clock went back before the window, the power is that of the running
    window's past. A clock that went back inside the window counts a time twice: what was drawn is not forgotten.
    """
    power_w = max(0.0, power_w)
    ended: tuple[Window, ...] = ()
    if window is None or to < window.starts_at:
        window = opened(to)
    elif to >= window.ends_at:
        ended = (_add(window, window.ends_at, power_w, known=known),)
        window = opened(to)
    elif to < window.until:
        return replace(window, until=to), ended
    return _add(window, to, power_w, known=known), ended


def _add(window: Window, to: float, power_w: float, *, known: bool) -> Window:
    energy_wh = power_w * max(0.0, to - window.until) / 3600
    if known:
        return replace(window, until=to, known_wh=window.known_wh + energy_wh)
    return replace(window, until=to, assumed_wh=window.assumed_wh + energy_wh)


def ceiling_w(goal_w: float, window: Window) -> float:
    """Return the power that the site may draw from now on, over all phases, so that the window's average stays at or below the goal.

    It is the pace that uses the window up, less a small reserve, and it hunts nothing at the end: what was left is drawn later only
    as far as the next window could go on with, what was too much is made up for over a minute at least, and a small excess in the
    last moments takes a little off, not everything.
    """
    elapsed_s = window.until - window.starts_at
    left_s = WINDOW_S - elapsed_s
    aim_w = (1 - RESERVE) * goal_w
    used_ws = window.used_wh * 3600
    calm_w = aim_w + (aim_w * elapsed_s - used_ws) / max(left_s, CALM_S)
    hard_w = goal_w + (goal_w * elapsed_s - used_ws) / max(left_s, LATE_S)
    most_w = aim_w * (1 + CATCH_UP * left_s / WINDOW_S)
    return max(0.0, min(calm_w, hard_w, most_w))


def smoothed(before_w: float | None, now_w: float, over_s: float, left_s: float) -> float:
    """Return the building's power without its jumps, `over_s` after it was `before_w`; towards the end of a window they count more."""
    smooth_s = min(SMOOTH_S, left_s / 10)
    if before_w is None or smooth_s <= 0:
        return now_w
    return now_w + (before_w - now_w) * exp2(-max(0.0, over_s) / smooth_s)


def held(before_w: float | None, now_w: float, goal_w: float) -> float:
    """Return what is told of a power that may change all the time: what was told before, unless it is another by now."""
    return now_w if before_w is None or abs(now_w - before_w) > BAND * goal_w else before_w
