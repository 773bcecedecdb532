"""Block L of OCPP 2.0.1: firmware."""

from collections.abc import Mapping
from typing import Any, override

from ..fields import optional_whole, text, unknown_value
from ..frames import Payload
from ..upkeep import Firmware as Image, FirmwarePublished, FirmwareState, FirmwareStatus, Retries
from .link import Block, Handler, retried, without_none

STATES = {
    "Idle": FirmwareState.IDLE,
    "DownloadScheduled": FirmwareState.DOWNLOAD_SCHEDULED,
    "Downloading": FirmwareState.DOWNLOADING,
    "DownloadPaused": FirmwareState.DOWNLOAD_PAUSED,
    "Downloaded": FirmwareState.DOWNLOADED,
    "SignatureVerified": FirmwareState.SIGNATURE_VERIFIED,
    "InstallScheduled": FirmwareState.INSTALL_SCHEDULED,
    "Installing": FirmwareState.INSTALLING,
    "InstallRebooting": FirmwareState.INSTALL_REBOOTING,
    "Installed": FirmwareState.INSTALLED,
    "DownloadFailed": FirmwareState.DOWNLOAD_FAILED,
    "InvalidSignature": FirmwareState.INVALID_SIGNATURE,
    "InstallVerificationFailed": FirmwareState.INSTALL_VERIFICATION_FAILED,
    "InstallationFailed": FirmwareState.INSTALLATION_FAILED,
}
TAKEN = ("Accepted", "AcceptedCanceled")
"""The second: taken, and an update that was under way is given up for it (L01.FR.24)."""


class Firmware(Block):
    """Firmware updates, and firmware that a local controller publishes."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"FirmwareStatusNotification": self._on_status, "PublishFirmwareStatusNotification": self._on_publish_status}

    async def update(self, firmware: Image, retries: Retries = Retries()) -> int:
        """Have the station fetch and install an image (L01, L02); returns the request's id."""
        image: dict[str, Any] = {
            "location": firmware.location,
            "retrieveDateTime": self._link.station_time(firmware.retrieve_at),
            "installDateTime": None if firmware.install_at is None else self._link.station_time(firmware.install_at),
            "signingCertificate": firmware.signing_certificate,
            "signature": firmware.signature,
        }
        request_id = self._link.reports.number()
        payload = {"requestId": request_id, "firmware": without_none(image)} | retried(retries)
        await self._link.ready_calls.command("UpdateFirmware", payload, TAKEN)
        return request_id

    async def publish(self, location: str, checksum: str, retries: Retries = Retries()) -> int:
        """Have a local controller publish an image (L03); returns the request's id."""
        request_id = self._link.reports.number()
        payload = {"requestId": request_id, "location": location, "checksum": checksum} | retried(retries)
        await self._link.ready_calls.command("PublishFirmware", payload)
        return request_id

    async def unpublish(self, checksum: str) -> None:
        """Have a local controller stop publishing an image (L04)."""
        await self._link.ready_calls.command("UnpublishFirmware", {"checksum": checksum}, ("Unpublished",))

    async def _on_status(self, payload: Payload) -> Payload:
        if (state := STATES.get(text(payload, "status"))) is None:
            raise unknown_value("status")
        self._link.emit(FirmwareStatus(state=state, request_id=optional_whole(payload, "requestId")))
        return {}

    async def _on_publish_status(self, payload: Payload) -> Payload:
        location = payload.get("location")
        locations = tuple(item for item in location if isinstance(item, str)) if isinstance(location, list) else ()
        self._link.emit(
            FirmwarePublished(status=text(payload, "status"), request_id=optional_whole(payload, "requestId"), locations=locations)
        )
        return {}
