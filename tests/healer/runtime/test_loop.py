import asyncio
import contextlib

import pytest

from healer.core.core import Core, Setup
from healer.errors import SealError
from healer.model.decision import Result
from healer.model.effect import Act, Cancel, Look, Note, Publish, Snapshot
from healer.model.event import Finished, Happened, Sealed, Tick
from healer.model.memory import Memory
from healer.rules.rule import RuleSet
from healer.runtime.bus import Bus
from healer.runtime.loop import Loop
from healer.testing import FakeClock
from tests.healer.runtime.test_dispatch import decision


class Scripted:
    """A core that wants what it was told to want, whatever it hears."""

    def __init__(self, *wants):
        self.wants, self.heard, self.due_at = list(wants), [], 1e9
        self.retired = False

    def recover(self):
        return []

    def handle(self, event):
        self.heard.append(event)
        wanted = self.wants.pop(0) if self.wants else []
        if isinstance(wanted, Exception):
            raise wanted
        return wanted

    def due(self):
        return self.due_at

    def succeed(self, old):
        return [Publish(topic="succeeded")]

    def retire(self):
        self.retired = True


class Sealer:
    """Remembers what it is to seal."""

    def __init__(self):
        self.batches = []

    def submit(self, batch):
        if batch:
            self.batches.append(batch)

    def redacted(self, value):
        return value


class Doer:
    """Remembers what it is to do."""

    def __init__(self):
        self.done = []

    def carry_out(self, intent, group):
        self.done.append(intent.take().id)


class Kit:
    def __init__(self, *wants, topics=()):
        self.core, self.clock, self.bus = Scripted(*wants), FakeClock(), Bus()
        self.looked, self.progress = [], []
        self.loop = Loop(
            core=self.core,
            clock=self.clock,
            bus=self.bus,
            look=self.looked.append,
            progressed=lambda: self.progress.append(1),
            sealed_topics=topics,
        )
        self.sealer, self.doer = Sealer(), Doer()
        self.loop.attach(self.sealer, self.doer)

    @contextlib.asynccontextmanager
    async def live(self):
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            task = group.create_task(self.loop.run())
            await asyncio.sleep(0)
            yield
            task.cancel()

    def topics(self):
        return [heard.topic for heard in self.bus.ring]


def sealed_intent(name="i-1", **more):
    from healer.model.decision import SealedIntent

    return SealedIntent(decision=decision(id=name, **more), leaf="ab", seq=1, sealed_at=0.0)


EVENT = Happened(topic="x", at=1000.0)
NOTE = Note(kind="state", fields={"kind": "state"}, topic="incident.firing")
ACT = Act(decision=decision(), entry={"id": "i-1", "action": "restart"})


async def test_what_is_wanted_together_is_sealed_together_and_told():
    kit = Kit([NOTE, ACT, Look(target="program:p", because=""), Publish(topic="said", data={"a": 1}), Snapshot()])
    async with kit.live():
        kit.loop.put(EVENT)
    assert kit.sealer.batches == [[NOTE, ACT]]
    assert kit.looked == ["program:p"]
    assert kit.topics() == ["incident.firing", "action.intended", "said"]
    assert kit.loop.snapshot_wanted
    assert kit.doer.done == []  # nothing is sealed yet


async def test_an_effect_begins_when_its_intent_is_sealed_and_the_core_was_asked_once_more():
    kit = Kit()
    async with kit.live():
        kit.loop.sealed(sealed_intent())
    assert isinstance(kit.core.heard[0], Sealed)
    assert kit.doer.done == ["i-1"]


async def test_what_the_core_takes_back_after_the_seal_is_stale_and_not_done():
    kit = Kit([Cancel(id="i-1", because="the condition is false now")])
    async with kit.live():
        kit.loop.sealed(sealed_intent())
    assert kit.doer.done == []
    outcome = kit.core.heard[-1].outcome
    assert (outcome.result, outcome.because) == (Result.STALE, "the condition is false now")


def asks(because, asked=None):
    async def quorum(until):
        if asked is not None:
            asked.append(until)
        await asyncio.sleep(0)
        return because

    return quorum


async def test_an_intent_that_waits_for_witnesses_is_told_before_and_asked_again_after():
    kit, asked = Kit(), []
    kit.loop.quorum = asks("", asked)
    async with kit.live():
        kit.loop.sealed(sealed_intent(witness="before"))
        assert [(event.leaf, event.waits) for event in kit.core.heard] == [("ab", True)]
        assert kit.doer.done == []
        await asyncio.sleep(0.01)
        assert [event.waits for event in kit.core.heard] == [True, False]
    assert kit.doer.done == ["i-1"]
    assert asked == [decision().deadline]


async def test_what_changed_while_the_witnesses_were_asked_is_stale():
    kit = Kit([], [Cancel(id="i-1", because="the condition is false now")])
    kit.loop.quorum = asks("")
    async with kit.live():
        kit.loop.sealed(sealed_intent(witness="before"))
        await asyncio.sleep(0.01)
    assert kit.doer.done == []
    assert kit.core.heard[-1].outcome.result is Result.STALE


@pytest.mark.parametrize(("quorum", "says"), [(asks("b sleeps"), "only: b sleeps"), (None, "there are none")])
async def test_without_the_quorum_nothing_is_done(quorum, says):
    kit = Kit()
    kit.loop.quorum = quorum
    async with kit.live():
        kit.loop.sealed(sealed_intent(witness="before"))
        await asyncio.sleep(0.01)
    assert kit.doer.done == []
    outcome = kit.core.heard[-1].outcome
    assert outcome.result is Result.REFUSED
    assert says in outcome.because


async def test_a_stop_waits_for_no_witness():
    kit = Kit()
    kit.loop.quorum = lambda _: asyncio.sleep(100, "")
    async with kit.live():
        await kit.loop.release()
        kit.loop.sealed(sealed_intent(witness="before"))
        await asyncio.sleep(0)
        await kit.loop.release()
        assert kit.core.heard[-1].outcome.result is Result.REFUSED
        assert "stopped before" in kit.core.heard[-1].outcome.because
    assert kit.doer.done == []


@pytest.mark.parametrize(
    ("action", "witness", "shown"),
    [("restart", "", 1), ("start", "", 0), ("start", "at-once", 1), ("run", "", 1), ("notify", "", 0)],
)
async def test_what_is_risky_is_shown_to_the_witnesses_at_once_and_waits_for_nobody(action, witness, shown):
    kit, times = Kit(), []
    kit.loop.at_once = lambda: times.append(1)
    async with kit.live():
        kit.loop.sealed(sealed_intent(action=action, witness=witness))
        assert kit.doer.done == ["i-1"]
    assert len(times) == shown


async def test_an_intent_the_log_refused_is_refused():
    kit = Kit()
    async with kit.live():
        kit.loop.refused(decision(), SealError("the disk is gone"))
    (heard,) = kit.core.heard
    assert isinstance(heard, Finished)
    assert heard.outcome.result is Result.REFUSED


async def test_a_log_that_takes_nothing_means_safe_mode(caplog):
    kit = Kit()
    async with kit.live():
        kit.loop.broken(SealError("the disk is gone"))
    assert kit.core.heard[0].topic == "safe-mode"
    assert caplog.records[0].levelname == "CRITICAL"


async def test_an_intent_sealed_after_the_end_is_not_carried_out():
    kit = Kit()
    kit.loop.sealed(sealed_intent())
    assert kit.doer.done == []


async def test_events_are_handled_one_after_the_other_even_when_one_makes_another():
    order = []
    kit = Kit()
    handle = kit.core.handle

    def nested(event):
        order.append(f"begin {event.topic}")
        if event.topic == "first":
            kit.loop.put(Happened(topic="second", at=0.0))
            assert kit.loop.waiting == 1
        order.append(f"end {event.topic}")
        return handle(event)

    kit.core.handle = nested
    async with kit.live():
        kit.loop.put(Happened(topic="first", at=0.0))
    assert order == ["begin first", "end first", "begin second", "end second"]
    assert kit.loop.handled == 2


async def test_what_comes_before_the_loop_runs_waits_for_it():
    kit = Kit()
    kit.loop.put(EVENT)
    assert kit.core.heard == []
    async with kit.live():
        pass
    assert kit.core.heard == [EVENT]


async def test_a_bug_in_the_core_ends_the_loop_with_that_bug():
    kit = Kit(ZeroDivisionError("a bug"), [])

    async def live():
        async with kit.live():
            kit.loop.put(EVENT)
            kit.loop.put(EVENT)
            await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup) as died:
        await live()
    assert died.group_contains(ZeroDivisionError, match="a bug")


async def test_the_clock_ticks_when_the_core_is_due_and_only_that_is_progress():
    kit = Kit()
    kit.core.due_at = kit.clock.at + 0.02
    async with kit.live():
        kit.loop.put(EVENT)
        assert kit.progress == []
        while not any(isinstance(event, Tick) for event in kit.core.heard):
            kit.core.due_at = 1e9 if kit.clock.at > 1000.01 else kit.core.due_at
            kit.clock.at += 0.01
            await asyncio.sleep(0.01)
    ticks = [event for event in kit.core.heard if isinstance(event, Tick)]
    assert len(kit.progress) == len(ticks) >= 1
    assert kit.loop.lag >= 0


async def test_an_earlier_deadline_replaces_the_timer_and_the_same_keeps_it():
    kit = Kit()
    async with kit.live():
        first = kit.loop._timer
        kit.loop.put(EVENT)
        assert kit.loop._timer is first
        kit.core.due_at = 1000.5
        kit.loop.put(EVENT)
        assert kit.loop._timer is not first
        assert first.cancelled()


async def test_a_new_core_takes_over_from_one_that_was_brought_to_the_present():
    kit = Kit()
    async with kit.live():
        new = Scripted()
        kit.loop.succeed(new)
        kit.loop.put(EVENT)
    assert isinstance(kit.core.heard[-1], Tick)
    assert kit.core.retired
    assert new.heard == [EVENT]
    assert "succeeded" in kit.topics()


@pytest.mark.parametrize(
    ("topic", "sealed"),
    [("user.login", True), ("other.thing", False), ("user.", False), ("user.a b", False), ("user.\n", False)],
)
async def test_topics_that_are_wanted_become_entries_where_the_log_has_a_word_for_them(topic, sealed):
    kit = Kit([Publish(topic=topic, data={"a": 1})], topics=("user.*",))
    async with kit.live():
        kit.loop.put(EVENT)
    assert kit.topics() == [topic]
    assert [event.data for event in kit.core.heard[1:]] == (
        [{"type": topic, "data": {"a": 1}, "who": "bus"}] if sealed else []
    )


async def test_a_sealed_topic_is_told_once_and_by_the_real_core_too():
    kit = Kit(topics=("user.*",))
    setup = Setup(node="n", boot="b", rules=RuleSet(rules=(), hash="", files=()))
    kit.loop.core = Core(setup, Memory(), now=kit.clock.at, wall=kit.clock.wall())
    async with kit.live():
        kit.loop.tell("user.login", {"load": 0.5})
    assert kit.topics().count("user.login") == 1
    (batch,) = kit.sealer.batches
    assert batch[0].fields["type"] == "user.login"
