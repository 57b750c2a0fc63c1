"""Processes stand still and go on, get more and less, and only the one that was judged."""

import asyncio
import os
import signal
import subprocess

import pytest

from healer.actions.hands.catalog import Services
from healer.actions.hands.process import hands
from healer.actions.interface import Order
from healer.actions.signal import Signal
from healer.drivers import processes
from healer.drivers.holds import Holds
from healer.errors import ActionError
from healer.model.systems import VERBS
from healer.model.target import Target

HOLDS = Holds(None)
KIND = hands(Services(drivers=None, programs=None, clock=None, holds=HOLDS))


@pytest.fixture
def child():
    code = "import subprocess, time; subprocess.Popen(['sleep', '60']); print(1, flush=True); time.sleep(60)"
    with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE, start_new_session=True) as made:
        made.stdout.readline()
        yield made.pid
        os.killpg(made.pid, 9)


def order(pid, params=None, generation=None):
    found = processes.generation(pid) if generation is None else generation
    target = Target(kind="process", name="it", organ="muscles")
    return Order(intent="a" * 64, target=target, params=params or {}, timeout=10.0, generation=found)


def states(pid):
    table = processes.everyone()
    return {table[one].state for one in processes.descendants([pid], table)}


def test_every_verb_a_process_is_declared_for_has_its_hand():
    assert set(KIND) == {verb for verb, declared in VERBS.items() if "process" in declared.kinds}


async def test_what_somebody_stopped_before_is_not_woken_when_the_incident_is_over(child):
    os.killpg(child, signal.SIGSTOP)
    for _ in range(200):
        await asyncio.sleep(0.01 if states(child) != {"T"} else 0)
    done = await KIND["quarantine"].act(order(child))
    assert "already" in done.because
    assert done.undo == {}


async def test_a_process_and_its_children_stand_still_and_go_on(child):
    done = await KIND["quarantine"].act(order(child))
    assert "2 processes of it stand still" in done.because
    assert states(child) == {"T"}
    with pytest.raises(ActionError, match="in quarantine"):  # the shipped rule about stopped processes would wake it
        await Signal(HOLDS).act(order(child, {"signal": "CONT"}))
    assert states(child) == {"T"}
    back = await KIND["quarantine"].act(order(child, dict(done.undo)))
    assert "goes on, 2 processes" in back.because
    await asyncio.sleep(0.05)
    assert "T" not in states(child)
    await Signal(HOLDS).act(order(child, {"signal": "CONT"}))


async def test_a_person_puts_it_back_without_a_note(child):
    await KIND["quarantine"].act(order(child))
    await KIND["quarantine"].act(order(child, {"back": {}}))
    await asyncio.sleep(0.05)
    assert "T" not in states(child)


async def test_what_ended_since_is_not_put_back(child):
    stale = {"back": {"generation": "1.2"}}
    assert "ended since" in (await KIND["quarantine"].act(order(child, stale))).because
    stale = {"back": {"generation": "1.2", "settings": {"oom": ["0", "5"]}}}
    assert "nothing to put back" in (await KIND["adjust"].act(order(child, stale))).because


@pytest.mark.parametrize("verb", ["quarantine", "adjust"])
async def test_another_incarnation_is_left_alone(verb, child):
    for generation in (f"{child}.1", "", "garbage"):
        with pytest.raises(ActionError):
            await KIND[verb].act(order(child, {"oom": "100"}, generation))
    assert "T" not in states(child)


@pytest.mark.parametrize("verb", ["quarantine", "adjust"])
async def test_neither_init_nor_the_agent_nor_its_parents_are_touched(verb):
    for pid in (1, os.getpid(), os.getppid()):
        with pytest.raises(ActionError, match="init, the agent or a parent"):
            await KIND[verb].act(order(pid, {"oom": "100"}))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may put a niceness back")
async def test_a_share_is_taken_and_given_back(child):
    done = await KIND["adjust"].act(order(child, {"weight": "-50%", "oom": "+300"}))
    assert done.because == "process:it: niceness 3 (was 0), oom 300 (was 0)"
    table = processes.everyone()
    family = processes.descendants([child], table)
    assert {os.getpriority(os.PRIO_PROCESS, one) for one in family} == {3}
    again = await KIND["adjust"].act(order(child, {"oom": "300"}))
    assert "so already" in again.because
    assert not again.undo
    back = await KIND["adjust"].act(order(child, dict(done.undo)))
    assert "niceness 0, oom 0 put back" in back.because
    assert {os.getpriority(os.PRIO_PROCESS, one) for one in family} == {0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may put a niceness back")
async def test_what_somebody_else_changed_since_is_left_alone(child):
    done = await KIND["adjust"].act(order(child, {"weight": "50"}))
    os.setpriority(os.PRIO_PROCESS, child, 11)
    back = await KIND["adjust"].act(order(child, dict(done.undo)))
    assert "left alone, since somebody else changed it: weight" in back.because
    assert os.getpriority(os.PRIO_PROCESS, child) == 11


@pytest.mark.parametrize("params", [{}, {"tasks": "5"}, {"memory": "+1MiB"}, {"weight": "much"}, {"cpu": "50%"}])
async def test_what_cannot_be_adjusted_says_so_and_nothing_is_changed(params, child):
    with pytest.raises(ActionError) as caught:
        await KIND["adjust"].act(order(child, params))
    assert not caught.value.transient
    assert os.getpriority(os.PRIO_PROCESS, child) == 0


async def test_all_is_planned_before_anything_is_set(child):
    with pytest.raises(ActionError, match=r"cpu\.max"):
        await KIND["adjust"].act(order(child, {"oom": "500", "cpu": "50%"}))
    assert (await KIND["adjust"].act(order(child, {"oom": "0"}))).because.endswith("so already")


def test_the_dry_runs_are_sentences(child):
    assert "would stop process:it where it stands" in KIND["quarantine"].would(order(child))
    assert "would let" in KIND["quarantine"].would(order(child, {"back": {}}))
    assert KIND["adjust"].would(order(child, {"oom": "5"})) == "would adjust process:it: oom 5"
    assert "put back" in KIND["adjust"].would(order(child, {"back": {}}))


def test_the_verbs_say_that_they_can_be_taken_back():
    assert all("back" in VERBS[verb].params for verb in KIND)
