"""Block N of OCPP 2.0.1: logs, monitoring, and what a station knows of a customer."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import batched
import logging
from typing import Any, override

from .. import background
from ..errors import StationError
from ..events import Monitored, Noticed
from ..fields import optional_moment, optional_number, optional_record, optional_text, optional_whole, records, text, unknown_value
from ..frames import Payload
from ..inventory import name, reference
from ..upkeep import Customer, LogRequest, LogState, LogStatus, Monitor, MonitorResult, Retries
from .link import Block, Handler, Link, retried, without_none
from .transactions import status_of

_LOGGER = logging.getLogger(__name__)

LOG_STATES = {
    "Idle": LogState.IDLE,
    "Uploading": LogState.UPLOADING,
    "Uploaded": LogState.UPLOADED,
    "BadMessage": LogState.BAD_MESSAGE,
    "NotSupportedOperation": LogState.NOT_SUPPORTED,
    "PermissionDenied": LogState.PERMISSION_DENIED,
    "UploadFailure": LogState.UPLOAD_FAILURE,
    "AcceptedCanceled": LogState.CANCELED,
}
MONITORS_PER_MESSAGE = 8
"""How many monitors a message holds at a station that does not say how many it takes."""
FRESH = timedelta(seconds=60)
"""An older event was kept back, and tells nothing of how it is now."""
MOST_HELD_BACK = 256
"""So many events may wait for their monitors to be asked for; more are told without a severity."""


class Diagnostics(Block):
    """Logs, monitors and their events, customer information."""

    def __init__(self, link: Link) -> None:
        """Know of no monitor yet."""
        super().__init__(link)
        self._severities: dict[int, int] = {}
        self._asked_for_monitors = False
        self._held_back: list[Payload] = []
        self._learning: asyncio.Task[None] | None = None

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {
            "LogStatusNotification": self._on_log_status,
            "NotifyCustomerInformation": self._on_customer_information,
            "NotifyEvent": self._on_event,
            "NotifyMonitoringReport": self._on_monitoring_report,
        }

    def close(self) -> None:
        """Ask no more: the connection is gone."""
        if self._learning is not None:
            self._learning.cancel()

    # Logs

    async def get_log(self, request: LogRequest, retries: Retries = Retries()) -> tuple[int, str | None]:
        """Have a log uploaded (N01); returns the request's id, and the file's name where the station tells it."""
        log: dict[str, Any] = {
            "remoteLocation": request.location,
            "oldestTimestamp": None if request.oldest is None else self._link.station_time(request.oldest),
            "latestTimestamp": None if request.latest is None else self._link.station_time(request.latest),
        }
        request_id = self._link.reports.number()
        payload = {"requestId": request_id, "logType": request.kind, "log": without_none(log)} | retried(retries)
        response = await self._link.ready_calls.command("GetLog", payload, ("Accepted", "AcceptedCanceled"))
        return request_id, optional_text(response, "filename") or None

    async def _on_log_status(self, payload: Payload) -> Payload:
        if (state := LOG_STATES.get(text(payload, "status"))) is None:
            raise unknown_value("status")
        self._link.emit(LogStatus(state=state, request_id=optional_whole(payload, "requestId")))
        return {}

    # Monitors

    async def set_monitors(self, monitors: Sequence[Monitor]) -> Sequence[MonitorResult]:
        """Have the station watch (N04); one answer for each monitor, in their order."""
        results: list[MonitorResult] = []
        for part in batched(monitors, self._per_message("SetVariableMonitoring"), strict=False):
            payload = {"setMonitoringData": [_monitoring_data(monitor) for monitor in part]}
            response = await self._link.ready_calls.ask("SetVariableMonitoring", payload)
            answers = records(response, "setMonitoringResult")
            results += [_result(_answer_to(monitor, number, answers)) for number, monitor in enumerate(part)]
        for monitor, result in zip(monitors, results, strict=True):
            if result.status == "Accepted" and result.id is not None:
                self._severities[result.id] = monitor.severity
        return results

    async def get_monitors(self, kinds: Sequence[str] = (), variables: Sequence[tuple[str, str | None]] = ()) -> Sequence[Monitor]:
        """Return what the station watches (N02). Raises CallTimeoutError where it promises a report and sends none."""
        criteria = {
            "monitoringCriteria": list(kinds) or None,
            "componentVariable": [
                without_none({"component": reference(component), "variable": None if variable is None else reference(variable)})
                for component, variable in variables
            ]
            or None,
        }
        with self._link.reports.expect() as report:
            payload = {"requestId": report.request_id} | without_none(criteria)
            response = await self._link.ready_calls.command("GetMonitoringReport", payload, ("Accepted", "EmptyResultSet"))
            if response["status"] == "EmptyResultSet":
                return []
            items = await report.promised("GetMonitoringReport")
        found = [monitor for item in items for monitor in _monitors(item)]
        self._severities |= {monitor.id: monitor.severity for monitor in found if monitor.id is not None}
        return found

    async def clear_monitors(self, ids: Sequence[int]) -> Mapping[int, MonitorResult]:
        """Have the station stop watching (N06)."""
        results: dict[int, MonitorResult] = {}
        for part in batched(ids, self._per_message("ClearVariableMonitoring"), strict=False):
            response = await self._link.ready_calls.ask("ClearVariableMonitoring", {"id": list(part)})
            answers = {optional_whole(answer, "id"): answer for answer in records(response, "clearMonitoringResult")}
            results |= {monitor_id: _result(answers.get(monitor_id, {})) for monitor_id in part}
        return results

    async def set_monitoring_base(self, base: str) -> None:
        """Turn on a set of the station's own (N03); monitors of ours are gone with it, but for those of "All"."""
        await self._link.ready_calls.command("SetMonitoringBase", {"monitoringBase": base})
        self._asked_for_monitors = False

    async def set_monitoring_level(self, severity: int) -> None:
        """Have the station tell of nothing less severe than this (N05)."""
        await self._link.ready_calls.command("SetMonitoringLevel", {"severity": severity})

    def _per_message(self, message: str) -> int:
        said = self._link.inventory.variables.get(f"MonitoringCtrlr.ItemsPerMessage[{message}]", "").strip()
        return max(1, int(said)) if said.isdecimal() else MONITORS_PER_MESSAGE

    async def _on_monitoring_report(self, payload: Payload) -> Payload:
        self._observe_clock(payload)
        if not self._link.reports.add(payload, records(payload, "monitor")):
            self._link.emit(Noticed(action="NotifyMonitoringReport", payload=payload))
        return {}

    async def _on_event(self, payload: Payload) -> Payload:
        # It tells nothing of the clock: what happened while the station was away waits there, and its generatedAt is of then.
        events = records(payload, "eventData")
        since = self._link.by_its_clock(self._link.now()) - FRESH
        for event in events:
            if (status := status_of(event, since)) is not None:
                self._link.emit(status)
        if self._learning is not None or (self._link.ready and not self._asked_for_monitors and self._unknown(events)):
            # 2.0.1 tells a monitor's severity with the monitor alone, never with its event.
            self._held_back += events
            self._tell(self._held_back[MOST_HELD_BACK:])
            del self._held_back[MOST_HELD_BACK:]
            if self._learning is None:
                self._asked_for_monitors = True
                self._learning = background.begin(self._learn(), f"Learning the monitors of {self._link.identity}")
        else:
            self._tell(events)
        return {}

    def _unknown(self, events: Sequence[Payload]) -> bool:
        ids = {optional_whole(event, "variableMonitoringId") for event in events}
        return bool(ids - {None} - self._severities.keys())

    async def _learn(self) -> None:
        """Ask which monitors there are, then tell the events that waited for it."""
        try:
            await self.get_monitors()
        except StationError as error:
            _LOGGER.debug("%s does not tell its monitors: %s", self._link.identity, error)
        finally:
            self._learning = None
            held_back, self._held_back = self._held_back, []
            self._tell(held_back)

    def _tell(self, events: Sequence[Payload]) -> None:
        for event in events:
            monitor_id = optional_whole(event, "variableMonitoringId")
            self._link.emit(
                Monitored(
                    event_id=optional_whole(event, "eventId") or 0,
                    component=name(optional_record(event, "component")),
                    variable=name(optional_record(event, "variable")),
                    value=optional_text(event, "actualValue") or "",
                    trigger=optional_text(event, "trigger") or "",
                    at=optional_moment(event, "timestamp") or self._link.now(),
                    cleared=event.get("cleared") is True,
                    severity=None if monitor_id is None else self._severities.get(monitor_id),
                    kind=optional_text(event, "eventNotificationType") or "",
                    monitor_id=monitor_id,
                    cause=optional_whole(event, "cause"),
                    transaction_id=optional_text(event, "transactionId"),
                    code=optional_text(event, "techCode"),
                    text=optional_text(event, "techInfo"),
                )
            )

    # Customers

    async def customer_information(self, customer: Customer, *, report: bool, clear: bool) -> str:
        """Return what the station keeps of somebody (N09), and/or have it forgotten (N10).

        Raises CallTimeoutError where it promises a report and sends none. One that only forgets reports nothing worth waiting for.
        """
        token = None if customer.id_token is None else {"idToken": customer.id_token, "type": customer.id_token_type}
        whom = without_none({"idToken": token, "customerIdentifier": customer.identifier})
        with self._link.reports.expect() as pages:
            payload = {"requestId": pages.request_id, "report": report, "clear": clear} | whom
            await self._link.ready_calls.command("CustomerInformation", payload)
            if not report:
                return ""
            items = await pages.promised("CustomerInformation")
        return "".join(item["data"] for item in items)

    async def _on_customer_information(self, payload: Payload) -> Payload:
        self._observe_clock(payload)
        page = {"data": text(payload, "data")}
        if not self._link.reports.add(payload, [page]):
            # What nobody asked for is nobody's business: it is about a person.
            _LOGGER.debug("%s tells of a customer unasked", self._link.identity)
        return {}

    def _observe_clock(self, payload: Payload) -> None:
        if (generated := optional_moment(payload, "generatedAt")) is not None:
            self._link.observe_clock(generated)


def _monitoring_data(monitor: Monitor) -> dict[str, Any]:
    return without_none(
        {
            "id": monitor.id,
            "transaction": monitor.in_transaction or None,
            "value": monitor.value,
            "type": monitor.type,
            "severity": monitor.severity,
            "component": reference(monitor.component),
            "variable": reference(monitor.variable),
        }
    )


def _answer_to(monitor: Monitor, number: int, answers: Sequence[Payload]) -> Payload:
    """Return the answer to a monitor: the one at its place, else the one that names it."""

    def names_it(answer: Payload) -> bool:
        component, variable = name(optional_record(answer, "component")), name(optional_record(answer, "variable"))
        return (component, variable, answer.get("type")) == (monitor.component, monitor.variable, monitor.type)

    if number < len(answers) and names_it(answers[number]):
        return answers[number]
    return next((answer for answer in answers if names_it(answer)), {})


def _result(answer: Payload) -> MonitorResult:
    reason = optional_text(optional_record(answer, "statusInfo"), "reasonCode") or ""
    return MonitorResult(status=optional_text(answer, "status") or "", id=optional_whole(answer, "id"), reason=reason)


def _monitors(item: Payload) -> list[Monitor]:
    component, variable = name(optional_record(item, "component")), name(optional_record(item, "variable"))
    return [
        Monitor(
            component=component,
            variable=variable,
            type=optional_text(monitoring, "type") or "",
            value=value,
            severity=severity,
            in_transaction=monitoring.get("transaction") is True,
            id=optional_whole(monitoring, "id"),
        )
        for monitoring in records(item, "variableMonitoring")
        if (value := optional_number(monitoring, "value")) is not None and (severity := optional_whole(monitoring, "severity")) is not None
    ]
