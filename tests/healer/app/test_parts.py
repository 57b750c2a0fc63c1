import contextlib
import sqlite3
import subprocess
import sys

import pytest

from healer.app.parts import Parts
from healer.clock import SystemClock
from healer.config import load_config
from healer.errors import HealerError
from healer.model.verbs import VERBS

TARGETS = [
    {"kind": "http", "name": "h", "organ": "lungs", "url": "http://127.0.0.1:9/"},
    {"kind": "file", "name": "f", "organ": "stomach", "path": "/"},
    {"kind": "container", "name": "c", "organ": "heart"},
]
PROGRAM = {"name": "p", "organ": "heart", "command": ["true"]}


def config(**more):
    return load_config({"version": 1, **more}, environ={})


def parts(folder):
    return Parts(clock=SystemClock(), state_dir=folder, push=lambda _: None, figures=dict)


async def test_there_is_a_sensor_for_the_host_the_agent_and_each_target(tmp_path):
    made = parts(tmp_path)
    names = {sensor.name for sensor in made.senses(config(targets=TARGETS, programs=[PROGRAM]))}
    assert {"host", "self", "http:h", "file:f", "container:c"} < names
    assert len(names) == 3 + 1 + len(TARGETS)
    assert len(made.senses(config())) == 3
    await made.close()


async def test_intervals_come_from_the_configuration(tmp_path):
    made = parts(tmp_path)
    senses = made.senses(config(sensors={"host": {"every": "7s", "slow_every": "70s"}, "self": {"every": "9s"}}))
    assert [sensor.every for sensor in senses] == [7.0, 70.0, 9.0]
    await made.close()


async def test_every_verb_that_is_built_has_a_hand(tmp_path):
    made = parts(tmp_path)
    hands = made.hands(config(), set_mode=lambda *_: None, publish=lambda *_: None)
    assert {"restart", "start", "stop", "signal", "run", "call", "notify", "capture", "wait", "set_mode"} <= set(hands)
    assert set(hands) <= set(VERBS)
    await made.close()


async def test_the_core_profile_tells_the_journal_and_nobody_else(tmp_path):
    made = parts(tmp_path)
    notify = {"hook": {"kind": "webhook", "url": "http://127.0.0.1:9/"}}
    for profile, channels in (("full", {"journal", "hook"}), ("core", {"journal"})):
        made.speak(config(notify=notify, profile=profile))
        assert {one["name"] for one in made.voices.report()} == channels
    await made.close()


async def test_what_answers_no_http_is_not_ready(tmp_path):
    made = parts(tmp_path)
    assert not await made._answers("http://127.0.0.1:9/")
    await made.close()


def test_nothing_heavy_is_imported_before_it_is_used():
    code = (
        "import sys\n"
        "from healer.app import Agent\n"
        "Agent({'rules': {'files': []}}, state_dir='/nowhere')\n"
        "print([name for name in ('docker', 'httpx', 'starlette', 'uvicorn') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == "[]"


async def test_who_is_on_call_is_read_from_a_real_database(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "staff.db")) as database:
        database.execute("create table oncall (mail text, now integer)")
        database.executemany("insert into oncall values (?, ?)", [("a@x.org", 1), (None, 1), ("b@x.org", 0)])
        database.commit()
    made = parts(tmp_path)
    staff = {"kind": "sql", "name": "staff", "path": str(tmp_path / "staff.db"), "queries": {"all": "select 1"}}
    made.speak(config(targets=[staff, {"kind": "tcp", "name": "port", "host": "127.0.0.1", "port": 9}]))
    assert await made._first_column("sql:staff", "select mail from oncall where now", 5.0) == ["a@x.org"]
    for name in ("sql:other", "tcp:port"):
        with pytest.raises(HealerError):
            await made._first_column(name, "select 1", 5.0)
    with pytest.raises(HealerError):
        await made._first_column("sql:staff", "drop table oncall", 5.0)
    await made.close()
