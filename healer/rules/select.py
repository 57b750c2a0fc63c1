"""Which targets a selector means: all criteria given must hold, and no criterion means nothing."""

from fnmatch import fnmatchcase

from healer.model.target import Target
from healer.rules.rule import Selector


def matches(selector: Selector, target: Target) -> bool:
    """Whether ``target`` is selected. An empty selection means nothing, never everything (law 9)."""
    criteria = [
        (bool(selector.kind), target.kind == selector.kind),
        (bool(selector.name), fnmatchcase(target.name, selector.name)),
        (bool(selector.organ), target.organ == selector.organ),
        (bool(selector.group), any(group in target.groups for group in selector.group)),
        (bool(selector.label), all(pair in target.labels for pair in selector.label)),
    ]
    if not any(given for given, _ in criteria) or not all(holds for given, holds in criteria if given):
        return False
    return not any(fnmatchcase(target.id, glob) or fnmatchcase(target.name, glob) for glob in selector.except_)
