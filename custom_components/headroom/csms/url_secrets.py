"""What an address may tell: where it leads, and nothing of how one gets in there.

Name and password stand before the host, a ticket in the path (a log's upload), a signature in the query (a firmware's download).
"""

from collections.abc import Callable, Iterable
import re
from urllib.parse import unquote

REDACTED = "**REDACTED**"
URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,15})://(?P<authority>[^/?#\s]*)(?P<rest>\S*)", re.IGNORECASE)
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]*)(:\d{1,5})?", re.IGNORECASE)
MEMBERS = frozenset({"location", "ocppCsmsUrl", "remoteLocation", "responderURL"})
"""Members of OCPP 2.0.1 that hold an address."""
SEPARATORS = re.compile(r"[/?&=#;:,@]")
SHORTEST_TICKET = 12
"""A shorter part of a path or a query is a word rather than a secret."""


type Met = Callable[[str], object]
"""Is told each part of an address that may be a secret."""


def without_url_secrets(text: str, met: Met = lambda secret: None) -> str:
    """Return a text with nothing of its addresses but scheme and host."""

    def bare(url: re.Match[str]) -> str:
        user_info, _, host = url["authority"].rpartition("@")
        rest = url["rest"]
        # With an @ behind it, what looks like the host may be a name and a password that were not escaped.
        if HOST.fullmatch(host) is None or "@" in re.split(r"[?#]", rest, maxsplit=1)[0]:
            user_info, host = f"{user_info}:{host}", REDACTED
        _meet(user_info.split(":"), 1, met)
        _meet(SEPARATORS.split(rest), SHORTEST_TICKET, met)
        return f"{url['scheme']}://{host}{f'/{REDACTED}' if rest.strip('/') else rest}"

    return URL.sub(bare, text)


def bare_address(text: str, met: Met) -> str:
    """Return what may be told of a text that is meant as an address, whether it is one or not."""
    if not text or URL.search(text) is not None:
        return without_url_secrets(text, met)
    _meet(SEPARATORS.split(text), SHORTEST_TICKET, met)
    return REDACTED


def _meet(parts: Iterable[str], least: int, met: Met) -> None:
    for part in parts:
        if len(part) >= least:
            met(part)
            met(unquote(part))
