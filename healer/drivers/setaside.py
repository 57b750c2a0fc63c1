"""Moving one file out of the way, and back: by directory descriptors, on one device, owner and mode untouched."""

import contextlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from healer.drivers.files import opened
from healer.errors import ActionError, AmbiguousError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A file that was set aside."""

    name: str
    """Its name in the folder it lies in now."""
    inode: int
    links: int
    """Its names, this one too: under the others it is still where it was."""


def look(path: str) -> os.stat_result:
    """The file as it is; raises ActionError where it is no regular one, or cannot be reached without links."""
    parent, name = _parts(path)
    with opened(parent) as here:
        return _regular(path, name, here)


def away(path: str, folder: str, mark: str) -> Moved:
    """Rename the file into ``folder``, with ``mark`` in its name; raises ActionError. Blocks.

    The folder is made where it is missing; one that somebody else may write to is refused.
    """
    parent, name = _parts(path)
    fresh = f"{name[:180]}.{mark[:12]}"
    with opened(parent) as here, _own(folder) as there:
        seen = _regular(path, name, here)
        if seen.st_dev != os.fstat(there).st_dev:
            raise ActionError(
                f"{folder} is on another device than {path}", hint="choose one beside it", transient=False
            )
        if _exists(fresh, there):
            raise ActionError(f"{fresh} lies in {folder} already", transient=False)
        _rename(name, fresh, here, there, path)
        moved = os.stat(fresh, dir_fd=there, follow_symlinks=False)
        if moved.st_ino != seen.st_ino:
            raise AmbiguousError(f"{path} was changed while it was moved: what lies in {folder} is another file")
        _sync(here, there)
    return Moved(name=fresh, inode=moved.st_ino, links=moved.st_nlink)


def back(path: str, folder: str, name: str, inode: int | None = None) -> None:
    """Give a file that was set aside its place again; raises ActionError where another has it by now. Blocks."""
    parent, place = _parts(path)
    with opened(parent) as here, opened(folder) as there:
        try:
            seen = os.stat(name, dir_fd=there, follow_symlinks=False)
        except OSError as exc:
            raise ActionError(f"{name} is not in {folder} any more", transient=False) from exc
        if inode not in {None, seen.st_ino} or not stat.S_ISREG(seen.st_mode):
            raise ActionError(f"{name} in {folder} is another file than was moved there", transient=False)
        try:  # a link, and not a rename: that would silently replace what stands there
            os.link(name, place, src_dir_fd=there, dst_dir_fd=here, follow_symlinks=False)
        except FileExistsError as exc:
            raise ActionError(f"there is another {path} by now", hint=f"the old one: {folder}/{name}") from exc
        except OSError as exc:
            raise ActionError(f"cannot put {path} back: {exc.strerror}") from exc
        try:
            os.unlink(name, dir_fd=there)
        except OSError as exc:
            raise ActionError(
                f"{path} is back, and has the name {name} in {folder} still: {exc.strerror}", transient=False
            ) from exc
        _sync(here, there)


def _parts(path: str) -> tuple[str, str]:
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts or len(pure.parts) < 2:
        raise ActionError(f"{path!r} is not a plain absolute path", transient=False)
    return str(pure.parent), pure.name


def _regular(path: str, name: str, here: int) -> os.stat_result:
    try:
        seen = os.stat(name, dir_fd=here, follow_symlinks=False)
    except OSError as exc:
        raise ActionError(f"cannot look at {path}: {exc.strerror}", transient=False) from exc
    if not stat.S_ISREG(seen.st_mode):
        raise ActionError(f"{path} is no regular file", hint="a link's target is named itself", transient=False)
    return seen


@contextlib.contextmanager
def _own(folder: str) -> Iterator[int]:
    parent, name = _parts(folder)
    with opened(parent) as above:
        try:
            os.mkdir(name, 0o700, dir_fd=above)
        except FileExistsError:
            pass
        except OSError as exc:
            raise ActionError(f"cannot make {folder}: {exc.strerror}") from exc
        try:
            fd = os.open(name, _FOLDER, dir_fd=above)
        except OSError as exc:
            raise ActionError(f"cannot open {folder}: {exc.strerror}", transient=False) from exc
    try:
        seen = os.fstat(fd)
        if seen.st_uid not in {0, os.geteuid()} or seen.st_mode & 0o022:
            raise ActionError(f"others may write to {folder}", hint="chmod go-w, owner root", transient=False)
        yield fd
    finally:
        os.close(fd)


def _exists(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _rename(name: str, fresh: str, here: int, there: int, path: str) -> None:
    try:
        os.rename(name, fresh, src_dir_fd=here, dst_dir_fd=there)
    except OSError as exc:
        raise ActionError(f"cannot move {path}: {exc.strerror}") from exc


def _sync(*folders: int) -> None:
    for fd in folders:
        with contextlib.suppress(OSError):  # some file systems sync no folders: the move stands all the same
            os.fsync(fd)
