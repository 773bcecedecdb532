"""Firmware: offered by a person, installed by the station, and what becomes of it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from homeassistant.const import ATTR_ENTITY_ID, STATE_OFF, STATE_ON, STATE_UNAVAILABLE, Platform
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.headroom.const import DOMAIN

from .raw_station import RawStation, raw_station, until
from .test_device_actions import ask, tell
from .test_services import device

ENTITY = "update.left_firmware"
LOCATION = "https://person:secret@files.example/2.0.0.bin"
CHECKSUM = "d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture
async def left(hass: HomeAssistant, init_integration: MockConfigEntry) -> AsyncGenerator[RawStation]:
    """The left station, ready for commands, which takes updates."""
    async with raw_station(init_integration, "CP1") as station:
        await ready(hass, station)
        yield station


async def ready(hass: HomeAssistant, station: RawStation, **extra: str) -> None:
    station.answers["UpdateFirmware"] = {"status": "Accepted"}
    await station.boot(**extra)
    await station.status("Available")
    await station.hears("SetChargingProfile")
    await until(hass, "sensor.left_evse_1_status", "available")


@pytest.fixture
def cp1(hass: HomeAssistant, init_integration: MockConfigEntry) -> str:
    """The left station's device."""
    return device(hass, init_integration, "CP1")


async def offer(hass: HomeAssistant, cp1: str, **fields: Any) -> None:
    await tell(hass, "offer_firmware", cp1, **{"version": "2.0.0", "location": LOCATION} | fields)


async def install(hass: HomeAssistant) -> None:
    await hass.services.async_call("update", "install", {ATTR_ENTITY_ID: ENTITY}, blocking=True)


def attribute(hass: HomeAssistant, name: str) -> Any:
    state = hass.states.get(ENTITY)
    assert state is not None
    return state.attributes[name]


def failures(hass: HomeAssistant) -> list[str | None]:
    return [
        issue.translation_key
        for (domain, issue_id), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN and issue_id.startswith("firmware_")
    ]


async def test_entities(compare_platform: Callable[[Platform], Awaitable[None]]) -> None:
    """All updates of a busy evening."""
    await compare_platform(Platform.UPDATE)


async def test_an_update_that_succeeds(hass: HomeAssistant, init_integration: MockConfigEntry, left: RawStation, cp1: str) -> None:
    """It is offered, under way, and done once the station comes back with what it calls the new version."""
    await until(hass, ENTITY, STATE_OFF)
    assert attribute(hass, "installed_version") == attribute(hass, "latest_version") == "1.2.3"
    await offer(hass, cp1, signing_certificate="CERTIFICATE", signature="c2lnbmF0dXJl")
    await until(hass, ENTITY, STATE_ON)
    assert attribute(hass, "latest_version") == "2.0.0"
    await install(hass)
    sent = await left.hears("UpdateFirmware")
    assert {key: sent["firmware"][key] for key in ("location", "signingCertificate", "signature")} == {
        "location": LOCATION,
        "signingCertificate": "CERTIFICATE",
        "signature": "c2lnbmF0dXJl",
    }
    assert attribute(hass, "in_progress") is True
    await left.call("FirmwareStatusNotification", {"status": "Downloading", "requestId": sent["requestId"]})
    assert attribute(hass, "in_progress") is True
    await left.call("FirmwareStatusNotification", {"status": "InstallRebooting", "requestId": sent["requestId"]})
    await left.socket.close()
    await until(hass, ENTITY, STATE_UNAVAILABLE)
    async with raw_station(init_integration, "CP1") as again:
        await ready(hass, again, firmwareVersion="2.0.0-b17")
        await until(hass, ENTITY, STATE_OFF)
        assert attribute(hass, "installed_version") == attribute(hass, "latest_version") == "2.0.0-b17"
        assert attribute(hass, "in_progress") is False
    assert failures(hass) == []


@pytest.mark.parametrize(
    ("status", "key"),
    [
        ("DownloadFailed", "firmware_download_failed"),
        ("InvalidSignature", "firmware_invalid_signature"),
        ("InstallVerificationFailed", "firmware_verification_failed"),
        ("InstallationFailed", "firmware_installation_failed"),
    ],
)
async def test_an_update_that_fails(hass: HomeAssistant, left: RawStation, cp1: str, status: str, key: str) -> None:
    """It becomes a repair, and may be installed again, which takes the repair back."""
    await offer(hass, cp1)
    await install(hass)
    sent = await left.hears("UpdateFirmware")
    await left.call("FirmwareStatusNotification", {"status": status, "requestId": sent["requestId"]})
    await hass.async_block_till_done()
    assert failures(hass) == [key]
    assert (hass.states.get(ENTITY).state, attribute(hass, "in_progress")) == (STATE_ON, False)
    await install(hass)
    await left.call("FirmwareStatusNotification", {"status": "Downloading", "requestId": sent["requestId"] + 1})
    await hass.async_block_till_done()
    assert failures(hass) == []
    assert attribute(hass, "in_progress") is True


async def test_a_station_that_refuses(hass: HomeAssistant, left: RawStation, cp1: str) -> None:
    """Its no is told to who asked, and nothing is under way."""
    await offer(hass, cp1)
    left.answers["UpdateFirmware"] = {"status": "RevokedCertificate"}
    with pytest.raises(HomeAssistantError) as refused:
        await install(hass)
    assert refused.value.translation_key == "station_revoked_certificate"
    assert attribute(hass, "in_progress") is False


async def test_not_while_a_car_charges(hass: HomeAssistant, left: RawStation, cp1: str) -> None:
    """Unless somebody says so."""
    await offer(hass, cp1)
    await left.transaction("Started", 0, "Charging", trigger="Authorized")
    await until(hass, "sensor.left_evse_1_status", "charging")
    with pytest.raises(ServiceValidationError) as refused:
        await install(hass)
    assert refused.value.translation_key == "firmware_while_charging"
    assert "UpdateFirmware" not in [action for action, _ in left.heard]
    await tell(
        hass, "update_firmware", cp1, while_charging=True, retrieve_at="2030-01-02T03:00:00+00:00", retries=3, retry_interval={"minutes": 2}
    )
    sent = await left.hears("UpdateFirmware")
    assert (sent["retries"], sent["retryInterval"]) == (3, 120)
    retrieve_at = datetime.fromisoformat(sent["firmware"]["retrieveDateTime"])  # by the station's own clock
    assert abs(retrieve_at - datetime(2030, 1, 2, 3, tzinfo=UTC)) < timedelta(seconds=5)


async def test_an_offer_lasts(hass: HomeAssistant, init_integration: MockConfigEntry, cp1: str) -> None:
    """Over a restart; and it goes with the station."""
    async with raw_station(init_integration, "CP1") as station:
        await ready(hass, station)
        await offer(hass, cp1)
    assert await hass.config_entries.async_reload(init_integration.entry_id)
    async with raw_station(init_integration, "CP1") as station:
        await ready(hass, station)
        await until(hass, ENTITY, STATE_ON)
        assert attribute(hass, "latest_version") == "2.0.0"
        await install(hass)
        assert (await station.hears("UpdateFirmware"))["firmware"]["location"] == LOCATION


async def test_mistakes(hass: HomeAssistant, left: RawStation, cp1: str) -> None:
    """Half a signature is none, and nothing is installed that nobody offered."""
    with pytest.raises(ServiceValidationError) as refused:
        await tell(hass, "update_firmware", cp1)
    assert refused.value.translation_key == "no_firmware_offered"
    with pytest.raises(ServiceValidationError) as refused:
        await offer(hass, cp1, signature="c2lnbmF0dXJl")
    assert refused.value.translation_key == "signature_incomplete"


async def test_publishing(hass: HomeAssistant, left: RawStation, cp1: str) -> None:
    """It is answered with where the others fetch it, and is taken back."""

    async def publish(asked: dict[str, Any]) -> None:
        for status in ({"status": "Downloading"}, {"status": "Published", "location": ["http://10.0.0.9/fw"]}):
            await left.call("PublishFirmwareStatusNotification", status | {"requestId": asked["requestId"]})

    left.answers |= {"PublishFirmware": {"status": "Accepted"}, "UnpublishFirmware": {"status": "Unpublished"}}
    left.after("PublishFirmware", publish)
    response = await ask(hass, "publish_firmware", cp1, location=LOCATION, checksum=CHECKSUM)
    assert response == {"status": "Published", "locations": ["http://10.0.0.9/fw"]}
    assert await ask(hass, "unpublish_firmware", cp1, checksum=CHECKSUM) == {"status": "Unpublished"}
    left.answers["UnpublishFirmware"] = {"status": "NoFirmware"}
    with pytest.raises(HomeAssistantError) as refused:
        await ask(hass, "unpublish_firmware", cp1, checksum=CHECKSUM)
    assert refused.value.translation_key == "station_no_firmware"
