"""Evidence is what /proc and a few logs tell, bounded, without secrets, and silent where it may not look."""

import os
import socket
import subprocess
import time

import pytest

from healer.drivers import evidence


def test_a_living_process_tells_much_but_not_its_environment():
    found = evidence.of_process(os.getpid())
    assert f"Pid:\t{os.getpid()}" in found["status"]
    assert found["exe"].startswith("/")
    assert str(os.getpid()) in found["threads"]
    assert "Max open files" in found["limits"]
    assert "environ" not in found


def test_a_process_that_is_gone_tells_nothing_and_breaks_nothing():
    nothing = {"fds": {}, "cwd": "", "exe": "", "threads": {}, "sockets": [], "smaps_rollup": ""}
    assert evidence.of_process(2**22 + 1) == nothing


def test_its_peers_are_named():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        found = evidence.of_process(os.getpid())["sockets"]
        port, peer = server.getsockname()[1], client.getsockname()[1]
    told = [(one["local"], one["peer"], one["state"]) for one in found if one["kind"] == "tcp"]
    assert (f"127.0.0.1:{peer}", f"127.0.0.1:{port}", "established") in told
    assert (f"127.0.0.1:{port}", "0.0.0.0:0", "listen") in told


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("0100007F:1F90", "127.0.0.1:8080"),
        ("00000000000000000000000001000000:0016", "::1:22"),
        ("garbage", "garbage"),
        ("ZZ:1", "ZZ:1"),
        ("01:1", "01:1"),
    ],
)
def test_addresses_are_read_as_the_kernel_writes_them(told, read):
    assert evidence.endpoint(told) == read


def test_when_the_time_is_over_threads_and_sockets_are_left_out():
    found = evidence.of_process(os.getpid(), enough=lambda: True)
    assert "status" in found
    assert not {"threads", "sockets"} & found.keys()


def test_a_process_with_very_many_descriptors_and_threads_is_told_in_part_and_soon():
    code = (
        "import os, threading, time\n"
        "for _ in range(900): os.dup(0)\n"
        "for _ in range(150): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "print(1, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as child:
        try:
            child.stdout.readline()
            began = time.monotonic()
            found = evidence.of_process(child.pid)
            assert time.monotonic() - began < 1.0
        finally:
            child.kill()
    assert (len(found["fds"]), len(found["threads"])) == (256, 64)


def test_the_host_tells_its_pressure():
    assert set(evidence.of_host()) == {"pressure", "loadavg", "meminfo"}


def test_the_ends_of_package_logs_are_told_and_missing_ones_are_not(tmp_path):
    log = tmp_path / "dpkg.log"
    log.write_text("old\n" * 5000 + "2026-11-20 upgrade nginx 1.22 1.24\n")
    told = evidence.changes([str(log), str(tmp_path / "none")])
    assert list(told) == [str(log)]
    assert told[str(log)].endswith("upgrade nginx 1.22 1.24\n")
    assert len(told[str(log)]) <= 4096


def test_files_that_changed_last_come_first_with_those_of_declared_folders(tmp_path):
    for age, name in enumerate(("new.conf", "old.conf")):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    os.utime(tmp_path, (1, 1))
    told = evidence.files([str(tmp_path), "/gone"])
    assert [os.path.basename(one["path"]) for one in told] == ["new.conf", "old.conf", tmp_path.name]  # noqa: PTH119
    assert told[0]["changed"] == 1000


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("--password hunter2 -v", "--password [redacted] -v"),
        ("--db-password=hunter2", "--db-password=[redacted]"),
        ("PGPASSWORD=hunter2 psql", "PGPASSWORD=[redacted] psql"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
        ('{"api_key": "k-123", "n": 1}', '{"api_key": "[redacted]", "n": 1}'),
        ("postgres://app:s3cret@db/x", "postgres://app:[redacted]@db/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII\nE\n-----END", "-----BEGIN RSA PRIVATE KEY-----[redacted]-----END"),
        ("Authorization: Token hunter2", "Authorization: [redacted]"),
        ("Set-Cookie: a=b; sid=hunter2\nx", "Set-Cookie: [redacted]\nx"),
        ('{"password": "hun ter,2", "n": 1}', '{"password": "[redacted]", "n": 1}'),
        ("redis-server --requirepass hunter2 -v", "redis-server --requirepass [redacted] -v"),
        ("MYSQL_PWD=hunter2 mysql", "MYSQL_PWD=[redacted] mysql"),
        ("sent Bearer hunter2hunter2", "sent Bearer [redacted]"),
        ("postgres://app:s3@cret@db/x", "postgres://app:[redacted]@db/x"),
        ("passed: 3, compass: north", "passed: 3, compass: north"),
        ("password reset by anna", "password reset by anna"),
        ("nothing here", "nothing here"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out_of_texts(text, clean):
    assert evidence.scrubbed(text) == clean
    assert evidence.without_secrets({"a": [text, 1]}) == {"a": [clean, 1]}


def test_a_secret_in_a_list_of_words_is_taken_out_too():
    told = {"Args": ["--port", "1", "--requirepass", "hunter2", "-v"], "Cmd": ("sh", "-c", "x --token hunter2")}
    assert evidence.without_secrets(told) == {
        "Args": ["--port", "1", "--requirepass", "[redacted]", "-v"], "Cmd": ["sh", "-c", "x --token [redacted]"],
    }  # fmt: skip


@pytest.mark.parametrize(
    "text", ["-" * 300_000, "token" * 60_000, "a://" * 75_000, "--" + "a" * 300_000, "password " * 40_000]
)
def test_hostile_text_takes_no_time(text):
    began = time.monotonic()
    evidence.scrubbed(text)
    assert time.monotonic() - began < 1.5
