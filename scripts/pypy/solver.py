"""HiGHS has no wheel for PyPy: `solver.py ROOT`, run by CPython, solves the programmes that it is handed on its standard input."""

from dataclasses import asdict
import json
import os
from pathlib import Path
import subprocess
import sys
import types
from typing import Any


class Solver:
    """A CPython beside this PyPy, from the first programme on."""

    def __init__(self, python: str, root: Path) -> None:
        """Solve with the code of the tree `root`."""
        self._command = [python, __file__, str(root)]
        self._process: subprocess.Popen[str] | None = None

    def answer(self, programme: Any) -> Any:
        """Return {"values": […]}, or {"failure": why there are none}. JSON keeps a float to the digit."""
        if self._process is None:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps(asdict(programme)), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())


def serve(root: Path) -> None:
    """Answer until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # HiGHS may write there
    sys.path.insert(0, str(root))
    import custom_components

    package = types.ModuleType("custom_components.headroom")
    package.__path__ = [str(root / "custom_components/headroom")]  # without Home Assistant, as the soak beside us
    sys.modules[package.__name__] = custom_components.headroom = package
    from custom_components.headroom.engine.programme import NoOptimumError, Programme

    for line in sys.stdin:
        try:
            answer: dict[str, Any] = {"values": [float(value) for value in Programme(**json.loads(line)).maximise()]}
        except NoOptimumError as error:
            answer = {"failure": str(error)}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
