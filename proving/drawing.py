"""Draws what happened in a story: currents by phase against the limit, what each EVSE was given and drew, and what befell whom."""

from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from .play import Outcome, Trace
from .story import Story

PHASES = (("l1_a", "L1", "#2fbf8f", 4.0), ("l2_a", "L2", "#f0a830", 2.4), ("l3_a", "L3", "#2f5fa8", 1.0))
"""Figure, label, colour and width: phases that carry the same lie upon each other."""
COLOURS = ("#7b5ea7", "#d1772f", "#3a7d44", "#c0392b", "#5d6d7e", "#b7950b", "#1f618d", "#a93286")
MOST_EVSES = 8
"""More lines than that tell nothing; the first ones are drawn."""
FAULT = "#c0392b"


def draw(outcome: Outcome, path: Path) -> None:
    """Write a picture of a story that was played with `drawn`; the suffix (.png, .svg, .pdf) says in which form."""
    story, trace = outcome.story, outcome.trace
    circuits = story.setting.circuits
    shown = list(story.setting.places)[:MOST_EVSES]
    heights = [3.0] * len(circuits) + [3.0, 0.4 + 0.28 * max(1, len(story.events))]
    picture = Picture(figsize=(12, sum(heights) + 1.2), layout="constrained")
    picture.suptitle(f"{story.name}: {story.title}", fontsize=11)
    axes: list[Axes] = list(picture.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0])
    for circuit, ax in zip(circuits, axes, strict=False):
        _circuit(ax, circuit.circuit_id, circuit.fuse_a, trace)
    _evses(axes[-2], shown, len(story.setting.places), trace)
    _events(axes[-1], story)
    for ax in axes[:-1]:
        for told in story.events:
            ax.axvspan(told.at_s, told.at_s + (told.lasts_s or 0.0), color=FAULT, alpha=0.06)
            ax.axvline(told.at_s, color=FAULT, linewidth=0.8, linestyle=":")
        ax.grid(alpha=0.25)
    axes[-1].set_xlim(0, story.lasts_s)
    axes[-1].set_xlabel("seconds")
    picture.savefig(path, dpi=110)


def _circuit(ax: Axes, circuit_id: str, fuse_a: float, trace: Trace) -> None:
    for name, label, colour, width in PHASES:
        ax.plot(trace.at_s, _numbers(trace, circuit_id, name), color=colour, linewidth=width, label=label)
    ax.plot(trace.at_s, _numbers(trace, circuit_id, "limit_a"), color="black", linewidth=1.2, linestyle="--", label="limit")
    ax.axhline(fuse_a, color=FAULT, linewidth=1.2, label="fuse")
    ax.set_ylim(bottom=0)
    ax.set_ylabel(f"{circuit_id}, A")
    ax.legend(loc="upper right", ncols=5, fontsize=8)


def _evses(ax: Axes, shown: list[str], places: int, trace: Trace) -> None:
    for identity, colour in zip(shown, cycle(COLOURS), strict=False):
        ax.plot(trace.at_s, _numbers(trace, identity, "draw_a"), color=colour, linewidth=1.4, label=identity)
        ax.plot(trace.at_s, _numbers(trace, identity, "limit_a"), color=colour, linewidth=0.9, linestyle="--", drawstyle="steps-post")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("draw and limit (dashed), A" if places == len(shown) else f"the first {len(shown)} of {places}, A")
    ax.legend(loc="upper right", ncols=MOST_EVSES, fontsize=8)


def _events(ax: Axes, story: Story) -> None:
    ax.set_yticks([])
    ax.set_ylim(-max(1, len(story.events)), 0.2)
    for row, told in enumerate(story.events):
        ax.plot([told.at_s, told.at_s + (told.lasts_s or 0.0)], [-row - 0.4] * 2, color=FAULT, linewidth=4, solid_capstyle="butt")
        ax.plot([told.at_s], [-row - 0.4], color=FAULT, marker="|", markersize=10)
        late = told.at_s > story.lasts_s / 2
        ends_s = told.at_s if late else told.at_s + (told.lasts_s or 0.0)
        ax.annotate(
            f"{told}",
            (ends_s, -row - 0.4),
            xytext=(-8 if late else 8, 0),
            textcoords="offset points",
            ha="right" if late else "left",
            va="center",
            fontsize=8,
        )
    if not story.events:
        ax.annotate("nothing breaks", (story.lasts_s / 2, -0.4), ha="center", va="center", fontsize=8)


def _numbers(trace: Trace, of: str, name: str) -> list[float]:
    """Return a figure over time; where there is none, a gap."""
    return [float(value) if isinstance(value, (int, float)) else float("nan") for value in trace.figures[of, name]]
