"""Who is let in, and on which of OCPP's security profiles (2.0.1 Part 2, A00 and A05).

0 is no authentication, which the standard does not know; 1 a password; 2 a password over TLS; 3 a certificate of the station's own.
A station never falls below the profile it has reached (A05), whatever the site asks for; a station of nobody's gets in only with
what the site asks for, which without a certificate is nothing or not at all.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from . import authority
from .credentials import BasicCredentials
from .events import SecurityEvent, SecurityEventKind, SecurityWatch
from .recognition import CERTIFICATE, NO_AUTHENTICATION, PASSWORD, PASSWORD_OVER_TLS, StationSecurity
from .throttle import SWITCHING_S, Guard, Limits, Seats, address_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What somebody who connects shows. `certificate` is the client's as DER, whose chain and dates TLS has checked."""

    identity: str
    remote: str
    tls: bool = False
    credentials: BasicCredentials | None = None
    certificate: bytes | None = None


class Refusal(Enum):
    """Why somebody is not let in."""

    UNKNOWN = auto()
    NOT_RECOGNISED = auto()
    DOWNGRADE = auto()
    TOO_SOON = auto()
    """It was not looked at: there were too many wrong answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether somebody is let in, and on which profile; else why not. `security` is what is to be kept from now on."""

    profile: int = NO_AUTHENTICATION
    refusal: Refusal | None = None
    detail: str = ""
    hold_s: float = 0.0
    stays_s: float | None = None
    """How long it may stay unless it shows who it is; None: as long as it likes."""
    security: StationSecurity | None = None


def judge(claim: Claim, kept: StationSecurity | None, *, required: int, root: str | None, switching_s: float = SWITCHING_S) -> Verdict:
    """Judge a claim by what is kept of the station (None: it is nobody's); the same work is done for either.

    `root` is the site's own root certificate: what it signed must also be what it signed for this station. `switching_s` is how long
    the station may still come without a password that is due.
    """
    security = kept or StationSecurity()
    password = claim.credentials.password if claim.credentials is not None and claim.credentials.user == claim.identity else ""
    used = security.in_force(password)
    owns, why_not = (False, "") if claim.certificate is None else _owns(claim, claim.certificate, security, root, known=kept is not None)
    reached = CERTIFICATE if owns else NO_AUTHENTICATION
    if not owns and used is not None:
        reached = PASSWORD_OVER_TLS if claim.tls else PASSWORD
    least = required if kept is None else max(kept.profile, PASSWORD if kept.password_due and switching_s <= 0 else NO_AUTHENTICATION)
    if reached < least:
        if kept is None:
            return Verdict(refusal=Refusal.UNKNOWN, detail="not a station of this site")
        if reached > NO_AUTHENTICATION:
            detail = f"it came on security profile {reached} and has reached {security.profile} before"
            return Verdict(profile=reached, refusal=Refusal.DOWNGRADE, detail=detail)
        detail = why_not or ("no password" if claim.credentials is None else "the password is wrong")
        return Verdict(refusal=Refusal.NOT_RECOGNISED, detail=detail)
    if kept is None:
        return Verdict(profile=reached)
    if owns and claim.certificate is not None:
        kept = kept.having_shown(claim.certificate)
    if used is not None and used != kept.password:  # it has taken a new password over
        kept = replace(kept, password=used, sent_passwords=())
    kept = replace(kept, profile=max(kept.profile, reached))
    return Verdict(
        profile=reached,
        stays_s=switching_s if kept.password_due and not reached else None,
        security=kept.owing_its_password(kept.password_due),
    )


def _owns(claim: Claim, certificate: bytes, security: StationSecurity, root: str | None, *, known: bool) -> tuple[bool, str]:
    """Return whether a certificate is the station's own; else why not."""
    try:
        name = authority.common_name(certificate)
        print_of_it = authority.fingerprint(certificate)
        ours = root is not None and authority.issued_by(certificate, root)
    except ValueError:
        return False, "its certificate can't be read"
    if name not in security.names(claim.identity):
        return False, "its certificate is for another name"
    if ours and known and not security.owns(print_of_it):
        return False, "its certificate was withdrawn"
    return True, ""


class Access:
    """Lets stations in or not, slows down who guesses, and keeps what it learns of each.

    `keep` is told what is to be kept of a station from now on. Time comes from `monotonic`; `sleep` is how an answer is held.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        watch: SecurityWatch | None = None,
        keep: Callable[[str, StationSecurity], None] = lambda identity, security: None,
        limits: Limits | None = None,
    ) -> None:
        """Let everyone in on profile 0 until `configure` says who belongs here."""
        self.monotonic = monotonic
        self.watch = watch or SecurityWatch(monotonic)
        self.seats = Seats(limits or Limits())
        self.required = NO_AUTHENTICATION
        self._sleep = sleep
        self._keep = keep
        self._guard = Guard()
        self._stations: dict[str, StationSecurity] = {}
        self._root: str | None = None
        self._switched_by: dict[str, float] = {}
        """Until when stations may come without the password that they took."""
        self.knocks: dict[str, str] = {}
        """Identities that were turned away because nobody knows them, the newest last, with their addresses."""

    @property
    def limits(self) -> Limits:
        """What is borne."""
        return self.seats.limits

    def configure(
        self, *, required: int, stations: Mapping[str, StationSecurity], root: str | None = None, limits: Limits | None = None
    ) -> None:
        """Take over what the site asks for and which stations it has, and what is borne from now on where it is another."""
        self.required = required
        self.seats.limits = limits or self.seats.limits
        self._stations = dict(stations)
        self._root = root
        for identity in stations:
            self.knocks.pop(identity, None)
        self._switched_by = {
            identity: until for identity, until in self._switched_by.items() if identity in stations and stations[identity].password_due
        }

    def security(self, identity: str) -> StationSecurity | None:
        """Return what is kept of a station; None where the site has no such station."""
        return self._stations.get(identity)

    def keep(self, identity: str, security: StationSecurity) -> None:
        """Keep something else of a station from now on; nothing where the site has it no more."""
        if identity in self._stations and self._stations[identity] != security:
            if security.sent_passwords != self._stations[identity].sent_passwords or not security.password_due:
                self._switched_by.pop(identity, None)
            self._stations[identity] = security
            self._keep(identity, security)

    async def pause(self, wait_s: float) -> None:
        """Wait, as whoever sends too much has to."""
        await self._sleep(wait_s)

    async def enter(self, claim: Claim) -> Verdict:
        """Judge a claim; a refusal comes after the delay that guessing has earned.

        Raises ConnectionAbortedError where the address has too many answers held already: it gets none.
        """
        known = claim.identity in self._stations
        address, now = address_key(claim.remote), self.monotonic()
        if self._guard.wait_s(address, claim.identity, known=known, now=now):
            verdict = Verdict(refusal=Refusal.TOO_SOON, hold_s=self._guard.hold_s(address, now))
        else:
            switching_s = self._switched_by.get(claim.identity, now + self.limits.switching_s) - now
            verdict = judge(claim, self._stations.get(claim.identity), required=self.required, root=self._root, switching_s=switching_s)
        if verdict.refusal is None:
            self._let_in(claim, address, verdict)
            return verdict
        if verdict.refusal in {Refusal.UNKNOWN, Refusal.NOT_RECOGNISED}:
            verdict = replace(verdict, hold_s=self._guard.failed(address, claim.identity, known=known, now=now))
        self._tell(claim, verdict)
        if verdict.hold_s:
            await self._hold(address, verdict.hold_s)
        return verdict

    def _let_in(self, claim: Claim, address: str, verdict: Verdict) -> None:
        if verdict.profile > NO_AUTHENTICATION:
            self._guard.succeeded(address, claim.identity)
        kept = self._stations.get(claim.identity)
        if kept is None or verdict.security is None:
            return
        if verdict.stays_s is not None:
            self._switched_by.setdefault(claim.identity, self.monotonic() + verdict.stays_s)
            self.watch.tell(
                SecurityEvent(
                    kind=SecurityEventKind.PASSWORD_NOT_SHOWN,
                    identity=claim.identity,
                    remote=claim.remote,
                    detail=f"it may stay for {verdict.stays_s:.0f} s without the password that it was given",
                )
            )
        self.watch.let_in(claim.identity, claim.remote)
        if verdict.security.profile > kept.profile:
            self.watch.tell(
                SecurityEvent(
                    kind=SecurityEventKind.PROFILE_RAISED,
                    identity=claim.identity,
                    remote=claim.remote,
                    detail=f"security profile {verdict.security.profile}",
                )
            )
        if verdict.security.password != kept.password:
            self.watch.tell(SecurityEvent(kind=SecurityEventKind.PASSWORD_CHANGED, identity=claim.identity, remote=claim.remote))
        self.keep(claim.identity, verdict.security)

    def _tell(self, claim: Claim, verdict: Verdict) -> None:
        match verdict.refusal:
            case Refusal.UNKNOWN:
                kind = SecurityEventKind.UNKNOWN_STATION
                self._knocked(claim)
            case Refusal.NOT_RECOGNISED:
                kind = SecurityEventKind.LOGIN_FAILED
            case Refusal.DOWNGRADE:
                kind = SecurityEventKind.DOWNGRADE_REFUSED
            case _:
                return
        self.watch.tell(SecurityEvent(kind=kind, identity=claim.identity, remote=claim.remote, detail=verdict.detail))

    def _knocked(self, claim: Claim) -> None:
        """Remember who knocked, so that a person can add it: a few, and not all of them of one address."""
        self.knocks.pop(claim.identity, None)
        address = address_key(claim.remote)
        same = [identity for identity, remote in self.knocks.items() if address_key(remote) == address]
        if len(same) >= max(1, self.limits.unapproved // 4):
            del self.knocks[same[0]]
        elif len(self.knocks) >= self.limits.unapproved:
            del self.knocks[next(iter(self.knocks))]
        self.knocks[claim.identity] = claim.remote

    async def _hold(self, address: str, hold_s: float) -> None:
        if not self.seats.hold(address):
            raise ConnectionAbortedError("too many answers are held for this address")
        try:
            await self._sleep(min(hold_s, self.limits.longest_hold_s))
        finally:
            self.seats.release(address)
