"""Keys of a systemd unit."""

from healer.config.kinds.own import Own
from healer.yamldoc.parsers import Text
from healer.yamldoc.shape import Field

UNIT_NAME = r"[A-Za-z0-9:_\\-][A-Za-z0-9:_.\\@-]{0,254}"
BUS = r"system|user|[a-z]+:[ -~]{1,250}"

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
    ),
    every=5.0,
    shown="5s",
)
