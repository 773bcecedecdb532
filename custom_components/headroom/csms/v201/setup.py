"""Getting to know a station of OCPP 2.0.1 and setting what the control loop needs of it (blocks B and J)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
import logging

from .. import inventory as device_model
from ..reports import Reports
from ..station import (
    CallError,
    CallRejectedError,
    CallTimeoutError,
    Inventory,
    StationError,
    StationOfflineError,
    VariableKey,
    VariableResult,
)
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


async def read_inventory(calls: Calls, reports: Reports, *, idle_s: float, total_s: float) -> Inventory:
    """Return the station's device model: by a report, else variable by variable, else the standard's defaults.

    Raises StationOfflineError only: a station that tells nothing can still be limited.
    """
    try:
        found = await _reported(calls, reports, idle_s=idle_s, total_s=total_s)
        if found is None:
            found = await _asked(calls)
    except StationOfflineError:
        raise
    except StationError as error:
        _LOGGER.warning("No inventory could be read, the standard's defaults are assumed: %s", error)
        found = device_model.build({}, ())
    calls.learn(found)
    return found


async def _reported(calls: Calls, reports: Reports, *, idle_s: float, total_s: float) -> Inventory | None:
    for base in REPORT_BASES:
        with reports.expect() as report:
            try:
                await calls.command("GetBaseReport", {"requestId": report.request_id, "reportBase": base})
            except CallRejectedError, CallError, CallTimeoutError:
                continue
            items, any_page = await report.collect(idle_s=idle_s, total_s=total_s)
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


async def configure(calls: Calls, found: Inventory, *, identity: str, sample_interval_s: int, heartbeat_interval_s: int) -> Inventory:
    """Set intervals and measurands where the inventory does not show them set already; returns the inventory as it is then.

    Raises StationOfflineError only; what the station refuses is logged, for it can be managed without.
    """
    try:
        wanted = {
            ("SampledDataCtrlr", "TxUpdatedInterval"): str(sample_interval_s),
            ("OCPPCommCtrlr", "HeartbeatInterval"): str(heartbeat_interval_s),
        }
        for component in ("SampledDataCtrlr", "SmartChargingCtrlr"):
            if found.variables.get(f"{component}.Enabled", "").lower() == "false":
                wanted[component, "Enabled"] = "true"
        wanted = {key: value for key, value in wanted.items() if found.variables.get(".".join(key)) != value}
        results = await calls.set_variables(wanted) if wanted else {}
        refused = [".".join(key) for key, result in results.items() if not result.taken]
        refused += [variable for variable in MEASURAND_VARIABLES if not await _set_measurands(calls, found, variable)]
    except StationOfflineError:
        raise
    except StationError as error:
        _LOGGER.warning("%s could not be configured: %s", identity, error)
        return found
    if refused:
        _LOGGER.warning("%s does not let these be set: %s", identity, ", ".join(refused))
    return _after(found, wanted, results)


async def _set_measurands(calls: Calls, found: Inventory, variable: str) -> bool:
    present = found.variables.get(f"SampledDataCtrlr.{variable}", "")
    key = ("SampledDataCtrlr", variable)
    for measurands in MEASURANDS:
        if set(measurands) == {part.strip() for part in present.split(",")}:
            return True
        result = (await calls.set_variables({key: ",".join(measurands)}))[key]
        if result.taken:
            return True
        if result.status not in ("Rejected", ""):
            return False
    return False


def _after(found: Inventory, wanted: Mapping[VariableKey, str], results: Mapping[VariableKey, VariableResult]) -> Inventory:
    taken: Sequence[VariableKey] = [key for key, result in results.items() if result.status == "Accepted"]
    variables = dict(found.variables) | {".".join(key): wanted[key] for key in taken}
    smart_charging = device_model.build(variables, ()).smart_charging
    return replace(found, variables=variables, smart_charging=smart_charging)
