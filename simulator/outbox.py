"""What a station has to say, in what order, and when it may (blocks B and E of OCPP 2.0.1).

Until the CSMS has accepted it, a station says nothing but BootNotification and, while pending, what it is asked for (B02). Transaction
events outlive a lost connection and are said again; other notices do not.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

OWN_BOOT_INTERVAL_S = 10.0
"""Between boots where the CSMS named no interval."""


class Registration(StrEnum):
    """How the CSMS answered the last BootNotification."""

    NONE = "none"
    PENDING = "pending"
    REJECTED = "rejected"
    ACCEPTED = "accepted"


type OnReply = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True, kw_only=True)
class Outgoing:
    """A request to the CSMS. `asked` marks an answer to a request of its own, which a pending station may give too."""

    action: str
    payload: dict[str, Any]
    on_reply: OnReply | None = None
    on_lost: Callable[[], None] | None = None
    """Called where it will never be answered."""
    asked: bool = False
    persistent: bool = False
    attempts: int = 0


@dataclass(slots=True)
class Outbox:
    """The queues of one station. `message_attempts` and `attempt_interval_s` are the device model's for transaction events."""

    message_attempts: int = 5
    attempt_interval_s: float = 10.0
    registration: Registration = Registration.NONE
    online: bool = False
    notices: deque[Outgoing] = field(default_factory=deque)
    events: deque[Outgoing] = field(default_factory=deque)
    boot_at: datetime | None = None
    boot_reason: str = "PowerUp"
    heartbeat_at: datetime | None = None
    retry_at: datetime | None = None

    def put(self, message: Outgoing) -> None:
        """Queue a message. What does not persist is lost while there is nobody to say it to."""
        if message.persistent:
            self.events.append(message)
        elif self.online:
            self.notices.append(message)
        else:
            self._lost(message)

    def boot(self, now: datetime, reason: str) -> None:
        """Announce the station (again) now."""
        self.registration, self.boot_at, self.boot_reason = Registration.NONE, now, reason

    def connected(self) -> None:
        """Say things from now on."""
        self.online = True

    def disconnected(self, now: datetime) -> None:
        """Forget what does not persist; what persists is said again as having happened offline (E04)."""
        self.online = False
        lost = [*self.notices]
        self.notices.clear()
        for notice in lost:
            self._lost(notice)
        self.retry_at = None
        for event in self.events:
            if event.action == "TransactionEvent":
                event.payload["offline"] = True
        if self.registration is not Registration.ACCEPTED:
            self.boot_at = now

    def next(self, now: datetime) -> Outgoing | None:
        """Return what may be said now; it stays queued until `done` or `failed`."""
        if not self.online:
            return None
        if self.boot_at and now >= self.boot_at:
            return Outgoing(action="BootNotification", payload={}, asked=True)
        if self.registration is Registration.PENDING:
            return next((notice for notice in self.notices if notice.asked), None)
        if self.registration is not Registration.ACCEPTED:
            return None
        if self.notices:
            return self.notices[0]
        if self.events and (self.retry_at is None or now >= self.retry_at):
            return self.events[0]
        if self.heartbeat_at and now >= self.heartbeat_at:
            return Outgoing(action="Heartbeat", payload={})
        return None

    def booted(self, now: datetime, reply: Mapping[str, Any]) -> None:
        """Take the answer to BootNotification."""
        self.registration = Registration(reply["status"].lower())
        interval_s = float(reply["interval"]) or OWN_BOOT_INTERVAL_S
        accepted = self.registration is Registration.ACCEPTED
        self.boot_at = None if accepted else now + timedelta(seconds=interval_s)

    def done(self, message: Outgoing) -> None:
        """Take a message off: it was answered."""
        for queue in (self.notices, self.events):
            if message in queue:
                queue.remove(message)
        self.retry_at = None if message.persistent else self.retry_at

    def failed(self, message: Outgoing, now: datetime, code: str | None) -> None:
        """Say a transaction event again later (E13), up to its attempts; drop anything else. `code` None: there was no answer."""
        if message.action == "BootNotification":
            self.boot_at = now + timedelta(seconds=OWN_BOOT_INTERVAL_S)
            return
        if code == "SecurityError":
            self.boot(now, "Triggered")  # the CSMS does not know us (any more)
        message.attempts += 1
        given_up = not message.persistent or (code is not None and message.action != "TransactionEvent")
        if given_up or message.attempts >= self.message_attempts:
            self.done(message)
            self._lost(message)
        else:
            self.retry_at = now + timedelta(seconds=self.attempt_interval_s * message.attempts)

    def _lost(self, message: Outgoing) -> None:
        if message.on_lost:
            message.on_lost()
