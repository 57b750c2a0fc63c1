"""The configuration as values: what the rest of the agent is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from healer.config.channel import JOURNAL, Channel
from healer.model.anatomy import DEFAULT_VITALS
from healer.model.limit import Brakes
from healer.model.mode import Mode, Profile
from healer.model.organism import ORGANS, Vital
from healer.model.target import EMPTY, Target
from healer.yamldoc.secret import Secret

EVENTS = ("health.check.*", "security.*", "user.*", "service.*", "system.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Where rules come from, and how far one may go that does not say."""

    files: tuple[str, ...] | None = None
    """Paths and patterns, relative to ``base``; None: the shipped rules. Empty: no rules, on purpose."""
    base: Path = field(default_factory=Path)
    default_mode: Mode = Mode.OBSERVE
    modes: Mapping[str, Mode] = field(default_factory=lambda: EMPTY)
    """By id or pattern, how far single rules may go that do not say."""
    place: str = "rules.files"
    """Where ``files`` was written, for messages."""
    modes_place: str = "rules.modes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Organ:
    """What the configuration says about one organ."""

    weight: float = 1.0
    mode: Mode = Mode.AUTO
    concurrent: int = 0
    """Actions for it that may be under way at once; 0: the host's own bound alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """Whether containers become targets by their own labels, and how far those may go."""

    discover: bool = False
    every: float = 30.0
    """Seconds between two lists; starts and removals are heard of at once."""
    mode: Mode = Mode.OBSERVE
    """The ceiling: a label may be stricter, and never less strict."""
    most: int = 100
    """Containers taken up; the rest is left out, and that is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensors:
    """How often the agent looks where no target says so. Seconds."""

    host_every: float = 2.0
    host_slow_every: float = 30.0
    """Disks, temperatures, users: what costs more and changes less."""
    self_every: float = 5.0
    docker: Discovery = field(default_factory=Discovery)


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmony:
    """When harmony is checked, and what follows. Seconds, and points of 100."""

    every: float = 30.0
    warn: float = 80.0
    balance: float = 70.0
    recovered: float = 85.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long the log keeps what happened."""

    keep: float
    """Seconds, a day or more."""
    archive: str = ""
    """Folder; empty: ``archive`` in the state folder."""
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A program that holds the sealing key."""

    command: tuple[str, ...]
    public: str
    """File with the public key that checks what it signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """How the log's witnesses are asked. Seconds."""

    every: float = 1.0
    """At most so often while blocks are sealed; what is risky does not wait for its turn."""
    timeout: float = 2.0
    """A question that nobody answered is given up after this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timestamps:
    """An authority that dates the log (RFC 3161)."""

    url: str
    roots: str
    """File with the certificates its answers must lead to, PEM."""
    every: float = 3600.0
    """Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The sealed log. Seconds."""

    anchor: tuple[str, ...] = ()
    """Further places (files) for a copy of the last head."""
    events: tuple[str, ...] = EVENTS
    """Topics (globs) of the bus that are sealed by themselves."""
    conceal: tuple[str, ...] = ()
    """Dotted paths (globs) of texts that are sealed as commitments."""
    retention: Retention | None = None
    """None: nothing is ever pruned."""
    postgres: str = ""
    """File with the connection string of the log's PostgreSQL; empty: the log is ``audit.db``."""
    rsa_later: bool = False
    """Whether a block counts as sealed with the ratchet's signature, RSA's following within 100 ms."""
    signer: Signer | None = None
    """None: the key is one that systemd lends, or the one in the state folder."""
    passphrase: Secret | None = None
    """What opens that key where it is encrypted."""
    policy: str = ""
    """File (c2sp.org/tlog-policy) that names the log's witnesses, where they are and how many are enough."""
    witness: Witness = field(default_factory=Witness)
    timestamps: Timestamps | None = None
    """None: nobody dates the log."""
    verify_every: float = 300.0
    heartbeat: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """What can be rebuilt: history and snapshots. Seconds."""

    keep: float = 30 * 86400.0
    """Every sample."""
    keep_5m: float = 90 * 86400.0
    """Least, greatest, mean, last and number of each five minutes."""
    keep_1h: float = 400 * 86400.0
    sample_every: float = 10.0
    snapshot_every: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """Where the agent listens."""

    socket: str = ""
    """Path; empty: /run/healer/healer.sock where that folder is ours, else healer.sock in the state folder."""
    tcp: str = ""
    """``127.0.0.1:8080`` or ``[::1]:8080``; empty: no port at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything an operator can set. Made by `healer.config.load_config` only."""

    node: str
    """What this host is called in the log and in messages."""
    mode: Mode = Mode.AUTO
    """The ceiling for everything."""
    profile: Profile = Profile.FULL
    rules: Rules = field(default_factory=Rules)
    plugins: tuple[str, ...] = ()
    """Paths of files and folders, or ``installed``: what `healer.config.plugins` has taken up."""
    organs: Mapping[str, Organ] = field(default_factory=lambda: dict.fromkeys(ORGANS, Organ()))
    vitals: tuple[Vital, ...] = DEFAULT_VITALS
    """The default ones with what ``organs:`` changes, adds and (weight 0) leaves out."""
    sensors: Sensors = field(default_factory=Sensors)
    targets: tuple[Target, ...] = ()
    """All of them; programs (kind ``program``) come first."""
    limits: Brakes = field(default_factory=Brakes)
    reflect_every: float = 60.0
    harmony: Harmony = field(default_factory=Harmony)
    audit: Audit = field(default_factory=Audit)
    store: Store = field(default_factory=Store)
    api: Api = field(default_factory=Api)
    notify: Mapping[str, Channel] = field(default_factory=lambda: {"journal": JOURNAL})
    """Channels by name; ``journal`` is always there."""
    source: str = ""
    """The file it came from; empty for a mapping."""
    hash: str = ""
    """SHA-256 (hex) over the file's octets, or the mapping, and the overlay."""

    @property
    def programs(self) -> tuple[Target, ...]:
        """The targets that the agent runs itself."""
        return tuple(target for target in self.targets if target.kind == "program")

    def target(self, target_id: str) -> Target | None:
        """The target of that id."""
        return next((target for target in self.targets if target.id == target_id), None)
