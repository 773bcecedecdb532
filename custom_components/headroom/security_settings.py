"""What a person chose for the site's security, and what a station is recognised by, as an entry and its subentries keep them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from homeassistant.util import dt as dt_util

from .const import (
    CONF_CERTIFICATE,
    CONF_CLIENT_ROOT,
    CONF_PRIVATE_KEY,
    CONF_PROFILE,
    CONF_SECURITY,
    CONF_SERVER_NAMES,
    CONF_TLS,
    CONF_TLS_PORT,
    CONF_UNKNOWN_STATIONS,
    DEFAULT_TLS_PORT,
    TLS_NONE,
)
from .csms.security.recognition import NO_AUTHENTICATION, PASSWORD, StationCertificate, StationSecurity


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuritySettings:
    """What a person chose for the site. `tls`: none, certificates made here, or the person's own files."""

    profile: int = NO_AUTHENTICATION
    """The least that stations are to come on; those below it still get in, and are to be upgraded."""
    tls: str = TLS_NONE
    tls_port: int = DEFAULT_TLS_PORT
    server_names: tuple[str, ...] = ()
    certificate: str = ""
    private_key: str = ""
    client_root: str = ""
    """A file with the roots of stations' certificates beside our own; "": none."""
    unknown_stations: bool = True
    """Whether a station that nobody knows may wait for approval, unserved; else it is turned away."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> SecuritySettings:
        """Read them from a config entry's data; a site from before there were any asks for nothing."""
        kept = data.get(CONF_SECURITY, {})
        return cls(
            profile=int(kept.get(CONF_PROFILE, NO_AUTHENTICATION)),
            tls=kept.get(CONF_TLS, TLS_NONE),
            tls_port=int(kept.get(CONF_TLS_PORT, DEFAULT_TLS_PORT)),
            server_names=tuple(kept.get(CONF_SERVER_NAMES, ())),
            certificate=kept.get(CONF_CERTIFICATE, ""),
            private_key=kept.get(CONF_PRIVATE_KEY, ""),
            client_root=kept.get(CONF_CLIENT_ROOT, ""),
            unknown_stations=kept.get(CONF_UNKNOWN_STATIONS, True),
        )

    @property
    def asked_of_strangers(self) -> int:
        """The profile on which a station that nobody knows is heard at all; what it never has is a password."""
        return NO_AUTHENTICATION if self.unknown_stations else max(PASSWORD, self.profile)


def station_security(data: Mapping[str, Any]) -> StationSecurity:
    """Return what a station subentry's data keep to recognise it by."""
    kept = data.get(CONF_SECURITY, {})
    return StationSecurity(
        profile=int(kept.get("profile", NO_AUTHENTICATION)),
        password=kept.get("password"),
        sent_passwords=tuple(kept.get("sent_passwords", ())) or tuple(filter(None, (kept.get("next_password"),))),
        password_due=bool(kept.get("password_due", False)),
        certificates=tuple(_certificate(one) for one in kept.get("certificates", ())),
        serial_number=kept.get("serial_number"),
    )


def _certificate(kept: str | Mapping[str, Any]) -> StationCertificate:
    """Return a certificate as it is kept; a bare fingerprint is from before its end was."""
    if isinstance(kept, str):
        return StationCertificate(kept)
    return StationCertificate(kept["fingerprint"], dt_util.parse_datetime(kept.get("ends_at", "")), taken=kept.get("taken", True))


def station_document(security: StationSecurity) -> dict[str, Any]:
    """Return it as data of a station subentry."""
    document = {
        "profile": security.profile,
        "password": security.password,
        "sent_passwords": list(security.sent_passwords),
        "password_due": security.password_due or None,
        "certificates": [
            {"fingerprint": one.fingerprint}
            | ({} if one.ends_at is None else {"ends_at": one.ends_at.isoformat()})
            | ({} if one.taken else {"taken": False})
            for one in security.certificates
        ],
        "serial_number": security.serial_number,
    }
    return {key: value for key, value in document.items() if value not in (None, [])}
