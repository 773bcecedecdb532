"""The demo's dashboard: plain built-in cards over the integration's own entities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

type Card = dict[str, Any]

PHASES = ("l1", "l2", "l3")
COLOURS = {"l1": "#2fbf8f", "l2": "#17a2a8", "l3": "#2f7fd1"}
HISTORY_HOURS = 1 / 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEvse:
    """An EVSE on the dashboard; `prefix` is what its entities' unique ids begin with."""

    name: str
    prefix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSite:
    """What the dashboard shows. `entity_ids` finds an entity by its unique id."""

    entry_id: str
    fuse_a: float
    margin_a: float
    evses: Sequence[ShownEvse]
    entity_ids: Mapping[str, str]

    def entity(self, key: str) -> str:
        """Return one of the site's own entities."""
        return self.entity_ids[f"{self.entry_id}_{key}"]

    def evse_entity(self, evse: ShownEvse, key: str) -> str:
        """Return an EVSE's entity."""
        return self.entity_ids[f"{evse.prefix}_{key}"]


def dashboard(site: ShownSite) -> Card:
    """Return the dashboard's configuration."""
    view = {
        "title": "Charging site",
        "path": "site",
        "icon": "mdi:ev-station",
        "type": "sections",
        "max_columns": 3,
        "sections": [fuse_section(site), site_section(site), why_section(site), *(evse_section(site, evse) for evse in site.evses)],
    }
    return {"title": "Charging site", "views": [view]}


def fuse_section(site: ShownSite) -> Card:
    """Return the load on each phase against what the fuse is kept at."""
    limit_a = site.fuse_a - site.margin_a
    gauges = [
        {
            "type": "gauge",
            "entity": site.entity(f"current_{phase}"),
            "name": phase.upper(),
            "unit": "A",
            "min": 0,
            "max": round(site.fuse_a * 1.2),
            "needle": True,
            "segments": [
                {"from": 0, "color": "#2fbf8f"},
                {"from": round(0.85 * limit_a), "color": "#f5b942"},
                {"from": site.fuse_a, "color": "#d94b4b"},
            ],
            "grid_options": {"columns": 8, "rows": 3},
        }
        for phase in PHASES
    ]
    history = {
        "type": "history-graph",
        "hours_to_show": HISTORY_HOURS,
        "min_y_axis": 0,
        "max_y_axis": round(site.fuse_a * 1.2),
        "fit_y_data": False,
        "entities": [
            *({"entity": site.entity(f"current_{phase}"), "name": phase.upper(), "color": COLOURS[phase]} for phase in PHASES),
            {"entity": site.entity("limit_l1"), "name": "Limit", "color": "#d94b4b"},
        ],
        "grid_options": {"columns": "full", "rows": 7},
    }
    return {
        "type": "grid",
        "column_span": 2,
        "cards": [heading(f"Main fuse: {site.fuse_a:g} A per phase, kept at {limit_a:g} A", "mdi:fuse"), *gauges, history],
    }


def site_section(site: ShownSite) -> Card:
    """Return what is left, what is charged with it, and how."""
    headroom = [
        {
            "type": "tile",
            "entity": site.entity(f"headroom_{phase}"),
            "name": f"For cars, {phase.upper()}",
            "icon": f"mdi:numeric-{phase[1]}-circle-outline",
            "color": "teal",
            "vertical": True,
            "grid_options": {"columns": 4, "rows": 2},
        }
        for phase in PHASES
    ]
    mode = {
        "type": "tile",
        "entity": site.entity("mode"),
        "name": "Mode",
        "features": [{"type": "select-options"}],
        "grid_options": {"columns": "full"},
    }
    policy = {
        "type": "tile",
        "entity": site.entity("policy"),
        "name": "Shared for",
        "features": [{"type": "select-options"}],
        "grid_options": {"columns": "full"},
    }
    power = {
        "type": "sensor",
        "entity": site.entity("charging_power"),
        "name": "Charging power",
        "graph": "line",
        "detail": 2,
        "hours_to_show": HISTORY_HOURS,
        "grid_options": {"columns": "full", "rows": 3},
    }
    meter = {"type": "tile", "entity": site.entity("meter_health"), "name": "Meter", "grid_options": {"columns": "full"}}
    return {"type": "grid", "cards": [heading("Room for cars", "mdi:arrow-collapse-up"), *headroom, power, mode, policy, meter]}


def why_section(site: ShownSite) -> Card:
    """Return each car's limit and why it is not higher, as a table."""
    rows = "".join(table_row(site, evse) for evse in site.evses)
    table = {
        "type": "markdown",
        "content": f"| Charging point | Status | Limit | Draws | Why not more |\n|:--|:--|--:|--:|:--|\n{rows}",
        "grid_options": {"columns": 21},
    }
    limits = {
        "type": "history-graph",
        "hours_to_show": HISTORY_HOURS,
        "min_y_axis": 0,
        "entities": [{"entity": site.evse_entity(evse, "limit"), "name": evse.name} for evse in site.evses],
        "grid_options": {"columns": 15, "rows": 5},
    }
    return {"type": "grid", "column_span": 3, "cards": [heading("Each car's limit, and why", "mdi:car-electric"), table, limits]}


def table_row(site: ShownSite, evse: ShownEvse) -> str:
    """Return a row of the table, as a template that Home Assistant renders whenever a state changes."""
    status, limit, power, reason = (site.evse_entity(evse, key) for key in ("status", "limit", "power", "limit_reason"))
    sentence = f"(state_attr('{reason}', 'text') or state_translated('{reason}')).split(' A: ', 1) | last"
    cells = (
        f"**{evse.name}**".replace(" ", "&nbsp;"),
        f"{{{{ state_translated('{status}') }}}}",
        f"{{{{ '%.0f&nbsp;A' | format(states('{limit}') | float) if has_value('{limit}') else '–' }}}}",
        f"{{{{ '%.1f&nbsp;kW' | format(states('{power}') | float / 1000) if has_value('{power}') else '–' }}}}",
        f"{{{{ {sentence} }}}}",
    )
    return f"| {' | '.join(cells)} |\n"


def evse_section(site: ShownSite, evse: ShownEvse) -> Card:
    """Return an EVSE's state and what may be set on it."""
    half = {"columns": 6}
    return {
        "type": "grid",
        "cards": [
            heading(evse.name, "mdi:ev-plug-type2", style="subtitle"),
            {"type": "tile", "entity": site.evse_entity(evse, "limit"), "name": "Limit", "color": "teal", "grid_options": half},
            {"type": "tile", "entity": site.evse_entity(evse, "session_energy"), "name": "This session", "grid_options": half},
            {"type": "tile", "entity": site.evse_entity(evse, "limit_reason"), "name": "Why", "grid_options": {"columns": "full"}},
            *(
                {"type": "tile", "entity": site.evse_entity(evse, key), "name": name, "grid_options": half}
                for key, name in (
                    ("energy_needed", "Driver asks for"),
                    ("departure", "Driver leaves"),
                    ("energy_still_needed", "Still needs"),
                    ("planned_departure", "Planned to leave"),
                )
            ),
            {
                "type": "tile",
                "entity": site.evse_entity(evse, "allow_charging"),
                "name": "Allow charging",
                "features": [{"type": "toggle"}],
                "features_position": "inline",
                "grid_options": {"columns": "full"},
            },
            {
                "type": "tile",
                "entity": site.evse_entity(evse, "maximum_current"),
                "name": "Maximum current",
                "features": [{"type": "numeric-input", "style": "buttons"}],
                "features_position": "inline",
                "grid_options": {"columns": "full"},
            },
        ],
    }


def heading(text: str, icon: str, *, style: str = "title") -> Card:
    """Return a section's heading."""
    return {"type": "heading", "heading": text, "icon": icon, "heading_style": style}
