"""What the manifest promises, and what the development set-up installs, are one."""

import json
from pathlib import Path
import tomllib

ROOT = Path(__file__).parent.parent
MANIFEST = json.loads((ROOT / "custom_components/headroom/manifest.json").read_text())


def test_the_tests_run_with_what_the_manifest_asks_for() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert sorted(groups["component"]) == sorted(MANIFEST["requirements"])


def test_no_requirement_pins_what_home_assistant_constrains() -> None:
    assert not [requirement for requirement in MANIFEST["requirements"] if "==" in requirement]


def test_keys_stand_as_hassfest_wants_them() -> None:
    keys = list(MANIFEST)
    assert keys[:2] == ["domain", "name"]
    assert keys[2:] == sorted(keys[2:])
