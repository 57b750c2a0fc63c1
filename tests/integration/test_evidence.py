"""Evidence on the real things: an agent that restarts what hangs and what died, a container, mounts below a cache."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from doubles.dockerd import Dockerd

from audit import canonical
from audit.errors import AuditError
from audit.reader import Log
from healer.actions import tellers
from healer.actions.evidence import Evidence
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers import cgroups
from healer.drivers.catalog import Drivers
from healer.drivers.programs import Programs
from healer.model.target import Target
from healer.store import capsules

pytestmark = pytest.mark.real

SERVER = """\
import http.server, sys
print('token=abc123 and the last words', flush=True)
http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
RULES = """\
version: 1
rules:
  - id: web-hangs
    why: a server that takes connections and answers nobody is of no use
    target: program:web
    when: http.ok{target="http:front"} == 0
    samples: {bad: 2, of: 2}
    then: [{restart: {grace: 0s}, verify: {when: "http.ok{target=\\"http:front\\"} == 1", within: 10s}}]
    mode: auto
  - id: web-dead
    why: it should run
    target: program:web
    when: program.up{target} == 0
    then: [{restart: {}, verify: {when: "program.up{target} == 1", within: 5s}}]
    mode: auto
"""


def entries(state, kind):
    try:
        with Log.open(state) as log:
            found = [canonical.decode(one.octets) for one in log.entries(0)]
    except AuditError:  # it has not begun yet
        return []
    return [one for one in found if one["kind"] == kind]


def until(true, patience=20.0):
    end = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.fixture
def agent():
    """A real agent with a web server of its own; ends both."""
    with tempfile.TemporaryDirectory(prefix="h", dir="/tmp") as name:
        folder = Path(name)
        port = 20000 + os.getpid() % 20000
        (folder / "r.yaml").write_text(RULES)
        (folder / "server.py").write_text(SERVER)
        command = [sys.executable, str(folder / "server.py"), str(port)]
        program = {"name": "web", "command": command, "startup_grace": "100ms", "on_stop": "stop"}
        program["evidence"] = {"files": [str(folder / "r.yaml")]}
        front = {
            "kind": "http",
            "name": "front",
            "url": f"http://127.0.0.1:{port}/",
            "every": "300ms",
            "timeout": "300ms",
        }
        config = {
            "version": 1,
            "rules": {"files": ["r.yaml"]},
            "programs": [program],
            "targets": [front],
            "limits": {"saturation_psi": 1.0},
        }
        (folder / "o.yaml").write_text(json.dumps(config))
        argv = [sys.executable, "-m", "healer", "--config", str(folder / "o.yaml"), "--state-dir", str(folder / "s")]
        running = subprocess.Popen([*argv, "run"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            yield folder / "s", argv
        finally:
            running.send_signal(signal.SIGTERM)
            running.communicate(timeout=20)


def pid_of(state):
    note = state / "programs" / "web.json"
    found = json.loads(note.read_text())["pid"] if note.exists() else 0
    return found if found and Path(f"/proc/{found}").exists() else 0


def test_what_hangs_and_what_died_both_leave_sealed_evidence(agent):
    state, argv = agent
    hung = until(lambda: pid_of(state))
    time.sleep(1.0)  # it is the subject: the server has to have answered before it hangs
    os.kill(hung, signal.SIGSTOP)
    (before,) = until(lambda: entries(state, "evidence"))
    told = json.loads(capsules.read(state, before["sha256"]))
    assert before["data"]["when"] == told["when"] == "before"
    assert told["processes"][str(hung)]["status"].count("T (stopped)") == 1
    assert [one["state"] for one in told["processes"][str(hung)]["sockets"]].count("listen") == 1
    assert told["output"].startswith("token=[redacted] and the last words")
    assert any(one["metric"] == "program.up" for one in told["samples"])
    assert told["files"][0]["path"].endswith("r.yaml")
    intent = next(one for one in entries(state, "intent") if one["rule"] == "web-hangs")
    assert told["rule"] == "web-hangs"
    assert before["seq"] > intent["seq"]
    until(lambda: any(one["result"] == "verified" for one in entries(state, "verdict")))
    killed = until(lambda: (pid := pid_of(state)) != hung and pid)
    os.kill(killed, signal.SIGKILL)
    after = until(lambda: entries(state, "evidence")[1:])[0]
    told = json.loads(capsules.read(state, after["sha256"]))
    assert told["when"] == "after"
    assert told["program"]["because"].startswith("killed by signal 9")
    listed = subprocess.run([*argv, "evidence", "list"], capture_output=True, text=True, check=True, timeout=30).stdout
    assert [line.split()[-1] for line in listed.splitlines()[1:]] == ["sealed", "sealed"]
    shown = subprocess.run(
        [*argv, "evidence", "show", after["sha256"][:10]], capture_output=True, text=True, check=False, timeout=30
    )
    assert shown.returncode == 0
    assert "killed by signal 9" in shown.stdout
    assert subprocess.run([*argv, "audit", "verify"], capture_output=True, check=False, timeout=60).returncode == 0


MOUNTED = textwrap.dedent("""
    import os, subprocess, sys, time
    from pathlib import Path
    from healer.drivers.files import Clearing, Policy
    cache, outside = Path(sys.argv[1]) / "cache", Path(sys.argv[1]) / "outside"
    for folder in (cache / "bind", cache / "tmpfs", cache / "plain", outside):
        folder.mkdir(parents=True)
    (outside / "victim").write_text("x")
    subprocess.run(["mount", "--bind", outside, cache / "bind"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", cache / "tmpfs"], check=True)
    for path in (cache / "tmpfs" / "victim", cache / "plain" / "old", cache / "over", cache / "file"):
        path.write_text("x")
    subprocess.run(["mount", "--bind", outside / "victim", cache / "over"], check=True)
    policy = Policy(older=0.0)
    done = Clearing(str(cache), policy, wall=time.time() + 9, until=time.monotonic() + 9, now=time.monotonic,
                    keep_out=()).clear()
    print(done.files, sorted(done.spared.items()), (outside / "victim").exists(), (cache / "tmpfs" / "victim").exists())
""")


def test_no_mount_below_a_cache_is_entered_or_deleted_whatever_its_device(real, tmp_path):
    real("unshare", "mount", root=True)
    command = ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", MOUNTED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 [")
    assert "('mount point', 2)" in done.stdout
    assert done.stdout.strip().endswith("True True")


@pytest.fixture(scope="module")
def engine(real):
    """A dockerd of the test's own."""
    real("dockerd", "busybox", root=True)
    made = Dockerd()
    made.start()
    yield made
    made.close()


async def test_a_container_tells_its_state_its_log_and_its_processes_but_not_its_environment(
    engine, tmp_path, monkeypatch
):
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    script = "echo last words; exec /bin/busybox sleep 1000"
    host = engine.client.create_host_config(network_mode="none")
    engine.client.create_container(
        "box:1", ["/bin/busybox", "sh", "-c", script], name="told", host_config=host, environment={"SECRET": "hunter2"}
    )
    engine.client.start("told")
    clock = SystemClock()
    drivers, programs = Drivers(clock), Programs(clock, tmp_path, groups=cgroups.Cgroups(None, "-"))
    kept = Evidence(clock=clock, state_dir=tmp_path, tellers=tellers.tellers(programs, drivers))
    try:
        found = await drivers.docker.inspect("told")
        target = Target(kind="container", name="told", organ="heart")
        order = Order(intent="a" * 64, target=target, timeout=30.0, generation=found.generation)
        deadline = time.monotonic() + 5
        while True:
            one = await kept.before(order)
            text = capsules.read(tmp_path, one.sha256).decode()
            if "last words" in text.replace(script, "") or time.monotonic() > deadline:
                break
    finally:
        await drivers.close()
    told = json.loads(text)
    assert told["log"].endswith("last words\n")
    assert told["properties"]["State"]["Running"] is True
    assert str(told["properties"]["State"]["Pid"]) in told["processes"]
    assert "hunter2" not in text


async def test_a_unit_is_told_by_the_real_manager_and_the_real_journal(boot, tmp_path, monkeypatch):
    text = "[Service]\nEnvironment=SECRET=hunter2\nExecStart=/bin/sh -c 'echo the last words; exec sleep 1000'\n"
    with boot() as system:
        (system.root / "run/systemd/system/told.service").write_text(text)
        system.run("systemctl", "daemon-reload")
        system.run("systemctl", "start", "told.service")
        tools = tmp_path / "bin"
        tools.mkdir()
        for name in ("systemctl", "journalctl"):
            (tools / name).write_text(f'#!/bin/sh\nexec nsenter --target {system.pid} --all {name} "$@"\n')
            (tools / name).chmod(0o755)
        monkeypatch.setattr("healer.drivers.argv.FIXED_PATH", f"{tools}:/usr/bin:/bin")
        monkeypatch.setattr("healer.drivers.argv.check_owners", lambda _: None)
        target = Target(kind="unit", name="told.service", organ="heart")
        order = Order(intent="a" * 64, target=target, timeout=30.0, generation="x")
        end = time.monotonic() + 10
        while "the last words" not in (told := await tellers.of_unit(order)).facts["log"]:
            assert time.monotonic() < end, told
        drivers, programs = Drivers(SystemClock()), Programs(SystemClock(), tmp_path, groups=cgroups.Cgroups(None, "-"))
        away = Target(kind="unit", name="told", organ="heart", spec={"bus": system.bus})
        try:
            from_away = await tellers.tellers(programs, drivers)["unit"](
                Order(intent="a" * 64, target=away, timeout=30.0, generation="x")
            )
        finally:
            await drivers.close()
    assert from_away.facts["properties"]["state"] == "active"
    assert told.facts["properties"]["ActiveState"] == "active"
    assert told.facts["properties"]["InvocationID"]
    assert told.files == ["/run/systemd/system/told.service"]
    assert "hunter2" not in str(told)
