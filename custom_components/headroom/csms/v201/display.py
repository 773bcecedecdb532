"""Blocks I, O and P of OCPP 2.0.1: what a station shows its driver, and what its vendor adds to the protocol."""

from collections.abc import Mapping
from typing import override

from ..frames import Payload
from ..station import Noticed
from .link import Block, Handler


class Display(Block):
    """Display messages, costs, and data transfers."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"DataTransfer": self._on_data_transfer, "NotifyDisplayMessages": self._on_display_messages}

    async def _on_display_messages(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="NotifyDisplayMessages", payload=payload))
        return {}

    async def _on_data_transfer(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="DataTransfer", payload=payload))
        return {"status": "UnknownVendorId"}
