"""The referee: tries attacks, each on a fresh copy, and holds what every auditor sees against what he must see."""

import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from audit import proof, verifier
from audit.ask import Ask
from audit.attack.case import Case
from audit.attack.catalog import Attack, Auditor, Skipped, Verdict
from audit.attack.world import World
from audit.errors import Unreadable
from audit.report import Report

MAX_SECONDS: Final = 20.0
MAX_KILOBYTES: Final = 128 * 1024
"""What a hostile file may cost the verifier; an interpreter and its libraries included."""
_CHILD: Final = """
import contextlib, io, json, runpy, sys
runpy.run_path(sys.argv[1], run_name="adopted")
from audit.cli import main
told = []
for arguments in json.loads(sys.argv[2]):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        told.append([main(arguments), out.getvalue()])
# The kernel's account of a child's memory begins with its parent's, so it reads its own.
print(json.dumps([told, open("/proc/self/status").read()]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What one auditor sees of one attack."""

    verdict: Verdict
    said: str
    """The report's first sentence."""
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one attack."""

    attack: Attack
    cells: dict[Auditor, Cell] = field(default_factory=dict)
    skipped: str = ""
    """Why it could not be tried on this log; empty where it was."""
    failed: str = ""
    """How making it went wrong, which is this kit's own fault."""

    @property
    def wrong(self) -> list[Auditor]:
        """Return the auditors who see less than they must; of what is no attack, those who see anything else."""
        must = self.attack.must
        if self.attack.control:
            return [who for who, cell in self.cells.items() if cell.verdict is not must[who]]
        return [who for who, cell in self.cells.items() if cell.verdict < must[who]]

    @property
    def beside_the_point(self) -> bool:
        """Tell whether whoever sees most was told of something else than this attack."""
        must, codes = self.attack.must, self.attack.codes
        most = max(Auditor.ANCHOR, Auditor.WITNESS, key=lambda who: must[who])
        if not (self.cells and codes) or must[most] is Verdict.UNNOTICED:
            return False
        return self.cells[most].verdict > Verdict.UNNOTICED and codes.isdisjoint(self.cells[most].codes)

    @property
    def bad(self) -> bool:
        """Tell whether the verifier did not do what it must."""
        return bool(self.wrong) or self.beside_the_point


def run(world: World, attacks: Iterable[Attack]) -> Iterator[Outcome]:
    """Try each attack on a copy of its own."""
    for number, attack in enumerate(attacks):
        case = Case(world=world, place=world.place / f"case-{number}")
        try:
            yield _try(case, attack)
        finally:
            case.close()


def check_honest(world: World) -> None:
    """Raise ``Unreadable`` for a log that is not proven before anything is done to it."""
    case = Case(world=world, place=world.place / "honest")
    try:
        for who in (Auditor.ANCHOR, Auditor.WITNESS):
            cell = _look(case, who)
            if cell.verdict is not Verdict.UNNOTICED:
                raise Unreadable(f"the log itself is {cell.said}", hint="attack the copy of one that verifies")
    finally:
        case.close()


def _try(case: Case, attack: Attack) -> Outcome:
    try:
        attack.make(case)
    except Skipped as exc:
        return Outcome(attack=attack, skipped=str(exc))
    except Exception as exc:  # noqa: BLE001 - a bug in one attack must not hide what came of the others
        return Outcome(attack=attack, failed=f"{type(exc).__name__}: {exc}")
    return Outcome(attack=attack, cells=_measured(case) if case.bounded else {who: _look(case, who) for who in Auditor})


def _look(case: Case, auditor: Auditor) -> Cell:
    ask = case.ask(auditor)
    report = _verify(case, ask)
    codes = tuple(dict.fromkeys(finding.code for finding in report.findings))
    return Cell(
        verdict=Verdict.of_exit(report.exit_code),
        said=str(report.to_json()["summary"]).replace(str(case.place), ""),
        codes=codes,
    )


def _verify(case: Case, ask: Ask) -> Report:
    if case.bundle:
        return proof.verify(ask, clock=case.world.clock)
    return verifier.verify(ask, clock=case.world.clock)


def _measured(case: Case) -> dict[Auditor, Cell]:
    """Let the auditors' own command look, standard library alone; it must come to an end, and stay small."""
    package = str(Path(__file__).resolve().parents[1])
    arguments = json.dumps([_arguments(case.ask(who)) for who in Auditor])
    command = [sys.executable, "-I", "-S", "-c", _CHILD, package, arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=MAX_SECONDS)
        told, status = json.loads(done.stdout)
        kilobytes = int(status.partition("VmHWM:")[2].split()[0])
        if kilobytes <= MAX_KILOBYTES:
            return {who: _told(*one) for who, one in zip(Auditor, told, strict=True)}
        said = f"it took {kilobytes // 1024} MiB of memory"
    except subprocess.TimeoutExpired:
        said = f"killed after {MAX_SECONDS:.0f} s"
    except (subprocess.CalledProcessError, ValueError) as exc:
        said = f"the verifier failed: {exc}"
    return dict.fromkeys(Auditor, Cell(verdict=Verdict.UNBOUNDED, said=said))


def _told(status: int, text: str) -> Cell:
    report = json.loads(text)
    codes = tuple(dict.fromkeys(str(finding["code"]) for finding in report["findings"]))
    return Cell(verdict=Verdict.of_exit(status), said=str(report["summary"]), codes=codes)


def _arguments(ask: Ask) -> list[str]:
    command = ["verify", str(ask.log), "--deep", "--json", "--no-memory"]
    command += ["--min-level", ask.min_level]
    named = {"key": ask.key, "policy": ask.policy}
    for name, path in named.items():
        command += [f"--{name}", str(path)] if path else []
    for name, paths in (("anchor", ask.anchors), ("checkpoint", ask.checkpoints)):
        for path in paths:
            command += [f"--{name}", str(path)]
    return command
