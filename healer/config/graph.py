"""What targets require of each other: known, and without circles."""

from collections.abc import Iterator, Mapping, Sequence

from healer.model.target import Target
from healer.yamldoc.mark import Mark, Problems
from healer.yamldoc.shape import suggestion


def check(placed: Sequence[tuple[Target, Mark]], also: Sequence[str], problems: Problems) -> None:
    """Note targets declared twice, requirements that do not exist, and circles.

    ``also`` are ids of targets that could not be read: they exist, so nobody is told that they do not.
    """
    targets: dict[str, tuple[Target, Mark]] = {}
    for target, mark in placed:
        if target.id in targets:
            problems.add(mark, f"the target {target.id} is declared twice", f"first at {targets[target.id][1]}")
        else:
            targets[target.id] = (target, mark)
    groups = {group for target, _ in targets.values() for group in target.groups}
    for target, mark in targets.values():
        for need in target.requires:
            known = [f"group:{group}" for group in sorted(groups)] if need.startswith("group:") else [*targets, *also]
            if need not in known and not (also and need.startswith("group:")):
                problems.add(mark, f"{target.id} requires {need}, which is not declared", suggestion(need, known))
    _check_circles(
        {name: target for name, (target, _) in targets.items()}, {k: m for k, (_, m) in targets.items()}, problems
    )


def _needs(target: Target, targets: Mapping[str, Target]) -> Iterator[str]:
    """The ids it rests on; a group stands for its members."""
    for need in target.requires:
        if need.startswith("group:"):
            yield from (one.id for one in targets.values() if need.removeprefix("group:") in one.groups)
        elif need in targets:
            yield need


def _check_circles(targets: Mapping[str, Target], marks: Mapping[str, Mark], problems: Problems) -> None:
    done: set[str] = set()
    for start in targets:
        path = _circle(start, targets, done)
        if path:
            # The circle itself, without the way that led to it.
            path = path[path.index(path[-1]) :]
            problems.add(marks[path[0]], f"a circle of requirements: {' -> '.join(path)}", "remove one of them")


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
