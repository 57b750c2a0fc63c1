"""Keys of a Redis server."""

from healer.config.kinds.own import Own
from healer.config.words import PATH
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Count, Flag, Text
from healer.yamldoc.secret import SecretRef
from healer.yamldoc.shape import Bad, Field, ListOf, Mistake, Record, Values

LEAST_PREFIX = 3
"""Characters: a shorter beginning is that of everything."""


def host(text: str) -> str:
    """A host name or an address; raises Mistake for what looks like a whole connection string."""
    if any(char in text for char in "@/=,") or any(char.isspace() for char in text):
        raise Mistake(f"'{text[:60]}' is not one host", "a name or an address; no password, no redis://")
    return text


def prefix(text: str) -> str:
    """What keys may begin with; raises Mistake where that is next to nothing, or a pattern."""
    if len(text) < LEAST_PREFIX or any(char in text for char in "*?[]\\") or not text.isprintable():
        raise Mistake(f"'{text[:60]}' is no beginning of keys", f"at least {LEAST_PREFIX} characters, no * ? [ ] \\")
    return text


def _whole(values: Values, problems: Problems) -> None:
    if values["username"] is not None and values["password"] is None:
        problems.add(values.mark, "a username without a password", "password: {credential: NAME}")
        raise Bad
    tls = values["tls"]
    if tls is not None and (tls["cert"] is None) != (tls["key"] is None):
        problems.add(values.mark, "a certificate and its key go together", "write both: tls: {cert: ..., key: ...}")
        raise Bad


OWN = Own(
    fields=(
        Field(
            name="host",
            shape=Text(longest=255, called="a host", parse=host),
            default="127.0.0.1",
            shown="127.0.0.1",
            doc="host name or address",
        ),
        Field(name="port", shape=Count(1, 65535), default=6379, shown="6379", doc="port"),
        Field(name="socket", shape=PATH, doc="its Unix socket, in place of host and port"),
        Field(name="username", shape=Text(longest=255), doc="user of its access list; else its default user"),
        Field(name="password", shape=SecretRef(), doc="its password"),
        Field(
            name="tls",
            shape=Record(
                Field(name="ca", shape=PATH, doc="PEM file its certificate must come from; else what this host trusts"),
                Field(name="cert", shape=PATH, doc="our certificate, where it asks for one"),
                Field(name="key", shape=PATH, doc="its key"),
                Field(name="server_name", shape=Text(longest=255), doc="the name it has to prove; else host"),
            ),
            doc="it speaks TLS; {} for the usual",
        ),
        Field(name="db", shape=Count(0, 65535), default=0, shown="0", doc="database of `clear_cache`"),
        Field(
            name="caches",
            shape=ListOf(Text(called="a beginning of keys", parse=prefix), alone=True),
            default=(),
            doc="what keys that `clear_cache` may throw away begin with",
        ),
        Field(
            name="disposable",
            shape=Flag(),
            default=False,
            shown="false",
            doc="true: `clear_cache` may throw away the whole database",
        ),
    ),
    check=_whole,
)
