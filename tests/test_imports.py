"""Imports run one way: Home Assistant's face → coordinator → site → {csms, metering, demand_response, ledger} → engine's model."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
COMPONENT = "custom_components.headroom"
SHARED_WITH_THE_SIMULATOR = f"{COMPONENT}.csms.composite"
"""What profiles allow together is the standard's arithmetic: a station's is the same as ours. It has an oracle of its own."""
LIBRARY_ROOMS = ("csms", "metering", "demand_response", "ledger")
BELOW_THE_COORDINATOR = (
    "const",
    "circuit_tree",
    "configuration",
    "concerns",
    "solver",
    "firmware",
    "listening",
    "logs",
    "memories",
    "meter_settings",
    "peak_settings",
    "meters",
    "security",
    "security_settings",
    "storage",
)
"""Modules of the face that the coordinator builds on, and that therefore can't build on it."""


@dataclass(frozen=True)
class Room:
    """What a room may import of the component beside itself, and whether it may name Home Assistant."""

    may_import: tuple[str, ...] = ()
    may_not_import: tuple[str, ...] = ()
    home_assistant: tuple[str, ...] = ()
    """The files that may name it; "*" for all."""


ROOMS: Mapping[str, Room] = {
    "engine": Room(),
    "csms": Room(),
    "metering": Room(may_import=("engine.model",), home_assistant=("entity.py",)),
    "demand_response": Room(may_import=("engine.model",)),
    "ledger": Room(may_import=("engine.model",)),
    "site": Room(may_import=(*LIBRARY_ROOMS, "engine")),
    "coordinator": Room(
        may_import=(*BELOW_THE_COORDINATOR, "site", *LIBRARY_ROOMS, "engine"),
        home_assistant=("*",),
    ),
    "": Room(may_import=("*",), home_assistant=("*",)),
}
"""The component's rooms: folders, and modules that are a room of their own. "" is the rest: Home Assistant's face."""


def imports(source: str, package: str) -> Iterator[str]:
    """Yield the absolute dotted names that a module of `package` imports; of `from m import n`, it is m.n."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) - node.level + 1] if node.level else []
            yield from (".".join([*base, *([node.module] if node.module else []), alias.name]) for alias in node.names)


def within(name: str, package: str) -> bool:
    """Tell whether a dotted name is a package or something in it."""
    return f"{name}.".startswith(f"{package}.")


def _is_shared(name: str) -> bool:
    return within(name, SHARED_WITH_THE_SIMULATOR)


def violations(path: str, source: str) -> list[str]:
    """Return what a file of the repository (`path` relative to its root) imports and may not."""
    *folders, file = path.split("/")
    names = list(imports(source, ".".join(folders)))
    if folders[0] == "proving":
        below = [f"{COMPONENT}.{room}" for room in (*LIBRARY_ROOMS, "engine", "site")]
        above = [name for name in names if within(name, "custom_components") and not any(within(name, room) for room in below)]
        return [name for name in names if within(name, "homeassistant")] + above
    if folders[0] == "simulator":
        ours = [name for name in names if within(name, "custom_components") and not _is_shared(name)]
        return [name for name in names if within(name, "homeassistant") or within(name, "proving")] + ours
    module = path.removeprefix(f"{COMPONENT.replace('.', '/')}/").removesuffix(".py").replace("/", ".")
    room_name = module.split(".", maxsplit=1)[0]
    room_name = room_name if room_name in ROOMS else ""
    room = ROOMS[room_name]
    may_import = room.may_import
    if module in BELOW_THE_COORDINATOR:
        may_import = tuple(other for other in (*ROOMS, *BELOW_THE_COORDINATOR) if other not in {"", "coordinator"})
    found: list[str] = []
    for name in names:
        if within(name, "homeassistant") and "*" not in room.home_assistant and file not in room.home_assistant:
            found.append(name)
        elif within(name, COMPONENT) and "*" not in may_import:
            inside = name.removeprefix(COMPONENT).lstrip(".")
            if not any(within(inside, allowed) for allowed in (room_name or module, *may_import)):
                found.append(name)
    return found


FILES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for folder in (COMPONENT.replace(".", "/"), "proving", "simulator")
    for path in (REPOSITORY / folder).rglob("*.py")
)


def test_every_room_is_looked_at() -> None:
    for room in ("engine", "csms", "metering", "demand_response", "ledger", "site"):
        assert any(file.startswith(f"custom_components/headroom/{room}/") for file in FILES)
    assert any(file.startswith("simulator/") for file in FILES)


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_only_what_lies_below_it(file: str) -> None:
    assert violations(file, (REPOSITORY / file).read_text(encoding="utf-8")) == []


H = "custom_components/headroom"


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (f"{H}/engine/x.py", "import homeassistant"),
        (f"{H}/engine/x.py", "from homeassistant.util import dt"),
        (f"{H}/engine/x.py", "from .. import const"),
        (f"{H}/engine/x.py", "from ..csms.station import Station"),
        (f"{H}/engine/x.py", "import custom_components.headroom.site"),
        (f"{H}/csms/x.py", "from homeassistant.core import HomeAssistant"),
        (f"{H}/csms/x.py", "from ..engine.model import Phase"),
        (f"{H}/csms/x.py", "from custom_components.headroom.engine import model"),
        (f"{H}/csms/v/x.py", "from ...engine.model import Phase"),
        (f"{H}/csms/x.py", "def f():\n    from ..site import config"),
        (f"{H}/metering/modbus.py", "from homeassistant.core import HomeAssistant"),
        (f"{H}/metering/modbus.py", "from ..engine.allocate import allocate"),
        (f"{H}/metering/modbus.py", "from ..engine import allocate"),
        (f"{H}/metering/entity.py", "from ..coordinator import HeadroomCoordinator"),
        (f"{H}/demand_response/x.py", "from ..site.config import SiteConfig"),
        (f"{H}/demand_response/x.py", "import homeassistant.core"),
        (f"{H}/ledger/x.py", "from ..csms.station import Station"),
        (f"{H}/ledger/x.py", "from homeassistant import core"),
        (f"{H}/site/x.py", "from homeassistant.core import callback"),
        (f"{H}/site/x.py", "from ..coordinator import HeadroomCoordinator"),
        (f"{H}/site/x.py", "from ..const import DOMAIN"),
        (f"{H}/coordinator.py", "from .sensor import SENSORS"),
        (f"{H}/coordinator.py", "from . import sensor"),
        (f"{H}/configuration.py", "from .coordinator import HeadroomCoordinator"),
        ("simulator/x.py", "from custom_components.headroom.csms.station import Station"),
        ("simulator/x.py", "import homeassistant"),
        ("simulator/x.py", "from proving.running import RunningSite"),
        ("proving/x.py", "from homeassistant.core import HomeAssistant"),
        ("proving/x.py", "from custom_components.headroom.coordinator import HeadroomCoordinator"),
        ("simulator/x.py", "if TYPE_CHECKING:\n    import custom_components"),
    ],
)
def test_an_import_the_wrong_way_is_seen(file: str, line: str) -> None:
    assert len(violations(file, line)) == 1


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (f"{H}/engine/x.py", "from .model import Phase"),
        (f"{H}/engine/x.py", "from . import model"),
        (f"{H}/csms/x.py", "from .station import Station"),
        (f"{H}/metering/x.py", "from ..engine.model import PerPhase"),
        (f"{H}/metering/x.py", "from ..engine import model"),
        (f"{H}/metering/entity.py", "from homeassistant.core import HomeAssistant"),
        (f"{H}/site/x.py", "from ..engine.allocate import allocate"),
        (f"{H}/coordinator.py", "from .site import Site"),
        (f"{H}/configuration.py", "from .site.config import SiteConfig"),
        (f"{H}/sensor.py", "from .coordinator import HeadroomConfigEntry"),
        ("simulator/x.py", "from .car import Car"),
        ("proving/x.py", "from simulator.car import CarSpec"),
        ("proving/x.py", "from custom_components.headroom.site.config import SiteConfig"),
        ("simulator/x.py", "from custom_components.headroom.csms.composite import Limit"),
        ("simulator/x.py", "from custom_components.headroom.csms import composite"),
    ],
)
def test_an_import_downwards_is_fine(file: str, line: str) -> None:
    assert violations(file, line) == []
