"""From a condition that is true to an effect that ended, in one file so that no way to an effect evades the gates."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from healer.core import consent
from healer.core.desk import Desk
from healer.core.instance import Instance
from healer.core.line import Line
from healer.core.params import filled
from healer.core.proving import VERIFY_WITHIN
from healer.core.world import HOST
from healer.errors import RefusedError
from healer.gates import order
from healer.gates.interface import Question, Refusal
from healer.model.decision import QUIET_VERBS, Decision, Evidence, Outcome, Withheld
from healer.model.effect import Act, Cancel
from healer.model.limit import Backoff
from healer.model.memory import ALERT, HOOK, OpenIntent
from healer.model.mode import Mode, Profile, strictest
from healer.model.request import Request
from healer.model.target import EMPTY, Target
from healer.model.truth import Truth
from healer.model.verbs import VERBS
from healer.rules.evaluate import Evaluator
from healer.rules.plan import Rung
from healer.rules.rule import CONTROL, Approve, Step

PATIENCE = 10.0
"""Seconds a sealed intent stays good; after that its evidence is too old to act on."""
RETRY = 1.0
"""Seconds until a refusal that names no end is asked about again."""
CRITICAL = 10
OURSELVES = frozenset({"agent"})
"""Who asks when the agent brings up what is declared."""
UNBOUNDED = 1 << 30


class Acting:
    """The part of the core that wants effects."""

    def __init__(self, desk: Desk, evaluator: Evaluator, *, rules_hash: str) -> None:
        self.desk = desk
        self.rules_hash = rules_hash
        self.decisions: dict[str, Decision] = {}
        """Decided and not yet ended."""
        self.line = Line(desk, lambda _: None)
        self.on_withheld: Callable[[Instance, str], None] = lambda _, __: None
        self.hook_moved: Callable[[Decision], str] = lambda _: "there are no hooks"
        self._evaluator = evaluator

    # Asking the gates -----------------------------------------------------------------------------------------

    def question(self, instance: Instance, step: Step, target: Target, opened: float, number: int = 0) -> Question:
        """Everything the gates need to know about a rule's next step."""
        rule, modes = instance.rule, self.modes(instance, target)
        if step.approve is not None:
            modes.append((f"step of rule {rule.id}", Mode.APPROVE))
        return replace(
            self._plain(instance.key, step.action, target, opened),
            rule=rule.id,
            written=f"{rule.position.file}:{rule.position.line}",
            modes=tuple(modes),
            cooldown=rule.cooldown,
            limits=rule.limits,
            backoff=rule.backoff,
            settle=rule.settle,
            spelled_out=rule.spelled_out,
            active=rule.active,
            step=number,
            chain=tuple(incident.chain) if (incident := self.desk.memory.incidents.get(instance.key)) else (),
            slots=self.line.slots(instance, target, step.action),
            approve_ttl=(step.approve or Approve()).ttl,
        )

    def modes(self, instance: Instance, target: Target) -> list[tuple[str, Mode]]:
        """Every mode that holds for a rule that acts on this target, each with what sets it."""
        rule = instance.rule
        mode = self.desk.default_mode if rule.mode is None else rule.mode
        modes = [*self._modes(target, rule.organ), (f"rule {rule.id}", mode)]
        if lowered := self.desk.memory.modes.get(f"rule:{rule.id}"):
            modes.append((f"rule {rule.id}, lowered", Mode.parse(lowered)))
        if self.desk.profile is Profile.ECONOMY and rule.priority < CRITICAL:
            modes.append(("profile economy: critical rules only", Mode.OBSERVE))
        return modes

    def question_of(self, instance: Instance, number: int) -> Question | None:
        """The question that a step of a rule would be now; None where the rule has no such step that acts."""
        rung, incident = instance.plan.rung(number), self.desk.memory.incidents.get(instance.key)
        target = self.subject(instance, rung) if rung else None
        if rung is None or target is None or rung.step.action in CONTROL:
            return None
        return self.question(instance, rung.step, target, incident.opened if incident else self.desk.now, number)

    def subject(self, instance: Instance, rung: Rung) -> Target | None:
        """Whom a rung acts on: the next of those it has chosen, its own target, or the rule's; None: it is gone."""
        step, incident, targets = rung.step, self.desk.memory.incidents.get(instance.key), self.desk.world.targets
        if step.targets is not None and incident is not None and incident.step == rung.number and incident.targets:
            return targets.get(incident.targets[incident.item])
        return targets.get(step.target, instance.target) if step.target else instance.target

    def request_question(self, request: Request, action: str, target: Target) -> Question:
        """The same for a request: no rule's cooldown, but every gate of the target and the host."""
        plain = self._plain(f"request:{request.id}", action, target, request.at)
        if request.who in OURSELVES:
            plain = _freely(plain)
        else:
            plain = replace(plain, slots=self.line.request_slots(target, action))
        return replace(plain, spelled_out=bool(request.args.get("i_mean_it")))

    def undo_question(self, incident: str, action: str, target: Target) -> Question:
        """The same for putting back what an incident changed: nothing that paces, or the change would outlive it."""
        return _freely(replace(self._plain(incident, action, target, self.desk.now), disruptive=False))

    def _plain(self, incident: str, action: str, target: Target, opened: float) -> Question:
        """Ask for an action on a target as if no rule were behind it."""
        return Question(
            rule="",
            incident=incident,
            action=action,
            target=target,
            disruptive=VERBS[action].disruptive,
            modes=tuple(self._modes(target, target.organ)),
            cooldown=0.0,
            limits=(),
            backoff=Backoff(initial=0.0),
            settle=0.0,
            spelled_out=False,
            opened=opened,
            now=self.desk.now,
            wall_us=self.desk.wall_us,
            memory=self.desk.memory,
            brakes=self.desk.world.brakes,
            view=self.desk.world,
        )

    def _modes(self, target: Target, organ: str) -> list[tuple[str, Mode]]:
        memory, desk = self.desk.memory, self.desk
        organ = organ or target.organ
        modes = [("organism", desk.mode), (f"target {target.id}", target.mode)]
        if organ in desk.organ_modes:
            modes.append((f"organ {organ}", desk.organ_modes[organ]))
        modes += [
            (f"{scope}, lowered by command", Mode.parse(memory.modes[scope]))
            for scope in ("agent", f"organ:{organ}", target.id)
            if scope in memory.modes
        ]
        if desk.profile is Profile.MAINTENANCE:
            modes.append(("profile maintenance", Mode.OBSERVE))
        return modes

    def evidence(self, instance: Instance) -> tuple[Evidence, ...]:
        """What the truth of a rule's condition rests on."""
        return self._evaluator.evidence(f"{instance.key}|when", self.desk.now)

    # Deciding -------------------------------------------------------------------------------------------------

    def attempt(self, instance: Instance, rung: Rung, target: Target) -> tuple[str, Refusal] | None:
        """Ask the gates and decide; returns the one that says no with its refusal."""
        desk, step, number = self.desk, rung.step, rung.number
        incident = desk.memory.incidents[instance.key]
        question = self.question(instance, step, target, incident.opened, number)
        instance.answers, instance.asked_at = order.ask_all(question), desk.now
        refused = order.first_refusal(instance.answers)
        if refused is not None and refused[0] == "approval" and consent.ask_people(desk, instance, question, self.tell):
            refused = order.first_refusal(order.ask_all(question))
        if refused is not None:
            return refused[0], self.withheld(instance, step, target, *refused)
        try:
            params = filled(step.action, step.params, incident.bindings)
        except RefusedError as exc:
            return "binding", self.withheld(instance, step, target, "binding", Refusal(because=str(exc)))
        self.decide(
            Decision(
                id=self.next_id(),
                incident=instance.key,
                rule=instance.rule.id,
                rules_hash=self.rules_hash,
                step=number,
                attempt=incident.attempt + 1,
                action=step.action,
                target=target.id,
                params=params,
                timeout=step.timeout,
                deadline=desk.now + PATIENCE,
                generation=desk.world.generation(target),
                because=instance.rule.why or instance.rule.when_source,
                evidence=self.evidence(instance),
                actor=f"rule:{instance.rule.id}",
                mode=strictest(mode for _, mode in question.modes),
                priority=instance.rule.priority,
                witness="" if step.action in QUIET_VERBS else instance.rule.witness,
                approval=consent.granted(question),
                decided_at=desk.now,
            )
        )
        return None

    def withheld(self, instance: Instance, step: Step, target: Target, gate: str, refusal: Refusal) -> Refusal:
        """Say no to a step, once per gate and incident; the rule's own hook may say so too."""
        told = self.desk.withhold(
            Withheld(
                incident=instance.key,
                rule=instance.rule.id,
                target=target.id,
                action=step.action,
                gate=gate,
                because=refusal.because,
                proposal=refusal.proposal,
                at=self.desk.now,
            )
        )
        if told:
            self.on_withheld(instance, f"{step.action} of {target.id} is withheld by {gate}: {refusal.because}")
        return refusal

    def obey(self, request: Request, action: str, target: Target, params: dict[str, object]) -> str:
        """Decide for a request; returns why not, or an empty string."""
        desk = self.desk
        question = self.request_question(request, action, target)
        refused = order.first_refusal(order.ask_all(question))
        if refused is not None:
            gate, refusal = refused
            desk.withhold(
                Withheld(
                    incident=f"request:{request.id}",
                    rule="",
                    target=target.id,
                    action=action,
                    gate=gate,
                    because=refusal.because,
                    proposal=refusal.proposal,
                    at=desk.now,
                )
            )
            return f"{gate}: {refusal.because}" + (f" ({refusal.proposal})" if refusal.proposal else "")
        self.decide(self._own_decision(request.id, action, target, params, request.who, question))
        return ""

    def tell(
        self,
        message: str,
        *,
        channel: str,
        incident: str,
        more: Mapping[str, object] = EMPTY,
        request: Request | None = None,
    ) -> None:
        """Notify a person. Only the kill switch silences it: a breaker that opens must be heard in any mode.

        ``more`` are further parameters of ``notify`` that only the agent itself gives.
        """
        if self.desk.memory.kill_switch:
            self.desk.publish("alert.withheld", message=message, **({"id": more["id"]} if "id" in more else {}))
            return
        params = {"channel": channel, "message": message, **more}
        by = (request.id, request.who) if request else ("", "agent")
        decision = self._own_decision(by[0], "notify", HOST, params, by[1], None)
        # A name of its own: an alert about an incident is no step of it.
        actor = decision.actor if request else "agent"
        self.decide(replace(decision, incident=f"{ALERT}{incident}", actor=actor, because=message))

    def _own_decision(
        self,
        request: str,
        action: str,
        target: Target,
        params: dict[str, object],
        who: str,
        question: Question | None,
    ) -> Decision:
        desk = self.desk
        timeout = params.pop("timeout", VERIFY_WITHIN)
        return Decision(
            id=self.next_id(),
            incident=f"request:{request}",
            rule="",
            rules_hash=self.rules_hash,
            step=0,
            attempt=1,
            action=action,
            target=target.id,
            params=params,
            timeout=float(timeout) if isinstance(timeout, int | float) else VERIFY_WITHIN,
            deadline=desk.now + PATIENCE,
            generation=desk.world.generation(target),
            because=f"requested by {who}",
            evidence=(),
            actor="agent" if who in OURSELVES else f"operator:{who}",
            mode=strictest(mode for _, mode in question.modes) if question else Mode.AUTO,
            priority=5,
            request=request,
            decided_at=desk.now,
        )

    def next_id(self) -> str:
        """The id of the decision that is made next."""
        return f"i-{self.desk.memory.counter + 1}"

    def decide(self, decision: Decision) -> None:
        """Reserve the target and ask for the seal."""
        entry = self.desk.entry("intent", intent_fields(decision))
        self.desk.memory.apply(entry)
        self.decisions[decision.id] = decision
        self.desk.out.append(Act(decision=decision, entry=entry))

    # Between the seal and the effect --------------------------------------------------------------------------

    def wait(self, decision_id: str, leaf: str) -> None:
        """The intent is durable, and what follows waits for others."""
        if intent := self.desk.memory.intents.get(decision_id):
            intent.leaf = leaf

    def prove(self, decision_id: str, leaf: str, instance: Instance | None) -> None:
        """Ask once more, now that the intent is durable; what no longer holds is cancelled as stale."""
        desk = self.desk
        intent, decision = desk.memory.intents.get(decision_id), self.decisions.get(decision_id)
        if intent is None or decision is None:
            desk.out.append(Cancel(id=decision_id, because="nobody remembers this decision"))
            return
        intent.leaf = leaf
        if because := self._moved(decision, instance):
            desk.out.append(Cancel(id=decision_id, because=because))

    def _moved(self, decision: Decision, instance: Instance | None) -> str:  # noqa: C901, PLR0911, PLR0912 - reasons to stop
        desk = self.desk
        if decision.incident.startswith(HOOK):
            return self.hook_moved(decision)
        target = desk.world.targets.get(decision.target)
        if target is None:
            return f"{decision.target} is not looked after any more"
        if desk.now > decision.deadline:
            return f"{desk.now - decision.decided_at:.1f} s passed since the decision"
        if (generation := desk.world.generation(target)) != decision.generation:
            return f"{target.id} is another incarnation now ({decision.generation or 'none'} -> {generation or 'none'})"
        if instance is not None:
            if instance.truth is not Truth.TRUE:
                return f"the condition is {instance.truth.value} now"
            if desk.memory.disabled.get(instance.rule.id, not instance.rule.enabled):
                return "its rule is switched off now"
            rung = instance.plan.rung(decision.step)
            if rung is None:
                return "its ladder is another one now"
            opened = desk.memory.incidents[instance.key].opened if instance.key in desk.memory.incidents else desk.now
            question = replace(self.question(instance, rung.step, target, opened, decision.step), intent=decision.id)
        elif decision.action == "notify":
            return ""
        elif decision.undoes:
            change = desk.memory.changes.get(decision.undoes)
            if change is None or change.incident in desk.memory.incidents:
                return "the incident that changed it has begun again" if change else "it is not to be put back any more"
            question = replace(self.undo_question(decision.incident, decision.action, target), intent=decision.id)
        elif decision.rule:
            return "its rule is gone"  # a reload came between the intent and its seal
        else:
            who = decision.actor.removeprefix("operator:")
            request = Request(id=decision.request, verb="act", who=who, at=decision.decided_at)
            question = replace(self.request_question(request, decision.action, target), intent=decision.id)
        refused = order.first_refusal(order.ask_again(question))
        return f"{refused[0]}: {refused[1].because}" if refused else ""

    # Outcome and verdict --------------------------------------------------------------------------------------

    def ended(self, outcome: Outcome) -> OpenIntent | None:
        """Seal how an effect ended; returns the intent it belongs to, None when nobody knows it."""
        desk = self.desk
        intent = desk.memory.intents.get(outcome.id)
        self.decisions.pop(outcome.id, None)
        if intent is None or intent.ended is not None:
            return None  # nobody knows it, or its end is told already
        fields: dict[str, object] = {
            "of": intent.leaf,
            "id": outcome.id,
            "result": outcome.result.value,
            "because": outcome.because,
            "took_us": round(outcome.took * 1e6),
            "generation": outcome.generation,
        }
        if outcome.rc is not None:
            fields["rc"] = outcome.rc
        if outcome.output:
            fields |= {"output": outcome.output[:2000], "output_sha256": outcome.output_sha256}
        if outcome.undo:
            fields["undo"] = sealable(outcome.undo)
        if intent.leaf:
            desk.note("outcome", "action.outcome", **fields)
        else:
            # The log never took the intent: it must not hold the outcome of something it does not know.
            desk.memory.apply(desk.entry("outcome", fields))
            desk.publish("action.outcome", **fields)
        return intent


def _freely(question: Question) -> Question:
    """Bringing up what is declared, and putting back what was changed, is no treatment: no ceiling is about it."""
    free = replace(question.brakes, concurrent=UNBOUNDED, actions_per_hour=UNBOUNDED, errors_until_skipped=UNBOUNDED)
    return replace(question, brakes=free)


def intent_fields(decision: Decision) -> dict[str, object]:
    """The intent entry of a decision, without what the desk and the log add."""
    rests = {"approval": decision.approval, "undoes": decision.undoes}
    return {
        **{name: value for name, value in rests.items() if value},
        "id": decision.id,
        "corr": decision.incident,
        "action": decision.action,
        "target": decision.target,
        "generation": decision.generation,
        "params": sealable(decision.params),
        "rule": decision.rule,
        "rules_hash": decision.rules_hash,
        "step": decision.step,
        "attempt": decision.attempt,
        "actor": decision.actor,
        "because": decision.because,
        "evidence": [{"series": e.series, "value": e.value, "age_us": e.age_us} for e in decision.evidence],
        "deadline_us": round(decision.deadline * 1e6),
        "mode": decision.mode.word,
        "request": decision.request,
        "priority": decision.priority,
    }


def sealable(value: object) -> object:
    """Make a value fit for the log, which has no floats: they become decimal strings, as do integers past 2^53."""
    if isinstance(value, Mapping):
        return {str(key): sealable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [sealable(inner) for inner in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) >= 2**53):
        return repr(value)
    return value if isinstance(value, str | int | None) else str(value)
