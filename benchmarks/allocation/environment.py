"""The interpreter that Caltech's simulator runs in: Python 3.11 with `acnportal` in .bench/allocation, made once."""

from pathlib import Path
import shutil
import subprocess
import sys

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / ".bench" / "allocation"
PYTHON = "3.11"
PACKAGES = ("acnportal==0.3.3", "highspy>=1.11,<2", "setuptools<81")
"""HiGHS is for the optimum; `acnportal` imports `pkg_resources` without asking for it, and newer ones of setuptools lack it."""


class NotReadyError(Exception):
    """The environment can't be made; the message says what is missing."""


def interpreter() -> Path:
    """Return the simulator's interpreter, made where it is not there or was made of other packages; raises NotReadyError."""
    python = FOLDER / "bin" / "python"
    stamp = FOLDER / "made-of"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == "\n".join(PACKAGES):
        return python
    say(f"Making {FOLDER.relative_to(REPOSITORY)}: Python {PYTHON} with {PACKAGES[0]} (a minute or two, once)")
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.parent.mkdir(exist_ok=True)
    if uv := found_uv():
        # uv takes a Python 3.11 that is there, else downloads one.
        run([uv, "venv", "--quiet", "--no-project", "--python", PYTHON, FOLDER], f"uv found no Python {PYTHON} and could not download one")
        run([uv, "pip", "install", "--quiet", "--python", python, *PACKAGES], "uv could not install the packages")
    elif system := shutil.which(f"python{PYTHON}"):
        run([system, "-m", "venv", FOLDER], f"{system} could not make a virtual environment")
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES], "pip could not install the packages")
    else:
        raise NotReadyError(
            f"acnportal needs Python {PYTHON}: install it, or uv (scripts/setup fetches one into .tools), which downloads it"
        )
    stamp.write_text("\n".join(PACKAGES), encoding="utf-8")
    return python


def found_uv() -> str | None:
    """Return the uv that scripts/setup used."""
    own = REPOSITORY / ".tools" / "bin" / "uv"
    return shutil.which("uv") or (str(own) if own.is_file() else None)


def run(command: list[str | Path], trouble: str) -> None:
    """Run a command; raises NotReadyError with what it said."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise NotReadyError(f"{trouble}:\n{done.stderr.strip()}")


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(f"==> {text}", file=sys.stderr, flush=True)
