"""Actions: what they do at the station and in the loop, and what is said to who calls them wrongly."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
import json
from typing import Any

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import device_registry as dr, issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.headroom.const import DOMAIN

from .raw_station import Payload, RawStation, raw_station, until

LIMIT_REASON = "sensor.left_evse_1_limit_reason"


@pytest.fixture
def meter_data(hass: HomeAssistant) -> dict[str, Any]:
    """A meter that is three sensors, with 8 A on each phase."""
    for phase in (1, 2, 3):
        hass.states.async_set(f"sensor.l{phase}", "8", {"unit_of_measurement": "A", "device_class": "current"})
    return {"type": "entities", "invert": False} | {f"current_l{phase}": f"sensor.l{phase}" for phase in (1, 2, 3)}


@pytest.fixture
async def left(hass: HomeAssistant, init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, ready for commands."""
    async with raw_station(init_integration, "CP1") as station:
        await station.boot()
        await station.status("Available")
        await station.hears("SetChargingProfile")
        await until(hass, "sensor.left_evse_1_status", "available")
        yield station


@pytest.fixture
async def right(hass: HomeAssistant, init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The right station, known to be idle: nothing is kept back for it."""
    async with raw_station(init_integration, "CP2") as station:
        await station.boot()
        for evse_id in (1, 2):
            await station.status("Available", evse_id)
            await station.hears("SetChargingProfile", lambda asked, evse_id=evse_id: asked["evseId"] == evse_id)
            await until(hass, f"sensor.right_evse_{evse_id}_status", "available")
        yield station


def device(hass: HomeAssistant, entry: MockConfigEntry, name: str = "") -> str:
    """Return a device's id by what follows the entry's id in its identifier."""
    registry = dr.async_get(hass)
    identifier = (DOMAIN, f"{entry.entry_id}_{name}" if name else entry.entry_id)
    found = registry.async_get_device_by_identifier(identifier, entry.entry_id) or registry.async_get_child_device_by_identifier(
        identifier, entry.entry_id
    )
    assert found is not None
    return found.id


async def act(hass: HomeAssistant, action: str, device_id: str, **fields: Any) -> Any:
    """Call an action; returns its response."""
    return await hass.services.async_call(
        DOMAIN, action, {"device_id": device_id, **fields}, blocking=True, return_response=action.startswith("get_")
    )


def limit_of(payload: Payload) -> float:
    """Return the lowest limit in a profile that was sent."""
    schedules = payload["chargingProfile"]["chargingSchedule"]
    return min(period["limit"] for schedule in schedules for period in schedule["chargingSchedulePeriod"])


def is_lease(payload: Payload) -> bool:
    """Say whether a profile is a transaction's."""
    return payload["chargingProfile"]["chargingProfilePurpose"] == "TxProfile"


async def charge(hass: HomeAssistant, station: RawStation) -> None:
    """Plug in a car that charges, and wait until it is limited."""
    await station.status("Occupied")
    await station.transaction("Started", 0, "Charging", trigger="Authorized", energy_wh=0)
    await station.transaction("Updated", 1, "Charging", current_a=6.0, voltage_v=230.0, power_w=4140.0, energy_wh=10)
    await until(hass, "sensor.left_evse_1_status", "charging")
    await station.hears("SetChargingProfile", is_lease)


async def test_start_and_stop(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """The driver's token goes to the station; a station with one EVSE stands for that one."""
    await act(hass, "start_charging", device(hass, init_integration, "CP1_1"), id_token="04ABCDEF")
    asked = await left.hears("RequestStartTransaction")
    assert asked["evseId"] == 1
    assert asked["idToken"]["idToken"] == "04ABCDEF"
    await charge(hass, left)
    await act(hass, "stop_charging", device(hass, init_integration, "CP1"))
    assert await left.hears("RequestStopTransaction") == {"transactionId": "tx-1"}


@pytest.mark.usefixtures("right")
async def test_a_start_takes_the_first_limit_along(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """What the allocator gives the car goes along as a lease that ends, and is its limit from the start (K05)."""
    await act(hass, "start_charging", device(hass, init_integration, "CP1_1"))
    asked = await left.hears("RequestStartTransaction")
    profile = asked["chargingProfile"]
    assert profile["chargingProfilePurpose"] == "TxProfile"
    assert "transactionId" not in profile
    assert "validTo" in profile
    first_a = limit_of({"chargingProfile": profile})
    await left.transaction("Started", 0, "Charging", trigger="RemoteStart", remote_start_id=asked["remoteStartId"])
    await until(hass, "sensor.left_evse_1_limit", str(first_a))


@pytest.mark.usefixtures("right")
async def test_a_profile_is_a_ceiling_for_the_allocator(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """The car is limited to what the schedule allows now, by a lease of the loop's, and freed when it is cleared."""
    await charge(hass, left)
    evse = device(hass, init_integration, "CP1_1")
    await act(
        hass, "set_charging_profile", evse, schedule=[{"start": 0, "limit": 6.0}, {"start": 3600, "limit": 16}], duration={"hours": 2}
    )
    await until(hass, LIMIT_REASON, "user")
    sent = await left.hears("SetChargingProfile", is_lease)
    assert limit_of(sent) <= 6.0
    await act(hass, "clear_charging_profile", evse)
    await hass.async_block_till_done()
    assert hass.states.get(LIMIT_REASON).state != "user"


@pytest.mark.parametrize(
    ("schedule", "key"),
    [
        ([{"start": 60, "limit": 10}], "schedule_start"),
        ([{"start": 0, "limit": 10}, {"start": 0, "limit": 12}], "schedule_order"),
        ([{"start": 0, "limit": 3}], "limit_undefined"),
    ],
)
async def test_a_schedule_that_cannot_be(
    hass: HomeAssistant, init_integration: MockConfigEntry, schedule: list[dict[str, float]], key: str
) -> None:
    """The mistake is named."""
    with pytest.raises(ServiceValidationError) as refused:
        await act(hass, "set_charging_profile", device(hass, init_integration, "CP1_1"), schedule=schedule)
    assert refused.value.translation_key == key


@pytest.mark.usefixtures("init_integration")
@pytest.mark.parametrize("schedule", [[], [{"start": -1, "limit": 10}], [{"start": 0, "limit": -10}], [{"limit": 10}]])
async def test_a_schedule_that_is_none(hass: HomeAssistant, init_integration: MockConfigEntry, schedule: list[Any]) -> None:
    """The schema refuses what has no meaning."""
    with pytest.raises(vol.Invalid):
        await act(hass, "set_charging_profile", device(hass, init_integration, "CP1_1"), schedule=schedule)


async def test_installed_profiles(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """They come from the station's own reports."""
    profile = {
        "id": 7,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [{"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}],
    }

    async def report(asked: Payload) -> None:
        await left.call(
            "ReportChargingProfiles",
            {"requestId": asked["requestId"], "chargingLimitSource": "CSO", "evseId": 1, "tbc": False, "chargingProfile": [profile]},
        )

    left.answers["GetChargingProfiles"] = {"status": "Accepted"}
    left.after("GetChargingProfiles", report)
    response = await act(hass, "get_charging_profiles", device(hass, init_integration, "CP1"))
    [installed] = response["profiles"]
    assert installed["evseId"] == 1
    assert installed["chargingProfilePurpose"] == "TxDefaultProfile"


async def test_composite_schedule(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """What the station reckons it will allow."""
    left.answers["GetCompositeSchedule"] = {
        "status": "Accepted",
        "schedule": {
            "evseId": 1,
            "duration": 600,
            "scheduleStart": datetime(2026, 11, 23, tzinfo=UTC).isoformat(),
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}],
        },
    }
    response = await act(hass, "get_composite_schedule", device(hass, init_integration, "CP1_1"), duration={"minutes": 10}, unit="A")
    asked = await left.hears("GetCompositeSchedule")
    assert asked == {"evseId": 1, "duration": 600, "chargingRateUnit": "A"}
    assert response["unit"] == "A"
    assert response["periods"][0]["limit"] == 6.0
    assert response["predicted"]
    assert all({"start_s", "end_s", "told", "expected"} == set(difference) for difference in response["differences"])
    json.dumps(response, allow_nan=False)


async def test_a_refusal_is_told(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """A station's no is an error that names it."""
    with pytest.raises(HomeAssistantError) as refused:
        await act(hass, "get_composite_schedule", device(hass, init_integration, "CP1_1"))
    assert refused.value.translation_key == "station_rejected"
    assert refused.value.translation_placeholders["station"] == "CP1"


async def test_nonsense_from_the_station_is_told(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """So is an answer that is none."""
    left.answers["RequestStartTransaction"] = {}
    with pytest.raises(HomeAssistantError) as failed:
        await act(hass, "start_charging", device(hass, init_integration, "CP1_1"))
    assert failed.value.translation_key == "station_violation"
    assert failed.value.translation_placeholders["action"] == "RequestStartTransaction"


@pytest.mark.parametrize("action", ["start_charging", "get_charging_profiles", "get_composite_schedule"])
async def test_without_the_station(hass: HomeAssistant, init_integration: MockConfigEntry, action: str) -> None:
    """It is not connected, and that is what is said."""
    with pytest.raises(HomeAssistantError) as failed:
        await act(hass, action, device(hass, init_integration, "CP1_1"))
    assert failed.value.translation_key == "station_offline"


@pytest.mark.usefixtures("right")
@pytest.mark.parametrize(
    ("name", "limit"), [("", {"current": 5}), ("garage", {"power": 1.0})], ids=["site in amps", "circuit in kilowatts"]
)
async def test_a_limit_from_outside(
    hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation, name: str, limit: dict[str, float]
) -> None:
    """A limit that leaves too little for the car stops it at once, and is gone when its source clears it."""
    await charge(hass, left)
    target = device(hass, init_integration, name)
    await act(hass, "set_limit", target, source="grid", duration={"minutes": 5}, **limit)
    await left.hears("SetChargingProfile", lambda asked: is_lease(asked) and limit_of(asked) == 0)
    await until(hass, LIMIT_REASON, "external")
    assert hass.states.get(LIMIT_REASON).attributes["circuit"] == ("Garage" if name else "Home")
    await act(hass, "clear_limit", target, source="someone else")
    await hass.async_block_till_done()
    assert hass.states.get(LIMIT_REASON).state == "external"
    await act(hass, "clear_limit", target, source="grid")
    await until(hass, LIMIT_REASON, "resting")  # for the least time between a stop and a start


FAILSAFE = {"heartbeat": {"seconds": 120}, "failsafe_power": 1.0}


@pytest.mark.usefixtures("right")
async def test_a_limit_whose_source_falls_silent(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """Its failsafe holds, and is said to be one; a source that is heard and limits nothing lets the cars charge."""
    await charge(hass, left)
    target, site = device(hass, init_integration), init_integration.runtime_data.site
    await act(hass, "set_limit", target, source="grid", heartbeat={"seconds": 1}, failsafe_power=1.0, failsafe_duration={"hours": 2})
    await until(hass, LIMIT_REASON, "external")
    assert hass.states.get(LIMIT_REASON).attributes["text"].endswith("(grid, which is silent)")
    issue = f"limit_source_silent_{init_integration.entry_id}_main_grid"
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue) is not None
    await act(hass, "set_limit", target, source="grid", **FAILSAFE)
    await until(hass, LIMIT_REASON, "resting")
    assert site.memory().outside[0]["failsafe"]["limit_w"] == 1000.0
    assert ir.async_get(hass).async_get_issue(DOMAIN, issue) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"current": 10, "heartbeat": {"seconds": 120}},
        {"current": 10, "failsafe_current": 6},
        {"current": 10, "failsafe_duration": {"hours": 2}},
        {"current": 10, "failsafe_current": 6, **FAILSAFE},
    ],
)
async def test_a_failsafe_is_whole(hass: HomeAssistant, init_integration: MockConfigEntry, fields: dict[str, object]) -> None:
    """How often the source speaks, and what holds once it does not."""
    with pytest.raises(ServiceValidationError) as refused:
        await act(hass, "set_limit", device(hass, init_integration), **fields)
    assert refused.value.translation_key == "failsafe_incomplete"


@pytest.mark.parametrize("fields", [{}, {"current": 10, "power": 4}, {"current": 10, "power": 4, **FAILSAFE}])
async def test_a_limit_is_one_of_two(hass: HomeAssistant, init_integration: MockConfigEntry, fields: dict[str, object]) -> None:
    """A current or a power."""
    with pytest.raises(ServiceValidationError) as refused:
        await act(hass, "set_limit", device(hass, init_integration), **fields)
    assert refused.value.translation_key == "one_limit"


async def test_decisions(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation) -> None:
    """The newest decisions as JSON: why is this car slow?"""
    await charge(hass, left)
    response = await act(hass, "get_decisions", device(hass, init_integration), count=1)
    [decision] = response["decisions"]
    text = json.dumps(decision)
    assert "CP1/1" in text
    assert "04SECRET" not in text


@pytest.mark.parametrize(
    ("action", "name", "key"),
    [
        ("start_charging", "", "not_an_evse"),
        ("stop_charging", "CP2", "not_an_evse"),
        ("clear_limit", "CP1", "not_a_circuit"),
        ("stop_charging", "CP1_1", "not_charging"),
    ],
)
async def test_the_wrong_device(hass: HomeAssistant, init_integration: MockConfigEntry, action: str, name: str, key: str) -> None:
    """An action on a device that it means nothing for says so."""
    with pytest.raises(ServiceValidationError) as refused:
        await act(hass, action, device(hass, init_integration, name))
    assert refused.value.translation_key == key


async def test_no_running_site(hass: HomeAssistant, init_integration: MockConfigEntry) -> None:
    """The actions outlive the entry, and say that it is not loaded."""
    site = device(hass, init_integration)
    assert await hass.config_entries.async_unload(init_integration.entry_id)
    with pytest.raises(ServiceValidationError) as refused:
        await act(hass, "get_decisions", site)
    assert refused.value.translation_key == "service_config_entry_not_loaded"
    with pytest.raises(ServiceValidationError):
        await act(hass, "get_decisions", "no such device")
