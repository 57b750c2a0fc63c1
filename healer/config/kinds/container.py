"""Keys of a container."""

from healer.config.kinds.own import Own
from healer.config.words import NAMED
from healer.yamldoc.shape import Field

OWN = Own(
    fields=(Field(name="container", shape=NAMED, doc="its name or id in Docker; else the target's name"),),
    every=5.0,
    shown="5s",
)
