"""Logs that stations upload: who may upload one now, and the files that are kept, bounded for each station."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
import hashlib
import hmac
from pathlib import Path
import re
import secrets
import shutil
from urllib.parse import unquote

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import STORAGE_DIR

from .const import DOMAIN

LIFE_S = 900.0
"""So long a station may use an address to upload to."""
LARGEST_LOG_BYTES = 32 * 1024 * 1024
MOST_FILES = 10
MOST_BYTES = 64 * 1024 * 1024
"""Of one station; the oldest go."""
UNFINISHED = ".part"
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_NAME = 80


@dataclass(slots=True, eq=False)
class Upload:
    """One upload that is waited for. `file`: what came of it, None until it is there."""

    identity: str
    until: float
    token: str
    taken: bool = False
    file: Path | None = None


def safe_name(name: str) -> str:
    """Return a file's name that means the same on any file system, and never a folder."""
    name = UNSAFE.sub("_", unquote(name).replace("\\", "/").rpartition("/")[2]).lstrip(".")
    return name[-LONGEST_NAME:].lstrip(".") or "log"


def folder_name(identity: str) -> str:
    """Return the name of a station's folder; no two identities share one."""
    return f"{UNSAFE.sub('_', identity).replace('.', '_')[:LONGEST_NAME]}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"


class Logs:
    """The logs of one entry's stations."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Touch nothing yet."""
        self._hass = hass
        self._folder = Path(hass.config.path(STORAGE_DIR, f"{DOMAIN}_{entry_id}_logs"))
        self._uploads: list[Upload] = []

    @callback
    def async_expect(self, identity: str) -> Upload:
        """Let a station upload one log, for a while."""
        now = self._hass.loop.time()
        self._uploads = [upload for upload in self._uploads if upload.until > now]
        upload = Upload(identity, now + LIFE_S, secrets.token_urlsafe(32))
        self._uploads.append(upload)
        return upload

    @callback
    def async_end(self, upload: Upload) -> None:
        """Let nothing more be uploaded there; what is on its way may arrive."""
        if upload in self._uploads:
            self._uploads.remove(upload)

    @contextmanager
    def receiving(self, token: str) -> Iterator[Upload | None]:
        """Give whose upload a token is for, None where it is unknown, used, in use or too old.

        One that came to nothing may be tried again.
        """
        now = self._hass.loop.time()
        found = None
        for upload in self._uploads:  # all of them, so that the time it takes tells nothing
            if hmac.compare_digest(upload.token.encode(), token.encode(errors="replace")):
                found = upload
        if found is None or found.taken or found.until <= now:
            yield None
            return
        found.taken = True
        try:
            yield found
        finally:
            found.taken = found.file is not None

    def target(self, identity: str, name: str, at: datetime) -> Path:
        """Return where a log is written to while it comes; its folder is made. Blocking."""
        folder = self._folder / folder_name(identity)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / f"{at:%Y%m%dT%H%M%S%f}-{safe_name(name)}{UNFINISHED}"

    def keep(self, unfinished: Path) -> Path:
        """Keep a log that is whole, in place of the oldest; returns its file. Blocking."""
        file = unfinished.rename(unfinished.with_name(unfinished.name.removesuffix(UNFINISHED)))
        room = MOST_BYTES
        for number, kept in enumerate(self._files(file.parent)):
            room -= kept.stat().st_size
            if number and (number >= MOST_FILES or room < 0):
                kept.unlink(missing_ok=True)
        return file

    def file(self, folder: str, name: str) -> Path | None:
        """Return a log by the names of its folder and its own, None where there is none. Blocking."""
        if not self._folder.is_dir():
            return None
        # Compared with what is there, so that no name leads anywhere else.
        found = (file for kept in self._folder.iterdir() if kept.name == folder for file in self._files(kept))
        return next((file for file in found if file.name == name), None)

    def newest(self, identity: str) -> Path | None:
        """Return the newest log of a station. Blocking."""
        return next(iter(self._files(self._folder / folder_name(identity))), None)

    def clear(self) -> None:
        """Remove what came to nothing before a restart. Blocking."""
        for file in self._folder.glob(f"*/*{UNFINISHED}"):
            file.unlink(missing_ok=True)

    def forget(self, identity: str) -> None:
        """Remove the logs of a station. Blocking."""
        shutil.rmtree(self._folder / folder_name(identity), ignore_errors=True)

    def remove(self) -> None:
        """Remove all. Blocking."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        """Return a station's logs, the newest first; their names begin with their times."""
        if not folder.is_dir():
            return []
        return sorted((file for file in folder.iterdir() if file.suffix != UNFINISHED), key=lambda file: file.name, reverse=True)
