"""Scenarios of the avena_commons orchestrator: one scenario is one rule, and its clients are targets."""

from collections.abc import Sequence
from typing import Any

from healer.importing import nodes
from healer.importing.avena_clients import Clients, Told
from healer.importing.avena_then import MOST, Steps
from healer.importing.avena_when import Conditions
from healer.importing.harvest import AS_A_COMMENT, Fate, Harvest, Made, Said, duration, without_none
from healer.yamldoc.node import Entry, Node, Table

_QUIET = frozenset({"notify", "wait", "publish"})
_MOST_HOOKS = 8
_ALWAYS = "self.uptime >= 0s"
"""What holds whenever anybody looks: a scenario without a condition waits for nothing but its trigger."""


def read(roots: Sequence[Node], harvest: Harvest, told: Sequence[Told] = ()) -> None:
    """Add every scenario of some documents; names are known across them. ``told`` are clients somebody named."""
    clients = Clients(harvest, roots, told)
    scenarios = [one for root in roots for one in _scenarios(root, harvest)]
    ids: dict[str, str] = {}
    for one in scenarios:
        called = nodes.text(nodes.get(one, "name")).strip() or f"scenario-{one.mark.line}"
        ids.setdefault(called, harvest.rule_id(called))
    taken: set[str] = set()
    for one in scenarios:
        called = nodes.text(nodes.get(one, "name")).strip() or f"scenario-{one.mark.line}"
        if called in taken:
            harvest.left(one.mark, f"the scenario '{called}'", "another one has this name")
            continue
        taken.add(called)
        _Scenario(one, called, ids, clients, harvest).take()
    _unasked(harvest)


def _unasked(harvest: Harvest) -> None:
    """A look into a table that no complete rule asks for would burden its database for nothing."""
    live = repr([made.body for made in harvest.rules if not made.missing])
    for made in harvest.targets:
        if made.body["kind"] == "command" and f"command:{made.body['name']}" not in live:
            made.missing.append("only a rule that is incomplete asks for it")


def _scenarios(root: Node, harvest: Harvest) -> list[Table]:
    if isinstance(root, Table) and nodes.get(root, "trigger", "actions") is None:
        for entry in root.entries:
            if entry.key not in {"scenarios", "clients"}:
                harvest.left(entry.mark, entry.key, "configuration of the orchestrator itself")
        root = nodes.get(root, "scenarios") or Table(mark=root.mark, entries=())
        if isinstance(root, Table):
            return []
    found = []
    for node in nodes.items(root):
        if isinstance(node, Table):
            found.append(node)
        else:
            harvest.left(node.mark, "a scenario", "it is no object")
    return found


class _Scenario:
    def __init__(self, node: Table, called: str, ids: dict[str, str], clients: Clients, harvest: Harvest) -> None:
        self._node = node
        self._called = called
        self._id = ids[called]
        self._harvest = harvest
        self._missing: list[str] = []
        self._conditions = Conditions(harvest, clients, self._id)
        self._steps = Steps(harvest, clients, self._conditions, ids, self._id)

    def take(self) -> None:
        """Add the rule."""
        since = len(self._harvest.items)
        head = self._head()
        trigger, when = self._trigger()
        steps = self._steps.of(nodes.items(nodes.get(self._node, "actions")))
        then, recovered = self._placed(steps)
        missing = [*self._missing, *self._conditions.missing, *self._steps.missing]
        if not then:
            missing.append("it has no action that is known here")
        exhausted = [one.value for one in self._steps.exhausted][:_MOST_HOOKS]
        body = {
            "id": self._id,
            **head,
            "trigger": trigger,
            "when": when,
            "mode": self._harvest.mode,
            "cooldown": self._cooldown(),
            "then": then,
            "on_recovered": recovered,
            "on_exhausted": {"steps": exhausted} if exhausted else None,
        }
        made = Made(body=without_none(body), mark=self._node.mark, missing=list(dict.fromkeys(missing)))
        self._harvest.rules.append(made)
        what = f"the scenario '{self._called}'"
        if made.missing:
            self._harvest.turn(since, Fate.CHANGED, AS_A_COMMENT)
            self._harvest.left(self._node.mark, what, "; ".join(made.missing))
        else:
            self._harvest.carried(self._node.mark, what, f"the rule {self._id}")

    # -------------------------------------------------------------------------------------------- head

    def _head(self) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self._called[:200], "tags": ["imported"]}
        for entry in self._node.entries:
            if entry.key in {"name", "actions", "trigger", "cooldown"}:
                if entry.key == "name":
                    self._harvest.carried(entry.mark, "name", f"id: {self._id}")
            elif entry.key in {"description", "author"} and nodes.text(entry.node):
                found[entry.key] = nodes.text(entry.node)[: 200 if entry.key == "author" else 2000]
                self._harvest.carried(entry.mark, entry.key)
            elif entry.key == "priority":
                found["priority"] = self._priority(entry)
            elif entry.key == "version":
                self._harvest.left(
                    entry.mark, "version", "rules have no version of their own: the log keeps each set's hash"
                )
            else:
                self._harvest.left(entry.mark, entry.key, "no key of a scenario that is known here")
        return found

    def _priority(self, entry: Entry) -> int | None:
        value = nodes.number(entry.node)
        if value is None:
            self._harvest.left(entry.mark, entry.key, "no number")
            return None
        turned = max(1, min(10, 10 - int(value // 10)))
        self._harvest.changed(entry.mark, entry.key, f"the lowest comes first there: {value:g} is {turned} of 10 here")
        return turned

    def _cooldown(self) -> str | None:
        for place in (self._node, nodes.get(self._node, "trigger")):
            for entry in nodes.entries(place):
                if entry.key not in {"cooldown", "cooldown_seconds"}:
                    continue
                seconds = nodes.number(entry.node)
                if seconds is None or not 0 <= seconds <= 1e8:
                    self._harvest.left(entry.mark, entry.key, "no number of seconds")
                    continue
                self._harvest.changed(entry.mark, entry.key, "it counts from the end of an action here")
                return duration(seconds)
        return None

    # -------------------------------------------------------------------------------------------- trigger

    def _trigger(self) -> tuple[Any, Any]:
        """What starts it, and its condition."""
        node = nodes.get(self._node, "trigger")
        if node is None:
            self._missing.append("it has no trigger")
            return None, _ALWAYS
        held = nodes.get(node, "conditions")
        when = self._conditions.of(held) if held is not None else None
        kind = nodes.text(nodes.get(node, "type"))
        for entry in nodes.entries(node):
            if entry.key == "description":
                self._harvest.left(
                    entry.mark, "trigger.description", "a rule has one description: that of the scenario"
                )
            elif entry.key not in {
                "type",
                "conditions",
                "cooldown",
                "cooldown_seconds",
                "event",
                "event_type",
                "topic",
            }:
                self._harvest.left(entry.mark, f"trigger.{entry.key}", "no key of a trigger that is known here")
        priority = nodes.get(held, "priority")
        if priority is not None:
            self._harvest.left(priority.mark, "trigger.conditions.priority", "write it beside the name of the scenario")
        return self._started(node, kind, conditions=held is not None), _ALWAYS if when is None else when

    def _started(self, node: Node, kind: str, *, conditions: bool) -> Any:  # noqa: ANN401 - a trigger as YAML has it
        mark = (nodes.get(node, "type") or node).mark
        if kind == "manual":
            self._harvest.carried(mark, "trigger manual")
            return "manual"
        if self._conditions.schedule:
            self._harvest.carried(mark, f"trigger {kind}", "schedule")
            return {"schedule": self._conditions.schedule}
        if kind == "event":
            topic = nodes.text(nodes.get(node, "event", "event_type", "topic"))
            if topic:
                self._harvest.changed(
                    mark, "trigger event", f"the topic {topic.lower()} of this agent's bus: somebody has to say it"
                )
                return {"event": topic.lower()}
        if kind == "automatic" and conditions:
            self._harvest.carried(mark, "trigger automatic", "judged whenever a value changes")
            return None
        self._missing.append(f"its trigger {kind or 'without a type'}")
        self._harvest.left(mark, f"trigger {kind}", "nothing says when it starts")
        return None

    # -------------------------------------------------------------------------------------------- steps

    def _placed(self, steps: list[Any]) -> tuple[list[Any], list[Any]]:
        """The ladder, and what is told once the trouble is over: behind a step that helped the ladder ends."""
        last = max((place for place, step in enumerate(steps) if not _is_quiet(step)), default=-1)
        proved = last >= 0 and "verify" in steps[last].value
        then, after = (steps[: last + 1], steps[last + 1 :]) if proved else (steps, [])
        if after:
            self._harvest.changed(
                self._node.mark, f"the last {len(after)} actions", "on_recovered: a ladder ends where a step helped"
            )
        if len(then) > MOST or len(after) > _MOST_HOOKS:
            self._missing.append(f"more than {MOST} steps, or {_MOST_HOOKS} behind the last that touches something")
        return then, after


def _is_quiet(step: Said) -> bool:
    return next(iter(step.value)) in _QUIET
