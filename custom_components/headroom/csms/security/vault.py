"""Where the site's own certificates and keys are kept: files that only the owner may read. Blocking: not for the event loop's thread."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
import os
from pathlib import Path
import tempfile
import threading

from . import authority
from .authority import Credential, KeyKind

ROOT = "root"
OWNED = threading.RLock()
"""Whoever makes or reads certificates has them to itself, so that no key is set beside another's certificate: a matter of a second, once
in a while, in the threads in which files are read."""


@dataclass(frozen=True, slots=True)
class Issued:
    """The site's own certificates: files (chain, key) for TLS, the root for signing, and whether any was made anew."""

    root: Credential
    servers: tuple[tuple[Path, Path], ...]
    expires_at: datetime
    """Of the server certificate that ends first."""
    renewed: bool


class Vault:
    """One site's folder."""

    def __init__(self, folder: Path) -> None:
        """Touch nothing yet."""
        self.folder = folder

    def root(self, name: str, now: datetime) -> Credential:
        """Return the site's root, made where there is none. Raises OSError; ValueError where what is there can't be read."""
        with OWNED:
            if (kept := self._read(ROOT)) is not None:
                if not authority.matches(kept.certificate, kept.key):
                    raise ValueError(f"{self.folder}: the root's key is another one's")
                return kept
            root = authority.create_root(name, now)
            self._write(ROOT, root)
            return root

    def issue(self, name: str, server_names: Sequence[str], now: datetime) -> Issued:
        """Return certificates for a server under these names: those that are there, and new ones where they near their end or do not fit.

        Raises OSError, and ValueError where the root can't be read or has ended.
        """
        renewed = False
        ends = []
        with OWNED:
            root = self.root(name, now)
            for kind in KeyKind:
                kept = self._read(f"server-{kind}")
                if kept is None or not _good(kept, root, server_names, now):
                    kept = authority.issue_server(root, server_names, kind, now)
                    self._write(f"server-{kind}", kept)
                    renewed = True
                ends.append(authority.expires_at(kept.certificate))
        servers = tuple((self._file(f"server-{kind}", "pem"), self._file(f"server-{kind}", "key")) for kind in KeyKind)
        return Issued(root=root, servers=servers, expires_at=min(ends), renewed=renewed)

    def remove(self) -> None:
        """Remove everything; nothing where there is nothing."""
        if self.folder.is_dir():
            for file in self.folder.iterdir():
                file.unlink()
            self.folder.rmdir()

    def _file(self, name: str, suffix: str) -> Path:
        return self.folder / f"{name}.{suffix}"

    def _read(self, name: str) -> Credential | None:
        try:
            return Credential(self._file(name, "pem").read_text(encoding="ascii"), self._file(name, "key").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None

    def _write(self, name: str, credential: Credential) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for suffix, text in (("key", credential.key), ("pem", credential.certificate)):
            # A temporary file is the owner's alone; it takes the old one's place at once or not at all.
            handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}-")
            try:
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                Path(temporary).replace(self._file(name, suffix))
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise


def _good(kept: Credential, root: Credential, server_names: Sequence[str], now: datetime) -> bool:
    """Return whether a server's certificate can go on serving.

    One that begins later was made by a clock that was ahead; but a clock from before the root was made is itself what is wrong.
    """
    try:
        begun = authority.begins_at(kept.certificate) <= now or now < authority.begins_at(root.certificate)
        ends_at = authority.expires_at(kept.certificate)
        lasts = authority.days_left(kept.certificate, now) > authority.RENEW_BEFORE_DAYS
        return (
            begun
            and (lasts or now < ends_at == authority.expires_at(root.certificate))  # a new one would end no later
            and authority.serves(kept.certificate, server_names)
            and authority.issued_by(kept.certificate, root.certificate)
            and authority.matches(kept.certificate, kept.key)
        )
    except ValueError:
        return False
