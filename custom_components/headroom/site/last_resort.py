"""The last resort, where cuts do not relieve a breaker: sessions are stopped, and EVSEs that go on all the same are put out of service.

Sessions of cars that go on drawing more than they may are stopped too; their draw is reserved, so nobody is put out of service for that.

What was done is remembered over a restart, told once, and undone by itself once there is room for what the EVSE draws unled; each time
again it takes twice as long. A person who puts an EVSE in or out of service decides, and it is none of ours any more.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
import logging
import math
from typing import Any

from ..csms.errors import StationError
from ..csms.station import Station
from ..csms.values import UNKNOWN
from ..engine.last_resort import Draw, Excess, rank, whom
from ..engine.model import Circuit, PerPhase, Request
from ..engine.tree import path
from ..engine.urgency import Urgency
from .circuit import CircuitState
from .config import EvseKey
from .evse import EvseState
from .measure import Measure, Stage
from .taking_up import taking_up

_LOGGER = logging.getLogger(__name__)

TAKES_S = 8.0
"""What was told to stop has stopped after this, or does not listen."""
AGAIN = timedelta(minutes=10)
"""Who was stopped and draws too much again within this is put out of service."""
FORGOTTEN = timedelta(days=1)
"""So long a stopped session is told of, and it is remembered how often an EVSE was out of service."""
SHOWS_S = 2.0
"""A meter shows that a session is over by a reading taken so long after it."""
RETRY_S = 30.0
OVERDRAW_RETRY_S = 300.0
"""A session that its car's draw is to be stopped for, and that goes on, is told again after this: no breaker waits for it."""
COOL = 0.9
"""A breaker with so much of its reserve of heat is cool."""


class LastResort:
    """What has been done at a site, and the calls that do it."""

    def __init__(self, station: Callable[[str], Station | None], on_change: Callable[[], None]) -> None:
        """`station` looks up an open connection; `on_change` is told that what is to be remembered has changed."""
        self._station = station
        self._on_change = on_change
        self._measures: dict[EvseKey, Measure] = {}
        self._told_at: dict[EvseKey, float] = {}
        self._leaving: dict[EvseKey, tuple[PerPhase, float]] = {}
        """What those drew whose sessions were stopped, and until when a reading may have been taken that shows it still."""
        self._calls: dict[EvseKey, asyncio.Task[None]] = {}
        self._overdrawn: dict[EvseKey, tuple[str, float]] = {}
        """The last transaction that was told to stop for what its car drew, and when."""
        self._ended: dict[EvseKey, str] = {}
        """…and the last whose station accepted that: should it go on, it is no news."""

    def measure(self, key: EvseKey) -> Measure | None:
        """Return what was done to an EVSE."""
        return self._measures.get(key)

    def person_decides(self, key: EvseKey) -> None:
        """Take note that a person put an EVSE in or out of service."""
        if self._measures.pop(key, None) is not None:
            self._on_change()

    def of_evses(self, keys: Iterable[EvseKey]) -> None:
        """Forget the EVSEs that the site has no more."""
        present = set(keys)
        self._measures = {key: measure for key, measure in self._measures.items() if key in present}

    def document(self) -> dict[str, Any]:
        """Return what outlives a restart, as JSON-able data."""
        return {f"{key.station}/{key.evse_id}": measure.document() for key, measure in self._measures.items()}

    def recall(self, document: Mapping[str, Any]) -> None:
        """Take over what `document` gave."""
        for name, measure in document.items():
            with taking_up(f"what was done to {name} to relieve a breaker"):
                station, _, evse_id = name.rpartition("/")
                self._measures[EvseKey(station, int(evse_id))] = Measure.from_document(measure)

    async def stop(self) -> None:
        """Let go of the calls under way."""
        calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    # From turn to turn.

    def relieve(
        self, states: Mapping[str, CircuitState], evses: Sequence[EvseState], requests: Mapping[str, Request], now: float, utcnow: datetime
    ) -> None:
        """Stop whom an overload leaves no other way for."""
        excess_a = {circuit_id: state.excess_a() for circuit_id, state in states.items() if state.strain.due(state.circuit, now)}
        if excess_a:
            self._relieve(states, excess_a, evses, requests, now, utcnow)

    def end_overdraws(self, evses: Iterable[EvseState], now: float, utcnow: datetime) -> None:
        """Stop the sessions of cars that go on drawing more than they may."""
        for evse in evses:
            before, session = self._measures.get(evse.key), evse.session
            if session is None or not evse.ready or evse.key in self._calls or (before is not None and before.stage is Stage.OUT):
                continue
            told_id, told_at = self._overdrawn.get(evse.key, ("", -math.inf))
            first = told_id != session.transaction_id
            if not first and now < told_at + OVERDRAW_RETRY_S:
                continue
            self._overdrawn[evse.key] = (session.transaction_id, now)
            times = 0 if before is None else before.times
            measure = Measure(stage=Stage.STOPPED, at=utcnow, times=times, draw_a=evse.draw_a, limit_a=evse.limit_a(now))
            self._start(evse.key, self._end(evse.key, session.transaction_id, measure, logging.WARNING if first else logging.DEBUG))

    def give_back(self, states: Mapping[str, CircuitState], evses: Iterable[EvseState], now: float, utcnow: datetime) -> None:
        """Give back what there is room for, and forget what is long ago; in each mode that sends anything, for nobody else would."""
        for evse in evses:
            measure = self._measures.get(evse.key)
            if measure is None:
                continue
            if measure.stage is Stage.OUT:
                if utcnow >= measure.back_at and self._free(evse, now) and _fits(states, evse, measure.draw_a):
                    self._begin(evse, self._give_back(evse.key), now)
            elif utcnow >= measure.at + FORGOTTEN:
                del self._measures[evse.key]
                self._on_change()

    def _relieve(
        self,
        states: Mapping[str, CircuitState],
        excess_a: Mapping[str, Excess],
        evses: Sequence[EvseState],
        requests: Mapping[str, Request],
        now: float,
        utcnow: datetime,
    ) -> None:
        circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
        draws = {}
        for evse in evses:
            if evse.session is None and evse.key in self._leaving:
                left_a, shown_until = self._leaving[evse.key]
                if any(_taken_at(states, circuit) < shown_until for circuit in path(circuits, evse.circuit_id)):
                    gone = Draw(key=str(evse.key), circuit_id=evse.circuit_id, draw_a=left_a, rank=(), going=True)
                    draws[gone.key] = (evse, gone)
            if evse.session is None or not evse.ready:
                continue
            key, draw_a = str(evse.key), _draw_a(evse, now)
            obeys = evse.problem is None and not evse.exceeding and evse.overdraw_since is None
            tier = requests[key].tier if key in requests else 0
            self._leaving[evse.key] = (draw_a, now + SHOWS_S)
            going = evse.key in self._calls or now < self._told_at.get(evse.key, -TAKES_S) + TAKES_S
            place = Draw(key=key, circuit_id=evse.circuit_id, draw_a=draw_a, rank=rank(obeys=obeys, tier=tier, draw_a=draw_a), going=going)
            draws[key] = (evse, place)
        for key in whom(circuits, excess_a, (place for _, place in draws.values())):
            evse, place = draws[key]
            circuit = next(circuit for circuit in path(circuits, evse.circuit_id) if circuit.circuit_id in excess_a)
            self._act(evse, circuit, max(place.draw_a), now, utcnow)

    def _act(self, evse: EvseState, circuit: Circuit, draw_a: float, now: float, utcnow: datetime) -> None:
        last = self._measures.get(evse.key)
        before = last if last is not None and last.limit_a is None else None  # what ended an overdraw relieved no breaker
        out = before is not None and (before.stage is not Stage.STOPPED or utcnow < before.at + AGAIN)
        times = 0 if last is None else last.times
        if out and (before is None or before.stage is not Stage.OUT):
            times += 1
        stage = Stage.OUT if out else Stage.STOPPED
        if before is None or before.stage is not stage:
            words = "it is put out of service" if out else "its session is stopped"
            _LOGGER.warning("%s is overloaded and EVSE %s draws %.1f A: %s", circuit.name, evse.key, draw_a, words)
        # Known before it is sent: should we be gone before the answer, it is still ours to give back.
        self._measures[evse.key] = Measure(
            stage=stage, at=utcnow, times=times, circuit_id=circuit.circuit_id, draw_a=max(draw_a, 0.0 if before is None else before.draw_a)
        )
        self._on_change()
        assert evse.session is not None
        self._begin(evse, self._halt(evse.key, evse.session.transaction_id, utcnow, out=out), now)

    def _free(self, evse: EvseState, now: float) -> bool:
        return evse.ready and evse.key not in self._calls and now >= self._told_at.get(evse.key, -RETRY_S) + RETRY_S

    def _begin(self, evse: EvseState, call: Coroutine[Any, Any, None], now: float) -> None:
        self._told_at[evse.key] = now
        self._start(evse.key, call)

    def _start(self, key: EvseKey, call: Coroutine[Any, Any, None]) -> None:
        task = self._calls[key] = asyncio.get_running_loop().create_task(call, name=f"headroom last resort {key}")

        task.add_done_callback(lambda _: self._calls.pop(key, None))

    async def _halt(self, key: EvseKey, transaction_id: str, utcnow: datetime, *, out: bool) -> None:
        """Stop a session; where that is refused, or with `out`, put its EVSE out of service as well."""
        if (station := self._station(key.station)) is None:
            return
        try:
            await station.stop_transaction(transaction_id)
        except StationError as error:
            _LOGGER.debug("EVSE %s does not stop its session: %s", key, error)
            measure = self._measures.get(key)
            if not out and measure is not None:
                _LOGGER.warning("EVSE %s does not stop its session: it is put out of service", key)
                self._measures[key] = replace(measure, stage=Stage.OUT, times=measure.times + 1)
                self._on_change()
                out = True
        if not out:
            return
        try:
            await station.change_availability(operative=False, evse_id=key.evse_id)
        except StationError as error:
            _LOGGER.warning("EVSE %s can't be put out of service: %s", key, error)

    async def _end(self, key: EvseKey, transaction_id: str, measure: Measure, level: int) -> None:
        """Stop a session for what its car draws."""
        if (station := self._station(key.station)) is None:
            return
        try:
            await station.stop_transaction(transaction_id)
        except StationError as error:
            _LOGGER.log(level, "EVSE %s does not stop its session: what it draws stays reserved (%s)", key, error)
            return
        if self._ended.get(key) == transaction_id:
            return
        self._ended[key] = transaction_id
        words = "EVSE %s goes on drawing %.1f A at a limit of %.1f A: its session is stopped"
        _LOGGER.warning(words, key, measure.draw_a, measure.limit_a)
        self._measures[key] = measure
        self._on_change()

    async def _give_back(self, key: EvseKey) -> None:
        if (station := self._station(key.station)) is None:
            return
        try:
            await station.change_availability(operative=True, evse_id=key.evse_id)
        except StationError as error:
            _LOGGER.debug("EVSE %s can't be put in service again: %s", key, error)
            return
        if (measure := self._measures.get(key)) is not None:
            self._measures[key] = replace(measure, stage=Stage.BACK)
            self._on_change()
        _LOGGER.info("EVSE %s is in service again", key)


def _taken_at(states: Mapping[str, CircuitState], circuit: Circuit) -> float:
    """Return when a circuit's newest reading was taken; infinite where there is none."""
    reading = states[circuit.circuit_id].reading
    return math.inf if reading is None else reading.taken_at


def _draw_a(evse: EvseState, now: float) -> PerPhase:
    """Return what a car draws; all that it may where nobody measures it."""
    return evse.per_phase(evse.reserved_a(now)) if evse.current_a == UNKNOWN else evse.measured_per_phase()


def _fits(states: Mapping[str, CircuitState], evse: EvseState, draw_a: float) -> bool:
    """Tell whether there is room for an EVSE that is out of service: for what it drew where it heeds nothing, else for the least current.

    Only a measured circuit can show that, and its breaker has to be cool again.
    """
    circuits = {circuit_id: state.circuit for circuit_id, state in states.items()}
    needs_a = evse.rated_per_phase(draw_a if evse.uncontrolled or evse.problem is not None else evse.config.min_a)
    for circuit in path(circuits, evse.circuit_id):
        state = states[circuit.circuit_id]
        if not circuit.metered:
            continue
        if state.believed is None or state.strain.urgency is not Urgency.NONE or state.strain.reserve(circuit) < COOL:
            return False
        if any(state.believed.current_a[phase] + needs_a[phase] > circuit.limit_a()[phase] for phase in circuit.phases):
            return False
    return True
