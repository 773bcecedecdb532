"""Block B of OCPP 2.0.1 beside the boot itself: variables, reports and resets; and any request by its name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, override

from ..fields import optional_moment, records, whole, written
from ..frames import Payload
from ..inventory import merged
from ..station import AttributeType, CallError, VariableKey, VariableResult
from ..validation import PayloadError
from .link import SCHEMAS, Block, Handler


class Provisioning(Block):
    """Variables, reports and resets."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"Heartbeat": self._on_heartbeat, "NotifyReport": self._on_report}

    async def call(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send any request; both it and the response are checked. Raises PayloadError, StationError."""
        if action not in SCHEMAS.actions:
            raise ValueError(f"{action} is no action of OCPP 2.0.1")
        response = await self._link.ready_calls.ask(action, payload)
        try:
            SCHEMAS.check_response(action, response)
        except PayloadError as error:
            raise CallError(action, error.code, f"the response is not valid at {error.field}") from error
        return response

    async def get_variables(
        self, keys: Sequence[VariableKey], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Read variables (B06); what was told is in the inventory afterwards."""
        results = await self._link.ready_calls.get_variables(keys, attribute)
        self._link.learn_values({key: result.value for key, result in results.items() if result.value is not None}, attribute)
        return results

    async def set_variables(
        self, values: Mapping[VariableKey, str], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Set variables (B05); what was taken is in the inventory afterwards, and what waits for a reboot is named there."""
        results = await self._link.ready_calls.set_variables(values, attribute)
        self._link.learn_values({key: values[key] for key, result in results.items() if result.status == "Accepted"}, attribute)
        if waiting := {".".join(key) for key, result in results.items() if result.status == "RebootRequired"}:
            inventory = self._link.inventory
            self._link.memory.inventory = replace(inventory, awaiting_reboot=tuple(sorted({*inventory.awaiting_reboot, *waiting})))
            self._link.inventory_changed()
        if (configured := self._link.memory.configured) is not None and attribute is AttributeType.ACTUAL:
            # What a person sets is not set back after the next boot.
            configured |= {".".join(key): values[key] for key, result in results.items() if result.taken and ".".join(key) in configured}
        return results

    async def reset(self, *, immediate: bool, evse_id: int | None = None) -> None:
        """Restart (B11, B12)."""
        payload: dict[str, Any] = {"type": "Immediate" if immediate else "OnIdle"}
        if evse_id is not None:
            payload["evseId"] = evse_id
        await self._link.ready_calls.command("Reset", payload, ("Accepted", "Scheduled"))

    async def _on_heartbeat(self, payload: Payload) -> Payload:
        return {"currentTime": written(self._link.now())}

    async def _on_report(self, payload: Payload) -> Payload:
        if (generated := optional_moment(payload, "generatedAt")) is not None:
            self._link.clock.observe(generated, self._link.now())
        items = records(payload, "reportData")
        known = self._link.memory.inventory
        if not self._link.reports.add(whole(payload, "requestId"), items, more=payload.get("tbc") is True) and known is not None:
            # Nobody waits for it: it tells what changed.
            self._link.memory.inventory = merged(known, items)
            self._link.inventory_changed()
        return {}
