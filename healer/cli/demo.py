"""``healer demo``: three small programs are broken, healed in front of the reader, and the log is put to the proof."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Self

import click

from audit.errors import AuditError
from healer.cli import logs, show
from healer.cli.settings import Command, Settings, settings
from healer.errors import HealerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from healer.demo.auditor import Audited
    from healer.demo.patients import Patient, System
    from healer.demo.stage import Stage
    from healer.demo.timeline import Healing
    from healer.demo.victims import Victim

Say = Callable[[str, Any], None]
_BETWEEN = 0.1
"""Seconds between two faults of ``--loop``."""
_DEATHS = 4
"""In ``--loop`` the quickest fault comes this often for each of the others."""


_DONE = {
    "restart": "its replacement runs",
    "reconnect": "the session that held others up is ended",
    "failover": "nothing is sent to it any more",
}


@click.command(cls=Command)
@click.option("--loop", "endless", is_flag=True, help="Go on breaking and healing until stopped.")
@click.option("--systems", is_flag=True, help="Break a unit, a container, a database and a proxy instead: those here.")
def demo(*, endless: bool, systems: bool) -> int:
    """Break three small programs, watch them healed, and put the sealed log to the proof.

    Needs no root and no configuration. With --state-dir the log is kept there. With --systems it starts real systems
    of its own, where they are installed, and says what is missing where they are not; it touches no others.
    """
    if endless and systems:
        raise click.UsageError("--loop or --systems, not both")
    given = settings()
    logs.setup("error" if given.log_level == "warning" else given.log_level)
    with Stop() as stop, tempfile.TemporaryDirectory(prefix="healer-demo-") as folder:
        # Never where a real agent keeps its state, unless somebody names that folder (and then it is refused).
        state = Path(given.state_dir).absolute() if given.state_dir else Path(folder) / "state"
        try:
            if systems:
                return _systems(given, stop, state, Path(folder))
            return _loop(given, stop, state) if endless else _play(given, stop, state, Path(folder))
        except (HealerError, AuditError) as exc:
            if given.json:
                show.as_json({"ok": False, "because": exc.message, "hint": exc.hint})
            failed = HealerError(exc.message, hint=exc.hint)
            failed.exit_code = 1  # type: ignore[attr-defined]  # read by `main.tell`: it did not go as told
            raise failed from exc


class Stop:
    """Ctrl-C, SIGTERM, a terminal that closes: each ends the play, but never in the middle of a start or a stop."""

    _NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._held = self._wanted = False
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = [signal.signal(number, self._hear) for number in self._NUMBERS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in zip(self._NUMBERS, self._before, strict=True):
            signal.signal(number, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._wanted = True
        if not self._held:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def hold(self, *, on: bool) -> Iterator[None]:
        """Let nothing interrupt this (or, inside of that, let it again); what was asked for meanwhile comes next."""
        before, self._held = self._held, on
        try:
            if self._wanted and not on:
                raise KeyboardInterrupt
            yield
        finally:
            self._held = before


@contextlib.contextmanager
def _stage(stop: Stop, state: Path) -> Iterator["Stage"]:
    """An agent with its victims, ready to be broken; stopped in order whatever happens."""
    from healer.app import Agent
    from healer.demo import victims
    from healer.demo.stage import Stage

    port = victims.settle(state)
    with victims.listening(state) as socket_path:
        organism = victims.organism(port, socket_path)
        agent = Agent(organism, state_dir=state, environ=victims.environment(os.environ))
        # Programs outlive an agent that is torn away while it starts or stops.
        with stop.hold(on=True), agent as running, stop.hold(on=False):
            stage = Stage(running, state)
            stage.ready()
            yield stage


def _play(given: Settings, stop: Stop, state: Path, folder: Path) -> int:
    from healer.demo import auditor
    from healer.demo.victims import VICTIMS

    say: Say = _mute if given.json else Teller(color=given.color)
    say("title", "An agent starts, and three small programs with it.")
    healings: list[Healing] = []
    with _stage(stop, state) as stage:
        for victim in VICTIMS:
            say("broken", victim)
            healings.append(stage.heal(victim))
            say("healed", healings[-1])
            stage.ready()
        say("title", "What must not be done is not done, and the log says why.")
        withheld = [stage.withheld_on_trial(), stage.withheld_in_maintenance(VICTIMS[0])]
        for one in withheld:
            say("withheld", one)
    say("title", "The log before somebody who trusts nobody: the stand-alone verifier, a copied key, a copied head.")
    proof = auditor.audited(state, folder)
    say("audited", proof)
    good = proof.verified and proof.tampered_copy_detected and proof.cut_copy_detected
    if given.json:
        victims = [asdict(one) for one in healings]
        show.as_json({"ok": good, "victims": victims, "withheld": withheld, "audit": asdict(proof)})
    elif given.state_dir:
        say("title", f"Kept in {state}: healer audit show {state}")
    return 0 if good else 1


def _systems(given: Settings, stop: Stop, state: Path, folder: Path) -> int:
    """The same with whole systems; exit 2 where none of them is here, for then nothing was shown."""
    from healer.demo import auditor, ward

    say: Say = _mute if given.json else Teller(color=given.color)
    here, missing = ward.look()
    for name, because in missing.items():
        say("missing", (name, because))
    if not here:
        raise HealerError("none of the systems is here, so nothing can be shown", hint="; ".join(missing.values()))
    say("title", f"An agent starts, and with it: {', '.join(one.name for one in here)}.")
    with _systems_stage(stop, state, folder, here) as (stage, systems):
        healings: list[Healing] = []
        for system in systems:
            say("broken", system.patient)
            healings.append(stage.heal_system(system))
            say("healed", healings[-1])
    say("title", "The log before somebody who trusts nobody: the stand-alone verifier, a copied key, a copied head.")
    proof = auditor.audited(state, folder)
    say("audited", proof)
    good = proof.verified and proof.tampered_copy_detected and proof.cut_copy_detected
    if given.json:
        told = [asdict(one) for one in healings]
        show.as_json({"ok": good, "systems": told, "missing": missing, "audit": asdict(proof)})
    return 0 if good else 1


@contextlib.contextmanager
def _systems_stage(
    stop: Stop, state: Path, folder: Path, kinds: "Sequence[type[System]]"
) -> "Iterator[tuple[Stage, list[System]]]":
    """An agent and whole systems; these end with it, whatever happens."""
    from healer.app import Agent
    from healer.demo import victims, ward
    from healer.demo.stage import Stage

    victims.settle(state)
    folder.chmod(0o755)  # a database runs as somebody else
    with (
        victims.listening(state) as socket_path,
        stop.hold(on=True),
        ward.opened(kinds, folder, f"{os.getpid()}") as (systems, targets),
    ):
        agent = Agent(ward.organism(targets, socket_path), state_dir=state, environ=ward.environment(os.environ))
        with agent as running, stop.hold(on=False):
            stage = Stage(running, state)
            stage.ready()
            yield stage, systems


def _loop(given: Settings, stop: Stop, state: Path) -> int:
    """Break and heal until somebody stops it; a line (or a JSON object) for each healing."""
    from healer.demo.victims import VICTIMS

    dies, *others = VICTIMS
    with contextlib.suppress(KeyboardInterrupt), _stage(stop, state) as stage:
        while True:
            for other in others:
                for victim in (*[dies] * _DEATHS, other):
                    one = stage.heal(victim)
                    if given.json:
                        show.as_json(asdict(one))
                    else:
                        show.line(f"{one.fault:<8} healed after {one.healed_ms:9.1f} ms, intent {one.intent[:16]}…")
                    sys.stdout.flush()
                    stage.pause(_BETWEEN)
                    stage.ready()
    return 0


def _mute(what: str, about: object) -> None:
    del what, about


class Teller:
    """Tells people what happens."""

    def __init__(self, *, color: bool) -> None:
        self._color = color
        self._lines: dict[str, Callable[[Any], None]] = {
            "title": self._title,
            "broken": self._broken,
            "healed": self._healed,
            "withheld": self._withheld,
            "audited": self._audited,
            "missing": self._missing,
        }

    def __call__(self, what: str, about: object) -> None:
        """Tell one thing at once: the reader watches."""
        self._lines[what](about)
        sys.stdout.flush()

    def _mark(self, text: str, color: str = "", *, bold: bool = False) -> str:
        return click.style(text, fg=color or None, bold=bold) if self._color else text

    def _say(self, text: str) -> None:
        click.echo(text, color=self._color)

    def _title(self, text: str) -> None:
        self._say("\n" + self._mark(text, bold=True))

    def _missing(self, one: tuple[str, str]) -> None:
        self._say(f"  {self._mark('not shown', 'yellow')}: {one[0]}, because {one[1]}")

    def _broken(self, victim: "Victim | Patient") -> None:
        self._say(f"\n  {self._mark(victim.fault, 'red')}: {victim.words} ({victim.target})")

    def _healed(self, one: "Healing") -> None:
        steps = (
            ("seen", one.seen_ms, one.evidence),
            ("decided", one.decided_ms, f"{one.action}, by the rule {one.rule}"),
            ("sealed", one.sealed_ms, f"intent {one.intent[:16]}…, signed and durable"),
            ("acted", one.acted_ms, _DONE.get(one.action, "done")),
            ("verified", one.healed_ms, "seen to work" + (f", at attempt {one.attempts}" if one.attempts > 1 else "")),
        )
        for name, at, words in steps:
            marked = self._mark(f"{name:<9}", "green" if name == "verified" else "")
            self._say(f"    {marked}{at:9.1f} ms  {show.clean(words)}")

    def _withheld(self, one: dict[str, str]) -> None:
        who = self._mark("withheld", "yellow")
        self._say(f"    {who}  {one['action']} of {one['target']}, wanted by the rule {one['rule']}")
        self._say(f"              because {show.clean(one['because'])}")

    def _audited(self, proof: "Audited") -> None:
        rows = (
            (f"the log, {proof.entries} entries", proof.summary, proof.verified),
            ("a copy with one letter of an intent changed", proof.tampered, proof.tampered_copy_detected),
            ("a copy without its last blocks", proof.cut, proof.cut_copy_detected),
        )
        for name, summary, good in rows:
            told = self._mark(f"{'as it must' if good else 'NOT AS TOLD':<11}", "green" if good else "red")
            self._say(f"    {told}  {name}")
            self._say(f"                 {show.clean(summary)}")
