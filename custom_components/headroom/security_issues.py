"""What a person has to see to in the site's security: certificates, stations below the site's profile, stations that can't log in."""

from typing import TYPE_CHECKING

from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util

from .const import CONF_IDENTITY, SUBENTRY_STATION, TLS_OWN
from .issue import Issue

if TYPE_CHECKING:  # the coordinator raises these repairs
    from .coordinator import HeadroomConfigEntry

CERTIFICATE_EXPIRING = "certificate_expiring"
CERTIFICATE_FAILED = "tls_failed"
STATION_CERTIFICATE = "station_certificate_expiring"
BELOW_PROFILE = "station_below_profile"
LOGIN_FAILING = "station_login_failing"
FAILURES_TOLD = 3
"""So often in a row a station is refused, at most once a minute, before a person is told."""


def security_issues(entry: HeadroomConfigEntry) -> dict[str, Issue]:
    """Return the issues that stand now, by their id; none while the site is not running."""
    if entry.state is not ConfigEntryState.LOADED:
        return {}
    coordinator = entry.runtime_data
    security, central_system = coordinator.security, coordinator.central_system
    issues: dict[str, Issue] = {}
    if security.failure is not None:
        issues[f"{CERTIFICATE_FAILED}_{entry.entry_id}"] = Issue(
            CERTIFICATE_FAILED, ir.IssueSeverity.ERROR, {"site": entry.title, "error": security.failure}
        )
    elif security.expires_at is not None and security.settings.tls != TLS_OWN and security.expiring(dt_util.utcnow()):
        issues[f"{CERTIFICATE_EXPIRING}_{entry.entry_id}"] = Issue(
            CERTIFICATE_EXPIRING, ir.IssueSeverity.WARNING, {"site": entry.title, "date": f"{security.expires_at:%Y-%m-%d}"}
        )
    wanted = security.settings.profile
    for subentry in entry.get_subentries_of_type(SUBENTRY_STATION):
        identity = subentry.data[CONF_IDENTITY]
        kept, live = security.access.security(identity), central_system.profile(identity)
        placeholders = {"station": subentry.title, "identity": identity}
        if live is not None and kept is not None and max(kept.profile, live) < wanted:
            issues[f"{BELOW_PROFILE}_{entry.entry_id}_{identity}"] = Issue(
                BELOW_PROFILE, ir.IssueSeverity.WARNING, placeholders | {"profile": str(live), "wanted": str(wanted)}, identity
            )
        if (ends_at := security.renewal.expiring(identity)) is not None:
            issues[f"{STATION_CERTIFICATE}_{entry.entry_id}_{identity}"] = Issue(
                STATION_CERTIFICATE, ir.IssueSeverity.ERROR, placeholders | {"date": f"{ends_at:%Y-%m-%d}"}
            )
        # Whoever guesses at a station that is connected is not the station.
        if live is None and security.watch.failures(identity) >= FAILURES_TOLD:
            issues[f"{LOGIN_FAILING}_{entry.entry_id}_{identity}"] = Issue(
                LOGIN_FAILING, ir.IssueSeverity.ERROR, placeholders | {"remote": security.watch.failing_from(identity) or "–"}, identity
            )
    return issues
