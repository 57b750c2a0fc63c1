"""Run a command: argv without a shell, clean environment, own session and cgroup, output capped."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from healer.actions.interface import Action, Done, Order
from healer.drivers import argv, cgroups, commands
from healer.drivers.commands import Command, Ended
from healer.errors import ActionError, AmbiguousError
from healer.model.placeholders import stands_for_code
from healer.model.target import EMPTY

InUnit = Callable[[str, Command, float, float], Awaitable[Ended]]
"""Runs a command in a unit of its own: name, command, timeout, grace."""


class Run(Action):
    """What comes from outside fills whole arguments only, and only as a plain name."""

    verb = "run"
    kinds = ("*",)
    touches = "whatever the command touches"

    def __init__(self, groups: cgroups.Cgroups, in_unit: InUnit | None = None) -> None:
        self._groups = groups
        self._in_unit = in_unit

    async def act(self, order: Order) -> Done:
        """Run it; raises ActionError, or AmbiguousError when it was cut short and nobody can tell what it did."""
        params = order.params
        user = str(params.get("user") or "")
        who = argv.account(user) if user else None
        markers = {"HEALER_INTENT": order.intent, "HEALER_RULE": order.rule, "HEALER_TARGET": order.target.id}
        declared = {str(name): str(value) for name, value in (params.get("env") or EMPTY).items()}
        in_unit = bool(params.get("unit"))
        if in_unit and (self._in_unit is None or not order.intent):
            raise ActionError("there is no systemd to run it in a unit", transient=False)
        command = Command(
            argv=filled(params["argv"], order),
            env=argv.environment(declared, markers, who or argv.own_account()),
            markers={"HEALER_INTENT": order.intent} if order.intent else EMPTY,
            cwd=str(params.get("cwd") or "/"),
            who=who,
            most=int(params.get("max_output", 65536)),
            group=self._groups.make(f"run-{order.intent[:16]}") if order.intent and not in_unit else None,
            keep_daemons=bool(params.get("keep_daemons", True)),
        )
        grace = float(params.get("grace", 2.0))
        if in_unit and self._in_unit is not None:
            ended = await self._in_unit(f"healer-run-{order.intent[:16]}.service", command, order.timeout, grace)
        else:
            ended = await commands.run(command, timeout=order.timeout, grace=grace)
        return _judged(ended, order)

    def would(self, order: Order) -> str:
        """The sentence for a dry run."""
        try:
            return f"would run {' '.join(filled(order.params['argv'], order))!r}"
        except ActionError as exc:
            return f"would refuse: {exc}"


def filled(words: Sequence[str], order: Order) -> list[str]:
    """The argument vector with its slots filled; raises ActionError for a value or a place that is not safe.

    A slot is a whole argument: ``{target}``, ``{name}``, ``{kind}``, ``{rule}`` or ``{intent}``. Anything else in
    braces is literal. The command itself, and what an interpreter takes for code, are never slots.
    """
    slots: Mapping[str, str] = {
        "{target}": order.target.id,
        "{name}": order.target.name,
        "{kind}": order.target.kind,
        "{rule}": order.rule,
        "{intent}": order.intent,
    }
    made: list[str] = []
    for place, word in enumerate(words):
        if word not in slots:
            made.append(str(word))
            continue
        if stands_for_code(words, place):
            raise ActionError(f"{word} stands where code is expected", hint="write the command out", transient=False)
        made.append(argv.slot(slots[word]))
    return made


def _judged(ended: Ended, order: Order) -> Done:
    """An exit code as an outcome."""
    params = order.params
    last = _last_line(ended.output)
    if ended.timed_out:
        because = f"did not end within {order.timeout:g} s and was stopped{last}"
        if params.get("idempotent"):
            raise ActionError(because)
        raise AmbiguousError(because)
    code = ended.code
    if code in (params.get("ok") or (0,)):
        facts = {"output_size": ended.size, "output_sha256": ended.sha256, "left_killed": ended.killed}
        return Done(because=f"exited with {code}", rc=code, output=ended.output, facts=facts)
    if code in (params.get("ambiguous") or ()):
        raise AmbiguousError(f"exited with {code}{last}")
    if code is not None and code < 0:
        raise ActionError(f"was killed by signal {-code}{last}")
    raise ActionError(f"exited with {code}{last}", transient=code not in (params.get("permanent") or (78,)))


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last[:200]}" if last else ""
