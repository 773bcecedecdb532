"""The demo's dashboard: its templates say what the entities say."""

from jinja2 import Environment
import pytest

from simulator.dashboard import ShownEvse, ShownSite, table_row

KEYS = ("status", "limit", "power", "limit_reason")
EVSE = ShownEvse(name="Carport 1", prefix="entry_CARPORT_1")
SITE = ShownSite(
    entry_id="entry",
    fuse_a=63.0,
    margin_a=2.0,
    evses=(EVSE,),
    entity_ids={f"entry_CARPORT_1_{key}": f"sensor.carport_1_{key}" for key in KEYS},
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("10 A: Home L2 is full (61 A): the building 8 A", "Home L2 is full (61 A): the building 8 A"),
        (
            "0 A: waits its turn: Home L2 (61 A: the building 8 A) has no room for 6 A",
            "waits its turn: Home L2 (61 A: the building 8 A) has no room for 6 A",
        ),
        (None, "Not charging"),
    ],
)
def test_the_table_gives_the_whole_sentence_but_its_number(text: str | None, sentence: str) -> None:
    row = Environment(autoescape=False).from_string(table_row(SITE, EVSE))
    shown = row.render(
        state_attr=lambda _entity, _name: text,
        state_translated=lambda _entity: "Not charging",
        states=lambda _entity: "10",
        has_value=lambda _entity: True,
    )
    assert shown.rstrip(" |\n").rsplit("| ", 1)[1].rstrip() == sentence
