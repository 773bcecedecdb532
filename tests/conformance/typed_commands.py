"""The typed commands of a 2.0.1 station, each with calls that use its arguments; what they send is for the strict station to judge."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
import inspect
from typing import Any

from custom_components.headroom.csms.authorization import IdToken
from custom_components.headroom.csms.v201.link import Block
from custom_components.headroom.csms.v201.station import V201Station

from .messages import profile

type Command = Callable[[V201Station], Awaitable[Any]]

NO_COMMANDS = {"run", "approve", "authorization.answer"}
"""What the server and other blocks call."""
SOON = datetime(2026, 1, 1, 12, 5, 0, 123456, tzinfo=UTC)
DRIVER = IdToken(value="04A1B2C3", type="ISO14443")


def commands(station: V201Station) -> set[str]:
    """Return the names of all public commands: the station's own, and "firmware.update" for those of its blocks."""
    blocks = {f"{name}.": block for name, block in vars(station).items() if isinstance(block, Block) and not name.startswith("_")}
    return {
        prefix + name
        for prefix, owner in ({"": station} | blocks).items()
        for name, _ in inspect.getmembers(type(owner), inspect.iscoroutinefunction)
        if not name.startswith("_")
    } - NO_COMMANDS


TYPED: Mapping[str, tuple[Command, ...]] = {
    "call": (lambda station: station.call("GetLocalListVersion", {}),),
    "change_availability": (
        lambda station: station.change_availability(operative=True),
        lambda station: station.change_availability(operative=False, evse_id=1),
    ),
    "clear_charging_profile": (
        lambda station: station.clear_charging_profile(profile_id=10),
        lambda station: station.clear_charging_profile(evse_id=1, purpose="TxProfile", stack_level=0),
    ),
    "clear_foreign_profiles": (lambda station: station.clear_foreign_profiles(),),
    "clear_leases": (lambda station: station.clear_leases(1),),
    "get_charging_profiles": (
        lambda station: station.get_charging_profiles(),
        lambda station: station.get_charging_profiles(1),
    ),
    "get_composite_schedule": (
        lambda station: station.get_composite_schedule(0, 3600),
        lambda station: station.get_composite_schedule(1, 60, "W"),
    ),
    "get_variables": (lambda station: station.get_variables([("SmartChargingCtrlr", "RateUnit"), ("AuthCtrlr", "Enabled")]),),
    "install_fallback": (
        lambda station: station.install_fallback(1, 0.0),
        lambda station: station.install_fallback(1, 6.04),
    ),
    "install_lease": (
        lambda station: station.install_lease(1, "T1", 0.0, SOON),
        lambda station: station.install_lease(1, "T1", 31.96, SOON + timedelta(days=1)),
    ),
    "install_station_limit": (lambda station: station.install_station_limit(63.0),),
    "reset": (lambda station: station.reset(immediate=True), lambda station: station.reset(immediate=False, evse_id=1)),
    "set_charging_profile": (lambda station: station.set_charging_profile(1, profile("TxDefaultProfile")),),
    "set_variables": (
        lambda station: station.set_variables({("AuthCtrlr", "Enabled"): "true", ("OCPPCommCtrlr", "OfflineThreshold"): "9"}),
    ),
    "start_transaction": (lambda station: station.start_transaction(1, DRIVER, 7),),
    "stop_transaction": (lambda station: station.stop_transaction("T1"),),
    "trigger": (lambda station: station.trigger("Heartbeat"), lambda station: station.trigger("MeterValues", 1)),
    "unlock_connector": (lambda station: station.unlock_connector(1, 1),),
}
