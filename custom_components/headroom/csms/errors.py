"""What goes wrong with a command to a station, and what keeps a person's profile from being sent to one."""

from collections.abc import Sequence
from datetime import datetime


class StationError(Exception):
    """A command did not do what it was for. The station, or the way to it, is at fault; the caller may try again."""


class StationOfflineError(StationError):
    """The station is not connected, or went away before it answered."""


class CallTimeoutError(StationError):
    """The station did not answer in time."""


class CallError(StationError):
    """The station answered with a CALLERROR, or with something that is no answer."""

    def __init__(self, action: str, code: str, description: str = "") -> None:
        """Keep OCPP's error code and description."""
        super().__init__(f"{action}: {code} {description}".rstrip())
        self.action = action
        self.code = code
        self.description = description


class CallRejectedError(StationError):
    """The station understood the command and said no. `status` is OCPP's own word for it."""

    def __init__(self, action: str, status: str, reason: str = "") -> None:
        """Keep the status and the statusInfo's reason code."""
        super().__init__(f"{action}: {status} {reason}".rstrip())
        self.action = action
        self.status = status
        self.reason = reason


class ProfileRefusedError(ValueError):
    """A person's profile that is not sent. `rules` says which rules of block K it breaks, each beginning with its number where it has one."""

    def __init__(self, rules: Sequence[str]) -> None:
        """Keep the rules."""
        super().__init__("; ".join(rules))
        self.rules = tuple(rules)


class ProfileRaisesError(ProfileRefusedError):
    """A person's profile that would let an EVSE (0: the station) draw more from `at` on than it may without it."""

    def __init__(
        self, message: str, *, at: datetime, evse_id: int, limit_a: float, phases: int, raised_to_a: float, raised_to_phases: int
    ) -> None:
        """Keep what it may draw without the profile, and with it."""
        super().__init__([message])
        self.at = at
        self.evse_id = evse_id
        self.limit_a = limit_a
        self.phases = phases
        self.raised_to_a = raised_to_a
        self.raised_to_phases = raised_to_phases
