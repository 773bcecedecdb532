"""What a turn came to, as it is kept and shown: the decision, the day's writes, and the snapshot once somebody looks."""

from dataclasses import replace
from typing import Any

from ..ledger.records import DecisionRecord
from .clock import wall_clock
from .config import EvseKey, Mode
from .dead_man import DeadManWatch
from .decision import Decision, DecisionLog, circuit_document, evse_document
from .grounds import Grounds
from .leaving import holds_a
from .snapshot import DeadManHealth, LeavingStation, SiteSnapshot
from .stations import Journal
from .turn import Turn
from .view import snapshot_of


class Showing(Grounds):
    """A site as it is seen."""

    turns: int
    _journal: Journal | None
    _decisions: DecisionLog
    _dead_man: DeadManWatch
    _newest: Turn | None
    _trigger: str
    _fails_since: bool
    """The turns after the newest one fail."""
    _drawn: SiteSnapshot | None
    """The snapshot, once somebody has looked at the newest turn."""

    def _record(self, trigger: str, turn: Turn, changed: set[EvseKey], now: float, turn_ms: float) -> None:
        arrived = [state.arrived_at for state in self._circuits.values() if state.arrived_at is not None]
        for state in self._circuits.values():
            state.arrived_at = None
        if not changed:
            return
        cuts = {key: order.limit_a for key in changed if (order := self._evses[key].wanted_lease) is not None and order.urgent}
        for key in changed:
            order = self._evses[key].wanted_lease
            self._decisions.superseded(key, None if order is None else order.limit_a)
        names = {circuit_id: state.circuit.name for circuit_id, state in self._circuits.items()}
        available = {row.circuit_id: row.available_a for row in turn.headrooms}
        local = wall_clock(self._clock, self.config.zone)
        decision = Decision(
            number=self.turns,
            at=self._clock.utcnow(),
            trigger=trigger,
            circuits={circuit_id: circuit_document(state, available[circuit_id], now) for circuit_id, state in self._circuits.items()},
            evses={str(key): evse_document(evse, turn, names, local, now) for key, evse in self._evses.items()},
            cut=bool(cuts),
            lease_s=turn.leases.lease_s,
            dead_man_violations=len(self._dead_man.health.violations),
            turn_ms=turn_ms,
            policy=str(turn.sharing.policy),
            plan_age_s=turn.sharing.age_s(now),
        )
        self._decisions.add(decision, cuts, min(arrived) if trigger == "reading" and arrived else now)
        if self._journal is not None:
            self._journal.record_decision(DecisionRecord(at=decision.at, trigger=trigger, document=decision.document()))

    def _begin_day(self) -> None:
        """Count the writes of each day on their own."""
        today = self._today()
        if self._writes_day != today:
            self._writes_day = today
            for installer in self._installers.values():
                installer.writes_today = 0

    @property
    def reaction_s(self) -> float | None:
        """From the last reading that made a cut necessary to the last station's acknowledgement."""
        return self._decisions.reaction_s

    @property
    def dead_man(self) -> DeadManHealth:
        """Whether the dead-man rule held in the newest turn."""
        return self._dead_man.health

    @property
    def snapshot(self) -> SiteSnapshot:
        """The site by its newest turn; drawn when somebody looks: turns may be many more than looks."""
        if self._drawn is None:
            self._drawn = self._draw()
        return self._drawn

    def _draw(self) -> SiteSnapshot:
        drawn = snapshot_of(
            config=self.config,
            mode=self.mode,
            policy=self.policy,
            circuits=self._circuits,
            # One that leaves and comes anew waits for approval as any stranger does.
            stations={
                identity: state for identity, state in self._stations.items() if identity not in self.leaving or state.config is None
            },
            installers=self._installers,
            evses={key: evse for key, evse in self._evses.items() if key not in self.leaving},
            turn=self._newest,
            authorization=self.authorization,
            last_resort=self.last_resort,
            reaction_s=self._decisions.reaction_s,
            shadow=self._shadow.comparison if self.mode is Mode.SHADOW else None,
            peak=self.peak.snapshot(self.config, self._clock.utcnow().timestamp()) if self.config.root.metered else None,
            dead_man=self._dead_man.health,
            clock=self._clock,
            resources=self.resources.snapshots(self._clock.monotonic()),
        )
        return replace(
            drawn,
            leaving=self._left_over(),
            silences=self._external.silences,
            departure_error_s=self._visits.punctuality.median_s(),
            trigger=self._trigger,
            failing=self._fails_since,
        )

    def _left_over(self) -> dict[str, LeavingStation]:
        """Return the stations and EVSEs that were removed and go on to hold something, as far as they are not being told to let go of it."""
        now = self._clock.monotonic()
        leavers = {identity: self._of(identity) for identity in self.leaving.away}
        for key in self.leaving.evses:
            evse = self._evses[key]
            if self.mode.silent or not evse.ready or evse.problem is not None or evse.foreign:
                leavers[str(key)] = [evse]
        result = {}
        for leaver, evses in leavers.items():
            if most_a := sum(holds_a(evse, now) for evse in evses):
                station = self.config.stations[evses[0].key.station]
                result[leaver] = LeavingStation(
                    identity=station.identity,
                    name=station.name,
                    evse_id=None if leaver == station.identity else evses[0].key.evse_id,
                    circuit=self._circuits[station.circuit_id].circuit.name,
                    holds_a=most_a,
                )
        return result

    def documents(self, count: int) -> list[dict[str, Any]]:
        """Return the last decisions, the newest last, as JSON-able data."""
        return self._decisions.documents(count)
