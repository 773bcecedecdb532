"""Blocks C, D and H of OCPP 2.0.1: who may charge. The site judges tokens; here they are carried, and kept for when it can't be asked."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
import logging
from typing import Any, override

from ..authorization import AuthorizationStatus, IdToken, IdTokenInfo, ListSent, OfflineAuthorization, ReservationEnded
from ..errors import CallError, CallRejectedError
from ..fields import optional_text, optional_whole, record, text, whole
from ..frames import Payload
from . import local_list
from .link import Block, Handler, Link, without_none

_LOGGER = logging.getLogger(__name__)

ANSWERS: Mapping[AuthorizationStatus, str] = {
    AuthorizationStatus.ACCEPTED: "Accepted",
    AuthorizationStatus.BLOCKED: "Blocked",
    AuthorizationStatus.CONCURRENT_TX: "ConcurrentTx",
    AuthorizationStatus.EXPIRED: "Expired",
    AuthorizationStatus.INVALID: "Invalid",
    AuthorizationStatus.NO_CREDIT: "NoCredit",
    AuthorizationStatus.NOT_ALLOWED_TYPE_EVSE: "NotAllowedTypeEVSE",
    AuthorizationStatus.NOT_AT_THIS_LOCATION: "NotAtThisLocation",
    AuthorizationStatus.NOT_AT_THIS_TIME: "NotAtThisTime",
    AuthorizationStatus.UNKNOWN: "Unknown",
}
TOKEN_TYPES = frozenset({"Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization"})
LONGEST_TOKEN, LONGEST_MESSAGE, LONGEST_LANGUAGE = 36, 512, 8
DEFAULT_ITEMS = 16
"""How many tokens a SendLocalList holds at a station that does not say how many it takes."""
ABSENT = frozenset({"NotImplemented", "NotSupported"})


class Authorization(Block):
    """Tokens and reservations."""

    def __init__(self, link: Link, judge: Callable[[int | None, IdToken], Awaitable[IdTokenInfo]]) -> None:
        """`judge` answers a token that is shown at an EVSE, or at the station (None)."""
        super().__init__(link)
        self._judge = judge

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {"Authorize": self._on_authorize, "ReservationStatusUpdate": self._on_reservation}

    async def answer(self, evse_id: int | None, id_token: IdToken) -> Payload:
        """Return the response to a token in Authorize or TransactionEvent."""
        return {"idTokenInfo": self._info(await self._judge(evse_id, id_token))}

    async def _on_authorize(self, payload: Payload) -> Payload:
        response = dict(await self.answer(None, read_token(record(payload, "idToken"))))
        if "certificate" in payload or "iso15118CertificateHashData" in payload:
            # A contract that nobody here can verify is a claim that anybody can make: the station must not charge on it (C07).
            response["certificateStatus"] = "NoCertificateAvailable"
        return response

    async def _on_reservation(self, payload: Payload) -> Payload:
        removed = text(payload, "reservationUpdateStatus") == "Removed"
        self._link.emit(ReservationEnded(reservation_id=whole(payload, "reservationId"), removed=removed))
        return {}

    def _info(self, info: IdTokenInfo) -> Payload:
        message = None
        if info.message:
            language = info.language[:LONGEST_LANGUAGE] if info.language else None
            message = without_none({"format": "UTF8", "language": language, "content": info.message[:LONGEST_MESSAGE]})
        return without_none(
            {
                "status": ANSWERS[info.status],
                "cacheExpiryDateTime": None if info.cache_expires_at is None else self._link.station_time(info.cache_expires_at),
                "evseId": list(info.evse_ids) or None,
                "groupIdToken": written_group(info.group),
                "language1": info.language[:LONGEST_LANGUAGE] if info.language else None,
                "personalMessage": message,
            }
        )

    # What it goes by while it is alone

    async def keep(self, wanted: OfflineAuthorization) -> None:
        """Have the station go by this: its settings, its local list (D01, D02), and no answer in its cache that holds no more (C11)."""
        kept = self._link.memory.local_list
        lists = self._lists
        await self._set(self._settings(wanted, lists=lists))
        accepted = [token.key for token, info in wanted.tokens.items() if info.status is AuthorizationStatus.ACCEPTED]
        withdrawn = set(kept.get("accepted", ())) - set(accepted) or (kept.get("unknown") is True and not wanted.unknown)
        if lists:
            await self._keep_list(self._entries(wanted))
        if withdrawn and self._has("AuthCacheCtrlr"):
            await self._forget()
        self._remember(accepted=sorted(accepted), unknown=wanted.unknown)

    @property
    def keeps_list(self) -> bool:
        """Whether the station has a local authorization list."""
        return self._lists

    async def send_list(self, wanted: OfflineAuthorization) -> ListSent:
        """Send the whole list, whatever the station is thought to hold (D01), as one that follows on what it reports (D02)."""
        entries = self._entries(wanted)
        await self._send(self._held(), await self._reported_version(), entries, whole=True)
        return ListSent(version=self._held().version, tokens=len(entries))

    async def clear_cache(self) -> None:
        """Have the station forget the answers it remembers (C11)."""
        await self._link.ready_calls.command("ClearCache", {})

    async def _forget(self) -> None:
        try:
            await self.clear_cache()
        except CallRejectedError:
            pass  # it says so where the cache is switched off (C11.FR.04)
        except CallError as error:
            if error.code not in ABSENT:
                raise

    def _has(self, component: str) -> bool:
        variables = self._link.inventory.variables
        if variables.get(f"{component}.Available", "").lower() == "false":
            return False
        return any(name.startswith(f"{component}.") for name in variables)

    @property
    def _lists(self) -> bool:
        return self._has("LocalAuthListCtrlr")

    def _settings(self, wanted: OfflineAuthorization, *, lists: bool) -> Mapping[tuple[str, str], str]:
        """Return the variables by which the station asks, or goes by what it knows; only those that it has and that differ."""
        settings = {
            # A station that can ask does ask, whatever it knows: it is answered once its fallback is installed.
            ("AuthCtrlr", "LocalPreAuthorize"): "false",
            ("AuthCtrlr", "LocalAuthorizeOffline"): "true",
            ("AuthCtrlr", "OfflineTxForUnknownIdEnabled"): _flag(wanted.unknown),
            ("LocalAuthListCtrlr", "Enabled"): "true",
            # Where there is a list, it is the truth; a cache beside it would only keep what was withdrawn.
            ("AuthCacheCtrlr", "Enabled"): _flag(not lists and not wanted.unknown),
            ("ReservationCtrlr", "Enabled"): "true",
            ("AuthCtrlr", "MasterPassGroupId"): wanted.master_pass_group or "",
        }
        if wanted.required:
            settings |= {("AuthCtrlr", "Enabled"): "true", ("TxCtrlr", "StopTxOnInvalidId"): "true"}
        inventory = self._link.inventory
        found = {}
        for (component, variable), value in settings.items():
            name = f"{component}.{variable}"
            described = inventory.device.get(name)
            there = inventory.variables.get(name, "" if described is not None else None)
            if (
                name not in inventory.awaiting_reboot
                and there is not None
                and there.lower() != value.lower()
                and (described is None or described.writable)
            ):
                found[component, variable] = value
        return found

    async def _set(self, settings: Mapping[tuple[str, str], str]) -> None:
        refused: list[str] = self._link.memory.local_list.get("refused", [])
        settings = {key: value for key, value in settings.items() if f"{'.'.join(key)}={value}" not in refused}
        if not settings:
            return
        results = await self._link.ready_calls.set_variables(settings)
        self._link.learn_values({key: settings[key] for key, result in results.items() if result.status == "Accepted"})
        if waiting := {".".join(key) for key, result in results.items() if result.status == "RebootRequired"}:
            inventory = self._link.inventory
            self._link.memory.inventory = replace(inventory, awaiting_reboot=tuple(sorted({*inventory.awaiting_reboot, *waiting})))
            self._link.inventory_changed()
        new = [f"{'.'.join(key)}={settings[key]}" for key, result in results.items() if not result.taken]
        if new:
            _LOGGER.info("%s does not let these be set: %s", self._link.identity, ", ".join(name.partition("=")[0] for name in new))
            self._remember(refused=[*refused, *new])

    def _entries(self, wanted: OfflineAuthorization) -> dict[str, Payload]:
        return {_key(entry): entry for entry in map(self._entry, *_columns(wanted))}

    def _entry(self, token: IdToken, info: IdTokenInfo) -> Payload:
        return {"idToken": written_token(token), "idTokenInfo": self._info(info)}

    async def _keep_list(self, wanted: Mapping[str, Payload]) -> None:
        held = self._held()
        try:
            reported = await self._reported_version()
        except CallError as error:
            if error.code in ABSENT:
                _LOGGER.debug("%s keeps no local list after all", self._link.identity)
                return
            raise
        if held.version and not local_list.is_known(held, reported):
            # What it was is over, also where nothing is to be sent now: another list may come to have the same version.
            held = local_list.Held()
            self._remember(version=held.version, entries=dict(held.entries))
        try:
            await self._send(held, reported, wanted)
        except CallRejectedError as error:
            # What it did not take as a difference it may take as a whole; a whole list that it can't store is the same again.
            if error.status != "VersionMismatch" and (error.status != "Failed" or not local_list.is_known(held, reported)):
                raise
            await self._send(local_list.Held(), reported, wanted)

    async def _reported_version(self) -> int:
        return optional_whole(await self._link.ready_calls.ask("GetLocalListVersion", {}), "versionNumber") or 0

    async def _send(self, held: local_list.Held, reported: int, wanted: Mapping[str, Payload], *, whole: bool = False) -> None:
        items, most_bytes = self._limit("ItemsPerMessage") or DEFAULT_ITEMS, self._limit("BytesPerMessage")
        for update in local_list.updates(held, reported, wanted, items=items, most_bytes=most_bytes, whole=whole):
            await self._link.ready_calls.command("SendLocalList", update.payload)
            self._remember(version=update.then.version, entries=dict(update.then.entries))

    def _limit(self, variable: str) -> int | None:
        variables = self._link.inventory.variables
        for name in (f"LocalAuthListCtrlr.{variable}", f"LocalAuthListCtrlr.{variable}[SendLocalList]"):
            if (value := variables.get(name, "").strip()).isdecimal():
                return max(1, int(value))
        return None

    def _held(self) -> local_list.Held:
        kept = self._link.memory.local_list
        version, entries = kept.get("version"), kept.get("entries")
        return (
            local_list.Held(version=version, entries=entries)
            if isinstance(version, int) and isinstance(entries, dict)
            else local_list.Held()
        )

    def _remember(self, **what: Any) -> None:
        kept = self._link.memory.local_list
        if any(kept.get(name) != value for name, value in what.items()):
            self._link.memory.local_list = kept | what
            self._link.memory.changed()

    # Reservations

    async def reserve_now(
        self,
        reservation_id: int,
        id_token: IdToken,
        expires_at: datetime,
        *,
        evse_id: int | None = None,
        connector_type: str | None = None,
        group: str | None = None,
    ) -> None:
        """Reserve an EVSE, or any of the station (H01); the same id again changes the reservation (H01.FR.02)."""
        payload = {
            "id": reservation_id,
            "expiryDateTime": self._link.station_time(expires_at),
            "idToken": written_token(id_token),
            "evseId": evse_id,
            "connectorType": connector_type,
            "groupIdToken": written_group(group),
        }
        await self._link.ready_calls.command("ReserveNow", without_none(payload))

    async def cancel_reservation(self, reservation_id: int) -> None:
        """Take a reservation back (H02)."""
        await self._link.ready_calls.command("CancelReservation", {"reservationId": reservation_id})


def read_token(token: Payload) -> IdToken:
    """Return the token a station read. Raises CallFailure."""
    kind = optional_text(token, "type") or "Central"
    return IdToken(value=text(token, "idToken"), type=next((known for known in TOKEN_TYPES if known.lower() == kind.lower()), kind))


def written_token(token: IdToken) -> Payload:
    """Return a token as OCPP wants it. Raises ValueError where it is longer than OCPP's are."""
    if len(token.value) > LONGEST_TOKEN:
        raise ValueError(f"a token has at most {LONGEST_TOKEN} characters")
    return {"idToken": token.value, "type": token.type if token.type in TOKEN_TYPES else "Central"}


def written_group(group: str | None) -> Payload | None:
    """Return a group's token, which is of the central system's own making; None for no group."""
    return None if group is None else {"idToken": group[:LONGEST_TOKEN], "type": "Central"}


def _columns(wanted: OfflineAuthorization) -> tuple[list[IdToken], list[IdTokenInfo]]:
    return list(wanted.tokens.keys()), list(wanted.tokens.values())


def _key(entry: Payload) -> str:
    token = entry["idToken"]
    return f"{token['type']}:{token['idToken']}".casefold()


def _flag(value: bool) -> str:
    return "true" if value else "false"
