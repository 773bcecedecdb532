"""Actions on a station's firmware."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.helpers import config_validation as cv
import probatio as vol

from ..commands import update_firmware
from ..csms.events import StationEvent
from ..csms.upkeep import FirmwarePublished, Retries
from ..errors import invalid, translated_errors
from ..firmware import Offer
from ..following import async_outcome
from .action import Action, moment, station_of

ATTR_CHECKSUM = "checksum"
ATTR_INSTALL_AT = "install_at"
ATTR_LOCATION = "location"
ATTR_RETRIES = "retries"
ATTR_RETRIEVE_AT = "retrieve_at"
ATTR_RETRY_INTERVAL = "retry_interval"
ATTR_SIGNATURE = "signature"
ATTR_SIGNING_CERTIFICATE = "signing_certificate"
ATTR_VERSION = "version"
ATTR_WHILE_CHARGING = "while_charging"

PUBLISHING_S = 900.0
PUBLISHED = frozenset({"Published", "DownloadFailed", "InvalidChecksum", "PublishFailed"})
"""With these (PublishFirmwareStatusEnumType) it is over."""

LOCATION = vol.All(cv.string, vol.Match(r"^(https?|ftps?|sftp)://"), vol.Length(max=512))
CHECKSUM = vol.All(cv.string, vol.Match(r"^[0-9A-Fa-f]{32}$"))
RETRIES: Mapping[vol.Marker, Any] = {
    vol.Optional(ATTR_RETRIES): vol.All(vol.Coerce(int), vol.Range(min=0, max=100)),
    vol.Optional(ATTR_RETRY_INTERVAL): cv.positive_time_period,
}


def retries_of(call: ServiceCall) -> Retries:
    """Return how often a transfer is to be tried again."""
    interval: timedelta | None = call.data.get(ATTR_RETRY_INTERVAL)
    return Retries(count=call.data.get(ATTR_RETRIES), interval_s=None if interval is None else int(interval.total_seconds()))


async def _offer_firmware(call: ServiceCall) -> None:
    """Offer firmware; the station hears of it once it is to be installed."""
    coordinator, identity, _ = station_of(call)
    certificate, signature = call.data.get(ATTR_SIGNING_CERTIFICATE), call.data.get(ATTR_SIGNATURE)
    if (certificate is None) is not (signature is None):
        raise invalid("signature_incomplete")
    offer = Offer(version=call.data[ATTR_VERSION], location=call.data[ATTR_LOCATION], signing_certificate=certificate, signature=signature)
    coordinator.upgrades.async_offer(identity, offer)
    coordinator.async_update_listeners()


async def _update_firmware(call: ServiceCall) -> None:
    coordinator, identity, _ = station_of(call)
    await update_firmware(
        coordinator,
        identity,
        while_charging=call.data[ATTR_WHILE_CHARGING],
        retrieve_at=moment(call, ATTR_RETRIEVE_AT),
        install_at=moment(call, ATTR_INSTALL_AT),
        retries=retries_of(call),
    )


async def _publish_firmware(call: ServiceCall) -> ServiceResponse:
    """Have a local controller publish an image; answers once it does, or has failed."""
    coordinator, identity, _ = station_of(call)

    def over(event: StationEvent) -> FirmwarePublished | None:
        return event if isinstance(event, FirmwarePublished) and event.status in PUBLISHED else None

    with translated_errors(identity):
        station = coordinator.station(identity)
        outcome = await async_outcome(
            coordinator,
            identity,
            lambda: station.firmware.publish(call.data[ATTR_LOCATION], call.data[ATTR_CHECKSUM], retries_of(call)),
            over,
            PUBLISHING_S,
        )
    return {"status": outcome.status, "locations": list(outcome.locations)}


async def _unpublish_firmware(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        await coordinator.station(identity).firmware.unpublish(call.data[ATTR_CHECKSUM])
    return {"status": "Unpublished"}


ACTIONS: Mapping[str, Action] = {
    "offer_firmware": Action(
        handler=_offer_firmware,
        fields={
            vol.Required(ATTR_VERSION): vol.All(cv.string, vol.Length(min=1, max=50)),
            vol.Required(ATTR_LOCATION): LOCATION,
            vol.Optional(ATTR_SIGNING_CERTIFICATE): vol.All(cv.string, vol.Length(max=5500)),
            vol.Optional(ATTR_SIGNATURE): vol.All(cv.string, vol.Length(max=800)),
        },
    ),
    "update_firmware": Action(
        handler=_update_firmware,
        fields={
            vol.Optional(ATTR_WHILE_CHARGING, default=False): cv.boolean,
            vol.Optional(ATTR_RETRIEVE_AT): cv.datetime,
            vol.Optional(ATTR_INSTALL_AT): cv.datetime,
            **RETRIES,
        },
    ),
    "publish_firmware": Action(
        handler=_publish_firmware,
        fields={vol.Required(ATTR_LOCATION): LOCATION, vol.Required(ATTR_CHECKSUM): CHECKSUM, **RETRIES},
        response=SupportsResponse.OPTIONAL,
    ),
    "unpublish_firmware": Action(
        handler=_unpublish_firmware, fields={vol.Required(ATTR_CHECKSUM): CHECKSUM}, response=SupportsResponse.OPTIONAL
    ),
}
