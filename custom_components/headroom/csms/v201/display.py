"""Blocks I, O and P of OCPP 2.0.1: what a station shows its driver, and what its vendor adds to the protocol."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, override

from ..events import Noticed
from ..fields import optional_text, records, text
from ..frames import Payload
from ..upkeep import DataTransfer, DisplayMessage
from .link import Block, Handler, Link, without_none

DISPLAY = "Display"
"""The component that a message for one EVSE's display names."""


class Display(Block):
    """Display messages, costs, and data transfers."""

    def __init__(self, link: Link, takes_vendor: Callable[[str], bool]) -> None:
        """`takes_vendor` says whether somebody here takes what a vendor sends."""
        super().__init__(link)
        self._takes_vendor = takes_vendor

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"DataTransfer": self._on_data_transfer, "NotifyDisplayMessages": self._on_display_messages}

    async def show(self, message: DisplayMessage) -> None:
        """Show a text (O01, O02, O06)."""
        info: dict[str, Any] = {
            "id": message.id,
            "priority": message.priority,
            "state": message.state,
            "startDateTime": None if message.starts_at is None else self._link.station_time(message.starts_at),
            "endDateTime": None if message.ends_at is None else self._link.station_time(message.ends_at),
            "transactionId": message.transaction_id,
            "message": without_none({"format": message.format, "language": message.language, "content": message.text}),
            "display": None if message.evse_id is None else {"name": DISPLAY, "evse": {"id": message.evse_id}},
        }
        await self._link.ready_calls.command("SetDisplayMessage", {"message": without_none(info)})

    async def messages(
        self, ids: Sequence[int] = (), *, priority: str | None = None, state: str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Return the texts that the station holds (O03, O04). Raises CallTimeoutError where it promises a report and sends none."""
        criteria = without_none({"id": list(ids) or None, "priority": priority, "state": state})
        with self._link.reports.expect() as report:
            response = await self._link.ready_calls.command(
                "GetDisplayMessages", {"requestId": report.request_id} | criteria, ("Accepted", "Unknown")
            )
            if response["status"] == "Unknown":
                return []
            return await report.promised("GetDisplayMessages")

    async def clear(self, message_id: int) -> bool:
        """Take a text away (O05); False where there was none."""
        response = await self._link.ready_calls.command("ClearDisplayMessage", {"id": message_id}, ("Accepted", "Unknown"))
        return optional_text(response, "status") == "Accepted"

    async def update_cost(self, transaction_id: str, total: float) -> None:
        """Tell what a transaction costs so far (I02, I03)."""
        await self._link.ready_calls.ask("CostUpdated", {"totalCost": total, "transactionId": transaction_id})

    async def transfer(self, vendor_id: str, message_id: str | None = None, data: Any = None) -> Any:
        """Send a message of a vendor's own (P01); returns the data of the answer."""
        payload = without_none({"vendorId": vendor_id, "messageId": message_id, "data": data})
        return (await self._link.ready_calls.command("DataTransfer", payload)).get("data")

    async def _on_display_messages(self, payload: Payload) -> Payload:
        if not self._link.reports.add(payload, records(payload, "messageInfo")):
            self._link.emit(Noticed(action="NotifyDisplayMessages", payload=payload))
        return {}

    async def _on_data_transfer(self, payload: Payload) -> Payload:
        vendor_id = text(payload, "vendorId")
        accepted = self._takes_vendor(vendor_id)
        self._link.emit(
            DataTransfer(vendor_id=vendor_id, message_id=optional_text(payload, "messageId"), data=payload.get("data"), accepted=accepted)
        )
        return {"status": "Accepted" if accepted else "UnknownVendorId"}
