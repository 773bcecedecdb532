"""`soak.py PYTHON ROOT COPY [arguments of scripts/soak]`: the soak of the tree `ROOT` by PyPy, from its `COPY` in the notation of 3.11."""
# ruff: noqa: E402 -- the copy has to be found, and what is lacking there, before anything is imported

from pathlib import Path
import sys

PYTHON, ROOT, COPY = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
sys.path.insert(0, COPY)

import lacking  # noqa: F401
import pypyjit
from solver import Solver

from custom_components.headroom.engine import programme
from proving import kept, soak_command

TRACE_LIMIT = 20_000
"""A turn is a long way without a loop."""
solver = Solver(PYTHON, ROOT)


def maximise(self: programme.Programme) -> list[float]:
    """Have a programme solved."""
    answer = solver.answer(self)
    if "failure" in answer:
        raise programme.NoOptimumError(answer["failure"])
    return answer["values"]


# Each process of its own comes by here.
pypyjit.set_param(f"trace_limit={TRACE_LIMIT}")
programme.Programme.maximise, programme.available = maximise, lambda: True
kept.ROOT = ROOT  # the digest is of the code that this is a copy of

if __name__ == "__main__":
    sys.exit(soak_command.main(sys.argv[4:]))
