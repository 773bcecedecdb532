"""Reports of a long run's parts in a file, a line of JSON each, so that it can be interrupted and go on."""

from dataclasses import asdict
import hashlib
import json
from pathlib import Path
import platform
from typing import Any

from .soak import Chosen

ROOT = Path(__file__).resolve().parent.parent
PROVED = ("custom_components/headroom", "proving", "simulator")


class Kept:
    """The parts that have ended, by what was chosen for them; without a file for as long as the process lasts."""

    def __init__(self, path: Path | None = None) -> None:
        """Read what the file holds, where there is one."""
        self._path = path
        self._reports: dict[Chosen, dict[str, Any]] = {}
        if path is not None and path.exists():
            text = path.read_text()
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                path.write_text(whole)  # it was interrupted in the middle of a line
            for line in whole.splitlines():
                document = json.loads(line)
                self._reports[Chosen(**document["chosen"])] = document["report"]

    def __contains__(self, chosen: Chosen) -> bool:
        """Tell whether a part has ended."""
        return chosen in self._reports

    def __getitem__(self, chosen: Chosen) -> dict[str, Any]:
        """Return a part's report."""
        return self._reports[chosen]

    def add(self, chosen: Chosen, report: dict[str, Any]) -> None:
        """Take in the report of a part, with the digest of the code that it is of, and by which Python it ran."""
        self._reports[chosen] = report | {"code": code(), "python": f"{platform.python_implementation()} {platform.python_version()}"}
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps({"chosen": asdict(chosen), "report": self._reports[chosen]}) + "\n")


def code() -> str:
    """Return the digest of what a run proves, and proves it with: the same code gives the same."""
    digest = hashlib.sha256()
    for folder in PROVED:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]
