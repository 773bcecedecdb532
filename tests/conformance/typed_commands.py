"""The typed commands of a 2.0.1 station, each with calls that use its arguments; what they send is for the strict station to judge."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
import inspect
from typing import Any

from custom_components.headroom.csms.authorization import AuthorizationStatus, IdToken, IdTokenInfo, OfflineAuthorization
from custom_components.headroom.csms.correction import Drop, Put
from custom_components.headroom.csms.dialect import Handle
from custom_components.headroom.csms.errors import CallTimeoutError
from custom_components.headroom.csms.profile_builder import Period
from custom_components.headroom.csms.profiles import Placed
from custom_components.headroom.csms.security_commands import Apn, Vpn
from custom_components.headroom.csms.upkeep import Customer, DisplayMessage, Firmware, LogRequest, Monitor, Retries
from custom_components.headroom.csms.v201.link import Block
from custom_components.headroom.csms.v201.station import V201Station
from custom_components.headroom.csms.variables import AttributeType
from custom_components.headroom.persons_profile import Asked, recurring

from .messages import HASH, PEM, profile

type Command = Callable[[V201Station], Awaitable[Any]]

NO_COMMANDS = {"run", "approve", "authorization.answer"}
"""What the server and other blocks call."""
SOON = datetime(2026, 1, 1, 12, 5, 0, 123456, tzinfo=UTC)
DRIVER = IdToken(value="04A1B2C3", type="ISO14443")
ODD = IdToken(value="A card of thirty-six characters long", type="a type of the vendor's own")
TRY_AGAIN = Retries(count=2, interval_s=60)
OVERLONG = "ä" * 600
OFFLINE = OfflineAuthorization(
    tokens={
        DRIVER: IdTokenInfo(status=AuthorizationStatus.ACCEPTED, cache_expires_at=SOON, evse_ids=(1,), language="en", message=OVERLONG),
        **{
            IdToken(value=f"CARD{number}", type="Central"): IdTokenInfo(status=status, group=OVERLONG)
            for number, status in enumerate(AuthorizationStatus)
        },
    },
    master_pass_group="wardens",
)

FIVE = time(5)
(NIGHTLY,) = recurring(6.0, begins=time(22), ends=FIVE, days=(), now=SOON, least=6.0, valid_until=SOON + timedelta(days=9000))
(WEEKEND,) = recurring(6.04, begins=FIVE, ends=FIVE, days=("sat", "sun"), now=SOON, phases=1)
GENTLY = Asked(kind="relative", schedules=[[Period(start_s=0, limit=6.0)]], duration_s=1800, stack_level=3)


def commands(station: V201Station) -> set[str]:
    """Return the names of all public commands: the station's own, and "firmware.update" for those of its blocks."""
    blocks = {f"{name}.": block for name, block in vars(station).items() if isinstance(block, Block) and not name.startswith("_")}
    return {
        prefix + name
        for prefix, owner in ({"": station} | blocks).items()
        for name, _ in inspect.getmembers(type(owner), inspect.iscoroutinefunction)
        if not name.startswith("_")
    } - NO_COMMANDS


async def _ask_for_signing(station: V201Station) -> None:
    """Nobody signs here: what is asked for is what counts."""
    with suppress(CallTimeoutError):
        await station.certificates.ask_for_signing(timeout_s=0.01)


TYPED: Mapping[str, tuple[Command, ...]] = {
    "authorization.cancel_reservation": (lambda station: station.authorization.cancel_reservation(4),),
    "authorization.clear_cache": (lambda station: station.authorization.clear_cache(),),
    "authorization.keep": (
        lambda station: station.authorization.keep(OFFLINE),
        lambda station: station.authorization.keep(OfflineAuthorization()),
    ),
    "authorization.reserve_now": (
        lambda station: station.authorization.reserve_now(4, DRIVER, SOON),
        lambda station: station.authorization.reserve_now(5, ODD, SOON, evse_id=1, connector_type="cType2", group=OVERLONG),
    ),
    "authorization.send_list": (
        lambda station: station.authorization.send_list(OFFLINE),
        lambda station: station.authorization.send_list(OfflineAuthorization()),
    ),
    "get_report": (
        lambda station: station.get_report(),
        lambda station: station.get_report([("EVSE@1", "AvailabilityState"), ("SmartChargingCtrlr", None)], ["Active", "Problem"]),
    ),
    "call": (lambda station: station.call("GetLocalListVersion", {}),),
    "certificates.ask_for_signing": (_ask_for_signing,),
    "certificates.delete": (lambda station: station.certificates.delete(HASH),),
    "certificates.has_root": (lambda station: station.certificates.has_root(HASH),),
    "certificates.install": (lambda station: station.certificates.install("CSMSRootCertificate", PEM),),
    "certificates.installed": (
        lambda station: station.certificates.installed(),
        lambda station: station.certificates.installed(("V2GRootCertificate", "CSMSRootCertificate")),
    ),
    "certificates.set_network_profile": (
        lambda station: station.certificates.set_network_profile(1, "wss://csms.example/ocpp", 2, "Wired0"),
        lambda station: station.certificates.set_network_profile(
            2,
            "wss://csms.example/ocpp",
            3,
            "Wireless0",
            apn=Apn(name="internet.example", user="u", password="p", sim_pin=1234, preferred_network="20408", only_preferred=True),
            vpn=Vpn(type="IKEv2", server="vpn.example", user="u", password="p", key="k", group="g"),
        ),
    ),
    "certificates.set_password": (lambda station: station.certificates.set_password("a-password-of-enough-letters"),),
    "change_availability": (
        lambda station: station.change_availability(operative=True),
        lambda station: station.change_availability(operative=False, evse_id=1),
    ),
    "check_composite": (lambda station: station.check_composite(1, 60),),
    "clear_charging_profile": (
        lambda station: station.clear_charging_profile(profile_id=10),
        lambda station: station.clear_charging_profile(evse_id=1, purpose="TxProfile", stack_level=0),
    ),
    "clear_leases": (lambda station: station.clear_leases(1),),
    "correct": (
        lambda station: station.correct(Put(Placed(0, profile("ChargingStationMaxProfile")))),
        lambda station: station.correct(Drop(10)),
    ),
    "diagnostics.clear_monitors": (lambda station: station.diagnostics.clear_monitors(range(1, 20)),),
    "diagnostics.customer_information": (
        lambda station: station.diagnostics.customer_information(Customer(id_token="04A1B2C3"), report=True, clear=False),
        lambda station: station.diagnostics.customer_information(Customer(identifier="C-1"), report=False, clear=True),
    ),
    "diagnostics.get_log": (
        lambda station: station.diagnostics.get_log(LogRequest(kind="SecurityLog", location="http://127.0.0.1/l")),
        lambda station: station.diagnostics.get_log(
            LogRequest(kind="DiagnosticsLog", location="http://127.0.0.1/l", oldest=SOON, latest=SOON), TRY_AGAIN
        ),
    ),
    "diagnostics.get_monitors": (
        lambda station: station.diagnostics.get_monitors(),
        lambda station: station.diagnostics.get_monitors(
            ("ThresholdMonitoring", "DeltaMonitoring"), [("EVSE@1", None), ("Connector@1:1", "AvailabilityState")]
        ),
    ),
    "diagnostics.set_monitoring_base": (lambda station: station.diagnostics.set_monitoring_base("All"),),
    "diagnostics.set_monitoring_level": (lambda station: station.diagnostics.set_monitoring_level(4),),
    "diagnostics.set_monitors": (
        lambda station: station.diagnostics.set_monitors(
            [
                Monitor(component="EVSE@1", variable="Power", type="UpperThreshold", value=11000.5, severity=4, in_transaction=True),
                Monitor(component="Connector@1:1", variable="AvailabilityState", type="Delta", value=1, severity=9, id=7),
            ]
        ),
    ),
    "display.clear": (lambda station: station.display.clear(1),),
    "display.messages": (
        lambda station: station.display.messages(),
        lambda station: station.display.messages([1, 2], priority="InFront", state="Idle"),
    ),
    "display.show": (
        lambda station: station.display.show(DisplayMessage(id=1, text="Charging")),
        lambda station: station.display.show(
            DisplayMessage(
                id=2,
                text="Charging",
                priority="AlwaysFront",
                format="ASCII",
                language="de",
                state="Charging",
                starts_at=SOON,
                ends_at=SOON,
                transaction_id="T1",
                evse_id=1,
            )
        ),
    ),
    "display.transfer": (
        lambda station: station.display.transfer("org.example"),
        lambda station: station.display.transfer("org.example", "m", {"camelCase": [1.0, None], "snake_case": "x"}),
    ),
    "display.update_cost": (lambda station: station.display.update_cost("T1", 3.756),),
    "firmware.publish": (lambda station: station.firmware.publish("http://127.0.0.1/f", "0" * 32, TRY_AGAIN),),
    "firmware.unpublish": (lambda station: station.firmware.unpublish("0" * 32),),
    "firmware.update": (
        lambda station: station.firmware.update(Firmware(location="http://127.0.0.1/f", retrieve_at=SOON)),
        lambda station: station.firmware.update(
            Firmware(location="http://127.0.0.1/f", retrieve_at=SOON, install_at=SOON, signing_certificate=PEM, signature="c2ln"),
            TRY_AGAIN,
        ),
    ),
    "get_charging_profiles": (
        lambda station: station.get_charging_profiles(),
        lambda station: station.get_charging_profiles(1),
    ),
    "get_composite_schedule": (
        lambda station: station.get_composite_schedule(0, 3600),
        lambda station: station.get_composite_schedule(1, 60, "W"),
    ),
    "get_variables": (
        lambda station: station.get_variables([("SmartChargingCtrlr", "RateUnit"), ("AuthCtrlr", "Enabled")]),
        lambda station: station.get_variables([("Connector@1:1", "AvailabilityState")], AttributeType.TARGET),
    ),
    "install_fallback": (
        lambda station: station.install_fallback(1, 0.0),
        lambda station: station.install_fallback(1, 6.04),
    ),
    "install_lease": (
        lambda station: station.install_lease(1, "T1", 0.0, SOON),
        lambda station: station.install_lease(1, "T1", 31.96, SOON + timedelta(days=1)),
    ),
    "install_station_limit": (lambda station: station.install_station_limit(63.0),),
    "read_inventory": (lambda station: station.read_inventory(),),
    "reset": (lambda station: station.reset(immediate=True), lambda station: station.reset(immediate=False, evse_id=1)),
    "set_charging_profile": (
        lambda station: station.set_charging_profile(0, profile("ChargingStationMaxProfile")),
        lambda station: station.set_charging_profile(0, NIGHTLY.profile(5000, "station", None, SOON)),
        lambda station: station.set_charging_profile(1, WEEKEND.profile(5001, "evse", None, SOON)),
        lambda station: station.set_charging_profile(1, GENTLY.profile(5002, "evse", None, SOON)),
    ),
    "set_variables": (
        lambda station: station.set_variables({("AuthCtrlr", "Enabled"): "true", ("OCPPCommCtrlr", "OfflineThreshold"): "9"}),
    ),
    "start_transaction": (
        lambda station: station.start_transaction(1, DRIVER, 7, limit_a=10.0, valid_to=SOON),
        lambda station: station.start_transaction(1, DRIVER, 7),
    ),
    "stop_transaction": (lambda station: station.stop_transaction("T1"),),
    "trigger": (lambda station: station.trigger("Heartbeat"), lambda station: station.trigger("MeterValues", 1)),
    "survey": (lambda station: station.survey(),),
    "unlock_connector": (lambda station: station.unlock_connector(1, 1),),
    "withdraw": (
        lambda station: station.withdraw(1, Handle.TRANSACTION),
        lambda station: station.withdraw(1, Handle.DEFAULT, fallback=True),
    ),
}
