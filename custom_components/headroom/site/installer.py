"""Makes a station hold what the loop wants: one call in flight, cuts first, the newest wish wins.

The loop writes its wishes into the EVSEs' states and wakes the installer; the installer writes back what the station confirmed.
What it may raise was reckoned by the loop against everything that is installed or on its way, so the order among stations is free.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
import logging
import math
from typing import NamedTuple, Protocol

from ..csms.station import CallError, CallRejectedError, Station, StationError, StationOfflineError
from .clock import Clock
from .config import EvseKey
from .evse import EvseState, Lease

_LOGGER = logging.getLogger(__name__)

TICK_S = 0.01
RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
SAMPLE_AFTER_S = 2.0
"""A car follows a change of its limit within 1–3 s: so long after it, it is asked what it draws."""
REJECTIONS = 2
"""So many refusals in a row make a station that does not take limits."""


class Report(Protocol):
    """How an installer tells the loop what came of its orders."""

    def confirmed(self, evse: EvseState, latency_s: float) -> None:
        """Take note that a limit of this EVSE was confirmed."""

    def failed(self, evse: EvseState) -> None:
        """Take note that a limit of this EVSE was not."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One call to make. The lowest `urgency` goes first."""

    urgency: int
    name: str
    evse: EvseState | None
    run: Callable[[Station], Awaitable[None]]


class _Backoff(NamedTuple):
    """What failed so many times in a row is not tried again before `not_before`."""

    failures: int
    not_before: float


class Installer:
    """The hand that writes to one station. `run` until cancelled."""

    def __init__(self, identity: str, clock: Clock, report: Report) -> None:
        self._identity = identity
        self._clock = clock
        self._report = report
        self._woken = asyncio.Event()
        self._backoff: dict[EvseKey | None, _Backoff] = {}
        self._failing = False
        self.quiet = False
        """Nothing at all is to be sent."""
        self.station: Station | None = None
        """The open connection, None while the station is away or not ready."""
        self.evses: Sequence[EvseState] = ()
        self.wanted_station_a: float | None = None
        self.station_a: float | None = None
        """The station's ceiling as confirmed."""
        self.station_current = False
        """It was confirmed since the station last booted."""
        self.writes_today = 0
        self.latency_s: float | None = None
        self._samples_on_request = True
        self._foreign_profiles = True
        """Somebody else's profiles may be installed and lead over ours."""

    def wake(self) -> None:
        """Look again at what is wanted."""
        self._woken.set()

    def connected(self, station: Station, *, booted: bool) -> None:
        """Start to talk to a station that is ready; after a boot everything that lasts is installed afresh."""
        self.station = station
        self._backoff.clear()
        self._samples_on_request = True
        if booted:
            self.station_current, self._foreign_profiles = False, True
        self.wake()

    def disconnected(self) -> None:
        """Stop talking."""
        self.station = None
        self.wake()

    async def run(self) -> None:
        """Make the calls that are wanted, for ever."""
        while True:
            self._woken.clear()
            now = self._clock.monotonic()
            step = self._next_step(now) if self.station is not None and not self.quiet else None
            if step is not None and self.station is not None:
                await self._make(step, self.station)
                continue
            try:
                async with asyncio.timeout(self._idle_s(now)):
                    await self._woken.wait()
            except TimeoutError:
                pass

    def _idle_s(self, now: float) -> float | None:
        if self.station is None or self.quiet:
            return None
        due = [backoff.not_before for backoff in self._backoff.values()]
        due += [evse.sample_at for evse in self.evses if evse.session is not None]
        soonest = min((each for each in due if each > now), default=math.inf)
        return None if math.isinf(soonest) else max(TICK_S, soonest - now)

    async def _make(self, step: _Step, station: Station) -> None:
        started = self._clock.monotonic()
        try:
            await step.run(station)
        except StationError as error:
            self._failed(step, error)
        except Exception as error:
            # A fault of ours with this one station must not cost the site its control of it.
            if not self._failing:
                _LOGGER.exception("Station %s: %s could not be made", self._identity, step.name)
            self._failing = True
            self._failed(step, StationError(str(error)))
        else:
            self._failing = False
            self._succeeded(step, self._clock.monotonic() - started)

    def _succeeded(self, step: _Step, latency_s: float) -> None:
        if step.evse is None or step.name in ("sample", "status"):
            return
        self._backoff.pop(step.evse.key, None)
        self.writes_today += 1
        self.latency_s = latency_s
        if step.evse.problem == "rejects_profiles" and not step.evse.unanswered_lease_a:
            step.evse.problem = None
            _LOGGER.info("Station %s takes limits again", self._identity)
        self._report.confirmed(step.evse, latency_s)

    def _failed(self, step: _Step, error: StationError) -> None:
        refused = isinstance(error, CallRejectedError | CallError)
        if step.name in ("sample", "status"):
            self._samples_on_request = self._samples_on_request and not (refused and step.name == "sample")
            return
        if step.name == "foreign profiles" and not isinstance(error, StationOfflineError):
            self._foreign_profiles = False
            _LOGGER.debug("Station %s does not tell which profiles it holds: %s", self._identity, error)
            return
        if step.evse is not None and step.evse.session is None and step.name == "lease":
            return  # its transaction ended meanwhile
        key = None if step.evse is None else step.evse.key
        failures = self._backoff[key].failures + 1 if key in self._backoff else 1
        delay_s = RETRY_S[min(failures, len(RETRY_S)) - 1]
        self._backoff[key] = _Backoff(failures, self._clock.monotonic() + delay_s)
        _LOGGER.debug("Station %s: %s failed: %s; again in %.0f s", self._identity, step.name, error, delay_s)
        if step.evse is None:
            if refused and step.name == "station limit":
                # Some stations refuse the ceiling of the whole station and hold the EVSEs' own; nothing is reckoned on it.
                self.station_current, self.station_a = True, None
            return
        if (not refused or failures >= REJECTIONS) and step.evse.problem is None and not isinstance(error, StationOfflineError):
            step.evse.problem = "rejects_profiles"
            _LOGGER.warning("Station %s does not take limits (%s): what it may draw is reserved for it", self._identity, error)
        self._report.failed(step.evse)

    def _next_step(self, now: float) -> _Step | None:
        held_back = {key for key, backoff in self._backoff.items() if now < backoff.not_before}
        steps = [step for evse in self.evses if evse.key not in held_back and (step := self._evse_step(evse, now)) is not None]
        if None in held_back:
            return min(steps, key=lambda step: step.urgency, default=None)
        if self.wanted_station_a is not None and (not self.station_current or self.station_a not in (None, self.wanted_station_a)):
            steps.append(_Step(2, "station limit", None, self._install_station_limit))
        if self._foreign_profiles and self.wanted_station_a is not None:
            steps.append(_Step(1, "foreign profiles", None, self._clear_foreign_profiles))
        return min(steps, key=lambda step: step.urgency, default=None)

    def _evse_step(self, evse: EvseState, now: float) -> _Step | None:
        order = evse.wanted_lease
        fallback_differs = evse.wanted_fallback_a is not None and (
            not evse.fallback_current or evse.fallback_a != evse.wanted_fallback_a or evse.unanswered_fallback_a > 0
        )
        if order is not None and order.cut:
            return _Step(0, "lease", evse, lambda station: self._install_lease(station, evse))
        if fallback_differs:
            return _Step(1, "fallback", evse, lambda station: self._install_fallback(station, evse))
        if order is not None:
            return _Step(3, "lease", evse, lambda station: self._install_lease(station, evse))
        if evse.wanted_clear:
            return _Step(4, "clear", evse, lambda station: self._clear(station, evse))
        if evse.sample_at <= now and evse.session is not None:
            return _Step(5, "sample", evse, lambda station: self._sample(station, evse))
        if evse.status_unknown:
            return _Step(5, "status", evse, lambda station: self._ask_status(station, evse))
        return None

    async def _install_station_limit(self, station: Station) -> None:
        limit_a = self.wanted_station_a
        if limit_a is None:
            return
        told = await station.install_station_limit(limit_a)
        self.station_a, self.station_current = limit_a if told else None, True

    async def _clear_foreign_profiles(self, station: Station) -> None:
        cleared = await station.clear_foreign_profiles()
        self._foreign_profiles = False
        if cleared:
            _LOGGER.info("Station %s: %d charging profiles of another central system are cleared", self._identity, cleared)

    async def _install_fallback(self, station: Station, evse: EvseState) -> None:
        limit_a = evse.wanted_fallback_a
        if limit_a is None:
            return
        before_a, doubt_a = evse.limit_a(self._clock.monotonic()), evse.unanswered_fallback_a
        evse.unanswered_fallback_a = max(doubt_a, limit_a)
        try:
            await station.install_fallback(evse.key.evse_id, limit_a)
        except CallRejectedError, CallError:
            evse.unanswered_fallback_a = doubt_a
            raise
        evse.fallback_a, evse.fallback_current, evse.unanswered_fallback_a = limit_a, True, 0.0
        self._settle(evse, before_a)

    async def _install_lease(self, station: Station, evse: EvseState) -> None:
        order = evse.wanted_lease
        if order is None:
            return
        now = self._clock.monotonic()
        before_a, doubt_a = max(evse.installed_a(now), evse.inherited_a), evse.unanswered_lease_a
        evse.unanswered_lease_a = max(doubt_a, order.limit_a)
        valid_to = self._clock.utcnow() + timedelta(seconds=order.length_s)
        evse.in_flight_a = order.limit_a
        try:
            await station.install_lease(evse.key.evse_id, order.transaction_id, order.limit_a, valid_to)
        except CallRejectedError, CallError:
            evse.unanswered_lease_a = doubt_a
            raise
        finally:
            evse.in_flight_a = None
        if evse.session is None or evse.session.transaction_id != order.transaction_id:
            return
        evse.lease = Lease(transaction_id=order.transaction_id, limit_a=order.limit_a, expires_at=now + order.length_s)
        evse.unanswered_lease_a = evse.inherited_a = 0.0
        wanted = evse.wanted_lease
        if wanted is not None and (wanted.limit_a, wanted.transaction_id) == (order.limit_a, order.transaction_id):
            evse.wanted_lease = None
        self._settle(evse, before_a)

    async def _clear(self, station: Station, evse: EvseState) -> None:
        before_a = evse.limit_a(self._clock.monotonic())
        await station.clear_leases(evse.key.evse_id)
        evse.lease, evse.wanted_clear = None, False
        evse.unanswered_lease_a = evse.inherited_a = 0.0
        self._settle(evse, before_a)

    def _settle(self, evse: EvseState, before_a: float) -> None:
        now = self._clock.monotonic()
        if evse.limit_a(now) != before_a:
            evse.changed_at, evse.previous_a = now, before_a
            evse.sample_at = now + SAMPLE_AFTER_S

    async def _sample(self, station: Station, evse: EvseState) -> None:
        evse.sample_at = self._clock.monotonic() + 60.0
        if self._samples_on_request:
            await station.trigger("MeterValues", evse.key.evse_id)

    async def _ask_status(self, station: Station, evse: EvseState) -> None:
        evse.status_unknown = False
        await station.trigger("StatusNotification", evse.key.evse_id)
