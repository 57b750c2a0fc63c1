"""Keys of a database that is asked queries of one's own."""

from healer.config.kinds.own import Own
from healer.config.kinds.postgres import CONNECTION, UPDATES
from healer.config.words import PATH
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import NAME, Count, Text
from healer.yamldoc.shape import Bad, Field, MapOf, Values

MOST_ROWS = 1000


def _one_database(values: Values, problems: Problems) -> None:
    if not values["queries"]:
        problems.add(values.where("queries"), "there is no query", "queries: {NAME: SELECT ...}")
        raise Bad
    if (values["path"] is None) == (values["host"] is None):
        problems.add(
            values.mark, "a database is a file, or a server: one of them", "path: for SQLite, host: for PostgreSQL"
        )
        raise Bad


def _connection() -> tuple[Field, ...]:
    """As of a server, but that the host must be said: without it, it is a file."""
    host, *others = CONNECTION
    return (Field(name="host", shape=host.shape, doc=f"{host.doc}, of PostgreSQL"), *others)


OWN = Own(
    fields=(
        Field(name="path", shape=PATH, doc="file of an SQLite database"),
        *_connection(),
        Field(
            name="queries",
            shape=MapOf(Text(longest=10_000), pattern=NAME, named="query"),
            required=True,
            doc="name -> SELECT; its last column is the number, those before it name the row",
        ),
        Field(
            name="rows",
            shape=Count(1, MOST_ROWS),
            default=20,
            shown="20",
            doc="rows a query may return; more, and what it says is unknown",
        ),
        UPDATES,
    ),
    every=60.0,
    shown="60s",
    check=_one_database,
)
