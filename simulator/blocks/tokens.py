"""Blocks C and D of OCPP 2.0.1: who may charge, by the CSMS's word, the local authorization list and the authorization cache."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, override

from ..device_model import Key
from ..evse import Token
from ..outbox import Registration
from ..timestamps import read
from .block import Answer, Block, Handler, Payload, accepted

AUTHORIZE_AGAIN_S = 15.0
"""A driver who was turned away holds the card to the reader again after this."""
ASK_AGAIN_S = 1.0

type TokenInfo = Mapping[str, Any]
"""OCPP's IdTokenInfoType."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """What the CSMS said of a token, and when."""

    token: Token
    info: TokenInfo
    at: datetime


class Tokens(Block):
    """Judges tokens, and starts transactions for those that are good."""

    def __init__(self, *arguments: Any) -> None:
        """Know nobody."""
        super().__init__(*arguments)
        self.cache: dict[str, Cached] = {}
        self.shown: dict[str, str] = {}
        """The status the CSMS gave each token last, as its driver was shown; nobody is let in by it."""
        self.list_version = 0
        self.listed: dict[str, Mapping[str, Any]] = {}
        """The local list's AuthorizationData by token."""

    @override
    def answers(self) -> Mapping[str, Handler]:
        return {
            "ClearCache": self._clear_cache,
            "GetLocalListVersion": lambda _: {"versionNumber": self.list_version},
            "SendLocalList": self._send_local_list,
        }

    # Judging

    def known(self, id_token: Token) -> TokenInfo | None:
        """Return what is known here of a token: by the local list, else by the cache (C10, C13); None where it is unknown."""
        if self._enabled("LocalAuthListCtrlr") and (entry := self.listed.get(id_token["idToken"])) is not None:
            return _still_good(entry["idTokenInfo"], self.station.now)
        cached = self.cache.get(id_token["idToken"])
        if cached is None or not self._enabled("AuthCacheCtrlr"):
            return None
        lifetime_s = self.station.device.number("AuthCacheCtrlr", "LifeTime")
        if lifetime_s and self.station.now - cached.at > timedelta(seconds=lifetime_s):
            return None
        return _still_good(cached.info, self.station.now)

    def learn(self, id_token: Token, info: TokenInfo) -> None:
        """Show what the CSMS said, and keep it where there is a cache (C10)."""
        self.shown[id_token["idToken"]] = info["status"]
        if self._enabled("AuthCacheCtrlr") and id_token["type"] != "NoAuthorization":
            self.cache[id_token["idToken"]] = Cached(token=id_token, info=dict(info), at=self.station.now)

    def authorize(self, evse_id: int) -> None:
        """Let the driver at an EVSE start, ask the CSMS, or wait, as it is due."""
        station, evse = self.station, self.station.evses[evse_id]
        if evse.car is None or evse.token is None or evse.authorize_at is None or station.now < evse.authorize_at or not evse.usable:
            return
        id_token = evse.token
        # Kept for another, as far as is known here: only the CSMS can say that the token is of the same group (H04).
        kept = station.reservations.blocks(evse_id, id_token, (self.known(id_token) or {}).get("groupIdToken"))
        if id_token["type"] == "NoAuthorization" or not self._enabled("AuthCtrlr"):
            if kept:
                evse.authorize_at = station.now + timedelta(seconds=AUTHORIZE_AGAIN_S)
            else:
                station.transactions_block.start(evse_id, id_token, "CablePluggedIn")
        elif not station.outbox.online:
            if not kept and self.good_offline(id_token):
                station.transactions_block.start(evse_id, id_token, "Authorized")
            else:
                evse.authorize_at = station.now + timedelta(seconds=ASK_AGAIN_S)
        elif station.outbox.registration is not Registration.ACCEPTED:
            evse.authorize_at = station.now + timedelta(seconds=ASK_AGAIN_S)
        elif not kept and self._flag("AuthCtrlr", "LocalPreAuthorize") and (self.known(id_token) or {}).get("status") == "Accepted":
            station.transactions_block.start(evse_id, id_token, "Authorized")  # C14: the answer to the event still counts
        else:
            evse.authorize_at = None
            self.ask(evse_id, id_token, lambda: self._start(evse_id, id_token))

    def good_offline(self, id_token: Token) -> bool:
        """Return whether a token starts a transaction while there is no CSMS to ask (C13, C15)."""
        known = self.known(id_token)
        if known is None:
            return self._flag("AuthCtrlr", "OfflineTxForUnknownIdEnabled")
        return known["status"] == "Accepted" and self._flag("AuthCtrlr", "LocalAuthorizeOffline")

    def ask(self, evse_id: int, id_token: Token, start: Callable[[], object]) -> None:
        """Send Authorize; `start` where the CSMS accepts and the car still waits, else the driver tries again later."""

        def judged(reply: Payload) -> None:
            info, evse = reply["idTokenInfo"], self.station.evses[evse_id]
            self.learn(id_token, info)
            if evse.car is None or evse.transaction:
                return
            if info["status"] == "Accepted" and not self.station.reservations.blocks(evse_id, id_token, info.get("groupIdToken")):
                start()
            elif evse.token == id_token:
                evse.authorize_at = self.station.now + timedelta(seconds=AUTHORIZE_AGAIN_S)

        def lost() -> None:
            evse = self.station.evses[evse_id]
            if evse.token == id_token and not evse.transaction:
                evse.authorize_at = self.station.now + timedelta(seconds=ASK_AGAIN_S)

        self.station.say("Authorize", {"idToken": id_token}, judged, on_lost=lost)

    def may_stop(self, started_by: Token, shown: Token) -> bool:
        """Return whether a token ends another's transaction: its own, its group's, or a master pass (C09, C16)."""
        if started_by == shown:
            return True
        group, owners = (((self.known(one) or {}).get("groupIdToken") or {}).get("idToken") for one in (shown, started_by))
        master = self.station.device.text("AuthCtrlr", "MasterPassGroupId")
        return group is not None and group in {owners, master or None}

    def _start(self, evse_id: int, id_token: Token) -> None:
        group = ((self.known(id_token) or {}).get("groupIdToken") or {}).get("idToken")
        if group and group == self.station.device.text("AuthCtrlr", "MasterPassGroupId"):
            return  # C16.FR.01: a master pass starts nothing
        if self.station.evses[evse_id].token == id_token:
            self.station.transactions_block.start(evse_id, id_token, "Authorized")

    # Requests

    def _clear_cache(self, _: Payload) -> Answer:
        if not self._enabled("AuthCacheCtrlr"):
            return {"status": "Rejected"}
        self.cache.clear()
        return accepted()

    def _send_local_list(self, payload: Payload) -> Answer:
        if not self._enabled("LocalAuthListCtrlr"):
            return {"status": "Failed"}
        version, full = payload["versionNumber"], payload["updateType"] == "Full"
        if not full and version <= self.list_version:
            return {"status": "VersionMismatch"}
        entries = payload.get("localAuthorizationList", [])
        values = [entry["idToken"]["idToken"] for entry in entries]
        if len(values) != len(set(values)) or (full and any("idTokenInfo" not in entry for entry in entries)):
            return {"status": "Failed"}
        listed = {} if full else dict(self.listed)
        for entry in entries:
            listed.pop(entry["idToken"]["idToken"], None)
            if "idTokenInfo" in entry:
                listed[entry["idToken"]["idToken"]] = entry
        entries_key = Key("LocalAuthListCtrlr", "Entries")
        most = self.station.device.variables[entries_key].most
        if most is not None and len(listed) > most:
            return {"status": "Failed"}
        self.listed, self.list_version = listed, version
        self.station.device.update(entries_key, str(len(listed)))
        return accepted()

    def _enabled(self, component: str) -> bool:
        return self._flag(component, "Enabled")

    def _flag(self, component: str, variable: str) -> bool:
        return self.station.device.text(component, variable) == "true"


def _still_good(info: TokenInfo, now: datetime) -> TokenInfo:
    """Return what is known of a token, as "Expired" where its time is over."""
    expiry = info.get("cacheExpiryDateTime")
    return dict(info) | {"status": "Expired"} if expiry and read(expiry) <= now and info["status"] == "Accepted" else info
