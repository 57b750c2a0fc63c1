"""Actions of avena_commons' scenarios as steps: commands to clients are calls, what only tells is told."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from healer.importing import hands, nodes
from healer.importing.avena_clients import UNKNOWN, Client, Clients, event, state, words
from healer.importing.avena_when import Conditions, NoHome
from healer.importing.harvest import Fate, Harvest, Said, duration
from healer.yamldoc.node import Node, Table

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]{1,80}?)\s*\}\}")
_LEVELS = {
    "debug": "info",
    "info": "info",
    "success": "info",
    "warning": "warning",
    "error": "critical",
    "critical": "critical",
}
_QUIET = frozenset({"log_event", "send_email", "send_sms", "send_sms_to_customer"})
_NO_HAND = {
    "restart_orders": "it is business of the orchestrator's own: call an address of it, or run a command",
    "lynx_refund": "it is business of the orchestrator's own: call an address of it, or run a command",
    "lynx_refund_approve": "it is business of the orchestrator's own: call an address of it, or run a command",
    "database_update": "nothing here writes into a database yet: run a command that does",
    "send_sms_to_customer": "whom to tell stands in rows that are not handed to steps",
    "pause_scenario": "rules are switched by people: healer rules disable",
    "resume_scenario": "rules are switched by people: healer rules enable",
    "test": "it only tests the orchestrator",
}
MOST = 16


class Steps:
    """Reads the actions of one scenario."""

    def __init__(
        self, harvest: Harvest, clients: Clients, conditions: Conditions, scenarios: Mapping[str, str], label: str
    ) -> None:
        self._harvest = harvest
        self._clients = clients
        self._conditions = conditions
        self._scenarios = scenarios
        self._label = label
        self.missing: list[str] = []
        self.exhausted: list[Any] = []
        """What is done when a wait was in vain."""

    def of(self, listed: Sequence[Node]) -> list[Any]:
        """The steps of a list of actions, in their order."""
        found: list[Any] = []
        for position, node in enumerate(listed):
            after = listed[position + 1] if position + 1 < len(listed) else None
            try:
                steps, because = self._one(node, after, found)
            except NoHome as exc:
                kind = _kind(node)
                self._harvest.left(node.mark, f"the action {kind}", str(exc))
                if kind not in _QUIET:
                    # What would have touched something is missing in the middle: the rest is not done without it.
                    self.missing.append(f"the action {kind} of line {node.mark.line}: {exc}")
                continue
            (self._harvest.changed if because else self._harvest.carried)(
                node.mark, f"the action {_kind(node)}", because
            )
            found += [Said(value=step, comment=_comment(node)) for step in steps]
        return found

    def _one(self, node: Node, after: Node | None, before: Sequence[Any]) -> tuple[list[Any], str]:
        kind = _kind(node)
        forms: Mapping[str, Callable[[Node], tuple[list[Any], str]]] = {
            "log_event": self._log, "send_email": self._tell, "send_sms": self._tell, "systemctl": self._systemctl,
            "execute_scenario": self._scenario, "evaluate_condition": self._branch,
        }  # fmt: skip
        if not isinstance(node, Table) or not kind:
            raise NoHome("it has no type")
        if kind in {"send_command", "send_custom_command"}:
            return self._command(node, after)
        if kind == "wait_for_state":
            return self._wait(node, before)
        if kind in forms:
            return forms[kind](node)
        raise NoHome(_NO_HAND.get(kind, "no kind of action that is known here"))

    # -------------------------------------------------------------------------------------------- telling

    def _text(self, node: Node | None) -> tuple[str, list[str]]:
        """A text without secrets, its placeholders as names in brackets; and their names."""
        text = hands.concealed(self._harvest, nodes.text(node), node.mark, f"{self._label}-text") if node else ""
        names = _PLACEHOLDER.findall(text)
        return _PLACEHOLDER.sub(lambda match: f"[{match.group(1)}]", text), names

    def _log(self, node: Node) -> tuple[list[Any], str]:
        text, names = self._text(nodes.get(node, "message"))
        severity = _LEVELS.get(nodes.text(nodes.get(node, "level")).lower(), "info")
        return [{"notify": {"message": text or self._label, "severity": severity}}], _unfilled(names)

    def _tell(self, node: Node) -> tuple[list[Any], str]:
        for key in ("smtp", "sms"):
            held = nodes.get(node, key)
            if held is not None:
                hands.concealed(self._harvest, nodes.data(held), held.mark, f"{self._label}-{key}")
                self._harvest.left(
                    held.mark, key, "how a channel is reached is said once, under notify: in organism.yaml"
                )
        subject, names = self._text(nodes.get(node, "subject"))
        body, more = self._text(nodes.get(node, "body", "text"))
        message = ": ".join(part for part in (subject, body) if part) or self._label
        people = len(nodes.items(nodes.get(node, "to")))
        severity = "critical" if "alert" in message.lower() else "warning"
        how = "e-mail" if _kind(node) == "send_email" else "SMS"
        because = f"to the journal: no {how} here; a webhook channel can reach its {people} recipients"
        return [{"notify": {"message": message, "severity": severity}}], "; ".join(
            filter(None, (because, _unfilled([*names, *more])))
        )

    # -------------------------------------------------------------------------------------------- commands

    def _command(self, node: Node, after: Node | None) -> tuple[list[Any], str]:
        command = nodes.text(nodes.get(node, "command"))
        if not command or "{{" in command:
            raise NoHome("it names no command that is known before it runs")
        chosen = self._clients.chosen(node)
        if not chosen:
            raise NoHome(UNKNOWN)
        self._clients.declare(chosen)
        data = nodes.data(nodes.get(node, "data"))
        sent, gone = self._sent(data if isinstance(data, Mapping) else {}, node)
        goal = self._goal(after) if after is not None and _kind(after) == "wait_for_state" else None
        timeout = _seconds(nodes.get(node, "timeout"))
        steps = []
        for position, client in enumerate(chosen):
            step = event(client, command, sent)
            if timeout:
                step["timeout"] = duration(timeout)
            if goal is not None:
                # All but the last are given a moment only: the next one is to be told, whether that was enough or not.
                step["verify"] = {"when": goal[0], "within": duration(goal[1] if position == len(chosen) - 1 else 1)}
            steps.append(step)
        strangers = ", ".join(client.name for client in chosen if not client.known)
        where = f"put in the address of {strangers}: it is not in these files" if strangers else ""
        told = (_order(chosen, proved=goal is not None), where, gone, _unused(node, _COMMAND))
        return steps, "; ".join(filter(None, told))

    def _sent(self, data: Mapping[str, Any], node: Node) -> tuple[dict[str, Any], str]:
        """Data of a command; what would be filled in while it runs is left out, and named."""
        clean = hands.concealed(self._harvest, dict(data), node.mark, f"{self._label}-data")
        kept = {key: value for key, value in clean.items() if "{{" not in repr(value)}
        inner = nodes.get(node, "data")
        for entry in nodes.entries(inner):
            if entry.key not in kept:
                slots = ", ".join(_slot(one) for one in _PLACEHOLDER.findall(repr(nodes.data(entry.node))))
                because = f"the slot {slots or 'of it'} is filled in arguments of run only, not in data of call"
                self._harvest.left(entry.mark, f"data.{entry.key}", because)
        gone = [key for key in clean if key not in kept]
        return kept, f"sent without {', '.join(gone)}" if gone else ""

    def _goal(self, node: Node) -> tuple[Any, float] | None:
        """What a wait waits for, and how long."""
        chosen, states = self._clients.chosen(node), list(words(nodes.get(node, "target_state", "target_states")))
        if not chosen or not states:
            return None
        parts: list[Any] = [state(client, states) for client in chosen]
        return (parts[0] if len(parts) == 1 else {"all": parts}), _seconds(nodes.get(node, "timeout")) or 30.0

    def _wait(self, node: Node, before: Sequence[Any]) -> tuple[list[Any], str]:
        goal = self._goal(node)
        if goal is None:
            raise NoHome(UNKNOWN)
        self._clients.declare(self._clients.chosen(node))
        self.exhausted += self.of(nodes.items(nodes.get(node, "on_failure")))
        unused = _unused(node, _WAIT)
        if before and isinstance(before[-1], Said) and "verify" in before[-1].value:
            return [], "; ".join(filter(None, ("verify: of the command before it", unused)))
        step = {"wait_for": {"when": goal[0], "timeout": duration(goal[1]), "on_timeout": "give_up"}}
        return [step], unused

    def _systemctl(self, node: Node) -> tuple[list[Any], str]:
        operation = (nodes.text(nodes.get(node, "operation")) or "stop").lower()
        services = [
            nodes.text(one)
            for one in (*nodes.items(nodes.get(node, "service")), *nodes.items(nodes.get(node, "services")))
        ]
        services = list(dict.fromkeys(one for one in services if re.fullmatch(r"[\w@.:-]{1,100}", one)))
        allowed = {"stop", "start", "restart", "reload", "enable", "disable", "status"}
        if not services or operation not in allowed:
            raise NoHome("it names no service, or no operation of systemctl")
        timeout = duration(_seconds(nodes.get(node, "timeout")) or 30.0)
        steps = []
        for service in services:
            if operation in {"start", "stop", "restart"}:
                target = hands.service(self._harvest, service, node.mark)
                steps.append({**hands.touch(operation, target), "timeout": timeout})
            else:
                steps.append({"run": {"argv": ["/usr/bin/systemctl", operation, service]}, "timeout": timeout})
        return steps, "; ".join(filter(None, (_order(services, proved=True), _unused(node, _SYSTEMCTL))))

    # -------------------------------------------------------------------------------------------- ways

    def _scenario(self, node: Node) -> tuple[list[Any], str]:
        called = nodes.text(nodes.get(node, "scenario"))
        if called not in self._scenarios:
            raise NoHome(f"the scenario {called[:80]!r} is not in these files: import it beside this one")
        return [{"trigger": self._scenarios[called]}], "it is started, and nobody waits for its end"

    def _branch(self, node: Node) -> tuple[list[Any], str]:
        held = nodes.get(node, "conditions", "condition")
        before, since = len(self._conditions.missing), len(self._harvest.items)
        test = self._conditions.of(held) if held is not None else None
        then = self.of(nodes.items(nodes.get(node, "true_actions")))
        other = self.of(nodes.items(nodes.get(node, "false_actions")))
        if test is None or len(self._conditions.missing) > before:
            self._harvest.turn(since, Fate.LEFT, "it stands in a branch that could not be carried over")
            raise NoHome("its condition could not be carried over")
        if not then and not other:
            raise NoHome("nothing is left of both of its ways")
        step = {"if": test, "then": then} if then else {"if": {"not": test}, "then": other}
        if then and other:
            step["else"] = other
        return [step], "while its condition is unknown, neither way is gone"


_COMMAND = frozenset({"type", "description", "client", "group", "groups", "target", "command", "data", "timeout"})
_WAIT = (_COMMAND - {"command", "data"}) | {"target_state", "target_states", "on_failure"}
_SYSTEMCTL = frozenset({"type", "description", "operation", "service", "services", "timeout"})


def _unused(node: Node, known: frozenset[str]) -> str:
    gone = [entry.key for entry in nodes.entries(node) if entry.key not in known]
    return f"without {', '.join(gone)}" if gone else ""


def _order(chosen: Sequence[Client | str], *, proved: bool) -> str:
    if len(chosen) > 1 and proved:
        return f"{len(chosen)} steps, one after the other, until what it is for is reached"
    if proved:
        return ""
    many = f"{len(chosen)} steps; " if len(chosen) > 1 else ""
    return (
        f"{many}nothing says what would prove it: the next step comes after 30 s, unless the condition is over by then"
    )


def _slot(text: str) -> str:
    """``{{ trigger.source }}`` as the slot it would be."""
    found = re.match(r"[A-Za-z_][\w.]*", text)
    named = found.group() if found else "value"
    return f"{{event.{named.removeprefix('trigger.')}}}" if named.startswith("trigger.") else f"{{capture.{named}}}"


def _unfilled(names: Sequence[str]) -> str:
    if not names:
        return ""
    slots = ", ".join(dict.fromkeys(_slot(one) for one in names))
    return f"{slots} stands in brackets: a message is not filled in; it carries rule, target and reason"


def _kind(node: Node) -> str:
    return nodes.text(nodes.get(node, "type"))


def _comment(node: Node) -> str:
    said = nodes.text(nodes.get(node, "description"))
    return f"line {node.mark.line}: {said or _kind(node)}"


def _seconds(node: Node | None) -> float | None:
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([smh]?)", nodes.text(node).strip()) if node is not None else None
    seconds = float(found[1]) * {"m": 60, "h": 3600}.get(found[2], 1) if found else nodes.number(node)
    return min(seconds, 86400.0) if seconds else None
