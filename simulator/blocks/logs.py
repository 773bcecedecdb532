"""Logs of a station and their upload (N01 of OCPP 2.0.1)."""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, override

from ..timestamps import read, written
from .block import Answer, Block, Handler, Payload, rejected

LONGEST_LOG = 2000
RETRY_S = 10.0


@dataclass(slots=True)
class Log:
    """Lines with their times, the oldest dropped."""

    lines: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=LONGEST_LOG))

    def add(self, at: datetime, line: str) -> None:
        """Write a line."""
        self.lines.append((at, line))

    def text(self, since: datetime | None, until: datetime | None) -> str:
        """Return what was written in a time, a line each."""
        chosen = [(at, line) for at, line in self.lines if (since is None or at >= since) and (until is None or at <= until)]
        return "".join(f"{written(at)} {line}\n" for at, line in chosen)


class Logs(Block):
    """The diagnostics log and the security log."""

    def __init__(self, *arguments: Any) -> None:
        """Start with empty ones."""
        super().__init__(*arguments)
        self.diagnostics, self.security = Log(), Log()
        self._upload: tuple[int, asyncio.Task[None]] | None = None

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {"GetLog": self._get_log}

    @override
    def triggered(self, message: str, evse_ids: Collection[int]) -> bool:
        if message != "LogStatusNotification":
            return False
        self._tell("Idle" if self._upload is None else "Uploading", self._upload and self._upload[0], asked=True)
        return True

    def _get_log(self, payload: Payload) -> Answer:
        log, request_id = payload["log"], payload["requestId"]
        kept = self.security if payload["logType"] == "SecurityLog" else self.diagnostics
        since, until = (read(log[name]) if name in log else None for name in ("oldestTimestamp", "latestTimestamp"))
        text = kept.text(since, until)
        if not text:
            return rejected("NotFound", "nothing was logged then")
        status = "Accepted"
        if self._upload is not None:
            before, task = self._upload
            task.cancel()
            self._tell("AcceptedCanceled", before)
            status = "AcceptedCanceled"
        name = f"{self.station.spec.identity}-{payload['logType']}-{self.station.now:%Y%m%dT%H%M%S}.log"
        attempts, interval_s = 1 + payload.get("retries", 0), payload.get("retryInterval", RETRY_S)
        upload = self._carry(request_id, log["remoteLocation"], name, text.encode(), attempts, interval_s)
        self._upload = request_id, self.station.background(upload)
        return {"status": status, "filename": name}

    async def _carry(self, request_id: int, location: str, name: str, content: bytes, attempts: int, interval_s: float) -> None:
        result = "UploadFailure"
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(interval_s)
            self._tell("Uploading", request_id)
            try:
                await self.station.files.upload(location, name, content)
            except PermissionError:
                result = "PermissionDenied"
            except ValueError:
                result = "NotSupportedOperation"
                break
            except OSError as error:
                self.diagnostics.add(self.station.now, f"upload failed: {error}")
                result = "UploadFailure"
            else:
                result = "Uploaded"
                break
        self._upload = None
        self._tell(result, request_id)

    def _tell(self, status: str, request_id: int | None, *, asked: bool = False) -> None:
        payload: dict[str, Any] = {"status": status}
        if request_id is not None and status != "Idle":
            payload["requestId"] = request_id
        self.station.say("LogStatusNotification", payload, asked=asked)
