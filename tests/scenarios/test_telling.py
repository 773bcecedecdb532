"""What is wrong with a story is told with its line, and what is wrong with a site is found."""

from pathlib import Path

import pytest

from proving.drawing import draw
from proving.play import play
from proving.scenario_command import main
from proving.telling import StoryError
from proving.told import read_story

GOOD = """\
title: Two cars share
lasts: 60
circuits:
  main: {fuse_a: 32, margin_a: 2, worst_case_a: 10, meter: yes, draws: [{from: 0, amps: 4}]}
stations:
  CP1: {}
  CP2: {wired: L2L3L1}
cars:
  - {at: each}
events:
  - {at: 30, what: car leaves, of: CP1}
expect:
  - {at: 25, of: [CP1, CP2], draw_a: 12 .. 14}
  - {from: 30, by: 50, of: CP2, draw_a: ">= 25"}
"""


def story_file(folder: Path, text: str) -> Path:
    path = folder / "story.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("good", "bad", "line", "complaint"),
    [
        ("lasts: 60", "lasts: soon", 2, "no time"),
        ("lasts: 60", "lasts: [60", 3, "no YAML"),
        ("title:", "titel:", 1, "titel"),
        ("lasts: 60", "lasts: 60\nlasts: 70", 3, "twice"),
        ("lasts: 60", "lasts: 60\nzone: Mars/Olympus", 3, "no time zone"),
        ("fuse_a: 32", "fuse_a: -32", 4, "no number"),
        ("fuse_a: 32, ", "fuse_a: 32, below: cellar, ", 3, "one main fuse"),
        ("amps: 4", "amps: [4, 4]", 4, "three phases"),
        ("CP1: {}", "CP1: {circuit: cellar}", 6, "no circuit cellar"),
        ("wired: L2L3L1", "wired: L2L4L1", 7, "value must be one of"),
        ("CP1: {}", "CP1: {quirk: sulks}", 6, "value must be one of"),
        ("at: each", "at: CP9", 9, "no station CP9"),
        ("at: each", "at: each, soc: 120 %", 9, "more than 100 %"),
        ("what: car leaves", "what: car explodes", 11, "value must be one of"),
        ("of: CP1}", "of: main}", 11, "something of a station"),
        ("of: CP1}", "of: CP1, loudly: true}", 11, "loudly"),
        ("at: 25", "at: 2500", 13, "within the story"),
        ("of: [CP1, CP2]", "of: [CP1, CP9]", 13, "no circuit CP9"),
        ("draw_a: 12 .. 14", "mood: good", 13, "has no mood"),
        ("from: 30, by: 50", "from: 30", 14, "say when"),
    ],
)
def test_a_mistake_is_told_where_it_was_made(tmp_path: Path, good: str, bad: str, line: int, complaint: str) -> None:
    assert good in GOOD
    with pytest.raises(StoryError) as raised:
        read_story(story_file(tmp_path, GOOD.replace(good, bad, 1)))
    assert f"line {line}" in str(raised.value) and complaint in str(raised.value), str(raised.value)


def test_a_story_that_goes_as_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "picture.png"
    assert main([str(story_file(tmp_path, GOOD)), "--plot", str(picture)]) == 0
    assert "as expected" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("good", "bad", "complaint"),
    [
        ("draw_a: 12 .. 14", "draw_a: 25 .. 30", "line 13: at 25 s CP1 draw_a is 12.7"),
        ('draw_a: ">= 25"', 'draw_a: ">= 31"', "s CP2 draw_a is 25.48, not >= 31"),
        ("draw_a: 12 .. 14", "reason: peace", "reason is circuit, not peace"),
        ("amps: 4}]", "amps: 4}, {from: 40, amps: 60}]", "over its limit"),
        ("at: 30, what: car leaves, of: CP1", "at: 30, what: meter lost", "CP2 draw_a is"),
    ],
)
def test_what_is_not_as_told_is_found(tmp_path: Path, good: str, bad: str, complaint: str) -> None:
    assert good in GOOD
    outcome = play(read_story(story_file(tmp_path, GOOD.replace(good, bad, 1))))
    assert any(complaint in failure for failure in outcome.failures), outcome.failures


def test_an_unknown_story_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["row_99_the_sea_rises"]) == 2
    assert "there is no story" in capsys.readouterr().err


def test_without_a_name_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "row_05_home_assistant_killed" in capsys.readouterr().out


def test_a_picture_needs_what_was_kept_for_it(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        draw(play(read_story(story_file(tmp_path, GOOD))), tmp_path / "picture.svg")
