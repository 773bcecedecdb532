"""What the tests of entities share: a site with fixed ids, and one in the middle of a busy evening."""

import _socket
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
import socket
from unittest.mock import patch

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, snapshot_platform
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

from custom_components.headroom.const import DOMAIN
from custom_components.headroom.csms.values import ChargingState, ConnectorStatus, StationInfo
from custom_components.headroom.engine.model import Phase, Reason, ReasonCode
from custom_components.headroom.site.config import EvseKey
from custom_components.headroom.site.snapshot import EvseStatus, MeterHealth, SiteSnapshot

STARTED_AT = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
LEFT = EvseKey("CP1", 1)
RIGHT_1 = EvseKey("CP2", 1)
RIGHT_2 = EvseKey("CP2", 2)


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Snapshots in the form that leaves out ids and times."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def entity_registry_enabled_by_default() -> Iterator[None]:
    """Enable the entities that are disabled by default."""
    with patch("homeassistant.helpers.entity.Entity.entity_registry_enabled_default", True):
        yield


@pytest.fixture
def fixed_entry(mock_config_entry: MockConfigEntry) -> MockConfigEntry:
    """The shared entry under an id that snapshots can hold."""
    object.__setattr__(mock_config_entry, "entry_id", "site")
    return mock_config_entry


@pytest.fixture
async def sites_are_stopped(hass: HomeAssistant) -> AsyncGenerator[None]:
    """A site that was set up really runs; it is stopped again."""
    yield
    for entry in hass.config_entries.async_loaded_entries(DOMAIN):
        await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()


@pytest.fixture
def names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the system itself refuse what can be no host's name, which it does before it asks anybody; elsewhere tests look no name up."""
    monkeypatch.setattr(socket, "getaddrinfo", _socket.getaddrinfo)


@pytest.fixture
async def taken_port() -> AsyncGenerator[int]:
    """A port on which another program listens."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.fixture
async def meter_port() -> AsyncGenerator[int]:
    """An Eastron SDM630 on a socket of its own: 4.2, 5 and 6 A, 3496 W."""
    per_phase = [230.0, 230.0, 230.0, 4.2, 5.0, 6.0, 966.0, 1150.0, 1380.0]
    values = [*per_phase, *[0.0] * 17, 3496.0, *[0.0] * 23]
    coils = [SimData(0, values=False, count=8, datatype=DataType.BITS)]
    holding = [SimData(0, values=0, count=8, datatype=DataType.REGISTERS)]
    device = SimDevice(1, simdata=(coils, coils, holding, [SimData(0, values=values, datatype=DataType.FLOAT32)]))
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.listen()
    yield server.transport.sockets[0].getsockname()[1]
    await server.shutdown()


@pytest.fixture
def entry(hass: HomeAssistant, mock_config_entry: MockConfigEntry) -> MockConfigEntry:
    mock_config_entry.add_to_hass(hass)
    return mock_config_entry


@pytest.fixture
def set_up(hass: HomeAssistant, fixed_entry: MockConfigEntry) -> Callable[[Platform], Awaitable[MockConfigEntry]]:
    """Set up one platform of the real integration and let it show a busy evening."""

    async def set_up(platform: Platform) -> MockConfigEntry:
        fixed_entry.add_to_hass(hass)
        with patch("custom_components.headroom.PLATFORMS", (platform,)):
            assert await hass.config_entries.async_setup(fixed_entry.entry_id)
            await hass.async_block_till_done()
        show(fixed_entry, busy(fixed_entry.runtime_data.data))
        await hass.async_block_till_done()
        show(fixed_entry, busy(fixed_entry.runtime_data.data))
        return fixed_entry

    return set_up


@pytest.fixture
def compare_platform(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    entity_registry_enabled_by_default: None,
    snapshot: SnapshotAssertion,
    set_up: Callable[[Platform], Awaitable[MockConfigEntry]],
) -> Callable[[Platform], Awaitable[None]]:
    """Set up one platform and compare all its entities and states of a busy evening with the test's snapshot."""

    async def compare(platform: Platform) -> None:
        entry = await set_up(platform)
        await snapshot_platform(hass, entity_registry, snapshot, entry.entry_id)

    return compare


def show(entry: MockConfigEntry, snapshot: SiteSnapshot) -> None:
    """Have the entities show a snapshot, until the loop's next turn."""
    entry.runtime_data.async_set_updated_data(snapshot)


def busy(site: SiteSnapshot) -> SiteSnapshot:
    """A car charges at the left station, limited by the garage's circuit on L2; the right station is not connected."""
    main, garage = site.circuits["main"], site.circuits["garage"]
    return replace(
        site,
        charging_power_w=7250.0,
        reaction_s=0.412,
        departure_error_s=1080.0,
        circuits={
            "main": replace(
                main,
                circuit=replace(main.circuit, metered=True),
                current_a=(31.25, 28.5, 30.0),
                headroom_a=(17.25, 20.0, 18.5),
                power_w=20_600.0,
                import_wh=12_345_678.0,
                export_wh=4_321_000.0,
                meter=MeterHealth.OK,
                meter_age_s=0.8,
                meter_source="eastron_sdm630 at 192.0.2.20",
            ),
            "garage": replace(garage, current_a=(10.5, 10.5, 10.5), headroom_a=(31.0, 31.0, 31.0)),
        },
        stations={
            "CP1": replace(
                site.stations["CP1"],
                online=True,
                ready=True,
                info=StationInfo(vendor="Acme", model="Wallbox 2", serial_number="SN-4711", firmware_version="1.2.3"),
                ack_latency_s=0.093,
                profile_writes_today=3,
            ),
            "CP2": replace(site.stations["CP2"], online=False, ready=False, ack_latency_s=None, profile_writes_today=1),
        },
        evses={
            LEFT: replace(
                site.evses[LEFT],
                status=EvseStatus.CHARGING,
                connector_status=ConnectorStatus.OCCUPIED,
                fault=False,
                charging_state=ChargingState.CHARGING,
                vehicle_connected=True,
                charging=True,
                transaction_id="tx-1",
                session_start=STARTED_AT,
                session_energy_wh=4321.0,
                requested_a=11.0,
                limit_a=10.5,
                fallback_a=6.0,
                reason=Reason(code=ReasonCode.CIRCUIT, circuit_id="garage", phase=Phase.L2, others=1),
                reason_text="Garage is full on L2.",
                circumstances={
                    "circuit": "Garage",
                    "phase": "L2",
                    "others": 1,
                    "limit": 20.0,
                    "unmanaged": 2.0,
                    "reserved": 0.0,
                },
                current_a=(10.4, 10.5, 10.5),
                voltage_v=(229.0, 231.0, 230.0),
                power_w=7250.0,
                energy_wh=987_654.0,
                soc_pct=63.0,
                user_max_a=16.0,
            ),
            RIGHT_1: replace(
                site.evses[RIGHT_1],
                status=EvseStatus.AVAILABLE,
                limit_a=6.0,
                fallback_a=6.0,
                reason=Reason(code=ReasonCode.OFFLINE),
                allowed=False,
                user_max_a=16.0,
            ),
            RIGHT_2: replace(site.evses[RIGHT_2], limit_a=None, fallback_a=None, reason=None, user_max_a=32.0),
        },
    )
