"""Does a meter's register count what the meter shows? Pure.

A gateway that repeats an old answer looks alive, and at constant load nothing else gives it away. Its register does: at the power shown
it would have counted on long since. The greater the power, the sooner that is seen.
"""

from dataclasses import dataclass, replace
from math import inf

from .reading import Reading

STUCK_S = 12.0
"""Registers are read every 10 s, where they are not read with every reading."""
STUCK_GAPS = 2.5
"""So many of its usual pauses, and…"""
STUCK_STEPS = 3.0
"""…so many of its own steps, a register is let be."""
LEAST_WH = 150.0
LONGEST_GAP_S = 15.0
"""A coarse register at a low power counts rarely; that says nothing of how often it is read…"""
LATE_STEPS = 2.0
"""…unless it should have counted so many of its least steps by then: some are told once a minute, with currents that are told every second."""
LONGEST_LATE_S = 75.0
LIVELY_A = 1.0
"""Currents that moved by more are no old answer."""
LEARNT = 3
"""After so many steps it is known how a register counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """What is known of an import register: its last step at `at`, and what it should have counted since, by the power shown."""

    import_wh: float
    at: float
    seen_at: float
    owed_wh: float = 0.0
    lowest_a: float = 0.0
    highest_a: float = 0.0
    """The least and the most that all conductors together carried since."""
    steps: int = 0
    step_wh: float = 0.0
    least_wh: float = inf
    """Its greatest step, and its least."""
    gap_s: float = 0.0

    @property
    def stuck(self) -> bool:
        """Whether it should have counted on by now, while the currents have stayed as they are."""
        patience_s = max(STUCK_S, STUCK_GAPS * self.gap_s)
        return (
            self.steps >= LEARNT
            and self.seen_at - self.at >= patience_s
            and self.owed_wh >= max(LEAST_WH, STUCK_STEPS * self.step_wh)
            and self.highest_a - self.lowest_a <= LIVELY_A
        )


def follow(before: Register | None, reading: Reading, voltage_v: float) -> Register | None:
    """Return what is known after a reading; None where the meter tells no import."""
    if reading.import_wh is None:
        return None
    flows_a, at = sum(reading.current_a), reading.taken_at
    if before is None or reading.import_wh < before.import_wh:
        return Register(import_wh=reading.import_wh, at=at, seen_at=at, lowest_a=flows_a, highest_a=flows_a)
    if at - before.seen_at > LONGEST_LATE_S:  # nobody looked: what it counted meanwhile is no step of its own
        return replace(before, import_wh=reading.import_wh, at=at, seen_at=at, owed_wh=0.0, lowest_a=flows_a, highest_a=flows_a)
    if (went_wh := reading.import_wh - before.import_wh) > 0:
        late = before.owed_wh >= LATE_STEPS * before.least_wh and not before.stuck
        gap_s = min(LONGEST_LATE_S if late else LONGEST_GAP_S, at - before.at)
        return Register(
            import_wh=reading.import_wh,
            at=at,
            seen_at=at,
            lowest_a=flows_a,
            highest_a=flows_a,
            steps=before.steps + 1,
            step_wh=max(before.step_wh, went_wh) if before.steps else 0.0,
            least_wh=min(before.least_wh, went_wh) if before.steps else inf,
            gap_s=max(before.gap_s, gap_s) if before.steps else 0.0,
        )
    power_w = flows_a * voltage_v if reading.power_w is None else reading.power_w
    return replace(
        before,
        seen_at=at,
        owed_wh=before.owed_wh + max(0.0, power_w) * max(0.0, at - before.seen_at) / 3600,
        lowest_a=min(before.lowest_a, flows_a),
        highest_a=max(before.highest_a, flows_a),
    )
