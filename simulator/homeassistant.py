"""A real Home Assistant for the demo: its own folder, its own process, driven through its public API only."""

import asyncio
import contextlib
from dataclasses import dataclass
import json
import os
from pathlib import Path
import re
import shutil
import signal
import socket
import sys
from typing import Any

import aiohttp

from .homeassistant_api import ApiError, Client, HomeAssistantGoneError

CHECKOUT = Path(__file__).parents[1]
COMPONENT = CHECKOUT / "custom_components" / "headroom"

NAME = "Demo"
USERNAME = "demo"
PASSWORD = "demo-headroom"

HOME: dict[str, Any] = {
    "location_name": "House with a yard",
    "latitude": 52.0907,
    "longitude": 5.1214,
    "elevation": 5,
    "time_zone": "Europe/Amsterdam",
    "country": "NL",
    "currency": "EUR",
    "language": "en",
    "unit_system": "metric",
}

CONFIGURATION = """\
config:
energy:
frontend:
history:
logbook:
my:
recorder:
  commit_interval: 1
system_health:
logger:
  default: warning
  logs:
    custom_components.headroom: info
"""

# Everything of the welcome but the account. Left to itself, "core_config" sets up a weather forecast, a radio directory and speech.
ONBOARDING = {
    "version": 4,
    "minor_version": 1,
    "key": "onboarding",
    "data": {"done": ["core_config", "analytics", "integration"]},
}

LOG_LINE = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ (?P<level>[A-Z]+) \([^)]*\) \[(?P<logger>[^\]]+)\] (?P<text>.*)$")
OUR_LOGGERS = ("custom_components.headroom", "ocpp", "websockets", "pymodbus")


def http_settings(port: int) -> dict[str, Any]:
    """Return the web server's stored settings; from YAML they would be a trial that somebody has to confirm within five minutes."""
    stable = {
        "server_host": ["127.0.0.1"],
        "server_port": port,
        "cors_allowed_origins": [],
        "login_attempts_threshold": -1,
        "ip_ban_enabled": True,
        "ssl_profile": "modern",
        "use_x_frame_options": True,
        "created_at": "2026-01-01T00:00:00+00:00",
        "error": None,
        "error_message": None,
    }
    return {"version": 2, "minor_version": 2, "key": "http", "data": {"stable": stable, "pending": None, "yaml_migration_done": True}}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One entry of Home Assistant's log, with its traceback."""

    level: str
    logger: str
    text: str


_reservations: list[socket.socket] = []


def free_port(preferred: int) -> int:
    """Return `preferred` where nobody has it, else any free TCP port of 127.0.0.1.

    The UDP port of the same number is kept, as a sign to other demos that are starting that this one is taken.
    """
    for port in (preferred, *[0] * 20):
        with socket.socket() as probe:
            sign = socket.socket(type=socket.SOCK_DGRAM)
            try:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
                sign.bind(probe.getsockname())
            except OSError:
                sign.close()
                continue
            _reservations.append(sign)
            return int(probe.getsockname()[1])
    raise OSError("127.0.0.1 has no free port")


def read_log(text: str) -> list[LogEntry]:
    """Split a log into its entries; lines that open none belong to the one above."""
    entries: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if match := LOG_LINE.match(line):
            entries.append((match["level"], match["logger"], [match["text"]]))
        elif entries:
            entries[-1][2].append(line)
    return [LogEntry(level=level, logger=logger, text="\n".join(lines)) for level, logger, lines in entries]


def is_our_trouble(entry: LogEntry) -> bool:
    """Whether an entry is a warning or worse that this integration is to answer for."""
    if entry.level not in {"WARNING", "ERROR", "CRITICAL"} or entry.logger == "homeassistant.loader":
        return False  # the loader warns of every custom integration there is
    return entry.logger.startswith(OUR_LOGGERS) or "headroom" in entry.text


class HomeAssistant:
    """One Home Assistant on a fresh configuration in `folder`. `start` and `stop` or `kill` may follow each other at will."""

    def __init__(self, folder: Path, *, port: int | None = None) -> None:
        """Choose the folder, whose content is lost at the first start, and the port (default: 8123 or any free one)."""
        self.folder = folder
        self.port = port or free_port(8123)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_file = folder / "log.txt"
        self._process: asyncio.subprocess.Process | None = None
        self._client: Client | None = None
        self._token: str | None = None

    @property
    def client(self) -> Client:
        """The owner's connection; raises HomeAssistantGoneError while Home Assistant is down."""
        if self._client is None:
            raise HomeAssistantGoneError("Home Assistant is not running")
        return self._client

    @property
    def running(self) -> bool:
        """Whether the process is there and a client is connected."""
        return self._client is not None and self._process is not None and self._process.returncode is None

    @property
    def process_id(self) -> int:
        """The id of the process; raises HomeAssistantGoneError where it was never started."""
        if self._process is None:
            raise HomeAssistantGoneError("Home Assistant was not started")
        return self._process.pid

    def prepare(self) -> None:
        """Make the configuration folder anew: the component symlinked, the welcome reduced to the account."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "custom_components").mkdir(parents=True)
        (self.folder / "custom_components" / "headroom").symlink_to(COMPONENT)
        (self.folder / "configuration.yaml").write_text(CONFIGURATION)
        storage = self.folder / ".storage"
        storage.mkdir()
        (storage / "onboarding").write_text(json.dumps(ONBOARDING))
        (storage / "http").write_text(json.dumps(http_settings(self.port)))
        self._token = None

    async def start(self, *, timeout_s: float = 90.0) -> None:
        """Start the process and return once it is set up and the owner is logged in.

        The first start prepares the folder and creates the owner. Raises ApiError with the log's end where it does not come up.
        """
        if self._token is None:
            await asyncio.to_thread(self.prepare)
        arguments = ["--config", str(self.folder), "--skip-pip", "--log-no-color"]
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                str(CHECKOUT / "scripts" / "hass"),
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(timeout_s):
                await self._answering()
                self._token = self._token or await self._create_owner()
                self._client = client = await Client.connect(self.url, self._token)

                async def running() -> bool | None:
                    return True if (await client.command("get_config"))["state"] == "RUNNING" else None

                await client.wait_for("homeassistant_started", running, timeout_s=timeout_s)
        except TimeoutError as error:
            await self.kill()
            raise ApiError(f"Home Assistant did not come up within {timeout_s:g} s:\n{self._log_end()}") from error

    async def _answering(self) -> None:
        assert self._process is not None
        async with aiohttp.ClientSession() as session:
            while True:
                if self._process.returncode is not None:
                    raise ApiError(f"Home Assistant exited with {self._process.returncode}:\n{self._log_end()}")
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{self.url}/api/onboarding") as response:
                        if response.status < 500:
                            return
                await asyncio.sleep(0.1)

    async def _create_owner(self) -> str:
        """Create the account as the welcome page does, set the home's place, and return a token that outlives a restart."""
        client_id = f"{self.url}/"
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            account = {"name": NAME, "username": USERNAME, "password": PASSWORD, "client_id": client_id, "language": "en"}
            async with session.post(f"{self.url}/api/onboarding/users", json=account) as response:
                code = (await response.json())["auth_code"]
            form = {"grant_type": "authorization_code", "code": code, "client_id": client_id}
            async with session.post(f"{self.url}/auth/token", data=form) as response:
                access_token: str = (await response.json())["access_token"]
        client = await Client.connect(self.url, access_token)
        try:
            await client.command("config/core/update", **HOME)
            token: str = await client.command("auth/long_lived_access_token", client_name="Headroom demo", lifespan=30)
        finally:
            await client.close()
        return token

    async def stop(self, *, timeout_s: float = 30.0) -> None:
        """End it as a user would (SIGTERM), by force where that takes longer than `timeout_s`."""
        await self._disconnect()
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), timeout_s)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """End the process and its children at once (SIGKILL), as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        await self._disconnect()

    async def _disconnect(self) -> None:
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def save_dashboard(self, url_path: str, title: str, icon: str, config: dict[str, Any]) -> None:
        """Save a dashboard and make it what the owner sees first."""
        dashboards = await self.client.command("lovelace/dashboards/list")
        if all(dashboard["url_path"] != url_path for dashboard in dashboards):
            await self.client.command("lovelace/dashboards/create", url_path=url_path, title=title, icon=icon, mode="storage")
        await self.client.command("lovelace/config/save", url_path=url_path, config=config)
        await self.client.command("frontend/set_user_data", key="core", value={"default_panel": url_path})

    def log(self) -> list[LogEntry]:
        """Return every entry of the log, over all starts."""
        return read_log(self.log_file.read_text(errors="replace"))

    def our_troubles(self) -> list[str]:
        """Return the warnings and errors this integration is to answer for, as `LEVEL logger: text`."""
        return [f"{entry.level} {entry.logger}: {entry.text}" for entry in self.log() if is_our_trouble(entry)]

    def _log_end(self) -> str:
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-30:])
