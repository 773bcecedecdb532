"""What a few live readings say of a meter that was just set up."""

from dataclasses import replace
import math

import pytest

from custom_components.headroom.metering.guess import Finding, Found, Guess, guess
from custom_components.headroom.metering.plausibility import plausible
from custom_components.headroom.metering.reading import ImplausibleError, Reading

type Amps = tuple[float, float, float]


def series(*currents: Amps, power_factor: float | None = 1.0, unit: float = 1.0, step_s: float = 1.0) -> list[Reading]:
    """Readings a second apart, with the power that goes with the currents, in a unit that may be wrong; None: without a power."""
    return [
        Reading(
            current_a=current,
            taken_at=100.0 + step_s * number,
            source="meter",
            power_w=None if power_factor is None else power_factor * 230.0 * sum(current) * unit,
        )
        for number, current in enumerate(currents)
    ]


def codes(result: Guess) -> list[Finding]:
    return [one.finding for one in result.found]


HOUSE: tuple[Amps, ...] = ((4.0, 2.0, 1.0), (4.2, 2.0, 1.0), (4.1, 2.1, 1.0))


def negative(*currents: Amps) -> tuple[Amps, ...]:
    return tuple((-l1, -l2, -l3) for l1, l2, l3 in currents)


def test_an_ordinary_house_gives_nothing_to_say() -> None:
    result = guess(series(*HOUSE, power_factor=0.9), generation=False, night=True)
    assert (result.found, result.invert, result.live_phases) == ((), False, (1, 2, 3))
    assert guess(series(*HOUSE)).invert is None, "where something may feed in nobody can tell"


def test_a_house_that_exports_with_nothing_to_export_is_inverted() -> None:
    result = guess(series(*negative(*HOUSE)), generation=False)
    assert codes(result) == [Finding.EXPORTS_WITHOUT_GENERATION]
    assert result.found[0].value == pytest.approx(-230.0 * 7.2)
    assert result.invert is True


def test_a_house_with_pv_that_exports_at_night_is_suspicious_and_by_day_is_not() -> None:
    assert codes(guess(series(*negative(*HOUSE)), generation=True, night=True)) == [Finding.EXPORTS_AT_NIGHT]
    result = guess(series(*negative(*HOUSE)), generation=True, night=False)
    assert (result.found, result.invert) == ((), None)


def test_export_of_a_site_that_nobody_told_of_is_asked_about_and_not_decided() -> None:
    result = guess(series(*negative(*HOUSE)))
    assert (codes(result), result.invert) == ([Finding.EXPORTS], None)
    assert codes(guess(series(*negative(*HOUSE)), night=False)) == [Finding.EXPORTS]
    assert codes(guess(series(*negative(*HOUSE)), night=True)) == [Finding.EXPORTS_AT_NIGHT]
    one_phase = tuple((l1, -l2, l3) for l1, l2, l3 in HOUSE)
    assert guess(series(*one_phase)).found == (Found(finding=Finding.PHASE_EXPORTS, value=-2.0, phase=2),)


def test_one_transformer_the_wrong_way_round_is_found() -> None:
    reversed_l2 = tuple((l1, -l2, l3) for l1, l2, l3 in HOUSE)
    assert guess(series(*reversed_l2), generation=False).found == (Found(finding=Finding.PHASE_REVERSED, value=-2.0, phase=2),)
    assert guess(series(*reversed_l2), generation=True, night=False).found == ()


def test_a_phase_that_carries_nothing_is_named() -> None:
    result = guess(series((4.0, 0.02, 1.0), (4.1, 0.01, 1.1)))
    assert result.found == (Found(finding=Finding.IDLE_PHASE, value=0.02, phase=2),)
    assert result.live_phases == (1, 3)
    assert codes(guess(series((4.0, 0.0, 0.0)), phases=1)) == []
    assert codes(guess(series((4.0, 3.0, 0.0)), phases=1)) == [Finding.UNEXPECTED_PHASE]


def test_where_nothing_flows_nothing_is_told() -> None:
    result = guess(series((0.03, 0.0, 0.0), (0.02, 0.0, 0.0)), generation=False)
    assert (codes(result), result.invert, result.live_phases) == ([Finding.NO_LOAD], None, ())


def test_the_same_on_all_phases_is_no_three_phase_meter() -> None:
    assert codes(guess(series((4.0, 4.0, 4.0), (4.2, 4.2, 4.2)))) == [Finding.SAME_ON_ALL_PHASES]


def test_of_a_total_nothing_is_said_by_phase() -> None:
    """What is made of a total: export on no phase, import on each."""
    exported = [replace(reading, power_w=-3000.0) for reading in series((0.0, 0.0, 0.0), power_factor=1.0)]
    assert codes(guess(exported, generation=False)) == [Finding.NO_LOAD], "as if of phases"
    assert codes(guess(exported, generation=False, total_only=True)) == [Finding.EXPORTS_WITHOUT_GENERATION]
    imported = [replace(reading, power_w=2300.0) for reading in series((10.0, 10.0, 10.0))]
    assert codes(guess(imported, total_only=True)) == []
    assert codes(guess([replace(imported[0], power_w=0.0)], total_only=True)) == [Finding.NO_LOAD]


def test_what_never_changes_is_stuck() -> None:
    stuck = guess(series(HOUSE[0], HOUSE[0], HOUSE[0], step_s=6.0))
    assert stuck.found == (Found(finding=Finding.FROZEN, value=12.0),)
    assert codes(guess(series(HOUSE[0], HOUSE[0]))) == [], "a second of the same is nothing"


@pytest.mark.parametrize(("unit", "finding", "value"), [(0.001, Finding.POWER_TOO_SMALL, 0.0009), (1000.0, Finding.POWER_TOO_GREAT, 900.0)])
def test_kilowatts_taken_for_watts_and_the_other_way_round(unit: float, finding: Finding, value: float) -> None:
    (one,) = guess(series((20.0, 8.0, 6.0), (21.0, 8.0, 6.0), power_factor=0.9, unit=unit)).found
    assert (one.finding, one.value) == (finding, pytest.approx(value))


def test_a_reading_that_was_refused_can_be_asked_why() -> None:
    (reading,) = series((20.0, 8.0, 6.0), unit=0.001)
    with pytest.raises(ImplausibleError) as refused:
        plausible(reading)
    assert codes(guess([refused.value.reading])) == [Finding.POWER_TOO_SMALL]


def test_a_power_that_contradicts_its_currents() -> None:
    assert Finding.SIGNS_OPPOSED in codes(guess(series(*HOUSE, power_factor=-1.0)))
    assert codes(guess(series((0.6, 0.0, 0.6), power_factor=-1.0, unit=0.5), phases=1)) == [Finding.UNEXPECTED_PHASE]


def test_currents_without_a_power_are_judged_too() -> None:
    assert guess(series(*negative(*HOUSE), power_factor=None), generation=False).invert is True


def test_no_number_is_no_reading() -> None:
    assert guess(series((math.nan, 1.0, 1.0))) == guess([])
