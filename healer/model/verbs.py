"""What the agent can do, declared as data: the verbs, the kinds they touch and the parameters they take."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from healer.model.decision import QUIET_VERBS

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One parameter of a verb, as written in YAML."""

    shape: str
    """``string``, ``duration`` (seconds after loading), ``size`` (bytes after loading), ``count``, ``flag``, ``argv``
    (one or more strings), ``strings``, ``counts``, ``mapping`` (string to scalar) or ``word`` (one of ``words``)."""
    doc: str
    required: bool = False
    default: Any = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One thing the agent can do."""

    kinds: tuple[str, ...]
    """Kinds of target it can touch; ``("*",)`` for any, or none."""
    doc: str
    params: Mapping[str, Param]
    short: str = ""
    """The parameter that ``verb: SCALAR`` (or ``verb: [LIST]`` for an argv) fills."""
    disruptive: bool = False
    """It makes the target unavailable for a moment: saturation, group budgets and blast radius apply."""
    undo: str = ""
    """The verb that undoes it; empty where nothing does."""
    needs_target: bool = True
    """False: a rule about the whole host may use it."""


_GRACE = Param(shape="duration", doc="from the stop signal to KILL; else the target's own grace")


def _params(**params: Param) -> Mapping[str, Param]:
    return MappingProxyType(params)


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "restart": Verb(
            kinds=("program", "container"),
            doc="Stop it (stop signal, grace, KILL of the whole tree) and start it; a dead one is only started.",
            params=_params(grace=_GRACE),
            short="grace",
            disruptive=True,
        ),
        "start": Verb(
            kinds=("program", "container"),
            doc="Start the target; one that runs already is left alone.",
            params=_params(),
            undo="stop",
        ),
        "stop": Verb(
            kinds=("program", "container", "process"),
            doc="Stop the target: stop signal, grace, then KILL of its whole tree; not wanted until it is started.",
            params=_params(grace=_GRACE),
            short="grace",
            disruptive=True,
            undo="start",
        ),
        "signal": Verb(
            kinds=("program", "process"),
            doc="Send one signal to the target's main process, through a pidfd.",
            params=_params(
                signal=Param(shape="word", words=SIGNALS, required=True, doc="name without SIG"),
            ),
            short="signal",
        ),
        "run": Verb(
            kinds=("*",),
            doc="Run a command: argv without a shell, clean environment, own cgroup where possible, output capped.",
            params=_params(
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
            ),
            short="argv",
            needs_target=False,
        ),
        "call": Verb(
            kinds=("*",),
            doc="Send one HTTP request.",
            params=_params(
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
            params=_params(
                channel=Param(shape="string", default="journal", doc="a channel's name"),
                message=Param(shape="string", doc="one sentence; else the reason of the decision"),
                severity=Param(shape="word", words=("info", "warning", "critical"), default="warning", doc="how loud"),
            ),
            short="channel",
            needs_target=False,
        ),
        "capture": Verb(
            kinds=("program", "process", "container"),
            doc="Keep evidence: last output, process facts, pressure, descriptors, sockets; its hash is sealed.",
            params=_params(
                max_size=Param(shape="size", default=1048576, doc="largest piece of evidence kept"),
            ),
        ),
        "wait": Verb(
            kinds=("*",),
            doc="Wait, so that the next step judges what has settled.",
            params=_params(**{"for": Param(shape="duration", required=True, doc="how long")}),
            short="for",
            needs_target=False,
        ),
        "set_mode": Verb(
            kinds=("*",),
            doc="Lower the mode of the agent, an organ, a rule or a target (raising it is a change of configuration).",
            params=_params(
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
            params=_params(
                topic=Param(shape="string", required=True, doc="dotted topic"),
                data=Param(shape="mapping", doc="what goes with it"),
            ),
            short="topic",
            needs_target=False,
        ),
    }
)
"""Every verb by the name used in rules."""


def risky(verb: str) -> bool:
    """Whether witnesses should see an intent at once: it takes something away, or nothing undoes what it does.

    `run` and `call` may touch more than their target, and nobody can tell: nothing undoes them here. Verbs that change
    no target are left out.
    """
    known = VERBS.get(verb)
    return verb not in QUIET_VERBS and (known is None or known.disruptive or not known.undo)
