"""The last frames of a station, for a bug report and for a test made of it.

The ring keeps frames as they passed, which costs next to nothing for each, and in memory only: what is secret in them is in this
process anyway. Whatever leaves it goes through `lines`, the only way out, which redacts.
"""

from bisect import insort
from collections import deque
from collections.abc import Mapping
from datetime import datetime
import hashlib
import hmac
import re
import secrets
from typing import Any

from .frames import DEEPEST, ERROR, RESULT, MalformedFrame, load
from .url_secrets import MEMBERS as URLS, REDACTED, bare_address, without_url_secrets

RECEIVED, SENT = "received", "sent"
MOST_FRAMES = 256
MOST_BYTES = 48 * 1024
"""Of one station's frames, as Python holds them: 500 stations keep 24 MB."""
LONGEST_FRAME = 16 * 1024
"""Characters of a frame that are kept; one that is cut is shown by its shape."""
LONGEST_SHAPE = 256
ENTRY_BYTES = 120
"""What an entry costs beside its text."""

LEFT_OUT = frozenset(
    {
        "additionalIdToken",
        "apnPassword",
        "apnUserName",
        "basicAuthPassword",
        "certificate",
        "signingCertificate",
        "exiResponse",
        "exiRequest",
        "csr",
        "certificateChain",
        "customerIdentifier",
        "data",
        "iccid",
        "imsi",
        "key",
        "password",
        "personalMessage",
        "serialNumber",
        "simPin",
        "user",
    }
)
"""Members that are secrets, name a driver, or hold what nobody but their maker can read."""
SECRET_VARIABLE = re.compile(
    r"password|passphrase|psk|presharedkey|authorizationkey|apikey|networkkey|privatekey|vpnkey|wifikey|wpakey|credential|secret|token"
    r"|identity|serial|iccid|imsi|simpin|evccid|vehicleid|vehiclecertificate",
    re.IGNORECASE,
)
"""Variables whose values are left out, the standard's and those that makers add."""
VALUES = frozenset({"actualValue", "attributeValue", "value"})
"""Members beside a variable's name that hold its value."""
WORD = re.compile(r"[A-Za-z0-9]{1,50}")
SHORTEST_SECRET = 4
"""A shorter value is not looked for in other texts: it would be found everywhere."""

_KEY = secrets.token_bytes(16)
"""Short tokens are soon guessed, so their hash has a key, which ends with the process as the ring does."""

type Line = Mapping[str, Any]
"""`at` (ISO 8601, UTC), `direction` ("received", "sent") and `frame`: the array; or, of what is no JSON, its shape as a text."""


class FrameLog:
    """A ring of frames, bounded in number and in bytes."""

    def __init__(self, *, most_frames: int = MOST_FRAMES, most_bytes: int = MOST_BYTES) -> None:
        """Start empty."""
        self._frames: deque[tuple[datetime, str, str]] = deque()
        self._most_frames = most_frames
        self._most_bytes = most_bytes
        self.held_bytes = 0

    def __len__(self) -> int:
        """Return how many frames are kept."""
        return len(self._frames)

    def add(self, at: datetime, direction: str, text: str) -> None:
        """Keep a frame; the oldest go."""
        if len(text) > LONGEST_FRAME:
            text = text[:LONGEST_FRAME]
        self._frames.append((at, direction, text))
        self.held_bytes += text.__sizeof__() + ENTRY_BYTES
        while self.held_bytes > self._most_bytes or len(self._frames) > self._most_frames:
            self.held_bytes -= self._frames.popleft()[2].__sizeof__() + ENTRY_BYTES

    def lines(self) -> list[Line]:
        """Return what is kept, oldest first, without what must not be told."""
        kept = list(self._frames)
        redaction = Redaction()
        frames = [redaction.of(text) for _, _, text in kept]
        return [
            {"at": at.isoformat(timespec="milliseconds"), "direction": direction, "frame": redaction.scrubbed(frame)}
            for (at, direction, _), frame in zip(kept, frames, strict=True)
        ]


class Redaction:
    """Leaves out what is secret in frames, and then wherever else one of them repeats it."""

    def __init__(self) -> None:
        """Know no secret yet."""
        self._secrets: dict[str, str] = {}
        self._longest_first: list[str] = []

    def of(self, text: str) -> Any:
        """Return a frame without its secrets, as JSON; of a text that is no frame, its shape."""
        try:
            match load(text):
                case [int(kind), str(message_id), *parts]:
                    return [kind, message_id, *(self._part(kind, place, part) for place, part in enumerate(parts))]
        except MalformedFrame, RecursionError:
            pass
        return shape(text)

    def plain(self, text: str) -> str:
        """Return a text with nothing of its addresses but where they lead; what they held is secret from now on."""
        return without_url_secrets(text, self._met)

    def scrubbed(self, value: Any) -> Any:
        """Return a value of `of` without the secrets that were met anywhere, the longest first: one may be a part of another."""
        match value:
            case str():
                for secret in self._longest_first:
                    value = value.replace(secret, self._secrets[secret])
                return value
            case dict():
                return {key: self.scrubbed(item) for key, item in value.items()}
            case list():
                return [self.scrubbed(item) for item in value]
            case _:
                return value

    def _part(self, kind: int, place: int, part: Any) -> Any:
        match part:
            case dict() | list():
                return {} if kind == ERROR else self._member("", part)  # an error's details are whatever its maker liked
            case str() if kind == ERROR and place == 1:
                return self.plain(part)
            case str() if kind != RESULT and place == 0 and WORD.fullmatch(part):
                return part  # an action, an error's code
            case str():
                return shape(part)
            case _:
                return part

    def _member(self, key: str, value: Any, *, secret: bool = False, levels: int = DEEPEST) -> Any:
        """Return the value of a member; `secret`: it is part of a variable whose values are."""
        if levels == 0:
            raise RecursionError
        if key in LEFT_OUT or (secret and key in VALUES):
            return self._left_out(value)
        match value:
            case dict() if key == "customData":
                return {name: item if name == "vendorId" else self._left_out(item) for name, item in value.items()}
            case dict():
                secret = secret or SECRET_VARIABLE.search(_variable_name(value)) is not None
                return {name: self._member(name, item, secret=secret, levels=levels - 1) for name, item in value.items()}
            case list():
                return [self._member(key, item, secret=secret, levels=levels - 1) for item in value]
            case str() | int() | float() if key == "idToken":
                return self._instead(str(value), token_hash(str(value)))
            case str() if key in URLS:
                return bare_address(value, self._met)
            case str():
                return self.plain(value)
            case _:
                return value

    def _left_out(self, value: Any) -> Any:
        match value:
            case None | "":
                return value
            case dict():
                return {}
            case list():
                return []
            case _:
                return self._instead(str(value), REDACTED)

    def _met(self, secret: str) -> None:
        self._instead(secret, REDACTED)

    def _instead(self, secret: str, instead: str) -> str:
        if len(secret) >= SHORTEST_SECRET and secret not in self._secrets:
            self._secrets[secret] = instead
            insort(self._longest_first, secret, key=lambda one: -len(one))
        return instead


def _variable_name(value: Mapping[str, Any]) -> str:
    """Return the name of the variable that an object (SetVariableData, ReportData, EventData …) is about."""
    match value:
        case {"variable": {"name": str(name)}}:
            return name
        case _:
            return ""


def token_hash(token: str) -> str:
    """Return what stands for a token: the same for the same token as long as this process runs (tokens know no case, 2.0.1 Part 2)."""
    return f"token-{hmac.digest(_KEY, token.casefold().encode(errors='replace'), hashlib.sha256).hex()[:10]}"


def shape(text: str) -> str:
    """Return how a text is built, without what it says: letters as x, digits as 0."""
    masked = re.sub(r"\d", "0", re.sub(r"[^\W\d_]", "x", text[:LONGEST_SHAPE]))
    return masked if len(text) <= LONGEST_SHAPE else f"{masked}… ({len(text)} characters)"
