"""A car: what it draws of what its pilot offers."""

from dataclasses import dataclass, replace
import math

from .electrical import LEAST_CURRENT_A, VOLTAGE_V


@dataclass(frozen=True, slots=True, kw_only=True)
class HighLevel:
    """What a car tells by ISO 15118."""

    energy_wh: float = 20_000.0
    departs_after_s: float | None = None
    emaid: str = ""
    """Its contract, by which it pays where no driver shows a token."""
    wants_contract: bool = False
    """It asks for a contract certificate when it is plugged in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarSpec:
    """A model of car.

    From `taper_from_soc` to full the current it takes falls from `max_a` to `taper_to_a`; `taper_shape` 1 is a straight line, above 1
    it falls late. `wake_s` passes from the first offer of current until it draws. A car that `never_wakes` stays asleep once its
    charging was interrupted; one that `sleeps_through` so many offers after an interruption wakes at the next. It follows a change of the pilot after `response_s`, and takes `draw_fraction` of what is offered.
    """

    name: str
    battery_kwh: float = 60.0
    phases: int = 3
    max_a: float = 16.0
    taper_from_soc: float = 0.85
    taper_to_a: float = 2.0
    taper_shape: float = 1.0
    wake_s: float = 2.0
    never_wakes: bool = False
    sleeps_through: int = 0
    response_s: float = 1.5
    draw_fraction: float = 0.98
    efficiency: float = 0.9
    high_level: HighLevel | None = None

    def __post_init__(self) -> None:
        """Refuse a car that can't be: raises ValueError."""
        if self.phases not in {1, 2, 3}:
            raise ValueError(f"{self.name}: a car charges on 1, 2 or 3 phases, not {self.phases}")
        if not 0.0 < self.taper_from_soc < 1.0 or self.battery_kwh <= 0.0:
            raise ValueError(f"{self.name}: taper_from_soc lies between 0 and 1 and battery_kwh above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarState:
    """A car at a moment. `draw_a` flows on each of its phases."""

    soc: float = 0.3
    draw_a: float = 0.0
    followed_a: float = 0.0
    """The pilot it goes by."""
    unfollowed_s: float = 0.0
    """For how long the pilot has been another one."""
    offered_s: float = 0.0
    """For how long it has been offered current, breaks shorter than its response not counted."""
    has_charged: bool = False
    asleep: bool = False
    """It was interrupted and does not wake again (`CarSpec.never_wakes`) until it is plugged in anew, or slept through enough offers."""
    offers_slept: int = 0
    """How many offers it has slept through."""

    @property
    def full(self) -> bool:
        """Whether it takes no more energy."""
        return self.soc >= 1.0


def accepted_a(spec: CarSpec, state: CarState) -> float:
    """Return the most it would draw per phase at its state of charge if it were offered enough; 0 once full or asleep."""
    if state.full or state.asleep:
        return 0.0
    if state.soc <= spec.taper_from_soc:
        return spec.max_a
    into = (state.soc - spec.taper_from_soc) / (1.0 - spec.taper_from_soc)
    fallen = math.pow(into, spec.taper_shape)
    return spec.max_a - (spec.max_a - min(spec.taper_to_a, spec.max_a)) * fallen


def step(spec: CarSpec, state: CarState, offered_a: float, dt_s: float, voltage_v: float = VOLTAGE_V) -> CarState:
    """Return the car `dt_s` later with `offered_a` on its pilot all the while; below 6 A nothing is offered."""
    offered_a = offered_a if offered_a >= LEAST_CURRENT_A else 0.0
    unfollowed_s = state.unfollowed_s + dt_s if offered_a != state.followed_a else 0.0
    before_a = followed_a = state.followed_a
    if unfollowed_s >= spec.response_s:
        followed_a, unfollowed_s = offered_a, 0.0
    offered_s = state.offered_s + dt_s if offered_a or followed_a else 0.0
    asleep = state.asleep or ((spec.never_wakes or spec.sleeps_through > 0) and state.has_charged and not followed_a)
    offers_slept = state.offers_slept
    if asleep and followed_a and not before_a and not spec.never_wakes:
        asleep = offers_slept < spec.sleeps_through
        offers_slept = offers_slept + 1 if asleep else 0
    awake = followed_a > 0.0 and not asleep and offered_s >= spec.wake_s
    slept = (asleep, offers_slept) != (state.asleep, state.offers_slept)
    now = replace(state, asleep=asleep, offers_slept=offers_slept) if slept else state
    draw_a = min(followed_a * spec.draw_fraction, accepted_a(spec, now)) if awake else 0.0
    taken_kwh = draw_a * spec.phases * voltage_v * dt_s / 3.6e6 * spec.efficiency
    soc = min(1.0, state.soc + taken_kwh / spec.battery_kwh)
    return CarState(
        soc=1.0 if soc > 1.0 - 1e-6 else soc,
        draw_a=draw_a,
        followed_a=followed_a,
        unfollowed_s=unfollowed_s,
        offered_s=offered_s,
        has_charged=state.has_charged or draw_a > 0.0,
        asleep=asleep,
        offers_slept=offers_slept,
    )


def unplugged(state: CarState) -> CarState:
    """Return the car as it drives away: it keeps its charge and forgets the pilot."""
    return CarState(soc=state.soc)
