"""Makes a station hold what the loop wants: one call in flight, cuts first, the newest wish wins.

The loop writes its wishes into the EVSEs' states and wakes the installer; the installer writes back what the station confirmed.
What it may raise was reckoned by the loop against everything that is installed or on its way, so the order among stations is free.
After every connect the station is asked what it holds, and only what differs is written. What others left is made to say what ours say
where it is in the way, and goes once ours holds (`csms/correction.py`): there is no moment without a limit.
"""

import asyncio
from contextlib import suppress
import logging
import math

from ..csms.errors import CallError, CallRejectedError, CallTimeoutError, StationError, StationOfflineError
from ..csms.station import Station
from ..engine.phase_switch import refused
from .clock import Clock
from .evse import EvseState
from .obedience import REFUSALS
from .steps import NO_WRITES, OTHERS, Report, Step, Steps

_LOGGER = logging.getLogger(__name__)

TICK_S = 0.01
UNANSWERED = 2
"""A station that leaves so many questions of a kind unanswered is asked no more of them: nothing else can be sent meanwhile."""


class Installer(Steps):
    """The hand that writes to one station. `run` until cancelled."""

    def __init__(self, identity: str, clock: Clock, report: Report) -> None:
        super().__init__(identity, clock, report)
        self._failing = self._blind = False
        self._waits_until: float | None = None
        """It has nothing to do up to then; None: it has, or has just been woken."""

    def turned(self, now: float) -> None:
        """Look again after a turn of the loop; nothing where nothing is to be done now, nor sooner than it was: as at most stations."""
        if self._waits_until is None or self._due_at(now) < self._waits_until or self._has_step(now):
            self._woken.set()

    def _has_step(self, now: float) -> bool:
        return self.station is not None and self._next(now) is not None

    def _next(self, now: float) -> Step | None:
        """Return the next step; where a fault of ours hides that, limits are told on: the loop and the station's cars rest on them."""
        try:
            step = self.next_step(now)
        except Exception:
            if not self._blind:
                _LOGGER.exception("Station %s: what is to be done next can't be told; its limits go on", self._identity)
            self._blind = True
            return self.next_limit(now)
        self._blind = False
        return step

    def hurry(self) -> None:
        """Try a cut again now that failed and waits for its next time."""
        for evse in self.evses:
            if evse.wanted_lease is not None and evse.wanted_lease.urgent:
                self._backoff.hurry((evse.key, "lease"))

    def connected(self, station: Station, *, booted: bool) -> None:
        """Start to talk to a station that is ready: what it holds is asked first; after a boot all that lasts has to be confirmed again."""
        self.station = station
        self._backoff.clear()
        self._samples_on_request = True
        self._not_answered.clear()
        self.survey.begin_again()
        if booted:
            self.station_current = False
        self.obedience.meet(station, booted=booted)
        self.wake()

    def disconnected(self) -> None:
        """Stop talking."""
        self.station = None
        self.survey.stop()
        for evse in self.evses:
            evse.found_lease = None
        self.wake()

    async def run(self) -> None:
        """Make the calls that are wanted, for ever."""
        try:
            while True:
                self._woken.clear()
                now = self._clock.monotonic()
                step = self._next(now) if self.station is not None else None
                self._waits_until = None
                if step is not None and self.station is not None:
                    await self._make(step, self.station)
                    await asyncio.sleep(0)  # one that fails at once must not keep everybody else waiting
                    continue
                self._waits_until = due_at = self._due_at(now)
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if math.isinf(due_at) else max(TICK_S, due_at - now)):
                        await self._woken.wait()
        finally:
            self.survey.stop()

    def _due_at(self, now: float) -> float:
        """Return the next time at which something may be due that nobody wakes it for; infinite: never."""
        if self.station is None or self.quiet:
            return math.inf
        due = self._backoff.ends
        due += [evse.sample_at for evse in self.evses if evse.session is not None]
        due += [self.survey.until, self.survey.again_at]
        return min([each for each in due if each > now], default=math.inf)

    async def _make(self, step: Step, station: Station) -> None:
        """Make one call and judge what came of it; a fault of ours with this one station must not cost the site its control of it."""
        try:
            await self._try(step, station)
        except Exception:
            if not self._failing:
                _LOGGER.exception("Station %s: %s was made, but what came of it can't be judged", self._identity, step.name)
            self._failing = True
            self._backoff.failed(step.place, self._clock.monotonic())  # else it might be made again at once, for ever

    async def _try(self, step: Step, station: Station) -> None:
        started = self._clock.monotonic()
        try:
            await step.run(station)
        except StationError as error:
            self._failed(step, error)
        except Exception as error:
            if not self._failing:
                _LOGGER.exception("Station %s: %s could not be made", self._identity, step.name)
            self._failing = True
            self._failed(step, StationError(str(error)))
        else:
            self._succeeded(step, self._clock.monotonic() - started)
            self._failing = False

    def _succeeded(self, step: Step, latency_s: float) -> None:
        self._backoff.over(step.place)
        if step.evse is None or step.name in NO_WRITES:
            return
        self.writes_today += 1
        self.latency_s = latency_s
        self.obedience.confirmed(step.evse, step.name, latency_s)
        if step.name == "lease" and step.evse.changed_at < self._clock.monotonic() - latency_s:
            self._report.renewed(step.evse, latency_s)
        else:
            self._report.confirmed(step.evse, latency_s)

    def _failed(self, step: Step, error: StationError) -> None:
        refused = isinstance(error, CallRejectedError | CallError)
        evse = step.evse
        if evse is not None and evse.session is None and step.name == "lease":
            evse.wanted_lease = None  # its transaction ended meanwhile
            return
        failures = self._backoff.failed(step.place, self._clock.monotonic())
        _LOGGER.debug("Station %s: %s failed, %d times in a row: %s", self._identity, step.name, failures, error)
        if step.name in NO_WRITES:
            self._not_told(step, refused=refused, unanswered=isinstance(error, CallTimeoutError) and failures >= UNANSWERED)
            return
        if evse is None:
            if refused and step.name == OTHERS:
                self._look()
                self._backoff.over(step.place)  # what it refuses is not tried again, but something else may be
            if refused and step.name == "station limit":
                # Some stations refuse the ceiling of the whole station and hold the EVSEs' own; nothing is reckoned on it.
                self.station_current, self.station_a = True, None
                self.obedience.refused_station_limit()
            return
        if isinstance(error, CallRejectedError | CallError):
            if step.name in ("lease", "fallback") and self._refused(evse, step.name, failures, error):
                self._backoff.over(step.place)
        elif not isinstance(error, StationOfflineError):
            self.obedience.unanswered(evse, failures)
        self._report.failed(evse)

    def _not_told(self, step: Step, *, refused: bool, unanswered: bool) -> None:
        """Ask no more, until it connects anew, for what a station does not tell when it is asked; what it has not told stays unknown."""
        if step.name == "sample":
            tells_by_itself = not self.obedience.known.habits.samples_only_on_request
            self._samples_on_request = self._samples_on_request and not (refused or (unanswered and tells_by_itself))
        elif unanswered and step.name in ("transaction", "status"):
            self._not_answered.add(step.place)  # whatever its station says of the plug meanwhile

    def _refused(self, evse: EvseState, step: str, failures: int, error: CallRejectedError | CallError) -> bool:
        """Take note that a lease or a fallback was refused; returns whether something else is tried now."""
        order = evse.wanted_lease
        tried_one = evse.wanted_one_phase if step == "fallback" else order is not None and order.one_phase
        if not (evse.phase_switch.goal and tried_one):
            return self.obedience.refused(evse, step, failures, error)
        if failures < REFUSALS:
            return False
        _LOGGER.warning("Station %s does not take a limit for one phase (%s): its cars charge on three", self._identity, error)
        evse.phase_switch = refused(evse.phase_switch)
        return True
