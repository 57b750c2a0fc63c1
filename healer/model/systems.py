"""The verbs for systems of their own: services, databases, brokers, proxies, files."""

from collections.abc import Mapping
from types import MappingProxyType

from healer.model.verb import Param, Verb, params

_BACK = Param(shape="mapping", doc="the former values, as the agent itself noted them: puts them back")

VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "reload": Verb(
            kinds=("unit", "container"),
            doc="Make it read its configuration again, without ending it.",
            needs={"container": "reload"},
            params=params(),
        ),
        "scale": Verb(
            kinds=("program", "container", "unit"),
            doc="Run more or fewer instances of what was declared to have several; none is created.",
            needs={"program": "instances", "unit": "instances", "container": "spare"},
            params=params(
                to=Param(shape="change", required=True, doc="instances, as 3, +1 or -1; kept within what was declared"),
            ),
            short="to",
        ),
        "reconnect": Verb(
            kinds=("postgres", "redis", "rabbitmq"),
            doc="End connections that are stuck, or hold others up, so that their clients connect anew.",
            params=params(
                at_most=Param(shape="count", default=5, doc="connections ended at once"),
                older=Param(shape="duration", default=60.0, doc="only those that have been so for this long"),
                active=Param(
                    shape="flag",
                    default=False,
                    kinds=("postgres",),
                    doc="true: also those that run a statement and hold others up; else only idle ones",
                ),
                cancel=Param(
                    shape="flag",
                    default=False,
                    kinds=("postgres",),
                    doc="true: cancel the statement first, and end the session only where that does not help",
                ),
                user=Param(shape="string", kinds=("redis", "rabbitmq"), doc="only those of this user"),
                client=Param(
                    shape="string", kinds=("redis", "rabbitmq"), doc="only those whose client calls itself so (* and ?)"
                ),
            ),
        ),
        "clear_cache": Verb(
            kinds=("file", "redis", "rabbitmq", "http"),
            doc="Throw away what can be made again, within what was declared and within bounds.",
            frees=True,
            needs={"file": "clear", "http": "purge"},
            params=params(
                prefix=Param(
                    shape="string", doc="keys that begin so; may be left out where one is declared", kinds=("redis",)
                ),
                flush=Param(
                    shape="word", words=("db",), doc="the whole database, where that is declared", kinds=("redis",)
                ),
                queue=Param(shape="string", doc="a queue that was declared by its full name", kinds=("rabbitmq",)),
                page_cache=Param(
                    shape="word",
                    words=("file", "host"),
                    doc="what the kernel keeps in memory instead: of this file, or of every file of the host",
                    kinds=("file",),
                ),
                most_bytes=Param(shape="size", doc="at most so much is thrown away"),
                most=Param(shape="count", doc="at most so many pieces are thrown away"),
            ),
        ),
        "failover": Verb(
            kinds=("haproxy", "postgres", "redis"),
            doc="Let another one take over: route away from a server, promote a standby or a replica.",
            params=params(
                ready=Param(
                    shape="flag", default=False, doc="the way back: send it requests again", kinds=("haproxy",)
                ),
                max_lag=Param(
                    shape="size",
                    default=16777216,
                    kinds=("postgres", "redis"),
                    doc="bytes a standby may have received and not replayed when it is promoted",
                ),
                split_brain=Param(
                    shape="flag",
                    default=False,
                    kinds=("postgres", "redis"),
                    doc="true: promote even when the primary answers, or nobody knows where it is: something fences it",
                ),
                back=_BACK,
            ),
            disruptive=True,
        ),
        "adjust": Verb(
            kinds=("unit", "container", "program", "process", "haproxy", "redis", "postgres"),
            doc="Change how much it may use or gets; put back when the incident is over.",
            params=params(
                cpu=Param(shape="change", doc="CPU it may use, of one core", kinds=("unit", "container", "program")),
                memory=Param(shape="change", doc="memory it may use", kinds=("unit", "container", "redis")),
                weight=Param(
                    shape="change",
                    doc="its share among equals",
                    kinds=("unit", "container", "program", "process", "haproxy"),
                ),
                memory_high=Param(
                    shape="change", doc="memory above which it is slowed down", kinds=("unit", "program")
                ),
                oom=Param(
                    shape="change",
                    doc="how soon it is ended when memory is short, -500 to 1000",
                    kinds=("program", "process"),
                ),
                io_weight=Param(shape="change", doc="its share of storage among equals", kinds=("unit",)),
                tasks=Param(shape="change", doc="processes and threads it may have", kinds=("unit", "container")),
                setting=Param(shape="string", doc="a number of its configuration, declared", kinds=("postgres",)),
                value=Param(shape="change", doc="what to: 64MiB, 30000, +20%, -1", kinds=("postgres",)),
                back=_BACK,
            ),
        ),
        "sql": Verb(
            kinds=("postgres", "sql"),
            doc="Run statements on a declared database, in one transaction.",
            params=params(
                statements=Param(shape="strings", required=True, doc="the statements, with %(name)s for values"),
                values=Param(
                    shape="mapping",
                    slots=True,
                    doc="values of the names, as {event.NAME} too; never put together with the statements",
                ),
                at_most=Param(shape="count", default=100, doc="rows they may change; more, and nothing is changed"),
            ),
            short="statements",
        ),
        "update": Verb(
            kinds=("postgres", "sql"),
            doc="Set a declared column of a database.",
            params=params(
                table=Param(shape="string", required=True, doc="table, with its schema where it needs one"),
                set=Param(shape="mapping", required=True, slots=True, doc="columns and their new values"),
                where=Param(
                    shape="mapping", required=True, slots=True, doc="columns and the values that tell the rows"
                ),
                at_most=Param(shape="count", default=1, doc="rows it may change; more, and nothing is changed"),
            ),
        ),
        "quarantine": Verb(
            kinds=("haproxy", "container", "program", "process", "file"),
            doc="Keep it from doing harm and keep it for study: nothing is routed to it, and nothing of it is lost.",
            needs={"file": "aside"},
            params=params(
                back=_BACK,
            ),
            disruptive=True,
        ),
        "repair": Verb(
            kinds=("file",),
            doc="Mend what can be mended by a way that was declared, and keep what was there before.",
            needs={"file": "repair"},
            params=params(),
            disruptive=True,
        ),
    }
)
"""By the name used in rules."""
