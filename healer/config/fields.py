"""Every key of organism.yaml, declared once: the loader, the JSON Schema and the reference are made of this."""

from collections.abc import Callable

from audit import commitments
from healer.config import plugins, rates
from healer.config.channels import CHANNEL
from healer.config.sensing import SENSORS, seconds
from healer.config.targets import PROGRAM, TARGET
from healer.config.values import EVENTS, Retention, Signer, Timestamps, Witness
from healer.config.words import ARGV, MODES, PATH, URL, address
from healer.errors import HealerError
from healer.model.limit import Brakes, Budget
from healer.model.mode import Profile
from healer.model.organism import ORGANS
from healer.model.target import EMPTY
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import Node, Scalar
from healer.yamldoc.parsers import NAME, Count, Duration, Flag, Number, Ratio, Size, Text, Version, Word
from healer.yamldoc.secret import SecretRef
from healer.yamldoc.shape import Bad, Field, ListOf, MapOf, Mistake, Record, Schema, Shape, Values

Check = Callable[[str], object]
"""Raises HealerError (with ``offset`` where it has one) for a text that is no expression."""


class Expression(Shape):
    """A numeric expression over metrics; the language lives elsewhere, and is handed in."""

    says = "an expression such as max(disk.used)"

    def __init__(self, check: Check | None) -> None:
        self._check = check

    def read(self, node: Node, problems: Problems) -> str:
        """The text, checked."""
        if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value.strip():
            raise self.wrong(node, problems)
        try:
            if self._check:
                self._check(node.value)
        except HealerError as exc:
            problems.add(node.at(getattr(exc, "offset", 0)), exc.message, exc.hint)
            raise Bad from exc
        return node.value

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string", "minLength": 1}


class Bound(Shape):
    """A number, or a ratio, duration or size with its unit."""

    says = "a number, 80%, 30s or 64MiB"

    def read(self, node: Node, problems: Problems) -> float:
        """The number in base units."""
        if isinstance(node, Scalar) and isinstance(node.value, str):
            for unit in (Ratio, Duration, Size):
                try:
                    return unit.parse(node.value)
                except Mistake:
                    continue
            raise self.wrong(node, problems)
        return Number().read(node, problems)

    def schema(self) -> Schema:
        """A number or text."""
        return {"type": ["number", "string"]}


_RULES = Record(
    Field(
        name="files",
        shape=ListOf(Text(longest=1024), alone=True),
        doc="rule files and patterns, relative to this file; `shipped`: those that ship with the agent, as without it",
    ),
    Field(name="default_mode", shape=MODES, doc="how far a rule may go that does not say"),
    Field(
        name="modes",
        shape=MapOf(MODES, pattern=r"[A-Za-z0-9*?][A-Za-z0-9._*?-]{0,95}", named="rule"),
        default=EMPTY,
        doc="the same for single rules, by id or pattern: this switches a shipped rule on",
    ),
)
_B = Brakes()
_BUDGET = Record(
    Field(name="unavailable", shape=Count(0, 10_000), doc="members that may be away at once; 0: none that lives"),
    Field(name="percent", shape=Ratio(), doc="the same as a share of all members, rounded down; the smaller wins"),
    Field(name="min_available", shape=Count(0, 10_000), default=0, shown="0", doc="members that must stay available"),
    name="budget",
    build=lambda values, _: Budget(**values),
)
_LIMITS = Record(
    Field(
        name="actions_per_hour", shape=Count(0, 100_000), default=_B.actions_per_hour, shown="60", doc="on this host"
    ),
    Field(
        name="max_rate",
        shape=ListOf(Text(called="a rate such as 5/h, 20/d or restart=5/h", parse=rates.ceiling), alone=True),
        default=(),
        doc="on one target; rules that could do more, by the bounds `healer check` prints, do not load",
    ),
    Field(name="concurrent", shape=Count(1, 1000), default=_B.concurrent, shown="4", doc="actions at the same time"),
    Field(
        name="group_unavailable",
        shape=Count(1, 10_000),
        default=_B.group_unavailable,
        shown="1",
        doc="members of one group that may be away or under treatment at once",
    ),
    Field(
        name="group_unavailable_percent",
        shape=Ratio(),
        default=_B.group_unavailable_percent,
        shown="50%",
        doc="the same as a share, rounded down; the smaller bound wins, but never below one member",
    ),
    Field(
        name="groups",
        shape=MapOf(_BUDGET, pattern=NAME, named="group"),
        default=_B.groups,
        doc="budgets of single groups, in place of the two above",
    ),
    Field(name="breaker_backoff_after", shape=Count(1, 1000), default=2, shown="2", doc="failures until pauses begin"),
    Field(
        name="breaker_opens_after", shape=Count(1, 1000), default=5, shown="5", doc="failures until nothing is tried"
    ),
    seconds("breaker_healthy_for", _B.breaker_healthy_for, "1h", "health that closes an open breaker", 1.0),
    Field(name="mass_failure_count", shape=Count(2, 10_000), default=3, shown="3", doc="this many sick, and"),
    Field(name="mass_failure_ratio", shape=Ratio(0.01), default=0.5, shown="50%", doc="this share of a group sick"),
    seconds(
        "mass_failure_window", _B.mass_failure_window, "1m", "within this: then it is the agent that is wrong", 1.0
    ),
    Field(
        name="saturation_psi",
        shape=Ratio(0.05),
        default=_B.saturation_psi,
        shown="60%",
        doc="pressure (cpu, memory or io) above which nothing is restarted",
    ),
    Field(
        name="errors_until_skipped",
        shape=Count(1, 1000),
        default=_B.errors_until_skipped,
        shown="5",
        doc="errors in a row of one verb on one kind of target, after which it is skipped",
    ),
    seconds("errors_retried_after", _B.errors_retried_after, "5m", "pause until one more is tried", 1.0),
    build=lambda values, _: Brakes(**values),
)
_REFLECT = Record(seconds("every", 60.0, "60s", "how often the agent assesses itself and the host", 1.0))


def _harmony(values: Values, problems: Problems) -> Values:
    if not values["balance"] < values["warn"] <= values["recovered"]:
        problems.add(values.mark, "these thresholds are out of order", "balance < warn <= recovered")
        raise Bad
    return values


_HARMONY = Record(
    seconds("every", 30.0, "30s", "how often harmony is checked", 1.0),
    Field(name="warn", shape=Number(1, 100), default=80.0, shown="80", doc="below: a warning"),
    Field(
        name="balance", shape=Number(1, 100), default=70.0, shown="70", doc="below: the balancing rules are evaluated"
    ),
    Field(name="recovered", shape=Number(1, 100), default=85.0, shown="85", doc="from here on all is well again"),
    build=_harmony,
)


def _concealable(glob: str) -> str:
    if not commitments.may_conceal(glob):
        raise Mistake(
            f"{glob.partition('.')[0]} is never concealed", "what orders and joins entries, and what is acted on, stays"
        )
    return glob


_RETENTION = Record(
    Field(
        name="keep",
        shape=Duration(86400.0, 100 * 366 * 86400.0),
        required=True,
        doc="the log keeps what happened this long, a day or more; older entries go into an archive",
    ),
    Field(name="archive", shape=PATH, default="", doc="folder for archives; else `archive` in the state folder"),
    Field(name="because", shape=Text(longest=1024), default="", doc="the policy's name or number: sealed each time"),
    name="retention",
    build=lambda values, _: Retention(**values),
)
_POSTGRES = Record(
    Field(
        name="dsn_file", shape=PATH, required=True, doc="file (mode 0600) with a connection string; no secrets in here"
    ),
    name="postgres",
    build=lambda values, _: values["dsn_file"],
)


def _log(values: Values, problems: Problems) -> Values:
    if values["retention"] is not None and (values["store"] or {}).get("postgres"):
        problems.add(
            values.where("retention"), "a log in PostgreSQL is not pruned", "docs/retention.md says what to do"
        )
        raise Bad
    if values["rsa_later"] and (values["store"] or {}).get("postgres"):
        problems.add(
            values.where("rsa_later"), "a log in PostgreSQL takes no block without its RSA signature", "leave it out"
        )
        raise Bad
    return values


_SIGNER = Record(
    Field(name="command", shape=ARGV, required=True, doc="the program, no shell: signs what it reads, line by line"),
    Field(name="public", shape=PATH, required=True, doc="file with its public key: each signature is checked with it"),
    name="signer",
    build=lambda values, _: Signer(**values),
)
_WITNESS = Record(
    seconds("every", 1.0, "1s", "at most so often while blocks are sealed; before what is risky, at once"),
    seconds("timeout", 2.0, "2s", "a question that nobody answered is given up after this"),
    name="witness",
    build=lambda values, _: Witness(**values),
)
_TIMESTAMPS = Record(
    Field(name="url", shape=URL, required=True, doc="the authority's address; no secrets in it"),
    Field(name="roots", shape=PATH, required=True, doc="file with the certificates its answers lead to, PEM"),
    seconds("every", 3600.0, "1h", "how often the newest checkpoint is stamped", 1.0),
    name="timestamps",
    build=lambda values, _: Timestamps(**values),
)
_AUDIT = Record(
    Field(name="anchor", shape=ListOf(PATH, alone=True), default=(), doc="further files for a copy of the log's head"),
    Field(
        name="events",
        shape=ListOf(Text(longest=256), alone=True),
        default=EVENTS,
        shown=f"[{', '.join(EVENTS)}]",
        doc="topics of the bus that are sealed by themselves; * matches",
    ),
    Field(
        name="conceal",
        shape=ListOf(Text(longest=256, parse=_concealable), alone=True),
        default=(),
        doc="texts of entries, as dotted paths such as output or data.user (* matches), that are sealed as salted "
        "hashes and kept in private.db, where they can be erased",
    ),
    Field(name="retention", shape=_RETENTION, doc="a written policy; without one nothing is ever pruned"),
    Field(
        name="store",
        shape=Record(Field(name="postgres", shape=_POSTGRES, doc="in PostgreSQL"), build=lambda values, _: values),
        doc="where the log is kept; without it, in audit.db",
    ),
    Field(
        name="rsa_later",
        shape=Flag(),
        default=False,
        shown="false",
        doc="true: faster; RSA's signature follows the ratchet's within 100 ms, and until then a block is not proven",
    ),
    Field(name="signer", shape=_SIGNER, doc="a program that holds the sealing key, in a TPM for example"),
    Field(
        name="passphrase",
        shape=SecretRef(),
        doc="opens keys/seal.pem where it is encrypted; else the credential healer-seal-passphrase",
    ),
    Field(
        name="policy",
        shape=PATH,
        default="",
        doc="file that names the log's witnesses, where they are and how many are enough (c2sp.org/tlog-policy)",
    ),
    Field(name="witness", shape=_WITNESS, default=Witness(), doc="how they are asked"),
    Field(name="timestamps", shape=_TIMESTAMPS, doc="an authority that dates the log (RFC 3161)"),
    seconds("verify_every", 300.0, "5m", "how often the agent verifies its own log", 1.0),
    seconds("heartbeat", 60.0, "1m", "how often a sign of life is sealed", 1.0),
    build=_log,
)
_STORE = Record(
    seconds("keep", 30 * 86400.0, "30d", "how long history is kept, every sample of it", 60.0),
    seconds("keep_5m", 90 * 86400.0, "90d", "how long what is left of five minutes of it is kept", 60.0),
    seconds("keep_1h", 400 * 86400.0, "400d", "how long what is left of an hour of it is kept", 60.0),
    seconds("sample_every", 10.0, "10s", "how often a value is written to history", 1.0),
    seconds("snapshot_every", 60.0, "1m", "how often the memory is written down for a fast start", 1.0),
)


def _loopback(text: str) -> str:
    host = address(text).rpartition(":")[0].strip("[]")
    if host not in {"127.0.0.1", "::1", "localhost"}:
        raise Mistake(
            f"{host} is not loopback", "ports beyond loopback need TLS and tokens, which this agent has not yet"
        )
    return text


_API = Record(
    Field(
        name="socket", shape=PATH, default="", doc="Unix socket; else /run/healer/healer.sock, or in the state folder"
    ),
    Field(name="tcp", shape=Text(called="host:port", parse=_loopback), default="", doc="a port on loopback as well"),
)


def _plugin(text: str) -> str:
    if text != plugins.INSTALLED and not text.startswith("/"):
        raise Mistake(f"'{text[:60]}' is no plug-in", "an absolute path of a file or folder, or: installed")
    return text


_PLUGIN = Text(called="a path, or: installed", parse=_plugin)


def _organ(check: Check | None) -> Record:
    vital = Record(
        Field(
            name="value", shape=Expression(check), doc="an expression over metrics; required unless it is a default one"
        ),
        Field(name="healthy", shape=Bound(), doc="at this value and better, score 100"),
        Field(name="critical", shape=Bound(), doc="at this value and worse, score 1"),
        Field(name="weight", shape=Number(0, 1000), doc="0 leaves a default vital out"),
        name="vital",
        build=lambda values, _: values,
    )
    return Record(
        Field(name="weight", shape=Number(0.001, 1000), default=1.0, shown="1", doc="its weight in harmony"),
        Field(name="mode", shape=MODES, doc="ceiling for actions on its targets"),
        Field(
            name="concurrent",
            shape=Count(1, 1000),
            default=0,
            doc="actions for it that may be under way at once; else the host's bound alone",
        ),
        Field(
            name="vitals",
            shape=MapOf(vital, pattern=r"[a-z][a-z0-9_]{0,31}", named="vital"),
            default=EMPTY,
            doc="vitals",
        ),
        name="organ",
    )


def document(check: Check | None = None) -> Record:
    """The whole of organism.yaml."""
    profiles = Word((profile.value for profile in Profile), means=Profile)
    return Record(
        Field(name="version", shape=Version(), required=True, doc="write version: 1"),
        Field(name="node", shape=Text(pattern=NAME, called="a name"), doc="name of this host; else its host name"),
        Field(name="mode", shape=MODES, doc="ceiling for everything"),
        Field(name="profile", shape=profiles, default=Profile.FULL, shown="full", doc="what the agent runs of itself"),
        Field(name="rules", shape=_RULES, doc="where rules come from"),
        Field(
            name="plugins",
            shape=ListOf(_PLUGIN),
            default=(),
            doc="plug-ins: files or folders of root's; or `installed`, for what installed distributions offer",
        ),
        Field(name="organs", shape=MapOf(_organ(check), keys=ORGANS, named="organ"), default=EMPTY, doc="organs"),
        Field(name="sensors", shape=SENSORS, doc="how often the agent looks"),
        Field(name="targets", shape=ListOf(TARGET), default=(), doc="what is looked after"),
        Field(name="programs", shape=ListOf(PROGRAM), default=(), doc="what the agent runs itself"),
        Field(name="limits", shape=_LIMITS, default=_B, doc="ceilings for the whole host"),
        Field(name="reflect", shape=_REFLECT, doc="self-assessment"),
        Field(name="harmony", shape=_HARMONY, doc="the whole organism's score"),
        Field(name="audit", shape=_AUDIT, doc="the sealed log"),
        Field(name="store", shape=_STORE, doc="what can be rebuilt"),
        Field(name="api", shape=_API, doc="where the agent listens"),
        Field(
            name="notify",
            shape=MapOf(CHANNEL, pattern=NAME, named="channel"),
            default=EMPTY,
            doc="ways to tell people",
        ),
        name="organism",
    )
