"""Which folders may be declared as ones to delete from: never the system's own, never a whole branch of the host."""

from pathlib import PurePosixPath

_NEVER_BELOW = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/sbin", "/sys", "/usr")
_NEVER_ITSELF = ("/var/lib", "/var/spool", "/var/run", "/var/lock", "/var/backups")
_ONE_DEEP = ("/tmp",)  # noqa: S108 - named so that it may be cleared, not written to
_HOMES = "/home"


def refusal(path: str) -> str:
    """Say why nothing may ever be deleted below ``path``; empty where it may be. Looks at the text only.

    Links are another matter: whoever walks opens each part without following any.
    """
    pure = PurePosixPath(path)
    if not path.startswith("/") or "\0" in path or ".." in pure.parts:
        return f"{path!r} is not a plain absolute path"
    plain = "/" + "/".join(pure.parts[1:])
    if plain in _ONE_DEEP:
        return ""
    if len(pure.parts) < 3:
        return f"{plain} is a whole branch of the host"
    if any(plain == one or plain.startswith(f"{one}/") for one in _NEVER_BELOW):
        return f"{plain} belongs to the system"
    if plain in _NEVER_ITSELF or (str(pure.parent) == _HOMES):
        return f"{plain} is too much at once"
    return ""
