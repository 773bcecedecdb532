"""The tree of circuits: the way from one of them up to the root."""

from collections.abc import Mapping
from typing import Protocol


class Node(Protocol):
    """Whatever stands for a circuit and knows the one above it."""

    @property
    def circuit_id(self) -> str:
        """Return its own id."""

    @property
    def parent_id(self) -> str | None:
        """Return the id of the circuit above, None for a root."""


def path[AnyNode: Node](circuits: Mapping[str, AnyNode], circuit_id: str) -> list[AnyNode]:
    """Return a circuit and all above it, up to the root; ValueError for one that is unknown, or its own ancestor."""
    way: list[AnyNode] = []
    current: str | None = circuit_id
    while current is not None:
        if (node := circuits.get(current)) is None:
            raise ValueError(f"unknown circuit {current!r} above {circuit_id!r}")
        if len(way) == len(circuits):
            raise ValueError(f"circuit {current!r} is its own ancestor")
        way.append(node)
        current = node.parent_id
    return way
