"""How a station carries files to and from where a CSMS tells it: over HTTP, or in memory for simulated time."""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp

TIMEOUT_S = 60.0
LARGEST_FILE_BYTES = 1 << 26


class Files(Protocol):
    """Both raise PermissionError where access is denied, ValueError where the location is none of theirs, OSError for all else."""

    async def upload(self, location: str, name: str, content: bytes) -> None:
        """Put a file there."""

    async def download(self, location: str) -> bytes:
        """Fetch a file."""


class HttpFiles:
    """Uploads by PUT to the location with the file's name added to a folder (a location that ends with "/"), or by POST where PUT is not allowed."""

    async def upload(self, location: str, name: str, content: bytes) -> None:
        """Put a file there; raises as Files says."""
        target = f"{_checked(location)}{name}" if location.endswith("/") else _checked(location)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                async with session.put(target, data=content, headers={"Content-Type": "application/octet-stream"}) as reply:
                    status = reply.status
                if status == 405:
                    form = aiohttp.FormData()
                    form.add_field("file", content, filename=name)
                    async with session.post(target, data=form) as reply:
                        status = reply.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OSError(str(error) or "no answer in time") from error
        _judge(status)

    async def download(self, location: str) -> bytes:
        """Fetch a file; raises as Files says."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(_checked(location)) as reply:
                _judge(reply.status)
                content = await reply.content.read(LARGEST_FILE_BYTES + 1)
                while len(content) <= LARGEST_FILE_BYTES and (more := await reply.content.read(LARGEST_FILE_BYTES)):
                    content += more
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OSError(str(error) or "no answer in time") from error
        if len(content) > LARGEST_FILE_BYTES:
            raise OSError("the file is too large")
        return content


class MemoryFiles:
    """Files by their location, in memory."""

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        """Start with these."""
        self.files = dict(files or {})
        self.broken = 0
        """So many transfers fail from now on."""

    async def upload(self, location: str, name: str, content: bytes) -> None:
        """Keep a file; raises as Files says."""
        self._fail(location)
        self.files[f"{location}{name}" if location.endswith("/") else location] = content

    async def download(self, location: str) -> bytes:
        """Return a file; raises as Files says."""
        self._fail(location)
        if location not in self.files:
            raise OSError(f"there is no {location}")
        return self.files[location]

    def _fail(self, location: str) -> None:
        _checked(location)
        if self.broken:
            self.broken -= 1
            raise OSError("broken")


def _checked(location: str) -> str:
    if urlsplit(location).scheme not in {"http", "https"}:
        raise ValueError(f"{location!r} is no HTTP address")
    return location


def _judge(status: int) -> None:
    if status in {401, 403}:
        raise PermissionError(f"HTTP {status}")
    if status >= 300:
        raise OSError(f"HTTP {status}")
