"""A container's own labels as a target: what they may say is little, and never more than the operator allows."""

from collections.abc import Mapping

from healer.config.targets import TARGET
from healer.model.mode import Mode, strictest
from healer.model.target import Target
from healer.yamldoc.mark import Problems
from healer.yamldoc.node import from_python
from healer.yamldoc.shape import Bad

ENABLE = "healer.enable=true"
FOUND = "found"
"""In the spec of a target that nobody declared; no key of a configuration can be called so."""
_PREFIX = "healer."
_KNOWN = ("enable", "organ", "groups", "mode")


def target_of(name: str, labels: Mapping[str, str], ceiling: Mode) -> tuple[Target | None, list[str]]:
    """The target that a container of this name asks to be, None where it cannot; and what was wrong with its labels.

    Labels are anybody's words: each is read by the shape its key has in organism.yaml, one that does not fit is left
    out with the target, and one that is not known (a command, say) is told and does nothing.
    """
    said = {key.removeprefix(_PREFIX): value.strip() for key, value in labels.items() if key.startswith(_PREFIX)}
    notes = [
        f"container {name[:100]}: the label {_PREFIX}{key[:60]} means nothing" for key in said if key not in _KNOWN
    ]
    keys: dict[str, object] = {"kind": "container", "name": name}
    if said.get("organ"):
        keys["organ"] = said["organ"]
    if groups := [group.strip() for group in said.get("groups", "").split(",") if group.strip()]:
        keys["groups"] = groups
    keys["mode"] = said.get("mode") or ceiling.word
    problems = Problems()
    try:
        read: Target = TARGET.read(from_python(keys, f"container {name[:100]}"), problems)
    except Bad:
        return None, [*notes, *(str(problem)[:300] for problem in problems.error("labels").problems)]
    return _found(read, strictest([read.mode, ceiling])), notes


def _found(read: Target, mode: Mode) -> Target:
    return Target(
        kind=read.kind, name=read.name, organ=read.organ, groups=read.groups, labels=read.labels, mode=mode,
        startup_grace=read.startup_grace, spec={**read.spec, FOUND: "labels"},
    )  # fmt: skip


def declared(target: Target) -> bool:
    """Whether somebody wrote it down."""
    return FOUND not in target.spec
