"""The hands over the engine in this process; a dockerd is in tests/integration/test_container_hands.py."""

from types import SimpleNamespace

import pytest
from doubles.engine import FakeEngine

from healer.actions.hands.container import hands
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.docker import Docker
from healer.errors import ActionError
from healer.model.target import Target


@pytest.fixture
def engine(tmp_path):
    made = FakeEngine(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def docker(engine):
    driver = Docker(engine.url, timeout=2, clock=SystemClock())
    yield driver
    await driver.close()


@pytest.fixture
def hand(docker, monkeypatch):
    monkeypatch.setattr("healer.actions.hands.container._SETTLES", 0.01)
    return hands(SimpleNamespace(drivers=SimpleNamespace(docker=docker)))


@pytest.fixture
def order(docker):
    async def make(name, params=None, generation=None, **spec):
        if generation is None:
            found = await docker.inspect(name)
            generation = found.generation if found else ""
        target = Target(kind="container", name=name, organ="heart", spec=spec)
        return Order(intent="aa", target=target, params=params or {}, timeout=20.0, generation=generation)

    return make


async def test_each_verb_is_declared_for_containers(hand):
    from healer.model.systems import VERBS

    assert set(hand) == {verb for verb, declared in VERBS.items() if "container" in declared.kinds}
    assert all(one.touches for one in hand.values())


@pytest.mark.parametrize("verb", ["reload", "scale", "adjust", "quarantine"])
async def test_another_incarnation_is_left_alone(engine, hand, order, verb):
    engine.make("web", memory=64 << 20)
    engine.make("web-2")
    params = {"scale": {"to": "2"}, "adjust": {"memory": "+10%"}}.get(verb, {})
    stale = await order("web", params, generation="abc.2020", reload="HUP", spare=("web-2",))
    before = list(engine.asked)
    with pytest.raises(ActionError, match="another incarnation"):
        await hand[verb].act(stale)
    assert not [asked for asked in engine.asked[len(before) :] if asked.startswith("POST")]


async def test_reload_sends_the_declared_signal_and_no_other(engine, hand, order):
    engine.make("web")
    done = await hand["reload"].act(await order("web", reload="HUP"))
    assert done.because == "sent HUP to web, which runs on"
    with pytest.raises(ActionError, match="not declared") as raised:
        await hand["reload"].act(await order("web"))
    assert not raised.value.transient
    with pytest.raises(ActionError, match="ended of TERM"):
        await hand["reload"].act(await order("web", reload="TERM"))


async def test_scale_starts_spares_in_order_and_stops_them_in_the_reverse(engine, hand, order):
    for name in ("web", "web-2", "web-3"):
        engine.make(name)
    engine.die("web-2")
    engine.die("web-3")
    spare = ("web-2", "web-3")
    done = await hand["scale"].act(await order("web", {"to": "+1"}, spare=spare))
    assert (done.because, dict(done.undo)) == ("web has 2 instances, was 1: web-2", {"to": "1"})
    done = await hand["scale"].act(await order("web", {"to": "9"}, spare=spare))
    assert dict(done.undo) == {"to": "2"}
    assert engine.find("web-3").state["Running"]
    done = await hand["scale"].act(await order("web", {"to": "0"}, spare=spare))
    assert done.because == "web has 1 instances, was 3: web-3, web-2"
    assert engine.find("web").state["Running"], "its own container is never stopped"
    assert not (await hand["scale"].act(await order("web", {"to": "1"}, spare=spare))).undo


async def test_scale_creates_nothing_and_says_how_far_it_came(engine, hand, order):
    engine.make("web")
    engine.make("web-2")
    engine.die("web-2")
    with pytest.raises(ActionError, match=r"no container web-3 \(before that: web-2\)"):
        await hand["scale"].act(await order("web", {"to": "3"}, spare=("web-2", "web-3")))
    with pytest.raises(ActionError, match="not declared to have several"):
        await hand["scale"].act(await order("web", {"to": "3"}))
    assert not [asked for asked in engine.asked if "create" in asked]


async def test_adjust_changes_within_bounds_and_its_undoing_puts_it_back(engine, hand, order):
    engine.make("web", memory=64 << 20, pids=50)
    done = await hand["adjust"].act(await order("web", {"memory": "+50%", "tasks": "+20%"}, bounds={"tasks": 55}))
    assert done.because == "web: memory 64 MiB -> 96 MiB, tasks 50 -> 55"
    assert engine.find("web")["HostConfig"]["Memory"] == 96 << 20
    undone = await hand["adjust"].act(await order("web", dict(done.undo)))
    assert undone.because == "web: memory 96 MiB -> 64 MiB, tasks 55 -> 50"
    again = await hand["adjust"].act(await order("web", dict(done.undo)))
    assert (
        again.because
        == "web: nothing to put back; left alone, since somebody else changed it: memory, memory_swap, pids"
    )
    assert (await hand["adjust"].act(await order("web", {"memory": "+0%"}))).because == "web has it so already"


async def test_adjust_of_one_without_bounds_can_be_put_back_too(engine, hand, order):
    engine.make("web")
    done = await hand["adjust"].act(await order("web", {"cpu": "-50%"}))
    assert done.because == "web: cpu unbounded -> 2"
    await hand["adjust"].act(await order("web", dict(done.undo)))
    assert engine.find("web")["HostConfig"]["CpuQuota"] == -1


async def test_bounds_of_a_container_that_was_made_anew_are_its_own(engine, hand, order):
    engine.make("web", memory=64 << 20)
    done = await hand["adjust"].act(await order("web", {"memory": "+50%"}))
    engine.remove("web")
    engine.make("web", memory=32 << 20)
    undone = await hand["adjust"].act(await order("web", dict(done.undo)))
    assert "made anew" in undone.because
    assert engine.find("web")["HostConfig"]["Memory"] == 32 << 20


@pytest.mark.parametrize("params", [{}, {"memory": "much"}, {"memory": "+1parsec"}])
async def test_adjust_of_nothing_or_of_nonsense_is_refused_for_good(engine, hand, order, params):
    engine.make("web", memory=64 << 20)
    with pytest.raises(ActionError) as raised:
        await hand["adjust"].act(await order("web", params))
    assert not raised.value.transient


async def test_quarantine_freezes_and_is_taken_back(engine, hand, order):
    engine.make("web")
    done = await hand["quarantine"].act(await order("web"))
    assert engine.find("web").state["Status"] == "paused"
    assert (await hand["quarantine"].act(await order("web"))).because == "web is frozen already"
    assert (await hand["quarantine"].act(await order("web", dict(done.undo)))).because == "let web go on"
    assert (await hand["quarantine"].act(await order("web", dict(done.undo)))).because == "web is not frozen any more"
    engine.remove("web")
    engine.make("web")
    assert "made anew" in (await hand["quarantine"].act(await order("web", dict(done.undo)))).because


async def test_quarantine_cuts_off_and_joins_again_as_it_was(engine, hand, order):
    box = engine.make("web", networks=("front", "back"))
    box["NetworkSettings"]["Networks"]["front"]["Aliases"] = ["shop", box["Id"][:12]]
    done = await hand["quarantine"].act(await order("web", quarantine="networks"))
    assert done.because == "took web out of back, front"
    assert not box["NetworkSettings"]["Networks"]
    assert done.undo["back"]["networks"] == {"front": {"aliases": ["shop"]}, "back": {}}
    await hand["quarantine"].act(await order("web", dict(done.undo), quarantine="networks"))
    assert box["NetworkSettings"]["Networks"]["front"] == {"Aliases": ["shop"]}
    engine.make("alone", networks=("host",))
    with pytest.raises(ActionError, match="no network that it could leave"):
        await hand["quarantine"].act(await order("alone", quarantine="networks"))


async def test_an_engine_that_is_away_leaves_everything_as_it_was(engine, hand, order):
    engine.make("web", memory=64 << 20)
    orders = {verb: await order("web", {"to": "1", "memory": "1%"}, reload="HUP", spare=("x",)) for verb in hand}
    engine.stop()
    for verb, one in hand.items():
        with pytest.raises(ActionError, match="engine"):
            await one.act(orders[verb])


async def test_what_would_be_done_is_told_in_a_sentence(hand, order):
    params = {"to": "+1", "memory": "+20%"}
    one = await order("web", params, generation="", spare=("web-2",))
    assert hand["scale"].would(one) == "would bring web to +1 instances, of web-2"
    assert hand["adjust"].would(one) == "would adjust web: memory +20%"
    assert hand["reload"].would(one) == "would send nothing to web"
    assert hand["quarantine"].would(one) == "would freeze web"
    back = await order("web", {"back": {}}, generation="", quarantine="networks")
    assert hand["adjust"].would(back) == "would put back the former bounds of web"
    assert hand["quarantine"].would(back) == "would let web go on as before"
