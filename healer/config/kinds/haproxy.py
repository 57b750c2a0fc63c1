"""Keys of a HAProxy: of the process, of a backend of it, or of one server."""

from healer.config.kinds.own import Own
from healer.model.address import loopback, numeric
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Text
from healer.yamldoc.shape import Bad, Field, Mistake, Values

_NAMED = Text(pattern=r"[A-Za-z0-9_.:-]{1,128}", called="a name as HAProxy has them")


def _socket(text: str) -> str:
    """A path, or a loopback address with its port: whoever reaches this socket gives HAProxy orders."""
    if text.startswith("/"):
        if "\0" in text or len(text.encode()) > 107:
            raise Mistake(f"'{text[:60]}' is no path of a socket", "at most 107 bytes")
        return text
    try:
        near = loopback(numeric(text)[0])
    except ValueError:
        near = False
    if not near:
        raise Mistake(f"'{text[:60]}' is not a socket on this host", "a path, or 127.0.0.1:PORT")
    return text


def _whole(values: Values, problems: Problems) -> None:
    if values["server"] is not None and values["backend"] is None:
        problems.add(values.mark, "a server without its backend", "write backend: NAME too")
        raise Bad


OWN = Own(
    fields=(
        Field(
            name="socket",
            shape=Text(called="a socket on this host", parse=_socket),
            required=True,
            doc="its `stats socket`: a path, or 127.0.0.1:PORT; `level admin` where it is to be given orders",
        ),
        Field(name="backend", shape=_NAMED, doc="a backend (or listen) of it; without, the process itself"),
        Field(name="server", shape=_NAMED, doc="one server of that backend; without, the backend as a whole"),
    ),
    every=5.0,
    shown="5s",
    check=_whole,
)
