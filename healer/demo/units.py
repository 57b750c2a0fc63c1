"""A unit of systemd, killed: its manager was not told to restart it."""

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healer.demo.patients import Patient, System, program, run
from healer.errors import HealerError

_BOOTED = Path("/run/systemd/system")
_UNIT = "[Unit]\nDescription=A victim of healer demo\n[Service]\nExecStart=/bin/sleep 86400\nRestart=no\n"


class UnitSystem(System):
    """Root's is a unit of the system; anybody else's one of their own manager."""

    name = "unit"

    @classmethod
    def missing(cls) -> str:
        """Whether systemd runs here, and we may start units."""
        if not _BOOTED.is_dir() or not program("systemctl"):
            return "systemd does not run this machine"
        if os.geteuid() != 0 and not Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere"), "bus").exists():
            return "this account has no systemd manager of its own (log in, or be root)"
        return ""

    @property
    def patient(self) -> Patient:
        """The unit."""
        target = f"unit:{self._unit}"
        words = "kill -9 of the main process of a unit of systemd, Restart=no"
        return Patient(name="unit", fault="killed", rule="demo-unit", target=target, watched=(target,), words=words)

    def start(self) -> Sequence[Mapping[str, Any]]:
        """A unit file that a reboot forgets."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(_UNIT, encoding="ascii")
        except OSError as exc:
            raise HealerError(f"cannot write {self._file}: {exc.strerror}") from exc
        self._ctl("daemon-reload")
        self._ctl("start", self._unit)
        bus = "system" if os.geteuid() == 0 else "user"
        return [{"kind": "unit", "name": self._unit, "bus": bus, "every": "1s", "startup_grace": "0s"}]

    def strike(self) -> None:
        """Kill its main process."""
        self._ctl("kill", "--signal=KILL", "--kill-who=main", self._unit)

    def close(self) -> None:
        """Stop it, and forget it."""
        for words in (("stop", self._unit), ("reset-failed", self._unit)):
            with contextlib.suppress(HealerError):
                self._ctl(*words)
        with contextlib.suppress(OSError):
            self._file.unlink()
        with contextlib.suppress(HealerError):
            self._ctl("daemon-reload")

    @property
    def _unit(self) -> str:
        return f"victim-{self.token}.service"

    @property
    def _file(self) -> Path:
        home = _BOOTED if os.geteuid() == 0 else Path(os.environ["XDG_RUNTIME_DIR"]) / "systemd" / "user"
        return home / self._unit

    def _ctl(self, *words: str) -> None:
        whose = [] if os.geteuid() == 0 else ["--user"]
        run(program("systemctl"), *whose, *words)
