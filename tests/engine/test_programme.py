"""Whether there is a solver to ask."""

from pathlib import Path
import sys

import pytest

from custom_components.headroom.engine.programme import available


def test_a_solver_that_is_installed_but_cannot_be_loaded_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "highspy"]:
        monkeypatch.delitem(sys.modules, name)
    package = tmp_path / "highspy"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('built for another machine')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert not available()
