"""What a limit in watts is reckoned with: the voltage between phase and neutral, and no other that a station tells of."""

from typing import Any

import pytest

from custom_components.headroom.csms.memory import Draw, Memory
from custom_components.headroom.csms.sampled_values import samples
from custom_components.headroom.csms.values import UNKNOWN

from .client import REPORT, stamp, station, variable
from .conftest import House
from .profile_keeping import STARTED, keeping, soon

IN_WATTS = [
    variable("Connector", "AvailabilityState", "Available", evse={"id": 1, "connectorId": 1}),
    variable("SmartChargingCtrlr", "RateUnit", "W"),
]


def metered(voltage_v: float, **more: Any) -> dict[str, Any]:
    sampled = [
        {"value": voltage_v, "measurand": "Voltage"} | more,
        {"value": 100.0, "measurand": "Current.Import"},
        {"value": 100.0 * voltage_v, "measurand": "Power.Active.Import"},
    ]
    return {"meterValue": [{"timestamp": stamp(), "sampledValue": sampled}]}


@pytest.mark.parametrize("voltage_v", [250.0, 400.0, 780.0])
async def test_the_voltage_of_a_battery_makes_no_watts_of_the_grids_amps(house: House, voltage_v: float) -> None:
    async with station(house.port) as client:
        client.report = [*IN_WATTS, variable("EVSE", "SupplyPhases", "0", evse={"id": 1})]
        store = keeping(client)
        found = await house.boot(client)
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()} | metered(voltage_v))
        await client.call("MeterValues", {"evseId": 1} | metered(voltage_v))
        await found.install_lease(1, "T1", 32, soon())
        [period] = store.installed[-1].profile["chargingSchedule"][0]["chargingSchedulePeriod"]
        assert period["limit"] == 32 * 3 * 230


async def test_the_voltage_between_two_phases_makes_no_watts_of_a_phases_amps(house: House) -> None:
    async with station(house.port) as client:
        client.report = [*IN_WATTS, *REPORT[:1]]
        store = keeping(client)
        found = await house.boot(client)
        used = {"numberOfPhasesUsed": 3}
        await client.call("TransactionEvent", STARTED | {"timestamp": stamp()} | used | metered(400))
        await found.install_lease(1, "T1", 10, soon())
        [period] = store.installed[-1].profile["chargingSchedule"][0]["chargingSchedulePeriod"]
        assert period["limit"] == 10 * 3 * 230


def test_no_current_is_made_of_the_voltage_between_two_phases() -> None:
    sampled = [{"value": 400, "measurand": "Voltage"}, {"value": 11040, "measurand": "Power.Active.Import"}]
    [sample] = samples([{"sampledValue": sampled}], phases_used=3)
    assert sample.voltage_v == (400, 400, 400) and sample.current_a == UNKNOWN


def test_a_voltage_that_was_kept_and_is_none_of_a_phase_is_let_go() -> None:
    memory = Memory(draws={1: Draw(phases=3, voltage_v=231.0)})
    document = memory.document()
    document["draws"]["2"] = {"phases": 3, "voltage_v": 400.0}
    draws = Memory.from_document(document).draws
    assert (draws[1].voltage_v, draws[2]) == (231.0, Draw(phases=3))
