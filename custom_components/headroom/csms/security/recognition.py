"""What a station is recognised by: the security profile it has reached, its passwords as hashes, its certificates (2.0.1 Part 2, A00 to A05)."""

from dataclasses import dataclass, replace
from datetime import datetime

from . import authority
from .credentials import verify_password

NO_AUTHENTICATION, PASSWORD, PASSWORD_OVER_TLS, CERTIFICATE = range(4)
PROFILES = (NO_AUTHENTICATION, PASSWORD, PASSWORD_OVER_TLS, CERTIFICATE)
MOST_SENT_PASSWORDS = 3
"""So many passwords that a station was sent, and may have taken, hold beside the one it uses."""
MOST_CERTIFICATES = 4
"""A station's newest certificates hold beside each other while it changes over."""


@dataclass(frozen=True, slots=True)
class StationCertificate:
    """A certificate that our root signed for a station."""

    fingerprint: str
    ends_at: datetime | None = None
    """None: not known, for a station from before it was kept; known once it comes with it."""
    taken: bool = True
    """Whether the station said that it took it, or came with it; else it may have been lost on its way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSecurity:
    """What is kept of one station to recognise it."""

    profile: int = NO_AUTHENTICATION
    """The least security profile it is let in on: the highest it ever came on."""
    password: str | None = None
    """As `hash_password` returns it."""
    sent_passwords: tuple[str, ...] = ()
    """Those that it was sent, the newest last: whichever it comes with takes the old one's place, and the others end (A01)."""
    password_due: bool = False
    """It took a password over the air and has not come with it yet: without one it is let in for a while only (Limits.switching_s)."""
    certificates: tuple[StationCertificate, ...] = ()
    """The certificates that our root signed for it, the newest last; any other of ours is not its own."""
    serial_number: str | None = None
    """What it said in a connection in which it was recognised."""

    def names(self, identity: str) -> frozenset[str]:
        """Return what the CN of its certificate may be."""
        return frozenset(name for name in (identity, self.serial_number) if name)

    @property
    def has_password(self) -> bool:
        """Return whether there is one that it may use."""
        return self.password is not None or bool(self.sent_passwords)

    def with_sent_password(self, hashed: str) -> StationSecurity:
        """Return the same with one password more that it may come with; where there are too many, the oldest that was sent ends."""
        return replace(self, sent_passwords=(*self.sent_passwords, hashed)[-MOST_SENT_PASSWORDS:])

    def without_sent_password(self, hashed: str) -> StationSecurity:
        """Return the same without a password that it did not take."""
        return replace(self, sent_passwords=tuple(one for one in self.sent_passwords if one != hashed))

    def owing_its_password(self, due: bool = True) -> StationSecurity:
        """Return the same with its password due, or not any more; one that has shown who it is owes nothing."""
        return replace(self, password_due=due and self.profile == NO_AUTHENTICATION and self.has_password)

    def in_force(self, password: str) -> str | None:
        """Return the hash of the password in force that this is; the same work is done whatever is kept."""
        places = (self.password, *self.sent_passwords, *(None,) * (MOST_SENT_PASSWORDS - len(self.sent_passwords)))
        right = [kept for kept in places if verify_password(password, kept)]
        return right[0] if right else None

    @property
    def has_certificate(self) -> bool:
        """Return whether it has taken one."""
        return any(one.taken for one in self.certificates)

    @property
    def certificate_ends_at(self) -> datetime | None:
        """When the newest certificate that it has taken ends; None where it has none, or its end is not known."""
        taken = [one for one in self.certificates if one.taken] or self.certificates
        return taken[-1].ends_at if taken else None

    def owns(self, fingerprint: str) -> bool:
        """Return whether our root signed a certificate for it that was not withdrawn."""
        return any(one.fingerprint == fingerprint for one in self.certificates)

    def with_certificate(self, certificate: str) -> StationSecurity:
        """Return the same with one certificate (PEM) more; where there are too many, the oldest ends that was not taken, else the oldest."""
        newest = StationCertificate(authority.fingerprint(certificate), authority.expires_at(certificate), taken=False)
        kept = list(self.certificates)
        if len(kept) >= MOST_CERTIFICATES:
            kept.remove(next((one for one in kept if not one.taken), kept[0]))
        return replace(self, certificates=(*kept, newest))

    def having_taken(self, certificate: str) -> StationSecurity:
        """Return the same after the station said that it took a certificate (PEM)."""
        taken = authority.fingerprint(certificate)
        return replace(self, certificates=tuple(replace(one, taken=True) if one.fingerprint == taken else one for one in self.certificates))

    def without_certificate(self, certificate: str) -> StationSecurity:
        """Return the same without a certificate (PEM)."""
        withdrawn = authority.fingerprint(certificate)
        return replace(self, certificates=tuple(one for one in self.certificates if one.fingerprint != withdrawn))

    def having_shown(self, certificate: bytes) -> StationSecurity:
        """Return the same with the end of a certificate (DER) that it has shown."""
        shown, ends_at = authority.fingerprint(certificate), authority.expires_at(certificate)
        return replace(
            self,
            certificates=tuple(replace(one, ends_at=ends_at, taken=True) if one.fingerprint == shown else one for one in self.certificates),
        )

    def __repr__(self) -> str:
        """Keep the hashes out of logs and tracebacks."""
        return f"StationSecurity(profile={self.profile}, password={self.password is not None}, certificates={len(self.certificates)})"
