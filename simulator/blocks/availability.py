"""Blocks F, G and J of OCPP 2.0.1: states of connectors, meter values, and messages that are asked for."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, override

from ..device_model import Key
from ..outbox import Registration
from ..timestamps import written
from .block import Answer, Block, Handler, Payload, accepted, rejected

if TYPE_CHECKING:
    from ..station import StationModel

ALIGNED_INTERVAL = Key("AlignedDataCtrlr", "Interval")


class Availability(Block):
    """What the station tells of its EVSEs."""

    def __init__(self, station: StationModel) -> None:
        """Look up what is asked at every step."""
        super().__init__(station)
        self._interval = station.device.variables[ALIGNED_INTERVAL]

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {
            "ChangeAvailability": self._change_availability,
            "TriggerMessage": self._trigger_message,
            "UnlockConnector": self._unlock_connector,
        }

    def tell_status(self, evse_id: int, *, asked: bool = False) -> None:
        """Queue a StatusNotification of an EVSE's connector."""
        station, evse = self.station, self.station.evses[evse_id]
        for key in (
            Key("Connector", "AvailabilityState", evse_id=evse_id, connector_id=1),
            Key("EVSE", "AvailabilityState", evse_id=evse_id),
        ):
            station.device.update(key, evse.status)
        if station.outbox.online:
            evse.told_status = evse.status
        status = {"timestamp": written(station.now), "connectorStatus": evse.status, "evseId": evse_id, "connectorId": 1}
        station.say("StatusNotification", status, asked=asked)

    def tell_changes(self) -> None:
        """Queue the states that are others than the CSMS was told last."""
        for evse_id, evse in self.station.evses.items():
            if evse.status != evse.told_status:
                self.tell_status(evse_id)

    def tell_meter(self, evse_id: int, context: str, component: str = "AlignedDataCtrlr", *, asked: bool = False) -> None:
        """Queue MeterValues of one EVSE, with the measurands of a controller."""
        station = self.station
        variable = "Measurands" if component == "AlignedDataCtrlr" else "TxUpdatedMeasurands"
        values = station.sampled_values(evse_id, station.device.members(component, variable), context)
        if values:
            meter_value = [{"timestamp": written(station.now), "sampledValue": values}]
            station.say("MeterValues", {"evseId": evse_id, "meterValue": meter_value}, asked=asked)

    @override
    def step(self, dt_s: float) -> None:
        interval_s = float(self._interval.value)
        if interval_s and self.station.running and self.station.now.timestamp() % interval_s < dt_s:
            for evse_id in self.station.evses:
                self.tell_meter(evse_id, "Sample.Clock")

    @override
    def registered(self) -> None:
        for evse_id in self.station.evses:
            self.tell_status(evse_id)

    @override
    def triggered(self, message: str, evse_ids: Collection[int]) -> bool:
        match message:
            case "Heartbeat":
                self.station.say("Heartbeat", {}, asked=True)
            case "StatusNotification":
                for one in evse_ids:
                    self.tell_status(one, asked=True)
            case "MeterValues":
                for one in evse_ids:
                    self.tell_meter(one, "Trigger", "SampledDataCtrlr", asked=True)
            case _:
                return False
        return True

    def _trigger_message(self, payload: Payload) -> Answer:
        station = self.station
        message, evse_id = payload["requestedMessage"], payload.get("evse", {}).get("id")
        chosen = [one for one in station.evses if evse_id in {None, 0, one}]
        if not chosen:
            return rejected("UnknownEvse")
        if message == "BootNotification":
            if station.outbox.registration is Registration.ACCEPTED:
                return rejected("NotEnabled", "F06.FR.17: it is accepted already")
            station.outbox.boot_at, station.outbox.boot_reason = station.now, "Triggered"
        elif not any(block.triggered(message, chosen) for block in station.blocks):
            return {"status": "NotImplemented"}
        station.on_change()
        return accepted()

    def _unlock_connector(self, payload: Payload) -> Answer:
        evse = self.station.evses.get(payload["evseId"])
        if evse is None or payload["connectorId"] != 1:
            return {"status": "UnknownConnector"}
        return {"status": "OngoingAuthorizedTransaction" if evse.transaction else "Unlocked"}

    def _change_availability(self, payload: Payload) -> Answer:
        evse_id = payload.get("evse", {}).get("id", 0)
        chosen = {one: evse for one, evse in self.station.evses.items() if evse_id in {0, one}}
        if not chosen:
            return rejected("UnknownEvse")
        operative = payload["operationalStatus"] == "Operative"
        for one, evse in chosen.items():
            evse.operative = operative
            self.tell_status(one)
        return {"status": "Scheduled" if not operative and any(evse.transaction for evse in chosen.values()) else "Accepted"}
