"""Keys of a name that is looked up."""

from healer.config.kinds.own import Own
from healer.model.address import numeric
from healer.yamldoc.parsers import Text, Word
from healer.yamldoc.shape import Field, ListOf, Mistake

_TYPES = ("A", "AAAA", "CAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT")


def _server(text: str) -> str:
    """An address with or without a port; raises Mistake."""
    try:
        numeric(text, 53)
    except ValueError as exc:
        raise Mistake(str(exc), "192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:53") from exc
    return text


OWN = Own(
    fields=(
        Field(name="record", shape=Text(longest=253), required=True, doc="the name asked for"),
        Field(name="type", shape=Word(_TYPES), default="A", shown="A", doc="type of record"),
        Field(
            name="server",
            shape=Text(called="the address of a name server", parse=_server),
            doc="the server asked; else those of /etc/resolv.conf",
        ),
        Field(
            name="expect",
            shape=ListOf(Text(), least=1, alone=True),
            doc="answers that must be there, and no other; as in a zone file, without the last dot",
        ),
    ),
    every=30.0,
    shown="30s",
)
