"""Requests of people and programs: each is answered, sealed, and gated like anything the agent thinks of itself."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from healer.core.hearing import check_data, check_topic
from healer.core.params import checked
from healer.core.world import HOST
from healer.errors import RefusedError
from healer.model.mode import Mode
from healer.model.organism import ORGANS
from healer.model.request import Request
from healer.model.target import State, Target, check_move
from healer.model.verbs import VERBS

if TYPE_CHECKING:
    from healer.core.core import Core

_MOVES = {
    "run": ("start", State.STARTING),
    "initialize": ("start", State.INITIALIZING),
    "soft-stop": ("stop", State.SOFT_STOPPING),
    "hard-stop": ("stop", State.HARD_STOPPING),
    "restart": ("restart", State.STARTING),
}
"""Commands that are effects on a target: the verb that does it, and the state they ask to enter."""


class Asking:
    """The part of the core that answers requests."""

    def __init__(self, core: "Core") -> None:
        self._core = core
        self._answers: dict[str, Callable[[Request], str]] = {
            "act": self._act,
            "trigger": self._trigger,
            "ack": self._ack,
            "approve": core.approving.approve,
            "deny": core.approving.deny,
            "pause": self._pause,
            "resume": self._resume,
            "stop-healing": self._stop_healing,
            "resume-healing": self._resume_healing,
            "maintenance-add": core.windows.add,
            "maintenance-end": core.windows.end,
            "set-mode": self._set_mode,
            "enable-rule": lambda request: self._switch(request, on=True),
            "disable-rule": lambda request: self._switch(request, on=False),
            "event": self._event,
            "log-event": self._log_event,
            "rebalance": self._rebalance,
            "reflect": lambda _: "reflecting",
            "notify": self._notify,
            **dict.fromkeys(_MOVES, self._move),
        }

    def take(self, request: Request) -> None:
        """Answer one request; the answer is an entry of the log and a word on the bus."""
        desk = self._core.desk
        try:
            answer, because = "accepted", self._answer(request)
            args = check_data(request.args)
        except RefusedError as refused:
            answer, because = "refused", str(refused)
            args = _readable(request.args)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as exc:
            # Arguments come from outside in any form; what cannot be understood is refused, and ends nothing.
            answer, because = "refused", f"its arguments cannot be understood: {str(exc)[:200]}"
            args = _readable(request.args)
        desk.note(
            "request",
            "request.answered",
            id=str(request.id),
            verb=str(request.verb),
            who=str(request.who),
            args={"subject": str(request.subject), **args},
            answer=answer,
            because=because,
        )

    def _answer(self, request: Request) -> str:
        handler = self._answers.get(request.verb)
        if handler is None:
            raise RefusedError(f"unknown request {request.verb!r}", hint=f"one of: {', '.join(sorted(self._answers))}")
        return handler(request)

    # Effects --------------------------------------------------------------------------------------------------

    def _target(self, request: Request) -> Target:
        target = self._core.world.targets.get(request.subject)
        if target is None:
            known = ", ".join(sorted(self._core.world.targets)) or "none"
            raise RefusedError(f"no target {request.subject!r}", hint=f"known targets: {known}")
        return target

    def _act(self, request: Request) -> str:
        action = str(request.args.get("action", ""))
        verb = VERBS.get(action)
        if verb is None:
            raise RefusedError(f"no action {action!r}", hint=f"one of: {', '.join(sorted(VERBS))}")
        target = HOST if request.subject in {"", "agent", HOST.id} and not verb.needs_target else self._target(request)
        return self._obey(request, action, target, checked(action, request.args.get("params")))

    def _obey(self, request: Request, action: str, target: Target, params: dict[str, object]) -> str:
        kinds = VERBS[action].kinds
        if "*" not in kinds and target.kind not in kinds:
            raise RefusedError(f"{action} does not apply to a {target.kind}", hint=f"it does to: {', '.join(kinds)}")
        refused = self._core.acting.obey(request, action, target, params)
        if refused:
            raise RefusedError(f"withheld by {refused}")
        return f"{action} of {target.id} goes ahead"

    def _move(self, request: Request) -> str:
        """A command that moves a target through its states; an illegal move is refused by name."""
        if request.subject == "agent":
            raise RefusedError(f"{request.verb} of the agent itself is its service manager's to do")
        target = self._target(request)
        action, to = _MOVES[request.verb]
        check_move(target.id, self._core.state(target.id), to)
        params: dict[str, object] = {"grace": 0.0} if request.verb == "hard-stop" else {}
        return self._obey(request, action, target, params)

    def _trigger(self, request: Request) -> str:
        found = [one for one in self._core.instances.values() if one.rule.id == request.subject]
        if not found:
            raise RefusedError(f"no rule {request.subject!r} with a target", hint="healer rules list")
        wanted = request.args.get("target")
        chosen = [one for one in found if wanted is None or wanted == one.target.id]
        opened = [one for one in chosen if self._core.incidents.trigger(one)]
        if not opened:
            raise RefusedError(
                f"rule {request.subject} was not triggered",
                hint="it is switched off, its condition is not true, or its incident is open already",
            )
        if spent := [f"{one.target.id}: {one.spent}" for one in opened if one.spent]:
            raise RefusedError(f"rule {request.subject} was triggered, and came to nothing: {'; '.join(spent)}"[:1000])
        return f"triggered for {', '.join(one.target.id for one in opened)}"

    # Acknowledging, pausing -----------------------------------------------------------------------------------

    def _ack(self, request: Request) -> str:
        """Clear a fault and re-arm this rule or target, and no other."""
        core, memory = self._core, self._core.desk.memory
        subject = request.subject
        keys = [key for key, one in memory.incidents.items() if subject in {one.target, one.rule, key}]
        breakers = [key for key, one in memory.breakers.items() if one.open and key.partition("@")[2] == subject]
        let_go = core.holding.let_go(subject, f"acknowledged by {request.who}")
        let_go = core.undoing.try_again(subject, f"acknowledged by {request.who}") or let_go
        if core.world.targets.get(subject) is None and not keys and not request.args.get("alert"):
            raise RefusedError(
                f"nothing called {subject!r} to acknowledge", hint="a target id, a rule id, or RULE@TARGET"
            )
        because = f"acknowledged by {request.who}"
        given_up = [key for key in keys if memory.incidents[key].phase == "given-up"]
        for key in breakers:
            core.desk.move(f"breaker:{key}", "open", "closed", because, topic="state.changed")
        closed = [memory.incidents[key] for key in given_up]
        for key in given_up:
            core.incidents.close(key, because)
        for target in {one.target for one in closed} | {subject}:
            self._leave_fault(target, because)
        if not given_up and not breakers and not let_go:
            quiet = request.args.get("alert")
            return f"{subject} is known: nobody is reminded" if quiet else f"{subject} had nothing to acknowledge"
        more = ", and cures that took turns let go on" if let_go else ""
        return f"{len(given_up)} incidents and {len(breakers)} breakers re-armed{more}"

    def _leave_fault(self, name: str, because: str) -> None:
        """A target leaves fault when nothing that was given up on it, and no open breaker, is left."""
        core, memory = self._core, self._core.desk.memory
        target = core.world.targets.get(name)
        stuck = any(one.target == name and one.phase == "given-up" for one in memory.incidents.values())
        blown = any(one.open and key.partition("@")[2] == name for key, one in memory.breakers.items())
        if target is not None and not stuck and not blown:
            core.states.leave_fault(target, because)

    def _pause(self, request: Request) -> str:
        scope = self._scope(request.subject)
        if scope in self._core.world.targets:  # an organ or a rule has a mode, but no state to move from
            state = self._core.state(scope)
            check_move(scope, state, State.PAUSING)
            because = f"paused by {request.who}"
            for old, new in ((state, State.PAUSING), (State.PAUSING, State.PAUSED)):
                self._core.desk.move(f"target:{scope}", old.value, new.value, because, topic="state.changed")
        return self._lower(scope, min(Mode.OBSERVE, self._mode(scope)), request.who, "paused")

    def _resume(self, request: Request) -> str:
        scope = self._scope(request.subject)
        memory = self._core.desk.memory
        if scope not in memory.modes:
            raise RefusedError(f"{scope} is not paused")
        if scope != "agent" and memory.states.get(scope) == State.PAUSED.value:
            self._core.states.resume_target(self._core.world.targets[scope], f"resumed by {request.who}")
        self._core.desk.note("mode", "mode.changed", scope=scope, mode="configured", who=request.who, because="resumed")
        return f"{scope} is back to its configured mode"

    def _scope(self, subject: str) -> str:
        kind, _, name = subject.partition(":")
        rules = {rule.id for rule in self._core.setup.rules.rules}
        organ, rule = kind == "organ" and name in ORGANS, kind == "rule" and name in rules
        if not (subject == "agent" or subject in self._core.world.targets or organ or rule):
            raise RefusedError(f"nothing called {subject!r}", hint="agent, organ:NAME, rule:ID or a target")
        return subject

    def _mode(self, scope: str) -> Mode:
        """The mode of a scope by itself: what a command lowered it to, else what is configured."""
        core, (kind, _, name) = self._core, scope.partition(":")
        if scope in core.desk.memory.modes:
            return Mode.parse(core.desk.memory.modes[scope])
        if scope == "agent":
            return core.desk.mode
        if kind == "organ":
            return core.desk.organ_modes.get(name, Mode.AUTO)
        if kind == "rule":
            rule = next(rule for rule in core.setup.rules.rules if rule.id == name)
            return core.desk.default_mode if rule.mode is None else rule.mode
        return core.world.targets[scope].mode

    def _set_mode(self, request: Request) -> str:
        try:
            mode = Mode.parse(str(request.args.get("mode", "")))
        except KeyError:
            words = ", ".join(mode.word for mode in Mode)
            raise RefusedError(f"no mode {request.args.get('mode')!r}", hint=f"one of: {words}") from None
        scope = self._scope(request.subject)
        if mode > (now := self._mode(scope)):
            raise RefusedError(
                f"mode {mode.word} is above {now.word}, which {scope} has",
                hint="commands may only lower it; resume takes a command back, raising is a change of configuration",
            )
        return self._lower(scope, mode, request.who, "set")

    def _lower(self, scope: str, mode: Mode, who: str, because: str) -> str:
        self._core.desk.note("mode", "mode.changed", scope=scope, mode=mode.word, who=who, because=because)
        return f"{scope} is in mode {mode.word} now"

    # Brakes ---------------------------------------------------------------------------------------------------

    def _stop_healing(self, request: Request) -> str:
        self._core.kill_switch(on=True, because=f"stop-healing by {request.who}")
        return "nothing is done any more until resume-healing"

    def _resume_healing(self, request: Request) -> str:
        because = f"resume-healing by {request.who}"
        if self._core.desk.memory.safe_mode:
            self._core.leave_safe_mode(because)
        self._core.kill_switch(on=False, because=because)
        return "healing goes on"

    def close_breakers(self) -> None:
        """Close what opened on targets that have been healthy for long enough since."""
        desk = self._core.desk
        enough = desk.world.brakes.breaker_healthy_for
        for key, breaker in desk.memory.breakers.items():
            target = key.partition("@")[2]
            if not breaker.open or min(desk.world.healthy_for(target, desk.now), desk.now - breaker.changed) < enough:
                continue
            because = f"{target} has been healthy for {enough:g} s"
            desk.move(f"breaker:{key}", "open", "closed", because, topic="state.changed")
            self._leave_fault(target, because)

    # Rules and events -----------------------------------------------------------------------------------------

    def _switch(self, request: Request, *, on: bool) -> str:
        if request.subject not in {one.rule.id for one in self._core.instances.values()}:
            raise RefusedError(f"no rule {request.subject!r} with a target", hint="healer rules list")
        old, new = ("disabled", "enabled") if on else ("enabled", "disabled")
        self._core.desk.move(f"rule:{request.subject}", old, new, f"by {request.who}", topic="state.changed")
        for key, incident in self._core.desk.memory.incidents.items():
            if incident.rule == request.subject:
                self._core.incidents.wake(key, self._core.desk.now)
        return f"{request.subject} is {new}"

    def _event(self, request: Request) -> str:
        topic, data = check_topic(request.args.get("topic")), check_data(request.args.get("data"))
        return f"published {topic}{_opened(self._core.hearing.say(topic, data, own=False))}"

    def _log_event(self, request: Request) -> str:
        kind, data = check_topic(request.args.get("type")), check_data(request.args.get("data"))
        self._core.desk.note("event", kind, type=kind, data=data, who=request.who)
        return f"sealed{_opened(self._core.hearing.rules.wake(kind, data))}"

    def _notify(self, request: Request) -> str:
        """Prove a channel: no gate but the kill switch keeps the agent from telling people something."""
        if self._core.desk.memory.kill_switch:
            raise RefusedError("the kill switch is on: nothing is sent", hint="healer resume-healing")
        if not isinstance(request.subject, str) or not request.subject:
            raise RefusedError("a channel has a name", hint="healer notify list")
        message = str(request.args.get("message") or "a test: this channel works")[:500]
        severity = str(request.args.get("severity") or "info")
        more = {"id": f"test.{request.id}", "severity": severity}
        self._core.acting.tell(message, channel=request.subject, incident="test", more=more, request=request)
        return f"telling {request.subject}"

    def _rebalance(self, request: Request) -> str:
        del request
        opened = self._core.balance()
        return f"balancing rules evaluated, {opened} incidents opened"


def _opened(incidents: int) -> str:
    return f", {incidents} incidents opened" if incidents else ""


def _readable(args: object) -> dict[str, Any]:
    """What can be kept of arguments that were refused."""
    try:
        return check_data(args)
    except (RefusedError, RecursionError, TypeError, ValueError):
        return {"unreadable": type(args).__name__}
