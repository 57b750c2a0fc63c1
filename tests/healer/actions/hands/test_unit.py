"""Hands for units: what they ask of systemd, within what was declared."""

import pytest

from healer.actions.hands.catalog import MAKERS
from healer.actions.hands.unit import Adjust, Reload, Scale
from healer.actions.interface import Order
from healer.drivers.interface import DriverError
from healer.drivers.systemd.unit import UNSET, describe
from healer.errors import ActionError
from healer.model.target import Target
from healer.model.verbs import VERBS

RUN = "01" * 16
SAID = {"Id": "a.service", "LoadState": "loaded", "ActiveState": "active", "SubState": "running"}


class Manager:
    """Keeps units in a table, and does to them what it is told."""

    def __init__(self):
        self.instances, self.did, self.limits, self.broken = {}, [], {}, set()

    def __call__(self, bus):
        self.bus = bus
        return self

    async def family(self, _):
        if "family" in self.broken:
            raise DriverError("the bus went away")
        return dict(self.instances)

    async def unit(self, name):
        return describe({**SAID, "Id": name, "InvocationID": b"\x01" * 16})

    async def start(self, name, *, generation, within):
        if name in self.broken:
            raise ActionError(f"start of {name} failed")
        self.did.append(("start", name))
        self.instances[name] = "active"

    async def stop(self, name, *, generation, within):
        self.did.append(("stop", name))
        self.instances[name] = "inactive"

    async def reload(self, name, *, generation, within):
        self.did.append(("reload", name, generation, within))
        return await self.unit(name)

    async def settings(self, name, keep):
        return dict(self.limits)

    async def adjust(self, name, new, *, generation):
        self.did.append(("adjust", name, dict(new), generation))
        self.limits.update(new)


@pytest.fixture
def manager():
    return Manager()


def order(name="web@.service", params=None, **spec):
    target = Target(kind="unit", name=name, organ="heart", spec={"bus": "user", **spec})
    return Order(intent="0" * 64, target=target, params=params or {}, timeout=30.0, generation=RUN)


BOUNDS = {"instances": {"least": 1, "most": 3}}


def test_every_hand_is_a_verb_for_units():
    class Nothing:
        class drivers:  # noqa: N801
            systemd = None

    for verb in MAKERS["unit"](Nothing):
        assert "unit" in VERBS[verb].kinds


async def test_reload_keeps_the_incarnation_and_leaves_time_to_tell(manager):
    done = await Reload(manager).act(order("a"))
    assert manager.did == [("reload", "a.service", RUN, 25.0)]
    assert manager.bus == "user"
    assert done.generation == RUN


async def test_scale_starts_the_lowest_that_does_not_run(manager):
    manager.instances = {"web@2.service": "active", "web@1.service": "failed"}
    done = await Scale(manager).act(order(params={"to": "+1"}, **BOUNDS))
    assert manager.did == [("start", "web@1.service")]
    assert done.undo == {"to": "1"}


async def test_scale_stops_the_highest_and_never_the_last(manager):
    manager.instances = {f"web@{which}.service": "active" for which in (1, 2, 3)}
    await Scale(manager).act(order("web@2.service", params={"to": "0"}, **BOUNDS))  # an instance stands for its family
    assert manager.did == [("stop", "web@3.service"), ("stop", "web@2.service")]


async def test_scale_never_goes_beyond_what_was_declared_and_leaves_others_alone(manager):
    manager.instances = {"web@9.service": "active", "web@blue.service": "active"}
    await Scale(manager).act(order(params={"to": "99"}, **BOUNDS))
    assert manager.did == [("start", f"web@{which}.service") for which in (1, 2, 3)]


async def test_scale_tells_how_far_it_came(manager):
    manager.broken = {"web@2.service"}
    with pytest.raises(ActionError, match=r"start of web@2.service failed \(before that: web@1.service\)"):
        await Scale(manager).act(order(params={"to": "3"}, **BOUNDS))
    manager.broken = {"family"}
    with pytest.raises(ActionError, match="cannot count"):
        await Scale(manager).act(order(params={"to": "3"}, **BOUNDS))


@pytest.mark.parametrize(("name", "spec"), [("a.service", BOUNDS), ("web@.service", {})])
async def test_scale_of_what_was_not_declared_to_be_several_is_refused(manager, name, spec):
    with pytest.raises(ActionError, match="not declared") as caught:
        await Scale(manager).act(order(name, params={"to": "2"}, **spec))
    assert not caught.value.transient
    assert manager.did == []


async def test_adjust_notes_what_was_and_puts_it_back(manager):
    manager.limits = {"CPUWeight": UNSET, "MemoryCurrent": 5}
    done = await Adjust(manager).act(order("a", params={"weight": "+50%"}))
    assert manager.did == [("adjust", "a.service", {"CPUWeight": 150}, RUN)]
    assert done.undo == {"back": {"CPUWeight": "none", "CPUWeight.ours": 150}}
    back = await Adjust(manager).act(order("a", params=dict(done.undo)))
    assert manager.limits["CPUWeight"] == UNSET
    assert back.undo == {}


async def test_adjust_to_what_it_is_already_changes_nothing(manager):
    manager.limits = {"CPUWeight": 150}
    done = await Adjust(manager).act(order("a", params={"weight": "150"}))
    assert manager.did == []
    assert done.undo == {}


async def test_what_somebody_else_changed_is_left_alone(manager):
    manager.limits = {"CPUWeight": 700}
    note = {"CPUWeight": 100, "CPUWeight.ours": 150}
    done = await Adjust(manager).act(order("a", params={"back": note}))
    assert manager.did == []
    assert "left alone" in done.because


@pytest.mark.parametrize("params", [{}, {"cpu": "much"}, {"memory": "+10%"}, {"back": {"CPUWeight": "x"}}])
async def test_adjust_without_sense_changes_nothing(manager, params):
    with pytest.raises(ActionError) as caught:
        await Adjust(manager).act(order("a", params=params))
    assert not caught.value.transient
    assert manager.did == []


def test_a_dry_run_says_what_would_be_done(manager):
    assert "would reload a.service" in Reload(manager).would(order("a"))
    assert "within 1 and 3" in Scale(manager).would(order(params={"to": "+1"}, **BOUNDS))
    assert "cpu 50%, weight +1" in Adjust(manager).would(order("a", params={"cpu": "50%", "weight": "+1"}))
    assert "put back" in Adjust(manager).would(order("a", params={"back": {}}))
