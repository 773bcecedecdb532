"""Monitors on the variables of a station, and the events they raise (N02–N08 of OCPP 2.0.1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
import itertools
import math
from typing import TYPE_CHECKING, Any, override

from ..device_model import Key
from ..outbox import Outgoing
from ..timestamps import written
from .block import Answer, Block, Handler, Payload, accepted
from .sensors import PROBLEM, TEMPERATURE

if TYPE_CHECKING:
    from ..station import StationModel

THRESHOLDS = ("UpperThreshold", "LowerThreshold")
PERIODIC = ("Periodic", "PeriodicClockAligned")
CRITERIA: Mapping[str, tuple[str, ...]] = {"ThresholdMonitoring": THRESHOLDS, "DeltaMonitoring": ("Delta",), "PeriodicMonitoring": PERIODIC}
HARD_WIRED, PRECONFIGURED, CUSTOM = "HardWiredMonitor", "PreconfiguredMonitor", "CustomMonitor"
NUMBERS = frozenset({"integer", "decimal"})
MONITORS_PER_PAGE = 10
LOWEST_SEVERITY = 9


@dataclass(slots=True, kw_only=True)
class Monitor:
    """One monitor, and what it saw last."""

    monitor_id: int
    key: Key
    kind: str
    value: float
    severity: int
    transaction: bool = False
    made_as: str = CUSTOM
    alerting: bool = False
    seen: str = ""
    """The value of which it spoke last, at first the one it was set at."""
    due: datetime | None = None
    event_id: int | None = None
    """Its last event."""

    def written(self) -> dict[str, Any]:
        """Return its VariableMonitoringType."""
        return {
            "id": self.monitor_id,
            "transaction": self.transaction,
            "value": self.value,
            "type": self.kind,
            "severity": self.severity,
        }


FACTORY = (
    Monitor(monitor_id=1, key=PROBLEM, kind="Delta", value=1.0, severity=2, made_as=HARD_WIRED),
    Monitor(monitor_id=2, key=TEMPERATURE, kind="UpperThreshold", value=70.0, severity=4, made_as=PRECONFIGURED),
)
ENABLED = Key("MonitoringCtrlr", "Enabled")


class Monitoring(Block):
    """All monitors by their id."""

    def __init__(self, station: StationModel) -> None:
        """Start with those of the factory."""
        super().__init__(station)
        self.monitors = {one.monitor_id: self._begun(one) for one in FACTORY}
        self.level = LOWEST_SEVERITY
        self._enabled = station.device.variables[ENABLED]
        self._event_ids = itertools.count(1)

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {
            "ClearVariableMonitoring": self._clear,
            "GetMonitoringReport": self._report,
            "SetMonitoringBase": self._set_base,
            "SetMonitoringLevel": self._set_level,
            "SetVariableMonitoring": self._set,
        }

    @override
    def step(self, dt_s: float) -> None:
        """Look at every variable that is watched, and tell what is due in one message."""
        if self._enabled.value != "true" or not self.station.running:
            return
        events = [event for monitor in self.monitors.values() for event in self._seen_by(monitor)]
        if events:
            payload = {"generatedAt": written(self.station.now), "seqNo": 0, "tbc": False, "eventData": [event for _, event in events]}
            queued = self.station.device.number("MonitoringCtrlr", "OfflineQueuingSeverity")
            persistent = min(severity for severity, _ in events) <= queued
            self.station.outbox.put(Outgoing(action="NotifyEvent", payload=payload, persistent=persistent))
            self.station.on_change()

    def _seen_by(self, monitor: Monitor) -> Iterable[tuple[int, dict[str, Any]]]:
        if monitor.severity > self.level or (monitor.transaction and self._transaction_id(monitor) is None):
            return
        variable = self.station.device.variables[monitor.key]
        value, before, now = variable.value, monitor.seen, self.station.now
        if monitor.kind in THRESHOLDS:
            number = float(value)
            beyond = number > monitor.value if monitor.kind == "UpperThreshold" else number < monitor.value
            if beyond != monitor.alerting:
                monitor.alerting = beyond
                yield monitor.severity, self._event(monitor, "Alerting", value, cleared=not beyond)
        elif monitor.kind == "Delta":
            if abs(float(value) - float(before)) >= monitor.value if variable.data_type in NUMBERS else value != before:
                monitor.seen = value
                yield monitor.severity, self._event(monitor, "Delta", value)
        elif monitor.due is None:
            monitor.due = self._first_due(monitor, now)
        elif now >= monitor.due:
            monitor.due += timedelta(seconds=monitor.value)
            yield monitor.severity, self._event(monitor, "Periodic", value)

    def _first_due(self, monitor: Monitor, now: datetime) -> datetime:
        if monitor.kind == "Periodic":
            return now + timedelta(seconds=monitor.value)
        late_s = math.fmod(now.timestamp(), monitor.value)
        return now + timedelta(seconds=monitor.value - late_s)

    def _event(self, monitor: Monitor, trigger: str, value: str, *, cleared: bool | None = None) -> dict[str, Any]:
        event: dict[str, Any] = {
            "eventId": next(self._event_ids),
            "timestamp": written(self.station.now),
            "trigger": trigger,
            "actualValue": value,
            "eventNotificationType": monitor.made_as,
            "variableMonitoringId": monitor.monitor_id,
            **monitor.key.written(),
        }
        if cleared is not None:
            event["cleared"] = cleared
        if cleared and monitor.event_id is not None:
            event["cause"] = monitor.event_id
        if transaction_id := self._transaction_id(monitor):
            event["transactionId"] = transaction_id
        monitor.event_id = event["eventId"]
        return event

    def _transaction_id(self, monitor: Monitor) -> str | None:
        transaction = self.station.transactions.get(monitor.key.evse_id or 0)
        return transaction.transaction_id if transaction else None

    def _begun(self, monitor: Monitor) -> Monitor:
        return replace(monitor, seen=self.station.device.variables[monitor.key].value)

    # Requests

    def _set(self, payload: Payload) -> Answer:
        return {"setMonitoringResult": [self._set_one(data) for data in payload["setMonitoringData"]]}

    def _set_one(self, data: Payload) -> dict[str, Any]:
        key = Key.of(data)
        result = {name: data[name] for name in ("type", "severity", "component", "variable")}
        status = self._judge(key, data)
        if status != "Accepted":
            return result | {"status": status}
        number = data.get("id", max(self.monitors, default=0) + 1)
        monitor = Monitor(
            monitor_id=number,
            key=key,
            kind=data["type"],
            value=data["value"],
            severity=data["severity"],
            transaction=data.get("transaction", False),
        )
        self.monitors[number] = self._begun(monitor)
        return result | {"status": status, "id": number}

    def _judge(self, key: Key, data: Payload) -> str:
        """Return the SetMonitoringStatusEnumType of one monitor that is asked for (N04)."""
        if (known := self.station.device.known(key)) != "Accepted":
            return known
        variable, kind, value = self.station.device.variables[key], data["type"], data["value"]
        numeric = variable.data_type in NUMBERS
        if not variable.monitored or (kind in THRESHOLDS and not numeric):
            return "UnsupportedMonitorType"
        if not 0 <= data["severity"] <= LOWEST_SEVERITY or (kind in (*PERIODIC, "Delta") and value <= 0):
            return "Rejected"
        if kind in THRESHOLDS and not (-math.inf if variable.least is None else variable.least) <= value <= (variable.most or math.inf):
            return "Rejected"
        number = data.get("id")
        if number is not None and (number not in self.monitors or self.monitors[number].made_as == HARD_WIRED):
            return "Rejected"
        same = (key, kind, data["severity"])
        if any((one.key, one.kind, one.severity) == same and one.monitor_id != number for one in self.monitors.values()):
            return "Duplicate"
        return "Accepted"

    def _clear(self, payload: Payload) -> Answer:
        results = []
        for number in payload["id"]:
            monitor = self.monitors.get(number)
            status = "NotFound" if monitor is None else "Rejected" if monitor.made_as == HARD_WIRED else "Accepted"
            if status == "Accepted":
                del self.monitors[number]
            results.append({"id": number, "status": status})
        return {"clearMonitoringResult": results}

    def _set_base(self, payload: Payload) -> Answer:
        """Keep what a MonitoringBaseEnumType leaves (N03): "All" adds the factory's to what there is."""
        kept = {HARD_WIRED} if payload["monitoringBase"] != "All" else {HARD_WIRED, PRECONFIGURED, CUSTOM}
        self.monitors = {number: one for number, one in self.monitors.items() if one.made_as in kept}
        if payload["monitoringBase"] != "HardWiredOnly":
            for one in FACTORY:
                self.monitors.setdefault(one.monitor_id, self._begun(one))
        return accepted()

    def _set_level(self, payload: Payload) -> Answer:
        if not 0 <= payload["severity"] <= LOWEST_SEVERITY:
            return {"status": "Rejected"}
        self.level = payload["severity"]
        return accepted()

    def _report(self, payload: Payload) -> Answer:
        kinds = {kind for one in payload.get("monitoringCriteria", CRITERIA) for kind in CRITERIA[one]}
        keys = set(self.station.device.asked(payload.get("componentVariable", []), []))
        chosen: dict[Key, list[dict[str, Any]]] = {}
        for monitor in self.monitors.values():
            if monitor.kind in kinds and monitor.key in keys:
                chosen.setdefault(monitor.key, []).append(monitor.written())
        if not chosen:
            return {"status": "EmptyResultSet"}
        data = [key.written() | {"variableMonitoring": listed} for key, listed in chosen.items()]
        pages = [data[first : first + MONITORS_PER_PAGE] for first in range(0, len(data), MONITORS_PER_PAGE)]
        for number, page in enumerate(pages):
            report = {
                "requestId": payload["requestId"],
                "generatedAt": written(self.station.now),
                "seqNo": number,
                "tbc": number < len(pages) - 1,
                "monitor": page,
            }
            self.station.say("NotifyMonitoringReport", report, asked=True)
        return accepted()
