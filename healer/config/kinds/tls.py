"""Keys of a TLS server."""

from healer.config.kinds.own import Own
from healer.config.words import PATH
from healer.yamldoc.parsers import Count, Text, Word
from healer.yamldoc.shape import Field

_HOST = Text(longest=255)
OWN = Own(
    fields=(
        Field(name="host", shape=_HOST, required=True, doc="host name or address"),
        Field(name="port", shape=Count(1, 65535), default=443, shown="443", doc="port"),
        Field(name="server_name", shape=_HOST, doc="the name it is asked for and has to prove; else host"),
        Field(name="ca", shape=PATH, doc="PEM file its chain must lead to; else what this host trusts"),
        Field(
            name="starttls",
            shape=Word(("smtp", "postgres")),
            doc="how it is asked for TLS, where it does not begin with it",
        ),
    ),
    every=300.0,
    shown="5m",
)
