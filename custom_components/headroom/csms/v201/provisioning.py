"""Block B of OCPP 2.0.1 beside the boot itself: variables, reports and resets; and any request by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, override

from ..errors import CallError
from ..fields import optional_moment, records
from ..frames import Payload
from ..inventory import from_report, merged, name, reference
from ..validation import PayloadError
from ..variables import AttributeType, DeviceVariable, VariableKey, VariableResult
from .calls import results_of
from .link import SCHEMAS, Block, Handler, without_none

FROM_STATIONS = frozenset(
    {
        "Authorize",
        "BootNotification",
        "ClearedChargingLimit",
        "FirmwareStatusNotification",
        "Get15118EVCertificate",
        "GetCertificateStatus",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "NotifyChargingLimit",
        "NotifyCustomerInformation",
        "NotifyDisplayMessages",
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyEvent",
        "NotifyMonitoringReport",
        "NotifyReport",
        "PublishFirmwareStatusNotification",
        "ReportChargingProfiles",
        "ReservationStatusUpdate",
        "SecurityEventNotification",
        "SignCertificate",
        "StatusNotification",
        "TransactionEvent",
    }
)
"""What only a station may ask."""
FROM_CSMS = SCHEMAS.actions - FROM_STATIONS


class Provisioning(Block):
    """Variables, reports and resets."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"Heartbeat": self._on_heartbeat, "NotifyReport": self._on_report}

    async def call(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send any request of a CSMS; both it and the response are checked. What was read or set of variables is in the inventory afterwards.

        Raises ValueError for another, PayloadError, StationError.
        """
        if action not in FROM_CSMS:
            raise ValueError(f"{action} is no request of a CSMS in OCPP 2.0.1")
        response = await self._link.ready_calls.ask(action, payload)
        try:
            SCHEMAS.check_response(action, response)
        except PayloadError as error:
            raise CallError(action, error.code, f"the response is not valid at {error.field}") from error
        for attribute in AttributeType:
            if action == "GetVariables":
                self._read(results_of(payload["getVariableData"], response["getVariableResult"], attribute), attribute)
            elif action == "SetVariables":
                items = payload["setVariableData"]
                values = {(name(item["component"]), name(item["variable"])): item["attributeValue"] for item in items}
                self._took(values, results_of(items, response["setVariableResult"], attribute), attribute)
        return response

    async def get_variables(
        self, keys: Sequence[VariableKey], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Read variables (B06); what was told is in the inventory afterwards."""
        results = await self._link.ready_calls.get_variables(keys, attribute)
        self._read(results, attribute)
        return results

    def _read(self, results: Mapping[VariableKey, VariableResult], attribute: AttributeType) -> None:
        self._link.learn_values({key: result.value for key, result in results.items() if result.value is not None}, attribute)

    async def set_variables(
        self, values: Mapping[VariableKey, str], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Set variables (B05); what was taken is in the inventory afterwards, and what waits for a reboot is named there."""
        results = await self._link.ready_calls.set_variables(values, attribute)
        self._took(values, results, attribute)
        return results

    def _took(self, values: Mapping[VariableKey, str], results: Mapping[VariableKey, VariableResult], attribute: AttributeType) -> None:
        self._link.learn_values({key: values[key] for key, result in results.items() if result.status == "Accepted"}, attribute)
        if waiting := {".".join(key) for key, result in results.items() if result.status == "RebootRequired"}:
            inventory = self._link.inventory
            self._link.memory.inventory = replace(inventory, awaiting_reboot=tuple(sorted({*inventory.awaiting_reboot, *waiting})))
            self._link.inventory_changed()
        if (configured := self._link.memory.configured) is not None and attribute is AttributeType.ACTUAL:
            # What a person sets is not set back after the next boot.
            configured |= {".".join(key): values[key] for key, result in results.items() if result.taken and ".".join(key) in configured}

    async def get_report(
        self, components: Sequence[tuple[str, str | None]] = (), criteria: Sequence[str] = ()
    ) -> Mapping[str, DeviceVariable]:
        """Return what the station reports of its components (B08); what was told is in the inventory afterwards.

        `components` are (component, variable or None for all), `criteria` OCPP's ComponentCriterionEnumType. Raises CallTimeoutError
        where the station promises a report and sends none.
        """
        asked = [
            without_none({"component": reference(component), "variable": None if variable is None else reference(variable)})
            for component, variable in components
        ]
        with self._link.reports.expect() as report:
            payload = {"requestId": report.request_id} | without_none(
                {"componentVariable": asked or None, "componentCriteria": list(criteria) or None}
            )
            response = await self._link.ready_calls.command("GetReport", payload, ("Accepted", "EmptyResultSet"))
            if response["status"] == "EmptyResultSet":
                return {}
            items = await report.promised("GetReport")
        self._link.memory.inventory = merged(self._link.memory.inventory, items)
        self._link.inventory_changed()
        return from_report(items).device

    async def reset(self, *, immediate: bool, evse_id: int | None = None) -> None:
        """Restart (B11, B12)."""
        payload: dict[str, Any] = {"type": "Immediate" if immediate else "OnIdle"}
        if evse_id is not None:
            payload["evseId"] = evse_id
        await self._link.ready_calls.command("Reset", payload, ("Accepted", "Scheduled"))

    async def _on_heartbeat(self, payload: Payload) -> Payload:
        return {"currentTime": self._link.told_time()}

    async def _on_report(self, payload: Payload) -> Payload:
        if (generated := optional_moment(payload, "generatedAt")) is not None:
            self._link.observe_clock(generated)
        items = records(payload, "reportData")
        known = self._link.memory.inventory
        if not self._link.reports.add(payload, items) and known is not None:
            # Nobody waits for it: it tells what changed.
            self._link.memory.inventory = merged(known, items)
            self._link.inventory_changed()
        return {}
