"""Blocks A (beside the handshake) and M of OCPP 2.0.1: security events, passwords, certificates, and where a station connects to."""

import asyncio
from collections.abc import Mapping, Sequence
import logging
from typing import Any, override

from .. import background
from ..errors import CallError, CallRejectedError, CallTimeoutError, StationOfflineError
from ..events import Noticed
from ..fields import optional_record, optional_text, records, text
from ..frames import Payload
from ..security.authority import SigningRefusedError
from ..security.desk import CHARGING_STATION_CERTIFICATE, StationDesk
from ..security_commands import Apn, Vpn
from .link import Block, Handler, Link, without_none

_LOGGER = logging.getLogger(__name__)

DELIVER_AGAIN_S = (5.0, 30.0)
"""How long to wait before a signed certificate is sent again that the station did not answer to."""


class Certificates(Block):
    """Security events, passwords, certificates and network profiles."""

    def __init__(self, link: Link, desk: StationDesk) -> None:
        """Take the connection and who signs what the station asks for."""
        super().__init__(link)
        self._desk = desk
        self._delivering: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._signed: asyncio.Future[bool] | None = None

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {
            "Get15118EVCertificate": self._on_ev_certificate,
            "GetCertificateStatus": self._on_certificate_status,
            "SecurityEventNotification": self._on_security_event,
            "SignCertificate": self._on_sign_certificate,
        }

    def close(self) -> None:
        """Deliver and wait for nothing more: the connection is gone."""
        if self._delivering is not None and self._delivering is not asyncio.current_task():
            self._delivering.cancel()
        if self._signed is not None and not self._signed.done():
            self._signed.set_exception(StationOfflineError(f"{self._link.identity} went away"))

    # Commands

    async def set_password(self, password: str) -> None:
        """Have the station use another Basic-auth password (A01). Raises CallRejectedError where it keeps the old one."""
        key = ("SecurityCtrlr", "BasicAuthPassword")
        result = (await self._link.ready_calls.set_variables({key: password}))[key]
        if not result.taken:
            raise CallRejectedError("SetVariables", result.status)

    async def ask_for_signing(self, *, timeout_s: float) -> None:
        """Have the station ask for a certificate of its own (A02) and return once it has taken it.

        Whoever comes while that is under way waits for the same one. Raises CallRejectedError where it does not ask or does not take it, CallTimeoutError where that takes too long, and
        StationOfflineError where it goes away meanwhile.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_for_signing(timeout_s))
            self._asking.add_done_callback(lambda asking: asking.cancelled() or asking.exception())  # though nobody waits any more
        await asyncio.shield(self._asking)

    async def _ask_for_signing(self, timeout_s: float) -> None:
        self._signed = asyncio.get_running_loop().create_future()
        try:
            await self._link.ready_calls.trigger("SignChargingStationCertificate")
            async with asyncio.timeout(timeout_s):
                taken = await self._signed
        except TimeoutError:
            raise CallTimeoutError("SignCertificate: the station did not ask for a certificate in time") from None
        finally:
            self._signed = None
        if not taken:
            raise CallRejectedError("CertificateSigned", "Rejected")

    async def install(self, kind: str, certificate: str) -> None:
        """Install a root certificate (M05): OCPP's InstallCertificateUseEnumType, PEM. Raises CallRejectedError where it is not taken."""
        await self._link.ready_calls.command("InstallCertificate", {"certificateType": kind, "certificate": certificate})

    async def installed(self, kinds: Sequence[str] = ()) -> Sequence[Mapping[str, Any]]:
        """Return the hashes of what is installed (M03), as OCPP's CertificateHashDataChain; all kinds where none is named."""
        payload: Payload = {"certificateType": list(kinds)} if kinds else {}
        response = await self._link.ready_calls.command("GetInstalledCertificateIds", payload, ("Accepted", "NotFound"))
        return records(response, "certificateHashDataChain") if "certificateHashDataChain" in response else ()

    async def delete(self, hash_data: Mapping[str, str]) -> bool:
        """Delete a certificate by its hashes (M04); False where there was none. Raises CallRejectedError where it stays."""
        response = await self._link.ready_calls.command("DeleteCertificate", {"certificateHashData": hash_data}, ("Accepted", "NotFound"))
        return optional_text(response, "status") == "Accepted"

    async def has_root(self, hash_data: Mapping[str, str]) -> bool:
        """Return whether a root certificate is installed as the central system's, by serial number and hashes of the same kind."""
        wanted = {key: value.lower() for key, value in hash_data.items()}
        for chain in await self.installed(("CSMSRootCertificate",)):
            found = {key: str(value).lower() for key, value in optional_record(chain, "certificateHashData").items()}
            found["serialnumber"] = found.pop("serialNumber", "").lstrip("0")
            if (found.get("hashAlgorithm"), found["serialnumber"], found.get("issuerKeyHash")) == (
                wanted["hashAlgorithm"],
                wanted["serialNumber"].lstrip("0"),
                wanted["issuerKeyHash"],
            ):
                return True
        return False

    async def set_network_profile(
        self,
        slot: int,
        url: str,
        profile: int,
        interface: str,
        *,
        message_timeout_s: int = 30,
        apn: Apn | None = None,
        vpn: Vpn | None = None,
    ) -> None:
        """Write where and how to connect into a slot (B09, A05). Raises CallRejectedError where the station does not take it."""
        data = {
            "ocppVersion": "OCPP20",
            "ocppTransport": "JSON",
            "ocppCsmsUrl": url,
            "messageTimeout": message_timeout_s,
            "securityProfile": profile,
            "ocppInterface": interface,
            "apn": None if apn is None else _written_apn(apn),
            "vpn": None if vpn is None else _written_vpn(vpn),
        }
        await self._link.ready_calls.command("SetNetworkProfile", {"configurationSlot": slot, "connectionData": without_none(data)})

    # Requests

    async def _on_security_event(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="SecurityEventNotification", payload=payload))
        return {}

    async def _on_sign_certificate(self, payload: Payload) -> Payload:
        # Left out, it is the station's own (A02); what is left out is not answered with either.
        kind = optional_text(payload, "certificateType")
        try:
            chain = await self._desk.sign(kind or CHARGING_STATION_CERTIFICATE, text(payload, "csr"), self._link.memory.info.serial_number)
        except SigningRefusedError as refusal:
            if self._signed is not None and not self._signed.done():
                self._signed.set_exception(CallRejectedError("SignCertificate", "Rejected", str(refusal)))
            return {"status": "Rejected", "statusInfo": {"reasonCode": refusal.reason, "additionalInfo": str(refusal)[:512]}}
        if self._delivering is not None:
            self._delivering.cancel()  # the newest request counts
        self._delivering = background.begin(self._deliver(kind, chain), f"Delivering a certificate to {self._link.identity}")
        return {"status": "Accepted"}

    async def _deliver(self, kind: str | None, chain: str) -> None:
        payload = {"certificateChain": chain} | ({"certificateType": kind} if kind else {})
        taken = False
        for wait_s in (*DELIVER_AGAIN_S, None):
            try:
                await self._link.calls.command("CertificateSigned", payload)
            except StationOfflineError:
                self.close()  # it asks again when it is back
                return
            except CallRejectedError:
                break
            except (CallError, CallTimeoutError) as error:
                _LOGGER.debug("%s did not take its certificate yet: %s", self._link.identity, error)
            else:
                taken = True
                break
            if wait_s is not None:
                await asyncio.sleep(wait_s)
        self._desk.delivered(chain, accepted=taken)
        if self._signed is not None and not self._signed.done():
            self._signed.set_result(taken)

    async def _on_ev_certificate(self, payload: Payload) -> Payload:
        # Contract certificates come from a mobility operator's PKI, which nobody has connected.
        self._link.emit(Noticed(action="Get15118EVCertificate", payload=payload))
        return {"status": "Failed", "exiResponse": ""}

    async def _on_certificate_status(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="GetCertificateStatus", payload=payload))
        return {"status": "Failed"}


def _written_apn(apn: Apn) -> Payload:
    return without_none(
        {
            "apn": apn.name,
            "apnAuthentication": apn.authentication,
            "apnUserName": apn.user,
            "apnPassword": apn.password,
            "simPin": apn.sim_pin,
            "preferredNetwork": apn.preferred_network,
            "useOnlyPreferredNetwork": apn.only_preferred,
        }
    )


def _written_vpn(vpn: Vpn) -> Payload:
    return without_none(
        {"server": vpn.server, "user": vpn.user, "group": vpn.group, "password": vpn.password, "key": vpn.key, "type": vpn.type}
    )
