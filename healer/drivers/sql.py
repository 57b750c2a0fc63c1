"""What a database can be asked and told, whatever is behind it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from healer.drivers.interface import DriverError

Statements = Sequence[tuple[str, Mapping[str, object] | Sequence[object] | None]]
"""Statements, each with the values of its placeholders: ``%(name)s`` or ``%s``, as PostgreSQL's driver writes them."""


class SqlError(DriverError):
    """A database, or the way to it, said no.

    ``asked`` says that what was asked is at fault, and the database is well: another query may have an answer.
    ``again`` says that the same words may succeed later (a lock, a deadlock, a time limit, a database that is down).
    """

    def __init__(
        self, message: str, *, hint: str = "", fact: bool = False, sent: bool = False, asked: bool = False,
        again: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(message, hint=hint, fact=fact, sent=sent)
        self.asked = asked
        self.again = again


class Database(Protocol):
    """A database. All raise `SqlError`, or DriverError where it could not even be reached."""

    async def select(self, query: str, *, most: int) -> list[tuple[Any, ...]]:
        """At most ``most`` rows of one SELECT; nothing is written, whatever the text says."""

    async def change(
        self, statements: Statements, *, at_most: int, timeout: float, generation: str | None = None
    ) -> int:
        """Run statements in one transaction; returns the rows they changed, of which there may be ``at_most``.

        On DriverError nothing was changed, unless ``sent`` says that nobody can tell. With ``generation`` another
        incarnation of the database than that one is left alone, where incarnations can be told.
        """
