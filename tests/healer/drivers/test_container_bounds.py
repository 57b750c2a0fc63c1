from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import container_bounds as bounds
from healer.drivers.container_bounds import Room
from healer.drivers.containers import Limits
from healer.errors import ActionError
from healer.model.change import parse

MIB = 2**20
ROOM = Room(cpus=4, memory=8192 * MIB, declared={})
NOW = Limits(nano_cpus=10**9, memory=100 * MIB, memory_swap=200 * MIB, pids=100)


def plan(now=NOW, room=ROOM, **changes):
    return bounds.planned({name: parse(text) for name, text in changes.items()}, now, room)


def test_a_relative_change_is_of_what_it_has():
    new = plan(cpu="+20%", memory="+50%", weight="-50%", tasks="+20%")
    assert (new.nano_cpus, new.memory, new.cpu_shares, new.pids) == (1_200_000_000, 150 * MIB, 512, 120)
    assert new.memory_swap - new.memory == NOW.memory_swap - NOW.memory, "what it may swap stays"


def test_an_absolute_change_is_of_one_core_or_of_the_host():
    assert plan(cpu="50%").nano_cpus == 500_000_000
    assert plan(cpu="2").nano_cpus == 2_000_000_000
    assert plan(memory="256MiB").memory == 256 * MIB
    assert plan(memory="10%").memory == round(819.2 * MIB)


def test_nothing_goes_beyond_what_was_declared_or_what_the_host_has():
    declared = replace(ROOM, declared={"cpu": 1.5, "memory": 128 * MIB, "tasks": 110})
    new = plan(room=declared, cpu="+100%", memory="+100%", tasks="+100%")
    assert (new.nano_cpus, new.memory, new.pids) == (1_500_000_000, 128 * MIB, 110)
    assert plan(cpu="100").nano_cpus == 4_000_000_000
    assert plan(memory="100TiB").memory == 4096 * MIB
    greedy = replace(ROOM, declared={"cpu": 64})
    assert plan(room=greedy, cpu="100").nano_cpus == 4_000_000_000


def test_nothing_goes_below_what_it_uses_now():
    used = replace(ROOM, memory_used=90 * MIB, tasks_used=50)
    new = plan(room=used, memory="-90%", tasks="-90%")
    assert new.memory == pytest.approx(99 * MIB, abs=1)
    assert new.pids == 56
    with pytest.raises(ActionError, match="uses nearly that or more"):
        plan(room=replace(used, declared={"memory": 64 * MIB}), memory="-1MiB")


def test_one_that_has_more_than_is_declared_is_not_cut_by_a_raise():
    assert plan(room=replace(ROOM, declared={"memory": 64 * MIB}), memory="+10%").memory == 100 * MIB


def test_without_a_bound_there_is_nothing_to_add_to():
    with pytest.raises(ActionError, match="nothing to add to"):
        plan(Limits(), cpu="+20%")
    with pytest.raises(ActionError, match="cannot take a bound away again"):
        plan(Limits(), memory="64MiB")
    new = plan(Limits(), cpu="-50%")
    assert (new.nano_cpus, new.cpu_quota) == (0, 200_000)
    assert plan(Limits(), tasks="-50%").pids == 2048


def test_a_quota_stays_a_quota():
    new = plan(Limits(cpu_quota=50_000, cpu_period=50_000), cpu="+20%")
    assert (new.nano_cpus, new.cpu_quota, new.cpu_period) == (0, 60_000, 50_000)


def test_what_was_changed_is_put_back_and_what_others_changed_since_is_left():
    made = plan(memory="+50%", tasks="+20%")
    note = {"was": bounds.noted(NOW), "is": bounds.noted(made)}
    assert bounds.put_back(note, made) == (NOW, [])
    others = replace(made, pids=7)
    assert bounds.put_back(note, others) == (replace(NOW, pids=7), ["pids"])
    for junk in ({}, {"was": 1, "is": 2}, {"was": {"x": 1}, "is": {}}):
        with pytest.raises(ActionError, match="no sense"):
            bounds.put_back(junk, made)


def test_what_changes_is_told_in_words():
    said = bounds.told(replace(NOW, pids=0), plan(memory="+50%"))
    assert said == "memory 100 MiB -> 150 MiB, tasks unbounded -> 100"
    assert bounds.told(Limits(), Limits(cpu_quota=50_000)) == "cpu unbounded -> 0.5"


@given(
    text=st.from_regex(r"[+-]?[0-9]{1,12}(\.[0-9]{1,3})?(%|MiB|GiB)?", fullmatch=True),
    setting=st.sampled_from(bounds.SETTINGS),
    used=st.floats(0, 2**40),
)
def test_whatever_is_asked_the_outcome_is_within_its_room(text, setting, used):
    room = replace(ROOM, memory_used=used, tasks_used=used % 10_000)
    try:
        new = plan(room=room, **{setting: text})
    except ActionError:
        return
    assert new.cpus <= 4 + 1e-9
    assert new.memory <= 4096 * MIB
    assert new.pids <= 4096
    if setting == "memory":
        assert new.memory >= used
