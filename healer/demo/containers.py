"""A container, killed: its engine was not told to restart it."""

import contextlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from healer.demo.patients import Patient, System, program, run
from healer.errors import HealerError

_BUSYBOX = Path("/bin/busybox")


class ContainerSystem(System):
    """Its image is made of one static program, so that nothing is fetched; the agent never creates a container."""

    name = "container"

    @classmethod
    def missing(cls) -> str:
        """Whether an engine answers us, and there is something to make an image of."""
        docker = program("docker")
        if not docker:
            return "docker is not installed"
        try:
            run(docker, "version", "--format", "{{.Server.Version}}")
        except HealerError:
            return "no Docker engine answers (is it running, and may this account use its socket?)"
        return (
            "" if _is_static(_BUSYBOX) else "/bin/busybox is missing, or needs libraries (apt install busybox-static)"
        )

    @property
    def patient(self) -> Patient:
        """The container."""
        target = f"container:{self._called}"
        words = "docker kill of a container without a restart policy"
        return Patient(
            name="container", fault="killed", rule="demo-container", target=target, watched=(target,), words=words
        )

    def start(self) -> Sequence[Mapping[str, Any]]:
        """An image of busybox, and one container of it without any network."""
        run(program("docker"), "import", "-", self._image, given=_archive())
        run(
            program("docker"), "run", "--detach", "--init", "--network=none", f"--name={self._called}",
            self._image, "/bin/busybox", "sleep", "86400",
        )  # fmt: skip
        return [{"kind": "container", "name": self._called, "every": "1s", "startup_grace": "0s"}]

    def strike(self) -> None:
        """Kill it."""
        run(program("docker"), "kill", self._called)

    def close(self) -> None:
        """Remove the container, and its image."""
        for words in (("rm", "--force", self._called), ("rmi", "--force", self._image)):
            with contextlib.suppress(HealerError):
                run(program("docker"), *words)

    @property
    def _called(self) -> str:
        return f"victim-{self.token}"

    @property
    def _image(self) -> str:
        return f"victim-of-healer-demo:{self.token}"


def _is_static(path: Path) -> bool:
    """Whether a program needs no loader: in its ELF program headers none asks for one (type 3, PT_INTERP)."""
    try:
        head = path.read_bytes()[:4096]
    except OSError:
        return False
    if head[:5] != b"\x7fELF\x02" or len(head) < 64:
        return False
    start, size, count = int.from_bytes(head[32:40], "little"), int.from_bytes(head[54:56], "little"), head[56]
    kinds = [int.from_bytes(head[at : at + 4], "little") for at in range(start, start + size * count, size or 1)]
    return 3 not in kinds


def _archive() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        archive.add(_BUSYBOX, arcname="bin/busybox", filter=_by_root)
    return held.getvalue()


def _by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    return entry
