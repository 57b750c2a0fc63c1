"""Symbiotic rules as JSON, in both published shapes: conditions over systems, and conditions with weights."""

from dataclasses import dataclass, field
from typing import Any

from healer.importing import hands, nodes
from healer.importing.harvest import AS_A_COMMENT, Fate, Harvest, Made, Said, duration, without_none
from healer.importing.measures import OPERATORS, bound, measure, organ, snake, unit
from healer.importing.symbiotic_then import Action, Left, hours_in, seconds_in, shown, started, topic_of
from healer.model.unit import Unit
from healer.yamldoc.node import Entry, Items, Node, Table

_RULE_KEYS = frozenset({"conditions", "actions", "action", "triggers", "trigger", "constraints", "logic", "operator"})
_TEXTS = {"id": "", "name": "name", "title": "name", "description": "description", "author": "author"}
_WITHIN = 600.0
"""Seconds within which an event counts, where nobody says."""
_DOWN = frozenset({"down", "stopped", "failed", "dead", "inactive", "unhealthy", "not_running", "unavailable", "false"})
_UP = frozenset({"up", "running", "active", "healthy", "available", "true", "started"})
_SERVICES = frozenset({"service", "service_status", "service_state", "process", "process_status", "component"})
_WINDOWS = ("timewindow", "activehours", "allowedhours", "hours")


def read(root: Node, harvest: Harvest) -> None:
    """Add every rule of one document: an object, a list, or an object with ``rules``."""
    inner = nodes.get(root, "rules")
    if isinstance(root, Table) and inner is not None:
        for entry in root.entries:
            if entry.key != "rules":
                harvest.left(entry.mark, entry.key, "it belongs to no rule")
    for node in nodes.items(inner if inner is not None else root):
        if isinstance(node, Table):
            _Rule(node, harvest).take()
        else:
            harvest.left(node.mark, "a rule", "it is no object")


@dataclass(slots=True)
class _Parts:
    """What a rule is made of, as far as it was read."""

    missing: list[str] = field(default_factory=list)
    limits: list[dict[str, Any]] = field(default_factory=list)
    cooldown: str = ""
    active: dict[str, str] = field(default_factory=dict)
    approve: bool = False
    threshold: float | None = None


class _Rule:
    def __init__(self, node: Table, harvest: Harvest) -> None:
        self._node = node
        self._harvest = harvest
        self._parts = _Parts()
        self._label = nodes.text(nodes.get(node, "id", "name", "title")) or f"rule-{node.mark.line}"

    def take(self) -> None:
        """Add the rule, once per trigger."""
        since = len(self._harvest.items)
        heads = self._heads()
        self._constraints()
        when = self._when()
        then = self._steps()
        triggers = self._triggers()
        for position, trigger in enumerate(triggers):
            body = {
                "id": self._harvest.rule_id(self._label if position == 0 else f"{self._label} {position + 1}"),
                **heads,
                "trigger": trigger,
                "when": when,
                "mode": self._harvest.mode,
                "active": self._parts.active,
                "cooldown": self._parts.cooldown,
                "limits": self._parts.limits,
                "then": then,
            }
            made = Made(body=without_none(body), mark=self._node.mark, missing=list(self._parts.missing))
            self._harvest.rules.append(made)
        if self._parts.missing:
            self._harvest.turn(since, Fate.CHANGED, AS_A_COMMENT)
            self._harvest.left(self._node.mark, f"the rule '{self._label}'", "; ".join(self._parts.missing))
        else:
            self._harvest.carried(self._node.mark, f"the rule '{self._label}'", f"{len(triggers)} rules")

    # -------------------------------------------------------------------------------------------- head

    def _heads(self) -> dict[str, Any]:
        found: dict[str, Any] = {"tags": ["imported"]}
        for entry in self._node.entries:
            word = snake(entry.key).replace("_", "")
            if entry.key in _TEXTS and nodes.text(entry.node):
                if _TEXTS[entry.key]:
                    found[_TEXTS[entry.key]] = nodes.text(entry.node)[:200]
                self._harvest.carried(entry.mark, entry.key)
            elif word == "enabled" and isinstance(nodes.plain(entry.node), bool):
                found["enabled"] = nodes.plain(entry.node)
                self._harvest.carried(entry.mark, entry.key)
            elif word == "priority":
                found["priority"] = self._priority(entry)
            elif word in {"organismrole", "organ", "role"}:
                found["organ"] = self._organ(entry)
            elif not self._brake(entry, word) and entry.key not in _RULE_KEYS:
                self._harvest.left(entry.mark, entry.key, "no key of such rules that is known here")
        return found

    def _brake(self, entry: Entry, word: str) -> bool:
        """Take in what bounds the rule, wherever it stands; False where it is something else."""
        if word in {"cooldown", "cooldownperiod", "cooldownseconds", "cooldownms"}:
            self._cooldown(entry)
        elif word in {"maxexecutionsperhour", "maxexecutionsperday"}:
            self._limit(entry)
        elif word in {"threshold", "minscore"} and nodes.number(entry.node) is not None:
            self._parts.threshold = nodes.number(entry.node)
            self._harvest.carried(entry.mark, entry.key, "the threshold of the weights")
        else:
            return False
        return True

    def _priority(self, entry: Entry) -> int | str | None:
        value = nodes.plain(entry.node)
        if isinstance(value, str) and snake(value) in {"low", "normal", "high", "critical", "medium"}:
            self._harvest.carried(entry.mark, entry.key)
            return "normal" if snake(value) == "medium" else snake(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            if 1 <= value <= 10 and value == int(value):
                self._harvest.carried(entry.mark, entry.key, "10 is the most urgent")
                return int(value)
            scaled = min(10, max(1, round(value / 10)))
            self._harvest.changed(entry.mark, entry.key, f"{value:g} of 100 is {scaled} of 10")
            return scaled
        self._harvest.left(entry.mark, entry.key, "neither a word nor a number")
        return None

    def _organ(self, entry: Entry) -> str | None:
        found = organ(nodes.text(entry.node))
        if found:
            self._harvest.carried(entry.mark, entry.key, f"organ: {found}")
        else:
            self._harvest.left(entry.mark, entry.key, f"{nodes.text(entry.node)[:60]!r} is none of the seven organs")
        return found or None

    def _cooldown(self, entry: Entry) -> None:
        seconds = seconds_in(entry.node, milli="ms" in entry.key.lower())
        if seconds is None:
            self._harvest.left(entry.mark, entry.key, "no duration")
            return
        self._parts.cooldown = duration(seconds)
        because = "seconds" if nodes.number(entry.node) is not None else ""
        self._harvest.changed(
            entry.mark, entry.key, f"{because}; it counts from the end of the action here".lstrip("; ")
        )

    def _limit(self, entry: Entry) -> None:
        most = nodes.number(entry.node)
        if most is None or most < 1:
            self._parts.missing.append(f"{entry.key}: no number of 1 or more")
            self._harvest.left(entry.mark, entry.key, "no number of 1 or more")
            return
        per = "1h" if "hour" in entry.key.lower() else "1d"
        self._parts.limits.append({"max": min(int(most), 10_000), "per": per, "scope": "rule"})
        self._harvest.carried(entry.mark, entry.key, f"limits: at most {int(most)} per {per}")

    # -------------------------------------------------------------------------------------------- constraints

    def _constraints(self) -> None:
        node = nodes.get(self._node, "constraints")
        for table in nodes.items(node):
            listed = nodes.text(nodes.get(table, "type"))
            if listed and nodes.get(table, "value") is not None:
                value = nodes.get(table, "value")
                if value is not None:
                    self._constraint(Entry(key=listed, mark=table.mark, node=value))
                continue
            for entry in nodes.entries(table):
                self._constraint(entry)
            if not isinstance(table, Table):
                self._harvest.left(table.mark, "a constraint", "it is no object")
                self._parts.missing.append("a constraint that nobody understands")

    def _constraint(self, entry: Entry) -> None:
        word = snake(entry.key).replace("_", "")
        if self._brake(entry, word):
            return
        if word in {"requiresapproval", "requireapproval", "approvalrequired"}:
            self._parts.approve = nodes.plain(entry.node) is True
            self._harvest.carried(entry.mark, entry.key, "approve: on the steps that touch something")
        elif word in _WINDOWS and (hours := hours_in(entry.node)):
            self._parts.active["hours"] = hours
            self._harvest.changed(entry.mark, entry.key, "active.hours, on the host's clock; the end is exclusive")
        else:
            # A brake that is not there is no detail: without it the rule would do more than it was meant to.
            self._parts.missing.append(f"the constraint {entry.key}")
            self._harvest.left(entry.mark, f"the constraint {entry.key}", "nothing here is like it")

    # -------------------------------------------------------------------------------------------- condition

    def _when(self) -> Any:  # noqa: ANN401 - a condition as YAML has it
        found, weights = [], []
        listed = nodes.items(nodes.get(self._node, "conditions"))
        for node in listed:
            try:
                text, guess = self._condition(node)
            except Left as exc:
                self._harvest.left(node.mark, shown(node), exc.because)
                self._parts.missing.append(f"the condition of line {node.mark.line}")
                continue
            (self._harvest.changed if guess else self._harvest.carried)(node.mark, shown(node), guess or text)
            found.append(text)
            weights.append(nodes.number(nodes.get(node, "weight")))
        if not listed:
            self._parts.missing.append("it has no condition")
        return self._joined(found, weights)

    def _joined(self, found: list[str], weights: list[float | None]) -> Any:  # noqa: ANN401 - as above
        logic = nodes.text(nodes.get(self._node, "logic", "operator", "conditionLogic")).lower()
        weighted = [weight for weight in weights if weight is not None]
        if weighted and self._parts.threshold is not None:
            parts = [
                {"when": text, "weight": 1 if weight is None else weight}
                for text, weight in zip(found, weights, strict=True)
            ]
            return {"weighted": {"threshold": self._parts.threshold, "of": parts}}
        if weighted and len(set(weighted)) > 1:
            node = nodes.get(self._node, "conditions")
            if node is not None:
                self._harvest.changed(node.mark, "weights", "no threshold says how much is enough: all are needed")
        if logic and logic not in {"and", "or", "all", "any"}:
            self._parts.missing.append(f"the logic {logic[:20]!r}")
        if not found:
            return None
        return found[0] if len(found) == 1 else {"any" if logic in {"or", "any"} else "all": found}

    def _condition(self, node: Node) -> tuple[str, str]:
        """A condition as text, and how it was guessed; raises Left."""
        kind = snake(nodes.text(nodes.get(node, "type")))
        if not isinstance(node, Table):
            raise Left("it is no object")
        if kind in _SERVICES:
            return self._of_service(node)
        if kind == "event":
            return self._of_event(node)
        if kind in {"log", "schedule", "time", "cron"}:
            raise Left(f"a condition of type {kind} has no form here that is surely the same")
        named = nodes.text(nodes.get(node, "metric")) or nodes.text(nodes.get(node, "target"))
        system = nodes.text(nodes.get(node, "system", "organ"))
        if not system and "." in named:
            system, _, named = named.partition(".")
        metric = measure(system, named)
        if not metric:
            raise Left(
                f"nothing here measures {system + '.' if system else ''}{named[:60]}: `healer metrics` lists all"
            )
        return self._compared(node, metric, named)

    def _compared(self, node: Node, metric: str, named: str) -> tuple[str, str]:
        given = nodes.text(nodes.get(node, "operator", "op"))
        op = OPERATORS.get(given) or OPERATORS.get(snake(given))
        if op is None:
            raise Left(f"no operator {given[:30]!r}")
        held = nodes.get(node, "value", "threshold")
        if isinstance(held, Items | Table) or held is None:
            raise Left("its value is no single value")
        is_word = unit(metric) is Unit.WORD
        if (op in {"contains", "matches"}) is not (is_word and op in {"contains", "matches"}):
            raise Left(f"{op} is asked of a number")
        text, guess = bound(nodes.plain(held), metric, named)
        if not text or (text.startswith('"') and not is_word):
            raise Left(f"{nodes.plain(held)!r} cannot be compared with {metric}")
        return f"{metric} {op} {text}", guess

    def _of_service(self, node: Node) -> tuple[str, str]:
        called = nodes.text(nodes.get(node, "target", "service", "name", "system"))
        word = snake(str(nodes.plain(nodes.get(node, "value"))))
        op = OPERATORS.get(snake(nodes.text(nodes.get(node, "operator", "op")) or "equals"), "")
        if not called or word not in _DOWN | _UP or op not in {"==", "!="}:
            raise Left("only whether a service is up or down is known here")
        target = hands.service(self._harvest, called, node.mark)
        up = (word in _UP) is (op == "==")
        return (
            f'{target.partition(":")[0]}.up{{target="{target}"}} == {1 if up else 0}',
            f"{called} is taken for {target}",
        )

    def _of_event(self, node: Node) -> tuple[str, str]:
        topic = topic_of(nodes.text(nodes.get(node, "event", "target", "topic", "name", "value")))
        held = nodes.get(node, "within", "window", "timeWindow")
        within = (seconds_in(held) if held is not None else None) or _WITHIN
        if not topic:
            raise Left("it names no event")
        return f'occurred("{topic}", {duration(within)})', f"heard on this agent's bus within {duration(within)}"

    # -------------------------------------------------------------------------------------------- triggers

    def _triggers(self) -> list[Any]:
        listed = nodes.items(nodes.get(self._node, "triggers", "trigger"))
        found: list[Any] = []
        for node in listed:
            try:
                trigger, because = started(node)
            except Left as exc:
                self._harvest.left(node.mark, "a trigger", exc.because)
                self._parts.missing.append(f"the trigger of line {node.mark.line}")
                continue
            if trigger in found:
                self._harvest.carried(node.mark, "a trigger", "as the one before it")
                continue
            (self._harvest.changed if because else self._harvest.carried)(node.mark, "a trigger", because)
            found.append(trigger)
        if len(found) > 1:
            self._harvest.changed(listed[1].mark, "several triggers", "a rule has one here: one rule for each")
        return found or [None]

    # -------------------------------------------------------------------------------------------- actions

    def _steps(self) -> list[Any]:
        found: list[Any] = []
        effects = 0
        for node in nodes.items(nodes.get(self._node, "actions", "action")):
            try:
                step, because = Action(node, self._harvest, self._label).step()
            except Left as exc:
                self._harvest.left(node.mark, shown(node), exc.because)
                self._parts.missing.append(f"the action of line {node.mark.line}: {exc.because}")
                continue
            quiet = next(iter(step)) in {"notify", "wait", "publish", "set_mode"}
            effects += not quiet
            if self._parts.approve and not quiet:
                step = {**step, "approve": {}}
            if effects > 1 and not quiet:
                because = because or "a ladder here: it is done where the one before it did not help"
            (self._harvest.changed if because else self._harvest.carried)(node.mark, shown(node), because)
            found.append(Said(value=step, comment=f"from line {node.mark.line}"))
        if not found:
            self._parts.missing.append("it has no action that is known here")
        return found
