"""`healer demo --systems` on what is really here: a container, a held-up PostgreSQL, a bad server behind HAProxy."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from doubles.dockerd import Dockerd

import audit

pytestmark = pytest.mark.real
COMMAND = [sys.executable, "-m", "healer", "demo", "--systems"]
ROOT = Path(audit.__file__).parents[1]
PLAIN = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


@pytest.fixture
def engine(real):
    real("dockerd", "busybox", root=True)
    made = Dockerd()
    made.start()
    yield made
    made.close()


def demo(*words, environ=None):
    given = PLAIN | {"PYTHONPATH": str(ROOT), "TMPDIR": "/tmp"} | (environ or {})
    return subprocess.run(
        [*COMMAND, *words], cwd="/", env=given, capture_output=True, text=True, timeout=120, check=False
    )


def test_what_is_here_is_broken_and_healed_and_nothing_is_left(real, engine):
    real("haproxy", "pg_ctlcluster", root=True)
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="d") as own:  # short: sockets lie below it
        Path(own).chmod(0o755)
        environ = {"DOCKER_HOST": f"unix://{engine.folder}/docker.sock", "TMPDIR": own}
        done = demo("--json", environ=environ)
        left = list(Path(own).iterdir())
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert [(one["name"], one["action"], one["verified"]) for one in found["systems"]] == [
        ("container", "restart", True),
        ("postgres", "reconnect", True),
        ("haproxy", "failover", True),
    ]
    for one in found["systems"]:
        times = [one[f"{step}_ms"] for step in ("seen", "decided", "sealed", "acted", "healed")]
        assert times == sorted(times)
        assert len(one["intent"]) == 64
    assert found["missing"] == {"unit": "systemd does not run this machine"}
    assert found["audit"]["verified"]
    assert found["audit"]["tampered_copy_detected"]
    assert engine.client.containers(all=True) == []
    assert {name for image in engine.client.images() for name in image["RepoTags"] or ()} <= {"box:1"}
    assert left == []


def test_where_nothing_is_here_it_says_what_is_missing_and_proves_nothing(tmp_path):
    # A PATH that holds no server, and no PostgreSQL: that one is looked for beside PATH, so root's own rule decides.
    probe = "from healer.demo import ward; ward.SYSTEMS = ward.SYSTEMS[:2]; from healer.cli.main import main; main()"
    argv = [sys.executable, "-c", probe, "demo", "--systems"]
    environ = {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT), "DOCKER_HOST": "unix:///nowhere"}
    done = subprocess.run(argv, cwd="/", env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "not shown: unit, because systemd does not run this machine" in done.stdout
    assert "not shown: container, because " in done.stdout
    assert "none of the systems is here, so nothing can be shown" in done.stderr


def test_one_at_a_time():
    done = demo("--loop")
    assert done.returncode == 2
    assert "not both" in done.stderr
