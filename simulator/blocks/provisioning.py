"""Block B of OCPP 2.0.1 but for the connection: the device model read and written, reports, resets."""

from collections.abc import Mapping, Sequence
from typing import override

from ..device_model import Key
from ..outbox import Registration
from ..timestamps import written
from .block import Answer, Block, Handler, Payload, accepted, rejected


class Provisioning(Block):
    """What a CSMS reads and sets."""

    _reset: str | None = None
    """What was asked for: a ResetEnumType."""
    _reset_evses: Sequence[int] = ()

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {
            "GetBaseReport": self._get_base_report,
            "GetReport": self._get_report,
            "GetVariables": self._get_variables,
            "Reset": self._on_reset,
            "SetVariables": self._set_variables,
        }

    def obey_reset(self) -> None:
        """Do the reset that was asked for, once its answer is out and, if so asked, no transaction is left (B11, B12)."""
        if self._reset is None or (self._reset == "OnIdle" and self._busy(self._reset_evses)):
            return
        self._reset = None
        if self._reset_evses == tuple(self.station.evses):
            self.station.reboot("RemoteReset", transactions_go_on=False)
            return
        for evse_id in self._reset_evses:
            self.station.transactions_block.end(evse_id, "ResetCommand", "ImmediateReset")
            self.station.availability.tell_status(evse_id)

    def _get_base_report(self, payload: Payload) -> Answer:
        return self._report(payload["requestId"], self.station.device.matching(payload["reportBase"]))

    def _get_report(self, payload: Payload) -> Answer:
        keys = self.station.device.asked(payload.get("componentVariable", []), payload.get("componentCriteria", []))
        return self._report(payload["requestId"], keys) if keys else {"status": "EmptyResultSet"}

    def _report(self, request_id: int, keys: Sequence[Key]) -> Answer:
        pages = self.station.device.reports(keys)
        for number, data in enumerate(pages):
            page = {
                "requestId": request_id,
                "generatedAt": written(self.station.now),
                "seqNo": number,
                "tbc": number < len(pages) - 1,
                "reportData": data,
            }
            self.station.say("NotifyReport", page, asked=True)
        return accepted()

    def _get_variables(self, payload: Payload) -> Answer:
        self.station.device.update(Key("ClockCtrlr", "DateTime"), written(self.station.now))
        return {"getVariableResult": [self.station.device.get(data) for data in payload["getVariableData"]]}

    def _set_variables(self, payload: Payload) -> Answer:
        results = []
        for data in payload["setVariableData"]:
            key, value = Key.of(data), str(data["attributeValue"])
            refused = any(block.refuses(key, value) for block in self.station.blocks)
            result = self.station.device.set(data, refused=refused)
            results.append(result)
            if result["attributeStatus"] in {"Accepted", "RebootRequired"}:
                for block in self.station.blocks:
                    block.variable_set(key, value)
        if self.station.outbox.registration is Registration.ACCEPTED:
            self.station.schedule_heartbeat()
        return {"setVariableResult": results}

    def _on_reset(self, payload: Payload) -> Answer:
        evse_id = payload.get("evseId")
        if evse_id is not None and evse_id not in self.station.evses:
            return rejected("UnknownEvse")
        self._reset = payload["type"]
        self._reset_evses = tuple(self.station.evses) if evse_id is None else (evse_id,)
        if self._reset == "OnIdle" and self._busy(self._reset_evses):
            return {"status": "Scheduled"}
        return accepted()

    def _busy(self, evse_ids: Sequence[int]) -> bool:
        return any(evse_id in self.station.transactions for evse_id in evse_ids)
