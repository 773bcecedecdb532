"""Rows and actions, and the texts, forms and icons that belong to them, tell of the same things: nothing shows a bare key."""

from collections.abc import Iterator, Mapping
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from custom_components.headroom import binary_sensor, button, datetime, event, number, select, sensor, switch, update
from custom_components.headroom.entity import Row
from custom_components.headroom.services import ACTIONS

COMPONENT = Path(sensor.__file__).parent
TEXTS: Mapping[str, Any] = json.loads((COMPONENT / "translations" / "en.json").read_text(encoding="utf-8"))
ICONS: Mapping[str, Any] = json.loads((COMPONENT / "icons.json").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Any] = yaml.safe_load((COMPONENT / "services.yaml").read_text(encoding="utf-8"))
PLATFORMS = (binary_sensor, button, datetime, event, number, select, sensor, switch, update)


def _rows() -> Iterator[tuple[str, Row[Any]]]:
    for module in PLATFORMS:
        for rows in module.ROWS.values():
            yield from ((module.__name__.rpartition(".")[2], row) for row in rows)
    yield from (("sensor", row) for row in sensor._security(None))


@pytest.mark.parametrize(("platform", "row"), _rows(), ids=lambda value: getattr(value, "key", value))
def test_entities(platform: str, row: Row[Any]) -> None:
    """A row is named by a text of its own, or by its device class; each of its options has a word, and it has an icon."""
    if row.translation_key is None:
        assert row.device_class is not None
        return
    texts = TEXTS["entity"][platform][row.translation_key]
    assert texts["name"]
    options = getattr(row, "options", None) or ()
    assert set(options) == set(texts.get("state", {}))
    if row.device_class in (None, "enum"):
        assert row.translation_key in ICONS["entity"][platform]


def test_no_text_without_an_entity() -> None:
    """A text that nothing shows is an error in one of the two."""
    keys: dict[str, set[str]] = {}
    for platform, row in _rows():
        if row.translation_key:
            keys.setdefault(platform, set()).add(row.translation_key)
    assert {platform: set(texts) for platform, texts in TEXTS["entity"].items()} == keys
    for platform, icons in ICONS["entity"].items():
        assert set(icons) <= keys[platform]


@pytest.mark.parametrize("name", ACTIONS)
def test_actions(name: str) -> None:
    """The schema, the form, the texts and the icon of an action tell of the same fields."""
    fields = {"device_id", *map(str, ACTIONS[name].fields)}
    shown = SERVICES[name]["fields"].items()
    assert {key for one, field in shown for key in field.get("fields", (one,))} == fields
    assert set(TEXTS["services"][name]["fields"]) == fields
    assert all(field["name"] and field["description"] for field in TEXTS["services"][name]["fields"].values())
    assert ICONS["services"][name]["service"].startswith("mdi:")


def test_no_action_beside_these() -> None:
    """No form, text or icon is left of an action that is gone."""
    assert set(SERVICES) == set(TEXTS["services"]) == set(ICONS["services"]) == set(ACTIONS)
