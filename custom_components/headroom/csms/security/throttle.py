"""What keeps guessers and floods away: seats for those who have not said who they are, growing delays, a ration of frames.

Nothing here sleeps or reads a clock: the time in seconds is an argument. Everything has a bound, whatever is thrown at it.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
import ipaddress
import math

FREE_FAILURES = 2
"""So many wrong answers in a row cost nothing: somebody mistyped."""
LONGEST_DELAY_S = 60.0
LONGEST_DELAY_AT_HOME_S = 10.0
"""For an identity at the address where it belongs: a guesser beside a real station must not keep that out for long."""
FORGET_S = 900.0
"""After so long without a failure all is forgiven."""
MOST_REMEMBERED = 1024
SWITCHING_S = 900.0
"""A station that was given a password restarts, and tries each of its ways to connect a few times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a central system bears. The defaults suit a site of 500 stations behind one address."""

    connections: int = 2048
    strangers_per_address: int = 640
    """Connections of one address that have not been told apart from anyone's yet (handshakes under way, wrong answers held)."""
    held_per_address: int = 8
    """Wrong answers of one address that are held back at a time; whoever comes beyond is hung up on."""
    handshake_s: float = 20.0
    """From the TCP connection, or the end of the TLS handshake, to the end of the WebSocket handshake."""
    tls_handshake_s: float = 10.0
    """Short, for whoever is in it has no seat yet: the event loop tells of no connection before its TLS stands."""
    longest_hold_s: float = 8.0
    unapproved: int = 20
    first_message_s: float = 60.0
    """How long a station that nobody approved may stay silent."""
    unapproved_s: float = 1800.0
    """How long a station that nobody approved may stay; it may come back."""
    switching_s: float = SWITCHING_S
    """How long a station that took a password over the air may stay without it, from when it comes back without it first."""
    frames_per_s: float = math.inf
    """What one station may send for long. A frame counts as one more for each 16 KiB it has."""
    frames_burst: float = 500.0
    flood_s: float = 60.0
    """How long a station may be slowed down without a break before it is hung up on."""


def address_key(address: str) -> str:
    """Return what counts as one address: an IPv4 address, or an IPv6 network of 64 bits, which one machine may have all of."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


@dataclass(slots=True)
class _Score:
    failures: int = 0
    last_s: float = 0.0
    delay_s: float = 0.0

    @property
    def blocked_until_s(self) -> float:
        return self.last_s + self.delay_s


class Scores:
    """Failures in a row by key, forgotten after `FORGET_S`; the oldest make room when there are too many."""

    def __init__(self, longest_delay_s: float, most: int = MOST_REMEMBERED) -> None:
        """Start with nobody."""
        self._longest_delay_s = longest_delay_s
        self._most = most
        self._scores: OrderedDict[object, _Score] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._scores)

    def wait_s(self, key: object, now: float) -> float:
        """Return how long nothing that comes under this key is looked at."""
        score = self._scores.get(key)
        return 0.0 if score is None else max(0.0, score.blocked_until_s - now)

    def clean(self, key: object, now: float) -> bool:
        """Return whether this key has no failure that still counts."""
        score = self._scores.get(key)
        return score is None or now - score.last_s > FORGET_S

    def fail(self, key: object, now: float) -> float:
        """Return the delay that a failure brings: nothing at first, then 1, 2, 4 … s. One more during a delay does not lengthen it."""
        score = _Score() if self.clean(key, now) else self._scores[key]
        if now < score.blocked_until_s:
            return score.delay_s
        score.failures += 1
        score.last_s = now
        if score.failures > FREE_FAILURES:
            score.delay_s = min(self._longest_delay_s, 2.0 ** min(score.failures - FREE_FAILURES - 1, 16))
        self._scores[key] = score
        self._scores.move_to_end(key)
        if len(self._scores) > self._most:
            self._scores.popitem(last=False)
        return score.delay_s

    def forgive(self, key: object) -> None:
        """Forget a key's failures."""
        self._scores.pop(key, None)


class Guard:
    """Slows down who guesses, by address and by identity, without locking a real station out.

    A password that is right is always taken once it is looked at. Looked at is, at once: a station at the address it came from before
    (but for guesses at that very pair, at most 10 s apart), a station that nobody has guessed at, however noisy its address is, and
    one from an address that has guessed at nobody: that is one look for each address in 15 minutes, which finds no password.
    Everyone else waits for address and identity. Identities that are not the site's count for their address alone, so that inventing
    them fills no memory. How long an answer is held depends on the address alone, so that it tells nothing about an identity.
    """

    def __init__(self) -> None:
        """Start with nobody."""
        self._addresses = Scores(LONGEST_DELAY_S)
        self._identities = Scores(LONGEST_DELAY_S)
        self._pairs = Scores(LONGEST_DELAY_AT_HOME_S)
        self._homes: OrderedDict[str, str] = OrderedDict()
        """The address from which each identity was let in last."""

    def wait_s(self, address: str, identity: str, *, known: bool, now: float) -> float:
        """Return how long an attempt is not looked at; 0: look at it."""
        if self._homes.get(identity) == address:
            return self._pairs.wait_s((address, identity), now)
        if known and (self._identities.clean(identity, now) or self._addresses.clean(address, now)):
            return 0.0
        return max(self._addresses.wait_s(address, now), self._identities.wait_s(identity, now) if known else 0.0)

    def failed(self, address: str, identity: str, *, known: bool, now: float) -> float:
        """Count a wrong answer; returns how long it is to be held."""
        if self._homes.get(identity) == address:
            self._pairs.fail((address, identity), now)
        elif known:
            self._identities.fail(identity, now)
        return self._addresses.fail(address, now)

    def hold_s(self, address: str, now: float) -> float:
        """Return how long an answer that was not looked at is to be held: as long as one that was looked at and is wrong."""
        return self._addresses.fail(address, now) if self._addresses.wait_s(address, now) else 0.0

    def succeeded(self, address: str, identity: str) -> None:
        """Take note of a right answer; the address's own failures stay: somebody else there may be guessing."""
        self._identities.forgive(identity)
        self._pairs.forgive((address, identity))
        self._homes[identity] = address
        self._homes.move_to_end(identity)
        if len(self._homes) > MOST_REMEMBERED:
            self._homes.popitem(last=False)


@dataclass(slots=True)
class Seats:
    """Counts connections: all of them, and by address those that nobody has recognised yet."""

    limits: Limits
    taken: int = 0
    _strangers: Counter[str] = field(default_factory=Counter)
    _held: Counter[str] = field(default_factory=Counter)

    def take(self, address: str) -> bool:
        """Seat a new connection; False where there is no seat."""
        if self.taken >= self.limits.connections or self._strangers[address] >= self.limits.strangers_per_address:
            return False
        self.taken += 1
        self._strangers[address] += 1
        return True

    def recognised(self, address: str) -> None:
        """A seated connection was let in."""
        self._leave(self._strangers, address)

    def gone(self, address: str, *, stranger: bool) -> None:
        """A seated connection is gone."""
        self.taken -= 1
        if stranger:
            self._leave(self._strangers, address)

    def hold(self, address: str) -> bool:
        """Take a place for an answer that is held; False where the address has no more."""
        if self._held[address] >= self.limits.held_per_address:
            return False
        self._held[address] += 1
        return True

    def release(self, address: str) -> None:
        """Give the place of `hold` back."""
        self._leave(self._held, address)

    @staticmethod
    def _leave(counter: Counter[str], address: str) -> None:
        counter[address] -= 1
        if counter[address] <= 0:
            del counter[address]


class Allowance:
    """So many of something at once for each key, and one more after every `every_s`."""

    def __init__(self, at_once: int, every_s: float, most: int = MOST_REMEMBERED) -> None:
        """Owe nobody anything yet."""
        self._at_once = at_once
        self._every_s = every_s
        self._most = most
        self._whole_at_s: OrderedDict[str, float] = OrderedDict()
        """When each key has its whole allowance again."""

    def take(self, key: str, now: float) -> bool:
        """Take one; False where none is left."""
        whole_at_s = max(now, self._whole_at_s.get(key, now))
        if whole_at_s - now > (self._at_once - 1) * self._every_s:
            return False
        self._whole_at_s[key] = whole_at_s + self._every_s
        self._whole_at_s.move_to_end(key)
        if len(self._whole_at_s) > self._most:
            self._whole_at_s.popitem(last=False)
        return True


class Ration:
    """What one connection may send: a bucket of `frames_burst` that fills at `frames_per_s`."""

    BYTES_PER_FRAME = 16 * 1024

    def __init__(self, limits: Limits, now: float) -> None:
        """Start with a full bucket."""
        self._limits = limits
        self._left = limits.frames_burst
        self._filled_at = now
        self._slowed_since: float | None = None

    def spend(self, size_bytes: int, now: float) -> float:
        """Take a frame from the bucket; returns how long to wait before the next one is read."""
        rate = self._limits.frames_per_s
        if math.isinf(rate):
            return 0.0
        self._left = min(self._limits.frames_burst, self._left + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._left >= self._limits.frames_burst / 2:
            self._slowed_since = None
        self._left -= 1 + size_bytes // self.BYTES_PER_FRAME
        if self._left >= 0:
            return 0.0
        if self._slowed_since is None:
            self._slowed_since = now
        return -self._left / rate

    def flooding(self, now: float) -> bool:
        """Return whether it has been slowed down for too long."""
        return self._slowed_since is not None and now - self._slowed_since > self._limits.flood_s
