"""What goes wrong with a command to a station."""


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
