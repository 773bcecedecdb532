"""Every other message of the standard, answered as it wants."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.headroom.csms.authorization import ReservationEnded
from custom_components.headroom.csms.events import (
    ChargingLimit,
    ClockChecked,
    ClockSet,
    InventoryRead,
    Metered,
    Monitored,
    Noticed,
    StatusChanged,
    TransactionEvent,
)
from custom_components.headroom.csms.schedules import MOST_PERIODS, limits_over_time
from custom_components.headroom.csms.upkeep import DataTransfer, FirmwarePublished, FirmwareStatus, LogStatus

from .client import Client, stamp, station
from .conftest import House

NOW = "2026-01-01T00:00:00Z"
CERTIFICATE = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c", "responderURL": "d"}
UNSIGNED = {"reasonCode": "UnsupportedRequest", "additionalInfo": "this central system signs no certificates"}
NEEDS = {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}}
PERIODS = [{"startPeriod": 0, "limit": 16.0}, {"startPeriod": 3600, "limit": 10.0}]
SCHEDULE = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": PERIODS}


@pytest.mark.parametrize(
    ("action", "payload", "answer", "told"),
    [
        ("SecurityEventNotification", {"type": "FirmwareUpdated", "timestamp": NOW}, {}, Noticed),
        ("FirmwareStatusNotification", {"status": "Idle"}, {}, FirmwareStatus),
        ("LogStatusNotification", {"status": "Idle"}, {}, LogStatus),
        ("PublishFirmwareStatusNotification", {"status": "Idle"}, {}, FirmwarePublished),
        ("ReservationStatusUpdate", {"reservationId": 1, "reservationUpdateStatus": "Expired"}, {}, ReservationEnded),
        ("NotifyDisplayMessages", {"requestId": 1}, {}, Noticed),
        ("NotifyCustomerInformation", {"data": "x", "seqNo": 0, "generatedAt": NOW, "requestId": 1}, {}, None),
        ("NotifyMonitoringReport", {"requestId": 1, "seqNo": 0, "generatedAt": NOW}, {}, Noticed),
        ("NotifyEvent", {"generatedAt": NOW, "seqNo": 0, "eventData": [{}]}, {}, Monitored),
        ("SignCertificate", {"csr": "x"}, {"status": "Rejected", "statusInfo": UNSIGNED}, None),
        ("DataTransfer", {"vendorId": "x", "data": {"aB": 1.0}}, {"status": "UnknownVendorId"}, DataTransfer),
        ("GetCertificateStatus", {"ocspRequestData": CERTIFICATE}, {"status": "Failed"}, Noticed),
        (
            "Get15118EVCertificate",
            {"iso15118SchemaVersion": "urn:x", "action": "Install", "exiRequest": "x"},
            {"status": "Failed", "exiResponse": ""},
            Noticed,
        ),
        ("NotifyReport", {"requestId": 99, "seqNo": 0, "generatedAt": NOW}, {}, None),
        (
            "ReportChargingProfiles",
            {"requestId": 99, "chargingLimitSource": "CSO", "evseId": 1, "chargingProfile": [{"id": 3}]},
            {},
            None,
        ),
        ("NotifyEVChargingNeeds", NEEDS, {"status": "Rejected"}, None),
        ("NotifyEVChargingSchedule", {"timeBase": NOW, "evseId": 1, "chargingSchedule": SCHEDULE}, {"status": "Accepted"}, Noticed),
    ],
)
async def test_message_is_answered_and_told(
    house: House, action: str, payload: dict[str, Any], answer: object, told: type[Any] | None
) -> None:
    async with station(house.port) as client:
        assert await client.call(action, payload) == answer
        assert [type(event) for _, event in house.events[1:]] == ([] if told is None else [told])
        assert [notice.action for notice in house.of(Noticed)] == ([action] if told is Noticed else [])


async def test_status_of_a_connector_nobody_knew_makes_the_inventory_grow(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        for evse_id, connector_id in ((1, 1), (2, 1), (0, 0)):
            await client.call(
                "StatusNotification", {"timestamp": NOW, "connectorStatus": "Occupied", "evseId": evse_id, "connectorId": connector_id}
            )
        assert [(event.evse_id, event.status) for event in house.of(StatusChanged)] == [(1, "occupied"), (2, "occupied"), (0, "occupied")]
        assert [event.inventory.evse_connectors for event in house.of(InventoryRead)] == [{1: (1,), 2: (1,)}]
        assert house.station().inventory.smart_charging.periods_per_schedule == 24


async def test_a_connectors_state_may_come_as_an_event_of_the_device_model(house: House) -> None:
    def became(value: str, at: datetime, **component: Any) -> dict[str, Any]:
        event = {
            "eventId": 1,
            "timestamp": stamp(at),
            "trigger": "Delta",
            "actualValue": value,
            "eventNotificationType": "PreconfiguredMonitor",
            "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}} | component,
            "variable": {"name": "AvailabilityState"},
        }
        return {"generatedAt": stamp(at), "seqNo": 0, "eventData": [event]}

    now = datetime.now(UTC)
    async with station(house.port) as client:
        await house.boot(client)
        await client.call("NotifyEvent", became("Occupied", now))
        await client.call("NotifyEvent", became("Available", now - timedelta(minutes=10)))  # it waited in the station's queue
        await client.call("NotifyEvent", became("Rented", now))
        await client.call("NotifyEvent", became("Faulted", now, evse={"id": 1}))
        await client.call("NotifyEvent", became("Faulted", now, name="EVSE"))
        await client.call("NotifyEvent", became("Unavailable", now))
        assert [(event.evse_id, event.connector_id, event.status) for event in house.of(StatusChanged)] == [
            (1, 1, "occupied"),
            (1, 1, "unavailable"),
        ]
        assert len(house.of(Monitored)) == 6


async def test_meter_values_are_told(house: House) -> None:
    sampled = [{"value": 6.5, "measurand": "Current.Import", "phase": f"L{number}"} for number in (1, 2, 3)]
    async with station(house.port) as client:
        await client.call("MeterValues", {"evseId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": sampled}]})
        await client.call("MeterValues", {"evseId": 0, "meterValue": [{"sampledValue": [{"value": 5, "unitOfMeasure": {"unit": "kWh"}}]}]})
        first, second = house.of(Metered)
        assert first.evse_id == 1 and first.samples[0].current_a == (6.5, 6.5, 6.5)
        assert first.samples[0].at == datetime(2026, 1, 1, tzinfo=UTC)
        assert second.samples[0].energy_wh == 5000 and second.samples[0].at is None


async def test_limits_of_others_come_and_go(house: House) -> None:
    hour_ago = stamp(datetime.now(UTC) - timedelta(hours=1))
    limit = {"chargingLimitSource": "EMS"}
    in_watts = {"id": 2, "chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6900}]}
    ended = SCHEDULE | {"startSchedule": hour_ago, "duration": 60}
    async with station(house.port) as client:
        for schedules in ([SCHEDULE], [SCHEDULE | {"startSchedule": hour_ago}], [in_watts, SCHEDULE], [ended]):
            payload = {"chargingLimit": limit, "evseId": 1, "chargingSchedule": schedules}
            assert await client.call("NotifyChargingLimit", payload) == {}
        assert await client.call("NotifyChargingLimit", {"chargingLimit": limit}) == {}
        assert await client.call("ClearedChargingLimit", {"chargingLimitSource": "EMS", "evseId": 1}) == {}
        assert [event.limit_a for event in house.of(ChargingLimit)] == [16, 10, 10, None, None, None]
        assert house.of(ChargingLimit)[-1] == ChargingLimit(source="EMS", evse_id=1, cleared=True)


async def test_a_limit_of_a_source_that_ocpp_does_not_know_goes_as_it_came(house: House) -> None:
    async with station(house.port) as client:
        limit = {"chargingLimit": {"chargingLimitSource": "SolarManager"}, "evseId": 1, "chargingSchedule": [SCHEDULE]}
        assert await client.call("NotifyChargingLimit", limit) == {}
        assert await client.call("ClearedChargingLimit", {"chargingLimitSource": "SolarManager", "evseId": 1}) == {}
        came, gone = house.of(ChargingLimit)
        assert came.limit_a == 16 and gone.cleared and came.source == gone.source


async def test_what_an_ev_needs_and_plans_is_answered_truly(house: House) -> None:
    started = {
        "eventType": "Started",
        "timestamp": NOW,
        "triggerReason": "CablePluggedIn",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "T1"},
        "evse": {"id": 1},
    }
    plan = {"timeBase": stamp(), "evseId": 1, "chargingSchedule": SCHEDULE}
    async with station(house.port) as client:
        await client.call("TransactionEvent", started)
        assert await client.call("NotifyEVChargingNeeds", NEEDS) == {"status": "Processing"}  # not ready for commands yet
        await house.boot(client)
        assert await client.call("NotifyEVChargingNeeds", NEEDS) == {"status": "Accepted"}
        found = house.station()
        await found.install_lease(1, "T1", 16, datetime.now(UTC) + timedelta(minutes=1))
        assert await client.call("NotifyEVChargingSchedule", plan) == {"status": "Accepted"}
        await found.install_lease(1, "T1", 10, datetime.now(UTC) + timedelta(minutes=1))
        assert await client.call("NotifyEVChargingSchedule", plan) == {"status": "Rejected"}
        client.answers["ClearChargingProfile"] = {"status": "Accepted"}
        await found.clear_leases(1)
        assert await client.call("NotifyEVChargingSchedule", plan) == {"status": "Accepted"}
        await client.call("TransactionEvent", started | {"eventType": "Ended", "seqNo": 1})
        assert await client.call("NotifyEVChargingNeeds", NEEDS) == {"status": "Rejected"}
        assert len(house.of(TransactionEvent)) == 2


def told_at(generated: datetime) -> dict[str, Any]:
    """A page of an answer, which no station keeps back."""
    return {"data": "x", "seqNo": 0, "generatedAt": stamp(generated), "requestId": 1}


async def test_an_event_that_waited_while_its_station_was_away_tells_nothing_of_its_clock(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        then = datetime.now(UTC) - timedelta(hours=1)
        await client.call("NotifyEvent", {"generatedAt": stamp(then), "seqNo": 0, "eventData": [{"timestamp": stamp(then)}]})
        assert found.clock_offset_s == 0
        valid_to = datetime.now(UTC) + timedelta(seconds=300)
        await found.install_lease(1, "T1", 16, valid_to)
        profile = (await client.until("SetChargingProfile"))["chargingProfile"]
        assert abs(datetime.fromisoformat(profile["validTo"]) - valid_to) < timedelta(seconds=1), "it would be over before it came"


async def test_the_stations_clock_is_measured_and_reckoned_with(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        assert found.clock_offset_s == 0
        late = datetime.now(UTC) - timedelta(seconds=120)
        await client.call("NotifyCustomerInformation", told_at(late))
        assert found.clock_offset_s == pytest.approx(-120, abs=1)
        valid_to = datetime.now(UTC) + timedelta(seconds=30)
        await found.install_lease(1, "T1", 16, valid_to)
        profile = (await client.until("SetChargingProfile"))["chargingProfile"]
        assert (datetime.fromisoformat(profile["validTo"]) - valid_to).total_seconds() == pytest.approx(-120, abs=1)
        start = datetime.fromisoformat(profile["chargingSchedule"][0]["startSchedule"])
        assert (start - late).total_seconds() == pytest.approx(-3660, abs=2)


async def _tell_time(client: Client, at: datetime) -> None:
    await client.call("NotifyCustomerInformation", told_at(at))


@pytest.mark.parametrize("jump_s", [30, -30, 3600, -3600])
async def test_a_jump_of_our_own_clock_is_reckoned_with_before_the_station_says_anything(house: House, jump_s: float) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        for _ in range(3):
            await _tell_time(client, datetime.now(UTC) - timedelta(seconds=5))
        before = len(house.of(ClockSet))
        house.ahead = timedelta(seconds=jump_s)
        assert found.clock_offset_s == pytest.approx(-5 - jump_s, abs=1)
        valid_to = datetime.now(UTC) + house.ahead + timedelta(seconds=60)
        await found.install_lease(1, "T1", 16, valid_to)
        profile = (await client.until("SetChargingProfile"))["chargingProfile"]
        assert (datetime.fromisoformat(profile["validTo"]) - datetime.now(UTC)).total_seconds() == pytest.approx(55, abs=1)
        await _tell_time(client, datetime.now(UTC) - timedelta(seconds=5))
        assert found.clock_offset_s == pytest.approx(-5 - jump_s, abs=1)
        assert len(house.of(ClockSet)) == before, "its clock is what it was"


async def test_a_station_that_goes_along_with_a_jump_of_our_clock_is_found_out_by_its_next_message(house: House) -> None:
    async with station(house.port) as client:
        found = await house.boot(client)
        await _tell_time(client, datetime.now(UTC))
        house.ahead = timedelta(seconds=-30)
        told = await client.call("Heartbeat", {})
        assert (datetime.fromisoformat(told["currentTime"]) - datetime.now(UTC)).total_seconds() == pytest.approx(-30, abs=1)
        assert found.clock_offset_s == pytest.approx(30, abs=1), "nobody knows yet"
        await _tell_time(client, datetime.now(UTC) - timedelta(seconds=30))
        assert found.clock_offset_s == pytest.approx(0, abs=1)
        assert [event.by_s for event in house.of(ClockSet)] == [pytest.approx(-30, abs=1)]


async def test_the_clock_of_a_station_that_connects_again_is_known_already(house: House) -> None:
    async with station(house.port) as client:
        await house.boot(client)
        await _tell_time(client, datetime.now(UTC) - timedelta(seconds=50))
    async with station(house.port) as client:
        await client.call("Heartbeat", {})
        assert house.station().clock_offset_s == pytest.approx(-50, abs=1)


async def test_a_wrong_clock_is_told_once_it_stays_wrong(house: House) -> None:
    """What was queued looks like a wrong clock only while it comes; that the clock is right again is told too."""

    async def tell(client: Client, offset_s: float) -> None:
        generated = datetime.now(UTC) + house.ahead + timedelta(seconds=offset_s)
        await client.call("NotifyCustomerInformation", told_at(generated))

    async with station(house.port) as client:
        await house.boot(client)
        await tell(client, -300)
        await tell(client, 0)
        house.ahead += timedelta(minutes=2)
        await tell(client, -300)
        assert not house.of(ClockChecked)
        house.ahead += timedelta(minutes=2)
        await tell(client, -300)
        await tell(client, -300)
        wrong = await house.until(ClockChecked)
        assert wrong.wrong
        assert wrong.offset_s == pytest.approx(-300, abs=1)
        await tell(client, 1)
        assert [event.wrong for event in house.of(ClockChecked)] == [True, False]


class Counted(dict[str, Any]):
    """A period that counts how often it is read."""

    read = 0

    def get(self, key: str, default: Any = None) -> Any:
        Counted.read += 1
        return super().get(key, default)


def test_a_long_schedule_is_read_once() -> None:
    periods = [Counted(startPeriod=60 * number, limit=float(number % 32)) for number in range(5000)]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    schedule = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": periods}
    course = limits_over_time([schedule] * 3, now, 230)
    assert course[:2] == [(now, 0), (now + timedelta(minutes=1), 1)] and len(course) == MOST_PERIODS
    assert Counted.read <= 10 * len(periods), "or the loop stands still meanwhile"
