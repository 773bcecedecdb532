"""Readings from a document that a device or service gives over HTTP: each number by its path in it (JSONPath, RFC 9535)."""

import asyncio
from dataclasses import dataclass, field
import json
import math
from typing import Any, Literal

from aiohttp import ClientError, ClientSession, ClientTimeout, InvalidURL, encode_basic_auth
import jsonpath
from yarl import URL

from .combine import Kind, check, needed, reading_of
from .fault import Fault
from .plausibility import CEILING_A
from .polling import Telling, longer, next_due
from .reading import ConnectionLostError, MeterError, OnHealth, OnReading, Reading

MOST_BYTES = 512 * 1024
"""A larger document is no meter's."""
_UNITS = {"mA": 0.001, "A": 1.0, "W": 1.0, "kW": 1000.0, "Wh": 1.0, "kWh": 1000.0}
_ENVIRONMENT = jsonpath.JSONPathEnvironment(strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestMeterConfig:
    """A document and the paths of its numbers; `Sources` says what each is. A path leads to one number, or text that is one.

    `username` with `password`, or `token` (sent as a bearer), are what the server may ask for. `timeout_s` bounds each answer.
    """

    url: str
    currents: tuple[str, ...] = ()
    powers: tuple[str, ...] = ()
    exported_powers: tuple[str, ...] = ()
    total_power: str | None = None
    exported_total: str | None = None
    import_wh: str | None = None
    export_wh: str | None = None
    current_unit: Literal["A", "mA"] = "A"
    power_unit: Literal["W", "kW"] = "W"
    energy_unit: Literal["Wh", "kWh"] = "kWh"
    export_positive: bool = False
    phases: Literal[1, 2, 3] = 3
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    interval_s: float = 1.0
    timeout_s: float = 5.0
    voltage_v: float = 230.0
    ceiling_a: float = CEILING_A


class RestMeter:
    """Asks for the document at a steady pace, start to start, on the running loop's clock."""

    def __init__(self, session: ClientSession, config: RestMeterConfig) -> None:
        """Raises MeterError where the address or a path is none, or the paths chosen make no reading. The session stays its owner's."""
        check(config)
        try:
            self._url = URL(config.url)
        except ValueError as error:
            raise MeterError(Fault.NO_ADDRESS, url=repr(config.url)) from error
        if self._url.scheme not in ("http", "https") or not self._url.host:
            raise MeterError(Fault.NO_HTTP_ADDRESS, url=repr(config.url))
        paths = (*needed(config), config.total_power, config.exported_total, config.import_wh, config.export_wh)
        self._paths = {path: _compiled(path) for path in paths if path is not None}
        self._session = session
        self._config = config
        # What follows the path, or stands before the host, may be secret.
        self._source = str(self._url.origin().with_path(self._url.path))
        authorization = _authorization(config, self._source)
        if authorization:  # it leads, and not two of them can be sent
            self._url = self._url.with_user(None)
        self._headers = {"Accept": "application/json", **authorization}

    async def probe(self) -> Reading:
        """Take one reading; raises MeterError."""
        return await self._take()

    async def run(self, on_reading: OnReading, on_health: OnHealth) -> None:
        """Hand on readings until cancelled; a silent server is tried anew as `ModbusMeter.run` does."""
        loop = asyncio.get_running_loop()
        telling = Telling(on_reading, on_health)
        delay_s = 0.0
        due = loop.time()
        while True:
            try:
                telling.heard(await self._take())
            except ConnectionLostError as error:
                if delay_s:
                    telling.heard(error)
                    await asyncio.sleep(delay_s)
                delay_s = longer(delay_s)
                due = loop.time()
                continue
            except MeterError as error:
                telling.heard(error)
                if error.trouble.fault is Fault.CREDENTIALS_REFUSED:  # offered each second they get whoever offers them locked out
                    delay_s = longer(delay_s)
                    await asyncio.sleep(delay_s)
                    due = loop.time()
                    continue
            delay_s = 0.0
            due = next_due(due, loop.time(), self._config.interval_s)
            await asyncio.sleep(due - loop.time())

    async def _take(self) -> Reading:
        """Take one reading; it is dated in the middle between asking and the answer."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        document = self._parsed(await self._fetch())
        taken_at = (asked_at + loop.time()) / 2
        return reading_of(self._config, lambda path, kind: self._number(document, path, kind), taken_at=taken_at, source=self._source)

    async def _fetch(self) -> bytes:
        config = self._config
        try:
            async with (
                asyncio.timeout(config.timeout_s),
                self._session.get(
                    self._url,
                    headers=self._headers,
                    allow_redirects=False,  # not with credentials, and not to where nobody pointed
                    timeout=ClientTimeout(total=None),
                ) as response,
            ):
                if response.status in (401, 403):
                    raise MeterError(Fault.CREDENTIALS_REFUSED, source=self._source, status=str(response.status))
                if response.status >= 500:
                    raise ConnectionLostError(Fault.HTTP_STATUS, source=self._source, status=str(response.status))
                if response.status != 200:
                    raise MeterError(Fault.HTTP_STATUS, source=self._source, status=str(response.status))
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        raise MeterError(Fault.TOO_MUCH, source=self._source, most=str(MOST_BYTES // 1024))
        except TimeoutError as error:
            raise ConnectionLostError(Fault.TOO_LATE, source=self._source, seconds=f"{config.timeout_s:g}") from error
        except InvalidURL as error:
            raise MeterError(Fault.NO_ADDRESS, url=self._source) from error
        except (ClientError, OSError) as error:
            raise ConnectionLostError(Fault.NOT_REACHED, source=self._source, detail=type(error).__name__) from error
        return bytes(body)

    def _parsed(self, body: bytes) -> Any:
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise MeterError(Fault.NO_JSON, source=self._source) from error

    def _number(self, document: Any, path: str, kind: Kind) -> float:
        try:
            values = self._paths[path].findall(document)
        except jsonpath.JSONPathError as error:
            raise MeterError(Fault.PATH_NOT_FOLLOWED, source=self._source, path=path, detail=_first_line(error)) from error
        if not values:
            raise MeterError(Fault.PATH_LEADS_NOWHERE, source=self._source, path=path)
        if len(values) != 1:
            raise MeterError(Fault.PATH_NOT_ONE, source=self._source, path=path, count=str(len(values)))
        (value,) = values
        number = math.nan
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            try:
                number = float(value)
            except ValueError, OverflowError:
                number = math.nan
        if not math.isfinite(number):
            raise MeterError(Fault.PATH_NO_NUMBER, source=self._source, path=path, value=json.dumps(value)[:40])
        config = self._config
        unit = {"A": config.current_unit, "W": config.power_unit, "Wh": config.energy_unit}[kind]
        return number * _UNITS[unit]


def _authorization(config: RestMeterConfig, source: str) -> dict[str, str]:
    """Return the header that shows who asks; raises MeterError where what was given makes none."""
    if config.token is not None:
        if not config.token.isprintable():
            raise MeterError(Fault.CREDENTIALS_UNFIT, source=source)
        return {"Authorization": f"Bearer {config.token}"}
    if config.username is None:
        return {}
    try:
        return {"Authorization": encode_basic_auth(config.username, config.password or "", encoding="utf-8")}
    except ValueError as error:
        raise MeterError(Fault.CREDENTIALS_UNFIT, source=source) from error


def _compiled(path: str) -> jsonpath.JSONPath | jsonpath.CompoundJSONPath:
    try:
        return _ENVIRONMENT.compile(path)
    except jsonpath.JSONPathError as error:
        raise MeterError(Fault.NO_PATH, path=repr(path), detail=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
