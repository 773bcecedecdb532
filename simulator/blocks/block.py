"""What a functional block of a station is."""

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..device_model import Key
    from ..station import StationModel

type Payload = Mapping[str, Any]
type Answer = dict[str, Any]
type Handler = Callable[[Payload], Answer]
"""Answers a request (its JSON is valid); raises CallRefusedError."""

ACCEPTED: Answer = {"status": "Accepted"}


class CallRefusedError(Exception):
    """The station answers a request with a CALLERROR of this code."""

    def __init__(self, code: str, description: str = "") -> None:
        """Keep both."""
        super().__init__(f"{code} {description}".rstrip())
        self.code = code
        self.description = description


def accepted() -> Answer:
    """Return an answer that says yes."""
    return dict(ACCEPTED)


def rejected(reason_code: str = "", text: str = "", *, status: str = "Rejected") -> Answer:
    """Return an answer that says no, with OCPP's reasonCode."""
    if not reason_code:
        return {"status": status}
    return {"status": status, "statusInfo": {"reasonCode": reason_code, "additionalInfo": text[:512]}}


class Block:
    """Part of a station. It sees the whole station, answers its requests and is told of what happens."""

    def __init__(self, station: StationModel) -> None:
        """Take the station it is part of."""
        self.station = station

    def answers(self) -> Mapping[str, Handler]:
        """Return what answers each request of this block."""
        return {}

    def triggered(self, message: str, evse_ids: Collection[int]) -> bool:
        """Say what TriggerMessage asks for, of these EVSEs; False where it is no message of this block."""
        return False

    def refuses(self, key: Key, value: str) -> bool:
        """Return whether a variable of this block may not be set so, beyond what the device model knows of it."""
        return False

    def variable_set(self, key: Key, value: str) -> None:
        """The CSMS set a variable."""

    def step(self, dt_s: float) -> None:
        """Time went on to the station's `now`."""

    def registered(self) -> None:
        """The CSMS accepted the station after a boot."""

    def rebooted(self) -> None:
        """The station begins to start anew."""
