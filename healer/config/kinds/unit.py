"""Keys of a systemd unit."""

from healer.config.kinds.own import Own
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Count, Number, Size, Text
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
_BOUNDS = Record(
    Field(name="cpu", shape=Number(0.05, 4096.0), doc="cores; else those of the host"),
    Field(name="memory", shape=Size(16 * 2**20), doc="else the host's"),
    Field(name="tasks", shape=Count(16, 2**22), doc="processes and threads; else what the kernel allows"),
    name="bounds",
    build=lambda values, _: {key: value for key, value in values.items() if value is not None},
)


def _sane(values: Values, problems: Problems) -> None:
    if values["instances"] is not None and "@" not in (values["unit"] or values["name"]):
        problems.add(values.where("instances"), "only a template has instances", "such as unit: web@.service")
        raise Bad


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
        Field(name="bounds", shape=_BOUNDS, doc="the most that `adjust` may give it"),
    ),
    every=15.0,  # changes are told at once: a look is for what it uses
    shown="15s",
    check=_sane,
)
