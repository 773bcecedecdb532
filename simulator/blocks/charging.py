"""Block K of OCPP 2.0.1: charging profiles, composite schedules, and limits from elsewhere."""

from collections.abc import Mapping
from typing import Any, override

from ..device_model import Key
from ..profile_rules import ProfileRejectedError
from .block import Answer, Block, CallRefusedError, Handler, Payload, accepted, rejected


class SmartCharging(Block):
    """The CSMS's way to the station's profile store."""

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {
            "ClearChargingProfile": self._clear,
            "GetChargingProfiles": self._get,
            "GetCompositeSchedule": self._get_composite_schedule,
            "SetChargingProfile": self._set,
        }

    def limit_externally(self, evse_id: int, limit_a: float | None, source: str = "SO") -> None:
        """Let somebody else put up a limit at the station, or take it away (None); it tells the CSMS (K11–K14)."""
        station = self.station
        station.profiles.set_external(evse_id, limit_a, source, station.now)
        where: dict[str, Any] = {"evseId": evse_id} if evse_id else {}
        if limit_a is None:
            station.say("ClearedChargingLimit", {"chargingLimitSource": source, **where})
        else:
            limit: dict[str, Any] = {"chargingLimit": {"chargingLimitSource": source, "isGridCritical": True}, **where}
            if station.device.text("SmartChargingCtrlr", "NotifyChargingLimitWithSchedules") == "true":
                limit["chargingSchedule"] = [
                    one.profile["chargingSchedule"][0] for one in station.profiles.installed if one.source == source
                ]
            station.say("NotifyChargingLimit", limit)
        for changed in station.transactions:
            if evse_id in {0, changed}:
                station.transactions_block.tell(changed, "Updated", "ChargingRateChanged", "TxUpdated")

    def _set(self, payload: Payload) -> Answer:
        station = self.station
        self._require()
        if station.faults.rejecting:
            return rejected("UnspecifiedError", "switched to reject")
        evse_id, profile = payload["evseId"], payload["chargingProfile"]
        try:
            station.profiles.install(evse_id, profile, station.now, station.transactions)
        except ProfileRejectedError as error:
            return rejected(error.reason_code, str(error))
        station.profile_writes += 1
        self._count()
        if profile["chargingProfilePurpose"] == "TxProfile":
            station.high_level.profile_installed(evse_id)
        return accepted()

    def _clear(self, payload: Payload) -> Answer:
        self._require()
        criteria = payload.get("chargingProfileCriteria", {})
        cleared = self.station.profiles.clear(
            profile_id=payload.get("chargingProfileId"),
            evse_id=criteria.get("evseId"),
            purpose=criteria.get("chargingProfilePurpose"),
            stack_level=criteria.get("stackLevel"),
        )
        self._count()
        return {"status": "Accepted" if cleared else "Unknown"}

    def _get(self, payload: Payload) -> Answer:
        self._require()
        found = self.station.profiles.matching(payload.get("evseId"), payload["chargingProfile"])
        groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
        for one in found:
            groups.setdefault((one.evse_id, one.source), []).append(dict(one.profile))
        for index, ((evse_id, source), profiles) in enumerate(groups.items(), 1):
            report = {
                "requestId": payload["requestId"],
                "chargingLimitSource": source,
                "evseId": evse_id,
                "chargingProfile": profiles,
                "tbc": index < len(groups),
            }
            if not self.station.spec.quirks.never_reports_profiles:
                self.station.say("ReportChargingProfiles", report)
        return {"status": "Accepted" if found else "NoProfiles"}

    def _get_composite_schedule(self, payload: Payload) -> Answer:
        self._require()
        station = self.station
        evse_id, abilities = payload["evseId"], station.spec.abilities
        unit = payload.get("chargingRateUnit", "A" if "A" in abilities.rate_units else "W")
        if evse_id and evse_id not in station.evses:
            return rejected("UnknownEvse")
        if unit not in abilities.rate_units:
            return rejected("UnsupportedRateUnit")
        start = station.now.replace(microsecond=0)
        schedule = station.profiles.composite_schedule(evse_id, start, payload["duration"], unit, station.transactions, station.rated_a)
        if station.spec.quirks.fractional_start_period:
            for period in schedule["chargingSchedulePeriod"][1:]:
                period["startPeriod"] -= 0.257
        return {"status": "Accepted", "schedule": schedule}

    def _require(self) -> None:
        if self.station.spec.quirks.no_smart_charging:
            raise CallRefusedError("NotImplemented", "no smart charging")

    def _count(self) -> None:
        key = Key("SmartChargingCtrlr", "Entries", variable_instance="ChargingProfiles")
        self.station.device.update(key, str(len(self.station.profiles.installed)))
