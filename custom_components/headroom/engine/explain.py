"""A reason in words, for the driver who asks why the car charges as it does."""

from collections.abc import Mapping

from .model import Reason, ReasonCode

SENTENCES: Mapping[ReasonCode, str] = {
    ReasonCode.CIRCUIT: "{place} is full{shared}",
    ReasonCode.IMBALANCE: "{place} would rise too far above {against}{shared}",
    ReasonCode.WAITING: "waits its turn, {place} has no room for its least current{shared}",
    ReasonCode.RESTING: "rests, it was paused a moment ago",
    ReasonCode.STATION: "the station, its cable or its connection allows no more",
    ReasonCode.USER: "the maximum current that was set by hand",
    ReasonCode.CAR: "the car takes no more",
    ReasonCode.PAUSED: "charging is switched off here",
    ReasonCode.NOT_CHARGING: "no car asks for current",
    ReasonCode.STATIC: "the fixed share of this site's static mode",
    ReasonCode.UNMANAGED: "load management is off",
    ReasonCode.FALLBACK: "the fallback installed on the station holds",
    ReasonCode.OFFLINE: "the station is not connected, what is installed on it holds",
    ReasonCode.RAMP: "there is room for more, it follows once the freed current is seen to be gone",
    ReasonCode.EXTERNAL: "a limit from outside the site holds{source}",
    ReasonCode.METER_LOST: "the meter of {circuit} is silent, its worst case is reckoned with",
    ReasonCode.DISOBEDIENT: "the station does not follow its limit, what it draws is reserved for it",
    ReasonCode.OTHER_SYSTEM: "another system's charging profile leads at the station, no new car may charge until it is gone",
}
"""One sentence for each code. `circuit` is its name, `place` the circuit and its phase, `against` another phase of it, `source` who set it, `shared` tells of the other sessions there."""


def explain(allocation_limit_a: float, reason: Reason, circuit_names: Mapping[str, str]) -> str:
    """Return a limit in amps and its reason as a sentence, such as "10 A: Garage L2 is full, shared with 3 others".

    `circuit_names` maps circuit ids to names; a circuit that is not among them goes by its id.
    """
    circuit = "the site" if reason.circuit_id is None else circuit_names.get(reason.circuit_id, reason.circuit_id)
    place = f"{circuit} (all phases together)" if reason.phase is None else f"{circuit} {reason.phase.name}"
    against = "" if reason.against is None else reason.against.name
    if reason.code is ReasonCode.WAITING and reason.against is not None:
        place = f"{place}, which may not rise too far above {against},"
    why = SENTENCES[reason.code].format(
        circuit=circuit,
        place=place,
        against=against,
        shared=_shared(reason.others),
        source="" if reason.source is None else f" ({reason.source})",
    )
    return f"{allocation_limit_a:g} A: {why}"


def _shared(others: int) -> str:
    """Tell of the other sessions."""
    if others == 0:
        return ""
    return ", shared with 1 other" if others == 1 else f", shared with {others} others"
