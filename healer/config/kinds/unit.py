"""Keys of a systemd unit."""

from healer.config.kinds.own import Own
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Count, Text
from healer.yamldoc.shape import Bad, Field, Record, Values

UNIT_NAME = r"[A-Za-z0-9:_\\-][A-Za-z0-9:_.\\@-]{0,254}"
BUS = r"system|user|[a-z]+:[ -~]{1,250}"


def _in_order(values: Values, problems: Problems) -> Values:
    if values["least"] > values["most"]:
        problems.add(values.mark, "least is more than most", "such as {least: 1, most: 4}")
        raise Bad
    return values


INSTANCES = Record(
    Field(name="least", shape=Count(0, 1000), default=1, shown="1", doc="never fewer"),
    Field(name="most", shape=Count(1, 1000), required=True, doc="never more; they are numbered from 1"),
    name="instances",
    build=_in_order,
)
OWN = Own(
    fields=(
        Field(
            name="unit",
            shape=Text(pattern=UNIT_NAME, called="the name of a unit"),
            doc="its name in systemd, .service where it has no ending; else the target's name",
        ),
        Field(
            name="bus",
            shape=Text(pattern=BUS, called="system, user, or an address such as unix:path=/run/dbus/system_bus_socket"),
            default="system",
            shown="system",
            doc="where its systemd is asked: system, user, or the address of a bus",
        ),
        Field(name="instances", shape=INSTANCES, doc="of a template: how many of its instances `scale` may run"),
    ),
    every=5.0,
    shown="5s",
)
