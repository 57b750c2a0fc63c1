"""What the agent can do, declared as data: the verbs, the kinds they touch and the parameters they take."""

from collections.abc import Mapping
from types import MappingProxyType

from healer.errors import ConfigError
from healer.model import systems
from healer.model.decision import QUIET_VERBS
from healer.model.verb import Param, Verb, params

SIGNALS: tuple[str, ...] = (
    "HUP",
    "INT",
    "QUIT",
    "KILL",
    "USR1",
    "USR2",
    "ALRM",
    "TERM",
    "CONT",
    "STOP",
    "TSTP",
    "TTIN",
    "TTOU",
    "URG",
    "WINCH",
)
"""Names accepted where a signal is asked for, without ``SIG``."""


_GRACE = Param(shape="duration", doc="from the stop signal to KILL; else the target's own grace")


_verbs: dict[str, Verb] = {
    "restart": Verb(
        kinds=("program", "container", "unit"),
        doc="Stop it (stop signal, grace, KILL of the whole tree) and start it; a dead one is only started.",
        params=params(grace=_GRACE),
        short="grace",
        disruptive=True,
    ),
    "start": Verb(
        kinds=("program", "container", "unit"),
        doc="Start the target; one that runs already is left alone.",
        params=params(),
        undo="stop",
    ),
    "stop": Verb(
        kinds=("program", "container", "unit", "process"),
        doc="Stop the target: stop signal, grace, then KILL of its whole tree; not wanted until it is started.",
        params=params(grace=_GRACE),
        short="grace",
        disruptive=True,
        undo="start",
    ),
    "signal": Verb(
        kinds=("program", "process"),
        doc="Send one signal to the target's main process, through a pidfd.",
        params=params(
            signal=Param(shape="word", words=SIGNALS, required=True, doc="name without SIG"),
        ),
        short="signal",
    ),
    "run": Verb(
        kinds=("*",),
        doc="Run a command: argv without a shell, clean environment, own cgroup where possible, output capped.",
        params=params(
            argv=Param(
                shape="argv",
                required=True,
                doc="the command; a whole argument may be {target}, {name}, {kind}, {rule} or {intent}",
            ),
            env=Param(shape="mapping", doc="variables added to the clean environment"),
            user=Param(shape="string", doc="account to run as; else the agent's own"),
            cwd=Param(shape="string", default="/", doc="working directory"),
            grace=Param(shape="duration", default=2.0, doc="from TERM to KILL when the timeout is over"),
            ok=Param(shape="counts", default=(0,), doc="exit codes that mean done"),
            permanent=Param(shape="counts", default=(78,), doc="exit codes that no later try can cure"),
            ambiguous=Param(shape="counts", default=(), doc="exit codes after which nobody can tell"),
            max_output=Param(shape="size", default=65536, doc="output kept; all of it is hashed"),
            keep_daemons=Param(
                shape="flag", default=True, doc="leave a daemon it started alone, when it ends by itself"
            ),
            idempotent=Param(shape="flag", default=False, doc="a run cut short may be repeated"),
            unit=Param(
                shape="flag", default=False, doc="in a unit of systemd of its own: with it ends all that it started"
            ),
        ),
        short="argv",
        needs_target=False,
    ),
    "call": Verb(
        kinds=("*",),
        doc="Send one HTTP request.",
        params=params(
            url=Param(shape="string", required=True, doc="http or https; no secrets in it"),
            method=Param(
                shape="word",
                words=("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"),
                default="POST",
                doc="method",
            ),
            headers=Param(shape="mapping", doc="headers; a secret is {credential: NAME} or {file: PATH}"),
            body=Param(shape="string", doc="sent as it is"),
            json=Param(shape="mapping", doc="sent as JSON"),
            ok=Param(shape="counts", default=(), doc="statuses that mean done; else any 2xx"),
        ),
        short="url",
        needs_target=False,
    ),
    "notify": Verb(
        kinds=("*",),
        doc="Tell people through a channel of notify: in organism.yaml.",
        params=params(
            channel=Param(shape="string", default="journal", doc="a channel's name"),
            message=Param(shape="string", doc="one sentence; else the reason of the decision"),
            severity=Param(shape="word", words=("info", "warning", "critical"), default="warning", doc="how loud"),
        ),
        short="channel",
        needs_target=False,
    ),
    "capture": Verb(
        kinds=("program", "process", "container", "unit"),
        doc="Keep evidence: last output, process facts, pressure, descriptors, sockets; its hash is sealed.",
        params=params(
            max_size=Param(shape="size", default=1048576, doc="largest piece of evidence kept"),
        ),
    ),
    "wait": Verb(
        kinds=("*",),
        doc="Wait, so that the next step judges what has settled.",
        params=params(**{"for": Param(shape="duration", required=True, doc="how long")}),
        short="for",
        needs_target=False,
    ),
    "set_mode": Verb(
        kinds=("*",),
        doc="Lower the mode of the agent, an organ, a rule or a target (raising it is a change of configuration).",
        params=params(
            mode=Param(
                shape="word", words=("off", "observe", "suggest", "approve", "auto"), required=True, doc="new mode"
            ),
            subject=Param(
                shape="string", default="", doc="agent, organ:NAME, rule:ID or a target; else the target acted on"
            ),
        ),
        short="mode",
        needs_target=False,
    ),
    "publish": Verb(
        kinds=("*",),
        doc="Put an event on the bus.",
        params=params(
            topic=Param(shape="string", required=True, doc="dotted topic"),
            data=Param(shape="mapping", doc="what goes with it"),
        ),
        short="topic",
        needs_target=False,
    ),
    **systems.VERBS,
}
VERBS: Mapping[str, Verb] = MappingProxyType(_verbs)
"""Every verb by the name used in rules."""


def risky(verb: str) -> bool:
    """Whether witnesses should see an intent at once: it takes something away, or nothing undoes what it does.

    `run` and `call` may touch more than their target, and nobody can tell: nothing undoes them here. Verbs that change
    no target are left out.
    """
    known = VERBS.get(verb)
    return verb not in QUIET_VERBS and (known is None or known.disruptive or not known.undo)


def learn(name: str, verb: Verb) -> None:
    """Take up a plug-in's verb; raises ConfigError for one there is."""
    if name in _verbs:
        raise ConfigError(f"there is a verb {name} already")
    _verbs[name] = verb


def forget(name: str) -> None:
    """Undo `learn`."""
    del _verbs[name]
