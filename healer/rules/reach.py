"""Which rule can do what to which target: rules bound to targets, the steps they have, the modes that let them."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Protocol

from healer.model.decision import QUIET_VERBS
from healer.model.limit import Brakes
from healer.model.mode import Mode, strictest
from healer.model.target import Target
from healer.model.verbs import VERBS
from healer.rules.rule import CONTROL, Rule, Selector, Step, flattened
from healer.rules.select import matches

HOST = Target(kind="host", name="", organ="brain")
"""What rules act on that are about no target."""
_Deed = tuple[int, str, bool]
"""A rule's number, an action, and whether it belongs to a hook."""
_GLOB = re.compile(r"[*?\[]")


class RuleDefaults(Protocol):
    """What the configuration says about rules that do not say."""

    @property
    def default_mode(self) -> Mode: ...  # noqa: D102 - a protocol's field


class OrganSettings(Protocol):
    """What the configuration says about one organ."""

    @property
    def mode(self) -> Mode: ...  # noqa: D102 - a protocol's field


class Settings(Protocol):
    """The parts of the configuration that matter here."""

    @property
    def mode(self) -> Mode: ...  # noqa: D102 - a protocol's field
    @property
    def rules(self) -> RuleDefaults: ...  # noqa: D102 - a protocol's field
    @property
    def organs(self) -> Mapping[str, OrganSettings]: ...  # noqa: D102 - a protocol's field
    @property
    def targets(self) -> Sequence[Target]: ...  # noqa: D102 - a protocol's field
    @property
    def limits(self) -> Brakes: ...  # noqa: D102 - a protocol's field
    @property
    def notify(self) -> Mapping[str, object]: ...  # noqa: D102 - a protocol's field


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One rule's way to one action on a target."""

    rule: Rule
    action: str
    instances: int = 1
    """Incidents of the rule that may want it at once: many, where a step names another target than the rule's own."""
    times: int = 1
    """Steps of the rule that do it."""
    hook: bool = False
    """Taken in passing: neither the rule's limits nor its pauses count it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """Targets that no rule tells apart: what can be done to one of them can be done to each."""

    targets: tuple[Target, ...]
    rules: tuple[Rule, ...]
    """The rules bound to each of them."""
    could: tuple[Use, ...]
    """What rules would do to each of them if every mode let them."""
    uses: tuple[Use, ...]
    """What they may do by themselves."""


@dataclass(slots=True)
class Selection:
    """Targets by selector; each selector is asked once, and names without a glob are looked up."""

    targets: Sequence[Target]
    _known: dict[Selector, tuple[int, ...]] = field(default_factory=dict)
    _names: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for index, target in enumerate(self.targets):
            self._names[target.name].append(index)

    def of(self, selector: Selector) -> tuple[int, ...]:
        """Places of the targets it means."""
        found = self._known.get(selector)
        if found is None:
            found = tuple(index for index in self._near(selector) if matches(selector, self.targets[index]))
            self._known[selector] = found
        return found

    def _near(self, selector: Selector) -> Iterable[int]:
        """Those that the name lets through: asking all the rest would take seconds where there are many."""
        if not selector.name:
            return range(len(self.targets))
        if not _GLOB.search(selector.name):
            return self._names.get(selector.name, ())
        fits = re.compile(translate(selector.name)).match
        return [index for name, places in self._names.items() if fits(name) for index in places]


def bindings(rules: Sequence[Rule], targets: Sequence[Target]) -> list[tuple[int, ...]]:
    """For each rule, the places of its targets in ``targets``."""
    selection, places = Selection(targets), {target.id: index for index, target in enumerate(targets)}
    found: list[tuple[int, ...]] = []
    for rule in rules:
        if rule.each is not None:
            found.append(selection.of(rule.each))
        else:
            found.append((places[rule.target],) if rule.target in places else ())
    return found


def alike(rules: Sequence[Rule], settings: Settings) -> list[Alike]:
    """All targets, and the host itself at the end, sorted into as few groups as rules tell apart; in their order."""
    return _Sorting(rules, settings).groups()


class _Sorting:
    """Targets by what rules can do to them. Places are indexes of targets, numbers those of rules."""

    def __init__(self, rules: Sequence[Rule], settings: Settings) -> None:
        self._rules, self._settings = rules, settings
        self._targets = [*settings.targets, HOST]
        host = len(self._targets) - 1
        self._selection = Selection(settings.targets)
        self._places = {target.id: place for place, target in enumerate(self._targets)}
        self._bound = [
            (host,) if rule.each is None and not rule.target else own
            for rule, own in zip(rules, bindings(rules, settings.targets), strict=True)
        ]
        self._deeds = [list(deeds(rule)) for rule in rules]
        self._owns: list[list[int]] = [[] for _ in self._targets]
        self._guests: list[list[_Deed]] = [[] for _ in self._targets]
        for number, own in enumerate(self._bound):
            for place in own:
                self._owns[place].append(number)
            self._visit(number)

    def _visit(self, number: int) -> None:
        """Note the targets that a rule's steps name beside its own."""
        for step, hook in self._deeds[number] if self._bound[number] else ():
            if step.targets is not None:
                elsewhere = self._selection.of(step.targets.selector)
            else:
                elsewhere = (self._places[step.target],) if step.target in self._places else ()
            for place in elsewhere:
                self._guests[place].append((number, step.action, hook))

    def groups(self) -> list[Alike]:
        """The groups."""
        sorted_: dict[object, list[int]] = {}
        for place, target in enumerate(self._targets):
            key = (target.kind, target.organ, target.mode, tuple(self._owns[place]), tuple(self._guests[place]))
            sorted_.setdefault(key, []).append(place)
        return [self._alike(members) for members in sorted_.values()]

    def _alike(self, members: Sequence[int]) -> Alike:
        target = self._targets[members[0]]
        found: Counter[_Deed] = Counter(self._guests[members[0]])
        many = {number: len(self._bound[number]) for number, _, _ in found}
        for number in self._owns[members[0]]:
            for step, hook in self._deeds[number]:
                # A step that names a target nobody knows acts on the rule's own.
                if step.targets is None and step.target not in self._places:
                    found[number, step.action, hook] += 1
        could = tuple(
            Use(rule=self._rules[number], action=action, hook=hook, times=times, instances=many.get(number, 1))
            for (number, action, hook), times in sorted(found.items())
            if able(action, target.kind)
        )
        return Alike(
            targets=tuple(self._targets[place] for place in members),
            rules=tuple(self._rules[number] for number in self._owns[members[0]]),
            could=could,
            uses=tuple(use for use in could if _mode(use.rule, target, self._settings) >= Mode.APPROVE),
        )


def deeds(rule: Rule) -> Iterator[tuple[Step, bool]]:
    """Every step that touches something, wherever it is nested, and whether it belongs to a hook."""
    for steps, hook in ((rule.then, False), *((steps, True) for steps in rule.hooks.values())):
        for step in flattened(steps):
            if step.action not in QUIET_VERBS and step.action not in CONTROL:
                yield step, hook


def able(action: str, kind: str) -> bool:
    """Whether a verb can touch a kind of target; what is no verb we know might."""
    kinds = VERBS[action].kinds if action in VERBS else ("*",)
    return "*" in kinds or kind in kinds


def _mode(rule: Rule, target: Target, settings: Settings) -> Mode:
    modes = [settings.mode, settings.rules.default_mode if rule.mode is None else rule.mode]
    organ = rule.organ or target.organ
    if organ in settings.organs:
        modes.append(settings.organs[organ].mode)
    return strictest([*modes, target.mode])
