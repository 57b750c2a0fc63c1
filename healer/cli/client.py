"""Talking to the running agent over its socket."""

import asyncio
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from healer.cli.settings import Settings
from healer.errors import ConfigError, HealerError

MOST = 64 << 20
"""Octets of an answer; the agent is ours, a history may be long."""
ASKING = 30.0


class NotReachableError(HealerError):
    """No agent answers where it was looked for."""


class NoError(HealerError):
    """The agent answered, and the answer is no."""

    exit_code = 1


class Client:
    """One agent, asked one thing at a time."""

    def __init__(self, settings: Settings, timeout: float = ASKING) -> None:
        self._settings, self._timeout = settings, timeout
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """The socket; raises NotReachableError where there is none."""
        if self._path is None:
            self._path = find(self._settings)
        return self._path

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """Read one thing; raises HealerError."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", f"{path}?{urlencode(asked, doseq=True)}" if asked else path)

    def post(self, path: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask for one thing; raises HealerError."""
        return self._ask("POST", path, json.dumps(dict(data or {})).encode())

    def request(
        self, verb: str, subject: str = "agent", args: Mapping[str, Any] | None = None, wait: float = 10.0
    ) -> dict[str, Any]:
        """Post a request and wait for its answer; raises NoError when it is refused."""
        posted = self.post("/requests", {"verb": verb, "subject": subject, "args": dict(args or {})})
        found = self.get(f"/requests/{segment(str(posted['id']))}", wait=wait)
        if found["answer"] == "refused":
            raise NoError(f"refused: {found['because']}")
        if found["answer"] != "accepted":
            raise NoError(f"no answer to request {posted['id']} within {wait:g} s", hint="healer status")
        return found

    def _ask(self, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
        from healer.clock import SystemClock
        from healer.drivers.http import Http, HttpError

        async def ask() -> tuple[int, bytes]:
            http = Http(SystemClock())
            headers = {"content-type": "application/json"} if method == "POST" else {}
            try:
                reply = await http.ask(
                    f"http://healer/api/v1{path}",
                    method=method,
                    headers=headers,
                    body=body,
                    timeout=self._timeout,
                    most=MOST,
                    uds=str(self.path),
                )
            finally:
                await http.close()
            return reply.status, reply.body

        try:
            status, octets = asyncio.run(ask())
        except HttpError as exc:
            hint = _HANGS if exc.kind == "timeout" else _START
            raise NotReachableError(f"the agent at {self.path} does not answer: {exc.message}", hint=hint) from exc
        return _read(status, octets, self.path)


_START = "start it with `healer run`, or `systemctl start healer`"
_HANGS = "it is busy or hangs (`journalctl -u healer`); `healer stop-healing` and `healer audit verify` work without it"


def find(settings: Settings) -> Path:
    """The first socket that is there; raises NotReachableError naming where it was looked for."""
    tried = settings.sockets
    for path in tried:
        try:
            if stat.S_ISSOCK(path.stat().st_mode):
                return path
        except PermissionError:
            raise NotReachableError(
                f"not allowed to reach {path}", hint="run this as root or as the agent's own user"
            ) from None
        except OSError:
            continue
    raise NotReachableError(f"no agent runs here: no socket at {' or '.join(map(str, tried))}", hint=_START)


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe=":@")


def _read(status: int, octets: bytes, path: Path) -> dict[str, Any]:
    try:
        found = json.loads(octets)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotReachableError(f"what listens at {path} is no agent: it answered {status} and no JSON")
    if status < 400 or "detail" not in found:
        return found
    if found.get("problems"):
        raise ConfigError(str(found["detail"]), problems=tuple(map(str, found["problems"])))
    raise HealerError(str(found["detail"]), hint=str(found.get("hint", "")))
