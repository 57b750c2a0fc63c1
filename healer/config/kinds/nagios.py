"""Keys of a monitoring plugin."""

from healer.config.kinds.own import Own
from healer.config.words import ARGV, NAMED
from healer.model.target import EMPTY
from healer.yamldoc.parsers import Text
from healer.yamldoc.shape import Field, MapOf

OWN = Own(
    fields=(
        Field(name="argv", shape=ARGV, required=True, doc="the plugin and its arguments, no shell"),
        Field(name="user", shape=NAMED, doc="account to run as; else the agent's own"),
        Field(
            name="env", shape=MapOf(Text(empty=True)), default=EMPTY, doc="added to a clean environment, with LC_ALL=C"
        ),
    ),
    every=60.0,
    shown="60s",
)
