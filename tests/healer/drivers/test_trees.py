"""A tree is all that stems from one process, and nothing else."""

import os
import signal
import subprocess
import time

import pytest

from healer.drivers import cgroups, processes, trees
from healer.drivers.trees import Tree


@pytest.fixture
def start():
    made = []

    def go(*argv, **more):
        made.append(subprocess.Popen(argv, start_new_session=True, stdout=subprocess.PIPE, **more))
        return made[-1]

    yield go
    for child in made:
        child.kill()
        child.wait()
        child.stdout.close()


def ticks(pid):
    return processes.stat(pid).ticks


async def test_ending_takes_children_and_spares_the_rest(start):
    stranger = start("sleep", "60")
    leader = start("sh", "-c", "sleep 60 & echo $!; wait")
    child = int(leader.stdout.readline())
    await trees.end(Tree(root=leader.pid, ticks=ticks(leader.pid)), grace=5.0)
    assert processes.generation(child) == processes.generation(leader.pid) == ""
    assert stranger.poll() is None


async def test_a_number_that_changed_hands_is_no_root(start):
    stranger = start("sleep", "60")
    tree = Tree(root=stranger.pid, ticks=ticks(stranger.pid) - 1)
    assert trees.members(tree) == {}
    assert await trees.end(tree, grace=0.1) == 0
    assert stranger.poll() is None


async def test_the_deaf_are_killed_and_counted(start):
    deaf = start("sh", "-c", "trap '' TERM; echo; sleep 60 & wait; sleep 60")
    deaf.stdout.readline()
    assert await trees.end(Tree(root=deaf.pid, ticks=ticks(deaf.pid)), grace=0.2) >= 1
    assert deaf.wait(5) == -signal.SIGKILL


async def test_a_fork_bomb_that_ignores_term_ends(start):
    code = "trap '' TERM; echo; while :; do sleep 60 & [ $(jobs -p | wc -l) -gt 40 ] && wait; done"
    bomb = start("sh", "-c", code, env={"HEALER_INTENT": "bomb", "PATH": "/usr/bin:/bin"})
    bomb.stdout.readline()
    before = time.monotonic()
    await trees.end(Tree(root=bomb.pid, ticks=ticks(bomb.pid), markers={"HEALER_INTENT": "bomb"}), grace=0.1)
    assert time.monotonic() - before < 5.0
    assert trees.members(Tree(root=bomb.pid, ticks=0, markers={"HEALER_INTENT": "bomb"})) == {}


def test_we_and_our_parents_are_never_members_even_when_a_tree_claims_us():
    mine = processes.stat(os.getppid())
    assert os.getpid() not in trees.members(Tree(root=mine.pid, ticks=mine.ticks))
    assert mine.pid not in trees.members(Tree(root=mine.pid, ticks=mine.ticks))


def test_without_a_root_markers_or_cgroup_nothing_is_a_member():
    assert trees.members(Tree(root=0, ticks=0)) == {}
    gone = cgroups.Cgroup(path=cgroups.Path("/no/such/cgroup"))
    assert trees.members(Tree(root=0, ticks=0, cgroup=gone)) == {}
