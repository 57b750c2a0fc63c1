"""Requests about a target or a rule: each is posted, gated and sealed like anything the agent thinks of itself."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from healer.cli import configured, show
from healer.cli.client import Client, NoError
from healer.cli.settings import Command, settings
from healer.errors import ConfigError

_LOOK_AGAIN = 0.2
_NO_VERDICT = frozenset({"stale", "refused", "skipped"})
"""Outcomes that nobody verifies: nothing happened."""
wait_option = click.option(
    "--wait",
    type=click.FloatRange(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="Wait for the verdict; exit 1 if bad.",
)
mean_it = click.option("--i-mean-it", is_flag=True, help="Also where the target is vital to the host.")


@click.command(cls=Command)
@click.argument("action")
@click.argument("target", default="agent")
@click.argument("params", nargs=-1, metavar="[NAME=VALUE]...")
@mean_it
@wait_option
def act(*, action: str, target: str, params: tuple[str, ...], i_mean_it: bool, wait: float) -> int:
    """Ask for ACTION on TARGET (kind:name), with its parameters as in a rule: grace=5s."""
    given = settings()
    configured.plugins(Path(given.config) if given.config else None)
    args: dict[str, Any] = {"action": action, "params": _params(action, params)}
    if i_mean_it:
        args["i_mean_it"] = True
    return ask("act", target, args, wait=wait)


@click.command(cls=Command)
@click.argument("rule")
@click.argument("target", default="")
def trigger(*, rule: str, target: str) -> int:
    """Start RULE by hand (on TARGET, or wherever its condition holds)."""
    return ask("trigger", rule, {"target": target} if target else {})


@click.command(cls=Command)
@click.argument("subject")
def ack(*, subject: str) -> int:
    """Acknowledge a fault of SUBJECT (a target, a rule, RULE@TARGET) and re-arm it, and nothing else."""
    return ask("ack", subject)


@click.command(cls=Command)
@click.argument("target")
@wait_option
def initialize(*, target: str, wait: float) -> int:
    """Ask TARGET to initialize."""
    return ask("initialize", target, wait=wait)


@click.command(cls=Command)
@click.argument("target")
@wait_option
def start(*, target: str, wait: float) -> int:
    """Start TARGET."""
    return ask("run", target, wait=wait)


@click.command(cls=Command)
@click.argument("target")
@click.option("--hard", is_flag=True, help="At once, without its grace.")
@wait_option
def stop(*, target: str, hard: bool, wait: float) -> int:
    """Stop TARGET: stop signal, grace, then the whole tree is killed."""
    return ask("hard-stop" if hard else "soft-stop", target, wait=wait)


@click.command(cls=Command)
@click.argument("target")
@mean_it
@wait_option
def restart(*, target: str, i_mean_it: bool, wait: float) -> int:
    """Restart TARGET."""
    return ask("restart", target, {"i_mean_it": True} if i_mean_it else {}, wait=wait)


@click.command(cls=Command)
@click.argument("subject", default="agent")
def pause(*, subject: str) -> int:
    """Act on nothing (or not on SUBJECT: a target, organ:NAME, rule:ID) until resume; looking goes on."""
    return ask("pause", subject)


@click.command(cls=Command)
@click.argument("subject", default="agent")
def resume(*, subject: str) -> int:
    """End a pause of the agent (or of SUBJECT)."""
    return ask("resume", subject)


def ask(verb: str, subject: str, args: Mapping[str, Any] | None = None, *, wait: float = 0.0) -> int:
    """Post a request, print its answer, and its verdict where one is waited for."""
    given = settings()
    client = Client(given)
    found = client.request(verb, subject, args)
    if wait:
        found["healing"] = verdict(client, str(found["id"]), wait)
    if given.json:
        show.as_json(found)
    else:
        show.line(str(found["because"]))
    healing = found.get("healing")
    if healing is None:
        return 0
    if not given.json:
        show.line(f"{healing['verdict']}: {healing['verdict_because']} ({healing['healed_ms']:.0f} ms)")
    return 0 if healing["verdict"] == "verified" else 1


def verdict(client: Client, request: str, wait: float) -> dict[str, Any]:
    """The sealed verdict on what a request had done; raises NoError when there is none in time."""
    for _ in range(max(1, int(wait / _LOOK_AGAIN))):
        for healing in client.get("/healings", limit=100, all=1)["healings"]:
            if healing["request"] == request and (healing["verdict"] or healing["outcome"] in _NO_VERDICT):
                return dict(healing)
        time.sleep(_LOOK_AGAIN)
    raise NoError(f"no verdict within {wait:g} s", hint="healer healings")


def _params(action: str, pairs: tuple[str, ...]) -> dict[str, Any]:
    """Parameters read as a rule's would be; raises ConfigError telling every mistake."""
    from healer.model.verbs import VERBS
    from healer.model.vocabulary import METRICS
    from healer.rules.conditions import Condition
    from healer.rules.steps import Steps
    from healer.yamldoc import document
    from healer.yamldoc.mark import Problems
    from healer.yamldoc.shape import Bad

    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise click.UsageError(f"{wrong[0]!r} is no NAME=VALUE")
    own = [(name, value) for name, _, value in (pair.partition("=") for pair in pairs) if name != "timeout"]
    timeout = [value for name, _, value in (pair.partition("=") for pair in pairs) if name == "timeout"]
    inner = "".join(f"\n  {name}: {value}" for name, value in own) or " {}"
    words = f"{action}:{inner}\n" + "".join(f"timeout: {value}\n" for value in timeout)
    problems = Problems()
    try:
        step = document.text(words, Steps(VERBS, Condition(METRICS)), problems, name="parameters")
    except Bad:
        step = None
    if problems or step is None:
        raise problems.error("parameters") if problems else ConfigError(f"{action}: these parameters cannot be read")
    return {**_plain(step.params), "timeout": step.timeout}


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
        for name, value in params.items()
        if value is not None
    }
