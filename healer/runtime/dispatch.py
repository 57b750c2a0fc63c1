"""From a sealed intent to an effect and its outcome: the one place where the agent touches the world.

It takes a `SealedIntent`, never a decision; checks deadline, generation and kill switch once more with its own eyes;
and turns whatever happens, or does not, into an `Outcome`.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from healer.actions.interface import Action, Done, Order
from healer.clock import Clock
from healer.core.world import HOST
from healer.errors import ActionError, AmbiguousError, HealerError, SkippedError
from healer.model.decision import QUIET_VERBS, Decision, Outcome, Result, SealedIntent
from healer.model.target import Target

_log = logging.getLogger("healer.dispatch")

MARGIN = 10.0
"""Seconds past its own timeout after which an action that has not ended is given up as ambiguous."""
OUTPUT_CHARACTERS = 2000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Generation = Callable[[Target], str | None]
"""The incarnation of a target as its driver sees it now; None where the driver keeps none."""


class KillSwitch:
    """The file that stops everything: it works without database, network or a healthy loop.

    A file owned by root or by the agent's own user counts; anybody else's does not, so that a stranger who can write
    to the folder cannot stop the healing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on(self) -> bool:
        """Look at the file now. What cannot be looked at counts as thrown: fail closed."""
        try:
            return self._counts()
        except OSError:
            return True

    def _counts(self) -> bool:
        try:
            found = os.lstat(self.path)
        except FileNotFoundError:
            return False
        return found.st_uid in {0, os.geteuid()}

    def throw(self) -> None:
        """Put the file there, in place of one that does not count; raises HealerError."""
        fresh = self.path.with_name(f"{self.path.name}.new")
        try:
            # Not `on`: whoever may not even look has thrown nothing, and must not be told otherwise.
            if self._counts():
                return
            # Made beside and moved over: what lies there may be a stranger's file, or a link to somewhere else.
            fresh.unlink(missing_ok=True)
            fresh.touch(mode=0o644, exist_ok=False)
            fresh.replace(self.path)
        except OSError as exc:
            raise HealerError(f"cannot make {self.path}: {exc.strerror}", hint=f"touch {self.path} as root") from exc

    def take_away(self) -> None:
        """Remove the file; raises HealerError."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as exc:
            raise HealerError(f"cannot remove {self.path}: {exc.strerror}", hint=f"rm {self.path} as root") from exc


class Dispatch:
    """Carries sealed intents out, each in a task of the group it was given."""

    def __init__(
        self,
        *,
        actions: Mapping[str, Action],
        targets: Callable[[str], Target | None],
        generation: Generation,
        kill_switch: KillSwitch,
        clock: Clock,
        finished: Callable[[Outcome], None],
    ) -> None:
        self.actions = actions
        """By verb; replaced as a whole at a reload."""
        self._targets, self._generation = targets, generation
        self._kill_switch, self._clock, self._finished = kill_switch, clock, finished
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.stopping = False
        """Set when the agent stops: no new effect begins."""

    @property
    def running(self) -> tuple[str, ...]:
        """Ids of the intents whose effects are going on."""
        return tuple(self._tasks)

    def carry_out(self, intent: SealedIntent, group: asyncio.TaskGroup) -> None:
        """Begin the effect of a sealed intent; its end comes through ``finished``."""
        decision = intent.take()
        task = group.create_task(self._run(decision, intent.leaf), name=f"{decision.action} {decision.target}")
        self._tasks[decision.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(decision.id, None))

    async def drain(self, patience: float) -> None:
        """Let running effects end; those that do not within ``patience`` seconds are recorded as interrupted."""
        self.stopping = True
        tasks = list(self._tasks.values())
        if tasks:
            await asyncio.wait(tasks, timeout=patience)
        for task in list(self._tasks.values()):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=1.0)

    async def _run(self, decision: Decision, leaf: str) -> None:
        started = self._clock.now()
        try:
            outcome = await self._effect(decision, leaf, started)
        except asyncio.CancelledError:
            self._finish(decision, started, Result.INTERRUPTED, "the agent stopped while it was going on")
            raise
        self._finished(outcome)

    async def _effect(self, decision: Decision, leaf: str, started: float) -> Outcome:
        target = self._targets(decision.target)
        if target is None or (because := self._refusal(decision, target)):
            because = because if target else f"{decision.target} is not looked after any more"
            return self._outcome(decision, started, Result.STALE, because)
        action = self.actions.get(decision.action)
        if action is None:
            return self._outcome(decision, started, Result.REFUSED, f"no hand for {decision.action} here")
        order = Order(
            intent=leaf,
            target=target,
            params=decision.params,
            timeout=decision.timeout,
            generation=decision.generation,
            because=decision.because,
            rule=decision.rule,
            incident=decision.incident,
        )
        return await self._act(action, order, decision, started)

    def _refusal(self, decision: Decision, target: Target) -> str:
        """Say why the effect must not begin, as seen from here and now."""
        if self.stopping:
            return "the agent is stopping"
        if self._kill_switch.on():
            return f"the kill switch is on ({self._kill_switch.path})"
        if (late := self._clock.now() - decision.deadline) > 0:
            return f"its deadline passed {late:.1f} s ago"
        if target is HOST or decision.action in QUIET_VERBS:
            return ""
        now = self._generation(target)
        if now is not None and now != decision.generation:
            return f"{target.id} is another incarnation now ({decision.generation or 'none'} -> {now or 'none'})"
        return ""

    async def _act(self, action: Action, order: Order, decision: Decision, started: float) -> Outcome:
        try:
            async with asyncio.timeout(order.timeout + MARGIN):
                await action.prepare(order)
                if because := self._refusal(decision, order.target):  # it took its time, and the world went on
                    return self._outcome(decision, started, Result.STALE, because)
                done = await action.act(order)
        except TimeoutError:
            because = f"it did not end within {order.timeout:g} s and did not give up by itself"
            return self._outcome(decision, started, Result.AMBIGUOUS, because)
        except AmbiguousError as exc:
            return self._outcome(decision, started, Result.AMBIGUOUS, str(exc))
        except SkippedError as exc:
            return self._outcome(decision, started, Result.SKIPPED, str(exc))
        except ActionError as exc:
            result = Result.FAILED_TRANSIENT if exc.transient else Result.FAILED_PERMANENT
            return self._outcome(decision, started, result, str(exc))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - a hand's bug is not our end; what it did nobody can tell
            _log.error("action.crashed", extra={"action": decision.action, "target": decision.target}, exc_info=True)
            return self._outcome(decision, started, Result.AMBIGUOUS, f"the action crashed: {exc!r}")
        if not _sane(done):
            because = f"the action ended, but what it said of it makes no sense: {done!r}"
            return self._outcome(decision, started, Result.AMBIGUOUS, because)
        return self._outcome(decision, started, Result.DONE, done.because, done)

    def _finish(self, decision: Decision, started: float, result: Result, because: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closing; the next start folds it as interrupted
            self._finished(self._outcome(decision, started, result, because))

    def _outcome(
        self, decision: Decision, started: float, result: Result, because: str, done: Done | None = None
    ) -> Outcome:
        now = self._clock.now()
        output = done.output if done else b""
        return Outcome(
            id=decision.id,
            result=result,
            because=clean(because),
            at=now,
            took=now - started,
            rc=done.rc if done else None,
            generation=clean(done.generation) if done else "",
            output=clean(output.decode("utf-8", "replace")),
            output_sha256=hashlib.sha256(output).hexdigest() if output else "",
            undo=done.undo if done else {},
        )


def _sane(done: object) -> bool:
    """Whether an action's word about itself has the types it should have: a hand may come from anywhere."""
    return (
        isinstance(done, Done)
        and isinstance(done.because, str)
        and isinstance(done.generation, str)
        and isinstance(done.output, bytes)
        and isinstance(done.undo, Mapping)
        and (done.rc is None or isinstance(done.rc, int))
    )


def clean(text: str) -> str:
    """Make text of unknown origin safe to seal and to show: no control or bidirectional characters, capped."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)[:OUTPUT_CHARACTERS]
