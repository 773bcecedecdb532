"""Basic-auth passwords of stations: made here, shown once, kept as a hash (A00.FR.204–206, A01).

A password is drawn from 138 bits of randomness, so nobody finds it from its hash by trying: a salted HMAC-SHA-256 is as safe here as a
slow password hash, and costs microseconds when 500 stations reconnect at once. It would be wrong for passwords that people choose,
which is why none can be.
"""

from base64 import b64decode
from dataclasses import dataclass
import hmac
import secrets

ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Letters and digits that every station takes, without those that people mistake for each other (0 O, 1 l I, o)."""
PASSWORD_CHARACTERS = 24
"""OCPP asks for 16 to 40 (SecurityCtrlr.BasicAuthPassword)."""

_SCHEME = "hmac-sha256"
_SALT_BYTES = 16
_LONGEST_HEADER = 512
"""An Authorization header that is longer holds no identity and password of OCPP's lengths."""


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """What a request's Authorization header holds."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Keep the password out of logs and tracebacks."""
        return f"BasicCredentials(user={self.user!r})"


def generate_password() -> str:
    """Return a new password."""
    return "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_CHARACTERS))


def hash_password(password: str) -> str:
    """Return what is kept of a password: scheme, salt and digest as text."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"{_SCHEME}${salt.hex()}${_digest(salt, password).hex()}"


def verify_password(password: str, kept: str | None) -> bool:
    """Return whether a password is the one that was kept; the same work is done where none was kept, or nothing that is a hash."""
    salt, digest = _read(kept)
    return hmac.compare_digest(_digest(salt or _NO_SALT, password), digest or _NO_DIGEST) and bool(salt)


def read_basic_header(value: str | None) -> BasicCredentials | None:
    """Return what an Authorization header holds (RFC 7617); None where there is none, or it makes no sense."""
    if value is None or len(value) > _LONGEST_HEADER:
        return None
    scheme, _, token = value.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(token.strip(), validate=True).decode().partition(":")
    except ValueError:  # not Base64, or not UTF-8
        return None
    return BasicCredentials(user, password) if colon else None


def _digest(salt: bytes, password: str) -> bytes:
    return hmac.digest(salt, password.encode(), "sha256")


def _read(kept: str | None) -> tuple[bytes, bytes]:
    scheme, _, rest = (kept or "").partition("$")
    salt, _, digest = rest.partition("$")
    if scheme != _SCHEME:
        return b"", b""
    try:
        return bytes.fromhex(salt), bytes.fromhex(digest)
    except ValueError:
        return b"", b""


_NO_SALT = bytes(_SALT_BYTES)
_NO_DIGEST = bytes(32)
