"""Files are touched only as declared with them, and what was done is told."""

import asyncio
import os
import sqlite3
import threading

import pytest

from healer.actions.hands.catalog import Services
from healer.actions.hands.file import hands
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers import cgroups
from healer.drivers.catalog import Drivers
from healer.drivers.files import Clearing
from healer.drivers.programs import Programs
from healer.errors import ActionError
from healer.model.systems import VERBS
from healer.model.target import Target


@pytest.fixture
def kind(tmp_path):
    clock = SystemClock()
    programs = Programs(clock, tmp_path / "state", groups=cgroups.Cgroups(None, "-"))
    return hands(Services(drivers=Drivers(clock), programs=programs, clock=clock, state_dir=tmp_path / "state"))


def order(path, params=None, **spec):
    target = Target(kind="file", name="it", organ="stomach", spec={"path": str(path), **spec})
    return Order(intent="0123456789abcdef", target=target, params=params or {}, timeout=10.0, generation="")


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.tmp").write_bytes(b"x" * 4096)
        os.utime(folder / f"{number}.tmp", (1000 + number, 1000 + number))
    (folder / "young.tmp").write_text("x")
    return folder


CLEAR = {"older": 3600.0, "pattern": "*.tmp", "keep": 0.0, "most": 100, "most_bytes": 1e9}


def test_every_verb_a_file_is_declared_for_has_its_hand(kind):
    assert set(kind) == {verb for verb, declared in VERBS.items() if "file" in declared.kinds}
    assert all(hand.touches for hand in kind.values())


async def test_old_files_go_and_what_stays_is_told(kind, cache):
    clear = kind["clear_cache"]
    assert clear.would(order(cache, clear=CLEAR)).startswith("would delete 16.0 KiB in 4 files")
    assert len(list(cache.iterdir())) == 5
    done = await clear.act(order(cache, clear=CLEAR))
    assert done.because == f"16.0 KiB in 4 files below {cache} deleted; left: 1 too young"
    assert [path.name for path in cache.iterdir()] == ["young.tmp"]


async def test_a_clock_that_is_set_forward_makes_no_file_old(tmp_path, cache):
    class Jumpy(SystemClock):
        jump = 0.0

        def wall(self):
            return super().wall() + self.jump

    clock = Jumpy()
    programs = Programs(clock, tmp_path / "state", groups=cgroups.Cgroups(None, "-"))
    made = Services(drivers=Drivers(clock), programs=programs, clock=clock, state_dir=tmp_path / "state")
    clear = hands(made)["clear_cache"]
    clock.jump = 10 * 365 * 86400.0
    assert "4 files" in clear.would(order(cache, clear=CLEAR))
    await clear.act(order(cache, clear=CLEAR))
    assert [path.name for path in cache.iterdir()] == ["young.tmp"]


async def test_a_rule_can_narrow_what_is_declared_and_never_widen_it(kind, cache):
    done = await kind["clear_cache"].act(order(cache, {"most": 1}, clear=CLEAR))
    assert done.facts["files"] == 1
    done = await kind["clear_cache"].act(order(cache, {"most": 100}, clear=CLEAR | {"most": 2}))
    assert done.facts["files"] == 2
    done = await kind["clear_cache"].act(order(cache, {"most_bytes": 100}, clear=CLEAR))
    assert done.facts["files"] == 0


async def test_what_is_not_declared_is_not_done(kind, cache):
    (cache / "0.tmp").rename(cache.parent / "0.tmp")
    for verb in ("clear_cache", "quarantine", "repair"):
        with pytest.raises(ActionError, match="does not say") as caught:
            await kind[verb].act(order(cache.parent / "0.tmp"))
        assert not caught.value.transient
        assert kind[verb].would(order(cache.parent / "0.tmp")).startswith("would refuse")
    assert (cache.parent / "0.tmp").exists()


async def test_an_action_that_hangs_keeps_the_next_one_away(kind, cache, monkeypatch):
    free = threading.Event()
    monkeypatch.setattr(Clearing, "clear", lambda self: free.wait(5))
    first = asyncio.ensure_future(kind["clear_cache"].act(order(cache, clear=CLEAR)))
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(ActionError, match="not come back yet"):
        await kind["clear_cache"].act(order(cache, clear=CLEAR))
    with pytest.raises(ActionError, match="not come back yet"):
        await kind["quarantine"].act(order(cache, aside=f"{cache}.aside"))
    free.set()


async def test_a_file_is_set_aside_and_put_back_by_what_was_noted(kind, cache, tmp_path):
    path, aside = cache / "0.tmp", str(tmp_path / "aside")
    assert kind["quarantine"].would(order(path, aside=aside)) == f"would move {path} to {aside}"
    done = await kind["quarantine"].act(order(path, aside=aside))
    assert not path.exists()
    assert (tmp_path / "aside" / done.facts["name"]).exists()
    assert not done.undo  # it would come back the moment that what it harmed is well
    noted = {"name": done.facts["name"], "inode": str(done.facts["inode"])}
    back = await kind["quarantine"].act(order(path, {"back": noted}, aside=aside))
    assert back.because == f"{path} is back in its place"
    assert path.stat().st_mtime == 1000


@pytest.mark.parametrize(
    "noted", [{}, {"name": "../x", "inode": "1"}, {"name": "x", "inode": "y"}, {"name": "..", "inode": "1"}]
)
async def test_a_note_that_makes_no_sense_moves_nothing(noted, kind, cache, tmp_path):
    with pytest.raises(ActionError, match="makes no sense"):
        await kind["quarantine"].act(order(cache / "0.tmp", {"back": noted}, aside=str(tmp_path)))


async def test_a_database_is_mended_and_the_old_one_named(kind, tmp_path):
    path = tmp_path / "data" / "app.db"
    path.parent.mkdir()
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE t (x)")
        db.executemany("INSERT INTO t VALUES (?)", [(str(n) * 50,) for n in range(500)])
    db.close()
    whole = await kind["repair"].act(order(path, repair={"sqlite": True}))
    assert "is whole" in whole.because
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096)
    done = await kind["repair"].act(order(path, repair={"sqlite": True}))
    assert "was recovered" in done.because
    assert "app.db.broken-0123456789ab" in done.because
    assert "not all could be read of t" in done.because


async def test_a_declared_command_mends_with_the_path_as_one_argument(kind, tmp_path):
    path = tmp_path / "a b.txt"
    path.write_text("broken")
    way = {"command": ["cp", "/etc/hostname", "{path}"]}
    assert "would run" in kind["repair"].would(order(path, repair=way))
    done = await kind["repair"].act(order(path, repair=way))
    assert done.rc == 0
    assert path.read_text() != "broken"
    with pytest.raises(ActionError, match="exited with 1"):
        await kind["repair"].act(order(path, repair={"command": ["false"]}))


async def test_the_kernels_pages_of_one_file_are_forgotten(kind, cache):
    path = cache / "0.tmp"
    assert kind["clear_cache"].would(order(path, {"page_cache": "file"})) == f"would have the kernel forget {path}"
    done = await kind["clear_cache"].act(order(path, {"page_cache": "file"}))
    assert "4.0 KiB" in done.because
    assert path.exists()
    assert "all files" in kind["clear_cache"].would(order(path, {"page_cache": "host"}))


async def test_what_is_the_agents_own_is_never_touched_whatever_is_declared(kind, tmp_path):
    own = tmp_path / "state" / "audit.db"
    own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    ways = {"clear": CLEAR, "aside": str(tmp_path / "aside"), "repair": {"sqlite": True}}
    for path in (own, own.parent):
        for verb, params in (
            ("clear_cache", {}),
            ("clear_cache", {"page_cache": "file"}),
            ("quarantine", {}),
            ("repair", {}),
        ):
            with pytest.raises(ActionError, match="the agent's own"):
                await kind[verb].act(order(path, params, **ways))
            assert kind[verb].would(order(path, params, **ways)).startswith("would refuse")
    assert own.read_text() == "mine"
