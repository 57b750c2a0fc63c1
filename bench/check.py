"""``healer check`` of 500 rules over 60 targets, as a person calls it: a new process, every finding and bound.

Prints one JSON object. `floor` is an interpreter that only reads the same YAML with the C parser of PyYAML.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figures import at_most, quick, told

RULES, FILES, TARGETS, RUNS = 500, 10, 60, 3 if quick() else 9
TARGET_S = 1.0
CONDITIONS = (
    "program.up{{target}} == 0",
    "program.memory{{target}} > {0}MiB and program.uptime{{target}} > 10m",
    "avg_over(program.cpu{{target}}, 5m) > {1}%",
    "any: [program.fds{{target}} > {0}, program.threads{{target}} > {0}]",
    "program.memory{{target}} > {0}MiB and not cpu.psi.some10 > 60%",
)
RULE = """\
  - id: rule-{number}
    why: Number {number} of {rules}.
    each: {{kind: program, name: "{name}"}}
    when: {{all: ['{condition}', 'harmony < {harmony}']}}
    for: 20s
    clear_for: 1m
    mode: auto
    priority: {priority}
    cooldown: {cooldown}m
    limits: [{{max: 3, per: 1h}}, {{max: 7, per: 1d}}]
    then:
      - restart: {{}}
        verify: {{when: "program.up{{target}} == 1", within: 30s, stable_for: 30s}}
      - notify: journal
"""


def write(folder: Path, *, wide: int = 7) -> Path:
    """A configuration with its rules, of which one in ``wide`` is about every target; returns its path."""
    programs = "".join(f"  - {{name: app-{n}, command: [sleep, '1']}}\n" for n in range(TARGETS))
    config = folder / "organism.yaml"
    config.write_text(f"version: 1\nmode: auto\nrules: {{files: [rules/*.yaml]}}\nprograms:\n{programs}")
    (folder / "rules").mkdir()
    for file in range(FILES):
        rules = "".join(_rule(number, wide) for number in range(file, RULES, FILES))
        (folder / "rules" / f"{file}.yaml").write_text(f"version: 1\nrules:\n{rules}")
    return config


def _rule(number: int, wide: int) -> str:
    condition = CONDITIONS[number % len(CONDITIONS)]
    if condition.startswith("any"):
        condition = condition.replace("any: [", "").replace("]", "").replace(",", " or")
    return RULE.format(
        number=number,
        rules=RULES,
        name=f"app-{number % TARGETS}" if (number + 1) % wide else "app-*",
        condition=condition.format(100 + number, 10 + number % 90),
        harmony=40 + number % 50,
        priority=1 + number % 10,
        cooldown=1 + number % 30,
    )


def timed(argv: list[str]) -> float:
    """Seconds of one process."""
    began = time.perf_counter()
    done = subprocess.run(argv, check=False, capture_output=True, timeout=60)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout.decode() + done.stderr.decode())
    return time.perf_counter() - began


def measure() -> dict[str, Any]:
    """The figure, the median of a few processes."""
    with tempfile.TemporaryDirectory(prefix="healer-bench-") as folder:
        config = write(Path(folder))
        files = str(config.parent / "rules" / "*.yaml")
        parse = f"import glob, yaml; [yaml.load(open(one), yaml.CSafeLoader) for one in glob.glob({files!r})]"
        floor = [timed([sys.executable, "-c", parse]) for _ in range(RUNS)]
        check = [sys.executable, "-m", "healer", "check", "--json", str(config)]
        timed(check)  # what Python compiles, it compiles once
        took = [timed(check) for _ in range(RUNS)]
    figure = at_most(statistics.median(took), TARGET_S, statistics.median(floor))
    return {"rules": RULES, "targets": TARGETS, "check_s": figure}


if __name__ == "__main__":
    told(measure)
