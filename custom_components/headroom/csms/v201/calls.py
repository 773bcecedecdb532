"""OCPP 2.0.1 requests whose answer is a status, and the variables of the device model. Nothing here asks whether they are allowed now."""

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Any

from ..errors import CallError, CallRejectedError
from ..fields import optional_record, optional_text, records
from ..frames import Payload
from ..inventory import items_per_message, name, reference
from ..rpc import Over, Rpc
from ..values import Inventory
from ..variables import AttributeType, VariableKey, VariableResult

ACCEPTED = ("Accepted",)
ITEMS_PER_MESSAGE = 8
"""How many variables a message holds at a station that does not say how many it takes."""


class Calls:
    """Requests over one connection."""

    def __init__(self, rpc: Rpc) -> None:
        """Take the connection."""
        self._rpc = rpc
        self.get_variables_items = ITEMS_PER_MESSAGE
        self.set_variables_items = ITEMS_PER_MESSAGE

    async def ask(self, action: str, payload: Payload, *, over: Over | None = None) -> Payload:
        """Send a request; returns its response. Raises StationError, and PayloadError where the request is not valid."""
        return await self._rpc.call(action, payload, over=over)

    async def command(self, action: str, payload: Payload, success: Sequence[str] = ACCEPTED, *, over: Over | None = None) -> Payload:
        """Send a request that is answered with a status; raises CallRejectedError where that is none of `success`."""
        response = await self.ask(action, payload, over=over)
        if (status := optional_text(response, "status")) is None:
            raise CallError(action, "OccurrenceConstraintViolation", "the response has no status")
        if status not in success:
            raise CallRejectedError(action, status, optional_text(optional_record(response, "statusInfo"), "reasonCode") or "")
        return response

    async def trigger(self, message: str, evse: Mapping[str, int] | None = None) -> None:
        """Ask for a message."""
        await self.command("TriggerMessage", {"requestedMessage": message} | ({"evse": evse} if evse else {}))

    async def get_variables(
        self, keys: Sequence[VariableKey], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Read one kind of value of variables (B06)."""
        items = [_item(key, attribute) for key in keys]
        results = await self._in_parts("GetVariables", "getVariableData", "getVariableResult", items, self.get_variables_items)
        return {key: _result(result) for key, result in zip(keys, results, strict=True)}

    async def set_variables(
        self, values: Mapping[VariableKey, str], attribute: AttributeType = AttributeType.ACTUAL
    ) -> Mapping[VariableKey, VariableResult]:
        """Set one kind of value of variables (B05)."""
        items = [_item(key, attribute) | {"attributeValue": value} for key, value in values.items()]
        results = await self._in_parts("SetVariables", "setVariableData", "setVariableResult", items, self.set_variables_items)
        return {key: _result(result) for key, result in zip(values, results, strict=True)}

    async def _in_parts(self, action: str, asked: str, answered: str, items: Sequence[Payload], size: int) -> list[Mapping[str, Any]]:
        results: list[Mapping[str, Any]] = []
        for part in batched(items, size, strict=False):
            try:
                response = await self.ask(action, {asked: list(part)})
            except CallError:
                if len(part) == 1:
                    raise
                # Too many for this station, or one that it cannot read: the others shall not suffer for it.
                results += await self._one_by_one(action, asked, answered, part)
            else:
                results += _in_order(part, records(response, answered))
        return results

    async def _one_by_one(self, action: str, asked: str, answered: str, items: Sequence[Payload]) -> list[Mapping[str, Any]]:
        results: list[Mapping[str, Any]] = []
        for item in items:
            try:
                response = await self.ask(action, {asked: [item]})
            except CallError:
                results.append({})
            else:
                results += _in_order([item], records(response, answered))
        return results

    def learn(self, inventory: Inventory) -> None:
        """Take over how many items the station takes in a message."""
        self.get_variables_items = items_per_message(inventory, "GetVariables") or self.get_variables_items
        self.set_variables_items = items_per_message(inventory, "SetVariables") or self.set_variables_items


def results_of(
    items: Sequence[Payload], told: Sequence[Mapping[str, Any]], attribute: AttributeType
) -> Mapping[VariableKey, VariableResult]:
    """Return what a response tells of one kind of value of the variables that a request of any making names."""
    of_kind = [item for item in items if _kind(item) == attribute]
    found = _in_order(of_kind, [result for result in told if _kind(result) == attribute])
    return {_named(item): _result(result) for item, result in zip(of_kind, found, strict=True)}


def _kind(item: Payload) -> str:
    return optional_text(item, "attributeType") or AttributeType.ACTUAL


def _item(key: VariableKey, attribute: AttributeType) -> dict[str, Any]:
    component, variable = key
    item: dict[str, Any] = {"component": reference(component), "variable": reference(variable)}
    # Actual is what its absence means, and not every station reads the field.
    return item if attribute is AttributeType.ACTUAL else item | {"attributeType": str(attribute)}


def _result(result: Payload) -> VariableResult:
    status = optional_text(result, "attributeStatus") or ""
    info = optional_record(result, "attributeStatusInfo")
    words = (optional_text(info, "reasonCode"), optional_text(info, "additionalInfo"))
    value = optional_text(result, "attributeValue") if status == "Accepted" else None
    return VariableResult(status=status, value=value, reason=": ".join(filter(None, words)))


def _in_order(items: Sequence[Payload], results: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    # A station may answer in another order, leave something out, or forget to repeat what it was asked.
    found = {_named(result): result for result in results}
    if any(_named(item) in found for item in items):
        return [found.get(_named(item), {}) for item in items]
    return list(results) if len(results) == len(items) else [{} for _ in items]


def _named(item: Payload) -> tuple[str, str]:
    return name(optional_record(item, "component")), name(optional_record(item, "variable"))
