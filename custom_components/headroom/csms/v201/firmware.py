"""Block L of OCPP 2.0.1: firmware."""

from collections.abc import Mapping
from typing import override

from ..frames import Payload
from ..station import Noticed
from .link import Block, Handler


class Firmware(Block):
    """Firmware updates, and firmware that a local controller publishes."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"FirmwareStatusNotification": self._on_status, "PublishFirmwareStatusNotification": self._on_publish_status}

    async def _on_status(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="FirmwareStatusNotification", payload=payload))
        return {}

    async def _on_publish_status(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="PublishFirmwareStatusNotification", payload=payload))
        return {}
