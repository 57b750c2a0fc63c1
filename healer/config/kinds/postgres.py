"""Keys of a PostgreSQL server."""

from healer.config.kinds.own import Own
from healer.config.words import PATH
from healer.model.target import EMPTY
from healer.yamldoc.parsers import Count, Number, Text, Word
from healer.yamldoc.secret import SecretRef
from healer.yamldoc.shape import Field, ListOf, MapOf, Mistake, Record

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def host(text: str) -> str:
    """A host name, an address or an absolute path; raises Mistake for what looks like a whole connection string."""
    if "@" in text or "=" in text or "://" in text or "," in text or any(char.isspace() for char in text):
        raise Mistake(f"'{text[:60]}' is not one host", "a name, an address or the folder of a socket; no password")
    return text


_HOST = Text(longest=255, called="a host, or the folder of a socket", parse=host)
CONNECTION: tuple[Field, ...] = (
    Field(
        name="host",
        shape=_HOST,
        default="/var/run/postgresql",
        shown="/var/run/postgresql",
        doc="host name, address, or the folder that holds its Unix socket",
    ),
    Field(name="port", shape=Count(1, 65535), default=5432, shown="5432", doc="port; also of the socket's name"),
    Field(name="dbname", shape=Text(longest=63), default="postgres", shown="postgres", doc="database to connect to"),
    Field(name="user", shape=Text(longest=63), doc="role to connect as; else the agent's own account's name"),
    Field(name="password", shape=SecretRef(), doc="its password"),
    Field(
        name="sslmode", shape=Word(SSL_MODES), default="prefer", shown="prefer", doc="as libpq means it; see its manual"
    ),
    Field(name="sslrootcert", shape=PATH, doc="certificates that the server's must come from"),
    Field(name="sslcert", shape=PATH, doc="our certificate, where the server asks for one"),
    Field(name="sslkey", shape=PATH, doc="its key"),
)
"""How a database is reached; never a connection string, which would hold the password."""

UPDATES = Field(
    name="updates",
    shape=MapOf(ListOf(Text(longest=63), least=1, alone=True), named="table"),
    default=EMPTY,
    doc="columns that update may set: table -> columns",
)

OWN = Own(
    fields=(
        *CONNECTION,
        Field(
            name="primary",
            shape=Record(
                Field(name="host", shape=_HOST, required=True, doc="as host"),
                Field(name="port", shape=Count(1, 65535), default=5432, shown="5432", doc="as port"),
            ),
            doc="of a standby: where its primary is; while that answers, the standby is not promoted",
        ),
        Field(
            name="pooler",
            shape=Record(
                Field(name="host", shape=_HOST, required=True, doc="as host"),
                Field(name="port", shape=Count(1, 65535), default=6432, shown="6432", doc="as port"),
                Field(name="user", shape=Text(longest=63), doc="one of its stats_users; else user"),
                Field(name="password", shape=SecretRef(), doc="its password"),
            ),
            doc="the PgBouncer in front of it: its pools are looked at, too",
        ),
        Field(
            name="spare",
            shape=ListOf(Text(longest=63), alone=True),
            default=(),
            doc="roles whose sessions are never ended, besides those of replication and our own",
        ),
        Field(
            name="superusers",
            shape=Word(("spare", "end")),
            default="spare",
            shown="spare",
            doc="end: sessions of superusers may be ended too",
        ),
        UPDATES,
        Field(
            name="settings",
            shape=MapOf(
                Record(
                    Field(name="least", shape=Number(), required=True, doc="in the unit pg_settings has for it"),
                    Field(name="most", shape=Number(), required=True, doc="likewise"),
                ),
                pattern=r"[a-z_][a-z0-9_.]{0,62}",
                named="setting",
            ),
            default=EMPTY,
            doc="numbers of its configuration that adjust may change, and how far",
        ),
    ),
)
