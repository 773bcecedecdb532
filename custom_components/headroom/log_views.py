"""Where stations upload their logs to over Home Assistant's own HTTP, and where a person fetches them."""

from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from pathlib import Path

from aiohttp import BodyPartReader, hdrs, web
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.http import KEY_HASS, HomeAssistantView
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .coordinator import HeadroomConfigEntry
from .logs import LARGEST_LOG_BYTES, Logs, Upload

UPLOAD_PATH = f"/api/{DOMAIN}/upload"
LOGS_PATH = f"/api/{DOMAIN}/logs"
CHUNK_BYTES = 256 * 1024
LARGEST_FIELD_BYTES = 64 * 1024
MOST_FIELDS = 32
"""Of a form, before its file."""


class TooLarge(Exception):
    """More came than a log may have."""


@callback
def async_register_views(hass: HomeAssistant) -> None:
    """Serve both; they stay while Home Assistant runs."""
    hass.http.register_view(UploadView())
    hass.http.register_view(LogView())


def _loaded(hass: HomeAssistant) -> Iterator[HeadroomConfigEntry]:
    yield from hass.config_entries.async_loaded_entries(DOMAIN)


class UploadView(HomeAssistantView):
    """Takes one log from a station, which shows by the address that it was asked for it.

    Some stations put the file's name after the address they are given, some send it to the address itself, some send a form.
    """

    url = UPLOAD_PATH + "/{token}"
    extra_urls = [UPLOAD_PATH + "/{token}/{name:.*}"]  # noqa: RUF012 (the base class declares it so)
    name = f"api:{DOMAIN}:upload"
    requires_auth = False

    async def put(self, request: web.Request, token: str, name: str = "") -> web.Response:
        """Take a log; 404 where nobody waits for one, 413 where it is too large."""
        hass = request.app[KEY_HASS]
        for entry in _loaded(hass):
            logs = entry.runtime_data.logs
            with logs.receiving(token) as upload:
                if upload is not None:
                    return await self._receive(hass, request, logs, upload, name)
        return web.Response(status=HTTPStatus.NOT_FOUND)

    post = put

    async def _receive(self, hass: HomeAssistant, request: web.Request, logs: Logs, upload: Upload, name: str) -> web.Response:
        if (request.content_length or 0) > LARGEST_LOG_BYTES:
            return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        chunks: AsyncIterator[bytes] = request.content.iter_chunked(CHUNK_BYTES)
        if request.content_type == "multipart/form-data":
            if (part := await _file_part(request)) is None:
                return web.Response(status=HTTPStatus.BAD_REQUEST)
            name, chunks = part.filename or name, _chunks(part)
        target = await hass.async_add_executor_job(logs.target, upload.identity, name, dt_util.utcnow())
        try:
            await _write(hass, target, chunks)
            upload.file = await hass.async_add_executor_job(logs.keep, target)
        except TooLarge:
            return web.Response(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        finally:
            if upload.file is None:
                await hass.async_add_executor_job(target.unlink, True)
        return web.Response(status=HTTPStatus.CREATED)


async def _file_part(request: web.Request) -> BodyPartReader | None:
    """Return the part of a form that is a file."""
    try:
        reader = await request.multipart()
        for _ in range(MOST_FIELDS):
            if (part := await reader.next()) is None:
                break
            if isinstance(part, BodyPartReader) and part.filename:
                return part
            # What comes before the file is passed over here: the reader would read it without a bound.
            if not isinstance(part, BodyPartReader) or not await _pass_over(part):
                return None
    except ValueError:
        pass  # no form, whatever it calls itself
    return None


async def _pass_over(part: BodyPartReader) -> bool:
    """Read a field of a form to its end; False where it has more than a field may have."""
    size = 0
    async for chunk in _chunks(part):
        size += len(chunk)
        if size > LARGEST_FIELD_BYTES:
            return False
    return True


async def _chunks(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK_BYTES):
        yield chunk


async def _write(hass: HomeAssistant, target: Path, chunks: AsyncIterator[bytes]) -> None:
    size = 0
    file = await hass.async_add_executor_job(target.open, "wb")
    try:
        async for chunk in chunks:
            size += len(chunk)
            if size > LARGEST_LOG_BYTES:
                raise TooLarge
            await hass.async_add_executor_job(file.write, chunk)
    finally:
        await hass.async_add_executor_job(file.close)


class LogView(HomeAssistantView):
    """Gives a log to whoever is signed in, or has a signed path."""

    url = LOGS_PATH + "/{entry_id}/{folder}/{name}"
    name = f"api:{DOMAIN}:logs"

    async def get(self, request: web.Request, entry_id: str, folder: str, name: str) -> web.StreamResponse:
        """Return the file."""
        hass = request.app[KEY_HASS]
        for entry in _loaded(hass):
            if entry.entry_id == entry_id:
                file = await hass.async_add_executor_job(entry.runtime_data.logs.file, folder, name)
                if file is not None:
                    # What a station wrote is never shown as a page of Home Assistant's.
                    headers = {
                        hdrs.CONTENT_TYPE: "application/octet-stream",
                        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{file.name}"',
                        "X-Content-Type-Options": "nosniff",
                    }
                    return web.FileResponse(file, headers=headers)
        return web.Response(status=HTTPStatus.NOT_FOUND)
