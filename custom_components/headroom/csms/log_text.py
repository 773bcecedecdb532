"""The end of a station's log, for a bug report: without what the frame log leaves out either."""

import json
import re

from .frame_log import Redaction
from .url_secrets import REDACTED

TAIL_BYTES = 16 * 1024
LONGEST_LINE = 4096
FRAME = re.compile(r"\[\s*[234]\s*,.*\]")
NAMED_SECRET = re.compile(
    r"(?i)((?:password|passwd|passphrase|authori[sz]ation(?:key)?|secret|token|tag|uid|key|pin|iccid|imsi|serial\w*|evccid|emaid)"
    r"[\"']?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|basic\s+\S+|bearer\s+\S+|[^\s,;]+)"
)
LOOKS_SECRET = re.compile(r"\b[0-9A-Fa-f]{8,}\b|[A-Za-z0-9+/_-]{32,}={0,2}|\b(?:[0-9A-Fa-f]{2}[:-]){3,}[0-9A-Fa-f]{2}\b")
"""Card numbers, MAC addresses, hashes, keys: nothing that a text without a format of its own tells apart."""


def tail(content: bytes) -> str | None:
    """Return the end of a log as text, redacted; None where it is not text (an archive, a binary)."""
    if b"\0" in content:
        return None
    end = content[-TAIL_BYTES:]
    if len(content) > TAIL_BYTES:
        end = end.partition(b"\n")[2]  # the first line may be cut anywhere
    try:
        text = end.decode()
    except UnicodeDecodeError:
        return None
    redaction = Redaction()
    return "\n".join(redaction.scrubbed(line) for line in [_line(redaction, line) for line in text.splitlines()])


def _line(redaction: Redaction, line: str) -> str:
    """Return a line; a frame in it is redacted as one."""
    if len(line) > LONGEST_LINE:
        return f"({len(line)} characters)"
    frame = FRAME.search(line)
    if frame is not None and isinstance(found := redaction.of(frame[0]), list):
        return f"{_plain(redaction, line[: frame.start()])}{json.dumps(found)}{_plain(redaction, line[frame.end() :])}"
    return _plain(redaction, line)


def _plain(redaction: Redaction, text: str) -> str:
    return LOOKS_SECRET.sub(REDACTED, NAMED_SECRET.sub(rf"\1{REDACTED}", redaction.plain(text)))
