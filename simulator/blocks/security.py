"""Security events of OCPP 2.0.1 (A04): told even if it takes a while, and written to the security log."""

from typing import Any

from ..outbox import Outgoing
from ..timestamps import written
from .block import Block


class Security(Block):
    """What a station notices of its own safety."""

    def event(self, kind: str, tech_info: str = "") -> None:
        """Log a security event and queue its SecurityEventNotification, which outlives a lost connection."""
        station = self.station
        station.logs.security.add(station.now, f"{kind} {tech_info}".rstrip())
        payload: dict[str, Any] = {"type": kind, "timestamp": written(station.now)}
        if tech_info:
            payload["techInfo"] = tech_info[:255]
        station.outbox.put(Outgoing(action="SecurityEventNotification", payload=payload, persistent=True))
        station.on_change()

    def tamper(self) -> None:
        """Let somebody open the housing."""
        self.event("TamperDetectionActivated", "the housing was opened")
