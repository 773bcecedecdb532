"""Every capture in `captures/` is a test by being there: played again, the central system says what it said then."""

import json
from pathlib import Path

import pytest

from .capture import Capture, Line, load
from .player import replayed

CAPTURES = Path(__file__).parent / "captures"


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.json")), ids=lambda path: path.stem)
async def test_nothing_is_said_otherwise_than_then(path: Path) -> None:
    assert await replayed(load(path)) == []


def test_there_are_captures_of_a_whole_session() -> None:
    for path in CAPTURES.glob("*.json"):
        said = [line.frame[2] for line in load(path).lines if line.is_call and line.from_station]
        assert {"BootNotification", "NotifyReport", "TransactionEvent"} <= set(said), path.stem


async def test_a_difference_is_told() -> None:
    """What is in a capture and no central system of ours would say."""
    capture = Capture(
        "CP1",
        (
            Line(True, [2, "1", "Heartbeat", {}]),
            Line(False, [4, "1", "InternalError", "", {}]),
        ),
    )
    assert any(told.startswith("answers 1 by") and "InternalError" in told for told in await replayed(capture))


def test_frames_are_found_in_the_diagnostics_of_a_person(tmp_path: Path) -> None:
    frames = [
        {"at": "2026-01-01T00:00:00Z", "direction": "received", "frame": "xx not json"},
        {"at": "2026-01-01T00:00:00Z", "direction": "sent", "frame": [3, "answers nothing here", {}]},
        {"at": "2026-01-01T00:00:01Z", "direction": "received", "frame": [2, "a", "Heartbeat", {}]},
        {"at": "2026-01-01T00:00:01Z", "direction": "sent", "frame": [3, "a", {"currentTime": "2026-01-01T00:00:01Z"}]},
    ]
    path = tmp_path / "CP7.json"
    path.write_text(json.dumps({"home_assistant": {}, "data": {"station": {"frames": frames}}}))
    found = load(path)
    assert found.identity == "CP7"
    assert [line.frame[1] for line in found.lines] == ["a", "a"]
