"""Which rule files a configuration names."""

import fnmatch
from pathlib import Path

from healer import shipped
from healer.config.values import Rules
from healer.errors import ConfigError

SHIPPED = "shipped"
"""The word for the rules that ship with the agent."""
_LEFTOVERS = ("*~", ".*", "*.dpkg-*", "*.rpmsave", "*.rpmnew", "*.swp")


def rule_files(rules: Rules) -> tuple[Path, ...]:
    """The files in the order they are loaded: pattern by pattern, each in lexical order, none twice.

    Raises ConfigError where a pattern matches nothing: an empty or unreadable folder is not the wish for no rules.
    ``files: []`` is that wish.
    """
    if rules.files is None:
        return _matching(shipped.path("rules"), "*.yaml")
    found: dict[Path, None] = {}
    problems = []
    for pattern in rules.files:
        matched = _matching(shipped.path("rules"), "*.yaml") if pattern == SHIPPED else _expanded(rules.base, pattern)
        found.update(dict.fromkeys(matched))
        if not matched:
            problems.append(f"{rules.place}: nothing matches '{pattern}' (looked in {rules.base})")
    if problems:
        raise ConfigError(problems[0], problems=tuple(problems))
    return tuple(found)


def _expanded(base: Path, pattern: str) -> tuple[Path, ...]:
    path = Path(pattern)
    if not any(char in pattern for char in "*?["):
        # Named outright: a missing one is reported by its reader, with the path that was looked for.
        return (base / path,)
    root, relative = (Path("/"), pattern.lstrip("/")) if path.is_absolute() else (base, pattern)
    return _matching(root, relative)


def _matching(root: Path, pattern: str) -> tuple[Path, ...]:
    names = sorted(path for path in root.glob(pattern) if not path.is_dir())
    return tuple(path for path in names if not any(fnmatch.fnmatch(path.name, left) for left in _LEFTOVERS))
