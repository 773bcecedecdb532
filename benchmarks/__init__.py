"""Benchmarks, run by scripts/bench, and how each of them ends."""

from collections.abc import Iterable, Mapping
import json
from pathlib import Path
import sys
from typing import Any


def told(report: Mapping[str, Any], file: Path | None, shortcomings: Iterable[str]) -> int:
    """Print a report, write it to a file where one is wanted, and tell each shortcoming; returns 1 where there is one, else 0."""
    text = json.dumps(report, indent=2)
    if file:
        file.write_text(f"{text}\n", encoding="utf-8")
    print(text)
    found = list(shortcomings)
    for each in found:
        print(each, file=sys.stderr)
    return 1 if found else 0
