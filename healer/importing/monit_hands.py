"""What Monit does about a service, as steps: start, stop and restart are commands of its own there."""

import re
from typing import Any

from healer.importing import hands
from healer.importing.harvest import Harvest
from healer.importing.monit_words import Words, said
from healer.yamldoc.mark import Mark

_INIT = re.compile(
    r"(?P<before>(?:\S*/)?systemctl (?:--\S+ )*)(?P<verb>start|stop)(?P<after> \S+)"
    r"|(?P<before2>(?:\S*/)?(?:service|invoke-rc\.d) \S+ |\S*/(?:init\.d|rc\.d)/\S+ )(?P<verb2>start|stop)"
)


class Hands:
    """The commands of one check, and the steps made of them."""

    def __init__(self, harvest: Harvest, name: str, kind: str) -> None:
        self._harvest = harvest
        self._name = name
        self._kind = kind
        self.commands: dict[str, tuple[list[str], dict[str, Any], str]] = {}

    def learn(self, statement: Words) -> None:
        """Take in ``start program``, ``stop program`` or ``restart program``."""
        quoted = next((word for word in statement if word.quoted), None)
        low = [word.low for word in statement]
        if quoted is None:
            self._harvest.left(statement[0].mark, said(statement), "it has no command in quotes")
            return
        argv, because = hands.argv(self._harvest, quoted.text, statement[0].mark, f"{self._name}-{low[0]}")
        extra: dict[str, Any] = {}
        if "uid" in low[:-1]:
            extra["user"] = statement[low.index("uid") + 1].text
        if "gid" in low:
            self._harvest.left(statement[0].mark, "gid", "a command runs with its user's own groups")
        timeout = statement[low.index("timeout") + 1].text if "timeout" in low[:-1] else ""
        self.commands[low[0]] = (argv, extra, f"{timeout}s" if timeout.isdecimal() and int(timeout) else "1m")
        if because:
            self._harvest.left(statement[0].mark, f"{low[0]} program", because)
        else:
            self._harvest.carried(statement[0].mark, f"{low[0]} program", "run: in the rules that need it")

    def steps(self, action: Words, when: str, target: str, statement: Words) -> tuple[list[Any], list[str]]:
        """The ladder for an action, and what it lacks."""
        word = action[0].low if action else ""
        tell = {"notify": {"message": f"{self._name}: {said(statement[1:], 160)}", "severity": "warning"}}
        if word == "alert":
            return [tell], []
        if word in {"restart", "start", "stop"}:
            return self._touch(word, when, statement[0].mark)
        if word == "exec":
            step = self.run(action)
            if any(one.low == "repeat" for one in action):
                self._harvest.left(action[0].mark, "repeat every", "an incident runs its ladder once here")
            return ([{**step, "verify": {"when": {"not": when}, "within": "1m"}}], []) if step else ([], ["its exec"])
        if word == "unmonitor":
            subject = {"subject": target} if target else {}
            self._harvest.changed(
                action[0].mark, "unmonitor", "nothing is done about it any more, and it goes on looking"
            )
            return [{"set_mode": {"mode": "observe", **subject}}, tell], []
        return [], [f"the action {said(action, 40)!r}"]

    def run(self, action: Words) -> dict[str, Any] | None:
        """What ``exec`` runs; None where it is not one command."""
        quoted = next((one for one in action if one.quoted), None)
        low = [one.low for one in action]
        line = quoted.text if quoted else " ".join(one.text for one in action[1:2])
        argv, because = hands.argv(self._harvest, line, action[0].mark, f"{self._name}-exec")
        if because:
            self._harvest.left(action[0].mark, "exec", because)
            return None
        user = {"user": action[low.index("uid") + 1].text} if "uid" in low[:-1] else {}
        return {"run": {"argv": argv, **user}, "timeout": "1m"}

    def _touch(self, verb: str, when: str, mark: Mark) -> tuple[list[Any], list[str]]:
        found = self.commands.get(verb) or (self._both(mark, when) if verb == "restart" else None)
        if found is None or not found[0]:
            return [], [f"it has no {verb} program that is one command"]
        argv, extra, timeout = found
        well: Any = {"not": when}
        if verb == "stop" and self._kind == "process":
            well = "process.up{target} == 0"
        return [{"run": {"argv": argv, **extra}, "timeout": timeout, "verify": {"when": well, "within": "1m"}}], []

    def _both(self, mark: Mark, when: str) -> tuple[list[str], dict[str, Any], str] | None:
        """What restarts: Monit stops and starts, and a step is one command."""
        start, stop = self.commands.get("start"), self.commands.get("stop")
        if start is None or not start[0]:
            return None
        line = " ".join(start[0])
        found = _INIT.fullmatch(line)
        if found and (stop is None or _INIT.fullmatch(" ".join(stop[0]))):
            again = f"{found['before']}restart{found['after']}" if found["before"] else f"{found['before2']}restart"
            self._harvest.changed(mark, "restart", f"{again}: one command instead of stop and start")
            return again.split(), start[1], start[2]
        if when == "process.up{target} == 0":
            self._harvest.changed(mark, "restart", "what is gone is only started")
            return start
        return None
