"""Frames gone wrong in every way: valid ones of the standard, changed by a seeded generator in meaning, structure, bytes and framing."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
import json
import math
from random import Random
from typing import Any

from tests.conformance.messages import FROM_CSMS, FROM_STATION

from .client import BOOT

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
LONGEST_ID = 36
UNREADABLE = "-1"
LARGEST = 1 << 20
"""Bytes of a message; a connection on which a larger one comes is closed."""


def nested(levels: int, brackets: str = "[]") -> str:
    """A tower of brackets."""
    opening = '{"a":' if brackets == "{}" else "["
    return opening * levels + "0" + brackets[1] * levels


JUNK: Sequence[Any] = (
    *(None, True, False, 0, 1, -1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 10**40),
    *(0.5, -0.0, 1e308, 1e-320, 20000.0, 2.0, 1e15),
    *("", " ", "x" * 5000, "\0", "\U0001f600", "\ud800", "ÄÖÜ" * 20, "NaN", "1e5", "-1", "2.0", "null", "١٢"),
    *("2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "2026-01-01", "20260101T000000Z", "now"),
    *([], {}, [[]], [None], {"a": {}}, [{}] * 300, list(range(300)), json.loads(nested(40)), json.loads(nested(70, "{}"))),
)
"""What stands where something else belongs."""
IDS: Sequence[Any] = (None, 7, 2.5, True, "", "x" * 37, "x" * 36, "-1", "\U0001f600", "\ud800a", "a\0b", '"', [], {}, "1", "2", 2**64)
KINDS: Sequence[Any] = (0, 1, 5, 6, -2, 2.0, 2.5, "2", None, True, [], {}, 2**70)
NUMBERS = ("1e999", "-1e999", "NaN", "Infinity", "1" * 5000, "0x10", "01", "1.", "20000.0", "1E3", "-")


@dataclass(frozen=True, slots=True)
class Sent:
    """What goes over the socket. `answer_id`: the id that its one answer must bear; None: it must have none. `legal`: by RFC 6455."""

    opcode: int
    body: bytes
    answer_id: str | None
    legal: bool = True


def answer_id(body: bytes) -> str | None:
    """Say by which id a message must be answered, worked out from the standard rather than from the code under test (Part 4, 4.2)."""
    try:
        parts = json.loads(body.decode(errors="replace"), parse_constant=_no, parse_float=_finite)
    except ValueError:
        return UNREADABLE
    except RecursionError:
        match body[:50].split(b'"'):
            case [b"[2,", found, *_]:
                return found.decode()
            case [b"[3,", _, *_]:
                return None
        return UNREADABLE
    if not isinstance(parts, list) or not parts:
        return UNREADABLE
    if not isinstance(parts[0], bool) and parts[0] in (3, 4):
        return None
    match parts[1:2]:
        case [str(found)] if 0 < len(_paired(found)) <= LONGEST_ID:
            return _paired(found)
    return UNREADABLE


def _no(text: str) -> Any:
    raise ValueError(text)


def _finite(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _no(text)


def _paired(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Mutator:
    """An endless supply of messages, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self._number = 0
        self._from_csms = [(action, payload) for action, payloads in FROM_CSMS.items() for payload in payloads]
        self._from_station = [
            # A boot ends what came before it, so there is one among many others.
            (action, payload)
            for action, payloads in ({**FROM_STATION, "BootNotification": (BOOT,)}).items()
            for payload in payloads * (1 if action == "BootNotification" else 8)
        ]
        self._last_id: Any = "f0"

    def message(self) -> Sent:
        """Return the next message."""
        way: Callable[[], bytes] = self.random.choices(
            (self.valid, self._meaning, self._frame, self._bytes, self._numbers, self._depth, self._response, self._size),
            (15, 45, 8, 10, 6, 4, 8, 0.3),
        )[0]
        body = way()
        if len(body) > LARGEST:
            body = self.valid()
        return Sent(BINARY if self.random.random() < 0.03 else TEXT, body, answer_id(body))

    def illegal(self) -> Sent:
        """Return a frame that RFC 6455 forbids, or an end: the connection may be closed for it."""
        return self.random.choice(
            (
                Sent(3, b"reserved", None, legal=False),
                Sent(CONTINUATION, b"of nothing", None, legal=False),
                Sent(PING, b"x" * 126, None, legal=False),
                Sent(CLOSE, b"\x03", None, legal=False),
                Sent(CLOSE, b"\x03\xe8bye", None, legal=False),
                Sent(CLOSE, b"\xff\xff\xff\xff", None, legal=False),
                Sent(TEXT, b"x" * (LARGEST + 1), None, legal=False),
            )
        )

    def valid(self) -> bytes:
        """Return a request as a station sends it."""
        action, payload = self.random.choice(self._from_station)
        return self._written([2, self._id(), action, payload])

    def changed(self, value: Any, times: int = 1) -> Any:
        """Return a payload with something in it changed."""
        copied = json.loads(json.dumps(value))
        for _ in range(times):
            places = list(_places(copied))
            if not places:
                return self._junk()
            self._change(*self.random.choice(places))
        return copied

    def _change(self, holder: Any, key: Any) -> None:
        value = holder[key]
        match self.random.randrange(8):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[self.random.choice((key.upper(), f"{key}_", "customData", "vendorExtension", "\ud800", "x" * 300))] = holder.pop(key)
            case 2 if isinstance(holder, dict):
                holder[f"extra{self.random.randrange(1000)}"] = self._junk()
            case 3:
                holder[key] = [value]
            case 4 if isinstance(value, list):
                holder[key] = value * self.random.randrange(40)
            case 5 if isinstance(value, str):
                holder[key] = "".join(self.random.sample(value, len(value)))
            case 6 if isinstance(value, int | float) and not isinstance(value, bool):
                holder[key] = self.random.choice(
                    (str(value), float(value), value * 1000, -value, value + 0.5, self.random.randrange(10**6))
                )
            case _:
                holder[key] = self._junk()

    def _junk(self, *more: Any) -> Any:
        return deepcopy(self.random.choice((*JUNK, *more)))

    def _id(self) -> Any:
        if self.random.random() < 0.02:
            return self._last_id
        self._number += 1
        self._last_id = f"f{self._number}"
        return self._last_id

    def _meaning(self) -> bytes:
        action, payload = self.random.choice(self._from_csms if self.random.random() < 0.05 else self._from_station)
        return self._written([2, self._id(), action, self.changed(payload, self.random.choice((1, 1, 1, 2, 5)))])

    def _frame(self) -> bytes:
        action, payload = self.random.choice(self._from_station)
        frame: list[Any] = [2, self._id(), action, payload]
        match self.random.randrange(8):
            case 0:
                frame = frame[: self.random.randrange(4)]
            case 1:
                frame += [self._junk()] * self.random.randrange(1, 4)
            case 2:
                frame[0] = self.random.choice(KINDS)
            case 3:
                frame[1] = self.random.choice(IDS)
            case 4:
                frame[2] = self._junk(action.lower(), f"{action}Request", "__init__", "run")
            case 5:
                frame[3] = self._junk()
            case 6:
                self.random.shuffle(frame)
            case _:
                return self._written(self._junk({"0": 2}, [frame], [[]], dict(enumerate("abc"))))
        return self._written(frame)

    def _bytes(self) -> bytes:
        body = bytearray(self.valid())
        for _ in range(self.random.choice((1, 1, 2, 8))):
            at = self.random.randrange(len(body))
            match self.random.randrange(6):
                case 0:
                    body[at] ^= 1 << self.random.randrange(8)
                case 1:
                    del body[at : at + self.random.randrange(1, 20)]
                case 2:
                    body[at:at] = self.random.randbytes(self.random.randrange(1, 6))
                case 3:
                    body[at:] = b""
                case 4:
                    body[at:at] = self.random.choice((b"\xef\xbb\xbf", b"\x00", b"\xed\xa0\x80", b"\xff", b"]", b'"', b"[", b"\\u", b"//"))
                case _:
                    body += self.valid()
            if not body:
                break
        return bytes(body)

    def _numbers(self) -> bytes:
        text = self.valid().decode()
        digits = [at for at, character in enumerate(text) if character.isdigit() and text[at - 1] in ":,[ "]
        at = self.random.choice(digits)
        end = at + 1
        while text[end] in "0123456789.":
            end += 1
        return (text[:at] + self.random.choice(NUMBERS) + text[end:]).encode()

    def _depth(self) -> bytes:
        tower = nested(self.random.choice((20, 63, 64, 65, 500, 1100, 100_000)), self.random.choice(("[]", "{}")))
        action, _ = self.random.choice(self._from_station)
        return self.random.choice(
            (
                f'[2,"{self._id()}","{action}",{tower}]',
                f'[2,"{self._id()}","{action}",{{"customData":{tower}}}]',
                f'[2,"{self._id()}","DataTransfer",{{"vendorId":"x","data":{tower}}}]',
                f'[3,"1",{tower}]',
                tower,
                "[" * 100_000,
            )
        ).encode()

    def _response(self) -> bytes:
        kind, number = self.random.choice((3, 4)), str(self.random.randrange(1, 60))
        match self.random.randrange(4):
            case 0:
                return self._written([kind, self.random.choice(IDS), self._junk()])
            case 1:
                return self._written([kind])
            case 2:
                return self._written([kind, number, *[self._junk()] * self.random.randrange(5)])
            case _:
                return self._written([kind, number, {"status": "Accepted"}])

    def _size(self) -> bytes:
        action, payload = self.random.choice(self._from_station)
        copied = json.loads(json.dumps(payload))
        places = [(holder, key) for holder, key in _places(copied) if isinstance(holder[key], str)]
        if places:
            holder, key = self.random.choice(places)
            holder[key] = "x" * self.random.choice((40, 300, 20_000, 200_000, 900_000))
        return self._written([2, self._id(), action, copied])

    def _written(self, value: Any) -> bytes:
        spread = self.random.random() < 0.1
        return json.dumps(value, indent=2 if spread else None).encode()


def _places(value: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        match holder:
            case dict():
                inside: Mapping[Any, Any] = holder
            case list():
                inside = dict(enumerate(holder))
            case _:
                continue
        found += [(holder, key) for key in inside]
        waiting += inside.values()
    return found
