"""A tree's control group is used where it has the setting, planned as a whole, and put back as it was."""

import os

import pytest

from healer.actions.hands.tree import Adjust
from healer.actions.interface import Order
from healer.drivers import processes
from healer.drivers.cgroups import Cgroup
from healer.drivers.trees import Tree
from healer.errors import ActionError
from healer.model.target import Target


@pytest.fixture
def group(tmp_path):
    """A control group as the kernel shows it, with us in it."""
    for name, value in (("cpu.weight", "100"), ("cpu.max", "max 100000"), ("memory.high", "max"), ("cgroup.procs", "")):
        (tmp_path / name).write_text(f"{value}\n")
    return tmp_path


@pytest.fixture
def adjust(group):
    pid = os.getpid()
    tree = Tree(root=pid, ticks=processes.stat(pid).ticks, cgroup=Cgroup(path=group))
    return Adjust(lambda order: tree)


def order(params):
    target = Target(kind="program", name="api", organ="heart")
    return Order(intent="a" * 64, target=target, params=params, timeout=10.0, generation="1.2")


def values(group):
    return {name: (group / name).read_text().strip() for name in ("cpu.weight", "cpu.max", "memory.high")}


async def test_weight_quota_and_throttling_are_set_and_put_back(adjust, group):
    done = await adjust.act(order({"weight": "-50%", "cpu": "150%", "memory_high": "512MiB"}))
    assert values(group) == {"cpu.weight": "50", "cpu.max": "150000 100000", "memory.high": str(512 * 2**20)}
    assert (
        done.because
        == "program:api: weight 50 (was 100), cpu 150000 100000 (was max 100000), memory_high 536870912 (was max)"
    )
    await adjust.act(order(dict(done.undo)))
    assert values(group) == {"cpu.weight": "100", "cpu.max": "max 100000", "memory.high": "max"}


async def test_relative_to_no_limit_is_refused_and_nothing_is_set(adjust, group):
    for params in ({"weight": "50", "cpu": "-20%"}, {"weight": "50", "memory_high": "-1GiB"}):
        with pytest.raises(ActionError, match="needs a present value"):
            await adjust.act(order(params))
    assert values(group)["cpu.weight"] == "100"


async def test_bounds_hold_whatever_is_asked(adjust, group):
    await adjust.act(order({"weight": "99999", "cpu": "0%", "memory_high": "1B"}))
    assert values(group) == {"cpu.weight": "1000", "cpu.max": "5000 100000", "memory.high": str(16 * 2**20)}


async def test_what_one_setting_refuses_takes_the_others_back(adjust, group, monkeypatch):
    from healer.drivers.priority import Limits

    real = Limits.write

    def refused(self, name, value):
        if name == "memory.high":
            raise ActionError("memory.high did not take it")
        real(self, name, value)

    monkeypatch.setattr(Limits, "write", refused)
    with pytest.raises(ActionError, match="did not take it"):
        await adjust.act(order({"weight": "50", "memory_high": "512MiB"}))
    assert values(group)["cpu.weight"] == "100"


@pytest.mark.parametrize("noted", [{"nonsense": ["1", "2"]}, {"weight": "100"}, {"weight": ["1"]}, {"weight": 5}])
async def test_a_note_that_makes_no_sense_changes_nothing(noted, adjust, group):
    with pytest.raises(ActionError, match="makes no sense"):
        await adjust.act(order({"back": {"generation": "1.2", "settings": noted}}))
    assert values(group)["cpu.weight"] == "100"
