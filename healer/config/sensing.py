"""Keys under ``sensors:``: how often the agent looks where no target says so, and what it finds by itself."""

from healer.config.values import Discovery
from healer.config.words import MODES
from healer.model.mode import Mode
from healer.yamldoc.parsers import Count, Duration, Flag
from healer.yamldoc.shape import Field, Record


def seconds(name: str, default: float, shown: str, doc: str, least: float = 0.1) -> Field:
    """A key that holds a duration."""
    return Field(name=name, shape=Duration(least), default=default, shown=shown, doc=doc)


SENSORS = Record(
    Field(
        name="host",
        shape=Record(
            seconds("every", 2.0, "2s", "CPU, memory, pressure, network"),
            seconds("slow_every", 30.0, "30s", "disks, temperatures, users", 1.0),
        ),
        default={"every": 2.0, "slow_every": 30.0},
        doc="the host itself",
    ),
    Field(
        name="self",
        shape=Record(seconds("every", 5.0, "5s", "interval")),
        default={"every": 5.0},
        doc="the agent itself",
    ),
    Field(
        name="docker",
        shape=Record(
            Field(
                name="discover",
                shape=Flag(),
                default=False,
                shown="false",
                doc="true: containers labelled healer.enable=true are targets by themselves",
            ),
            seconds("every", 30.0, "30s", "how often they are listed; starts and removals are heard of at once", 1.0),
            Field(
                name="mode",
                shape=MODES,
                default=Mode.OBSERVE,
                shown="observe",
                doc="ceiling for actions on them; the label healer.mode may only be stricter",
            ),
            Field(name="most", shape=Count(1, 1000), default=100, shown="100", doc="containers taken up, at most"),
            build=lambda values, _: Discovery(**values),
        ),
        default=Discovery(),
        doc="containers that label themselves",
    ),
)
