"""Which targets a selector means: all criteria given must hold, and no criterion means nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from healer.model.target import State, Target
from healer.rules.rule import Selection, Selector


def matches(selector: Selector, target: Target) -> bool:
    """Whether ``target`` is selected, whatever its state. An empty selection means nothing, never everything (law 9).

    A rule is bound to its targets by this; a state is asked about when the rule fires.
    """
    criteria = [
        (bool(selector.kind), target.kind == selector.kind),
        (bool(selector.name), fnmatchcase(target.name, selector.name)),
        (bool(selector.organ), target.organ == selector.organ),
        (bool(selector.group), any(group in target.groups for group in selector.group)),
        (bool(selector.label), all(pair in target.labels for pair in selector.label)),
        (selector.all_, True),
    ]
    if not any(given for given, _ in criteria) or not all(holds for given, holds in criteria if given):
        return False
    return not any(fnmatchcase(target.id, glob) or fnmatchcase(target.name, glob) for glob in selector.except_)


def chosen(
    selection: Selection, targets: Mapping[str, Target], state: Callable[[str], State], action: str
) -> tuple[str, ...]:
    """Ids of the targets that a step means now, in the order in which it is to act on them.

    ``state`` says where a target is in its life. ``targets`` are all there are, in the order of their declaration.
    """
    wanted = selection.selector.state
    found = [
        target.id
        for target in targets.values()
        if target.kind != "host"
        and matches(selection.selector, target)
        and (not wanted or state(target.id).value == wanted)
    ]
    order = selection.order
    if order == "auto":
        order = "backward" if action == "stop" else "forward"
    if order == "declared":
        return tuple(found)
    forward = by_requirement(found, targets)
    return forward if order == "forward" else forward[::-1]


def by_requirement(names: Sequence[str], targets: Mapping[str, Target]) -> tuple[str, ...]:
    """What others rest on before them, also where what lies between is not among the names; else as given.

    A circle (the configuration has none) leaves its members in the order given.
    """
    wanted, made, seen = set(names), dict[str, None](), set[str]()
    for name in names:
        path = [(name, iter(_needs(name, targets)))]
        seen.add(name)
        while path:
            here, needs = path[-1]
            need = next((one for one in needs if one not in seen), None)
            if need is not None:
                seen.add(need)
                path.append((need, iter(_needs(need, targets))))
                continue
            path.pop()
            if here in wanted:
                made.setdefault(here)
    return tuple(made)


def _needs(name: str, targets: Mapping[str, Target]) -> Iterable[str]:
    """The ids it rests on; a group stands for its members."""
    for need in targets[name].requires if name in targets else ():
        if need.startswith("group:"):
            group = need.removeprefix("group:")
            yield from (one.id for one in targets.values() if group in one.groups and one.id != name)
        else:
            yield need
