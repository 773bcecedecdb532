"""Block N of OCPP 2.0.1: logs, monitoring, and what a station knows of a customer."""

from collections.abc import Mapping
from typing import override

from ..fields import optional_moment
from ..frames import Payload
from ..station import Noticed
from .link import Block, Handler


class Diagnostics(Block):
    """Logs, monitors and their events, customer information."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {
            "LogStatusNotification": self._on_log_status,
            "NotifyCustomerInformation": self._on_customer_information,
            "NotifyEvent": self._on_event,
            "NotifyMonitoringReport": self._on_monitoring_report,
        }

    async def _on_event(self, payload: Payload) -> Payload:
        if (generated := optional_moment(payload, "generatedAt")) is not None:
            self._link.clock.observe(generated, self._link.now())
        self._link.emit(Noticed(action="NotifyEvent", payload=payload))
        return {}

    async def _on_log_status(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="LogStatusNotification", payload=payload))
        return {}

    async def _on_customer_information(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="NotifyCustomerInformation", payload=payload))
        return {}

    async def _on_monitoring_report(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="NotifyMonitoringReport", payload=payload))
        return {}
