"""Blocks A (beside the handshake) and M of OCPP 2.0.1: security events and certificates."""

from collections.abc import Mapping
from typing import override

from ..frames import Payload
from ..station import Noticed
from .link import Block, Handler


class Certificates(Block):
    """Security events and certificates."""

    @override
    def requests(self) -> Mapping[str, Handler]:
        return {
            "Get15118EVCertificate": self._on_ev_certificate,
            "GetCertificateStatus": self._on_certificate_status,
            "SecurityEventNotification": self._on_security_event,
            "SignCertificate": self._on_sign_certificate,
        }

    async def _on_security_event(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="SecurityEventNotification", payload=payload))
        return {}

    async def _on_sign_certificate(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="SignCertificate", payload=payload))
        return {"status": "Rejected"}

    async def _on_ev_certificate(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="Get15118EVCertificate", payload=payload))
        return {"status": "Failed", "exiResponse": ""}

    async def _on_certificate_status(self, payload: Payload) -> Payload:
        self._link.emit(Noticed(action="GetCertificateStatus", payload=payload))
        return {"status": "Failed"}
