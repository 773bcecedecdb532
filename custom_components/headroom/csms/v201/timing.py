"""How long is waited for what."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Intervals and patience, in seconds."""

    heartbeat_interval_s: int = 60
    sample_interval_s: int = 5
    call_timeout_s: float = 10.0
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 20.0
    """A station that neither answers a ping for so long nor says anything is gone: with the interval, noticed within a minute."""
    pending_interval_s: int = 30
    """After this a pending station boots again by itself."""
    boot_wait_s: float = 10.0
    """How long a station that was connected before may stay silent, and how long one takes to boot when asked."""
    report_idle_s: float = 10.0
    inventory_s: float = 60.0
    authorize_s: float = 30.0
    gap_wait_s: float = 10.0
    """How long an event that is missing may still come by itself; then it is asked for."""
