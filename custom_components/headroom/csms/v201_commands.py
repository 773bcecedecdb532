"""The commands of OCPP 2.0.1 but for smart charging (blocks B, E, F, G)."""

from collections.abc import Mapping, Sequence
from typing import Any

from .fields import optional_text
from .memory import Memory
from .station import CallError, IdToken, Inventory, StationInfo, StationOfflineError
from .v201_calls import Calls
from .validation import PayloadError, Schemas

SCHEMAS = Schemas("v201")


class Commands:
    """Commands to a station that is ready for them; before, and after it went away, each raises StationOfflineError."""

    def __init__(self, identity: str, calls: Calls, memory: Memory) -> None:
        """Take the connection's calls and what is known of the station."""
        self._identity = identity
        self._calls_when_ready = calls
        self._memory = memory
        self._ready = False

    @property
    def identity(self) -> str:
        """The last part of the path it connected to."""
        return self._identity

    @property
    def ocpp_version(self) -> str:
        """The version this adapter speaks."""
        return "2.0.1"

    @property
    def info(self) -> StationInfo:
        """What the station said at its last boot."""
        return self._memory.info

    @property
    def inventory(self) -> Inventory:
        """What was read of its device model; the standard's defaults before that."""
        return self._memory.inventory or Inventory()

    @property
    def ready(self) -> bool:
        """Whether commands may be sent."""
        return self._ready

    @property
    def _calls(self) -> Calls:
        if not self._ready:
            raise StationOfflineError(f"{self._identity} is not ready")
        return self._calls_when_ready

    async def call(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send any request; both it and the response are checked. Raises PayloadError, StationError."""
        if action not in SCHEMAS.actions:
            raise ValueError(f"{action} is no action of OCPP 2.0.1")
        response = await self._calls.ask(action, payload)
        try:
            SCHEMAS.check_response(action, response)
        except PayloadError as error:
            raise CallError(action, error.code, f"the response is not valid at {error.field}") from error
        return response

    async def start_transaction(self, evse_id: int, id_token: IdToken, remote_start_id: int) -> str | None:
        """Ask for a transaction (F01, F02); returns its id where the station has one already."""
        token = {"idToken": id_token.value, "type": id_token.type}
        response = await self._calls.command(
            "RequestStartTransaction", {"evseId": evse_id, "idToken": token, "remoteStartId": remote_start_id}
        )
        return optional_text(response, "transactionId")

    async def stop_transaction(self, transaction_id: str) -> None:
        """Ask for a transaction's end (F03)."""
        await self._calls.command("RequestStopTransaction", {"transactionId": transaction_id})

    async def get_variables(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], str | None]:
        """Read variables (B06); a component is written as in the inventory, e.g. "EVSE@1"."""
        return await self._calls.get_variables(keys)

    async def set_variables(self, values: Mapping[tuple[str, str], str]) -> Mapping[tuple[str, str], str]:
        """Set variables (B05)."""
        return await self._calls.set_variables(values)

    async def trigger(self, message: str, evse_id: int | None = None) -> None:
        """Ask for a message (F06); a StatusNotification of an EVSE is asked for connector by connector (F06.FR.12)."""
        if message == "StatusNotification" and evse_id:
            for connector_id in self.inventory.evse_connectors.get(evse_id, (1,)):
                await self._calls.trigger(message, {"id": evse_id, "connectorId": connector_id})
        else:
            await self._calls.trigger(message, None if evse_id is None else {"id": evse_id})

    async def reset(self, *, immediate: bool, evse_id: int | None = None) -> None:
        """Restart (B11, B12)."""
        payload: dict[str, Any] = {"type": "Immediate" if immediate else "OnIdle"}
        await self._calls.command("Reset", payload | _evse_id(evse_id), ("Accepted", "Scheduled"))

    async def change_availability(self, *, operative: bool, evse_id: int | None = None) -> None:
        """Put in or out of service (G03, G04)."""
        payload: dict[str, Any] = {"operationalStatus": "Operative" if operative else "Inoperative"}
        if evse_id:
            payload["evse"] = {"id": evse_id}
        await self._calls.command("ChangeAvailability", payload, ("Accepted", "Scheduled"))

    async def unlock_connector(self, evse_id: int, connector_id: int) -> None:
        """Release the plug (F05)."""
        await self._calls.command("UnlockConnector", {"evseId": evse_id, "connectorId": connector_id}, ("Unlocked",))


def _evse_id(evse_id: int | None) -> dict[str, int]:
    return {} if evse_id is None else {"evseId": evse_id}
