"""Where something was written, and what is wrong with it there."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from healer.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Mark:
    """A place in a document."""

    file: str
    """Path as given; the name of an environment variable or of a key where no file was read."""
    line: int = 0
    """From 1; 0 where there are no lines."""
    column: int = 0
    """In characters, from 1; 0 where there are no columns."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Problem:
    """One mistake: where, what, and what to do about it."""

    mark: Mark
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.mark}: {self.what} ({self.hint})" if self.hint else f"{self.mark}: {self.what}"


class Problems:
    """Collects mistakes, so that a person is told all of them at once."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, mark: Mark, what: str, hint: str = "") -> None:
        """Note one mistake."""
        self.found.append(Problem(mark=mark, what=what, hint=hint))

    def amend(self, mark: Mark, hint: str) -> None:
        """Give the latest mistake at a place a better hint, once it is known what was due there."""
        for at in reversed(range(len(self.found))):
            if self.found[at].mark == mark:
                self.found[at] = replace(self.found[at], hint=hint)
                return

    def extend(self, others: Iterable[Problem]) -> None:
        """Note several."""
        self.found.extend(others)

    def __bool__(self) -> bool:
        return bool(self.found)

    def check(self, subject: str) -> None:
        """Raise ConfigError with everything that was found; nothing if nothing was."""
        if self.found:
            raise self.error(subject)

    def error(self, subject: str) -> ConfigError:
        """Everything that was found, in the order of the text, as the error to raise."""
        lines = tuple(str(problem) for problem in sorted(set(self.found)))
        count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        first = lines[0] if lines else "it cannot be used"
        return ConfigError(f"{subject}: {count}: {first}", problems=lines)
