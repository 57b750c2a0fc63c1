"""Loops: cures that bring back what they cure, and rules that wake each other."""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from healer.rules.cures import effect, makes_true
from healer.rules.findings import Finding
from healer.rules.reach import Alike
from healer.rules.rule import Rule, steps_of
from healer.rules.syntax import selectors

Node = str | tuple[int, str]
"""A rule by its id; or what one verb does to one group of targets, so that rules need not be paired one by one."""


@dataclass(slots=True)
class Graph:
    """Who leads to whom, and how."""

    ways: dict[Node, dict[Node, str]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, one: Node, other: Node, how: str) -> None:
        """One leads to the other."""
        self.ways[one].setdefault(other, how)

    def shortest(self, start: Node, within: frozenset[Node]) -> list[tuple[Node, str]]:
        """The shortest way from a node back to itself: each next node, and how it is come to."""
        seen: dict[Node, tuple[Node, str] | None] = {start: None}
        waiting = deque([start])
        while waiting:
            node = waiting.popleft()
            for other, how in self.ways.get(node, {}).items():
                if other == start:
                    path = [(other, how)]
                    while (before := seen[node]) is not None:
                        path.append((node, before[1]))
                        node = before[0]
                    return path[::-1]
                if other in within and other not in seen:
                    seen[other] = (node, how)
                    waiting.append(other)
        return []

    def knots(self) -> Iterator[frozenset[Node]]:
        """Nodes that lead to each other (strongly connected), without recursion: sets may be long chains."""
        index: dict[Node, int] = {}
        low: dict[Node, int] = {}
        stack: list[Node] = []
        held: set[Node] = set()
        for root in list(self.ways):
            work: list[tuple[Node, Iterator[Node]]] = []
            if root not in index:
                self._enter(root, index, low, stack, held, work)
            while work:
                node, others = work[-1]
                for other in others:
                    if other not in index:
                        self._enter(other, index, low, stack, held, work)
                        break
                    if other in held:
                        low[node] = min(low[node], index[other])
                else:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[node])
                    if low[node] == index[node]:
                        yield self._leave(node, stack, held)

    def _enter(
        self,
        node: Node,
        index: dict[Node, int],
        low: dict[Node, int],
        stack: list[Node],
        held: set[Node],
        work: list[tuple[Node, Iterator[Node]]],
    ) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        held.add(node)
        work.append((node, iter(self.ways.get(node, {}))))

    @staticmethod
    def _leave(node: Node, stack: list[Node], held: set[Node]) -> frozenset[Node]:
        knot: set[Node] = set()
        while True:
            other = stack.pop()
            held.discard(other)
            knot.add(other)
            if other == node:
                return frozenset(knot)


def loops(rules: Sequence[Rule], groups: Sequence[Alike]) -> Iterator[Finding]:
    """Rules whose doings come back to them, by cures, events and triggers."""
    by_id = {rule.id: rule for rule in rules}
    for path in _loops(_doings(rules, groups), by_id):
        first, *others = path
        rule = by_id[str(first[0])]
        if not others:
            what = f"its own cure makes it true: it {first[1]}" if " sets " in first[1] or " counts " in first[1] else (
                f"it wakes itself: it {first[1]}"
            )  # fmt: skip
        else:
            what = "a loop: " + "; ".join(f"{name} {how}" for name, how in path)
        hint = "compare what no cure changes, or ask program.wanted{target} == 1: what was stopped on purpose stays so"
        yield Finding(position=rule.position, rule=rule.id, what=what, hint=hint)


def _loops(graph: Graph, by_id: Mapping[str, Rule]) -> Iterator[list[tuple[str, str]]]:
    """Of each knot the shortest way round its first rule: (rule, what it does that leads to the next)."""
    order = {name: number for number, name in enumerate(by_id)}
    for knot in graph.knots():
        names = sorted((node for node in knot if isinstance(node, str)), key=order.__getitem__)
        if not names or not (way := graph.shortest(names[0], knot)):
            continue
        path: list[tuple[str, str]] = []
        name, how = names[0], ""
        for node, text in way:
            how += text
            if isinstance(node, str):
                told = "" if node == name and len(way) <= 2 else ", which wakes " + (
                    "it again" if node == names[0] else node)  # fmt: skip
                path.append((name, how + told))
                name, how = node, ""
        yield path


def _doings(rules: Sequence[Rule], groups: Sequence[Alike]) -> Graph:
    graph, readers = Graph(), _Readers()
    for rule in rules:
        if rule.trigger.kind == "auto":
            readers.add(rule)
    for number, group in enumerate(groups):
        _cured(graph, number, group, readers)
    for rule in rules:
        for name, how in _woken(rule, rules):
            graph.add(rule.id, name, how)
    return graph


@dataclass(slots=True)
class _Readers:
    """Rules by what their conditions read."""

    metrics: dict[str, frozenset[str]] = field(default_factory=dict)
    named: dict[str, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    """By a target that they name."""
    _known: dict[tuple[str, str, str, str], str] = field(default_factory=dict)

    def add(self, rule: Rule) -> None:
        """Look at one more rule."""
        read = selectors(rule.when)
        self.metrics[rule.id] = frozenset(select.metric for select in read)
        for name in {one.value for select in read for one in select.matchers if one.label == "target"}:
            if name:
                self.named[name].append(rule)

    def woken(self, group: Alike, verb: str) -> Iterator[tuple[str, str]]:
        """The rules whose condition a verb on these targets makes true, and how."""
        one = group.targets[0]
        made = effect(verb, one.kind)
        if made is None:
            return
        touched = {*made.after, *made.grows}
        named = [rule for target in group.targets for rule in self.named.get(target.id, ())]
        naming = {rule.id for rule in named}
        for rule in (*group.rules, *named):
            if self.metrics.get(rule.id, frozenset()) & touched:
                key = rule.id, verb, one.kind, one.id if rule.id in naming or rule.target else ""
                if key not in self._known:
                    self._known[key] = makes_true(made, rule, one.id)
                if how := self._known[key]:
                    yield rule.id, how


def _cured(graph: Graph, number: int, group: Alike, readers: _Readers) -> None:
    """What is done to one group of targets, and whose condition that makes true."""
    for verb in dict.fromkeys(use.action for use in group.could):
        woken = dict(readers.woken(group, verb))
        for name, text in woken.items():
            graph.add((number, verb), name, f" {text}")
        for use in group.could if woken else ():
            if use.action == verb:
                graph.add(use.rule.id, (number, verb), f"{verb}s {group.targets[0].id}, which")


def _woken(rule: Rule, rules: Sequence[Rule]) -> Iterator[tuple[str, str]]:
    for step in steps_of(rule):
        if step.action == "trigger":
            yield step.starts, f"triggers {step.starts}"
        if step.action == "publish":
            topic = str(step.params.get("topic", ""))
            for other in rules:
                if other.trigger.own and any(fnmatchcase(topic, heard.topic) for heard in other.trigger.heard):
                    yield other.id, f"publishes '{topic}'"
