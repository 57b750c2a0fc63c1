"""Which rules wait for which events, and what becomes of those that come: heard, counted, waited out, started."""

import hashlib
import heapq
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from healer.core.instance import Instance
from healer.core.sequences import Ear, Group, Start
from healer.core.spent import PATIENCE, for_good
from healer.gates import order
from healer.model.effect import Act, Effect, Note, Publish
from healer.model.placeholders import BINDING
from healer.rules.rule import Rule, steps_of
from healer.rules.topics import ABSENT, reach

if TYPE_CHECKING:
    from healer.core.core import Core

PAUSE = 1.0
"""Seconds between two starts of a rule by what the agent says itself: rules that wake each other must not spin."""
MOST_WAITING = 64
"""Groups of events that wait until an incident is over."""
LONGEST = 255
"""Characters of a value that can fill an argument; what is longer is not bound, and the step that wants it refused."""
_EVENT = "event."


class Listener:
    """One rule that an event starts, on one target."""

    def __init__(self, instance: Instance, ear: Ear) -> None:
        self.instance, self.ear = instance, ear
        self.wants = frozenset(_wanted(instance.rule))
        self.group: Group = ()
        """The group whose start came last."""
        self.waiting: dict[Group, tuple[float, Start]] = {}
        """Starts of other groups that came while an incident was open, and when; the oldest first."""

    def hears(self, topic: str, data: Mapping[str, Any], *, own: bool) -> bool:
        """Whether its rule waits for such an event, on whatever target."""
        return (self.instance.rule.trigger.own or not own) and self.ear.meant(topic, data)


class Listening:
    """The rules that wait for events, and the moments at which waiting ends."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._listeners: dict[str, Listener] = {}
        self._rules: dict[str, list[Listener]] = {}
        """The same by rule: what a rule waits for is asked once, not for each of thousands of targets."""
        self._alarms: list[tuple[float, int, str, Group]] = []
        self._numbers = itertools.count()
        self._waiting: set[str] = set()
        """Keys of the listeners for which something waits."""
        self._told: list[Effect] = []
        """What others said in the event in hand: it is on the way out, and not our own word."""
        self._own = False
        """Whether any rule hears what the agent itself says."""

    def listen(self, instance: Instance) -> None:
        """Remember a rule that an event starts."""
        trigger, key = instance.rule.trigger, instance.key
        if trigger.kind != "event":
            return

        def alarm(at: float, group: Group) -> None:
            heapq.heappush(self._alarms, (at, next(self._numbers), key, group))

        self._listeners[key] = listener = Listener(instance, Ear(trigger, alarm))
        self._rules.setdefault(instance.rule.id, []).append(listener)
        self._own = self._own or trigger.own

    def take_over(self, other: "Listening") -> None:
        """Go on counting and waiting where the former configuration was, for the triggers that stayed as they were."""
        for key, listener in self._listeners.items():
            before = other._listeners.get(key)  # noqa: SLF001 - one of us
            if before is not None and before.instance.rule.trigger == listener.instance.rule.trigger:
                listener.ear.take_over(before.ear)
                listener.waiting, listener.group = before.waiting, before.group
                self._waiting |= {key} if listener.waiting else set()

    def due(self) -> float:
        """The second at which `ripen` has something to do; infinity when never."""
        return self._alarms[0][0] if self._alarms else float("inf")

    def ripen(self, *, before: bool = False) -> None:
        """Start what has waited long enough; with ``before``, only what was due before the event in hand."""
        now = self._core.desk.now
        while self._alarms and (self._alarms[0][0] < now or (not before and self._alarms[0][0] == now)):
            at, _, key, group = heapq.heappop(self._alarms)
            listener = self._listeners[key]
            if start := listener.ear.ripe(group, at):
                self._start(listener, start)
        for key in sorted(self._waiting):
            self._next(self._listeners[key])

    def wake(self, topic: str, data: Mapping[str, Any], *, own: bool = False) -> int:
        """Let the rules that wait for such an event have it; returns how many incidents that opened."""
        core = self._core
        self.ripen(before=True)
        if not own:
            self._told += core.desk.out[-1:]  # it is that very event
            self._remember(topic, data)
        several = [many for many in self._rules.values() if many[0].hears(topic, data, own=own)]
        meant = [one for many in several for one in self._meant(many, data)]
        starts = []
        for listener in sorted(meant, key=lambda one: -one.instance.rule.priority):
            if not core.enabled(listener.instance.rule):
                continue
            if start := listener.ear.hear(topic, data, core.desk.now):
                starts.append((listener, start))
        return sum(self._start(listener, start, own=own) for listener, start in starts)

    def _meant(self, many: list[Listener], data: Mapping[str, Any]) -> list[Listener]:
        """Those of a rule that an event is about: of many targets, one that it names is the only one meant."""
        rule = many[0].instance.rule
        if rule.each is None or "target" not in data:
            return many
        named = self._listeners.get(f"{rule.id}@{data['target']}")
        return [named] if named else []

    def echo(self) -> None:
        """Let the rules that ask for it hear what the agent itself says in the event in hand."""
        told, self._told = self._told, []
        if not (self._own or self._core.evaluator.hears_own):
            return
        for effect in self._core.desk.out:  # it grows meanwhile, by what the incidents that open have to say
            if any(effect is one for one in told):
                continue
            match effect:
                case Publish():
                    self._overhear(effect.topic, effect.data)
                case Note() if effect.topic:
                    self._overhear(effect.topic, effect.fields)
                case Act():
                    self._overhear("action.intended", effect.entry)
                case _:
                    pass

    def _overhear(self, topic: str, data: Mapping[str, Any]) -> None:
        if self._core.evaluator.hears_own:
            self._remember(topic, data, own=True)
        self.wake(topic, data, own=True)

    def _remember(self, topic: str, data: Mapping[str, Any], *, own: bool = False) -> None:
        """Conditions may ask whether it occurred: those of the rules that it starts, too."""
        self._core.evaluator.heard(topic, data, self._core.desk.now, own=own)
        self._core.incidents.settle()

    def dropped(self, rule: str) -> int:
        """Groups that a rule had to forget, having too many to remember."""
        return sum(one.ear.dropped for one in self._rules.get(rule, ()))

    # Starting -------------------------------------------------------------------------------------------------

    def _start(self, listener: Listener, start: Start, *, own: bool = False) -> bool:
        instance, now = listener.instance, self._core.desk.now
        trigger, group = instance.rule.trigger, _label(start.group)
        if instance.key in self._core.desk.memory.incidents:
            self._wait(listener, start, now)
            return False
        if own and now - instance.woken < PAUSE:
            return False
        last = self._core.desk.memory.started.get(f"{instance.key}|{group}")
        if last is not None and now - last < trigger.once_within:
            return False
        if self._still_withheld(instance):
            return False
        instance.bindings = dict(_bindings(start.data, listener.wants))
        opened = self._core.incidents.trigger(instance, cause=self._cause(start.data) if trigger.own else "")
        instance.bindings = {}  # its incident has them
        if opened:
            instance.woken, listener.group = now, start.group
            if trigger.once_within:
                self._core.desk.move(
                    f"trigger:{instance.key}", "ready", "used", f"started by {start.topic}", data={"group": group}
                )
        return opened

    def _wait(self, listener: Listener, start: Start, now: float) -> None:
        """Keep a start until the incident that is open is over: what it is for may have nothing to do with that one."""
        if start.group != listener.group and len(listener.waiting) < MOST_WAITING:
            listener.waiting.setdefault(start.group, (now, start))
            self._waiting.add(listener.instance.key)

    def _next(self, listener: Listener) -> None:
        """Start what waits, the oldest first, once no incident is open; what has waited for too long is stale."""
        key, now = listener.instance.key, self._core.desk.now
        for group, (since, start) in list(listener.waiting.items()):
            stale = now - since > PATIENCE
            if not stale and key in self._core.desk.memory.incidents:
                break
            del listener.waiting[group]
            if stale:
                because = f"an incident has been open for {now - since:.0f} s: {start.topic} is stale"
                self._core.desk.move(f"trigger:{key}", "waiting", "stale", because, data={"group": _label(group)})
            else:
                self._start(listener, start)
        if not listener.waiting:
            self._waiting.discard(key)

    def _still_withheld(self, instance: Instance) -> bool:
        """Whether what held the last start back for good still does: a flood of events must not flood the log."""
        question = self._core.acting.question_of(instance, 0) if instance.spent else None
        return question is not None and bool(for_good(order.ask_all(question), question.now))

    def _cause(self, data: Mapping[str, Any]) -> str:
        """The incident that an event of our own belongs to; empty where it belongs to none."""
        memory = self._core.desk.memory
        intent = next((one for one in memory.intents.values() if one.leaf and one.leaf == data.get("intent")), None)
        subject = str(data.get("subject", ""))
        named = (
            intent.incident if intent else "",
            str(data.get("corr", "")),
            subject.removeprefix("incident:") if subject.startswith("incident:") else "",
            f"{data.get('rule', '')}@{data.get('target', '')}",
        )
        return next((key for key in named if key in self._core.instances), "")


def _label(group: Group) -> str:
    """A group as one text, for the log."""
    text = json.dumps(group, separators=(",", ":"))  # values come from outside: a mere separator could be forged
    return text if len(text) <= LONGEST else hashlib.sha256(text.encode()).hexdigest()


def _wanted(rule: Rule) -> Iterator[str]:
    """The fields of an event that a rule's steps name: no others are kept, and none sealed."""
    for step in steps_of(rule):
        for text in _texts(step.params):
            yield from (name.removeprefix(_EVENT) for name in BINDING.findall(text) if name.startswith(_EVENT))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _bindings(data: Mapping[str, Any], wants: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Values for placeholders, as texts: a number as it is written, true and false as such; nothing else is bound."""
    for name in sorted(wants):
        found = reach(data, name)
        if found is ABSENT or found is None or not isinstance(found, str | int | float):
            continue
        text = str(found).lower() if isinstance(found, bool) else str(found)
        if text and len(text) <= LONGEST:
            yield f"{_EVENT}{name}", text
