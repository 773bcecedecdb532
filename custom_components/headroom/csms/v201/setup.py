"""Getting to know a station of OCPP 2.0.1 and setting what the control loop needs of it (blocks B and J)."""

from dataclasses import replace
import logging

from .. import inventory as device_model
from ..errors import CallError, CallRejectedError, CallTimeoutError, StationError, StationOfflineError
from ..liveness import HEARTBEAT
from ..reports import Reports
from ..values import Inventory
from ..variables import VariableKey
from .calls import Calls

_LOGGER = logging.getLogger(__name__)

REPORT_BASES = ("FullInventory", "SummaryInventory")
MEASURANDS = (
    ("Current.Import", "Voltage", "Power.Active.Import", "Energy.Active.Import.Register"),
    ("Current.Import", "Power.Active.Import", "Energy.Active.Import.Register"),
    ("Power.Active.Import", "Energy.Active.Import.Register"),
    ("Energy.Active.Import.Register",),
)
"""What a sample is to hold: the first that the station accepts."""
MEASURAND_VARIABLES = ("TxUpdatedMeasurands", "TxStartedMeasurands", "TxEndedMeasurands")


async def read_inventory(calls: Calls, reports: Reports, *, total_s: float) -> Inventory:
    """Return the station's device model: by a report, else variable by variable, else the standard's defaults.

    Raises StationOfflineError only: a station that tells nothing can still be limited.
    """
    try:
        found = await _reported(calls, reports, total_s=total_s)
        if found is None:
            found = await _asked(calls)
    except StationOfflineError:
        raise
    except StationError as error:
        _LOGGER.warning("No inventory could be read, the standard's defaults are assumed: %s", error)
        found = device_model.build({}, ())
    calls.learn(found)
    return found


async def _reported(calls: Calls, reports: Reports, *, total_s: float) -> Inventory | None:
    for base in REPORT_BASES:
        with reports.expect() as report:
            try:
                await calls.command("GetBaseReport", {"requestId": report.request_id, "reportBase": base})
            except CallRejectedError, CallError, CallTimeoutError:
                continue
            items, any_page = await report.collect(total_s)
            if any_page:
                return device_model.from_report(items)
    return None


async def _asked(calls: Calls) -> Inventory:
    values = await calls.get_variables(device_model.VARIABLES_WITHOUT_REPORT)
    variables = {".".join(key): result.value for key, result in values.items() if result.value is not None}
    evses: list[tuple[int, int | None]] = []
    for evse_id in range(1, device_model.MOST_EVSES_PROBED + 1):
        state, phases = (f"EVSE@{evse_id}", "AvailabilityState"), (f"EVSE@{evse_id}", "SupplyPhases")
        connectors = [(f"Connector@{evse_id}:{number}", "AvailabilityState") for number in (1, 2)]
        values = await calls.get_variables([state, phases, *connectors])
        if values[state].value is None and values[connectors[0]].value is None:
            break
        variables |= {".".join(key): result.value for key, result in values.items() if result.value is not None}
        evses += [(evse_id, None), *((evse_id, number) for number, key in enumerate(connectors, 1) if values[key].value is not None)]
    return device_model.build(variables, evses)


async def configure(
    calls: Calls, found: Inventory, *, identity: str, sample_interval_s: int, heartbeat_interval_s: int
) -> tuple[Inventory, dict[str, str]]:
    """Set time source, intervals and measurands where the inventory does not show them set already.

    Returns the inventory as it is then, and what the station holds of all that by variable. Raises StationOfflineError only; what
    the station refuses is logged, for it can be managed without.
    """
    held: dict[VariableKey, str] = {}
    waiting: set[str] = set(found.awaiting_reboot)
    try:
        wanted = _wanted(found, sample_interval_s, heartbeat_interval_s)
        held = {key: value for key, value in wanted.items() if found.variables.get(".".join(key)) == value}
        to_set = {key: value for key, value in wanted.items() if key not in held}
        results = await calls.set_variables(to_set) if to_set else {}
        held |= {key: wanted[key] for key, result in results.items() if result.status == "Accepted"}
        waiting |= {".".join(key) for key, result in results.items() if result.status == "RebootRequired"}
        refused = [".".join(key) for key, result in results.items() if not result.taken]
        for variable in MEASURAND_VARIABLES:
            if (measurands := await _set_measurands(calls, found, variable)) is None:
                refused.append(variable)
            else:
                held["SampledDataCtrlr", variable] = measurands
    except StationOfflineError:
        raise
    except StationError as error:
        _LOGGER.warning("%s could not be configured: %s", identity, error)
    else:
        if refused:
            _LOGGER.warning("%s does not let these be set: %s", identity, ", ".join(refused))
    found = replace(device_model.with_values(found, held), awaiting_reboot=tuple(sorted(waiting)))
    return found, {".".join(key): value for key, value in held.items()}


def _wanted(found: Inventory, sample_interval_s: int, heartbeat_interval_s: int) -> dict[VariableKey, str]:
    wanted = {
        ("SampledDataCtrlr", "TxUpdatedInterval"): str(sample_interval_s),
        HEARTBEAT: str(heartbeat_interval_s),
    }
    for component in ("SampledDataCtrlr", "SmartChargingCtrlr"):
        if found.variables.get(f"{component}.Enabled", "").lower() == "false":
            wanted[component, "Enabled"] = "true"
    sources = [source.strip() for source in found.variables.get("ClockCtrlr.TimeSource", "").split(",") if source.strip()]
    clock = found.device.get("ClockCtrlr.TimeSource")
    if sources and "Heartbeat" not in sources and clock is not None and clock.writable:
        wanted["ClockCtrlr", "TimeSource"] = ",".join([*sources, "Heartbeat"])
    return wanted


async def verify(calls: Calls, found: Inventory, configured: dict[str, str]) -> Inventory:
    """Look whether a station that booted still holds what was configured, and set again what it forgot. Raises StationError."""
    keys = [(component, variable) for component, _, variable in (key.rpartition(".") for key in configured)]
    results = await calls.get_variables(keys)
    values = {key: result.value for key, result in results.items() if result.value is not None}
    lost = {key: configured[".".join(key)] for key, value in values.items() if not _same(value, configured[".".join(key)])}
    if lost:
        again = await calls.set_variables(lost)
        values |= {key: lost[key] for key, result in again.items() if result.status == "Accepted"}
    return device_model.with_values(found, values)


def _same(one: str, other: str) -> bool:
    return {part.strip() for part in one.split(",")} == {part.strip() for part in other.split(",")}


async def _set_measurands(calls: Calls, found: Inventory, variable: str) -> str | None:
    present = found.variables.get(f"SampledDataCtrlr.{variable}", "")
    key = ("SampledDataCtrlr", variable)
    for measurands in (",".join(measurands) for measurands in MEASURANDS):
        if _same(measurands, present):
            return present
        result = (await calls.set_variables({key: measurands}))[key]
        if result.taken:
            return measurands
        if result.status not in ("Rejected", ""):
            return None
    return None
