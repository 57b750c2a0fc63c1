import json
import os
import signal
import subprocess
import sys
import time

import pytest

CONFIG = """\
version: 1
limits: {saturation_psi: 100%}
programs: [{name: sleeper, command: [sleep, "60"], organ: heart, on_stop: stop}]
"""


def start(tmp_path, *more):
    config = tmp_path / "organism.yaml"
    config.write_text(CONFIG)
    argv = [sys.executable, "-m", "healer", "run", "--config", str(config), "--state-dir", str(tmp_path / "s"), *more]
    env = {key: value for key, value in os.environ.items() if not key.startswith("HEALER_")}
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def greeting(process):
    lines = []
    while "Ctrl-C stops it" not in "".join(lines[-1:]):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        lines.append(line)
    return "".join(lines)


def healer(tmp_path, *args):
    argv = [sys.executable, "-m", "healer", "--state-dir", str(tmp_path / "s"), *args]
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)


def restarted(tmp_path) -> bool:
    """While the agent's own start of it is being proved, the program is held."""
    for _ in range(20):
        said = healer(tmp_path, "act", "restart", "program:sleeper", "--wait", "20")
        if "conflict" not in said.stderr:
            return said.returncode == 0
        time.sleep(0.5)
    return False


def test_it_says_what_it_sees_answers_and_stops_in_order(tmp_path):
    process = start(tmp_path)
    try:
        said = greeting(process)
        assert "looks at   1 targets" in said
        assert str(tmp_path / "s" / "healer.sock") in said
        assert "keep this fingerprint" in said
        status = json.loads(healer(tmp_path, "status", "--json").stdout)
        assert status["log"]["key"] in said
        assert len(status["organs"]) == 7
        assert restarted(tmp_path)
        assert "restart" in healer(tmp_path, "healings").stdout
        sealed = healer(tmp_path, "audit", "log", "user.login", '{"name": "x"}')
        shown = healer(tmp_path, "audit", "show", "--seq", sealed.stdout.strip(), "--json")
        assert json.loads(shown.stdout)["entry"]["type"] == "user.login"
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        assert time.monotonic() - started < 5
        assert "the last block is sealed" in err
    finally:
        process.kill()
        process.wait()
    assert healer(tmp_path, "audit", "verify").returncode == 0
    again = start(tmp_path)
    try:
        assert "keep this fingerprint" not in greeting(again)  # only where a key was made
        again.send_signal(signal.SIGTERM)
        again.communicate(timeout=20)
        assert again.returncode == 0
    finally:
        again.kill()
        again.wait()


@pytest.mark.parametrize(
    ("args", "word"),
    [(("--log-level", "loud"), "no log level"), (("--mode", "wild"), "wild"), (("--profile", "tiny"), "tiny")],
)
def test_wrong_usage_touches_nothing(tmp_path, args, word):
    process = start(tmp_path, *args)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert word in err
    assert not (tmp_path / "s").exists()


def test_a_configuration_with_mistakes_is_refused_with_all_of_them(tmp_path):
    (tmp_path / "s").mkdir(mode=0o700)
    (tmp_path / "bad.yaml").write_text("version: 1\nmod: auto\nlimits: {concurrent: x}\n")
    process = start(tmp_path, "--config", str(tmp_path / "bad.yaml"))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "bad.yaml:2:1" in err
    assert "bad.yaml:3:" in err
    assert "Traceback" not in err
    assert not list((tmp_path / "s").iterdir())


def test_once_looks_thinks_and_touches_nothing(tmp_path):
    config = tmp_path / "organism.yaml"
    (tmp_path / "r.yaml").write_text(
        "version: 1\nrules: [{id: gone, target: 'file:x', mode: auto, when: 'file.exists{target} == 0', for: 1h, "
        "then: [{notify: {}}]}]\n"
    )
    config.write_text(
        "version: 1\nrules: {files: [r.yaml]}\n"
        f"targets: [{{kind: file, name: x, path: {tmp_path / 'none'}, organ: stomach}}]\n"
    )
    argv = [
        sys.executable,
        "-m",
        "healer",
        "--state-dir",
        str(tmp_path / "s"),
        "run",
        "--config",
        str(config),
        "--once",
    ]
    said = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    assert "harmony" in said.stdout
    assert "gone" in said.stdout.splitlines()[-1]
    assert "notify" in said.stdout.splitlines()[-1]
    found = json.loads(subprocess.run([*argv, "--json"], check=True, capture_output=True, text=True, timeout=60).stdout)
    assert [one["action"] for one in found["would"]] == ["notify"]
    assert not (tmp_path / "s").exists()
