"""What a session has had so far: its turns and pauses, and what it is owed beside the others."""

from collections.abc import Mapping
from dataclasses import replace

from .model import Past
from .rotation import HOUR_S


def after(past: Past, limit_a: float, *, refused: bool, short_wh: float = 0.0, now: float) -> Past:
    """Return a session's past once it holds a limit, with what it is owed since then.

    `refused` says that its car wants current and is given none for the others' sake.
    To come down to 0 A then is a pause. What a person wants, or what costs the car nothing, is none.
    """
    if (limit_a > 0) == (past.limit_a > 0):
        return replace(past, limit_a=limit_a, short_wh=past.short_wh + short_wh) if short_wh or limit_a != past.limit_a else past
    pauses_at = tuple(paused_at for paused_at in past.pauses_at if now - paused_at < HOUR_S)
    if limit_a <= 0 and refused:
        pauses_at = (*pauses_at, now)
    return replace(past, limit_a=limit_a, changed_at=now, pauses_at=pauses_at, short_wh=past.short_wh + short_wh)


def shortfalls_wh(powers_w: Mapping[str, float], elapsed_s: float) -> dict[str, float]:
    """Return by how much less than the mean each session had in a time in which all of these asked for current; below 0: by how much more."""
    if not powers_w:
        return {}
    mean_w = sum(powers_w.values()) / len(powers_w)
    return {name: (mean_w - power_w) * elapsed_s / 3600 for name, power_w in powers_w.items()}
