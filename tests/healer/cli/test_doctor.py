import json
from types import SimpleNamespace

import pytest

from healer.cli import doctor
from healer.cli.settings import Settings


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host whose files are made up."""
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr(doctor, "ROOT", root)
    return root


def make(root, name):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def found(look, state=None):
    return {one.what: one for one in look(Settings(state_dir=None if state is None else str(state)))}


def test_everything_is_looked_at_and_said_with_what_to_do(healer):
    said = json.loads(healer("doctor", "--json").out)["checks"]
    assert {one["what"] for one in said} >= {
        "python",
        "audit",
        "state",
        "clock",
        "pressure",
        "docker",
        "rights",
        "agent",
    }
    assert all(one["fix"] for one in said if one["how"] != "ok")
    assert healer("doctor").out.startswith("CHECK")


def test_a_loose_key_fails_and_a_missing_one_beside_a_log_too(tmp_path, healer):
    folder = tmp_path / "s"
    (folder / "keys").mkdir(parents=True)
    folder.chmod(0o700)
    key = make(folder, "keys/seal.pem")
    key.chmod(0o644)
    assert found(doctor.state, folder)["key"].how == "fail"
    key.chmod(0o600)
    assert found(doctor.state, folder)["key"].how == "ok"
    key.unlink()
    make(folder, "audit.db")
    assert found(doctor.state, folder)["key"].how == "fail"
    assert healer("--state-dir", str(folder), "doctor", state=False).code == 1


def test_a_folder_open_to_others_and_the_kill_switch_are_told(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    make(folder, "stop-healing")
    said = found(doctor.state, folder)
    assert (said["state"].how, said["kill switch"].how) == ("warn", "warn")
    assert "chmod 700" in said["state"].fix


def test_a_state_folder_that_can_be_made_and_one_that_cannot(tmp_path):
    assert found(doctor.state, tmp_path / "a" / "b")["state"].how == "ok"
    (tmp_path / "file").touch()
    told = found(doctor.state, tmp_path / "file" / "state")["state"]
    assert told.how == "fail"
    assert "--state-dir" in told.fix


def test_little_room_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    assert found(doctor.state, tmp_path)["disk"].how == "warn"


def test_a_clock_nobody_sets_is_told(host):
    assert found(doctor.clock)["clock"].how == "warn"
    make(host, "run/systemd/timesync/synchronized")
    assert found(doctor.clock)["clock"].how == "ok"


def test_a_kernel_without_pressure_or_cgroups_is_told(host):
    said = found(doctor.kernel)
    assert (said["pressure"].how, said["cgroups"].how, said["pidfd"].how) == ("warn", "warn", "ok")
    make(host, "proc/pressure/cpu")
    make(host, "sys/fs/cgroup/cgroup.controllers")
    said = found(doctor.kernel)
    assert (said["pressure"].how, said["cgroups"].how) == ("ok", "ok")


def test_an_engine_we_may_not_reach_is_told(host, monkeypatch):
    assert found(doctor.docker)["docker"].how == "ok"
    make(host, "run/docker.sock")
    assert found(doctor.docker)["docker"].how == "ok"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert found(doctor.docker)["docker"].how == "warn"


def test_what_cannot_be_done_without_root_is_told(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert found(doctor.rights)["rights"].how == "warn"
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert found(doctor.rights)["rights"].how == "ok"


def test_a_configuration_that_does_not_load_fails(tmp_path):
    bad = tmp_path / "organism.yaml"
    bad.write_text("version: 1\nmod: auto\n")
    assert next(iter(doctor.configuration(Settings(config=str(bad))))).how == "fail"
    bad.write_text("version: 1\n")
    assert next(iter(doctor.configuration(Settings(config=str(bad))))).how == "ok"


def test_another_package_named_audit_is_told(monkeypatch, tmp_path):
    import audit

    make(tmp_path, "audit/__init__.py")
    monkeypatch.setattr(audit, "__file__", str(tmp_path / "audit" / "__init__.py"))
    assert found(doctor.python)["audit"].how == "fail"
    monkeypatch.undo()
    monkeypatch.setattr("sys.prefix", "/usr")
    monkeypatch.setattr("sys.base_prefix", "/usr")
    assert found(doctor.python)["audit"].how == "warn"


def test_a_client_library_that_is_missing_is_told_where_it_is_needed(monkeypatch):
    assert list(doctor.libraries({"http", "journal"})) == []
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: None)
    (only,) = doctor.libraries({"postgres", "http"})
    assert (only.how, only.says) == ("fail", "psycopg is not installed, and postgres needs it")
    assert "make extras" in only.fix


def test_an_engine_elsewhere_is_the_one_that_is_looked_at(monkeypatch, host):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2375")
    assert "tcp://127.0.0.1:2375" in found(doctor.docker)["docker"].says
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    assert "no engine here" in found(doctor.docker)["docker"].says
