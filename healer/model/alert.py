"""What people are told: troubles, who wants to hear of which, and the messages made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

SEVERITIES: tuple[str, ...] = ("info", "warning", "critical")
"""From the quietest to the loudest."""

ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "failure": "a target is down, in fault, or was given up",
        "degradation": "an organ is not well, a target does not answer or is slow, the agent is not as configured",
        "exhaustion": "disk, memory, connections or days of a certificate run out",
        "log": "the sealed log does not verify, takes no entries, or was rolled back",
        "harmony": "the whole organism fell below a threshold",
        "brakes": "safe mode, or the kill switch",
        "sight": "a sensor cannot look, a driver lost what it talks to, a channel delivers nothing",
    }
)
"""The kinds of trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one channel wants to hear of, and when. Seconds."""

    least: str = "warning"
    """The quietest severity it hears."""
    about: tuple[str, ...] = tuple(ABOUT)
    wait: float = 10.0
    """What comes within this goes out as one message; what is over within it is not told at all."""
    repeat: float = 4 * 3600.0
    """What is open and not acknowledged is told again this often; 0: never."""
    after: float = 0.0
    """Only what has been open, and not acknowledged, for this long: the channel is an escalation."""
    resolved: bool = True
    """Whether the end of what was told is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that is wrong now. While it goes on, its key stays."""

    key: str
    about: str
    severity: str
    says: str
    """One sentence; it begins with what it is about."""
    target: str = ""
    """Id of the target, where it is one."""
    settle: float = 0.0
    """Seconds it has to last before anybody hears of it: what flutters is no trouble yet."""
    unsealed: bool = False
    """It is told past the log, because the log, or the kill switch, would keep it from being told at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one channel is told at one time."""

    id: str
    """Unique; the same for every copy of it, so that a receiver may see a second one for what it is."""
    severity: str
    says: str
    """One line."""
    lines: tuple[str, ...] = ()
    """The particulars, most important first."""
    thread: tuple[str, ...] = ()
    """Ids of the messages it goes on from."""
    facts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Names and values for programs: target, rule, incident, intent."""

    @property
    def text(self) -> str:
        """All of it, as plain text."""
        return "\n".join((self.says, *self.lines))


def louder(one: str, other: str) -> bool:
    """Whether a severity is above another."""
    return SEVERITIES.index(one) > SEVERITIES.index(other)
