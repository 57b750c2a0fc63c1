"""A PostgreSQL in which an idle transaction holds a lock, and another client waits for it."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healer.demo.patients import Patient, System, end, patiently, program, run, tail
from healer.errors import HealerError

_INSTALLED = Path("/usr/lib/postgresql")
_SETUP = "CREATE TABLE orders (id int)"
_STUCK = b"BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE;\n"
_QUIET = ("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=20")


class PostgresSystem(System):
    """A server of its own, in a folder of its own, on a Unix socket only; it refuses to be root's."""

    name = "postgres"

    def __init__(self, folder: Path, token: str) -> None:
        super().__init__(folder, token)
        self._server: subprocess.Popen[bytes] | None = None
        self._quiet = threading.Event()
        self._clients: list[subprocess.Popen[bytes]] = []

    @classmethod
    def missing(cls) -> str:
        """Whether a server and its tools are here, and a library to reach it."""
        if not all(_tool(name) for name in ("initdb", "postgres", "psql", "pg_isready")):
            return "PostgreSQL is not installed (apt install postgresql)"
        if importlib.util.find_spec("psycopg") is None:
            return "the library psycopg is not installed (make extras)"
        return "" if os.geteuid() != 0 or _account() else "there is no account postgres to run it as"

    @property
    def patient(self) -> Patient:
        """The server."""
        target = "postgres:demo"
        words = "a client locks a table and sits idle in its transaction; another waits"
        return Patient(
            name="postgres", fault="held up", rule="demo-postgres", target=target, watched=(target,), words=words
        )

    def start(self) -> Sequence[Mapping[str, Any]]:
        """Make a cluster, start it, and put a table into it."""
        if user := _account():
            shutil.chown(self.folder, user)
        self.folder.chmod(0o755)
        data = self.folder / "data"
        run(_tool("initdb"), "-D", data, "-A", "trust", "-N", "-U", "demo", "--no-instructions", user=user)
        log = self.folder / "log"
        with log.open("wb") as said:
            self._server = subprocess.Popen(
                [_tool("postgres"), "-D", str(data), "-k", str(self.folder), *_QUIET],
                user=user, stdout=said, stderr=said, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True,
            )  # fmt: skip
        patiently(self._answers, self._lives, lambda: f"PostgreSQL did not start: {tail(log)}")
        run(*self._psql("-c", _SETUP))
        # Its one role is a superuser, whose sessions nobody ends unless it is spelled out.
        where = {"host": str(self.folder), "user": "demo", "dbname": "postgres", "superusers": "end"}
        return [{"kind": "postgres", "name": "demo", "every": "500ms", "startup_grace": "0s", **where}]

    def strike(self) -> None:
        """One client locks the table and says no more; another asks for it."""
        holder, waiter = self._client(), self._client()
        for client, said in ((holder, _STUCK), (waiter, b"SELECT count(*) FROM orders;\n")):
            if client.stdin is None:
                raise HealerError("psql takes no input")
            client.stdin.write(said)
            client.stdin.flush()
            self._quiet.wait(0.2)  # the second must come second

    def close(self) -> None:
        """End the clients, and the server at once: nothing of it is kept."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.stdin and client.stdin.close()
            end(client)
        end(self._server)

    def _client(self) -> "subprocess.Popen[bytes]":
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        made = subprocess.Popen(self._psql("-q"), stdin=subprocess.PIPE, cwd="/", **quiet)  # type: ignore[call-overload]  # DEVNULL is no file, and fits
        self._clients.append(made)
        return made  # type: ignore[no-any-return]  # as above

    def _psql(self, *more: str) -> list[str]:
        return [_tool("psql"), "-X", "-h", str(self.folder), "-U", "demo", "-d", "postgres", *more]

    def _answers(self) -> bool:
        try:
            run(_tool("pg_isready"), "-q", "-h", str(self.folder))
        except HealerError:
            return False
        return True

    def _lives(self) -> bool:
        return self._server is not None and self._server.poll() is None


def _tool(name: str) -> str:
    """The newest one."""
    newest = sorted(_INSTALLED.glob("*/bin"), key=lambda path: path.parent.name.zfill(4), reverse=True)
    return program(name, *newest[:1])


def _account() -> str | None:
    """Whom the server is run as; None where that is us."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    return None
