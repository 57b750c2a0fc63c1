"""What the core hears: facts about the agent itself, and words on the bus that rules wait for."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from healer.core.acting import sealable
from healer.core.listening import Listening
from healer.errors import RefusedError
from healer.model.event import Happened
from healer.model.mode import Profile

if TYPE_CHECKING:
    from healer.core.core import Core

OURS = frozenset(
    {
        "action", "agent", "alert", "approval", "audit", "breaker", "clock", "evidence", "harmony", "incident",
        "maintenance", "mode", "profile", "request", "rule", "rules", "state", "target",
    }
)  # fmt: skip
"""First words of the topics that only the agent itself publishes: whoever listens to them believes them."""
_TOPIC = re.compile(r"[a-z_][a-z0-9_-]*(\.[a-z_][a-z0-9_-]*)*", re.IGNORECASE | re.ASCII)
LONGEST = 200
_TOLD = frozenset({"id", "severity", "lines", "thread", "about"})
"""What an alert says besides its message and whom it is for."""


def check_topic(topic: object) -> str:
    """A topic as others may use it; raises RefusedError."""
    if not isinstance(topic, str) or len(topic) > LONGEST or not _TOPIC.fullmatch(topic):
        raise RefusedError(f"{str(topic)[:60]!r} is no topic", hint="dotted words, such as user.login")
    if topic.partition(".")[0].lower() in OURS:
        raise RefusedError(f"only the agent itself says {topic!r}", hint=f"not: {', '.join(sorted(OURS))}")
    return topic


def check_data(data: object) -> dict[str, Any]:
    """What goes with a topic, fit for the log; raises RefusedError where it is no object."""
    if data is None:
        return {}
    made = sealable(data) if isinstance(data, Mapping) else None
    if not isinstance(made, dict):
        raise RefusedError("the data of an event are no object", hint='{"name": "value"}')
    return made


class Hearing:
    """The part of the core that listens."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self.rules = Listening(core)
        self._facts: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "kill-switch": lambda data: core.kill_switch(
                on=bool(data.get("on")), because=str(data.get("because", "the file"))
            ),
            "safe-mode": lambda data: core.too_many(str(data.get("because") or "somebody asked for it")),
            "profile": lambda data: self._profile(str(data["profile"]), str(data["because"])),
            "lifecycle": lambda data: core.desk.note("lifecycle", "agent.lifecycle", **data),
            "rules": lambda data: core.desk.note("rules", "rules.loaded", **data),
            "heartbeat": lambda data: core.desk.note("heartbeat", "", **data),
            "evidence": lambda data: core.desk.note("evidence", "evidence.kept", **data),
            "let-go": lambda data: core.proving.let_go(data["targets"], str(data["because"])),
            "alert": lambda data: core.acting.tell(
                str(data["message"]),
                channel=str(data.get("channel", "")),
                incident=str(data.get("incident", "agent")),
                more={name: value for name, value in data.items() if name in _TOLD},
            ),
            "contradicted": lambda data: core.desk.note("gap", "agent.contradicted", **data),
            "witnesses": lambda data: core.incidents.witnesses_are_back() if data["reached"] else None,
            # The bus has carried it already: it becomes an entry, and is not told twice.
            "seal": lambda data: core.desk.note(
                "event", "", type=str(data["type"]), data=check_data(data["data"]), who=str(data["who"])
            ),
        }

    def heard(self, event: Happened) -> None:
        """Take a fact about the agent itself, or (topic ``event``) a word that goes on the bus."""
        if event.topic == "event":
            self.say(str(event.data["topic"]), check_data(event.data.get("data")), own=event.own)
        elif fact := self._facts.get(event.topic):
            fact(event.data)

    def say(self, topic: str, data: Mapping[str, Any], *, own: bool) -> int:
        """Put a word on the bus; returns how many incidents it opened. What is our own is heard by `Listening.echo`."""
        self._core.desk.publish(topic, **data)
        return 0 if own else self.rules.wake(topic, data)

    def _profile(self, word: str, because: str) -> None:
        """Enter a profile by ourselves, or return to the configured one (an empty word). Maintenance is not left so."""
        desk, configured = self._core.desk, self._core.setup.profile
        self._core.ages.stretch(small=Profile.ECONOMY in {configured, Profile(word) if word else configured})
        profile = Profile(word) if word and configured is not Profile.MAINTENANCE else configured
        if profile is not desk.profile:
            desk.profile = profile
            desk.note("mode", "profile.changed", scope="profile", mode=profile.value, who="agent", because=because)
