"""A reason in words, for the driver who asks why the car charges as it does."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from .model import Filled, Outlook, Reason, ReasonCode

SENTENCES: Mapping[ReasonCode, str] = {
    ReasonCode.CIRCUIT: "{place} is full{filled}",
    ReasonCode.IMBALANCE: "{place} would rise too far above {against}{filled}",
    ReasonCode.WAITING: "waits its turn{next}: {place} has no room for its least current{least}",
    ReasonCode.POSTPONED: "its time is later by the plan{starts}: {place} has no room for its least current{least} now",
    ReasonCode.CHEAPER: "waits for cheaper energy, and is ready in time with that",
    ReasonCode.RESTING: "was paused a moment ago, starts again{earliest}",
    ReasonCode.WAKING: "the car sleeps on after its pause and is being woken",
    ReasonCode.STATION: "the station, its cable or its connection allows no more{rounded}",
    ReasonCode.USER: "the maximum current that was set by hand{rounded}",
    ReasonCode.CAR: "the car takes no more{rounded}",
    ReasonCode.PAUSED: "charging is switched off here",
    ReasonCode.NOT_CHARGING: "no car asks for current",
    ReasonCode.STATIC: "the fixed share of this site's static mode{reserve}",
    ReasonCode.UNMANAGED: "load management is off",
    ReasonCode.FALLBACK: "the fallback installed on the station holds",
    ReasonCode.OFFLINE: "the station is not connected, what is installed on it holds",
    ReasonCode.RAMP: "there is room for {more}, it follows once the freed current is seen to be gone",
    ReasonCode.EXTERNAL: "a limit from outside the site holds{source}{rounded}{reserve}",
    ReasonCode.SWITCHING: "the station switches between one phase and three",
    ReasonCode.PEAK_DEMAND: "the quarter-hour's budget is used up{filled}",
    ReasonCode.METER_LOST: "the meter of {circuit} is silent, its worst case is reckoned with",
    ReasonCode.CIRCUIT_GONE: "the circuit that feeds it was deleted, nothing may be drawn here until a person says where it hangs",
    ReasonCode.UNANSWERED: "the station does not answer its limits in time, what it may draw is reserved for it",
    ReasonCode.DISOBEDIENT: "the station does not follow its limit, what it draws is reserved for it",
    ReasonCode.OTHER_SYSTEM: "another system's charging profile leads at the station, no new car may charge until it is gone",
}
"""One sentence for each code. `circuit` is its name, `place` the circuit and its phase, `against` another phase of it, `filled` what
is on it, `least` a current, `next`, `starts` and `earliest` a time, `more` and `rounded` a current, `source` who set it, `reserve` what
is not for the cars that are led."""

SHARED_OUT = frozenset(
    {
        ReasonCode.CIRCUIT,
        ReasonCode.IMBALANCE,
        ReasonCode.WAITING,
        ReasonCode.POSTPONED,
        ReasonCode.PEAK_DEMAND,
        ReasonCode.RESTING,
        ReasonCode.RAMP,
    }
)
"""The reasons that lie in how the site is shared: tier and plan have to do with them."""
LEAST_TOLD_A = 0.5
"""Less is not worth a word."""
ABOUT = timedelta(minutes=5)
"""What is only about a time is told in steps of this."""
SOON = timedelta(hours=20)
"""What is further away is told with its day."""


def explain(
    allocation_limit_a: float, reason: Reason, circuit_names: Mapping[str, str], wall_clock: Callable[[float], datetime], now: float
) -> str:
    """Return a limit in amps and its reason as a sentence, such as "10 A: Garage L2 is full (32 A): the building 12 A, 3 other cars".

    `circuit_names` maps circuit ids to names; a circuit that is not among them goes by its id. `wall_clock` gives the local time of
    a moment of the clock that reasons go by, on which it is `now`.
    """
    circuit = "the site" if reason.circuit_id is None else circuit_names.get(reason.circuit_id, reason.circuit_id)
    place = f"{circuit} (all phases together)" if reason.phase is None else f"{circuit} {reason.phase.name}"
    against = "" if reason.against is None else reason.against.name
    limit, load, reserve = _filled(reason.filled, reason.others)
    if reason.code in (ReasonCode.WAITING, ReasonCode.POSTPONED):
        above = "" if reason.against is None else f", which may not rise too far above {against},"
        inside = ": ".join(filter(None, (limit, load)))
        place = f"{place}{above} ({inside})" if inside else f"{place}{above}"
    filled = f" ({limit}): {load}" if limit and load else f" ({limit})" if limit else f", shared with {load}" if load else ""

    def about(at: float | None, words: str) -> str:
        """Return the words with about when that is, nothing where it can't be told."""
        return "" if at is None else words.format(_time(wall_clock(at), wall_clock(now), ABOUT))

    why = SENTENCES[reason.code].format(
        circuit=circuit,
        place=place,
        against=against,
        filled=filled,
        least="" if reason.least_a is None else f" of {reason.least_a:g} A",
        next=about(reason.next_at, ", next at about {}"),
        starts=about(reason.next_at, ", from about {}"),
        earliest=" in a while" if reason.next_at is None else f" at {_time(wall_clock(reason.next_at), wall_clock(now))} at the earliest",
        more="more" if reason.rises_to_a is None else f"{reason.rises_to_a:g} A",
        rounded="" if reason.rounded_from_a is None else f" ({reason.rounded_from_a:.1f} A, the station goes by steps)",
        source="" if reason.source is None else f" ({reason.source})",
        reserve=f", {reserve}" if reserve else "",
    )
    parts = [f"{allocation_limit_a:g} A: {why}"]
    if reason.code in SHARED_OUT:
        if reason.tier == 0:
            parts.append("served after all others, for it seems to be full")
        elif reason.tiers > 1:
            parts.append(f"tier {reason.tier} of {reason.tiers}")
        if reason.outlook is not None:
            parts.append(_planned(reason.outlook, wall_clock, now))
    return "; ".join(parts)


def _filled(filled: Filled | None, others: int) -> tuple[str, str, str]:
    """Tell the limit of a place, what is on it and what of that is in reserve; each may be empty.

    As "32 A", "the building 12 A, 5 A in reserve, 3 other cars" and "5 A in reserve".
    """
    cars = [] if others == 0 else ["1 other car"] if others == 1 else [f"{others} other cars"]
    if filled is None:
        return "", "".join(cars), ""

    def amount(amps: float) -> str:
        return f"{amps:.0f} A" if filled.watts_per_a is None else f"{amps * filled.watts_per_a / 1000:.1f} kW"

    building: list[str] = []
    if filled.unmanaged_a >= LEAST_TOLD_A:
        building = [f"the building {amount(filled.unmanaged_a)}"]
    elif filled.unmanaged_a <= -LEAST_TOLD_A:
        building = [f"the building gives {amount(-filled.unmanaged_a)}"]
    reserve = f"{amount(filled.reserved_a)} in reserve" if filled.reserved_a >= LEAST_TOLD_A else ""
    return amount(filled.limit_a), ", ".join(filter(None, [*building, reserve, *cars])), reserve


def _planned(outlook: Outlook, wall_clock: Callable[[float], datetime], now: float) -> str:
    """Tell what a plan makes of a session: "planned: leaves 07:00, needs 12 kWh more, will have it by about 03:40"."""
    kwh = outlook.energy_wh / 1000
    parts = [f"needs {kwh:.0f} kWh more" if kwh >= 10 else f"needs {kwh:.1f} kWh more"]
    if outlook.departs_at is not None:
        parts.insert(0, f"leaves {_time(wall_clock(outlook.departs_at), wall_clock(now))}")
    if outlook.ready_at is not None:
        parts.append(f"will have it by about {_time(wall_clock(outlook.ready_at), wall_clock(now), ABOUT)}")
    elif outlook.departs_at is not None:
        parts.append("will not have all of it by then")
    return f"planned: {', '.join(parts)}"


def _time(at: datetime, now: datetime, step: timedelta = timedelta(minutes=1)) -> str:
    """Return a time of day to the nearest of steps that divide an hour; with its day where it is far away."""
    middle = at + step / 2
    rounded = middle - timedelta(seconds=(middle.minute * 60 + middle.second + middle.microsecond / 1e6) % step.total_seconds())
    return f"{rounded:%a %H:%M}" if at - now > SOON else f"{rounded:%H:%M}"
