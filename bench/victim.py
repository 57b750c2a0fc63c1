"""What is killed: one tiny program, the same for everybody, that says when its first instruction ran.

Compiled where there is a C compiler: it then stamps CLOCK_MONOTONIC itself. Else a shell, stamped when its line
arrives here. Each line also names the intent it was started by, so that the log can be asked for it.
"""

import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

_C = r"""
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const char *intent = getenv("HEALER_INTENT");
    char line[160];
    int size = snprintf(line, sizeof line, "%d %lld %.64s\n", (int)getpid(),
                        now.tv_sec * 1000000000LL + now.tv_nsec, intent ? intent : "-");
    int fifo = open(FIFO, O_WRONLY);
    if (fifo < 0 || write(fifo, line, size) != size) return 1;
    close(fifo);
    for (;;) pause();
}
"""
_SHELL = "#!/bin/sh\necho $$ 0 ${{HEALER_INTENT:--}} > {fifo}\nexec sleep 100000\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """What an incarnation said of itself."""

    pid: int
    at: int
    """Nanoseconds of CLOCK_MONOTONIC."""
    intent: str
    """Leaf hash; "-" where nobody gave it one."""


class Victim:
    """A program in ``folder``, and the FIFO on which each incarnation announces itself."""

    def __init__(self, folder: Path, *, shell: bool = False) -> None:
        self.fifo = folder / "born"
        os.mkfifo(self.fifo)
        self._fd = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        self.program = folder / "victim"
        self.kind = "shell" if shell or not self._compiled(folder) else "C"
        if self.kind == "shell":
            self.program.write_text(_SHELL.format(fifo=self.fifo))
            self.program.chmod(0o755)
        self.births: list[Birth] = []

    def _compiled(self, folder: Path) -> bool:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return False
        source = folder / "victim.c"
        source.write_text(_C)
        argv = [compiler, "-O2", f'-DFIFO="{self.fifo}"', "-o", str(self.program), str(source)]
        return any(
            subprocess.run([*argv, *more], check=False, capture_output=True).returncode == 0
            for more in (["-static"], [])
        )

    def born(self, within: float = 15.0) -> Birth:
        """The next incarnation."""
        if not select.select([self._fd], [], [], within)[0]:
            raise TimeoutError("no replacement came")
        arrived = time.monotonic_ns()
        pid, at, intent = os.read(self._fd, 256).decode().split()[:3]
        self.births.append(Birth(pid=int(pid), at=int(at) or arrived, intent=intent))
        return self.births[-1]

    def close(self) -> None:
        os.close(self._fd)
