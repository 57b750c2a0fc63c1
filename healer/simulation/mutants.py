"""Seeded safety bugs in one list, so that what is not hunted yet can be seen; a campaign that lets one live is none."""

import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

from healer.core import core as cores
from healer.core import undoing
from healer.core.acting import Acting
from healer.core.approving import Approving
from healer.core.core import Core, Setup
from healer.core.incidents import Incidents
from healer.core.instance import Instance
from healer.core.proving import Proof, Proving
from healer.core.sequences import Ear
from healer.core.undoing import Undoing
from healer.core.world import World
from healer.gates import limit, order
from healer.gates.interface import Question, Refusal
from healer.model import memory as memories
from healer.model.decision import Decision, Result, SealedIntent
from healer.model.effect import Act, Note
from healer.model.limit import Limit
from healer.model.memory import UNDO, Made, Memory, OpenIntent
from healer.model.target import Target
from healer.model.truth import Truth
from healer.record import Record
from healer.rules.rule import Selector
from healer.runtime.dispatch import Dispatch, KillSwitch
from healer.runtime.loop import Loop
from healer.simulation import life
from healer.simulation.campaign import hushed
from healer.simulation.story import run_seed

SEEDS = 60
"""Seeds a mutant may survive before it counts as alive."""
Apply = Callable[[ExitStack], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One seeded bug."""

    name: str
    what: str
    apply: Apply
    insist: tuple[str, ...] = ()
    """Faults in whose company the bug matters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a mutant fared."""

    name: str
    seed: int | None
    """The seed that killed it; None when it lives."""
    because: str = ""


@contextmanager
def _swapped(owner: Any, name: str, value: object) -> Iterator[None]:  # noqa: ANN401 - a class, a module or a table
    old = owner[name] if isinstance(owner, dict) else owner.__dict__[name]
    put = owner.__setitem__ if isinstance(owner, dict) else lambda key, new: setattr(owner, key, new)
    put(name, value)
    try:
        yield
    finally:
        put(name, old)


def swap(owner: Any, name: str, value: object) -> Apply:  # noqa: ANN401 - as _swapped
    """A patch that replaces one attribute."""
    return lambda stack: stack.enter_context(_swapped(owner, name, value))


def _without(gate: str) -> Apply:
    return lambda stack: stack.enter_context(
        _swapped(order, "ORDER", tuple(pair for pair in order.ORDER if pair[0] != gate))
    )


# The bugs -----------------------------------------------------------------------------------------------------


def _act_then_seal(stack: ExitStack) -> None:
    submit = Record.submit

    def hasty(self: Record, batch: Collection[Note | Act]) -> None:
        for effect in batch:
            if isinstance(effect, Act):
                self._sealed(SealedIntent(decision=effect.decision, leaf="0" * 64, seq=0, sealed_at=0.0))
        submit(self, [effect for effect in batch if isinstance(effect, Note)])

    stack.enter_context(_swapped(Record, "submit", hasty))


def _effect_while_sealing(stack: ExitStack) -> None:
    """The nastier form: the intent is sealed, but nobody waits for it."""
    submit = Record.submit

    def eager(self: Record, batch: list[Note | Act]) -> None:
        submit(self, batch)
        for effect in batch:
            if isinstance(effect, Act):
                early = SealedIntent(decision=effect.decision, leaf="", seq=0, sealed_at=0.0)
                self._sealed(early)

    stack.enter_context(_swapped(Record, "submit", eager))


def _empty_is_all(stack: ExitStack) -> None:
    matches: Callable[[Selector, Target], bool] = cores.__dict__["matches"]

    def generous(selector: Selector, target: Target) -> bool:
        return matches(selector, target) or bool(selector.group)

    stack.enter_context(_swapped(cores, "matches", generous))


def _unknown_is_bad(stack: ExitStack) -> None:
    saw = Instance.saw

    def alarmed(self: Instance, truth: Truth, now: float) -> None:
        saw(self, Truth.TRUE if truth is Truth.UNKNOWN else truth, now)

    stack.enter_context(_swapped(Instance, "saw", alarmed))


def _no_fence(stack: ExitStack) -> None:
    moved = Acting._moved  # noqa: SLF001

    def careless(self: Acting, decision: Decision, instance: Instance | None) -> str:
        because = moved(self, decision, instance)
        return "" if "incarnation" in because else because

    stack.enter_context(_swapped(Acting, "_moved", careless))
    stack.enter_context(_swapped(life.Life, "_generation", lambda *_: None))


def _fold(kind: str, after: Callable[[Memory, Mapping[str, Any]], None]) -> Apply:
    def apply(stack: ExitStack) -> None:
        folds: dict[str, Any] = memories._FOLDS  # noqa: SLF001
        old = folds[kind]

        def wrong(memory: Memory, entry: Mapping[str, Any], at: float) -> None:
            known = dict(memory.intents)
            old(memory, entry, at)
            after(memory, {**entry, "known": known})

        stack.enter_context(_swapped(folds, kind, wrong))

    return apply


def _cooldown_from_start(memory: Memory, entry: Mapping[str, Any]) -> None:
    intent: OpenIntent | None = entry["known"].get(entry["id"])
    streak = memory.streaks.get(f"{intent.rule}@{intent.target}") if intent else None
    if intent is not None and streak is not None and streak.last_end is not None:
        streak.last_end = intent.at


def _one_too_many(stack: ExitStack) -> None:
    exceeded = limit._exceeded  # noqa: SLF001

    def lenient(question: Question, bound: Limit) -> Refusal | None:
        return exceeded(question, replace(bound, max=bound.max + 1))

    stack.enter_context(_swapped(limit, "_exceeded", lenient))


def _no_second_look(self: Acting, decision_id: str, leaf: str, instance: Instance | None) -> None:
    del instance
    if intent := self.desk.memory.intents.get(decision_id):
        intent.leaf = leaf


def _ambiguous_again(stack: ExitStack) -> None:
    judged = Incidents._judged  # noqa: SLF001

    def stubborn(self: Incidents, verdict: tuple[OpenIntent, Result]) -> None:
        intent, result = verdict
        judged(self, (intent, Result.FAILED_TRANSIENT if result is Result.AMBIGUOUS else result))

    stack.enter_context(_swapped(Incidents, "_judged", stubborn))


def _first_sample(stack: ExitStack) -> None:
    init = Core.__init__

    def rash(self: Core, setup: Setup, memory: Memory, *, now: float, wall: float) -> None:
        init(self, replace(setup, baseline=False), memory, now=now, wall=wall)

    stack.enter_context(_swapped(Core, "__init__", rash))


def _forgetful(forget: Callable[[Memory], None]) -> Apply:
    def apply(stack: ExitStack) -> None:
        recall: Callable[..., tuple[Memory, int]] = life.__dict__["recall"]

        def partial(*args: Any) -> tuple[Memory, int]:  # noqa: ANN401 - as recall's own
            memory, folded = recall(*args)
            forget(memory)
            return memory, folded

        stack.enter_context(_swapped(life, "recall", partial))

    return apply


def _counters(memory: Memory) -> None:
    memory.acted.clear()
    memory.streaks.clear()
    memory.breakers.clear()


def _safe_mode(memory: Memory) -> None:
    memory.safe_mode = ""


def _ids(memory: Memory) -> None:
    memory.counter = 0


def _windows(memory: Memory) -> None:
    memory.maintenance.clear()


def _not_used(memory: Memory, entry: Mapping[str, Any]) -> None:
    if approval := memory.approvals.get(entry.get("approval", "")):
        approval.state, approval.intent = "granted", ""


def _yes_after_crash(stack: ExitStack) -> None:
    """The yes is remembered, and every question of a former life counts as answered by it."""

    def trusting(self: Approving) -> None:
        for approval in self._core.desk.memory.approvals.values():
            approval.state, approval.who, approval.answered = "granted", "uid:0", self._core.desk.now

    stack.enter_context(_swapped(Approving, "recover", trusting))


def _silence_is_yes(stack: ExitStack) -> None:
    def lenient(self: Approving) -> None:
        desk = self._core.desk
        for approval in list(desk.memory.approvals.values()):
            if approval.state == "asked" and desk.now - approval.asked > 5.0:
                approval.state, approval.who, approval.answered = "granted", "agent", desk.now
                if instance := self._core.instances.get(approval.incident):
                    self._core.incidents.at_once(instance)

    stack.enter_context(_swapped(Approving, "expire", lenient))


def _verified_unseen(self: Proving, intent_id: str) -> tuple[OpenIntent, Result] | None:
    proof: Proof = self.proofs[intent_id]
    return self.verdict(proof.intent, Result.VERIFIED, "it said that it was done")


def _old_evidence(stack: ExitStack) -> None:
    """The look that follows each action would hide it: it is left out as well."""
    stack.enter_context(_swapped(Incidents, "_rearm_after", lambda *_: None))
    stack.enter_context(_swapped(life.Life, "_look", lambda *_: None))


def _twice(stack: ExitStack) -> None:
    carry_out = Dispatch.carry_out

    def again(self: Dispatch, intent: SealedIntent, group: Any) -> None:  # noqa: ANN401 - a TaskGroup
        copy = SealedIntent(decision=intent.decision, leaf=intent.leaf, seq=intent.seq, sealed_at=intent.sealed_at)
        carry_out(self, intent, group)
        carry_out(self, copy, group)

    stack.enter_context(_swapped(Dispatch, "carry_out", again))


def _after_cancel(stack: ExitStack) -> None:
    def deaf(self: Loop, intent: SealedIntent) -> None:
        sealed(self, intent)

    sealed = Loop.sealed

    def ignoring(self: Loop, intent: SealedIntent) -> None:
        self._cancelled = _Nothing()
        deaf(self, intent)

    stack.enter_context(_swapped(Loop, "sealed", ignoring))


async def _credulous(self: Loop, intent: SealedIntent) -> None:
    self._go_on(intent)


def _changed(**other: Any) -> Apply:  # noqa: ANN401 - values of any field
    """What is to be put back is looked at as if some of it were otherwise."""

    def apply(stack: ExitStack) -> None:
        consider = Undoing._consider  # noqa: SLF001

        def wrong(self: Undoing, key: str, change: Made) -> None:
            consider(self, key, replace(change, **other))

        stack.enter_context(_swapped(Undoing, "_consider", wrong))

    return apply


def _in_order_of_making(self: Undoing) -> None:
    for key, change in list(self.desk.memory.changes.items()):
        self._consider(key, change)


def _kept_after(stack: ExitStack) -> None:
    """A change that was put back is remembered all the same."""
    count = Memory._count_change  # noqa: SLF001

    def forgetful(self: Memory, intent: OpenIntent, entry: Mapping[str, Any], at: float) -> None:
        before = dict(self.changes)
        count(self, intent, entry, at)
        self.changes = before | self.changes

    stack.enter_context(_swapped(Memory, "_count_change", forgetful))


def _counted(wanted: Callable[[Memory, OpenIntent], bool]) -> Apply:
    """Which changes are to be put back is decided otherwise."""

    def apply(stack: ExitStack) -> None:
        count = Memory._count_change  # noqa: SLF001

        def wrong(self: Memory, intent: OpenIntent, entry: Mapping[str, Any], at: float) -> None:
            if intent.undoes:
                count(self, intent, entry, at)
            elif wanted(self, intent):
                count(self, replace(intent, rule=intent.rule or "tight"), entry, at)

        stack.enter_context(_swapped(Memory, "_count_change", wrong))

    return apply


def _back_unasked(stack: ExitStack) -> None:
    """No gate hears of what is put back, neither before the seal nor after it."""
    for name in ("ask_all", "ask_again"):
        ask = order.__dict__[name]

        def deaf(question: Question, ask: Callable[[Question], Any] = ask) -> Any:  # noqa: ANN401 - as the gates' own
            return () if question.incident.startswith(UNDO) else ask(question)

        stack.enter_context(_swapped(order, name, deaf))


def _back_although_it_came_back(stack: ExitStack) -> None:
    moved = Acting._moved  # noqa: SLF001

    def careless(self: Acting, decision: Decision, instance: Instance | None) -> str:
        because = moved(self, decision, instance)
        return "" if "begun again" in because else because

    stack.enter_context(_swapped(Acting, "_moved", careless))


class _Nothing(dict[str, str]):
    """A table that keeps nothing."""

    def __setitem__(self, key: str, value: str) -> None:
        del key, value


def _eager(self: Incidents, instance: Instance, *, conclusive: bool) -> None:
    if self.enabled(instance.rule) and instance.truth is Truth.TRUE and (conclusive or not instance.rule.for_):
        self.open(instance)


MUTANTS: tuple[Mutant, ...] = (
    Mutant(name="seal-after-act", what="the effect first, the intent never", apply=_act_then_seal),
    Mutant(name="act-while-sealing", what="the effect does not wait for its intent", apply=_effect_while_sealing),
    Mutant(name="empty-is-all", what="a group without members means every target", apply=_empty_is_all),
    Mutant(name="unknown-is-bad", what="what cannot be seen counts as down", apply=_unknown_is_bad),
    Mutant(
        name="no-fence",
        what="another incarnation is treated all the same",
        apply=_no_fence,
        insist=("world.churn", "seal.slow"),
    ),
    Mutant(
        name="cooldown-from-start",
        what="cooldown and backoff run from the start of an action",
        apply=_fold("outcome", _cooldown_from_start),
        insist=("action.slow", "world.crash-loop"),
    ),
    Mutant(name="one-too-many", what="a limit of n lets n + 1 pass", apply=_one_too_many, insist=("world.crash-loop",)),
    Mutant(
        name="no-second-look",
        what="nothing is asked again between the seal and the effect",
        apply=swap(Acting, "prove", _no_second_look),
        insist=("seal.slow", "world.churn", "sensor.lie"),
    ),
    Mutant(
        name="deaf-to-cancel",
        what="an intent cancelled as stale is carried out",
        apply=_after_cancel,
        insist=("seal.slow", "world.churn", "sensor.lie"),
    ),
    Mutant(
        name="witnesses-unasked",
        what="a rule that acts before witnesses only does not wait for them",
        apply=swap(Loop, "_hold", _credulous),
        insist=("witness.refused", "world.crash-loop"),
    ),
    Mutant(
        name="no-maintenance",
        what="maintenance is not asked",
        apply=_without("maintenance"),
        insist=("people.maintenance",),
    ),
    Mutant(name="no-places", what="actions that share a place do not", apply=_without("concurrency")),
    Mutant(name="no-approval", what="nobody is asked", apply=_without("approval"), insist=("people.answer",)),
    Mutant(
        name="yes-for-ever",
        what="a yes is not used up",
        apply=_fold("intent", _not_used),
        insist=("people.answer", "action.transient"),
    ),
    Mutant(
        name="yes-after-crash",
        what="a yes of a former life is carried out",
        apply=_yes_after_crash,
        insist=("people.answer", "crash.before-seal", "crash.step"),
    ),
    Mutant(name="silence-is-yes", what="no answer is a yes", apply=_silence_is_yes, insist=("people.answer",)),
    Mutant(
        name="no-oscillation",
        what="cures that take turns are not held",
        apply=_without("oscillation"),
        insist=("world.hungry",),
    ),
    Mutant(
        name="errors-tried-on",
        what="a verb that fails on every target is tried on",
        apply=_without("errors"),
        insist=("action.transient", "action.permanent", "world.crash-loop"),
    ),
    Mutant(
        name="maintenance-forgotten",
        what="a start ends every window",
        apply=_forgetful(_windows),
        insist=("people.maintenance", "crash.step", "crash.recovery"),
    ),
    Mutant(
        name="starts-forgotten",
        what="a start forgets when an event last started a rule",
        apply=_forgetful(lambda memory: memory.started.clear()),
        insist=("people.tell", "crash.step", "crash.recovery"),
    ),
    Mutant(
        name="one-event-will-do",
        what="events are not counted",
        apply=swap(Ear, "_complete", lambda *_: True),
        insist=("people.tell",),
    ),
    Mutant(name="by-itself", what="a manual rule starts by its condition", apply=swap(Incidents, "_consider", _eager)),
    Mutant(
        name="standing-order",
        what="what an event started acts when a gate opens later",
        apply=swap(Incidents, "_expire", lambda *_: False),
        insist=("people.tell", "people.maintenance"),
    ),
    Mutant(
        name="dangling-forgotten",
        what="a start does not close what a crash left open",
        apply=swap(Core, "_interrupted", lambda *_: None),
        insist=("crash.after-seal", "crash.after-effect"),
    ),
    Mutant(
        name="ambiguous-again",
        what="what may have happened is tried again",
        apply=_ambiguous_again,
        insist=("action.ambiguous", "world.crash-loop"),
    ),
    Mutant(
        name="kill-switch-ignored",
        what="nobody looks at the file",
        apply=swap(KillSwitch, "on", lambda _: False),
        insist=("people.kill-switch",),
    ),
    Mutant(
        name="no-mass-failure",
        what="half of a group sick is as good a reason as any",
        apply=swap(World, "mass_failure", lambda *_: ""),
        insist=("world.mass-failure",),
    ),
    Mutant(
        name="first-sample", what="the first sample after a start fires", apply=_first_sample, insist=("crash.step",)
    ),
    Mutant(
        name="counters-lost",
        what="limits, streaks and breakers begin again at each start",
        apply=_forgetful(_counters),
        insist=("crash.step", "crash.after-effect", "world.crash-loop"),
    ),
    Mutant(
        name="ids-again",
        what="the counter of decisions begins again at each start",
        apply=_forgetful(_ids),
        insist=("crash.step", "crash.after-effect"),
    ),
    Mutant(
        name="safe-mode-lost",
        what="a start ends safe mode",
        apply=_forgetful(_safe_mode),
        insist=("crash.step", "world.mass-failure", "crash.after-seal"),
    ),
    Mutant(name="no-conflict", what="two actors on one target", apply=_without("conflict"), insist=("people.request",)),
    Mutant(name="no-mode", what="observe and pause are not asked", apply=_without("mode")),
    Mutant(name="no-cooldown", what="no cooldown", apply=_without("cooldown"), insist=("world.crash-loop",)),
    Mutant(name="no-backoff", what="no backoff", apply=_without("backoff"), insist=("world.crash-loop",)),
    Mutant(name="no-limit", what="no limits at all", apply=_without("limit"), insist=("world.crash-loop",)),
    Mutant(
        name="no-safe-mode",
        what="safe mode is not asked",
        apply=_without("mass_failure"),
        insist=("world.mass-failure",),
    ),
    Mutant(
        name="no-dependency",
        what="a child is treated while its parent is down",
        apply=_without("dependency"),
        insist=("world.mass-failure", "world.slow-start"),
    ),
    Mutant(
        name="breaker-stuck",
        what="the breaker never opens",
        apply=swap(Proving, "breaker_tripped", lambda *_: False),
        insist=("action.transient", "action.permanent", "world.worse"),
    ),
    Mutant(
        name="verified-unseen",
        what="done is success",
        apply=swap(Proving, "judge", _verified_unseen),
        insist=("action.lost",),
    ),
    Mutant(
        name="old-evidence",
        what="what was seen before an action counts after it",
        apply=_old_evidence,
        insist=("action.slow", "sensor.lie", "action.transient"),
    ),
    Mutant(name="twice", what="each sealed intent is carried out twice", apply=_twice),
    Mutant(
        name="changes-forgotten",
        what="a start forgets what is to be put back",
        apply=_forgetful(lambda memory: memory.changes.clear()),
        insist=("world.pressed", "crash.step"),
    ),
    Mutant(
        name="changes-lost",
        what="a change whose rule is gone before it is done is not put back",
        apply=_counted(lambda memory, intent: intent.incident in memory.incidents),
        insist=("world.pressed", "people.reload", "action.slow"),
    ),
    Mutant(
        name="changes-of-people",
        what="what a person asked for is put back",
        apply=_counted(lambda *_: True),
        insist=("world.pressed", "people.turn"),
    ),
    Mutant(
        name="back-while-open",
        what="a change is put back while its incident is open",
        apply=_changed(incident=""),
        insist=("world.pressed",),
    ),
    Mutant(
        name="back-all-the-same",
        what="a change is put back although its incident began again meanwhile",
        apply=_back_although_it_came_back,
        insist=("world.pressed", "seal.slow"),
    ),
    Mutant(
        name="back-in-order",
        what="changes are put back in the order of their making",
        apply=swap(Undoing, "beat", _in_order_of_making),
        insist=("world.pressed",),
    ),
    Mutant(
        name="back-again",
        what="what was put back is put back again",
        apply=_kept_after,
        insist=("world.pressed",),
    ),
    Mutant(
        name="back-never",
        what="nothing is put back",
        apply=swap(Undoing, "beat", lambda _: None),
        insist=("world.pressed",),
    ),
    Mutant(
        name="back-unasked",
        what="no gate is asked about what is put back",
        apply=_back_unasked,
        insist=("world.pressed", "people.maintenance", "people.pause"),
    ),
    Mutant(
        name="back-told-again",
        what="a gate that does not let a change be put back says so again and again",
        apply=_changed(withheld=[]),
        insist=("world.pressed", "people.maintenance", "people.pause"),
    ),
    Mutant(
        name="back-hastily",
        what="there is no pause between tries to put a change back",
        apply=swap(undoing, "FIRST_PAUSE", 0.0),
        insist=("world.pressed", "action.transient"),
    ),
)


def hunt(name: str, seeds: int = SEEDS) -> Verdict:
    """Run seeds with a mutant in place until one of them notices; raises StopIteration for an unknown name."""
    mutant = next(one for one in MUTANTS if one.name == name)
    with hushed(), ExitStack() as stack:
        mutant.apply(stack)
        for seed in range(1, seeds + 1):
            result = run_seed(seed, insist=mutant.insist)
            if not result.ok:
                return Verdict(name=name, seed=seed, because=result.violations[0])
    return Verdict(name=name, seed=None)


def main(
    *,
    seeds: int = SEEDS,
    workers: int | None = None,
    say: Callable[[str], object] = lambda line: sys.stdout.write(f"{line}\n"),
) -> int:
    """Hunt every mutant; returns 0 when all were killed, 1 when one lives."""
    workers = workers or min(os.cpu_count() or 1, 8)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        verdicts = list(pool.map(hunt, [mutant.name for mutant in MUTANTS], [seeds] * len(MUTANTS)))
    for mutant, verdict in zip(MUTANTS, verdicts, strict=True):
        fate = f"LIVES after {seeds} seeds" if verdict.seed is None else f"killed by seed {verdict.seed}"
        say(f"{mutant.name:<20} {fate:<22} {mutant.what}")
    killed = sum(verdict.seed is not None for verdict in verdicts)
    say(f"{killed} of {len(MUTANTS)} mutants killed ({killed / len(MUTANTS):.0%})")
    return 0 if killed == len(MUTANTS) else 1
