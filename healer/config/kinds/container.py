"""Keys of a container, and what may be made of it: nothing that is not declared here is created or run in it."""

from healer.config.kinds.own import Own
from healer.config.words import NAMED
from healer.model.verbs import SIGNALS
from healer.yamldoc.mark import Problems
from healer.yamldoc.parsers import Count, Number, Size, Word
from healer.yamldoc.shape import Bad, Field, ListOf, Record, Values

_BOUNDS = Record(
    Field(name="cpu", shape=Number(0.01, 4096.0), doc="cores; else those of the host"),
    Field(name="memory", shape=Size(6 * 2**20), doc="else half of the host's"),
    Field(name="tasks", shape=Count(1, 1_000_000), doc="processes and threads; else 4096"),
    name="bounds",
    build=lambda values, _: {key: value for key, value in values.items() if value is not None},
)


def _sane(values: Values, problems: Problems) -> None:
    own = values["container"] or values["name"]
    spare = values["spare"] or ()
    if own in spare or len(set(spare)) < len(spare):
        problems.add(values.where("spare"), "a spare that is there already", "name other containers, each once")
        raise Bad


OWN = Own(
    fields=(
        Field(name="container", shape=NAMED, doc="its name or id in Docker; else the target's name"),
        Field(
            name="reload", shape=Word(SIGNALS), doc="the signal that has it read its configuration; without it, none"
        ),
        Field(
            name="spare",
            shape=ListOf(NAMED, alone=True),
            doc="containers, made and at rest, that `scale` may start beside it and stop again",
        ),
        Field(name="bounds", shape=_BOUNDS, doc="the most that `adjust` may give it"),
        Field(
            name="quarantine",
            shape=Word(("pause", "networks")),
            doc="how: pause (without this, too) freezes it; networks takes it out of all of them and lets it run",
        ),
    ),
    every=15.0,
    shown="15s",
    check=_sane,
)
