"""Block P of OCPP 2.0.1: a vendor's own messages. This one knows an echo."""

from collections.abc import Mapping
from typing import Any, override

from ..outbox import OnReply
from .block import Answer, Block, Handler, Payload

VENDOR = "org.headroom.simulator"


class DataTransfer(Block):
    """Messages beside the standard."""

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {"DataTransfer": self._received}

    def send(self, vendor_id: str, message_id: str | None = None, data: Any = None, on_reply: OnReply | None = None) -> None:
        """Queue a DataTransfer (P02)."""
        more = {name: value for name, value in (("messageId", message_id), ("data", data)) if value is not None}
        self.station.say("DataTransfer", {"vendorId": vendor_id, **more}, on_reply)

    def _received(self, payload: Payload) -> Answer:
        if payload["vendorId"] != VENDOR:
            return {"status": "UnknownVendorId"}
        if payload.get("messageId") != "Echo":
            return {"status": "UnknownMessageId"}
        return {"status": "Accepted"} | ({"data": payload["data"]} if "data" in payload else {})
