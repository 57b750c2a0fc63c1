import asyncio
import logging
import os

import pytest

from healer.actions.interface import Action, Done
from healer.core.world import HOST
from healer.errors import ActionError, AmbiguousError, HealerError, SkippedError
from healer.model.decision import Decision, Result, SealedIntent
from healer.model.mode import Mode
from healer.model.target import Target
from healer.runtime import dispatch as module
from healer.runtime.dispatch import Dispatch, KillSwitch, clean
from healer.testing import FakeClock

P = Target(kind="program", name="p", organ="heart")


class Hand(Action):
    """Does as told, and remembers its orders."""

    verb, kinds, touches = "restart", ("*",), "nothing"

    def __init__(self, does=lambda order: Done(because="did it")):
        self.does, self.orders = does, []

    async def act(self, order):
        self.orders.append(order)
        answer = self.does(order)
        return await answer if asyncio.iscoroutine(answer) else answer

    def would(self, order):
        return "would"


def decision(action="restart", **more):
    fields = {
        "id": "i-1", "incident": "r@program:p", "rule": "r", "rules_hash": "", "step": 0, "attempt": 1,
        "action": action, "target": "program:p", "params": {}, "timeout": 5.0, "deadline": 1010.0,
        "generation": "g1", "because": "why", "evidence": (), "actor": "rule:r", "mode": Mode.AUTO,
        "priority": 5, "decided_at": 1000.0,
    }  # fmt: skip
    return Decision(**(fields | more))


class Kit:
    """A dispatch on one target, and what came of what it was given."""

    def __init__(self, folder):
        self.clock, self.hand, self.outcomes = FakeClock(), Hand(), []
        self.targets = {"program:p": P, HOST.id: HOST}
        self.generations = {"program:p": "g1"}
        self.switch = KillSwitch(folder / "stop-healing")
        self.dispatch = Dispatch(
            actions={"restart": self.hand, "notify": self.hand},
            targets=self.targets.get,
            generation=lambda target: self.generations.get(target.id),
            kill_switch=self.switch,
            clock=self.clock,
            finished=self.outcomes.append,
        )

    async def run(self, one=None):
        intent = SealedIntent(decision=one or decision(), leaf="ab" * 32, seq=1, sealed_at=1000.0)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            self.dispatch.carry_out(intent, group)
        (outcome,) = self.outcomes
        assert self.dispatch.running == ()
        return outcome


@pytest.fixture
def kit(tmp_path):
    return Kit(tmp_path)


async def test_a_sealed_intent_becomes_an_order_and_its_end_an_outcome(kit):
    kit.hand.does = lambda order: Done(because="restarted", rc=0, generation="g2", output=b"out")
    outcome = await kit.run()
    (order,) = kit.hand.orders
    assert (order.intent, order.target, order.generation, order.rule) == ("ab" * 32, P, "g1", "r")
    assert (outcome.result, outcome.because, outcome.rc, outcome.generation) == (Result.DONE, "restarted", 0, "g2")
    assert outcome.output == "out"
    assert len(outcome.output_sha256) == 64


async def test_an_intent_is_single_use(kit):
    intent = SealedIntent(decision=decision(), leaf="", seq=1, sealed_at=0.0)
    async with asyncio.TaskGroup() as group:
        kit.dispatch.carry_out(intent, group)
    with pytest.raises(HealerError):
        kit.dispatch.carry_out(intent, None)
    assert len(kit.hand.orders) == 1


@pytest.mark.parametrize(
    ("spoil", "because"),
    [
        (lambda kit: kit.switch.throw(), "kill switch"),
        (lambda kit: setattr(kit.clock, "at", 1010.5), "deadline passed 0.5 s"),
        (lambda kit: kit.generations.update({"program:p": "g2"}), "another incarnation now (g1 -> g2)"),
        (lambda kit: kit.generations.update({"program:p": ""}), "another incarnation now (g1 -> none)"),
        (lambda kit: kit.targets.clear(), "not looked after any more"),
        (lambda kit: setattr(kit.dispatch, "stopping", True), "the agent is stopping"),
    ],
)
async def test_what_moved_since_the_decision_makes_it_stale_and_nothing_is_done(kit, spoil, because):
    spoil(kit)
    outcome = await kit.run()
    assert outcome.result is Result.STALE
    assert because in outcome.because
    assert kit.hand.orders == []


@pytest.mark.parametrize(
    ("spoil", "because"),
    [
        (lambda kit: kit.switch.throw(), "kill switch"),
        (lambda kit: setattr(kit.clock, "at", 1010.5), "deadline passed 0.5 s"),
        (lambda kit: kit.generations.update({"program:p": "g2"}), "another incarnation now (g1 -> g2)"),
    ],
)
async def test_what_moved_while_an_action_prepared_makes_it_stale_too(kit, spoil, because):
    async def prepare(order):
        spoil(kit)

    kit.hand.prepare = prepare
    outcome = await kit.run()
    assert outcome.result is Result.STALE
    assert because in outcome.because
    assert kit.hand.orders == []


async def test_a_driver_that_keeps_no_incarnation_fences_nothing(kit):
    kit.generations.clear()
    assert (await kit.run()).result is Result.DONE


async def test_telling_people_is_not_fenced_by_an_incarnation(kit):
    kit.generations["program:p"] = "g2"
    assert (await kit.run(decision("notify"))).result is Result.DONE


async def test_an_effect_on_the_host_has_no_incarnation(kit):
    assert (await kit.run(decision(target=HOST.id))).result is Result.DONE


async def test_a_verb_without_a_hand_is_refused_by_name(kit):
    outcome = await kit.run(decision("reboot"))
    assert (outcome.result, outcome.because) == (Result.REFUSED, "no hand for reboot here")


def raising(error):
    def does(order):
        raise error

    return does


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (ActionError("busy"), Result.FAILED_TRANSIENT),
        (ActionError("no such file", transient=False), Result.FAILED_PERMANENT),
        (SkippedError("it failed too often"), Result.SKIPPED),
        (AmbiguousError("the reply was lost"), Result.AMBIGUOUS),
        (ZeroDivisionError("a bug"), Result.AMBIGUOUS),
        (SystemExit("a plug-in gives up"), Result.AMBIGUOUS),
        (TimeoutError(), Result.AMBIGUOUS),
    ],
)
async def test_what_an_action_raises_is_told_by_its_kind(kit, error, result):
    kit.hand.does = raising(error)
    assert (await kit.run()).result is result


@pytest.mark.parametrize(
    "said",
    [
        None,
        "done",
        Done(because=None),
        Done(because="ok", rc="0"),
        Done(because="ok", output="text"),
        Done(because="ok", generation=7),
    ],
)
async def test_an_action_that_answers_nonsense_is_ambiguous_and_the_agent_lives(kit, said):
    kit.hand.does = lambda order: said
    outcome = await kit.run()
    assert outcome.result is Result.AMBIGUOUS
    assert "makes no sense" in outcome.because


async def test_an_action_that_hangs_past_its_time_is_given_up_as_ambiguous(kit, monkeypatch):
    monkeypatch.setattr(module, "MARGIN", 0.05)
    kit.hand.does = lambda order: asyncio.Event().wait()
    outcome = await kit.run(decision(timeout=0.0))
    assert outcome.result is Result.AMBIGUOUS
    assert "did not end within" in outcome.because


async def test_output_of_any_octets_is_cleaned_capped_and_hashed_whole(kit):
    kit.hand.does = lambda order: Done(because="\x1b[31mred\u202e", output=b"\xff\x00" + b"x" * 10_000)
    outcome = await kit.run()
    assert "\x1b" not in outcome.because
    assert "\u202e" not in outcome.because
    assert len(outcome.output) == 2000
    assert "\x00" not in outcome.output


def test_cleaning_keeps_lines_and_tabs():
    assert clean("a\tb\nc\x07") == "a\tb\nc\N{REPLACEMENT CHARACTER}"


# Stopping -------------------------------------------------------------------------------------------------------


async def test_draining_lets_what_runs_end(kit):
    go = asyncio.Event()

    async def does():
        await go.wait()
        return Done(because="in time")

    kit.hand.does = lambda order: does()
    intent = SealedIntent(decision=decision(), leaf="", seq=1, sealed_at=0.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        kit.dispatch.carry_out(intent, group)
        await asyncio.sleep(0)
        assert kit.dispatch.running == ("i-1",)
        asyncio.get_running_loop().call_soon(go.set)
        await kit.dispatch.drain(5.0)
    assert [one.because for one in kit.outcomes] == ["in time"]


async def test_what_does_not_end_in_time_is_recorded_as_interrupted(kit):
    kit.hand.does = lambda order: asyncio.Event().wait()
    intent = SealedIntent(decision=decision(), leaf="", seq=1, sealed_at=0.0)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        kit.dispatch.carry_out(intent, group)
        await asyncio.sleep(0)
        await kit.dispatch.drain(0.0)
    (outcome,) = kit.outcomes
    assert outcome.result is Result.INTERRUPTED


async def test_draining_nothing_takes_no_time(kit):
    async with asyncio.timeout(0.5):
        await kit.dispatch.drain(100.0)
    assert kit.dispatch.stopping


async def test_a_listener_that_is_gone_does_not_hold_the_end_up(kit):
    def gone(outcome):
        raise RuntimeError("the loop is closed")

    kit.dispatch._finished = gone
    kit.hand.does = lambda order: asyncio.Event().wait()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        kit.dispatch.carry_out(SealedIntent(decision=decision(), leaf="", seq=1, sealed_at=0.0), group)
        await asyncio.sleep(0)
        await kit.dispatch.drain(0.0)


# The kill switch ------------------------------------------------------------------------------------------------


def test_the_switch_is_a_file(kit):
    assert not kit.switch.on()
    kit.switch.throw()
    kit.switch.throw()
    assert kit.switch.on()
    assert kit.switch.path.read_bytes() == b""
    kit.switch.take_away()
    kit.switch.take_away()
    assert not kit.switch.on()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file of somebody else")


@needs_root
def test_a_stranger_s_file_is_no_switch_and_does_not_stand_in_its_way(kit):
    kit.switch.path.touch()
    os.chown(kit.switch.path, 65534, 65534)
    assert not kit.switch.on()
    kit.switch.throw()
    assert kit.switch.on()


@needs_root
def test_a_stranger_s_link_is_not_followed(kit, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    kit.switch.path.symlink_to(elsewhere)
    os.chown(kit.switch.path, 65534, 65534, follow_symlinks=False)
    assert not kit.switch.on()
    kit.switch.throw()
    assert kit.switch.on()
    assert not elsewhere.exists()


def test_what_cannot_be_looked_at_counts_as_thrown(tmp_path):
    assert KillSwitch(tmp_path / ("x" * 300)).on()


def test_a_switch_that_cannot_be_thrown_or_taken_away_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HealerError, match="cannot make"):
        KillSwitch(tmp_path / "gone" / "switch").throw()
    # It counts as thrown for who decides to act, and as not thrown for who is told that he threw it.
    assert KillSwitch(tmp_path / "file" / "switch").on()
    with pytest.raises(HealerError, match="cannot make"):
        KillSwitch(tmp_path / "file" / "switch").throw()
    with pytest.raises(HealerError, match="cannot remove"):
        KillSwitch(tmp_path / "file" / "switch").take_away()


def test_the_log_of_a_crash_names_the_action(kit, caplog):
    kit.hand.does = raising(KeyError("x"))
    with caplog.at_level(logging.ERROR):
        asyncio.run(kit.run())
    assert caplog.records[0].action == "restart"
