"""Reads a story from YAML (`scenarios/*.yaml`): what it may say, and what that means. docs/development.md tells it to people."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
import math
from pathlib import Path
from typing import Any

import voluptuous as vol

from custom_components.headroom.engine.model import Circuit
from simulator.building import Load, StepLoad
from simulator.car import CarSpec
from simulator.electrical import ROTATIONS
from simulator.evse import token
from simulator.quirky import KINDS
from simulator.site import Visit
from simulator.virtual import START

from .events import EVENTS, subject_kind
from .figures import FIGURES
from .place import CARS_COME_S, READY_S, Place, car
from .setting import Setting
from .story import Always, Expected, Story, Told
from .telling import Lines, StoryError, read_yaml
from .words import comparison, moment, number, per_phase, seconds, share, zone

FOLDER = Path(__file__).parents[1] / "scenarios"

CIRCUIT: dict[Any, Any] = {
    vol.Required("fuse_a"): number,
    vol.Optional("below"): str,
    vol.Optional("margin_a", default=0): number,
    vol.Optional("worst_case_a", default=0): number,
    vol.Optional("meter", default=False): bool,
    vol.Optional("draws"): [{vol.Required("from"): seconds, vol.Required("amps"): per_phase}],
    vol.Optional("draws_anew_every"): seconds,
}
STATION: dict[Any, Any] = {
    vol.Optional("circuit"): str,
    vol.Optional("wired", default="L1L2L3"): vol.In(list(ROTATIONS)),
    vol.Optional("told"): vol.Any(vol.In([*ROTATIONS, "unknown"])),
    vol.Optional("max_a", default=32): number,
    vol.Optional("quirk"): vol.In(list(KINDS)),
    vol.Optional("approved", default=True): bool,
    vol.Optional("clock_offset_s", default=0): vol.Coerce(float),
    vol.Optional("boots_on_reconnect", default=False): bool,
}
CAR: dict[Any, Any] = {
    vol.Required("at"): vol.Any(str, [str]),
    vol.Optional("comes", default=CARS_COME_S): seconds,
    vol.Optional("leaves"): seconds,
    vol.Optional("card", default="CARD"): vol.Any(str, None),
    vol.Optional("soc", default=0.2): share,
    **{
        vol.Optional(one.name): {"phases": int, "never_wakes": bool, "sleeps_through": int}.get(one.name, number)
        for one in fields(CarSpec)
        if one.name not in {"name", "high_level"}
    },
}
EVENT = vol.Schema(
    {vol.Required("at"): seconds, vol.Required("what"): vol.In(list(EVENTS)), vol.Optional("of"): str, vol.Optional("lasts"): seconds},
    extra=vol.ALLOW_EXTRA,
)
EXPECTED = vol.Schema(
    {
        vol.Exclusive("at", "when"): seconds,
        vol.Exclusive("from", "when"): seconds,
        vol.Optional("to"): seconds,
        vol.Optional("by"): seconds,
        vol.Required("of"): vol.Any(str, [str]),
    },
    extra=vol.ALLOW_EXTRA,
)
STORY = vol.Schema(
    {
        vol.Required("title"): vol.All(str, vol.Length(min=1)),
        vol.Optional("why", default=""): str,
        vol.Optional("row"): int,
        vol.Optional("elsewhere", default=list): [str],
        vol.Optional("starts", default=START): moment,
        vol.Optional("zone", default="UTC"): zone,
        vol.Required("lasts"): seconds,
        vol.Optional("step_s", default=0.2): number,
        vol.Optional("meter_noise_a", default=0): number,
        vol.Required("circuits"): {str: CIRCUIT},
        vol.Required("stations"): {str: STATION},
        vol.Optional("cars", default=list): [CAR],
        vol.Optional("events", default=list): [dict],
        vol.Optional("expect", default=list): [dict],
        vol.Optional("always", default=dict): {
            vol.Optional("overload_s", default=6): seconds,
            vol.Optional("trips", default=0): int,
            vol.Optional("dead_man_from", default=READY_S): vol.Any("never", seconds),
            vol.Optional("complains", default=False): bool,
            vol.Optional("tolerance_a", default=0): number,
        },
    }
)


def story_names() -> list[str]:
    """Return the names of the stories that are there."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read_story(path: Path) -> Story:
    """Return the story in a file; raises StoryError with the line of what is wrong."""
    data, lines = read_yaml(path)
    told = _checked(STORY, data, (), lines)
    circuits, stations = told["circuits"], told["stations"]
    roots = [circuit_id for circuit_id, circuit in circuits.items() if "below" not in circuit]
    if len(roots) != 1:
        raise lines.error(("circuits",), "there is one main fuse: every other circuit is below one")
    for circuit_id, circuit in circuits.items():
        if (parent := circuit.get("below", circuit_id)) not in circuits:
            raise lines.error(("circuits", circuit_id, "below"), f"there is no circuit {parent}")
    for identity, station in stations.items():
        if station.get("circuit", roots[0]) not in circuits:
            raise lines.error(("stations", identity, "circuit"), f"there is no circuit {station['circuit']}")
    always = told["always"]
    setting = Setting(
        circuits=[_circuit(circuit_id, circuits[circuit_id]) for circuit_id in sorted(circuits, key=lambda one: one != roots[0])],
        places={identity: _place(station, roots[0]) for identity, station in stations.items()},
        loads={
            circuit_id: _load(circuit["draws"], circuit.get("draws_anew_every"), told["lasts"])
            for circuit_id, circuit in circuits.items()
            if circuit.get("draws")
        },
        visits=[visit for number, one in enumerate(told["cars"]) for visit in _visits(number, one, stations, lines)],
        zone=told["zone"],
        tolerance_a=always["tolerance_a"],
    )
    return Story(
        name=path.stem,
        title=told["title"],
        why=" ".join(told["why"].split()),
        row=told.get("row"),
        elsewhere=told["elsewhere"],
        starts=told["starts"],
        lasts_s=told["lasts"],
        step_s=told["step_s"],
        noise_a=told["meter_noise_a"],
        setting=setting,
        events=[_event(number, one, setting, lines) for number, one in enumerate(told["events"])],
        expected=[each for number, one in enumerate(told["expect"]) for each in _expected(number, one, setting, told["lasts"], lines)],
        always=Always(
            overload_s=always["overload_s"],
            trips=always["trips"],
            dead_man_from_s=None if always["dead_man_from"] == "never" else always["dead_man_from"],
            complains=always["complains"],
        ),
    )


def _checked(schema: vol.Schema, data: Any, way: Sequence[Any], lines: Lines) -> Any:
    try:
        return schema(data)
    except vol.MultipleInvalid as error:
        first = error.errors[0]
        raise lines.error((*way, *first.path), first.error_message) from error


def _circuit(circuit_id: str, told: Mapping[str, Any]) -> Circuit:
    worst_a = told["worst_case_a"]
    return Circuit(
        circuit_id=circuit_id,
        name=circuit_id,
        parent_id=told.get("below"),
        fuse_a=told["fuse_a"],
        margin_a=told["margin_a"],
        unmanaged_worst_a=(worst_a, worst_a, worst_a),
        metered=told["meter"],
    )


def _load(told: Sequence[Mapping[str, Any]], anew_every_s: float | None, lasts_s: float) -> Load:
    begins_s = [0.0] if anew_every_s is None else [turn * anew_every_s for turn in range(math.ceil(lasts_s / anew_every_s))]
    return StepLoad(tuple((begin + level["from"], level["amps"]) for begin in begins_s for level in told))


def _place(told: Mapping[str, Any], root: str) -> Place:
    kind = KINDS[told["quirk"]] if "quirk" in told else KINDS["amps_only"]
    known = told.get("told") != "unknown"
    return Place(
        car=None,
        circuit_id=told.get("circuit", root),
        rotation=told["wired"],
        told=told.get("told") if known else None,
        rotation_known=known,
        max_a=told["max_a"],
        approved=told["approved"],
        quirks=kind.quirks,
        abilities=kind.abilities if "quirk" in told else Place().abilities,
        clock_offset_s=told["clock_offset_s"],
        boots_on_reconnect=told["boots_on_reconnect"],
    )


def _visits(number: int, told: Mapping[str, Any], stations: Mapping[str, Any], lines: Lines) -> list[Visit]:
    named = told["at"] if isinstance(told["at"], list) else [told["at"]]
    found = [*stations] if named == ["each"] else named
    if unknown := [identity for identity in found if identity not in stations]:
        raise lines.error(("cars", number, "at"), f"there is no station {unknown[0]}")
    spec = {one.name: told[one.name] for one in fields(CarSpec) if one.name in told}
    return [
        Visit(
            comes_s=told["comes"],
            leaves_s=told.get("leaves"),
            station=identity,
            evse_id=1,
            car=car(f"car at {identity}", **spec),
            token=None if told["card"] is None else token(told["card"]),
            soc=told["soc"],
        )
        for identity in found
    ]


def _event(number: int, data: Mapping[str, Any], setting: Setting, lines: Lines) -> Told:
    way = ("events", number)
    told = _checked(EVENT, data, way, lines)
    kind = EVENTS[told["what"]]
    of = told.get("of", setting.circuits[0].circuit_id if kind.of == "circuit" else None)
    if kind.of != "site" and (of is None or subject_kind(of, setting) != kind.of):
        raise lines.error((*way, "of"), f"{told['what']} is something of a {kind.of}: say of which, by its name")
    if kind.of == "site" and of is not None:
        raise lines.error((*way, "of"), f"{told['what']} is of nothing less than the site")
    rest = {key: value for key, value in data.items() if key not in {"at", "what", "of", "lasts"}}
    more = _checked(vol.Schema(dict(kind.more)), rest, way, lines)
    return Told(at_s=told["at"], what=told["what"], of=of, lasts_s=told.get("lasts"), more=more)


def _expected(number: int, data: Mapping[str, Any], setting: Setting, lasts_s: float, lines: Lines) -> list[Expected]:
    way = ("expect", number)
    told = _checked(EXPECTED, data, way, lines)
    at_s, from_s = told.get("at"), told.get("from")
    if (at_s is None) == (from_s is None) or (from_s is not None and ("to" in told) == ("by" in told)):
        raise lines.error(way, "say when: at, or from … to (all the while), or from … by (once at least)")
    begins_s, ends_s = (at_s, at_s) if at_s is not None else (from_s, told.get("to", told.get("by")))
    if not begins_s <= ends_s <= lasts_s:
        raise lines.error(way, f"that is not within the story, which lasts {lasts_s:g} s")
    figures = {key: comparison(value) for key, value in data.items() if key not in {"at", "from", "to", "by", "of"}}
    found = []
    for of in told["of"] if isinstance(told["of"], list) else [told["of"]]:
        if (kind := subject_kind(of, setting)) is None:
            raise lines.error((*way, "of"), f"there is no station and no circuit {of}")
        if unknown := [figure for figure in figures if figure not in FIGURES[kind]]:
            raise lines.error((*way, unknown[0]), f"a {kind} has no {unknown[0]}; it has {', '.join(FIGURES[kind])}")
        found.append(Expected(from_s=begins_s, to_s=ends_s, once="by" in told, of=of, figures=figures, line=lines.line(way)))
    return found


__all__ = ["FOLDER", "StoryError", "read_story", "story_names"]
