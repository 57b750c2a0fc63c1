"""`sudo make install` on a real systemd leaves a service that is active, watched, sealed and verified."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
RELEASE = "bookworm"
PACKAGES = "systemd,systemd-sysv,dbus,python3,python3-venv,make,curl"
LATER = "polkitd"
"""Its set-up fails inside debootstrap, and succeeds in the tree that debootstrap made."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A booted system; commands are run inside it as root."""

    pid: int

    def run(self, *argv: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        inside = [
            "nsenter",
            "--target",
            str(self.pid),
            "--all",
            "env",
            "-i",
            "PATH=/usr/local/bin:/usr/sbin:/usr/bin",
        ]
        done = subprocess.run(
            [*inside, "HOME=/root", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels", *argv],
            check=False,
            cwd="/",  # a folder of ours would be nowhere inside, and every shell would say so
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode != 0:
            journal = self.run("journalctl", "--no-pager", "-n", "60", check=False).stdout
            pytest.fail(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}\n--- journal\n{journal}")
        return done

    def show(self, *names: str) -> dict[str, str]:
        said = self.run("systemctl", "show", "healer.service", f"--property={','.join(names)}").stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def wait_until(self, what: str, true: Callable[[], bool], seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            if time.monotonic() > deadline:
                journal = self.run("journalctl", "--no-pager", "-n", "60", check=False).stdout
                pytest.fail(f"not within {seconds} s: {what}\n--- journal\n{journal}")
            time.sleep(0.1)


@pytest.fixture(scope="module")
def tree(real, cache) -> Path:
    """A minimal Debian, made once and kept."""
    real("systemd-nspawn", "debootstrap", "nsenter", root=True)
    made = cache / f"{RELEASE}-{hashlib.sha256(f'{PACKAGES} {LATER}'.encode()).hexdigest()[:8]}"
    with (cache / "tree.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            part = made.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            argv = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(part)]
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
            inside = [
                "systemd-nspawn",
                "--quiet",
                f"--directory={part}",
                "--register=no",
                "--keep-unit",
                "--console=pipe",
            ]
            install = [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "-qq",
                "-y",
                "--no-install-recommends",
            ]
            subprocess.run([*inside, *install, LATER], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            part.rename(made)
    return made


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
def system(tree, wheels, tmp_path_factory) -> Iterator[System]:
    """Boot the tree; what is written to it goes to memory and is gone afterwards."""
    console = tmp_path_factory.mktemp("systemd") / "console"
    argv = [
        *("systemd-nspawn", "--quiet", f"--directory={tree}", "--volatile=overlay", "--boot", "--register=no"),
        *("--keep-unit", "--private-network", "--console=pipe", "--kill-signal=SIGRTMIN+3"),
        *(f"--bind-ro={CHECKOUT}:/src", f"--bind-ro={wheels}:/wheels"),
    ]
    with (
        console.open("w") as said,
        subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT) as nspawn,
    ):
        try:
            booted = System(pid=first_process(nspawn))
            ready = {"running", "degraded"}
            booted.wait_until(
                "the system is up",
                lambda: booted.run("systemctl", "is-system-running", check=False).stdout.strip() in ready,
            )
            yield booted
        finally:
            nspawn.terminate()
            try:
                nspawn.wait(20)
            except subprocess.TimeoutExpired:
                nspawn.kill()


def first_process(nspawn: subprocess.Popen[bytes]) -> int:
    """The pid, seen from here, of the systemd that nspawn started."""
    children = Path(f"/proc/{nspawn.pid}/task/{nspawn.pid}/children")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and nspawn.poll() is None:
        for pid in children.read_text().split():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                return int(pid)
        time.sleep(0.05)
    pytest.fail("systemd-nspawn did not start a systemd")


@pytest.fixture(scope="module")
def service(system) -> System:
    """Installed with the README's words, watched more closely than the unit as shipped."""
    system.run("mkdir", "-p", "/etc/systemd/system/healer.service.d")
    system.run("sh", "-c", f"printf %s '{DROP_IN}' > /etc/systemd/system/healer.service.d/test.conf")
    system.run("make", "-C", "/src", "install", timeout=300)
    return system


def entries(system: System) -> list[dict[str, object]]:
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
