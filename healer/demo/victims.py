"""The three victims: what they run, how each is broken, and the organism around them."""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from healer.api import where
from healer.errors import HealerError

RULES = Path(__file__).with_name("rules.yaml")
MARK = "demo.json"
"""In the state folder of a demonstration, and of nothing else: a real agent's log is no toy."""

_LONGEST_FOLDER = 80
_HANGS = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    peer, _ = server.accept()
    with peer:
        peer.settimeout(1)
        try:
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nok\\n")
        except OSError:
            pass
"""
_LEAKS = """
import signal, time
hoard, leaks = [], []
signal.signal(signal.SIGUSR1, lambda *_: leaks.append(True))
while True:
    if leaks and len(hoard) < 24:
        hoard.append(b"x" * (4 << 20))
    time.sleep(0.06)
"""
"""96 MiB at most, whatever becomes of the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A program of the demonstration."""

    name: str
    fault: str
    """killed, hung or leaking."""
    blow: signal.Signals
    """What breaks it."""
    rule: str
    """The rule that is to heal it."""
    watched: tuple[str, ...]
    """Targets on which its illness shows."""
    words: str
    """What is done to it, for people."""

    @property
    def target(self) -> str:
        """Its target id."""
        return f"program:{self.name}"


VICTIMS = (
    Victim(
        name="dies",
        fault="killed",
        blow=signal.SIGKILL,
        rule="demo-dead",
        watched=("program:dies",),
        words="kill -9 of a program",
    ),
    Victim(
        name="hangs",
        fault="hung",
        blow=signal.SIGSTOP,
        rule="demo-hung",
        watched=("http:hangs",),
        words="a web server is frozen: its port stays open, and nobody answers",
    ),
    Victim(
        name="leaks",
        fault="leaking",
        blow=signal.SIGUSR1,
        rule="demo-leaking",
        watched=("program:leaks",),
        words="a program begins to eat memory",
    ),
)
ON_TRIAL = "demo-on-trial"


def organism(port: int, socket_path: str = "") -> dict[str, Any]:
    """The configuration of the agent that looks after them; it listens where it would anyway, unless told."""
    python = [sys.executable, "-I", "-S", "-c"]
    common = {"organ": "heart", "startup_grace": "0s", "on_stop": "stop", "stop": {"signal": "TERM", "grace": "1s"}}
    server = {"url": f"http://127.0.0.1:{port}/", "requires": ["program:hangs"], "organ": "lungs"}
    return {
        "node": "demo",
        # Not one that changes by itself when the machine is busy.
        "profile": "core",
        "rules": {"files": [str(RULES)], "default_mode": "observe"},
        "programs": [
            {"name": "dies", "command": ["sleep", "86400"], **common},
            {"name": "hangs", "command": [*python, _HANGS, str(port)], **common},
            {"name": "leaks", "command": [*python, _LEAKS], **common},
        ],
        "targets": [
            {"kind": "http", "name": "hangs", **server, "every": "300ms", "timeout": "300ms", "startup_grace": "0s"}
        ],
        "limits": {
            "saturation_psi": "100%",  # a busy machine is not what is shown here
            "actions_per_hour": 100_000,
            # An agent that is killed again and again in the middle of its actions counts each as failed.
            "breaker_backoff_after": 1000,
            "breaker_opens_after": 1000,
        },
        "sensors": {"self": {"every": "1s"}},
        "api": {"socket": socket_path} if socket_path else {},
    }


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the agent of a demonstration may know of its surroundings: nothing that would configure it."""
    return {name: environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in environ}


def settle(folder: Path) -> int:
    """Make ``folder`` the state of a demonstration, or take one up again; returns the port of its server.

    Raises HealerError for a folder that holds something else.
    """
    mark = folder / MARK
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        port = int(json.loads(mark.read_text(encoding="ascii"))["port"])
        if 0 < port < 65536:
            return port
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise HealerError(
                f"{folder} is not empty, and no demonstration", hint="name a folder that is not there yet"
            )
        port = _free_port()
        mark.write_text(json.dumps({"port": port}), encoding="ascii")
    except OSError as exc:
        raise HealerError(f"cannot use {folder}: {exc.strerror}") from exc
    return port


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[str]:
    """A path for the agent's socket in a folder too deep for the kernel (108 bytes); empty where none is needed."""
    if len(os.fsencode(folder)) < _LONGEST_FOLDER:
        yield ""
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{fd}/{where.NAME}"
    finally:
        os.close(fd)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def hears(pid: int, number: signal.Signals) -> bool:
    """Whether a signal does to this process what it is meant to: one that it has to catch is caught by now."""
    if number in {signal.SIGKILL, signal.SIGSTOP}:
        return True
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "0")
    return bool(int(caught, 16) >> (number - 1) & 1)


def strike(pid: int, number: signal.Signals) -> None:
    """Break one; raises HealerError where it is gone already."""
    try:
        fd = os.pidfd_open(pid)
    except OSError as exc:
        raise HealerError(f"process {pid} is gone already") from exc
    try:
        signal.pidfd_send_signal(fd, number)
    except OSError as exc:
        raise HealerError(f"process {pid} cannot be broken: {exc.strerror}") from exc
    finally:
        os.close(fd)
