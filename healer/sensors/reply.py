"""Read the JSON that an http or command target answers with: its state, its error, its message, its numbers."""

import json
from collections.abc import Mapping
from typing import Any

from healer.errors import SensorError
from healer.model.observation import labels
from healer.sensors.sane import Sieve

MOST_METRICS = 64
"""Numbers taken from one reply: each is a series that is kept."""


def parse(body: bytes) -> object:
    """Read JSON; raises SensorError where it is none (NaN and infinities are none)."""
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as exc:
        raise SensorError(f"the reply is no JSON: {type(exc).__name__}") from exc


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def find(document: object, path: str) -> object:
    """Follow ``a.b.0.c`` through objects and lists; None where it leads nowhere."""
    for step in path.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(document):
            document = document[int(step[:9])]
        else:
            return None
    return document


def failed(value: object) -> bool | None:
    """Whether the error field says that there is an error: a flag, a text or a list that is not empty, a number not 0.

    None where the field is not there.
    """
    if isinstance(value, str):
        return value.strip().lower() not in ("", "0", "false", "no", "none", "ok", "null")
    if value is None:
        return None
    return bool(value)


def tell(sieve: Sieve, kind: str, document: object, paths: Mapping[str, Any]) -> bool | None:
    """Add what the mapping names as ``KIND.state`` and so on; tells whether there is an error, None if nothing says."""
    wrong: bool | None = None
    if paths.get("state"):
        _word(sieve, f"{kind}.state", find(document, paths["state"]), paths["state"])
    if paths.get("error"):
        wrong = failed(find(document, paths["error"]))
        if wrong is None:
            sieve.unknown(f"{kind}.error", f"the reply has no '{paths['error']}'")
        else:
            sieve.number(f"{kind}.error", wrong)
    if paths.get("message"):
        _word(sieve, f"{kind}.message", find(document, paths["message"]), paths["message"])
    return wrong


def numbers(document: object, paths: Mapping[str, Any]) -> dict[str, object]:
    """The numbers the mapping names: ``metrics`` by their names, ``value`` as ``value``."""
    found = {name: find(document, path) for name, path in (paths.get("metrics") or {}).items()}
    if paths.get("value"):
        found["value"] = find(document, paths["value"])
    return found


def tell_numbers(sieve: Sieve, kind: str, target: str, found: Mapping[str, object]) -> None:
    """Add further numbers, each a series with its name."""
    for name in list(found)[:MOST_METRICS]:
        sieve.number(f"{kind}.metric", found[name], labels(target=target, name=str(name)[:100]))


def _word(sieve: Sieve, metric: str, value: object, path: str) -> None:
    if value is None:
        sieve.unknown(metric, f"the reply has no '{path}'")
    elif isinstance(value, bool):
        sieve.word(metric, "true" if value else "false")
    elif isinstance(value, int | float):
        sieve.word(metric, f"{value:.15g}" if isinstance(value, float) else str(value)[:40])
    else:
        sieve.word(metric, value)
