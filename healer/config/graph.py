"""What targets require of each other: known, and without circles."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from healer.model.target import EMPTY, Target
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.shape import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A target, and where it was written."""

    target: Target
    mark: Mark
    """Of its name."""
    needs: Mapping[str, Mark] = field(default_factory=lambda: EMPTY)
    """Of each of its requirements, where they have a place of their own."""


def check(placed: Sequence[Placed], also: Sequence[str], problems: Problems) -> None:
    """Note targets declared twice, requirements that do not exist, and circles.

    ``also`` are ids of targets that could not be read: they exist, so nobody is told that they do not.
    """
    targets: dict[str, Placed] = {}
    for one in placed:
        first = targets.setdefault(one.target.id, one)
        if first is not one:
            problems.add(one.mark, f"the target {one.target.id} is declared twice", f"first at {first.mark}")
    groups = {group for one in targets.values() for group in one.target.groups}
    for one in targets.values():
        for need in one.target.requires:
            known = [f"group:{group}" for group in sorted(groups)] if need.startswith("group:") else [*targets, *also]
            if need not in known and not (also and need.startswith("group:")):
                what = f"{one.target.id} requires {need}, which is not declared"
                problems.add(one.needs.get(need, one.mark), what, suggestion(need, known))
        check = one.target.spec.get("config_check")
        if check and check not in (*targets, *also):
            what = f"{one.target.id} has its configuration tested by {check}, which is not declared"
            problems.add(one.mark, what, suggestion(check, targets))
    _check_circles(targets, problems)


def _needs(target: Target, targets: Mapping[str, Target]) -> Iterator[str]:
    """The ids it rests on; a group stands for its members."""
    for need in target.requires:
        if need.startswith("group:"):
            yield from (one.id for one in targets.values() if need.removeprefix("group:") in one.groups)
        elif need in targets:
            yield need


def _check_circles(placed: Mapping[str, Placed], problems: Problems) -> None:
    targets = {name: one.target for name, one in placed.items()}
    done: set[str] = set()
    for start in targets:
        path = _circle(start, targets, done)
        if path:
            # The circle itself, without the way that led to it.
            path = path[path.index(path[-1]) :]
            problems.add(placed[path[0]].mark, f"a circle of requirements: {' -> '.join(path)}", "remove one of them")


def _circle(start: str, targets: Mapping[str, Target], done: set[str]) -> list[str]:
    """A path from ``start`` that comes back onto itself, or nothing; without recursion, as chains are long."""
    path: list[str] = []
    waiting: list[tuple[str, Iterator[str]]] = []
    if start not in done:
        path.append(start)
        waiting.append((start, _needs(targets[start], targets)))
    while waiting:
        name, needs = waiting[-1]
        need = next(needs, None)
        if need is None:
            done.add(name)
            waiting.pop()
            path.pop()
        elif need in path:
            done.update(path)
            return [*path, need]
        elif need not in done:
            path.append(need)
            waiting.append((need, _needs(targets[need], targets)))
    return []
