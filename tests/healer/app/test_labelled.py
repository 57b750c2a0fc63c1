"""Found, lost, left out: over an engine in this process."""

import asyncio
import contextlib
import logging
import time

import pytest
from doubles.engine import FakeEngine

from healer.app import labelled
from healer.app.labelled import Labelled, with_labelled
from healer.config import load_config
from healer.drivers.docker import Docker
from healer.errors import HealerError

ON = {"healer.enable": "true"}


def config(*, discover=True, targets=(), **more):
    docker = {"discover": discover, "every": "1m", "mode": "approve", **more}
    return load_config({"sensors": {"docker": docker}, "targets": list(targets)}, environ={})


@pytest.fixture
def engine(tmp_path):
    made = FakeEngine(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def docker(engine):
    driver = Docker(engine.url, timeout=1)
    yield driver
    await driver.close()


@pytest.fixture
def taken():
    return []


@pytest.fixture
async def finder(docker, taken):
    async def take(because):
        taken.append(because)

    made = Labelled(docker, take)
    yield made
    made.close()


def ids(finder, config):
    return [target.id for target in finder.merged(config).targets]


async def test_a_label_joins_no_group_of_what_is_declared(engine, finder, caplog):
    made = config(targets=[{"kind": "http", "name": "front", "url": "http://127.0.0.1:9/", "groups": ["web", "eu"]}])
    engine.make("stranger", labels={**ON, "healer.groups": "web,cache"})
    finder.renew(made)
    with caplog.at_level(logging.WARNING):
        await finder.look()
        found = {target.name: target.groups for target in finder.merged(made).targets}
    assert found == {"front": ("web", "eu"), "stranger": ("cache",)}
    assert "the group web is of declared targets" in str([vars(record) for record in caplog.records])


async def test_what_labels_itself_is_found_and_what_is_gone_is_let_go(engine, finder, taken):
    engine.make("shop", labels=ON)
    engine.make("quiet")
    engine.make("refuses", labels={"healer.enable": "false"})
    finder.renew(config())
    await finder.look()
    assert ids(finder, config()) == ["container:shop"]
    await finder.look()
    engine.remove("shop")
    engine.make("cache", labels={**ON, "healer.mode": "auto"})
    await finder.look()
    merged = finder.merged(finder.merged(config()))
    assert [(target.id, target.mode.word) for target in merged.targets] == [("container:cache", "approve")]
    assert taken == [
        "containers label themselves: +container:shop", "containers label themselves: +container:cache -container:shop",
    ]  # fmt: skip


async def test_what_is_declared_comes_first_and_is_not_found_again(engine, finder):
    engine.make("shop-1", labels=ON)
    engine.make("cache", labels=ON)
    declared = config(targets=[{"kind": "container", "name": "shop", "container": "shop-1", "mode": "auto"}])
    finder.renew(declared)
    await finder.look()
    assert ids(finder, declared) == ["container:shop", "container:cache"]


async def test_an_engine_that_is_away_changes_nothing(engine, finder, taken):
    engine.make("shop", labels=ON)
    finder.renew(config())
    await finder.look()
    engine.stop()
    await finder.look()
    assert ids(finder, config()) == ["container:shop"]
    assert len(taken) == 1


async def test_where_it_is_switched_off_again_nothing_is_left_of_it(engine, finder, docker):
    engine.make("shop", labels=ON)
    finder.renew(config())
    await finder.look()
    found = finder.merged(config())
    off = config(discover=False)
    assert docker.events.wanted
    finder.renew(off)
    assert not docker.events.wanted
    assert ids(finder, off) == []
    from dataclasses import replace

    assert finder.merged(replace(off, targets=found.targets)).targets == ()


async def test_a_crowd_is_cut_and_strange_labels_are_told_once(engine, finder, caplog):
    caplog.set_level(logging.WARNING, "healer.app")
    for name in ("aa", "bb", "cc"):
        engine.make(name, labels=ON)
    engine.make("odd", labels={**ON, "healer.organ": "spleen"})
    small = config(most=2)
    finder.renew(small)
    await finder.look()
    engine.make("again", labels=ON)
    await finder.look()
    assert ids(finder, small) == ["container:aa", "container:again"]
    told = [record.because for record in caplog.records if record.msg == "discovery.label"]
    assert len(told) == len(set(told))
    assert any("sensors.docker.most (2)" in one for one in told)
    assert any("spleen" in one for one in told)


async def test_what_the_agent_does_not_take_is_not_found(engine, docker):
    async def refuse(because):
        raise HealerError("no")

    finder = Labelled(docker, refuse)
    engine.make("shop", labels=ON)
    finder.renew(config())
    await finder.look()
    assert ids(finder, config()) == []
    finder.close()


async def test_a_start_is_heard_and_looked_at(engine, docker, monkeypatch):
    monkeypatch.setattr(labelled, "_TOGETHER", 0.01)
    found = asyncio.Event()

    async def take(because):
        if "shop" in because:
            found.set()

    finder = Labelled(docker, take)
    task = asyncio.ensure_future(finder.run())
    finder.renew(config())
    end = time.monotonic() + 5
    while not docker.events.open:
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    engine.make("shop", labels=ON)
    async with asyncio.timeout(5):
        await found.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    finder.close()


async def test_who_looks_once_finds_them_too_and_listens_to_nothing(engine, docker):
    engine.make("shop", labels=ON)
    assert [target.id for target in (await with_labelled(config(), docker)).targets] == ["container:shop"]
    assert not docker.events.wanted
    off = config(discover=False)
    asked = len(engine.asked)
    assert await with_labelled(off, docker) is off
    assert len(engine.asked) == asked
