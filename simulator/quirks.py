"""What real stations do otherwise than the standard says, each as a switch a StationSpec carries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PURPOSES = frozenset({"ChargingStationMaxProfile", "TxDefaultProfile", "TxProfile", "ChargingStationExternalConstraints"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """A station's habits; by default it has none."""

    honours: frozenset[str] = PURPOSES
    """Purposes whose profiles limit anything. The others are accepted and kept, and change nothing."""
    refuses: frozenset[str] = frozenset()
    """Purposes it takes no profile of."""
    highest_stack_level: int | None = None
    """The highest level it takes, whatever its device model says."""
    ignores_valid_to: bool = False
    forgets_when_suspended: bool = False
    """It resumes without a limit after a suspension, until it is told its limit again."""
    follows_after_s: float = 0.0
    seq_no_always_zero: bool = False
    numbers_from_1: bool = False
    """Its transactions are called 1, 2, 3 …, from 1 again after each boot."""
    integral_floats: bool = False
    """It writes whole numbers as 20000.0."""
    ignores_phases: bool = False
    """Takes limits for one phase and charges on three."""
    refuses_phases: bool = False
    """Says that it can be switched, and refuses every limit for one phase."""
    never_reports_profiles: bool = False
    """It accepts GetChargingProfiles and sends no ReportChargingProfiles."""
    no_smart_charging: bool = False
    """It knows nothing of block K."""
    fractional_start_period: bool = False
    """The startPeriods of its composite schedules are no whole seconds, which the schema forbids."""


NO_QUIRKS = Quirks()


def with_floats(value: Any) -> Any:
    """Return JSON with every whole number written as a float."""
    if isinstance(value, Mapping):
        return {name: with_floats(one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_floats(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
