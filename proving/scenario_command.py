"""`scripts/scenario`: plays a story from scenarios/ in simulated time, prints what came of it and draws it."""

import argparse
from collections.abc import Sequence
import json
import logging
from pathlib import Path
import sys
import time

from .play import play
from .story import Story
from .telling import StoryError
from .told import FOLDER, read_story, story_names


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="scripts/scenario", description=__doc__)
    parser.add_argument("name", nargs="?", help="a story of scenarios/, or the path of a file; without one all are listed")
    parser.add_argument("--plot", type=Path, help="draw it into a file (.png, .svg or .pdf)")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    return parser.parse_args(argv)


def named(name: str) -> Story:
    """Return a story by its name or its file's path; raises StoryError."""
    path = Path(name)
    path = path if path.suffix in {".yaml", ".yml"} else FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise StoryError(f"there is no story {name}; scripts/scenario lists them")
    return read_story(path)


def main(argv: Sequence[str]) -> int:
    """Run from the command line; returns 1 where the story did not go as expected, 2 where it can't be read."""
    options = arguments(argv)
    logging.basicConfig(level=logging.CRITICAL)
    try:
        if options.name is None:
            for name in story_names():
                print(f"{name:<32} {read_story(FOLDER / f'{name}.yaml').title}")
            return 0
        story = named(options.name)
    except StoryError as error:
        print(error, file=sys.stderr)
        return 2
    began = time.monotonic()
    outcome = play(story, drawn=options.plot is not None)
    took_s = time.monotonic() - began
    if options.plot is not None:
        from .drawing import draw  # it takes a second to load

        draw(outcome, options.plot)
    report = {"scenario": story.name, **outcome.report, "failures": list(outcome.failures), "took_s": round(took_s, 2)}
    if options.json:
        print(json.dumps(report, indent=2))
        return 1 if outcome.failures else 0
    print(f"{story.name}: {story.title}")
    for name in ("breaker_tripped", "overload_as", "max_overload_s", "energy_kwh", "capacity_used_pct", "dead_man_violations"):
        print(f"  {name:<20} {report[name]}")
    print(f"  {story.lasts_s:g} s in {took_s:.1f} s; " + ("as expected" if not outcome.failures else "NOT as expected:"))
    for failure in outcome.failures:
        print(f"    {failure}")
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
