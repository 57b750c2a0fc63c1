"""Keys of an exporter of Prometheus' metrics."""

from healer.config.kinds.own import Own
from healer.config.words import URL
from healer.errors import HealerError
from healer.model import pick
from healer.model.target import EMPTY
from healer.yamldoc.parsers import NAME, Flag, Text
from healer.yamldoc.secret import TextOrSecret
from healer.yamldoc.shape import Field, MapOf, Mistake


def _series(text: str) -> str:
    """A series as people write it, kept as its text; raises Mistake."""
    try:
        pick.parse(text)
    except HealerError as exc:
        raise Mistake(exc.message, exc.hint) from exc
    return text


OWN = Own(
    fields=(
        Field(name="url", shape=URL, required=True, doc="where it exposes its metrics; no secrets in it"),
        Field(
            name="series",
            shape=MapOf(Text(called="a series", parse=_series), pattern=NAME, named="series"),
            required=True,
            doc='a name of yours for each: name{label="value"}, or sum, min, max, avg, count of several',
        ),
        Field(name="headers", shape=MapOf(TextOrSecret()), default=EMPTY, doc="sent along; secrets by reference"),
        Field(name="verify_tls", shape=Flag(), default=True, shown="true", doc="false: any certificate will do"),
    ),
    every=15.0,
    shown="15s",
)
