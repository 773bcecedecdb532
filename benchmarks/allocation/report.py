"""The figures as a table."""

from collections.abc import Iterable, Iterator, Sequence

from .jobs import OPTIMUM, Result

TITLES = {
    "caltech": "Caltech's garage",
    "europe": "European tree: 50 EVSEs on one phase or three, 60 A a phase",
    "taper": "Caltech's garage, batteries that taper",
    "noise": "Caltech's garage, departures told wrong by up to 45 minutes",
    "speed": "Time of one call",
}
IDEAL_PARTS = ("caltech", "europe", "noise")
"""Where batteries take what they are offered, as the optimum reckons."""
COLUMNS = ("kW", "policy", "met %", "lost", "of optimum", "short", "Jain", "pauses", "writes", "overload A·s", "p50 ms", "p99 ms")
SPEED_COLUMNS = ("active", "policy", "calls", "p50 ms", "p99 ms", "filling p50", "filling p99")


def compared(results: Sequence[Result]) -> list[Result]:
    """Return the results with what others say of them: the share of the optimum, and the points that wrong departures cost.

    Both are of the same site, capacity and days; neither is there where the other one was not measured.
    """
    best = {key_of(result): result["delivered_kwh"] for result in results if result["policy"] == OPTIMUM}
    plain = {(key_of(result), result["policy"]): result["met_percent"] for result in results if result["part"] == "caltech"}
    found: list[Result] = []
    for result in results:
        key, more = key_of(result), {}
        if result["part"] in IDEAL_PARTS and key in best:
            more["of_optimum_percent"] = round(100 * result["delivered_kwh"] / best[key], 3)
        if result["part"] == "noise" and (key, result["policy"]) in plain:
            more["lost_points"] = round(plain[key, result["policy"]] - result["met_percent"], 3)
        found.append({**result, **more})
    return found


def key_of(result: Result) -> tuple[str, float, str]:
    """Return what two results must share to be compared."""
    return (result["site"], result["capacity_kw"], result["days"])


def tables(results: Iterable[Result], speed: Iterable[Result]) -> Iterator[str]:
    """Yield the lines of all tables."""
    months, timings = list(results), list(speed)
    for part, title in TITLES.items():
        if rows := [row(result) for result in sorted(months, key=lambda each: each["capacity_kw"]) if result["part"] == part]:
            yield from ("", title, *aligned([COLUMNS, *rows]))
    if timings:
        yield from ("", TITLES["speed"], *aligned([SPEED_COLUMNS, *(speed_row(each) for each in timings)]))


def row(result: Result) -> tuple[str, ...]:
    """Return a month as cells."""
    whole = result.get("filling") and result["whole"]  # Caltech's own are timed in the crowds only, where their code is as published
    return (
        f"{result['capacity_kw']:g}" if result["capacity_kw"] else "",
        result["policy"],
        f"{result['met_percent']:.2f}",
        cell(result, "lost_points", ".2f"),
        cell(result, "of_optimum_percent", ".2f"),
        cell(result, "short", "d"),
        cell(result, "jain", ".3f"),
        cell(result, "pauses_per_session", ".3f"),
        cell(result, "writes_per_session", ".2f"),
        cell(result, "overload_as", ".0f"),
        cell(whole or {}, "p50_ms", ".2f"),
        cell(whole or {}, "p99_ms", ".2f"),
    )


def speed_row(timing: Result) -> tuple[str, ...]:
    """Return a crowd's times as cells."""
    return (
        str(timing["active"]),
        timing["policy"],
        str(timing["whole"]["calls"]),
        cell(timing["whole"], "p50_ms", ".2f"),
        cell(timing["whole"], "p99_ms", ".2f"),
        cell(timing.get("filling", {}), "p50_ms", ".2f"),
        cell(timing.get("filling", {}), "p99_ms", ".2f"),
    )


def cell(result: Result, key: str, style: str) -> str:
    """Return a figure as text, nothing where there is none."""
    return format(result[key], style) if key in result else ""


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the rows with their columns below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(
            text.ljust(width) if name == "policy" else text.rjust(width) for text, width, name in zip(cells, widths, rows[0], strict=True)
        )
