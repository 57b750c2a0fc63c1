"""The parameters of an action: those somebody asks for are checked as strictly as a rule's, and names are filled in."""

from collections.abc import Callable, Mapping
from typing import Any

from healer.errors import HealerError, RefusedError
from healer.model import change, placeholders
from healer.model.verb import Param
from healer.model.verbs import VERBS

LONGEST = 86400.0
"""Seconds: the longest duration, and the longest timeout."""
MOST = 2**40
"""The largest size or count."""


def checked(action: str, given: object) -> dict[str, Any]:
    """Take parameters for a known action; raises RefusedError naming what is wrong with them.

    Durations are seconds and sizes are bytes here, as in a rule that was loaded. ``timeout`` may stand among them.
    """
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise RefusedError(f"the parameters of {action} are no object", hint="{NAME: VALUE}")
    declared = VERBS[action].params
    if unknown := sorted(str(name)[:60] for name in given if name not in declared and name != "timeout"):
        known = ", ".join(declared) or "none"
        raise RefusedError(f"{action} has no parameter {', '.join(unknown)}", hint=f"it has: {known}")
    made = {name: _one(action, name, param, given.get(name)) for name, param in declared.items()}
    if "timeout" in given:
        made["timeout"] = _refuse(f"{action}: timeout", _duration(given["timeout"]) or None, "seconds, at most a day")
    return {name: value for name, value in made.items() if value is not None}


def filled(action: str, params: Mapping[str, Any], bindings: Mapping[str, str]) -> Mapping[str, Any]:
    """Fill ``{event.NAME}`` and ``{capture.NAME}`` into the argument vectors of an action.

    Only whole arguments of a command are slots, and whole values that are sent beside a statement. Raises RefusedError
    for an unknown name, or an argument that is no plain name: the step is refused then, because an empty argument means
    something else to every command.
    """
    made = dict(params)
    for name, param in VERBS[action].params.items():
        if param.shape == "argv" and name in made:
            made[name] = placeholders.bound(made[name], bindings)
        if param.slots and name in made:
            made[name] = placeholders.slotted(made[name], bindings)
    return made


def _one(action: str, name: str, param: Param, value: Any) -> Any:  # noqa: ANN401 - JSON of any shape
    if value is None:
        if param.required:
            raise RefusedError(f"{action} needs {name}", hint=param.doc)
        return param.default
    if param.shape == "word":
        fits = value if isinstance(value, str) and value in param.words else None
        return _refuse(f"{action}: {name}", fits, f"one of: {', '.join(param.words)}")
    return _refuse(f"{action}: {name}", _SHAPES[param.shape](value), f"a {param.shape}: {param.doc}")


def fits(param: Param, value: object) -> bool:
    """Whether a value (None is none) has the shape that a parameter declares, and that shape is one there is."""
    if param.shape == "word":
        return bool(param.words) and (value is None or value in param.words)
    return param.shape in _SHAPES and (value is None or _SHAPES[param.shape](value) is not None)


def _refuse(what: str, value: Any, hint: str) -> Any:  # noqa: ANN401 - JSON of any shape
    if value is None:
        raise RefusedError(f"{what} is not what it takes", hint=hint)
    return value


def _duration(value: object) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= LONGEST else None  # type: ignore[operator, arg-type] # number says so


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and "\0" not in value else None


def _change(value: object) -> str | None:
    text = str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _text(value)
    try:
        change.parse(text or "")
    except HealerError:
        return None
    return text


def _texts(value: object) -> list[str] | None:
    return list(value) if isinstance(value, list | tuple) and all(_text(one) is not None for one in value) else None


def _argv(value: object) -> list[str] | None:
    words = _texts(value)
    return words if words and all(words) else None


def _counts(value: object) -> list[int] | None:
    return list(value) if isinstance(value, list | tuple) and all(_count(one) is not None for one in value) else None


def _mapping(value: object) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) and all(isinstance(name, str) for name in value) else None


_SHAPES: Mapping[str, Callable[[object], Any]] = {
    "string": _text,
    "duration": _duration,
    "size": _count,
    "count": _count,
    "flag": _flag,
    "argv": _argv,
    "strings": _texts,
    "counts": _counts,
    "mapping": _mapping,
    "change": _change,
}
SHAPES: tuple[str, ...] = (*_SHAPES, "word")
"""What a parameter can be."""
