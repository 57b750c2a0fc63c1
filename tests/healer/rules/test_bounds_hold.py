"""The bound that `healer check` prints is never exceeded, whatever is seen and however effects end; and it is reached.

Random rules, brakes, observations and outcomes are played against the real core in virtual time; actions are counted by
their intents. A few lives in the ordinary run; with ``HEALER_TORTURE_STEP=1`` many more.
"""

import os
import random
from bisect import bisect_right
from collections import defaultdict
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from healer.core.core import Setup
from healer.model.decision import QUIET_VERBS, Outcome, Result
from healer.model.event import Tick
from healer.model.limit import Backoff, Brakes, Limit
from healer.model.mode import Mode
from healer.model.target import Target
from healer.model.vocabulary import METRICS
from healer.rules import expression
from healer.rules.bounds import ALL, DAY, HOUR, worst_case
from healer.rules.rule import (
    Branch,
    Check,
    Exhausted,
    Position,
    Rule,
    RuleSet,
    Selection,
    Selector,
    Step,
    Verify,
    WaitFor,
)
from healer.testing import START, WALL, Scenario

LONG = os.environ.get("HEALER_TORTURE_STEP") == "1"
LIVES = int(os.environ.get("HEALER_BOUNDS", "3000" if LONG else "25"))
TICK = 0.125
"""Seconds, exact in binary: what lies an hour apart is not in one hour by a rounding."""
PROGRAMS = tuple(Target(kind="program", name=name, organ="heart", startup_grace=0.0) for name in ("api", "db", "web"))
IDS = tuple(target.id for target in PROGRAMS)
SIGNS = {"program.up": (0.0, 1.0), "program.memory": (2.0**31, 2.0**20)}
"""What is bad, and what is well, of each metric that the rules look at."""
CONDITIONS = ("program.up{target} == 0", "program.memory{target} > 1GiB")
VERBS = ("restart", "start", "stop", "signal", "run", "notify")
EFFECTS = (Result.DONE, Result.DONE, Result.FAILED_TRANSIENT, Result.FAILED_PERMANENT, Result.AMBIGUOUS, Result.STALE)


def parsed(text):
    return expression.parse(text, vocabulary=METRICS)


def verify(text):
    return Verify(when=parsed(text), source=text, within=30.0)


def minutes(*choices):
    return st.sampled_from([60.0 * choice for choice in choices])


def check(text):
    return Check(when=parsed(text), source=text)


plain = st.builds(
    Step,
    action=st.sampled_from(VERBS),
    target=st.sampled_from(("", "", "", *IDS)),
    verify=st.sampled_from((None, verify("program.up{target} == 1"))),
)
undone = st.builds(Step, action=st.sampled_from(VERBS), verify=st.just(verify("program.up{target} == 1")),
                   rollback=st.tuples(plain))  # fmt: skip
several = st.builds(
    Step,
    action=st.sampled_from(VERBS),
    targets=st.builds(Selection, selector=st.just(Selector(kind="program")), max_targets=st.integers(0, 3)),
)
forked = st.builds(
    lambda yes, no: Step(action="if", branch=Branch(test=check(CONDITIONS[1]), then=yes, else_=no)),
    st.tuples(plain),
    st.tuples(plain),
)
waiting = st.sampled_from(("next", "fail", "give_up")).map(
    lambda then: Step(action="wait_for", wait_for=WaitFor(test=check(CONDITIONS[1]), timeout=60.0, on_timeout=then))
)
started = st.sampled_from(("r0", "r1")).map(lambda name: Step(action="trigger", starts=name))
steps = st.one_of(plain, plain, plain, plain, undone, several, forked, waiting, started)
hooks = st.one_of(st.just(()), st.just(()), st.just(()), st.tuples(st.just(Step(action="run"))))
limits = st.builds(
    Limit,
    max=st.integers(1, 8),
    per=minutes(1, 5, 10, 45, 60, 100, 180, 1440),
    scope=st.sampled_from(("action+target", "action+target", "target", "rule", "action", "host")),
)
backoffs = st.builds(
    Backoff,
    initial=st.sampled_from((0.0, 1.0, 30.0, 240.0)),
    factor=st.sampled_from((1.0, 2.0, 5.0)),
    max=minutes(5, 10, 30),
    jitter=st.sampled_from((0.0, 0.5)),
    reset_after=minutes(1, 10, 60),
)


@st.composite
def rules(draw, name):
    when = draw(st.sampled_from(CONDITIONS))
    everywhere = draw(st.booleans())
    return Rule(
        id=name,
        position=Position(file="t.yaml", line=1, column=1),
        each=Selector(kind="program") if everywhere else None,
        target="" if everywhere else draw(st.sampled_from(IDS)),
        when=parsed(when),
        when_source=when,
        for_=draw(st.sampled_from((0.0, 0.0, 20.0))),
        clear_for=draw(st.sampled_from((0.0, 0.0, 60.0))),
        priority=draw(st.integers(1, 10)),
        mode=Mode.AUTO,
        cooldown=draw(minutes(0, 0.5, 1, 7, 20, 45, 120)),
        limits=tuple(draw(st.lists(limits, min_size=1, max_size=3))),
        backoff=draw(backoffs),
        then=tuple(draw(st.lists(steps, min_size=1, max_size=3))),
        on_exhausted=Exhausted(rearm_after=draw(minutes(1, 30, 360)), steps=draw(hooks)),
        on_fire=draw(hooks),
        on_recovered=draw(hooks),
    )


brakes = st.builds(
    Brakes,
    actions_per_hour=st.sampled_from((3, 20, 100_000)),
    concurrent=st.just(1000),
    group_unavailable=st.just(1000),
    breaker_backoff_after=st.sampled_from((2, 1000)),
    breaker_opens_after=st.sampled_from((1, 2, 5)),
    breaker_healthy_for=minutes(10, 60),
    mass_failure_count=st.just(10_000),
)


@st.composite
def lives(draw):
    count = draw(st.integers(1, 4))
    return (
        tuple(draw(rules(f"r{number}")) for number in range(count)),
        draw(brakes),
        draw(st.integers(0, 2**32)),
        draw(st.sampled_from((0.0, 0.1, 0.5))),
    )


def conversation(ruleset, ceilings, *, memory=None, at=START):
    setup = Setup(
        node="n",
        boot="b",
        targets=PROGRAMS,
        rules=RuleSet(rules=ruleset, hash="h", files=()),
        brakes=ceilings,
        default_mode=Mode.AUTO,
        baseline=False,
    )
    return Scenario(setup, memory=memory, at=at)


def printed(ruleset, ceilings):
    config = SimpleNamespace(
        mode=Mode.AUTO, rules=SimpleNamespace(default_mode=Mode.AUTO), organs={}, targets=PROGRAMS,
        limits=ceilings, notify={},
    )  # fmt: skip
    return {(one.target, one.action): one for one in worst_case(RuleSet(rules=ruleset, hash="h", files=()), config)}


def live(ruleset, ceilings, seed, failing, *, hours=3.0):
    """Play one life; returns when each action was taken on each target, by intents that had an effect."""
    chance = random.Random(seed)
    taken = defaultdict(list)

    def world(decision):
        result = Result.DONE
        if decision.action not in QUIET_VERBS:
            result = chance.choice(EFFECTS) if chance.random() < failing else Result.DONE
            if result is not Result.STALE:
                taken[decision.target, decision.action].append(sealed(talk))
                taken[decision.target, ALL].append(sealed(talk))
        generation = f"g{len(talk.acted)}" if decision.action in {"restart", "start"} else ""
        return Outcome(id=decision.id, result=result, because="", at=talk.now, took=0.0, generation=generation)

    talk = conversation(ruleset, ceilings)
    talk.world = world
    end = talk.now + hours * HOUR
    while talk.now < end:
        for value in (0, 1) * chance.choice((1, 2)):
            for metric, pair in SIGNS.items():
                for target in IDS:
                    # Mostly what an enemy would show: trouble, then health as soon as somebody acted.
                    shown = pair[value] if chance.random() < 0.9 else chance.choice((*pair, None))
                    talk.see(metric, shown, target=target)
            later(talk, TICK * chance.choice((1, 1, 8, 200)))
        free = [one.retry_at - talk.now for one in talk.core.instances.values() if one.retry_at > talk.now]
        later(talk, min(free) if free and chance.random() < 0.7 else chance.choice((TICK, 10.0, 60.0, 300.0)))
        if chance.random() < 0.01:  # the agent dies and starts anew
            old, talk = talk, conversation(ruleset, ceilings, memory=talk.folded(), at=talk.now)
            talk.log.entries[:0] = old.log.entries
            talk.world = world
    return taken


def later(talk, seconds):
    """Let time pass without the beats between: an hour of them is most of the work, and none of the question."""
    talk.now += seconds
    talk.handle(Tick(at=talk.now, wall=talk.now + WALL - START))


def sealed(talk):
    """Now, in whole microseconds: the time that an entry has, by which brakes and bounds count."""
    return round(talk.now * 1e6)


def most(times, window):
    """The most of them in any half-open window of that length."""
    return max(bisect_right(times, at) - bisect_right(times, at - round(window * 1e6)) for at in times)


@settings(
    max_examples=LIVES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=not LONG,
    phases=(Phase.generate,),  # a life is seconds of work: what fails is told as it is
)
@given(lives())
def test_no_life_exceeds_the_bound_that_is_printed(life):
    ruleset, ceilings, seed, failing = life
    bounds = printed(ruleset, ceilings)
    for key, times in live(ruleset, ceilings, seed, failing).items():
        if key not in bounds and key[1] == ALL:
            continue  # one verb alone has no line for all of them
        bound = bounds[key]
        assert most(times, HOUR) <= bound.per_hour, (key, bound)
        assert most(times, DAY) <= bound.per_day, (key, bound)


# It is no empty promise: an enemy who knows the brakes reaches it -----------------------------------------------


def rule(name="r0", *, target="program:api", when=CONDITIONS[0], **more):
    plain = {
        "cooldown": 0.0,
        "limits": (Limit(max=1000, per=HOUR),),
        "backoff": Backoff(initial=0.0),
        "then": (Step(action="restart"),),
    }
    return Rule(
        id=name,
        position=Position(file="t.yaml", line=1, column=1),
        target=target,
        when=parsed(when),
        when_source=when,
        mode=Mode.AUTO,
        **plain | more,
    )


API = ("program:api", "restart")


def attack(ruleset, ceilings, *, tries, rest, hours, enough):
    """Trouble as soon as anybody may act, health as soon as somebody did; all but each last try of an incident fail.

    ``rest`` is the health after every second action, in seconds.
    """
    taken = defaultdict(list)
    failed = defaultdict(int)

    def world(decision):
        result = Result.DONE
        if decision.action not in QUIET_VERBS:
            taken[decision.target, decision.action].append(sealed(talk))
            failed[decision.incident] += 1
            if failed[decision.incident] < tries:
                result = Result.FAILED_TRANSIENT
            else:
                failed[decision.incident] = 0
        return Outcome(
            id=decision.id, result=result, because="", at=talk.now, took=0.0, generation=f"g{len(talk.acted)}"
        )

    talk = conversation(ruleset, ceilings)
    talk.world = world
    end = talk.now + hours * HOUR
    while talk.now < end and len(taken[API]) < enough:
        acted = len(talk.acted)
        show(talk, bad=True)
        if len(talk.acted) == acted:  # nobody may act yet: the trouble goes on until the first of them may
            later(talk, max(TICK, min(one.retry_at for one in talk.core.instances.values()) - talk.now))
        elif not failed["r0@program:api"]:
            later(talk, TICK)
            show(talk, bad=False)
            later(talk, max(TICK, rest - TICK) if len(taken[API]) % 2 == 0 else TICK)
        else:
            later(talk, TICK)
    return taken


def show(talk, *, bad):
    for metric, pair in SIGNS.items():
        talk.see(metric, pair[not bad], target="program:api")


@pytest.mark.parametrize(
    ("ruleset", "ceilings", "tries", "rest", "bound"),
    [
        ((rule(limits=(Limit(max=3, per=HOUR), Limit(max=7, per=DAY))),), {}, 1, 0, (3, 7)),
        ((rule(limits=(Limit(max=2, per=2400.0),)),), {}, 1, 0, (4, 72)),
        ((rule(limits=(Limit(max=4, per=DAY, scope="rule"),)),), {}, 1, 0, (4, 4)),
        ((rule(limits=(Limit(max=5, per=HOUR),)), rule("r1", when=CONDITIONS[1], limits=(Limit(max=5, per=HOUR),))),
         {}, 1, 0, (5, 120)),
        ((rule(cooldown=1200.0),), {"breaker_opens_after": 3}, 3, 0, (9, 216)),
        ((rule(cooldown=5400.0),), {"breaker_opens_after": 1}, 1, 0, (1, 16)),
        ((rule(backoff=Backoff(initial=60.0, factor=2.0, max=600.0, jitter=0.0, reset_after=6 * HOUR)),), {}, 1, 0,
         (9, 147)),
        ((rule(backoff=Backoff(initial=300.0, factor=5.0, max=DAY, jitter=0.0, reset_after=600.0)),), {}, 1, 600.0,
         (8, 192)),
        ((rule(),), {"actions_per_hour": 4}, 1, 0, (4, 96)),
    ],
)  # fmt: skip
def test_simple_bounds_are_reached(ruleset, ceilings, tries, rest, bound):
    out_of_the_way = {"concurrent": 1000, "breaker_backoff_after": 1000, "mass_failure_count": 10_000}
    made = Brakes(**{"actions_per_hour": 100_000, **out_of_the_way, **ceilings})
    told = printed(ruleset, made)[API]
    assert (told.per_hour, told.per_day) == bound
    whole = LONG or bound[1] < 20  # a day of it
    taken = attack(ruleset, made, tries=tries, rest=rest, hours=25, enough=bound[whole] + 2)[API]
    assert most(taken, HOUR) == told.per_hour
    if whole:
        assert most(taken, DAY) == told.per_day


def test_an_impatient_rule_goes_on_after_a_patient_one_is_done():
    patient = rule("r1", when=CONDITIONS[1], limits=(Limit(max=5, per=HOUR),))
    impatient = rule(limits=(Limit(max=3, per=600.0),))
    made = Brakes(actions_per_hour=100_000, concurrent=1000, mass_failure_count=10_000)
    talk = conversation((impatient, patient), made)
    for metric, times in (("program.memory", 5), *[("program.up", 3)] * 5):
        for _ in range(times):
            for shown in SIGNS[metric]:
                talk.see(metric, shown, target="program:api")
                later(talk, TICK)
        later(talk, 600.0)
    taken = [round(one.decided_at * 1e6) for one in talk.acted if one.action == "restart"]
    # Neither the larger of the two bounds (18) nor the sum of the limits as written (8): 5, and 3 in each ten minutes.
    assert most(taken, HOUR) == 5 + 5 * 3
    assert printed((impatient, patient), made)[API].per_hour == 18 + 5
