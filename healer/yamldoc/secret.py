"""Secrets are named, never written: read when they are used, shown nowhere."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from healer.errors import HealerError
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Scalar, Table
from healer.yamldoc.shape import Bad, Schema, Shape, suggestion

_NAME = re.compile(r"[A-Za-z0-9_.@-]{1,255}")
_MAX_BYTES = 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A reference to a secret: a systemd credential, or a file."""

    credential: str = ""
    file: str = ""

    def reveal(self, environ: Mapping[str, str]) -> str:
        """Read it now, without its last newline; raises HealerError, which never quotes it."""
        path = self._path(environ)
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise HealerError(f"the secret {self} cannot be read: {exc.strerror}", hint="does it exist?") from exc
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_BYTES:
                raise HealerError(f"the secret {self} is not a small regular file", hint="look at what it names")
            if self.file and found.st_mode & stat.S_IROTH:
                raise HealerError(f"the secret {self} can be read by everybody", hint=f"chmod o= {self.file}")
            text = os.read(handle, _MAX_BYTES).decode("utf-8")
        except UnicodeDecodeError as exc:
            raise HealerError(f"the secret {self} is not UTF-8 text", hint="save it as text") from exc
        finally:
            os.close(handle)
        return text.rstrip("\r\n")

    def _path(self, environ: Mapping[str, str]) -> Path:
        if self.file:
            return Path(self.file)
        folder = environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise HealerError(
                f"the secret {self} is not here: no credentials were handed over",
                hint=f"LoadCredential={self.credential}:... in the service, or {{file: PATH}}",
            )
        return Path(folder) / self.credential

    def __str__(self) -> str:
        return f"{{credential: {self.credential}}}" if self.credential else f"{{file: {self.file}}}"


class SecretRef(Shape):
    """``{credential: NAME}`` or ``{file: PATH}``."""

    says = "{credential: NAME} or {file: PATH}"

    def read(self, node: Node, problems: Problems) -> Secret:
        """The reference; nothing is opened."""
        if not isinstance(node, Table) or len(node.entries) != 1:
            raise self.wrong(node, problems)
        (entry,) = node.entries
        if entry.key not in {"credential", "file"}:
            problems.add(entry.mark, f"unknown key '{entry.key}'", suggestion(entry.key, ("credential", "file")))
            raise Bad
        value = entry.node.value if isinstance(entry.node, Scalar) else None
        if not isinstance(value, str) or not value:
            problems.add(entry.node.mark, f"expected the name of a {entry.key}", self.says)
            raise Bad
        if entry.key == "credential" and (not _NAME.fullmatch(value) or value in {".", ".."}):
            problems.add(entry.node.mark, f"'{value[:60]}' cannot be a credential", "a name without slashes")
            raise Bad
        if entry.key == "file" and not value.startswith("/"):
            problems.add(entry.node.mark, "a secret's file must be an absolute path", f"/etc/healer/{value[:60]}")
            raise Bad
        return Secret(credential=value) if entry.key == "credential" else Secret(file=value)

    def wrong(self, node: Node, problems: Problems) -> Bad:
        """As for any shape, but what was written here is never quoted: it may be the secret itself."""
        problems.add(node.mark, f"expected {self.says}", "secrets are named, never written here")
        return Bad()

    def schema(self) -> Schema:
        """An object with one of two keys."""
        one = [
            {
                "type": "object",
                "additionalProperties": False,
                "required": [key],
                "properties": {key: {"type": "string"}},
            }
            for key in ("credential", "file")
        ]
        return {"oneOf": one}


class TextOrSecret(Shape):
    """Text, or a reference to a secret."""

    says = "text, {credential: NAME} or {file: PATH}"

    def read(self, node: Node, problems: Problems) -> str | Secret:
        """The text, or the reference."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        if isinstance(node, Table):
            return SecretRef().read(node, problems)
        raise self.wrong(node, problems)

    def schema(self) -> Schema:
        """A string, or such an object."""
        return {"anyOf": [{"type": "string"}, SecretRef().schema()]}
