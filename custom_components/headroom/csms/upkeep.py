"""A station's upkeep, whatever version it speaks: firmware, logs, monitors, its display, and what its vendor adds.

Enumerations are OCPP's own words where they only pass through; where the house acts on them they are enums here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

WORST_SEVERITY_OF_CONCERN = 3
"""Monitors are graded 0 (danger), 1 (hardware failure), 2 (system failure), 3 (critical), 4 (error) … 9 (debug)."""


class FirmwareState(StrEnum):
    """Where a firmware update stands (FirmwareStatusNotification)."""

    IDLE = "idle"
    DOWNLOAD_SCHEDULED = "download_scheduled"
    DOWNLOADING = "downloading"
    DOWNLOAD_PAUSED = "download_paused"
    DOWNLOADED = "downloaded"
    SIGNATURE_VERIFIED = "signature_verified"
    INSTALL_SCHEDULED = "install_scheduled"
    INSTALLING = "installing"
    INSTALL_REBOOTING = "install_rebooting"
    INSTALLED = "installed"
    DOWNLOAD_FAILED = "download_failed"
    INVALID_SIGNATURE = "invalid_signature"
    INSTALL_VERIFICATION_FAILED = "install_verification_failed"
    INSTALLATION_FAILED = "installation_failed"

    @property
    def failed(self) -> bool:
        """Whether the update came to nothing."""
        return self in FIRMWARE_FAILURES

    @property
    def over(self) -> bool:
        """Whether nothing more is to come of the update."""
        return self.failed or self in (FirmwareState.IDLE, FirmwareState.INSTALLED)


FIRMWARE_FAILURES = frozenset(
    {
        FirmwareState.DOWNLOAD_FAILED,
        FirmwareState.INVALID_SIGNATURE,
        FirmwareState.INSTALL_VERIFICATION_FAILED,
        FirmwareState.INSTALLATION_FAILED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareStatus:
    """How a firmware update goes on. `request_id` is None where the station tells of no request of ours."""

    state: FirmwareState
    request_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwarePublished:
    """How publishing firmware in the station's own network goes on; `status` is OCPP's PublishFirmwareStatusEnumType."""

    status: str
    request_id: int | None = None
    locations: tuple[str, ...] = ()
    """Where other stations may fetch it."""


class LogState(StrEnum):
    """Where the upload of a log stands (LogStatusNotification)."""

    IDLE = "idle"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    BAD_MESSAGE = "bad_message"
    NOT_SUPPORTED = "not_supported"
    PERMISSION_DENIED = "permission_denied"
    UPLOAD_FAILURE = "upload_failure"
    CANCELED = "canceled"

    @property
    def over(self) -> bool:
        """Whether nothing more is to come of the upload."""
        return self not in (LogState.IDLE, LogState.UPLOADING)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatus:
    """How the upload of a log goes on. `request_id` is None where the station tells of no request of ours."""

    state: LogState
    request_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataTransfer:
    """What a vendor adds to the protocol, as it came; `accepted` says whether the station was told that somebody takes it."""

    vendor_id: str
    message_id: str | None = None
    data: Any = None
    accepted: bool = False


type UpkeepEvent = FirmwareStatus | FirmwarePublished | LogStatus | DataTransfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """An image to install. `location` is a URL the station can reach; a secure update has certificate (PEM) and signature (Base64)."""

    location: str
    retrieve_at: datetime
    install_at: datetime | None = None
    signing_certificate: str | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a station is to try a transfer again, and after how long; None leaves it to the station."""

    count: int | None = None
    interval_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRequest:
    """Which log to upload, and where to. `kind` is "DiagnosticsLog" or "SecurityLog"."""

    kind: str
    location: str
    oldest: datetime | None = None
    latest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Monitor:
    """Something that a station watches in its device model. Component and variable are written as in the inventory.

    `type` is OCPP's MonitorEnumType; `value` a threshold, a difference, or the seconds of a period. `in_transaction`: only then.
    """

    component: str
    variable: str
    type: str
    value: float
    severity: int
    in_transaction: bool = False
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorResult:
    """What a station answered to one monitor. `id` is what it is known by, None where it was refused."""

    status: str
    id: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayMessage:
    """A text on a station's display; `id` is the caller's, and the same id replaces."""

    id: int
    text: str
    priority: str = "NormalCycle"
    format: str = "UTF8"
    language: str | None = None
    state: str | None = None
    """Shown only in this state: "Charging", "Faulted", "Idle" or "Unavailable"."""
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    transaction_id: str | None = None
    """Shown only while this transaction runs."""
    evse_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Whom a station is asked about: a token, or an identifier of the vendor's own. Exactly one is given."""

    id_token: str | None = None
    id_token_type: str = "ISO14443"
    identifier: str | None = None


class FirmwareCommands(Protocol):
    """Firmware of one station. Commands raise StationError."""

    async def update(self, firmware: Firmware, retries: Retries = Retries()) -> int:
        """Have the station fetch and install an image; returns the id that FirmwareStatus comes with."""

    async def publish(self, location: str, checksum: str, retries: Retries = Retries()) -> int:
        """Have a local controller fetch an image for the stations behind it; `checksum` is its MD5. Returns FirmwarePublished's id."""

    async def unpublish(self, checksum: str) -> None:
        """Have a local controller stop offering an image."""


class DiagnosticsCommands(Protocol):
    """Logs, monitors and customer information of one station. Commands raise StationError."""

    async def get_log(self, request: LogRequest, retries: Retries = Retries()) -> tuple[int, str | None]:
        """Have a log uploaded; returns the id that LogStatus comes with, and the file's name where the station tells it."""

    async def set_monitors(self, monitors: Sequence[Monitor]) -> Sequence[MonitorResult]:
        """Have the station watch; one answer for each monitor, in their order."""

    async def get_monitors(self, kinds: Sequence[str] = (), variables: Sequence[tuple[str, str | None]] = ()) -> Sequence[Monitor]:
        """Return what it watches: all, or by OCPP's MonitoringCriterionEnumType and by (component, variable or None)."""

    async def clear_monitors(self, ids: Sequence[int]) -> Mapping[int, MonitorResult]:
        """Have the station stop watching."""

    async def set_monitoring_base(self, base: str) -> None:
        """Turn on a set of its own: "All", "FactoryDefault" or "HardWiredOnly"."""

    async def set_monitoring_level(self, severity: int) -> None:
        """Have it tell of nothing less severe than this."""

    async def customer_information(self, customer: Customer, *, report: bool, clear: bool) -> str:
        """Return what the station keeps of somebody ("" where nothing was asked for), and/or have it forgotten."""


class DisplayCommands(Protocol):
    """A station's display, and what its vendor adds to the protocol. Commands raise StationError."""

    async def show(self, message: DisplayMessage) -> None:
        """Show a text, in place of the one of the same id."""

    async def messages(
        self, ids: Sequence[int] = (), *, priority: str | None = None, state: str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Return the texts it holds, as it describes them."""

    async def clear(self, message_id: int) -> bool:
        """Take a text away; False where there was none."""

    async def update_cost(self, transaction_id: str, total: float) -> None:
        """Show what a transaction costs so far, in the currency that the station is set to."""

    async def transfer(self, vendor_id: str, message_id: str | None = None, data: Any = None) -> Any:
        """Send a message of a vendor's own; returns the data of the answer."""
