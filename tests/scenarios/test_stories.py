"""Every story of scenarios/ goes as it is told, in simulated time."""

from pathlib import Path

import pytest

from proving.play import play
from proving.told import FOLDER, read_story, story_names

REPOSITORY = FOLDER.parent
ROWS = range(1, 29)


def test_every_failure_that_a_load_manager_has_to_survive_is_a_story() -> None:
    assert {read_story(FOLDER / f"{name}.yaml").row for name in story_names()} >= set(ROWS)


@pytest.mark.parametrize("name", story_names())
def test_a_story_goes_as_it_is_told(name: str) -> None:
    assert not play(read_story(FOLDER / f"{name}.yaml")).failures


@pytest.mark.parametrize("name", story_names())
def test_a_story_is_of_the_row_it_is_named_after_and_names_tests_that_are_there(name: str) -> None:
    story = read_story(FOLDER / f"{name}.yaml")
    assert not name.startswith("row_") or story.row == int(name.split("_")[1])
    for test in story.elsewhere:
        file, _, function = test.partition("::")
        assert f"def {function}(" in (REPOSITORY / file).read_text(encoding="utf-8"), test


def test_a_story_is_played_the_same_each_time(tmp_path: Path) -> None:
    reports = [play(read_story(FOLDER / "row_04_station_offline.yaml")).report for _ in range(2)]
    for report in reports:
        del report["turn_ms_p99"]  # by the real clock
    assert reports[0] == reports[1]
