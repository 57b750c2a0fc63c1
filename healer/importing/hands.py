"""What other supervisors do to a service, as steps: a service is a unit there; what may touch it is looked up."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from healer.importing import secrets
from healer.importing.harvest import Harvest, Made, name
from healer.model.verbs import VERBS
from healer.yamldoc.mark import Mark

SHELL = re.compile(r"[|&;<>`]|\$[({A-Za-z_]|\n")
_SYSTEMCTL = "/usr/bin/systemctl"


def argv(harvest: Harvest, text: str | Sequence[str], mark: Mark, hint: str) -> tuple[list[str], str]:
    """A command as an argument vector, and why it cannot be one (empty where it can)."""
    whole = text if isinstance(text, str) else shlex.join(text)
    clean, secret = secrets.without(harvest, whole, mark, hint)
    if secret:
        return [], "it holds a secret: let the command read a file"
    if isinstance(text, str) and SHELL.search(text):
        return [], "it needs a shell, and there is none: write a script"
    try:
        words = shlex.split(clean)
    except ValueError as exc:
        return [], str(exc)
    return (words, "") if words else ([], "it is empty")


def service(harvest: Harvest, called: str, mark: Mark) -> str:
    """The target for a service named elsewhere: a systemd unit where one can be touched, else a process of its name."""
    if "unit" in VERBS["restart"].kinds:
        unit = called if "." in called else f"{called}.service"
        return harvest.target(Made(body={"kind": "unit", "name": name(unit)}, mark=mark))
    stem = called.removesuffix(".service")
    return harvest.target(Made(body={"kind": "process", "name": name(stem), "process": stem}, mark=mark))


def touch(verb: str, target: str) -> dict[str, Any]:
    """Start, stop or restart a service: by the verb where it can, else by systemctl; proved by its being up."""
    kind, _, called = target.partition(":")
    up = f'{kind}.up{{target="{target}"}} == {0 if verb == "stop" else 1}'
    if kind in VERBS[verb].kinds:
        step: dict[str, Any] = {verb: {}}
    else:
        step = {"run": {"argv": [_SYSTEMCTL, verb, f"{called}.service"]}}
    return {**step, "target": target, "timeout": "1m", "verify": {"when": up, "within": "1m"}}


def headers(harvest: Harvest, given: Mapping[str, Any], mark: Mark, hint: str) -> dict[str, Any]:
    """Headers of a request; a secret becomes a reference."""
    made: dict[str, Any] = {}
    for key, value in given.items():
        if secrets.is_secret(key) or secrets.without(Harvest(), str(value), mark, hint)[1]:
            named = harvest.credential(f"{hint}-{key}", str(value))
            harvest.changed(mark, f"the value of the header {key}", f"secrets are named: {{credential: {named}}}")
            made[key] = {"credential": named}
        else:
            made[key] = str(value)
    return made


def concealed(harvest: Harvest, value: Any, mark: Mark, hint: str) -> Any:  # noqa: ANN401 - data of any form
    """Data without its secrets: by how the keys are called, and by what stands in the texts."""
    if isinstance(value, Mapping):
        made = {}
        for key, held in value.items():
            if isinstance(held, str) and held and secrets.is_secret(str(key)):
                named = harvest.credential(f"{hint}-{key}", held)
                harvest.left(mark, f"{hint}: {key}", f"a secret, called {named} now; data cannot hold one")
            else:
                made[key] = concealed(harvest, held, mark, f"{hint}-{key}")
        return made
    if isinstance(value, list):
        return [concealed(harvest, one, mark, hint) for one in value]
    return secrets.without(harvest, value, mark, hint)[0] if isinstance(value, str) else value
