"""A capture: what a station and its central system said to each other, as the diagnostics of a station hold it (`frames`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import json
from pathlib import Path
import re
from typing import Any

RECEIVED = "received"
CALL, RESULT, ERROR = 2, 3, 4
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
OF_ITS_TIME = frozenset({"currentTime", "interval", "requestId", "remoteStartId"})
"""Members that differ from one run to the next."""


@dataclass(frozen=True, slots=True)
class Line:
    """One frame that passed. `from_station`: the station sent it."""

    from_station: bool
    frame: list[Any]

    @property
    def is_call(self) -> bool:
        return bool(self.frame[0] == CALL)

    @property
    def message_id(self) -> str:
        return str(self.frame[1])


@dataclass(frozen=True, slots=True)
class Capture:
    """A conversation. What was no JSON array when it passed cannot be played and is left out; an answer to what is not there too."""

    identity: str
    lines: tuple[Line, ...]

    def tokens(self) -> Iterator[tuple[str, str]]:
        """Yield every token that was judged, and the word it was given."""
        asked = {line.message_id: line.frame[3] for line in self.lines if line.from_station and line.is_call}
        for line in self.lines:
            match line.frame:
                case [3, message_id, {"idTokenInfo": {"status": str(status)}}] if not line.from_station and message_id in asked:
                    yield asked[message_id]["idToken"]["idToken"], status


def load(path: Path) -> Capture:
    """Read a capture from a file of diagnostics, or from one that holds its frames only."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return Capture(path.stem, tuple(_lines(_frames(document))))


def _frames(document: Any) -> list[Mapping[str, Any]]:
    """Find the frames, wherever a diagnostics document keeps them."""
    match document:
        case [{"direction": _, "frame": _}, *_]:
            return list(document)
        case dict():
            found = (_frames(value) for value in document.values() if isinstance(value, dict | list))
            return next((frames for frames in found if frames), [])
        case _:
            return []


def _lines(frames: list[Mapping[str, Any]]) -> Iterator[Line]:
    asked: set[tuple[bool, str]] = set()
    for each in frames:
        frame, from_station = each["frame"], each["direction"] == RECEIVED
        match frame:
            case [2, str(message_id), str(), dict()]:
                asked.add((from_station, message_id))
            case [3 | 4, str(message_id), *_] if (not from_station, message_id) in asked:
                pass
            case _:
                continue
        yield Line(from_station, frame)


def lasting(value: Any) -> Any:
    """Return what of a payload is the same in every run."""
    match value:
        case dict():
            return {key: "*" if key in OF_ITS_TIME else lasting(item) for key, item in value.items()}
        case list():
            return [lasting(item) for item in value]
        case str() if MOMENT.match(value):
            return "*"
        case _:
            return value
