"""Starts worker.py with the engine alone: the package above it is Home Assistant's face of the component, three seconds of imports."""

from pathlib import Path
import sys
from types import ModuleType

COMPONENT = "custom_components.headroom"


def main() -> None:
    """Let the engine be imported without what stands above it, and answer stdin."""
    package = ModuleType(COMPONENT)
    package.__path__ = [str(Path(__file__).parents[2].joinpath(*COMPONENT.split(".")))]
    sys.modules[COMPONENT] = package

    from .worker import main as answer

    answer(sys.stdin)


if __name__ == "__main__":
    main()
