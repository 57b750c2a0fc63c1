"""Keys of a RabbitMQ node."""

from healer.config.kinds.own import Own
from healer.config.words import URL
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Flag, Text
from healer.yamldoc.secret import SecretRef
from healer.yamldoc.shape import Bad, Field, ListOf, Values

MOST_PATTERNS = 50


def _whole(values: Values, problems: Problems) -> None:
    if values["username"] not in (None, "guest") and values["password"] is None:
        problems.add(values.mark, "a username without a password", "password: {credential: NAME}")
        raise Bad
    if len(values["queues"]) > MOST_PATTERNS:
        problems.add(values.mark, f"{len(values['queues'])} queues", f"at most {MOST_PATTERNS}; a pattern names many")
        raise Bad


OWN = Own(
    fields=(
        Field(
            name="url",
            shape=URL,
            default="http://127.0.0.1:15672",
            shown="http://127.0.0.1:15672",
            doc="its management interface; no password in it",
        ),
        Field(name="username", shape=Text(longest=255), default="guest", shown="guest", doc="user of the management"),
        Field(name="password", shape=SecretRef(), doc="its password; without it, guest's own"),
        Field(name="verify_tls", shape=Flag(), default=True, shown="true", doc="false: any certificate will do"),
        Field(
            name="node",
            shape=Text(pattern=r"[A-Za-z0-9_.-]{1,128}@[A-Za-z0-9_.-]{1,255}", called="a node, such as rabbit@host"),
            doc="a node of its cluster; else the one that answers",
        ),
        Field(name="vhost", shape=Text(longest=255), default="/", shown="/", doc="virtual host of the queues"),
        Field(
            name="queues",
            shape=ListOf(Text(longest=255), alone=True),
            default=(),
            doc="queues to look at, * and ? match; `clear_cache` empties none but those named here in full",
        ),
    ),
    check=_whole,
)
