"""Firmware updates of a station (L01, L02 of OCPP 2.0.1): fetched, verified, installed once no transaction is in the way."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
import re
from typing import Any, override

from .. import pki
from ..device_model import Key
from ..timestamps import read
from .block import Answer, Block, Handler, Payload, rejected

INSTALL_S = 10.0
RETRY_S = 10.0
REBOOTS_AFTER_S = 2.0
"""So that its last word before the reboot gets out."""
VERSION = Key("ChargingStation", "FirmwareVersion")
IMAGE = re.compile(rb"headroom-firmware (\S+)")
"""How the simulator's images begin."""
VERSION_IN_NAME = re.compile(r"(\d+(?:\.\d+)+)(?:\.[a-z]+)?$", re.IGNORECASE)


class Stage(Enum):
    """How far an update is."""

    WAITING_TO_FETCH = auto()
    FETCHING = auto()
    WAITING_TO_INSTALL = auto()
    INSTALLING = auto()
    REBOOTING = auto()


@dataclass(slots=True, kw_only=True)
class Update:
    """An update under way."""

    request_id: int
    firmware: Mapping[str, Any]
    attempts: int
    retry_s: float
    stage: Stage = Stage.WAITING_TO_FETCH
    status: str = ""
    """As it was told last."""
    version: str = ""
    done_at: datetime | None = None
    """When the stage is over, where that is a matter of time."""

    def moment(self, name: str) -> datetime | None:
        """Return one of the firmware's times."""
        return read(self.firmware[name]) if name in self.firmware else None


class Firmware(Block):
    """The firmware that runs, and the one that comes."""

    def __init__(self, *arguments: Any) -> None:
        """Run what the station left the factory with."""
        super().__init__(*arguments)
        self.version = self.station.spec.firmware_version
        self.revoked: set[int] = set()
        """Serial numbers of signing certificates that are no good any more."""
        self.update: Update | None = None
        self._task: asyncio.Task[None] | None = None

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {"UpdateFirmware": self._update_firmware}

    @override
    def triggered(self, message: str, evse_ids: Collection[int]) -> bool:
        if message != "FirmwareStatusNotification":
            return False
        if self.update is None or not self.update.status:
            self.station.say("FirmwareStatusNotification", {"status": "Idle"}, asked=True)
        else:
            payload = {"status": self.update.status, "requestId": self.update.request_id}
            self.station.say("FirmwareStatusNotification", payload, asked=True)
        return True

    @override
    def step(self, dt_s: float) -> None:
        update, station = self.update, self.station
        if update is None or not station.running:
            return
        match update.stage:
            case Stage.WAITING_TO_FETCH:
                if (at := update.moment("retrieveDateTime")) is None or at <= station.now:
                    update.stage = Stage.FETCHING
                    self._task = station.background(self._fetch(update))
            case Stage.WAITING_TO_INSTALL:
                due = (at := update.moment("installDateTime")) is None or at <= station.now
                if due and not station.transactions:
                    update.stage, update.done_at = Stage.INSTALLING, station.now + timedelta(seconds=INSTALL_S)
                    self._tell("Installing")
                else:
                    self._wait_for_transactions(due=due)
            case Stage.INSTALLING:
                if update.done_at and station.now >= update.done_at:
                    update.stage, update.done_at = Stage.REBOOTING, station.now + timedelta(seconds=REBOOTS_AFTER_S)
                    self._tell("InstallRebooting")
            case Stage.REBOOTING:
                if update.done_at and station.now >= update.done_at:
                    update.done_at, self.version = None, update.version
                    station.device.update(VERSION, self.version)
                    station.reboot("FirmwareUpdate")
            case Stage.FETCHING:
                pass

    @override
    def registered(self) -> None:
        if self.update is not None and self.update.stage is Stage.REBOOTING and self.update.done_at is None:
            self._tell("Installed")
            self.station.security.event("FirmwareUpdated", f"version {self.version}")
            self._over()

    def _update_firmware(self, payload: Payload) -> Answer:
        firmware, status = payload["firmware"], "Accepted"
        if "signingCertificate" in firmware:
            try:
                serial_number = pki.serial_number(firmware["signingCertificate"])
            except ValueError as error:
                self.station.security.event("InvalidFirmwareSigningCertificate", str(error))
                return {"status": "InvalidCertificate"}
            if serial_number in self.revoked:
                return {"status": "RevokedCertificate"}
        if self.update is not None:
            if self.update.stage in {Stage.INSTALLING, Stage.REBOOTING}:
                return rejected("Installing", "L01.FR.24: an installation is not cancelled")
            self._over()
            status = "AcceptedCanceled"
        self.update = Update(
            request_id=payload["requestId"],
            firmware=firmware,
            attempts=1 + payload.get("retries", 0),
            retry_s=payload.get("retryInterval", RETRY_S),
        )
        if (at := self.update.moment("retrieveDateTime")) is not None and at > self.station.now:
            self._tell("DownloadScheduled")
        return {"status": status}

    async def _fetch(self, update: Update) -> None:
        location = update.firmware["location"]
        for attempt in range(update.attempts):
            if attempt:
                await asyncio.sleep(update.retry_s)
            self._tell("Downloading")
            try:
                image = await self.station.files.download(location)
                break
            except (OSError, ValueError) as error:
                self.station.logs.diagnostics.add(self.station.now, f"download failed: {error}")
        else:
            self._fail("DownloadFailed")
            return
        self._tell("Downloaded")
        if "signature" in update.firmware:
            if not pki.signed_by(update.firmware.get("signingCertificate", ""), update.firmware["signature"], image):
                self.station.security.event("InvalidFirmwareSignature", location)
                self._fail("InvalidSignature")
                return
            self._tell("SignatureVerified")
        version = version_of(image, location)
        if version is None:
            self._fail("InstallVerificationFailed")
            return
        update.version, update.stage = version, Stage.WAITING_TO_INSTALL

    def _wait_for_transactions(self, *, due: bool) -> None:
        """Wait for the installation's time, then for the last car; no new one starts meanwhile unless it may (L01.FR.06, .07)."""
        assert self.update is not None
        if self.update.status != "InstallScheduled":
            self._tell("InstallScheduled")
        if due and self.station.device.text("ChargingStation", "AllowNewSessionsPendingFirmwareUpdate") == "false":
            for evse in self.station.evses.values():
                evse.held = True
            self.station.availability.tell_changes()

    def _fail(self, status: str) -> None:
        self._tell(status)
        self._over()

    def _over(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self.update = self._task = None
        for evse in self.station.evses.values():
            evse.held = False
        self.station.availability.tell_changes()

    def _tell(self, status: str) -> None:
        assert self.update is not None
        self.update.status = status
        self.station.say("FirmwareStatusNotification", {"status": status, "requestId": self.update.request_id})


def version_of(image: bytes, location: str) -> str | None:
    """Return the version of an image: what it says of itself, else what its name says; None where it is no firmware at all."""
    if found := IMAGE.match(image):
        return found[1].decode(errors="replace")
    named = VERSION_IN_NAME.search(location.rpartition("/")[2])
    return named[1] if named and image else None
