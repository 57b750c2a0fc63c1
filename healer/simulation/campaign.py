"""A campaign: many seeds on all cores, what they reached together, and the command that repeats one that failed."""

import json
import logging
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from healer.simulation import loop
from healer.simulation.story import Result, run_seed

NEEDED: tuple[str, ...] = (
    "crash between seal and effect",
    "crash between effect and outcome",
    "crash during recovery",
    "stale refused",
    "another incarnation refused",
    "breaker opened",
    "mass failure held",
    "unknown withheld",
    "interrupted closed",
    "kill switch mid-action",
    "clock went backwards",
    "duplicate suppressed",
    "seal refused",
    "reload mid-action",
    "put back",
    "several changes put back",
    "put back at another try",
)
"""A campaign that never came here has shown nothing."""
ENOUGH = 200
"""Seeds from which on a campaign has to reach everything."""
TWICE = 50
"""Every so many seeds are run again, in a process whose hashes are salted otherwise: the trace must be the same."""
CHUNK = 4


@dataclass(slots=True, kw_only=True)
class Report:
    """What a campaign has to say."""

    seeds: int
    failed: list[dict[str, Any]] = field(default_factory=list)
    reached: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    diverged: list[int] = field(default_factory=list)
    """Seeds that were not the same story the second time."""
    repeated: int = 0
    effects: int = 0
    entries: int = 0
    lives: int = 0
    hours: float = 0.0
    """Simulated."""

    @property
    def ok(self) -> bool:
        """Whether every law held, everything worth reaching was reached, and seeds repeat."""
        return not (self.failed or self.missing or self.diverged)


def main(
    *,
    seeds: int = 500,
    seed: int | None = None,
    as_json: bool = False,
    state_dir: Path | None = None,
    workers: int | None = None,
    say: Callable[[str], object] = lambda line: sys.stdout.write(f"{line}\n"),
) -> int:
    """Run seeds 1 to ``seeds``, or one seed; returns 0 when every law held, 1 otherwise.

    ``state_dir`` keeps the logs, one folder per seed. What is said goes to ``say``: lines, or one JSON object.
    """
    numbers = [seed] if seed is not None else list(range(1, seeds + 1))
    report = run(numbers, state_dir=state_dir, workers=workers)
    if as_json:
        say(json.dumps({"ok": report.ok, **asdict(report)}, indent=2))
    else:
        for line in lines(report):
            say(line)
    return 0 if report.ok else 1


def run(numbers: Sequence[int], *, state_dir: Path | None = None, workers: int | None = None) -> Report:
    """Run the seeds and gather what they say."""
    loop.self_test()
    report = Report(seeds=len(numbers))
    reached: Counter[str] = Counter()
    for result in results(numbers, state_dir=state_dir, workers=workers):
        reached.update(dict.fromkeys(result.reached, 1))
        report.effects += result.effects
        report.entries += result.entries
        report.lives += result.lives
        report.hours += result.seconds / 3600
        if not result.ok:
            report.failed.append(
                {"seed": result.seed, "violations": result.violations, "repeat": repeat_command(result.seed)}
            )
        if result.seed % TWICE == 0 or len(numbers) == 1:
            report.repeated += 1
            if trace_elsewhere(result.seed) != result.trace:
                report.diverged.append(result.seed)
    report.reached = dict(sorted(reached.items()))
    report.missing = [name for name in NEEDED if name not in reached] if len(numbers) >= ENOUGH else []
    report.hours = round(report.hours, 2)
    return report


def results(numbers: Sequence[int], *, state_dir: Path | None, workers: int | None) -> Iterator[Result]:
    """Every seed's result, in order; in this process where one worker is enough."""
    workers = workers or min(os.cpu_count() or 1, 8)
    jobs = [(number, None if state_dir is None else state_dir / f"seed-{number}") for number in numbers]
    if workers == 1 or len(numbers) < 2 * CHUNK:
        yield from map(quietly, jobs)
        return
    # Spawned, not forked: a fork would inherit the threads and locks of whoever calls.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(quietly, jobs, chunksize=CHUNK)


def quietly(job: tuple[int, Path | None]) -> Result:
    """Run one seed without its log lines: they are thousands, and the sealed log says it better."""
    with hushed():
        return run_seed(*job)


@contextmanager
def hushed() -> Iterator[None]:
    """Silence what the agent logs, asyncio included."""
    names = ("healer", "asyncio")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def trace_elsewhere(seed: int) -> str:
    """The trace of a seed in a fresh process with another hash seed; raises OSError or CalledProcessError."""
    code = "import sys; from healer.simulation.campaign import quietly; print(quietly((int(sys.argv[1]), None)).trace)"
    salted = {**os.environ, "PYTHONHASHSEED": str(seed % 1000 + 1), "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, "-c", code, str(seed)]
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=salted).stdout.strip()


def repeat_command(seed: int) -> str:
    """What to type to see a seed again."""
    return shlex.join(["healer", "simulate", "--seed", str(seed), "--state-dir", f"seed-{seed}"])


def lines(report: Report) -> Iterator[str]:
    """The report for people: what failed comes first, with how to repeat it."""
    for one in report.failed:
        yield f"seed {one['seed']} broke {len(one['violations'])} laws; repeat: {one['repeat']}"
        yield from (f"  {violation}" for violation in one["violations"][:5])
    yield from (
        f"seed {seed} was another story the second time; repeat: {repeat_command(seed)}" for seed in report.diverged
    )
    yield from (f"never reached: {name}" for name in report.missing)
    yield (
        f"{report.seeds} seeds, {report.hours:g} simulated hours, {report.lives} lives, {report.effects} effects, "
        f"{report.entries} sealed entries; {report.repeated} seeds run twice"
    )
    yield f"{'every law held' if report.ok else 'not proven'}; reached: {', '.join(report.reached)}"
