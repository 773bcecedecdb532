"""Actions on how stations show who they are: passwords, certificates, and where stations connect."""

from collections.abc import Mapping
from typing import Any

from homeassistant.core import ServiceCall, ServiceResponse, SupportsResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType
import probatio as vol

from ..const import DOMAIN
from ..csms.security import authority
from ..csms.security.recognition import PASSWORD, PASSWORD_OVER_TLS, PROFILES
from ..csms.security.upgrade import SIGNING_S, try_first
from ..csms.security_commands import APN_AUTHENTICATIONS, CSMS_ROOT, INSTALLED_KINDS, INTERFACES, ROOT_KINDS, VPN_TYPES, Apn, Vpn
from ..diagnostics import as_json
from ..errors import invalid, translated_errors
from ..security import vault_of
from ..station_access import address_of, async_rotate_password, kept_of, tls_is_missing
from .action import Action, station_of, target

ATTR_APN = "apn"
ATTR_APN_AUTHENTICATION = "apn_authentication"
ATTR_APN_PASSWORD = "apn_password"
ATTR_APN_USER = "apn_user"
ATTR_CERTIFICATE = "certificate"
ATTR_FIRST = "first"
ATTR_HASH_ALGORITHM = "hash_algorithm"
ATTR_INTERFACE = "interface"
ATTR_ISSUER_KEY_HASH = "issuer_key_hash"
ATTR_ISSUER_NAME_HASH = "issuer_name_hash"
ATTR_KIND = "kind"
ATTR_KINDS = "kinds"
ATTR_ONLY_PREFERRED_NETWORK = "only_preferred_network"
ATTR_PREFERRED_NETWORK = "preferred_network"
ATTR_PROFILE = "profile"
ATTR_SERIAL_NUMBER = "serial_number"
ATTR_SIM_PIN = "sim_pin"
ATTR_SLOT = "slot"
ATTR_URL = "url"
ATTR_VPN_GROUP = "vpn_group"
ATTR_VPN_KEY = "vpn_key"
ATTR_VPN_PASSWORD = "vpn_password"
ATTR_VPN_SERVER = "vpn_server"
ATTR_VPN_TYPE = "vpn_type"
ATTR_VPN_USER = "vpn_user"


def _text(most: int) -> vol.All[Any]:
    return vol.All(cv.string, vol.Length(min=1, max=most))


APN_FIELDS: Mapping[str, Any] = {
    ATTR_APN: _text(512),
    ATTR_APN_AUTHENTICATION: vol.In(APN_AUTHENTICATIONS),
    ATTR_APN_USER: _text(20),
    ATTR_APN_PASSWORD: _text(20),
    ATTR_SIM_PIN: vol.All(cv.string, vol.Match(r"^[0-9]{4,8}$"), vol.Coerce(int)),
    ATTR_PREFERRED_NETWORK: vol.All(cv.string, vol.Match(r"^[0-9]{5,6}$")),
    ATTR_ONLY_PREFERRED_NETWORK: cv.boolean,
}
VPN_FIELDS: Mapping[str, Any] = {
    ATTR_VPN_TYPE: vol.In(VPN_TYPES),
    ATTR_VPN_SERVER: _text(512),
    ATTR_VPN_USER: _text(20),
    ATTR_VPN_GROUP: _text(20),
    ATTR_VPN_PASSWORD: _text(20),
    ATTR_VPN_KEY: _text(255),
}
"""Lengths are OCPP's."""
NETWORK_SECRETS = frozenset({ATTR_APN_USER, ATTR_APN_PASSWORD, ATTR_SIM_PIN, ATTR_VPN_USER, ATTR_VPN_PASSWORD, ATTR_VPN_KEY})
"""Of those, what no error may repeat."""


async def _rotate_password(call: ServiceCall) -> None:
    coordinator, identity, _ = station_of(call)
    await async_rotate_password(coordinator, identity)


async def _set_network_profile(call: ServiceCall) -> ServiceResponse:
    """Write where a station connects into a slot, and put that first where it is to connect by it."""
    coordinator, identity, _ = station_of(call)
    profile = int(call.data[ATTR_PROFILE])
    apn, vpn = _apn(call.data), _vpn(call.data)
    url = call.data.get(ATTR_URL)
    if url is None and profile >= PASSWORD_OVER_TLS and tls_is_missing(coordinator.config_entry, profile):
        raise invalid("tls_not_served")
    reached = kept_of(coordinator.config_entry, identity).profile
    if url is None and profile < reached:
        raise invalid("profile_below", station=identity, profile=str(profile), reached=str(reached))
    url = url or address_of(call.hass, coordinator.config_entry, profile).rstrip("/")
    with translated_errors(identity):
        station = coordinator.station(identity)
        await station.certificates.set_network_profile(call.data[ATTR_SLOT], url, profile, call.data[ATTR_INTERFACE], apn=apn, vpn=vpn)
        if call.data[ATTR_FIRST]:
            await try_first(station, call.data[ATTR_SLOT])
    return {"slot": call.data[ATTR_SLOT], "url": url, "profile": profile}


def _apn(data: Mapping[str, Any]) -> Apn | None:
    """Return the mobile network that was given. Raises ServiceValidationError where it has no name."""
    if not any(field in data for field in APN_FIELDS):
        return None
    if ATTR_APN not in data:
        raise invalid("apn_incomplete")
    return Apn(
        name=data[ATTR_APN],
        authentication=data.get(ATTR_APN_AUTHENTICATION, APN_AUTHENTICATIONS[0]),
        user=data.get(ATTR_APN_USER),
        password=data.get(ATTR_APN_PASSWORD),
        sim_pin=data.get(ATTR_SIM_PIN),
        preferred_network=data.get(ATTR_PREFERRED_NETWORK),
        only_preferred=data.get(ATTR_ONLY_PREFERRED_NETWORK),
    )


def _vpn(data: Mapping[str, Any]) -> Vpn | None:
    """Return the private network that was given. Raises ServiceValidationError where something of it is missing."""
    if not any(field in data for field in VPN_FIELDS):
        return None
    if not all(field in data for field in VPN_FIELDS.keys() - {ATTR_VPN_GROUP}):
        raise invalid("vpn_incomplete")
    return Vpn(
        type=data[ATTR_VPN_TYPE],
        server=data[ATTR_VPN_SERVER],
        user=data[ATTR_VPN_USER],
        password=data[ATTR_VPN_PASSWORD],
        key=data[ATTR_VPN_KEY],
        group=data.get(ATTR_VPN_GROUP),
    )


async def _install_certificate(call: ServiceCall) -> None:
    """Install a root certificate; the site's own where none is given."""
    coordinator, identity, _ = station_of(call)
    kind, certificate = call.data[ATTR_KIND], call.data.get(ATTR_CERTIFICATE)
    if certificate is None and kind != CSMS_ROOT:
        raise invalid("certificate_missing")
    if certificate is None:
        certificate = (await _root(call))["certificate"]
    try:
        authority.fingerprint(certificate)
    except ValueError as error:
        raise invalid("not_a_certificate") from error
    with translated_errors(identity):
        await coordinator.station(identity).certificates.install(kind, certificate)


async def _delete_certificate(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    hash_data = {
        "hashAlgorithm": call.data[ATTR_HASH_ALGORITHM],
        "issuerNameHash": call.data[ATTR_ISSUER_NAME_HASH],
        "issuerKeyHash": call.data[ATTR_ISSUER_KEY_HASH],
        "serialNumber": call.data[ATTR_SERIAL_NUMBER],
    }
    with translated_errors(identity):
        found = await coordinator.station(identity).certificates.delete(hash_data)
    if not found:
        raise invalid("certificate_unknown", station=identity)
    return {"deleted": True}


async def _get_installed_certificates(call: ServiceCall) -> ServiceResponse:
    coordinator, identity, _ = station_of(call)
    with translated_errors(identity):
        chains = await coordinator.station(identity).certificates.installed(call.data[ATTR_KINDS])
    return {"certificates": [_described(chain) for chain in as_json(chains)]}


def _described(chain: Mapping[str, Any]) -> JsonObjectType:
    """Return a certificate that is installed, with its hashes named as `delete_certificate` takes them."""
    described: JsonObjectType = {ATTR_KIND: chain.get("certificateType"), **_hashes(chain.get("certificateHashData"))}
    if isinstance(below := chain.get("childCertificateHashData"), list) and below:
        described["chain"] = [_hashes(one) for one in below]
    return described


def _hashes(found: Any) -> JsonObjectType:
    hashes: Mapping[str, Any] = found if isinstance(found, dict) else {}
    return {
        ATTR_HASH_ALGORITHM: hashes.get("hashAlgorithm"),
        ATTR_ISSUER_NAME_HASH: hashes.get("issuerNameHash"),
        ATTR_ISSUER_KEY_HASH: hashes.get("issuerKeyHash"),
        ATTR_SERIAL_NUMBER: hashes.get("serialNumber"),
    }


async def _get_root_certificate(call: ServiceCall) -> ServiceResponse:
    return dict(await _root(call))


async def _root(call: ServiceCall) -> Mapping[str, str]:
    """Return the root certificate of the chosen site, made where there is none yet."""
    coordinator, _ = target(call)
    entry = coordinator.config_entry
    try:
        root = await call.hass.async_add_executor_job(vault_of(call.hass, entry.entry_id).root, entry.title, dt_util.utcnow())
    except (OSError, ValueError) as error:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="certificate_failed", translation_placeholders={"error": str(error)}
        ) from error
    return {
        "certificate": root.certificate,
        "fingerprint_sha256": authority.fingerprint(root.certificate),
        "valid_until": authority.expires_at(root.certificate).isoformat(),
    }


async def _sign_certificate(call: ServiceCall) -> None:
    """Have a station ask for a certificate of its own; done once it has taken it."""
    coordinator, identity, _ = station_of(call)
    if coordinator.security.root is None:
        raise invalid("tls_not_served")
    if (coordinator.central_system.profile(identity) or 0) < PASSWORD:
        raise invalid("not_recognised", station=identity)
    with translated_errors(identity):
        await coordinator.station(identity).certificates.ask_for_signing(timeout_s=SIGNING_S)


ACTIONS: Mapping[str, Action] = {
    "rotate_password": Action(handler=_rotate_password, fields={}),
    "set_network_profile": Action(
        handler=_set_network_profile,
        fields={
            vol.Required(ATTR_SLOT): vol.All(vol.Coerce(int), vol.Range(min=0, max=255)),
            vol.Required(ATTR_PROFILE): vol.All(vol.Coerce(int), vol.In(PROFILES)),
            vol.Optional(ATTR_INTERFACE, default=INTERFACES[0]): vol.In(INTERFACES),
            vol.Optional(ATTR_URL): vol.All(cv.string, vol.Match(r"^wss?://"), vol.Length(max=512)),
            vol.Optional(ATTR_FIRST, default=False): cv.boolean,
            **{
                vol.Optional(vol.Secret(field) if field in NETWORK_SECRETS else field): kind
                for field, kind in {**APN_FIELDS, **VPN_FIELDS}.items()
            },
        },
        response=SupportsResponse.OPTIONAL,
    ),
    "install_certificate": Action(
        handler=_install_certificate,
        fields={
            vol.Optional(ATTR_KIND, default=CSMS_ROOT): vol.In(ROOT_KINDS),
            vol.Optional(ATTR_CERTIFICATE): vol.All(cv.string, vol.Length(max=5500)),
        },
    ),
    "delete_certificate": Action(
        handler=_delete_certificate,
        fields={
            vol.Optional(ATTR_HASH_ALGORITHM, default="SHA256"): vol.In(("SHA256", "SHA384", "SHA512")),
            vol.Required(ATTR_ISSUER_NAME_HASH): vol.All(cv.string, vol.Length(max=128)),
            vol.Required(ATTR_ISSUER_KEY_HASH): vol.All(cv.string, vol.Length(max=128)),
            vol.Required(ATTR_SERIAL_NUMBER): vol.All(cv.string, vol.Length(max=40)),
        },
        response=SupportsResponse.OPTIONAL,
    ),
    "get_installed_certificates": Action(
        handler=_get_installed_certificates,
        fields={vol.Optional(ATTR_KINDS, default=[]): vol.All(cv.ensure_list, [vol.In(INSTALLED_KINDS)])},
        response=SupportsResponse.ONLY,
    ),
    "get_root_certificate": Action(handler=_get_root_certificate, fields={}, response=SupportsResponse.ONLY),
    "sign_certificate": Action(handler=_sign_certificate, fields={}),
}
