"""What is simulated: a job is one month (or a crowd for a while) under one policy, in a process of Caltech's interpreter."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
import json
from os import process_cpu_count
from pathlib import Path
import subprocess
import sys
from typing import Any

from .environment import REPOSITORY

OPTIMUM = "optimum"
BASELINES = ("fcfs", "edf", "llf", "round_robin")
OURS = ("most_cars_ready", "most_energy")
OUR_OTHERS = ("equal_current", "equal_power", "proportional", "priority", "first_come")
"""The engine's policies that promise nothing here; they run where they are asked for."""
WORKER = (sys.executable, "-m", "benchmarks.allocation.launch")
CAPACITIES_KW = (20.0, 30.0, 40.0, 50.0, 70.0)
TAPER_KW = (30.0, 50.0)
NOISE_KW = (20.0, 30.0, 40.0, 50.0)
NOISE_MIN = 45
NOISE_SEEDS = (1, 2, 3)
"""Which departures are told wrong is chance: one draw of it says little."""
CROWDS = (50, 500)
SLOW_CROWD = 500
CROWD_KW_PER_SESSION = 1.0

type Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one process is told; `part` names the table that its figures belong to."""

    part: str
    policy: str
    capacity_kw: float = 0.0
    site: str = "caltech"
    days: str = "all"
    battery: str = "ideal"
    noise_min: int = 0
    noise_seed: int = 0
    timed: bool = False
    active: int = 0
    periods: int = 0
    crowds: int = 0

    def run(self, python: Path, data: Path | None) -> Result:
        """Return the job with its figures."""
        question = {**asdict(self), "data": str(data) if data else None, "worker": WORKER}
        command = [python, "-W", "ignore", "-m", "benchmarks.allocation.simulated.run"]
        done = subprocess.run(command, input=json.dumps(question), cwd=REPOSITORY, stdout=subprocess.PIPE, encoding="utf-8", check=True)
        # HiGHS prints its name first, whatever it is told.
        return {**asdict(self), **json.loads(done.stdout.splitlines()[-1])}


def months(*, parts: Sequence[str], policies: Sequence[str], capacities_kw: Sequence[float], days: str) -> list[Job]:
    """Return the months to simulate."""
    found: list[Job] = []
    for policy in policies:
        ours = policy in OURS
        for kw in capacities_kw:
            found.append(Job(part="caltech", policy=policy, capacity_kw=kw, days=days))
            if kw in TAPER_KW and policy != OPTIMUM:
                found.append(Job(part="taper", policy=policy, capacity_kw=kw, days=days, battery="taper"))
            if kw in NOISE_KW and (ours or policy == "edf"):
                noisy = Job(part="noise", policy=policy, capacity_kw=kw, days=days, noise_min=NOISE_MIN)
                found += [replace(noisy, noise_seed=seed) for seed in NOISE_SEEDS]
        found.append(Job(part="europe", policy=policy, site="europe", days=days))
    return [job for job in found if job.part in parts]


def crowds(*, policies: Sequence[str], quick: bool) -> list[Job]:
    """Return the crowds to time: with few sessions every policy, with many the one that ours is compared with."""
    found: list[Job] = []
    for active in CROWDS:
        kw = active * CROWD_KW_PER_SESSION
        for policy in policies:
            ours = policy in OURS
            if policy == OPTIMUM or (active == SLOW_CROWD and not ours and policy != "llf"):
                continue
            periods = 4 if active == SLOW_CROWD and not ours else 12
            count = 1 if active == SLOW_CROWD or quick else 10
            found.append(
                Job(part="speed", policy=policy, site="crowd", capacity_kw=kw, timed=True, active=active, periods=periods, crowds=count)
            )
    return found


def run_all(jobs: Sequence[Job], python: Path, data: Path | None, told: Callable[[Result], None]) -> list[Result]:
    """Return the results in the jobs' order: as many at once as there are cores; those that are timed one by one, alone."""

    def run(job: Job) -> Result:
        result = job.run(python, data)
        told(result)
        return result

    with ThreadPoolExecutor(process_cpu_count() or 1) as executor:
        futures = [executor.submit(run, job) for job in jobs if not job.timed]
        try:
            results = [future.result() for future in futures]
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    return results + [run(job) for job in jobs if job.timed]
