"""A file: whether it is there, how large, how old, whose, what is in it; never hanging on what is no file."""

import grp
import hashlib
import os
import pwd
import stat
from collections.abc import Sequence
from contextlib import suppress

from healer.clock import Clock
from healer.drivers.slot import Slot
from healer.errors import SensorError
from healer.model.observation import Reading
from healer.model.target import Target
from healer.sensors.interface import TargetSensor
from healer.sensors.sane import Sieve

MOST_READ = 1 << 20
"""Bytes of content read unless ``max_size`` says otherwise."""
_CHUNK = 1 << 18
_ABOUT = ("file.size", "file.age", "file.mode", "file.owner")
_Identity = tuple[int, int, int, int, int]


class FileSensor(TargetSensor):
    """One path.

    Keys of the target: ``path``, ``match`` (plain text to find), ``checksum`` (bool), ``max_size`` (bytes read at
    most), ``follow`` (bool: follow a symlink in the last place; default yes).
    """

    def __init__(self, target: Target, clock: Clock) -> None:
        super().__init__(target)
        spec = target.spec
        self._clock = clock
        self._path = str(spec["path"])
        self._match = str(spec.get("match") or "").encode()
        self._checksum = bool(spec.get("checksum", False))
        self._most = int(spec.get("max_size") or MOST_READ)
        self._follow = bool(spec.get("follow", True))
        self._slot = Slot(self._path)
        self._hashed: tuple[_Identity, str] | None = None

    async def look(self, now: float) -> Sequence[Reading]:
        """Look in a thread: a dead network mount would hold the loop for ever."""
        sieve = await self._slot.call(lambda: self._look(now))
        self.garbage += sieve.garbage
        return sieve.readings

    def _look(self, now: float) -> Sieve:
        sieve = Sieve(now, self.marks)
        try:
            fd = self._open()
        except (FileNotFoundError, NotADirectoryError):
            sieve.number("file.exists", 0)
            sieve.all_unknown((*_ABOUT, *self._about_content()), "it does not exist")
            return sieve
        except OSError as exc:
            raise SensorError(f"cannot look at {self._path}: {exc.strerror}") from exc
        try:
            self._tell(sieve, fd)
        finally:
            os.close(fd)
        return sieve

    def _open(self) -> int:
        # O_PATH opens the name and not the thing: a FIFO cannot hang it, a device is not touched.
        return os.open(self._path, os.O_PATH | os.O_CLOEXEC | (0 if self._follow else os.O_NOFOLLOW))

    def _tell(self, sieve: Sieve, fd: int) -> None:
        seen = os.fstat(fd)
        sieve.number("file.exists", 1)
        sieve.number("file.size", seen.st_size)
        # A file from the future (a clock set back) has no age: negative is garbage, and so unknown.
        sieve.number("file.age", self._clock.wall() - seen.st_mtime)
        sieve.word("file.mode", f"{stat.S_IMODE(seen.st_mode):04o}")
        sieve.word("file.owner", f"{_user(seen.st_uid)}:{_group(seen.st_gid)}")
        if not self._about_content():
            return
        if not stat.S_ISREG(seen.st_mode):
            sieve.all_unknown(self._about_content(), "it is no regular file")
            return
        try:
            self._read(sieve, fd, seen)
        except OSError as exc:
            sieve.all_unknown(self._about_content(), f"cannot read it: {exc.strerror}")

    def _about_content(self) -> tuple[str, ...]:
        return ("file.checksum",) * self._checksum + ("file.match",) * bool(self._match)

    def _read(self, sieve: Sieve, path_fd: int, seen: os.stat_result) -> None:
        """Read the very file that was looked at, by its descriptor: the name may be another's by now."""
        fd = os.open(f"/proc/self/fd/{path_fd}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            found = _contains(fd, self._match, self._most) if self._match else False
            digest = self._digest(fd, seen) if self._checksum else ""
        finally:
            os.close(fd)
        if self._match:
            sieve.number("file.match", found)
        if self._checksum and digest is None:
            sieve.unknown("file.checksum", f"it is larger than max_size ({self._most} bytes)")
        elif self._checksum:
            sieve.word("file.checksum", digest)

    def _digest(self, fd: int, seen: os.stat_result) -> str | None:
        """SHA-256 of the content, read again only when the file changed; None when it is too large to read."""
        identity = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
        if self._hashed is not None and self._hashed[0] == identity:
            return self._hashed[1]
        digest = _sha256(fd, self._most)
        if digest is not None:
            self._hashed = (identity, digest)
        return digest


def _sha256(fd: int, most: int) -> str | None:
    digest, offset = hashlib.sha256(), 0
    while chunk := os.pread(fd, _CHUNK, offset):
        offset += len(chunk)
        if offset > most:
            return None
        digest.update(chunk)
    return digest.hexdigest()


def _contains(fd: int, text: bytes, most: int) -> bool:
    """Find plain text in the first ``most`` bytes, also where two reads meet; linear in what is read."""
    offset, kept = 0, b""
    while offset < most:
        chunk = os.pread(fd, min(_CHUNK, most - offset), offset)
        if not chunk:
            return False
        if text in kept + chunk:
            return True
        kept = (kept + chunk)[-(len(text) - 1) :] if len(text) > 1 else b""
        offset += len(chunk)
    return False


def _user(uid: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(uid).pw_name
    return str(uid)


def _group(gid: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(gid).gr_name
    return str(gid)
