"""What always holds, whatever breaks.

No breaker lets go, no conductor stays over its limit, no rule of OCPP is broken, no turn fails, and the dead-man rule holds from when the
stations are ready.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
import logging

from .journal import Complaints
from .running import RunningSite

LOGGER = "custom_components.headroom"


def broken(
    running: RunningSite, *, over_limit_s: float, dead_man_from_s: float | None, complaints: Sequence[str] = (), trips: int = 0
) -> list[str]:
    """Return what of it did not hold, in words. `complaints` are errors that were logged and none of which was to be.

    No conductor may have been over its limit for longer than `over_limit_s`. The dead-man rule is asked for from `dead_man_from_s` on;
    None: the run breaks what it rests on. `trips`: so often a breaker has to let go, because nobody could have helped it.
    """
    found: list[str] = []
    recorder = running.world.recorder
    if recorder.trips != trips:
        found.append(f"a breaker let go ({recorder.trips} times)")
    if recorder.max_overload_s > over_limit_s + 1e-6:
        found.append(f"a conductor was over its limit for {recorder.max_overload_s:.1f} s")
    found += [f"OCPP was broken at {violation.station}: {violation.text}" for violation in running.driver.violations]
    found += complaints
    if dead_man_from_s is not None and (when := running.dead_man_violations(dead_man_from_s)):
        found.append(f"the dead-man rule did not hold: {when[:10]}")
    return found


@contextmanager
def complaints_kept() -> Iterator[Complaints]:
    """Keep what the component logs as an error meanwhile."""
    complaints = Complaints()
    logger = logging.getLogger(LOGGER)
    logger.addHandler(complaints)
    try:
        yield complaints
    finally:
        logger.removeHandler(complaints)
