"""``healer status``: what the agent sees."""

from collections.abc import Mapping
from typing import Any

import click

from healer.cli import show
from healer.cli.client import Client, NotReachableError
from healer.cli.settings import Command, Settings, settings

Status = Mapping[str, Any]
_WARN, _CRITICAL = 80.0, 60.0


@click.command(cls=Command)
@click.option("--nagios", is_flag=True, help="One line and an exit code (0-3) for monitoring systems.")
def status(*, nagios: bool) -> int:
    """Show what the agent sees: harmony, organs, targets, incidents, brakes, log."""
    given = settings()
    if nagios:
        return _nagios(given)
    found = Client(given).get("/status")
    if given.json:
        show.as_json(found)
    else:
        page(given, found)
    return 0


def page(given: Settings, found: Status) -> None:
    """The whole of it on one screen."""
    show.line(
        f"healer {found['version']} on {found['node']}: {found['state']} for {show.ago(found['uptime'])}, "
        f"mode {found['mode']}, profile {found['profile']}"
    )
    for text in brakes(found):
        show.line(f"! {text}")
    harmony(found)
    show.line()
    organs(given, found)
    if found["targets"]:
        show.line()
        targets(given, found)
    if found["incidents"]:
        show.line()
        incidents(given, found["incidents"])
    if found.get("drivers"):
        show.line()
        drivers(given, found["drivers"])
    show.line()
    footer(found)


def brakes(found: Status) -> list[str]:
    """What keeps the agent from healing."""
    said = []
    if found["kill_switch"]:
        said.append("the kill switch is on: nothing is done (healer resume-healing)")
    if found["safe_mode"]:
        said.append(f"safe mode: {found['safe_mode']} (healer resume-healing)")
    said += [
        f"maintenance {one['id']}: {one['reason']} ({show.ago(one['left'])} left)"
        for one in found["maintenance"]
        if one.get("open", True)
    ]
    said += [
        f"{one['action']} of {one['target']} waits for a yes: healer approve {one['id']} ({show.ago(one['left'])} left)"
        for one in found.get("approvals", ())
    ]
    said += [
        f"breaker of {one['action']} on {one['target']} open (healer ack {one['target']})" for one in found["breakers"]
    ]
    said += [
        f"{one['action']} of {one['target']} could not be put back (healer ack {one['target']})"
        for one in found.get("changes", ())
        if one["stuck"]
    ]
    said += [
        f"{one['action']} of every {one['kind']} is skipped after {one['errors']} errors: {one['because']}"
        for one in found.get("errors", ())
        if one["skipping"]
    ]
    said += [
        f"channel {one['name']} is skipped after {one['errors']} errors, one more try in {show.ago(one['retry_in'])}: "
        f"{one['because']}"
        for one in found.get("channels", ())
        if one["skipping"]
    ]
    said += [f"{target} is flapping: nothing takes it down until it is steady" for target in found.get("flapping", ())]
    said += [
        f"cures of {' and '.join(one['rules'])} took turns on {one['target']}: held (healer ack {one['target']})"
        for one in found.get("oscillations", ())
    ]
    return [*said, *map(str, found.get("degraded", ()))]


def harmony(found: Status) -> None:
    """The number and what takes the most from it."""
    show.line(
        f"harmony {show.whole(found['harmony'])} of 100   balance {show.whole(found['balance'])}   "
        f"energy {show.whole(found['energy'])}"
    )
    for one in found["deductions"]:
        show.line(f"  -{one['points']:.1f} {one['vital']}: {one['because']}")


def organs(given: Settings, found: Status) -> None:
    """The seven."""
    rows = []
    for organ in found["organs"]:
        known = [one for one in organ["vitals"] if one["score"] is not None]
        worst = min(known, key=lambda one: one["score"], default=None)
        vital = "-" if worst is None else f"{worst['id']} {_value(worst['value'])}"
        rows.append((organ["name"], organ["health"], show.whole(organ["score"]), vital))
    show.table(given, ("ORGAN", "HEALTH", "SCORE", "LOWEST VITAL"), rows)


def _value(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def targets(given: Settings, found: Status) -> None:
    """What is looked after."""
    rows = [
        (one["id"], one["organ"], one["state"], one["health"], show.ago(one["age"]), one["because"])
        for one in found["targets"]
    ]
    show.table(given, ("TARGET", "ORGAN", "STATE", "HEALTH", "SEEN", "BECAUSE"), rows)


def incidents(given: Settings, found: list[Status]) -> None:
    """What is being treated."""
    rows = [
        (one["rule"], one["target"], one["phase"], show.ago(one["age"]), one["attempt"], one["because"])
        for one in found
    ]
    show.table(given, ("RULE", "TARGET", "PHASE", "OPEN FOR", "ATTEMPT", "BECAUSE"), rows)


def drivers(given: Settings, found: list[Status]) -> None:
    """The connections to other systems."""
    rows = [(one["name"], one["state"], show.ago(one["age"]), one["reconnects"], _why(one)) for one in found]
    show.table(given, ("DRIVER", "STATE", "FOR", "RECONNECTS", "BECAUSE"), rows)


def _why(driver: Status) -> str:
    again = driver["again_in"]
    return str(driver["because"] or driver["version"]) + (f"; again in {show.ago(again)}" if again else "")


def footer(found: Status) -> None:
    """Counts, log and listeners."""
    counts, log = found["counts"], found["log"]
    verdicts = ", ".join(f"{number} {word}" for word, number in sorted(counts["verdicts"].items())) or "none yet"
    show.line(f"{counts['rules']} rules, {counts['sensors']['all']} sensors ({counts['sensors']['blind']} blind)")
    show.line(f"verdicts so far: {verdicts}")
    if coming := found.get("scheduled"):
        show.line(f"the calendar starts {coming['rule']} in {show.ago(coming['in'])}")
    show.line(sealed(log))
    show.line(f"listening at {', '.join(found['listeners']) or 'nothing'}; state in {found['state_dir']}")


def sealed(log: Status) -> str:
    """The log on one line: how far it goes, what is proven of it, who vouches for it, and what is wrong."""
    height = "no block" if log["height"] is None else f"block {log['height']}"
    parts = [f"{height}, {log['entries']} entries, head {str(log['head'])[:16]}", _proof(log)]
    if (witnessed := log.get("witnessed")) is not None:
        parts += witnesses(witnessed)
    parts += [f"ANCHOR NOT WRITTEN: {because}" for because in log["anchor_problems"]]
    if not log["sealing"]:
        parts.append(f"SEALING FAILED: {log['because']}")
    return f"log: {'; '.join(parts)}"


def _proof(log: Status) -> str:
    if not log["verified"]:
        return f"NOT verified: {log['verified_summary']}"
    because = log.get("level_because")
    return f"{log.get('level', '')} verified {show.ago(log['verified_age'])} ago" + (f" ({because})" if because else "")


def witnesses(found: Status) -> list[str]:
    """How far others vouch for the log, and since when."""
    parts = []
    if found["height"] is not None:
        ago = "" if found["age"] is None else f" {show.ago(found['age'])} ago"
        parts.append(f"witnessed up to block {found['height']}{ago}")
    if not found["reached"]:
        parts.append(f"NOT witnessed now: {found['because'] or 'nobody can be asked'}")
    if (dated := found["dated"]) is not None:
        at = "NOT dated" if dated["age"] is None else f"dated {show.ago(dated['age'])} ago"
        parts.append(f"{at}: {dated['because']}" if dated["because"] else at)
    parts += [f"CONTRADICTED by witness {one['witness']}: {one['because']}" for one in found["contradictions"]]
    return parts


def _nagios(given: Settings) -> int:
    """As monitoring plugins do: one line, figures after a bar, exit 0 ok, 1 warning, 2 critical, 3 unknown."""
    try:
        client = Client(given)
        found, health = client.get("/status"), client.get("/health")
    except NotReachableError as exc:
        show.line(f"HEALER CRITICAL - {exc.message}")
        return 2
    value = found["harmony"]
    code = {"pass": 0, "warn": 1, "fail": 2}.get(health["status"], 3)
    if value is None:
        code = max(code, 3)
    elif value < _WARN:
        code = max(code, 2 if value < _CRITICAL else 1)
    word = ("OK", "WARNING", "CRITICAL", "UNKNOWN")[code]
    because = "; ".join(health["because"]) or "; ".join(
        f"{one['vital']} -{one['points']}" for one in found["deductions"]
    )
    text = f"harmony {show.whole(value)}" + (f", {because}" if because and code else "")
    number = "U" if value is None else f"{value:.1f}"
    bad = found["counts"]["targets"].get("failed", 0)
    show.line(
        f"HEALER {word} - {text.replace('|', '/')} | harmony={number};{_WARN:.0f}:;{_CRITICAL:.0f}:;0;100 failed={bad}"
    )
    return code
