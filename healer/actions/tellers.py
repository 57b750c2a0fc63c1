"""What can be told of each kind of target, for the evidence that is kept of it."""

import dataclasses
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from healer import blocking
from healer.actions.evidence import Glance, Later, Teller, Told, nothing
from healer.actions.interface import Order
from healer.actions.owner import container_of, unit_of
from healer.drivers import argv, commands, processes, trees
from healer.drivers.catalog import Drivers
from healer.drivers.programs import Programs
from healer.errors import ActionError

_OUTPUT = 256 * 1024
_LINES = "500"
_PATIENCE = 1.0
"""Seconds one tool may take."""
_MARK = "HEALER_EVIDENCE"
_PYTHONS = 4


def tellers(programs: Programs, drivers: Drivers) -> Mapping[str, Teller]:
    """By kind of target."""
    ours = OfPrograms(programs)

    async def of_container(order: Order) -> Told:
        name = container_of(order)
        said, log = await drivers.docker.told(name, int(_LINES))
        pid = (said.get("State") or {}).get("Pid") if drivers.docker.url.startswith("unix://") else 0
        table = await blocking.call(processes.everyone) if pid else {}
        pids = sorted(processes.descendants([pid], table), key=lambda one: (one != pid, one)) if pid in table else []
        text = log[-_OUTPUT:].decode("utf-8", "replace")
        return Told(facts={"properties": said, "log": text, **await _stacks(pids)}, pids=pids)

    async def unit(order: Order) -> Told:
        if (bus := str(order.target.spec.get("bus") or "system")) in {"system", "user"}:
            return await of_unit(order)
        # Another machine's, or a container's: the tools of this host would tell of a namesake.
        found = await drivers.systemd(bus).unit(unit_of(order.target))
        return Told(facts={"properties": dataclasses.asdict(found)})

    return {"program": ours.tell, "process": of_process, "unit": unit, "container": of_container}


def glances(programs: Programs, drivers: Drivers) -> Mapping[str, Glance]:
    """By kind of target: for those whose cure overwrites what was."""

    def of_dead_unit(order: Order) -> Later:
        bus, name = str(order.target.spec.get("bus") or "system"), unit_of(order.target)
        last = drivers.systemd(bus).last(name)
        if last is None:
            return nothing

        def later() -> Mapping[str, object]:
            return {"unit": dataclasses.asdict(last), "log": _of_run(last.invocation, bus)}

        return later

    return {"program": OfPrograms(programs).glance, "unit": of_dead_unit}


class OfPrograms:
    """What the agent knows of the programs it runs."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def tell(self, order: Order) -> Told:
        """Everything about a living one: its state, what it wrote, its processes."""
        name = order.target.name
        seen = dataclasses.asdict(self._programs.snapshot(name))
        output = await blocking.call(lambda: self._programs.output(name, _OUTPUT))
        found = await blocking.call(lambda: trees.members(self._programs.tree(name)))
        pids = sorted(found, key=lambda pid: (pid != seen["pid"], pid))
        facts = {"program": seen, "output": output.decode("utf-8", "replace"), **await _stacks(pids)}
        return Told(facts=facts, pids=pids)

    def glance(self, order: Order) -> Later:
        """A dead one: how it ended, and where its output does."""
        seen = self._programs.snapshot(order.target.name)
        words = self._programs.last_words(order.target.name, _OUTPUT)

        def later() -> Mapping[str, object]:
            return {"program": dataclasses.asdict(seen), "output": words().decode("utf-8", "replace")}

        return later


async def of_process(order: Order) -> Told:
    """A process that somebody else started, and what stems from it."""
    pid = order.generation.partition(".")[0]
    if not pid.isdecimal():
        return Told()
    table = await blocking.call(processes.everyone)
    found = sorted(processes.descendants([int(pid)], table), key=lambda one: (one != int(pid), one))
    return Told(pids=found, facts=await _stacks(found))


async def of_unit(order: Order) -> Told:
    """A unit of the host's own systemd: what the manager says of it, what the journal holds, its processes."""
    user = ["--user"] if order.target.spec.get("bus") == "user" else []
    name = unit_of(order.target)
    shown = await said(["systemctl", *user, "show", "--no-pager", "--", name])
    properties = dict(line.partition("=")[::2] for line in shown.splitlines() if not line.startswith("Environment"))
    of = "--user-unit" if user else "--unit"
    log = await said(["journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", _LINES, of, name])
    pids = _of_group(properties.get("ControlGroup", ""))
    main = properties.get("MainPID", "")
    pids.sort(key=lambda pid: (str(pid) != main, pid))
    written = [properties.get("FragmentPath", ""), *properties.get("DropInPaths", "").split()]
    facts = {"properties": properties, "log": log, **await _stacks(pids)}
    return Told(facts=facts, pids=pids, files=[path for path in written if path.startswith("/")])


def _of_run(invocation: str, bus: str) -> str:
    """What the journal holds of one run of a unit, and no other; blocks."""
    if not invocation or bus not in {"system", "user"}:
        return ""
    field = "USER_INVOCATION_ID" if bus == "user" else "_SYSTEMD_INVOCATION_ID"
    words = ["journalctl", "--no-pager", "-q", "-o", "short-iso", "-n", _LINES, f"{field}={invocation}", "+"]
    words.append(f"{'USER_' if bus == 'user' else ''}INVOCATION_ID={invocation}")  # what systemd itself wrote about it
    try:
        done = subprocess.run(
            words,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            env={"PATH": argv.FIXED_PATH, "LC_ALL": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"[journalctl: {exc}]"
    return done.stdout[-_OUTPUT:].decode("utf-8", "replace")


def _of_group(path: str) -> list[int]:
    """Processes of a control group, wherever systemd's own hierarchy is mounted."""
    found: set[int] = set()
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd") if path.strip("/") else ():
        try:
            words = (Path(root) / path.lstrip("/") / "cgroup.procs").read_text(encoding="ascii").split()
        except OSError:
            continue
        found |= {int(word) for word in words if word != "0"}
    return sorted(found)


async def _stacks(pids: list[int]) -> Mapping[str, object]:
    """Where the threads of Python programs stand, where py-spy is installed."""
    if shutil.which("py-spy") is None:
        return {}
    pythons = [pid for pid in pids if "python" in _exe(pid)][:_PYTHONS]
    return {"stacks": {str(pid): await said(["py-spy", "dump", "--nonblocking", "--pid", str(pid)]) for pid in pythons}}


def _exe(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return ""


async def said(words: list[str], within: float = _PATIENCE) -> str:
    """What a tool prints, capped; why not, where it could not be asked. Never raises."""
    markers = {_MARK: str(os.getpid())}
    try:
        env = argv.environment({}, markers, argv.own_account())
        command = commands.Command(argv=words, env=env, markers=markers, most=_OUTPUT, keep_daemons=False)
        ended = await commands.run(command, timeout=within, grace=0.0)
    except ActionError as exc:
        return f"[{words[0]}: {exc}]"
    text = ended.output.decode("utf-8", "replace")
    return f"{text}\n[{words[0]} did not end within {within:g} s]" if ended.timed_out else text
