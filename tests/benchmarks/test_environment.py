"""The simulator's interpreter: made once, and where that can't be, told what is missing."""

from pathlib import Path

import pytest

from benchmarks.allocation import environment


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return where the environment goes: an empty repository without any tool."""
    monkeypatch.setattr(environment, "REPOSITORY", tmp_path)
    monkeypatch.setattr(environment, "FOLDER", tmp_path / ".bench" / "allocation")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return tmp_path / ".bench" / "allocation"


def tool(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_what_is_missing_is_said(folder: Path) -> None:
    with pytest.raises(environment.NotReadyError, match=r"needs Python 3\.11: install it, or uv"):
        environment.interpreter()


def test_what_uv_says_is_told(folder: Path, tmp_path: Path) -> None:
    tool(tmp_path / ".tools" / "bin" / "uv", "echo 'no network' >&2; exit 2")
    with pytest.raises(environment.NotReadyError, match=r"found no Python 3\.11 and could not download one:\nno network"):
        environment.interpreter()
    assert not (folder / "made-of").exists(), "the next run tries again"


def test_it_is_made_once_and_again_when_other_packages_are_wanted(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = tmp_path / "asked"
    tool(tmp_path / ".tools" / "bin" / "uv", f'echo "$@" >> {said}; /bin/mkdir -p {folder}')
    assert environment.interpreter() == environment.interpreter() == folder / "bin" / "python"
    first = said.read_text(encoding="utf-8").splitlines()
    assert len(first) == 2 and "--python 3.11" in first[0] and "acnportal==0.3.3" in first[1]
    monkeypatch.setattr(environment, "PACKAGES", ("acnportal==0.3.4",))
    environment.interpreter()
    assert len(said.read_text(encoding="utf-8").splitlines()) == 4
    assert capsys.readouterr().err.count("Making .bench/allocation") == 2
