"""Where the search for a station's dialect starts: known quirks by vendor, model and firmware."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from custom_components.headroom.csms.dialect import Dialect, Handle, LeaseEnd
from custom_components.headroom.csms.errors import CallRejectedError
from custom_components.headroom.csms.events import Ready
from custom_components.headroom.csms.quirks import QUIRKS, Habits, Known, known_of, parse, within
from custom_components.headroom.csms.v201 import sampling
from custom_components.headroom.csms.v201.calls import Calls
from custom_components.headroom.csms.values import StationInfo

from .client import BOOT, Client, stamp, station
from .conftest import PATIENT, House, running

ENTRY = """
[[quirk]]
vendor = "acme*"
model = "*"
firmware = ">=2,<3.5"
why = "Takes watts only."
source = "a thread"
dialect = { unit = "W" }
habits = { stack_level_most = 0 }
"""


def info(vendor: str, model: str = "", firmware: str | None = None) -> StationInfo:
    return StationInfo(vendor=vendor, model=model, firmware_version=firmware)


def test_a_station_nobody_has_told_of_is_spoken_to_as_the_standard_says() -> None:
    assert known_of(info("Nobody", "Nothing", "1.0")) == Known(dialect=Dialect(), habits=Habits(), why=())
    assert known_of(StationInfo()) == Known()


def test_a_station_that_takes_watts_only_is_told_watts_from_the_first() -> None:
    known = known_of(info("Huawei", "FusionCharge AC"))
    assert known.dialect.unit == "W"
    assert any("watts only" in why and "#491" in why for why in known.why)


def test_a_station_that_forgets_its_limit_over_a_pause_is_told_it_again() -> None:
    known = known_of(info("go-e", "Gemini", "56.8"))
    assert known.dialect.resend_on_resume
    assert not known.dialect.phases_sent


@pytest.mark.parametrize(
    ("firmware", "handle"),
    [("01.20.06.71", Handle.DEFAULT), ("01.19.99", Handle.TRANSACTION), (None, Handle.TRANSACTION), ("unknown", Handle.TRANSACTION)],
)
def test_firmware_decides_which_purpose_is_tried_first(firmware: str | None, handle: Handle) -> None:
    known = known_of(info("BMW", "Wallbox Plus Gen 4", firmware))
    assert known.dialect.handle is handle
    assert known.habits.stack_level_most == 0
    assert known.dialect.holds_leases == (handle is Handle.TRANSACTION)


def test_the_same_vendor_is_spoken_to_differently_from_one_firmware_to_the_next() -> None:
    old, new = known_of(info("Wallbox", "Pulsar Plus", "4.8.1")), known_of(info("Wallbox", "Pulsar Plus", "5.17.87"))
    assert (old.dialect.kind, old.habits.stack_level_most) == ("Relative", None)
    assert (new.dialect.kind, new.habits.stack_level_most) == ("Absolute", 0)


@pytest.mark.parametrize(
    ("version", "firmware", "inside"),
    [
        ("5.17.87", ">=5,<6", True),
        ("6.0", ">=5,<6", False),
        ("5", "=5.0.0", True),
        ("v6.13.3-rc", ">6.13.2", True),
        ("10.0", ">=9", True),
        ("4.99", ">=5", False),
        ("1.2", "<=1.2", True),
        ("", ">=0", False),
        (None, "<99", False),
    ],
)
def test_a_version_lies_in_a_range_by_its_numbers(version: str | None, firmware: str, inside: bool) -> None:
    assert within(version, firmware) is inside


def test_later_entries_lead_over_earlier_ones_and_each_says_why() -> None:
    later = ENTRY.replace("Takes watts only.", "Takes amps after all.").replace('unit = "W"', 'unit = "A", kind = "Relative"')
    known = known_of(info("ACME Inc", "X", "2.1"), parse(ENTRY + later))
    assert (known.dialect.unit, known.dialect.kind, known.habits.stack_level_most) == ("A", "Relative", 0)
    assert known.why == ("Takes watts only. (a thread)", "Takes amps after all. (a thread)")
    assert known_of(info("ACME Inc", "X", "3.5"), parse(ENTRY)).why == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('unit = "W"', 'unit = "kW"'),
        ('unit = "W"', 'loudness = "W"'),
        ("stack_level_most", "temper"),
        (">=2,<3.5", "about 3"),
        ('vendor = "acme*"', 'vendor = "ACME*"'),
        ('source = "a thread"', ""),
        ('unit = "W"', "decimals = 2"),
        ('unit = "W"', "phases_sent = 1"),
    ],
)
def test_a_mistake_in_the_file_is_loud(old: str, new: str) -> None:
    assert len(parse(ENTRY)) == 1
    with pytest.raises(ValueError, match=r"."):
        parse(ENTRY.replace(old, new))


def test_every_entry_of_the_file_says_why_and_where_it_was_seen() -> None:
    assert len(QUIRKS) >= 20
    for quirk in QUIRKS:
        assert quirk.why.endswith(".")
        assert quirk.source
        assert quirk.vendor.strip("*"), "a quirk of every vendor is no quirk"


@pytest.mark.parametrize(
    "dialect",
    [
        Dialect(),
        Dialect(unit="W", kind="Relative", phases_sent=False, stack_level=1),
        Dialect(handle=Handle.STATION, lease_end=LeaseEnd.NEVER, resend_on_resume=True, decimals=0, backdate_s=0),
    ],
)
def test_a_dialect_survives_a_restart(dialect: Dialect) -> None:
    assert Dialect.from_document(dialect.document()) == dialect


@pytest.mark.parametrize(
    ("dialect", "level"),
    [
        (Dialect(stack_level=2), 2),
        (Dialect(handle=Handle.DEFAULT), 1),
        (Dialect(handle=Handle.STATION, stack_level=1), 2),
        (Dialect(handle=Handle.DEFAULT, lease_end=LeaseEnd.NEVER), 0),
    ],
)
def test_a_lease_lies_above_a_fallback_of_the_same_purpose(dialect: Dialect, level: int) -> None:
    assert dialect.lease_level == level
    assert dialect.overwrites == (dialect.lease_end is LeaseEnd.NEVER)


async def boot(house: House, client: Client, vendor: str, model: str = "Post") -> None:
    what = BOOT | {"chargingStation": BOOT["chargingStation"] | {"vendorName": vendor, "model": model}}
    client.triggered_boot = what | {"reason": "Triggered"}
    await client.call("BootNotification", what)
    await house.until(Ready)


async def test_a_station_that_sends_no_samples_unasked_is_asked_for_those_of_its_transactions() -> None:
    async with running(House(timing=replace(PATIENT, sample_interval_s=1))) as house, station(house.port) as client:
        client.answers["TriggerMessage"] = lambda payload: (
            client._trigger(payload) if payload["requestedMessage"] == "BootNotification" else {"status": "Accepted"}
        )
        await boot(house, client, "Sync EV")
        started = {"eventType": "Started", "triggerReason": "CablePluggedIn", "seqNo": 0, "transactionInfo": {"transactionId": "T1"}}
        await client.call("TransactionEvent", started | {"evse": {"id": 1}, "timestamp": stamp()})
        times = len(client.requests("TriggerMessage"))
        assert await client.until("TriggerMessage", times + 1) == {"requestedMessage": "MeterValues", "evse": {"id": 1}}
        assert await client.until("TriggerMessage", times + 2) == {"requestedMessage": "MeterValues", "evse": {"id": 1}}


async def test_a_station_is_set_to_no_more_samples_than_it_sends_and_one_that_takes_it_amiss_is_not_asked(house: House) -> None:
    async with station(house.port) as client:
        await boot(house, client, "Easee")
        written = {
            item["variable"]["name"]: item["attributeValue"]
            for payload in client.requests("SetVariables")
            for item in payload["setVariableData"]
        }
        assert written["TxUpdatedInterval"] == "30"
    async with station(house.port, "CP2") as client:
        what = BOOT["chargingStation"] | {"vendorName": "MENNEKES", "model": "AMTRON 4You"}
        client.triggered_boot = BOOT | {"chargingStation": what, "reason": "Triggered"}
        await client.call("BootNotification", BOOT | {"chargingStation": what})
        await house.until(Ready, "CP2")
        asked = len(client.requests("TriggerMessage"))
        with pytest.raises(CallRejectedError, match="amiss"):
            await house.station("CP2").trigger("MeterValues", 1)
        assert len(client.requests("TriggerMessage")) == asked


async def test_a_mistake_of_ours_does_not_end_the_asking_for_samples(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    quirks = parse(
        ENTRY.replace("stack_level_most = 0", "samples_only_on_request = true").replace("acme*", "maker").replace(">=2,<3.5", ">=1")
    )
    monkeypatch.setattr(sampling, "known_of", lambda info: known_of(info, quirks))
    trigger, broken = Calls.trigger, 2

    async def fails(calls: Calls, message: str, evse: Any = None) -> None:
        nonlocal broken
        if message == "MeterValues" and broken:
            broken -= 1
            raise RuntimeError("broken")
        await trigger(calls, message, evse)

    monkeypatch.setattr(Calls, "trigger", fails)
    async with running(House(timing=replace(PATIENT, sample_interval_s=0))) as house, station(house.port) as client:
        await house.boot(client)
        started = {"eventType": "Started", "timestamp": stamp(), "triggerReason": "CablePluggedIn", "seqNo": 0}
        await client.call("TransactionEvent", started | {"transactionInfo": {"transactionId": "T1"}, "evse": {"id": 1}})
        async with asyncio.timeout(20):
            while not any(asked["requestedMessage"] == "MeterValues" for asked in client.requests("TriggerMessage")):
                await client.call("Heartbeat", {})
    assert len([record for record in caplog.records if record.exc_info and "broken" in str(record.exc_info[1])]) == 1
