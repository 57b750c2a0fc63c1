"""``HEALER_SECTION__KEY``: any key of the configuration, set by the environment."""

import difflib
from collections.abc import Iterable, Mapping

from healer.yamldoc.compose import compose
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.node import BROKEN, Entry, Items, Node, Scalar, Table, kind

PREFIX = "HEALER_"
# Said on the command line's behalf, or given to children: never keys of the configuration.
_OTHERS = {
    "CONFIG",
    "STATE_DIR",
    "LOG_LEVEL",
    "INTENT",
    "PROGRAM",
    "RULE",
    "TARGET",
    "INCIDENT",
    "CACHE",
    "REQUIRE_REAL",
}


def chosen(environ: Mapping[str, str], sections: Iterable[str]) -> dict[str, str]:
    """The variables that speak of the configuration, by name, in order.

    Those with ``__`` all do; of the others, the ones that name a section or very nearly do (a typing mistake must not
    pass in silence, and a stranger's variable must not stop the agent).
    """
    known = list(sections)
    found = {}
    for name in sorted(environ):
        rest = name.removeprefix(PREFIX)
        if rest == name or rest in _OTHERS:
            continue
        if "__" in rest or difflib.get_close_matches(rest.lower(), known, n=1, cutoff=0.75):
            found[name] = environ[name]
    return found


def apply(root: Node, variables: Mapping[str, str], problems: Problems) -> Node:
    """The document with each variable's value (YAML) in its place; mistakes are told by the variable's name."""
    for name, text in variables.items():
        path = [part for part in name.removeprefix(PREFIX).lower().split("__") if part]
        before = len(problems.found)
        value = compose(text, name, problems)
        if value is None:
            told = len(problems.found) > before
            value = Scalar(mark=Mark(file=name), value=BROKEN if told else None, text="")
        root = _put(root, path, value, name, problems)
    return root


def _put(node: Node, path: list[str], value: Node, name: str, problems: Problems) -> Node:
    if not path:
        return value
    if isinstance(node, Items):
        return _put_item(node, path, value, name, problems)
    mark = Mark(file=name)
    if isinstance(node, Scalar):
        if node.value is not None:
            problems.add(mark, f"there is {kind(node)} where '{path[0]}' would go", f"see {node.mark}")
            return node
        node = Table(mark=mark, entries=())
    held = node.get(path[0])
    inner = held.node if held else Scalar(mark=mark, value=None, text="")
    entry = Entry(key=path[0], mark=held.mark if held else mark, node=_put(inner, path[1:], value, name, problems))
    if held:
        return Table(mark=node.mark, entries=tuple(entry if one is held else one for one in node.entries))
    return Table(mark=node.mark, entries=(*node.entries, entry))


def _put_item(node: Items, path: list[str], value: Node, name: str, problems: Problems) -> Node:
    place = path[0]
    if not place.isdecimal() or int(place[:6]) >= len(node.items):
        hint = f"a number from 0 to {len(node.items) - 1}" if node.items else "the list is empty"
        problems.add(Mark(file=name), f"'{place}' is not an item of the list", hint)
        return node
    index = int(place)
    changed = _put(node.items[index], path[1:], value, name, problems)
    return Items(mark=node.mark, items=(*node.items[:index], changed, *node.items[index + 1 :]))
