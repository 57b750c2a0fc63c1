"""Programs stand still and are kept from starting; families grow and shrink within what was declared."""

import os
import signal

import pytest

from healer.actions.hands.catalog import Services
from healer.actions.hands.program import hands
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers import cgroups, processes
from healer.drivers.catalog import Drivers
from healer.drivers.programs import Programs
from healer.errors import ActionError
from healer.model.systems import VERBS
from healer.model.target import Target

FAMILY = [f"w@{number}" for number in (1, 2, 3)]


def declared(name="api"):
    spec = {"command": ["sleep", "60"], "instances": {"least": 1, "most": 4}, "autostart": True}
    return Target(kind="program", name=name, organ="heart", spec=spec)


@pytest.fixture
async def programs(tmp_path):
    made = Programs(SystemClock(), tmp_path, groups=cgroups.Cgroups(None, "-"))
    made.declare([declared(), *map(declared, FAMILY)])
    await made.open()
    yield made
    await made.close("stop", force=True)


@pytest.fixture
def kind(programs):
    clock = SystemClock()
    return hands(Services(drivers=Drivers(clock), programs=programs, clock=clock))


def order(programs, params=None, name="api", generation=None):
    found = programs.generation(name) if generation is None else generation
    intent = f"{os.getpid():064x}"
    return Order(intent=intent, target=declared(name), params=params or {}, timeout=10.0, generation=found)


def state(programs):
    return processes.stat(int(programs.generation("api").split(".")[0])).state


def test_every_verb_a_program_is_declared_for_has_its_hand(kind):
    assert set(kind) == {verb for verb, one in VERBS.items() if "program" in one.kinds}


async def test_in_quarantine_it_stands_still_and_nothing_starts_it(kind, programs):
    first = await programs.start("api")
    done = await kind["quarantine"].act(order(programs))
    assert "1 processes of it stand still" in done.because
    assert state(programs) == "T"
    assert programs.snapshot("api").state == "paused"
    assert "already" in (await kind["quarantine"].act(order(programs))).because
    for act in (programs.start, programs.restart):
        with pytest.raises(ActionError, match="in quarantine") as caught:
            await act("api")
        assert not caught.value.transient
    assert programs.generation("api") == first
    back = await kind["quarantine"].act(order(programs, dict(done.undo)))
    assert "goes on" in back.because
    assert state(programs) != "T"
    assert (await programs.restart("api")) != first


async def test_one_that_dies_in_quarantine_stays_dead_until_it_is_let_go(kind, programs):
    generation = await programs.start("api")
    done = await kind["quarantine"].act(order(programs))
    os.kill(int(generation.split(".")[0]), signal.SIGKILL)
    await programs._named("api").ended.wait()
    assert programs.waiting() == tuple(FAMILY)
    with pytest.raises(ActionError, match="in quarantine"):
        await programs.restart("api")
    await kind["quarantine"].act(order(programs, dict(done.undo)))
    assert await programs.start("api")


async def test_a_dead_one_is_kept_from_being_started(kind, programs):
    done = await kind["quarantine"].act(order(programs))
    assert "it does not run, and nothing starts it" in done.because
    with pytest.raises(ActionError, match="in quarantine"):
        await programs.start("api")


async def test_quarantine_outlives_the_agent(kind, programs, tmp_path):
    await programs.start("api")
    await kind["quarantine"].act(order(programs))
    await programs.close("keep", force=True)
    after = Programs(SystemClock(), tmp_path, groups=cgroups.Cgroups(None, "-"))
    after.declare([declared()])
    assert await after.open() == ("api",)
    assert after.held("api")
    assert after.snapshot("api").state == "paused"
    await after.stop("api")
    assert not after.held("api")


async def test_a_family_grows_and_shrinks_within_what_was_declared(kind, programs):
    def up():
        return [name for name in FAMILY if programs.generation(name)]

    scale = kind["scale"]
    assert (await scale.act(order(programs, {"to": "+1"}, "w@1"))).undo == {"to": "0"}
    done = await scale.act(order(programs, {"to": "9"}, "w@1"))
    assert up() == FAMILY
    assert done.because == "3 of w@1 ... w@3 run, it was 1"
    assert not (await scale.act(order(programs, {"to": "3"}, "w@1"))).undo
    await scale.act(order(programs, dict(done.undo), "w@1"))
    assert up() == ["w@1"]
    await scale.act(order(programs, {"to": "-5"}, "w@1"))
    assert up() == ["w@1"]


async def test_the_next_one_is_started_where_one_is_in_quarantine(kind, programs):
    await kind["quarantine"].act(order(programs, name="w@1"))
    await kind["scale"].act(order(programs, {"to": "1"}, "w@2"))
    assert programs.generation("w@1") == ""
    assert programs.generation("w@2")


async def test_one_that_stands_alone_is_not_scaled(kind, programs):
    with pytest.raises(ActionError, match="several instances"):
        await kind["scale"].act(order(programs, {"to": "2"}))
    assert kind["scale"].would(order(programs, {"to": "2"})).startswith("would refuse")
    assert kind["scale"].would(order(programs, {"to": "2"}, "w@1")) == "would bring w@1 ... w@3 to 2, within 1 and 3"


@pytest.mark.parametrize("verb", ["quarantine", "adjust"])
async def test_another_incarnation_is_left_alone(verb, kind, programs):
    await programs.start("api")
    with pytest.raises(ActionError, match="another incarnation"):
        await kind[verb].act(order(programs, {"oom": "100"}, generation="1.2"))
    assert state(programs) != "T"


async def test_it_is_given_up_sooner_when_memory_is_short_and_put_back(kind, programs):
    generation = await programs.start("api")
    done = await kind["adjust"].act(order(programs, {"oom": "+500"}))
    path = f"/proc/{generation.split('.')[0]}/oom_score_adj"
    with open(path) as file:  # noqa: ASYNC230, PTH123
        assert file.read() == "500\n"
    await kind["adjust"].act(order(programs, dict(done.undo)))
    with open(path) as file:  # noqa: ASYNC230, PTH123
        assert file.read() == "0\n"


def test_the_dry_runs_are_sentences(kind, programs):
    assert "keep it from being started" in kind["quarantine"].would(order(programs))
    assert "go on" in kind["quarantine"].would(order(programs, {"back": {}}))
