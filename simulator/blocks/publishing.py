"""Firmware a station publishes for others on its network (L03, L04 of OCPP 2.0.1)."""

import asyncio
from collections.abc import Collection, Mapping
import hashlib
from typing import Any, override

from .block import Answer, Block, Handler, Payload, accepted

RETRY_S = 10.0


class Publishing(Block):
    """Images by their checksum, served at addresses of its own."""

    def __init__(self, *arguments: Any) -> None:
        """Publish nothing."""
        super().__init__(*arguments)
        self.published: dict[str, bytes] = {}
        self.fetched_by: dict[str, int] = {}
        """How many others are downloading an image right now."""
        self._status = "Idle"

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {"PublishFirmware": self._publish, "UnpublishFirmware": self._unpublish}

    @override
    def triggered(self, message: str, evse_ids: Collection[int]) -> bool:
        if message != "PublishFirmwareStatusNotification":
            return False
        self.station.say("PublishFirmwareStatusNotification", {"status": "Idle"}, asked=True)
        return True

    def _publish(self, payload: Payload) -> Answer:
        self.station.background(self._fetch(payload))
        return accepted()

    async def _fetch(self, payload: Payload) -> None:
        checksum = payload["checksum"].lower()
        for attempt in range(1 + payload.get("retries", 0)):
            if attempt:
                await asyncio.sleep(payload.get("retryInterval", RETRY_S))
            self._tell(payload, "Downloading")
            try:
                image = await self.station.files.download(payload["location"])
                break
            except (OSError, ValueError) as error:
                self.station.logs.diagnostics.add(self.station.now, f"download failed: {error}")
        else:
            self._tell(payload, "DownloadFailed")
            return
        self._tell(payload, "Downloaded")
        if hashlib.md5(image, usedforsecurity=False).hexdigest() != checksum:
            self._tell(payload, "InvalidChecksum")
            return
        self._tell(payload, "ChecksumVerified")
        self.published[checksum] = image
        self._tell(payload, "Published", location=[f"http://{self.station.spec.identity.lower()}.local/firmware/{checksum}"])

    def _tell(self, payload: Payload, status: str, **more: Any) -> None:
        self.station.say("PublishFirmwareStatusNotification", {"status": status, "requestId": payload["requestId"], **more})

    def _unpublish(self, payload: Payload) -> Answer:
        checksum = payload["checksum"].lower()
        if checksum not in self.published:
            return {"status": "NoFirmware"}
        if self.fetched_by.get(checksum):
            return {"status": "DownloadOngoing"}
        del self.published[checksum]
        return {"status": "Unpublished"}
