"""The action that fetches a station's log."""

from collections.abc import Mapping
from datetime import timedelta

from homeassistant.components.http.auth import async_sign_path
from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.network import NoURLAvailableError, get_url
import probatio as vol

from ..const import DOMAIN
from ..coordinator import HeadroomCoordinator
from ..csms.errors import CallTimeoutError
from ..csms.events import StationEvent
from ..csms.upkeep import LogRequest, LogState, LogStatus
from ..errors import invalid, translated_errors
from ..following import async_outcome
from ..log_views import LOGS_PATH, UPLOAD_PATH
from ..logs import LIFE_S, Upload
from .action import Action, moment, station_of
from .firmware import ATTR_LOCATION, LOCATION, RETRIES, retries_of

ATTR_KIND = "kind"
ATTR_LATEST = "latest"
ATTR_OLDEST = "oldest"

KINDS: Mapping[str, str] = {"diagnostics": "DiagnosticsLog", "security": "SecurityLog"}
DOWNLOAD_FOR = timedelta(days=1)


def _over(event: StationEvent) -> LogStatus | None:
    return event if isinstance(event, LogStatus) and event.state.over else None


async def _get_log(call: ServiceCall) -> ServiceResponse:
    """Have a station upload a log, here or where the person says; answers once it is there."""
    coordinator, identity, _ = station_of(call)
    if (location := call.data.get(ATTR_LOCATION)) is not None:
        await _fetch(call, coordinator, identity, location, None)
        return {"status": LogState.UPLOADED.value, "location": location}
    try:
        # A station in the same network, which may trust no certificate of Home Assistant's.
        base = get_url(call.hass, allow_external=False, allow_cloud=False)
    except NoURLAvailableError as error:
        raise invalid("no_upload_address") from error
    upload = coordinator.logs.async_expect(identity)
    try:
        await _fetch(call, coordinator, identity, f"{base}{UPLOAD_PATH}/{upload.token}/", upload)
    finally:
        coordinator.logs.async_end(upload)
    if upload.file is None:
        raise _failed(identity, "nothing_arrived")
    file = upload.file
    path = f"{LOGS_PATH}/{coordinator.config_entry.entry_id}/{file.parent.name}/{file.name}"
    return {
        "status": LogState.UPLOADED.value,
        "file": file.name,
        "size": (await call.hass.async_add_executor_job(file.stat)).st_size,
        "path": async_sign_path(call.hass, path, DOWNLOAD_FOR),
    }


async def _fetch(call: ServiceCall, coordinator: HeadroomCoordinator, identity: str, location: str, upload: Upload | None) -> None:
    """Wait until the station says that it has uploaded; raises HomeAssistantError where it says that it has not."""
    request = LogRequest(
        kind=KINDS[call.data[ATTR_KIND]], location=location, oldest=moment(call, ATTR_OLDEST), latest=moment(call, ATTR_LATEST)
    )

    async def begin() -> int:
        request_id, _ = await coordinator.station(identity).diagnostics.get_log(request, retries_of(call))
        return request_id

    with translated_errors(identity):
        try:
            outcome = await async_outcome(coordinator, identity, begin, _over, LIFE_S)
        except CallTimeoutError:
            # It may say nothing and have done it.
            if upload is None or upload.file is None:
                raise
            return
    if outcome.state is not LogState.UPLOADED:
        raise _failed(identity, outcome.state.value)


def _failed(identity: str, status: str) -> HomeAssistantError:
    return HomeAssistantError(
        translation_domain=DOMAIN, translation_key="log_failed", translation_placeholders={"station": identity, "status": status}
    )


ACTIONS: Mapping[str, Action] = {
    "get_log": Action(
        handler=_get_log,
        fields={
            vol.Optional(ATTR_KIND, default="diagnostics"): vol.In(tuple(KINDS)),
            vol.Optional(ATTR_OLDEST): cv.datetime,
            vol.Optional(ATTR_LATEST): cv.datetime,
            vol.Optional(ATTR_LOCATION): LOCATION,
            **RETRIES,
        },
        response=SupportsResponse.ONLY,
    )
}
