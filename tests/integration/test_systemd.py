"""`sudo make install` on a real systemd leaves a service that is active, watched, sealed and verified."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

HANG = """
import signal

def hang(*_):
    while True:
        pass

signal.signal(signal.SIGUSR2, hang)
"""
"""Handlers run in the main thread: the event loop stops there, and threads beside it go on."""

DROP_IN = """
[Unit]
StartLimitBurst=50
[Service]
WatchdogSec=4
TimeoutAbortSec=3
"""

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def wheels(cache) -> Path:
    """Everything `make install` downloads, for the Python of the tree: the system has no network."""
    locks = [CHECKOUT / "requirements" / name for name in ("run.txt", "build.txt")]
    made = cache / f"wheels-{hashlib.sha256(b''.join(lock.read_bytes() for lock in locks)).hexdigest()[:16]}"
    with (cache / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            part = made.with_suffix(".part")
            fits = [
                "--only-binary=:all:",
                "--python-version=3.11",
                "--implementation=cp",
                "--abi=cp311",
                "--abi=abi3",
                "--abi=none",
            ]
            argv = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--dest", str(part), *fits]
            subprocess.run([*argv, *(f"--requirement={lock}" for lock in locks)], check=True)
            part.rename(made)
    return made


@pytest.fixture(scope="module")
def system(boot, wheels):
    with boot(f"--bind-ro={CHECKOUT}:/src", f"--bind-ro={wheels}:/wheels") as booted:
        yield booted


@pytest.fixture(scope="module")
def service(system):
    """Installed with the README's words, watched more closely than the unit as shipped."""
    system.run("mkdir", "-p", "/etc/systemd/system/healer.service.d")
    system.run("sh", "-c", f"printf %s '{DROP_IN}' > /etc/systemd/system/healer.service.d/test.conf")
    system.run("make", "-C", "/src", "install", timeout=300)
    return system


def entries(system) -> list[dict[str, object]]:
    said = system.run("healer-audit", "export", "/var/lib/healer").stdout
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_the_service_is_active_and_said_ready(service):
    # Type=notify: without READY=1 the state stays "activating" and the start fails.
    facts = service.show("Type", "ActiveState", "SubState", "NRestarts", "StatusText")
    assert facts["Type"] == "notify"
    assert (facts["ActiveState"], facts["SubState"], facts["NRestarts"]) == ("active", "running", "0")
    assert facts["StatusText"]


def test_it_answers_on_its_socket_and_nowhere_else(service):
    status = service.run("curl", "-sS", "--unix-socket", "/run/healer/healer.sock", "http://x/api/v1/status").stdout
    assert len(json.loads(status)["organs"]) == 7
    pid = service.show("MainPID")["MainPID"]
    mine = service.run("sh", "-c", f"ls -l /proc/{pid}/fd").stdout
    listening = service.run("cat", "/proc/net/tcp", "/proc/net/tcp6").stdout
    inodes = [line.split()[9] for line in listening.splitlines() if " 0A " in line]
    assert not [inode for inode in inodes if f"socket:[{inode}]" in mine]


def test_the_key_is_its_own_and_nobody_elses(service):
    modes = service.run("stat", "-c", "%a %U", "/var/lib/healer/keys", "/var/lib/healer/keys/seal.pem").stdout
    assert modes.split() == ["700", "root", "600", "root"]


def test_a_reload_reads_the_rules_again_in_the_same_process(service):
    before = service.show("MainPID", "InvocationID")
    known = sum(1 for entry in entries(service) if entry["kind"] == "rules")
    service.run("systemctl", "reload", "healer.service")
    service.wait_until(
        "the rules are sealed as read again", lambda: sum(e["kind"] == "rules" for e in entries(service)) > known
    )
    assert service.show("ActiveState", "MainPID", "InvocationID") == before | {"ActiveState": "active"}


def test_a_hung_loop_is_killed_by_the_watchdog_and_comes_back(service):
    site = service.run("/opt/healer/bin/python", "-c", "import site; print(site.getsitepackages()[0])").stdout.strip()
    service.run(
        "sh",
        "-c",
        f"printf %s '{HANG}' > {site}/hang_for_test.py; echo 'import hang_for_test' > {site}/hang_for_test.pth",
    )
    service.run("systemctl", "restart", "healer.service")
    before = service.show("MainPID", "InvocationID")
    service.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGUSR2", "healer.service")
    service.wait_until("the service was started again", lambda: service.show("NRestarts")["NRestarts"] == "1")
    service.wait_until("it is active", lambda: service.show("ActiveState")["ActiveState"] == "active")
    assert service.show("MainPID")["MainPID"] != before["MainPID"]
    assert "watchdog" in service.run("journalctl", "--no-pager", "--unit=healer.service").stdout.lower()


def test_a_program_outlives_its_agent_in_a_cgroup_of_its_own_and_is_adopted_again(service):
    program = "programs: [{name: sleeper, organ: heart, command: [sleep, '1000'], on_stop: keep}]"
    service.run("sh", "-c", f'echo "{program}" >> /etc/healer/organism.yaml')
    service.run("systemctl", "restart", "healer.service")

    def sleepers() -> list[str]:
        return service.run("sh", "-c", "grep -ls '^sleep' /proc/[0-9]*/comm || true").stdout.split()

    service.wait_until("the program runs", lambda: len(sleepers()) == 1)
    (before,) = sleepers()
    service.wait_until(
        "it has its own cgroup",
        lambda: "/healer-" in service.run("cat", before.replace("comm", "cgroup")).stdout,
    )
    killed = service.show("MainPID")["MainPID"]
    service.run("systemctl", "kill", "--kill-whom=main", "--signal=SIGKILL", "healer.service")
    service.wait_until("another agent was started", lambda: service.show("MainPID")["MainPID"] not in {killed, "0"})
    asked = ("healer", "--json", "state", "program:sleeper")
    service.wait_until("the agent answers again", lambda: service.run(*asked, check=False).returncode == 0)
    assert json.loads(service.run(*asked).stdout)["state"] == "running"
    assert sleepers() == [before]


def test_a_unit_of_the_demonstration_is_healed_here(service):
    """What `healer demo --systems` shows where systemd runs, and no other system is installed."""
    done = service.run("/opt/healer/bin/healer", "demo", "--systems", "--json", check=False, timeout=90)
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert [(one["name"], one["action"], one["verified"]) for one in found["systems"]] == [("unit", "restart", True)]
    assert set(found["missing"]) == {"container", "postgres", "haproxy"}
    assert found["ok"]
    assert "victim-" not in service.run("systemctl", "list-units", "--all", "--plain", "--no-legend").stdout


def test_the_unprivileged_service_runs_as_nobody_in_particular(service):
    service.run("systemctl", "start", "healer-unprivileged.service")
    said = service.run("systemctl", "show", "healer-unprivileged.service", "--property=ActiveState,MainPID").stdout
    facts = dict(line.split("=", 1) for line in said.splitlines())
    assert facts["ActiveState"] == "active"
    status = service.run("cat", f"/proc/{facts['MainPID']}/status").stdout
    assert "CapEff:\t0000000000000000" in status
    assert "Uid:\t0" not in status
    service.run("healer-audit", "verify", "/var/lib/healer-unprivileged")
    service.run("systemctl", "start", "healer.service")  # they exclude each other


def test_polkit_lets_it_restart_the_units_named_and_no_other(service):
    rules = "/etc/polkit-1/rules.d/50-healer.rules"
    service.run("sed", "-i", 's|// "nginx.service",|"nginx.service",|', rules)
    for unit in ("nginx", "other"):
        text = "[Service]\\nExecStart=/bin/sleep 1000\\n"
        service.run("sh", "-c", f"printf '{text}' > /run/systemd/system/{unit}.service")
    service.run("systemctl", "daemon-reload")
    service.run("systemctl", "restart", "polkit.service")

    def ask(user: str, *verb: str) -> int:
        return service.run("runuser", "-u", user, "--", "systemctl", "--no-ask-password", *verb, check=False).returncode

    assert ask("healer", "restart", "nginx.service") == 0
    assert ask("healer", "restart", "other.service") != 0
    assert ask("healer", "kill", "nginx.service") != 0
    assert ask("daemon", "restart", "nginx.service") != 0


def test_the_log_verifies_afterwards_inside_and_far_from_the_agent(service, tmp_path):
    service.run("systemctl", "stop", "healer.service")
    service.run("healer-audit", "verify", "/var/lib/healer")
    # The auditor's way: a copy of audit/, the log, the key and the anchor; no third-party code, no agent.
    state = Path(f"/proc/{service.pid}/root/var/lib/healer")
    for name in ("audit.db", "audit.db-wal", "anchor", "keys/seal.pub"):
        if (state / name).exists():
            shutil.copy(state / name, tmp_path / Path(name).name)
    shutil.copytree(CHECKOUT / "audit", tmp_path / "audit")
    far = [sys.executable, "-I", "-S", "audit", "verify", "audit.db", "--key", "seal.pub", "--anchor", "anchor"]
    said = subprocess.run(far, cwd=tmp_path, env={"HOME": str(tmp_path)}, check=False, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


def test_uninstalling_keeps_the_log_and_its_key(service):
    service.run("make", "-C", "/src", "uninstall")
    assert service.run("systemctl", "is-active", "healer.service", check=False).stdout.strip() == "inactive"
    assert service.run("ls", "/opt/healer", check=False).returncode != 0
    for kept in ("/var/lib/healer/audit.db", "/var/lib/healer/keys/seal.pem", "/etc/healer/organism.yaml"):
        service.run("test", "-e", kept)
