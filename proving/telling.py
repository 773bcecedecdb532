"""Reads YAML into plain data and remembers on which line each part stands, so that a mistake is told where it was made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import voluptuous as vol
import yaml

type Way = tuple[str | int, ...]
"""How to get to a part: keys of mappings and places in lists."""


class StoryError(Exception):
    """A story that can't be read; its text says in which file and line, and what is wrong."""


class Lines:
    """The lines of a document's parts."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._lines: dict[Way, int] = {}

    def put(self, way: Way, line: int) -> None:
        """Remember a part's line."""
        self._lines[way] = line

    def line(self, way: Sequence[Any]) -> int:
        """Return a part's line, or that of the nearest part around it."""
        parts = tuple(str(part) if isinstance(part, vol.Marker) else part for part in way)
        while parts and parts not in self._lines:
            parts = parts[:-1]
        return self._lines.get(parts, 1)

    def error(self, way: Sequence[Any], text: str) -> StoryError:
        """Return the error of a part."""
        where = ", ".join(str(part) for part in way)
        return StoryError(f"{self.file}, line {self.line(way)}{f' ({where})' if where else ''}: {text}")


def read_yaml(path: Path) -> tuple[Any, Lines]:
    """Return a file's data and its lines; raises StoryError where it is no YAML, or names a key twice."""
    lines = Lines(path.name)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise StoryError(f"{path.name}, line {line}: no YAML: {error.problem}") from error
    if node is None:
        raise StoryError(f"{path.name}: there is nothing in it")
    return _plain(node, (), lines), lines


def _plain(node: yaml.Node, way: Way, lines: Lines) -> Any:
    lines.put(way, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            if key in mapping:
                raise StoryError(f"{lines.file}, line {key_node.start_mark.line + 1}: {key} is there twice")
            mapping[key] = _plain(value_node, (*way, key), lines)
            lines.put((*way, key), key_node.start_mark.line + 1)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one, (*way, place), lines) for place, one in enumerate(node.value)]
    return yaml.SafeLoader("").construct_object(node)
