"""A charging station of a few lines: a real WebSocket that speaks OCPP 2.0.1, without a will of its own."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.event import async_track_state_change_event
from pytest_homeassistant_custom_component.common import MockConfigEntry
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.csms.client import AnswerTo, Client, stamp as now

type Payload = dict[str, Any]

STATION = {"vendorName": "Acme", "model": "Wallbox 2", "serialNumber": "SN-4711", "firmwareVersion": "1.2.3"}
BOOT: Payload = {"reason": "PowerUp", "chargingStation": STATION}

ANSWERS: dict[str, Payload] = {
    "GetBaseReport": {"status": "NotSupported"},
    "ClearChargingProfile": {"status": "Accepted"},
    "SetChargingProfile": {"status": "Accepted"},
    "TriggerMessage": {"status": "Accepted"},
    "RequestStartTransaction": {"status": "Accepted"},
    "RequestStopTransaction": {"status": "Accepted"},
    "UnlockConnector": {"status": "Unlocked"},
    "Reset": {"status": "Accepted"},
    "GetChargingProfiles": {"status": "NoProfiles"},
    "GetCompositeSchedule": {"status": "Rejected"},
    "GetTransactionStatus": {"messagesInQueue": False, "ongoingIndicator": True},
}


class RawStation(Client):
    """Answers each call as it is told to, and says what the test has it say; of its device model it tells what the test gives it."""

    def __init__(self, socket: ClientConnection) -> None:
        super().__init__(socket)
        self.answers: dict[str, AnswerTo] = {**ANSWERS, "GetVariables": self._values, "SetVariables": self._settings}
        self.variable_statuses: dict[str, str] = {}
        """What SetVariables is answered with, by the variable's name."""
        self.variables: dict[str, str] = {}
        """What GetVariables is answered with, by the variable's name."""

    def _values(self, payload: Payload) -> Payload:
        return {"getVariableResult": [item | self._told(item["variable"]["name"]) for item in payload["getVariableData"]]}

    def _told(self, name: str) -> Payload:
        if (value := self.variables.get(name)) is None:
            return {"attributeStatus": "UnknownComponent"}
        return {"attributeStatus": "Accepted", "attributeValue": value}

    def _settings(self, payload: Payload) -> Payload:
        named = [{key: item[key] for key in ("component", "variable")} for item in payload["setVariableData"]]
        statuses = self.variable_statuses
        return {"setVariableResult": [item | {"attributeStatus": statuses.get(item["variable"]["name"], "Accepted")} for item in named]}

    async def boot(self, **extra: str) -> None:
        """Boot, and once more when asked to, until accepted."""
        station = STATION | extra
        answer = await self.call("BootNotification", {"reason": "PowerUp", "chargingStation": station})
        while answer["status"] != "Accepted":
            await self.hears("TriggerMessage", lambda asked: asked["requestedMessage"] == "BootNotification")
            answer = await self.call("BootNotification", {"reason": "Triggered", "chargingStation": station})

    async def status(self, status: str, evse_id: int = 1) -> None:
        await self.call("StatusNotification", {"timestamp": now(), "connectorStatus": status, "evseId": evse_id, "connectorId": 1})

    async def transaction(
        self,
        event: str,
        seq_no: int,
        state: str,
        *,
        trigger: str = "ChargingStateChanged",
        evse_id: int = 1,
        remote_start_id: int | None = None,
        **values: float,
    ) -> Payload:
        """Tell of transaction "tx-1". `values` by measurand: current_a (all phases), energy_wh, power_w, voltage_v, soc_pct."""
        payload: Payload = {
            "eventType": event,
            "timestamp": now(),
            "triggerReason": trigger,
            "seqNo": seq_no,
            "transactionInfo": {"transactionId": "tx-1", "chargingState": state},
            "evse": {"id": evse_id, "connectorId": 1},
        }
        if remote_start_id is not None:
            payload["transactionInfo"]["remoteStartId"] = remote_start_id
        if event == "Started":
            payload["idToken"] = {"idToken": "04SECRET", "type": "ISO14443"}
        if samples := list(_sampled(values)):
            payload["meterValue"] = [{"timestamp": now(), "sampledValue": samples}]
        return await self.call("TransactionEvent", payload)


def _sampled(values: dict[str, float]) -> Any:
    for name, value in values.items():
        match name:
            case "current_a":
                yield from ({"value": value, "measurand": "Current.Import", "phase": phase} for phase in ("L1", "L2", "L3"))
            case "voltage_v":
                yield from ({"value": value, "measurand": "Voltage", "phase": f"{phase}-N"} for phase in ("L1", "L2", "L3"))
            case "power_w":
                yield {"value": value, "measurand": "Power.Active.Import"}
            case "energy_wh":
                yield {"value": value, "measurand": "Energy.Active.Import.Register"}
            case "soc_pct":
                yield {"value": value, "measurand": "SoC"}


@asynccontextmanager
async def raw_station(entry: MockConfigEntry, identity: str) -> AsyncGenerator[RawStation]:
    """Connect a station to the running integration; it has not booted yet."""
    uri = f"ws://127.0.0.1:{entry.data['port']}/{identity}"
    async with connect(uri, subprotocols=[Subprotocol("ocpp2.0.1")]) as socket, RawStation.on(socket) as station:
        yield station


async def until(hass: HomeAssistant, entity_id: str, state: str) -> None:
    """Wait until an entity has a state."""
    event = asyncio.Event()

    @callback
    def look(_: Any = None) -> None:
        current = hass.states.get(entity_id)
        if current is not None and current.state == state:
            event.set()

    unsubscribe = hass.bus.async_listen("state_changed", look)
    try:
        look()
        await asyncio.wait_for(event.wait(), 10)
    except TimeoutError:
        raise AssertionError(f"{entity_id} is {hass.states.get(entity_id)}, not {state}") from None
    finally:
        unsubscribe()


def told_by(hass: HomeAssistant, entity_id: str) -> asyncio.Queue[dict[str, Any]]:
    """Collect what an event entity tells."""
    told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @callback
    def hear(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state is not None and state.attributes.get("event_type"):
            told.put_nowait(dict(state.attributes))

    async_track_state_change_event(hass, entity_id, hear)
    return told
