"""Whatever the component can say, it can say in English; what the flows show is checked as it is shown (conftest)."""

import ast
from collections.abc import Iterator, Mapping
import json
from pathlib import Path
import re
from typing import Any

from homeassistant.util.yaml import load_yaml_dict
import pytest

from custom_components.headroom import meter_findings, variables
from custom_components.headroom.circuit_repair import CIRCUIT_GONE
from custom_components.headroom.const import DOMAIN, METER_ENTITIES, METER_MODBUS, METER_REST, METER_SERIAL, PLATFORMS
from custom_components.headroom.csms.security.own_files import FileProblem
from custom_components.headroom.meter_repair import METER_TURNED, METER_UNSEEN
from custom_components.headroom.metering.fault import Fault
from custom_components.headroom.metering.guess import Finding
from custom_components.headroom.phase_map_repair import PHASE_MAP_WRONG
from custom_components.headroom.protection_issues import OVERDREW, STAGES
from custom_components.headroom.removal_repair import EVSE_REMOVED, STATION_REMOVED
from custom_components.headroom.repairs import FLOWS, REPAIRED, STATION_PENDING
from custom_components.headroom.security_issues import (
    BELOW_PROFILE,
    CERTIFICATE_EXPIRING,
    CERTIFICATE_FAILED,
    LOGIN_FAILING,
    STATION_CERTIFICATE,
)
from custom_components.headroom.services import ACTIONS
from custom_components.headroom.site_issues import (
    DEAD_MAN_BROKEN,
    LIMIT_SOURCE_GONE,
    LIMIT_SOURCE_SILENT,
    LOOP_FAILED,
    METER_DISAGREES,
    METER_LOST,
    NO_SOLVER,
    RESOURCE_IN_THE_WAY,
    RESOURCE_LOST,
)
from custom_components.headroom.station_issues import (
    FIRMWARE_FAILURES,
    PHASE_SWITCH_FAILED,
    STATION_AWAITS_REBOOT,
    STATION_AWAY,
    STATION_CLOCK,
    STATION_MONITOR,
    STATION_PROBLEM,
    STATION_PROBLEMS,
    STATION_TOKENS,
)
from custom_components.headroom.station_security_flow import UPGRADE_ERRORS
from custom_components.headroom.worst_case_repair import WORST_CASE_EXCEEDED
from tests.conftest import TEXTS

COMPONENT = Path(__file__).parents[2] / "custom_components" / DOMAIN
ICONS: Mapping[str, Any] = json.loads((COMPONENT / "icons.json").read_text(encoding="utf-8"))
MODULES = {
    path.stem if path.parent == COMPONENT else f"{path.parent.name}.{path.stem}": ast.parse(path.read_text(encoding="utf-8"))
    for path in (*COMPONENT.glob("*.py"), *(COMPONENT / "actions").glob("*.py"), *(COMPONENT / "sensors").glob("*.py"))
}


def called(node: ast.AST, names: set[str]) -> Iterator[ast.Call]:
    """The calls of functions of those names, as a name or an attribute."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)
            if name in names:
                yield call


def strings(node: ast.AST | None) -> set[str]:
    """The strings an expression may come to; of an f-string, its pattern."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp():
            return strings(node.body) | strings(node.orelse)
        case ast.JoinedStr():
            return {"".join(part.value if isinstance(part, ast.Constant) else ".+" for part in node.values)}
    return set()


def argument(call: ast.Call, name: str) -> ast.AST | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def leaves(texts: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in texts.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}.{key}")
        else:
            yield f"{path}.{key}", value


def test_texts_are_whole() -> None:
    for path, text in leaves(TEXTS):
        assert isinstance(text, str) and text.strip() == text and text, path
        assert "[%key:" not in text, f"{path} is not expanded"
        assert "://" not in text, f"{path} has a URL in it"


def test_keys_are_such_as_home_assistant_accepts() -> None:
    for path, _ in leaves(TEXTS):
        assert all(re.fullmatch(r"[a-z0-9][a-z0-9_-]*", key) for key in path.split(".")[1:]), path


def steps(texts: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in texts.items():
        if key in ("step", "sections"):
            yield from ((f"{path}.{step}", value[step]) for step in value)
        if isinstance(value, dict):
            yield from steps(value, f"{path}.{key}")


def test_every_field_has_a_label_and_an_explanation() -> None:
    found = dict(steps(TEXTS))
    assert len(found) > 15
    for path, step in found.items():
        assert step.keys() & {"title", "name"}, path
        assert step.get("data", {}).keys() == step.get("data_description", {}).keys(), path


def shown_steps(module: str) -> set[str]:
    """The ids of the steps that a module shows."""
    shows = {"async_show_form", "async_show_menu", "async_show_progress"}
    return {key for call in called(MODULES[module], shows) for key in strings(argument(call, "step_id"))}


def test_every_step_shown_has_texts_and_every_text_is_shown() -> None:
    # "kind" is the one step id that is no literal
    assert (
        shown_steps("config_flow") | shown_steps("meter_flow") | shown_steps("peak_flow") | shown_steps("security_flow") | METER_KINDS
        == TEXTS["config"]["step"].keys() | TEXTS["options"]["step"].keys()
    )
    subentries = TEXTS["config_subentries"]
    of_station = shown_steps("station_security_flow")
    of_meter = shown_steps("meter_flow") | METER_KINDS
    assert shown_steps("circuit_flow") | of_meter == subentries["circuit"]["step"].keys()
    assert shown_steps("resource_flow") | of_meter == subentries["resource"]["step"].keys() - {"pv", "battery"}
    assert shown_steps("subentry_flow") | of_station == subentries["station"]["step"].keys()
    assert shown_steps("token_flow") == subentries["id_token"]["step"].keys()
    assert shown_steps("repairs") <= TEXTS["issues"][STATION_PENDING]["fix_flow"]["step"].keys()
    for key in FLOWS:
        assert (
            TEXTS["issues"][key]["fix_flow"]["step"].keys()
            <= shown_steps("repairs") | shown_steps("phase_map_repair") | shown_steps("circuit_repair") | of_station
        )
    for texts in subentries.values():
        assert texts["entry_type"] and texts["initiate_flow"]["user"]


def test_every_menu_option_has_a_text() -> None:
    for module, texts in (
        ("config_flow", TEXTS["config"]),
        ("meter_flow", TEXTS["config"]),
        ("subentry_flow", TEXTS["config_subentries"]["station"]),
        ("circuit_flow", TEXTS["config_subentries"]["circuit"]),
        ("meter_flow", TEXTS["config_subentries"]["circuit"]),
        ("resource_flow", TEXTS["config_subentries"]["resource"]),
    ):
        for call in called(MODULES[module], {"async_show_menu"}):
            (step_id,) = strings(argument(call, "step_id"))
            options = argument(call, "menu_options")
            assert isinstance(options, ast.List)
            literal = {option for element in options.elts for option in strings(element)}
            step = texts["step"][step_id]
            assert literal <= step["menu_options"].keys() == step.get("menu_option_descriptions", step["menu_options"]).keys()


def test_every_error_of_a_form_has_a_text_and_every_text_a_use() -> None:
    literals = {
        name: {node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        for name, module in MODULES.items()
    }
    flows = ("config_flow", "meter_flow", "meter_forms", "peak_flow", "fields", "security_flow")
    config = set[str]().union(*(literals[name] for name in flows)) | set(FileProblem)
    subentry = (
        literals["subentry_flow"]
        | literals["circuit_flow"]
        | literals["resource_flow"]
        | literals["meter_flow"]
        | literals["meter_forms"]
        | literals["station_form"]
        | literals["fields"]
        | literals["station_security_flow"]
    )
    subentry |= literals["token_flow"]
    assert TEXTS["config"]["error"].keys() <= config
    for texts in TEXTS["config_subentries"].values():
        assert texts["error"].keys() <= subentry
    known = set(TEXTS["config"]["error"]).union(*(texts["error"] for texts in TEXTS["config_subentries"].values()))
    assert set(FileProblem) <= TEXTS["config"]["error"].keys()
    assert set(UPGRADE_ERRORS.values()) <= TEXTS["issues"][BELOW_PROFILE]["fix_flow"]["error"].keys()
    returned = {
        text
        for name in (
            "fields",
            "station_form",
            "config_flow",
            "meter_flow",
            "meter_forms",
            "peak_flow",
            "security_flow",
            "station_security_flow",
        )
        for node in ast.walk(MODULES[name])
        for text in _error_keys(node)
    }
    assert returned <= known
    assert len(returned) == 20


def _error_keys(node: ast.AST) -> set[str]:
    """Keys given as `errors[field] = key`, `return {field: key}` or `error=key`."""
    match node:
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id="errors"))]):
            return strings(node.value)
        case ast.Call(func=ast.Attribute(attr="_meter_form"), args=[_, ast.Dict(values=[value])]):
            return strings(value)
        case ast.Return(value=ast.IfExp(body=ast.Dict(values=[value]))):
            return strings(value)
        case ast.Return(value=ast.Dict(values=[value])) | ast.Return(value=ast.Tuple(elts=[ast.Dict(values=[value]), _])):
            return strings(value)
        case ast.keyword(arg="error"):
            return strings(node.value)
    return set()


def test_every_reason_to_abort_has_a_text() -> None:
    aborts = {
        name: {key for call in called(MODULES[name], {"async_abort"}) for key in strings(argument(call, "reason"))} for name in MODULES
    }
    assert aborts["circuit_repair"] == TEXTS["issues"][CIRCUIT_GONE]["fix_flow"]["abort"].keys()
    assert aborts["worst_case_repair"] == TEXTS["issues"][WORST_CASE_EXCEEDED]["fix_flow"]["abort"].keys()
    for key in (STATION_REMOVED, EVSE_REMOVED):
        assert aborts["removal_repair"] == TEXTS["issues"][key]["fix_flow"]["abort"].keys()
    for key in (METER_TURNED, METER_UNSEEN):
        assert aborts["meter_repair"] == TEXTS["issues"][key]["fix_flow"]["abort"].keys()
    of_their_own = {CIRCUIT_GONE, STATION_REMOVED, EVSE_REMOVED, WORST_CASE_EXCEEDED, METER_TURNED, METER_UNSEEN}
    for key in FLOWS.keys() - of_their_own:
        assert aborts["repairs"] <= TEXTS["issues"][key]["fix_flow"]["abort"].keys()
    assert aborts["config_flow"] | aborts["security_flow"] <= TEXTS["config"]["abort"].keys()
    finished = {key for call in called(MODULES["station_security_flow"], {"finish"}) for key in strings(call.args[0])}
    assert finished <= TEXTS["config_subentries"]["station"]["abort"].keys()
    assert finished - set(REPAIRED) - {"password_rotated"} <= TEXTS["issues"][BELOW_PROFILE]["fix_flow"]["abort"].keys()
    # async_add_subentry aborts a flow by itself
    assert "already_configured" in TEXTS["issues"][STATION_PENDING]["fix_flow"]["abort"]
    assert "already_configured" in TEXTS["config_subentries"]["station"]["abort"]


def test_every_issue_says_what_is_and_what_to_do() -> None:
    raised = {
        key
        for module in MODULES.values()
        for call in called(module, {"async_create_issue"})
        for key in strings(argument(call, "translation_key"))
    }
    assert TEXTS["issues"].keys() == raised | {
        STATION_PENDING,
        PHASE_MAP_WRONG,
        CIRCUIT_GONE,
        STATION_REMOVED,
        EVSE_REMOVED,
        LIMIT_SOURCE_GONE,
        LIMIT_SOURCE_SILENT,
        METER_LOST,
        METER_TURNED,
        METER_UNSEEN,
        RESOURCE_IN_THE_WAY,
        RESOURCE_LOST,
        DEAD_MAN_BROKEN,
        WORST_CASE_EXCEEDED,
        NO_SOLVER,
        LOOP_FAILED,
        PHASE_SWITCH_FAILED,
        *METER_DISAGREES.values(),
        STATION_AWAY,
        STATION_PROBLEM,
        *STATION_PROBLEMS.values(),
        BELOW_PROFILE,
        STATION_CERTIFICATE,
        CERTIFICATE_EXPIRING,
        CERTIFICATE_FAILED,
        LOGIN_FAILING,
        STATION_AWAITS_REBOOT,
        STATION_CLOCK,
        STATION_MONITOR,
        STATION_TOKENS,
        *(key for key, _ in STAGES.values()),
        OVERDREW,
        *FIRMWARE_FAILURES.values(),
    }
    for key, issue in TEXTS["issues"].items():
        assert issue["title"], key
        assert ("description" in issue) is not ("fix_flow" in issue), key


def exception_keys() -> set[str]:
    """Translation keys of everything raised with a translation domain, also through a function that is given the key."""
    keys = set()
    for module in MODULES.values():
        for call in ast.walk(module):
            if isinstance(call, ast.Call) and argument(call, "translation_domain") is not None:
                keys |= strings(argument(call, "translation_key"))
            if isinstance(call, ast.Raise) and isinstance(call.exc, ast.Call) and call.exc.args:
                name = call.exc.func.id if isinstance(call.exc.func, ast.Name) else ""
                if name and name[0].islower():
                    keys |= {key for key in strings(call.exc.args[0]) if re.fullmatch(r"[a-z_]+", key)}
    return keys


def test_every_exception_has_a_text() -> None:
    keys = exception_keys()
    assert keys
    assert keys <= TEXTS["exceptions"].keys()
    assert all(text["message"] for text in TEXTS["exceptions"].values())
    written = {node.value for module in MODULES.values() for node in ast.walk(module) if isinstance(node, ast.Constant)}
    assert TEXTS["exceptions"].keys() <= written | {fault.key for fault in Fault}, "texts that nothing raises"


METER_KINDS = {METER_MODBUS, METER_SERIAL, METER_ENTITIES, METER_REST}

VARIABLES = {"number": variables.NUMBERS, "select": variables.SELECTS, "switch": variables.SWITCHES}
"""The rows that platforms make of a table of their own."""


def of_platform(platform: str) -> ast.Module:
    """A platform's module and those of its tables."""
    names = [platform, *(name for name in MODULES if name.startswith(f"{platform}s."))]
    return ast.Module(body=[statement for name in names for statement in MODULES[name].body], type_ignores=[])


def entity_keys(platform: str) -> set[str]:
    """The translation keys that a platform's rows and entities are given; patterns where they are put together."""
    module = of_platform(platform)
    given = {
        key for node in ast.walk(module) if isinstance(node, ast.keyword) and node.arg == "translation_key" for key in strings(node.value)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "_attr_translation_key" for target in targets):
                given |= strings(node.value)
    given |= {setting.key for setting in VARIABLES.get(platform, ())}
    return given - TEXTS["exceptions"].keys()


def keys_with_class(platform: str) -> set[str]:
    """The translation keys, or patterns of them, of the rows that have an icon from their device class."""
    module = of_platform(platform)

    def gives_icon(value: ast.AST | None) -> bool:
        return isinstance(value, ast.Attribute) and value.attr != "ENUM"

    rows = {
        node.name
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
        for line in node.body
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and line.target.id == "device_class"
        and gives_icon(line.value)
    }
    return {
        key
        for call in ast.walk(module)
        if isinstance(call, ast.Call) and (gives_icon(argument(call, "device_class")) or getattr(call.func, "id", "") in rows)
        for key in strings(argument(call, "translation_key"))
    }


@pytest.mark.parametrize("platform", [str(platform) for platform in PLATFORMS])
def test_every_entity_has_a_name_and_an_icon(platform: str) -> None:
    patterns = entity_keys(platform)
    names = TEXTS["entity"][platform]
    icons = ICONS["entity"].get(platform, {})
    classed = keys_with_class(platform)
    for pattern in patterns:
        matching = {key for key in names if re.fullmatch(pattern, key)}
        assert matching, f"{pattern} has no name"
        assert all(names[key]["name"] for key in matching)
        assert pattern in classed or matching <= icons.keys(), f"{matching - icons.keys()} has no icon"
    unused = {key for key in names if not any(re.fullmatch(pattern, key) for pattern in patterns)}
    assert not unused, "names that no entity has"
    assert icons.keys() <= names.keys(), "icons that no entity has"


def test_every_action_has_its_texts_and_icon() -> None:
    services = load_yaml_dict(str(COMPONENT / "services.yaml"))
    assert services.keys() == TEXTS["services"].keys() == ICONS["services"].keys()
    for name, service in services.items():
        texts = TEXTS["services"][name]
        assert texts["name"] and texts["description"]
        sections = {key: field["fields"] for key, field in service.get("fields", {}).items() if "fields" in field}
        fields = [*(service.get("fields", {}).keys() - sections.keys()), *(field for section in sections.values() for field in section)]
        assert len(fields) == len(set(fields)) and set(fields) == texts.get("fields", {}).keys(), name
        assert sections.keys() == texts.get("sections", {}).keys() and all(texts["sections"][key]["name"] for key in sections), name
        assert all(field["name"] and field["description"] for field in texts.get("fields", {}).values()), name


def test_every_action_is_described() -> None:
    """For who asks what there is, before it is installed."""
    page = (COMPONENT.parents[1] / "docs" / "entities.md").read_text(encoding="utf-8")
    assert set(re.findall(r"headroom\.(\w+)`", page)) >= ACTIONS.keys() == TEXTS["services"].keys()


def test_every_selector_that_is_translated_has_texts() -> None:
    services = json.dumps(load_yaml_dict(str(COMPONENT / "services.yaml")))
    asked = set(re.findall(r'"translation_key": "(\w+)"', services))
    asked |= {
        key for module in MODULES.values() for call in called(module, {"choice"}) for key in strings(argument(call, "translation_key"))
    }
    assert asked | {meter_findings.TRANSLATION_KEY} == TEXTS["selector"].keys()
    findings = {*Finding, *meter_findings.OwnFinding}
    assert TEXTS["selector"][meter_findings.TRANSLATION_KEY]["options"].keys() == findings
